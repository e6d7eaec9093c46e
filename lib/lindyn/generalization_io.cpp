#include <assay/lindyn/generalization_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <array>
#include <functional>

namespace assay::lindyn {
namespace {

constexpr std::array<std::pair<StudentKind, const char*>, 2> kKinds{
    {{StudentKind::aligned, "aligned"}, {StudentKind::random, "random"}}};

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

// Rows of numbers as an array whose first axis is `axis`; without one, a single row alone.
struct Rows {
    std::string axis; // "", or the name of the first axis
    Index count = 1;

    void write(hdf5::Group& group, const std::string& name, const RowMatrix& rows,
               const hdf5::ArrayInfo& info) const {
        hdf5::ArrayInfo whole = info;
        hdf5::Shape shape{rows.cols()};
        if (!axis.empty()) {
            shape.insert(shape.begin(), count);
            whole.axes = axis + "," + info.axes;
        }
        group.write(name, rows.data(), shape, whole);
    }
    void write_scalars(hdf5::Group& group, const std::string& name, const Vector& values,
                       const hdf5::ArrayInfo& info) const {
        if (axis.empty()) {
            group.write_scalar(name, values(0), info);
            return;
        }
        hdf5::ArrayInfo whole = info;
        whole.axes = axis;
        group.write(name, values, whole);
    }
};

template <class Record>
RowMatrix gathered(const std::map<Index, Record>& records,
                   const std::function<Vector(const Record&)>& part) {
    RowMatrix rows;
    Index i = 0;
    for (const auto& [number, record] : records) {
        const Vector values = part(record);
        if (i == 0) rows.resize(static_cast<Index>(records.size()), values.size());
        rows.row(i++) = values.transpose();
    }
    return rows;
}

template <class Record>
Vector gathered_scalars(const std::map<Index, Record>& records,
                        const std::function<double(const Record&)>& part) {
    Vector values(static_cast<Index>(records.size()));
    Index i = 0;
    for (const auto& [number, record] : records) values(i++) = part(record);
    return values;
}

template <class Record>
void write_numbers(hdf5::Group& group, const std::string& name,
                   const std::map<Index, Record>& records) {
    std::vector<std::int64_t> numbers;
    for (const auto& [number, record] : records) numbers.push_back(number);
    group.write(name, numbers, {name, "", "which of the whole study"});
}

void write_points(hdf5::Group& group, const std::map<Index, StudyPoint>& points, const Rows& rows,
                  const TimeScale& scale) {
    using P = StudyPoint;
    rows.write(group, "time",
               scale.per_tau * gathered<P>(points, [](const P& p) { return p.time; }),
               {"time", scale.unit, ""});
    rows.write(group, "train_error", gathered<P>(points, [](const P& p) { return p.curves.train; }),
               {"time", "", "|Y - W X|^2 / |Y|^2"});
    rows.write(group, "test_error", gathered<P>(points, [](const P& p) { return p.curves.test; }),
               {"time", "", "|W - W*|^2 / |W*|^2"});
    rows.write(group, "teacher", gathered<P>(points, [](const P& p) { return p.teacher; }),
               {"mode", "", "singular values of the teacher W*"});
    rows.write(group, "s_hat", gathered<P>(points, [](const P& p) { return p.observed; }),
               {"mode", "", "where they stand in the data, singular values of Syx"});
    rows.write(group, "overlap", gathered<P>(points, [](const P& p) { return p.overlap; }),
               {"mode", "", "of the data's singular vectors with the teacher's, output x input"});
    rows.write_scalars(group, "optimal_time",
                       scale.per_tau *
                           gathered_scalars<P>(points, [](const P& p) { return p.optimum.at; }),
                       {"", scale.unit, "when the test error is least"});
    rows.write_scalars(group, "optimal_error",
                       gathered_scalars<P>(points, [](const P& p) { return p.optimum.value; }),
                       {"", "", "least test error"});
    rows.write_scalars(group, "non_gradient_error",
                       gathered_scalars<P>(points, [](const P& p) { return p.non_gradient; }),
                       {"", "", "test error of the best shrinkage of singular values"});
    rows.write_scalars(group, "late_error",
                       gathered_scalars<P>(points, [](const P& p) { return p.late; }),
                       {"", "", "test error at the end of learning"});
}

// What students are summarised by, beside the theory of their point.
struct Summarised {
    std::string name, axis;
    std::function<Vector(const StudentRecord&)> of_student;
    std::function<Vector(const StudyPoint&)> of_theory;
};
const std::vector<Summarised>& summarised() {
    using R = StudentRecord;
    using P = StudyPoint;
    static const std::vector<Summarised> list{
        {"train", "time", [](const R& r) { return r.train; },
         [](const P& p) { return p.curves.train; }},
        {"test", "time", [](const R& r) { return r.test; },
         [](const P& p) { return p.curves.test; }},
        {"s_hat", "mode", [](const R& r) { return r.observed; },
         [](const P& p) { return p.observed; }},
        {"overlap", "mode", [](const R& r) { return r.overlap; },
         [](const P& p) { return p.overlap; }}};
    return list;
}

// Means over the repeats of each point.
void write_summary(hdf5::Group& check, const Study& study,
                   const std::map<Index, StudentRecord>& runs, const Rows& rows,
                   const Summarised& what) {
    const Index repeats = study.settings.repeats, points = study.settings.points();
    const Index width = what.of_student(runs.begin()->second).size();
    if (width == 0) return;
    RowMatrix mean(points, width), sem = mean, z = mean;
    for (Index p = 0; p < points; ++p) {
        Matrix all(repeats, width);
        for (Index r = 0; r < repeats; ++r)
            all.row(r) = what.of_student(runs.at(p * repeats + r)).transpose();
        const RepeatSummary summary = summarise_repeats(all, what.of_theory(study.points.at(p)));
        mean.row(p) = summary.mean.transpose();
        sem.row(p) = summary.sem.transpose();
        z.row(p) = summary.z.transpose();
    }
    rows.write(check, what.name + "_mean", mean, {what.axis, "", "mean over simulated data sets"});
    rows.write(check, what.name + "_sem", sem, {what.axis, "", "its standard error"});
    rows.write(check, what.name + "_z", z, {what.axis, "", "(mean - theory) / standard error"});
}

void write_summaries(hdf5::Group check, const Study& study,
                     const std::map<Index, StudentRecord>& runs, const Rows& rows) {
    const Index repeats = study.settings.repeats, points = study.settings.points();
    for (const Summarised& what : summarised()) write_summary(check, study, runs, rows, what);
    RowMatrix best_time(points, repeats), best_error(points, repeats);
    for (const auto& [number, record] : runs) {
        best_time(number / repeats, number % repeats) = record.optimum.at;
        best_error(number / repeats, number % repeats) = record.optimum.value;
    }
    const TimeScale& scale = study.settings.scale;
    rows.write(check, "optimal_time", scale.per_tau * best_time,
               {"repeat", scale.unit, "of each student"});
    rows.write(check, "optimal_error", best_error, {"repeat", "", "of each student"});
}

void write_runs(hdf5::Group check, const std::map<Index, StudentRecord>& runs) {
    using R = StudentRecord;
    const Rows rows{"run", static_cast<Index>(runs.size())};
    write_numbers(check, "run", runs);
    rows.write(check, "train", gathered<R>(runs, [](const R& r) { return r.train; }),
               {"time", "", "train error of each student"});
    rows.write(check, "test", gathered<R>(runs, [](const R& r) { return r.test; }),
               {"time", "", "test error of each student"});
    if (runs.begin()->second.observed.size() > 0) {
        rows.write(check, "s_hat", gathered<R>(runs, [](const R& r) { return r.observed; }),
                   {"mode", "", "first singular values of each data set"});
        rows.write(check, "overlap", gathered<R>(runs, [](const R& r) { return r.overlap; }),
                   {"mode", "", "with the teacher's singular vectors"});
    }
    rows.write_scalars(check, "optimal_time",
                       gathered_scalars<R>(runs, [](const R& r) { return r.optimum.at; }),
                       {"", "tau", ""});
    rows.write_scalars(check, "optimal_error",
                       gathered_scalars<R>(runs, [](const R& r) { return r.optimum.value; }), {});
}

void write_settings(hdf5::Group& group, const Study& study) {
    const StudySettings& s = study.settings;
    const Setting& base = s.base;
    group.set_attribute("inputs", static_cast<std::int64_t>(base.inputs));
    group.set_attribute("outputs", static_cast<std::int64_t>(base.outputs));
    group.set_attribute("hidden", static_cast<std::int64_t>(base.student.hidden));
    group.set_attribute("samples", static_cast<std::int64_t>(base.sample_count()));
    group.set_attribute("depth", base.student.depth);
    group.set_attribute("initial_strength", base.student.start);
    group.set_attribute("randomized", base.randomized ? 1 : 0);
    group.set_attribute("singular_values",
                        std::vector<double>(base.teacher.begin(), base.teacher.end()));
    group.set_attribute("horizon", s.horizon); // tau
    group.set_attribute("time_unit", s.scale.unit);
    group.set_attribute("tau", s.scale.per_tau);
    group.set_attribute("repeats", static_cast<std::int64_t>(s.repeats));
    group.set_attribute("seed", std::to_string(s.seed));
    std::vector<std::string> kinds, axes;
    for (const auto& [kind, name] : kKinds)
        if (s.repeats > 0 && std::count(s.students.begin(), s.students.end(), kind) > 0)
            kinds.emplace_back(name);
    group.set_attribute("students", join(kinds, ","));
    for (const SweepAxis& axis : s.axes) axes.push_back(axis.name);
    group.set_attribute("sweep", join(axes, ","));
    for (const SweepAxis& axis : s.axes)
        group.create_group("sweep").write(axis.name, axis.values,
                                          {"value", "",
                                           "of this parameter; the last of the "
                                           "attribute sweep runs fastest"});
    if (study.part.count == 1) return;
    group.set_attribute("shard", static_cast<std::int64_t>(study.part.index));
    group.set_attribute("shards", static_cast<std::int64_t>(study.part.count));
}

Index whole_attribute(const hdf5::Group& group, const char* name, double least) {
    const auto value = group.number_attribute(name);
    if (!value || !(*value >= least) || !(*value <= 1e15) || *value != std::floor(*value))
        throw Error(
            concat(group.where(), ": attribute '", name, "' of ", least, " or more is expected"));
    return static_cast<Index>(*value);
}

RowMatrix read_rows(const hdf5::Group& group, const std::string& name, Index rows, Index cols) {
    const RowMatrix matrix = group.dataset(name).expect_numeric().expect_rank(2).read_matrix();
    if (matrix.rows() != rows || (cols >= 0 && matrix.cols() != cols))
        throw Error(concat(group.where(), "/", name, ": ", matrix.rows(), " x ", matrix.cols(),
                           " numbers do not fit the other arrays"));
    return matrix;
}

Vector read_column(const hdf5::Group& group, const std::string& name, Index count) {
    const Vector values = group.dataset(name).expect_numeric().expect_rank(1).read_vector();
    if (values.size() != count)
        throw Error(concat(group.where(), "/", name, ": ", values.size(), " numbers; ", count,
                           " are expected"));
    return values;
}

std::vector<std::int64_t> read_numbers(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).expect_numeric().expect_rank(1).read<std::int64_t>();
}

std::map<Index, StudyPoint> read_points(const hdf5::Group& group) {
    std::map<Index, StudyPoint> points;
    if (!group.has_dataset("point")) return points;
    const auto numbers = read_numbers(group, "point");
    const auto count = static_cast<Index>(numbers.size());
    const RowMatrix time = read_rows(group, "time", count, -1);
    const RowMatrix train = read_rows(group, "train_error", count, time.cols()),
                    test = read_rows(group, "test_error", count, time.cols());
    const RowMatrix teacher = read_rows(group, "teacher", count, -1);
    const RowMatrix observed = read_rows(group, "s_hat", count, teacher.cols()),
                    overlap = read_rows(group, "overlap", count, teacher.cols());
    const Vector best_time = read_column(group, "optimal_time", count),
                 best_error = read_column(group, "optimal_error", count),
                 bound = read_column(group, "non_gradient_error", count),
                 late = read_column(group, "late_error", count);
    for (Index i = 0; i < count; ++i)
        points[numbers[at(i)]] = {
            time.row(i),    {train.row(i), test.row(i)},   teacher.row(i), observed.row(i),
            overlap.row(i), {best_time(i), best_error(i)}, bound(i),       late(i)};
    return points;
}

std::map<Index, StudentRecord> read_runs(const hdf5::Group& check) {
    std::map<Index, StudentRecord> runs;
    const auto numbers = read_numbers(check, "run");
    const auto count = static_cast<Index>(numbers.size());
    const RowMatrix train = read_rows(check, "train", count, -1);
    const RowMatrix test = read_rows(check, "test", count, train.cols());
    const Vector time = read_column(check, "optimal_time", count),
                 error = read_column(check, "optimal_error", count);
    RowMatrix observed(count, 0), overlap = observed;
    if (check.has_dataset("s_hat")) {
        observed = read_rows(check, "s_hat", count, -1);
        overlap = read_rows(check, "overlap", count, observed.cols());
    }
    for (Index i = 0; i < count; ++i)
        runs[numbers[at(i)]] = {
            train.row(i), test.row(i), {time(i), error(i)}, observed.row(i), overlap.row(i)};
    return runs;
}

Matrix draws_of(const TransferStudy& study, double TransferDraw::*part) {
    Matrix draws(study.repeats, study.points());
    for (const auto& [number, draw] : study.draws)
        draws(number % study.repeats, number / study.repeats) = draw.*part;
    return draws;
}

constexpr std::array<std::pair<const char*, double TransferDraw::*>, 3> kDrawn{
    {{"benefit", &TransferDraw::benefit},
     {"error_alone", &TransferDraw::alone},
     {"error_joint", &TransferDraw::joint}}};

void write_draws(hdf5::Group check, const TransferStudy& study) {
    write_numbers(check, "pair", study.draws);
    for (const auto& [name, part] : kDrawn) {
        const auto own = part;
        check.write(name,
                    gathered_scalars<TransferDraw>(
                        study.draws, [own](const TransferDraw& draw) { return draw.*own; }),
                    {"pair", "", "of each simulated pair"});
    }
}

void write_transfer_check(hdf5::Group& group, const TransferStudy& study, const hdf5::Shape& shape,
                          const std::string& axes) {
    if (study.repeats == 0) return;
    if (study.part.count > 1) {
        if (!study.draws.empty()) write_draws(group.create_group("check"), study);
        return;
    }
    hdf5::Group check = group.create_group("check");
    for (const auto& [name, part] : kDrawn) {
        const Matrix draws = draws_of(study, part);
        const RepeatSummary summary = summarise_repeats(draws, Vector::Zero(draws.cols()));
        check.write(std::string(name) + "_mean", summary.mean.data(), shape,
                    {axes, "", "over simulated pairs"});
        check.write(std::string(name) + "_sem", summary.sem.data(), shape,
                    {axes, "", "standard error of the mean"});
    }
}

void write_transfer_setting(hdf5::Group& group, const TransferStudy& study) {
    const TransferSetting& s = study.setting;
    group.write("teacher_a", s.a, {"mode", "", "singular values of task A, in units of the noise"});
    group.write("teacher_b", s.b, {"mode", "", "singular values of task B"});
    group.set_attribute("inputs", static_cast<std::int64_t>(s.inputs));
    group.set_attribute("outputs_a", static_cast<std::int64_t>(s.outputs_a));
    group.set_attribute("outputs_b", static_cast<std::int64_t>(s.outputs_b));
    group.set_attribute("hidden", static_cast<std::int64_t>(s.student.hidden));
    group.set_attribute("depth", s.student.depth);
    group.set_attribute("initial_strength", s.student.start);
    group.set_attribute("horizon", s.horizon); // tau
    group.set_attribute("time_unit", study.scale.unit);
    group.set_attribute("tau", study.scale.per_tau);
    if (study.repeats > 0) {
        group.set_attribute("repeats", static_cast<std::int64_t>(study.repeats));
        group.set_attribute("seed", std::to_string(study.seed));
    }
    if (study.part.count == 1) return;
    group.set_attribute("shard", static_cast<std::int64_t>(study.part.index));
    group.set_attribute("shards", static_cast<std::int64_t>(study.part.count));
}

} // namespace

void write_study(hdf5::Group group, const Study& study) {
    write_settings(group, study);
    const bool part = study.part.count > 1;
    const auto own = static_cast<Index>(study.points.size());
    const Rows rows{part || !study.settings.axes.empty() ? "point" : "", own};
    if (part && own > 0) write_numbers(group, "point", study.points);
    if (own > 0) write_points(group, study.points, rows, part ? TimeScale{} : study.settings.scale);
    for (const auto& [kind, name] : kKinds) {
        const auto runs = study.runs.find(kind);
        if (runs == study.runs.end() || runs->second.empty()) continue;
        hdf5::Group check = group.create_group(std::string("check/") + name);
        if (part)
            write_runs(check, runs->second);
        else
            write_summaries(check, study, runs->second, rows);
    }
}

Study read_study(const hdf5::Group& group) {
    Study study;
    StudySettings& s = study.settings;
    Setting& base = s.base;
    base.inputs = whole_attribute(group, "inputs", 1);
    base.outputs = whole_attribute(group, "outputs", 1);
    base.student.hidden = whole_attribute(group, "hidden", 0);
    base.samples = whole_attribute(group, "samples", 1);
    base.student.depth = static_cast<int>(std::min<Index>(whole_attribute(group, "depth", 1), 64));
    base.student.start = group.number_attribute("initial_strength").value_or(0);
    base.randomized = whole_attribute(group, "randomized", 0) != 0;
    const auto teacher = group.numbers_attribute("singular_values");
    base.teacher = Eigen::Map<const Vector>(teacher.data(), static_cast<Index>(teacher.size()));
    s.horizon = group.number_attribute("horizon").value_or(s.horizon);
    s.scale = {group.number_attribute("tau").value_or(1),
               group.text_attribute("time_unit").value_or("tau")};
    s.repeats = whole_attribute(group, "repeats", 0);
    const auto seed = parse_integer(group.text_attribute("seed").value_or(""));
    if (!seed) throw Error(group.where() + ": attribute 'seed' is missing");
    s.seed = static_cast<std::uint64_t>(*seed);
    const std::string sweep = group.text_attribute("sweep").value_or("");
    for (const std::string& name : sweep.empty() ? std::vector<std::string>{} : split(sweep, ','))
        s.axes.push_back({name, group.dataset("sweep/" + name).expect_numeric().read_vector()});
    study.part = {whole_attribute(group, "shard", 1), whole_attribute(group, "shards", 1)};
    study.points = read_points(group);
    for (const auto& [kind, name] : kKinds) {
        const std::string students = group.text_attribute("students").value_or("");
        const auto names = split(students, ',');
        if (std::count(names.begin(), names.end(), name) == 0) continue;
        s.students.push_back(kind);
        study.runs[kind] = {};
        const std::string check = std::string("check/") + name;
        if (group.has_group(check)) study.runs[kind] = read_runs(group.group(check));
    }
    return study;
}

void check_same_study(const hdf5::Group& part, const hdf5::Group& first) {
    const auto shown = [](const hdf5::Group& group, const std::string& name) {
        if (const auto text = group.text_attribute(name)) return *text;
        std::vector<std::string> numbers;
        for (const double x : group.numbers_attribute(name)) numbers.push_back(shortest(x));
        if (numbers.empty())
            if (const auto number = group.number_attribute(name)) return shortest(*number);
        return join(numbers, ",");
    };
    for (const std::string& name : first.attribute_names())
        if (name != "shard" && shown(part, name) != shown(first, name))
            throw Error(concat(part.where(), ": ", name, " ", printable(shown(part, name), 40),
                               "; the first shard has ", printable(shown(first, name), 40)));
    const std::string sweep = first.text_attribute("sweep").value_or("");
    for (const std::string& name : sweep.empty() ? std::vector<std::string>{} : split(sweep, ','))
        if (part.dataset("sweep/" + name).read<double>() !=
            first.dataset("sweep/" + name).read<double>())
            throw Error(
                concat(part.where(), ": sweeps other values of ", name, " than the first shard"));
}

void write_data_study(hdf5::Group group, const DataStudy& study, const Student& student,
                      const TimeScale& scale) {
    const std::map<Index, StudyPoint> one{{0, study.point}};
    write_points(group, one, {}, scale);
    group.write("singular_values", study.s, {"mode", "", "of Syx, signal and noise"});
    group.write("detected", study.noise.detected, {"mode", "boolean", "above what noise shows"});
    group.set_attribute("noise_unit", study.noise.unit);
    group.set_attribute("inputs", static_cast<std::int64_t>(study.inputs));
    group.set_attribute("outputs", static_cast<std::int64_t>(study.outputs));
    group.set_attribute("hidden", static_cast<std::int64_t>(student.hidden));
    group.set_attribute("depth", student.depth);
    group.set_attribute("initial_strength", student.start);
    if (!study.exact) return;
    const StudyPoint& exact = *study.exact;
    hdf5::Group own = group.create_group("exact");
    own.write("test_error", exact.curves.test,
              {"time", "", "with /truth/W, of an aligned student"});
    own.write("train_error", exact.curves.train, {"time", "", ""});
    own.write_scalar("optimal_time", scale.per_tau * exact.optimum.at, {"", scale.unit, ""});
    own.write_scalar("optimal_error", exact.optimum.value, {});
    own.write_scalar("late_error", exact.late, {});
}

void write_denoised(hdf5::Group group, const Denoised& d, const std::string& loss) {
    group.write("W", d.map, {"output,input", "", "the matrix of the shrunk singular values"});
    group.write("singular_values", d.s, {"mode", "", "of the matrix"});
    group.write("shrunk", d.shrunk, {"mode", "", "what stands in their place"});
    group.write("snr", d.noise.snr,
                {"mode", "", "singular value without noise, in units of the noise"});
    group.write("detected", d.noise.detected, {"mode", "boolean", "above what noise shows"});
    group.set_attribute("noise_unit", d.noise.unit);
    group.set_attribute("loss", loss);
    group.set_attribute("expected_error", d.expected_error);
}

namespace {

void write_point(hdf5::Group& group, const TransferStudy& study) {
    const TransferSetting& s = study.setting;
    const TimeScale& scale = study.scale;
    const Transfer t = transfer(s);
    const JointTeacher joint = joint_teacher(s);
    group.write("q", s.alignment, {"mode_a,mode_b", "", "V_A^T V_B"});
    group.write_scalar("benefit", t.benefit(), {"", "", "error_alone - error_joint"});
    group.write_scalar("shrinkage_benefit", t.shrunk_benefit(),
                       {"", "", "the same with the best strengths"});
    group.write("joint_singular_values", joint.s, {"mode", "", "of both teachers stacked"});
    group.write("head_weight", joint.head_weight,
                {"mode", "", "share of A in the output direction"});
    group.write_scalar("error_alone", t.alone.value, {"", "", "least test error of A alone"});
    group.write_scalar("error_joint", t.joint.value, {"", "", "least test error of A with B"});
    group.write_scalar("time_alone", scale.per_tau * t.alone.at,
                       {"", scale.unit, "when it is reached"});
    group.write_scalar("time_joint", scale.per_tau * t.joint.at,
                       {"", scale.unit, "when it is reached"});
    write_transfer_check(group, study, {1}, "point");
}

void write_grid(hdf5::Group& group, const TransferStudy& study) {
    const TransferGrid& grid = *study.grid;
    group.write("q", grid.q, {"q", "", "alignment of each mode of A with its like in B"});
    group.write("snr_a", grid.a, {"snr_a", "", "first singular value of A"});
    group.write("snr_b", grid.b, {"snr_b", "", "first singular value of B"});
    const hdf5::Shape whole{grid.a.size(), grid.b.size(), grid.q.size()};
    const hdf5::Shape pairs{grid.a.size(), grid.b.size()};
    const auto write = [&](const char* name, const char* what, auto part,
                           const std::string& units = "") {
        std::vector<double> values;
        for (const Transfer& point : grid.points) values.push_back(part(point));
        group.write(name, values.data(), whole, {"snr_a,snr_b,q", units, what});
    };
    write("benefit", "error_alone - error_joint", [](const Transfer& t) { return t.benefit(); });
    write("shrinkage_benefit", "the same with the best strengths",
          [](const Transfer& t) { return t.shrunk_benefit(); });
    write("error_alone", "least test error of A alone",
          [](const Transfer& t) { return t.alone.value; });
    write("error_joint", "least test error of A with B",
          [](const Transfer& t) { return t.joint.value; });
    write(
        "time_joint", "when it is reached",
        [&](const Transfer& t) { return study.scale.per_tau * t.joint.at; }, study.scale.unit);
    group.write("best_q", grid.best_q.data(), pairs,
                {"snr_a,snr_b", "", "alignment of the largest benefit"});
    group.write("best_benefit", grid.best_benefit.data(), pairs, {"snr_a,snr_b", "", ""});
    group.write("sign_change", grid.sign_change.data(), pairs,
                {"snr_a,snr_b", "", "largest q at which the benefit changes its sign; NaN: none"});
    write_transfer_check(group, study, whole, "snr_a,snr_b,q");
}

} // namespace

void write_transfer(hdf5::Group group, const TransferStudy& study) {
    write_transfer_setting(group, study);
    if (study.grid)
        write_grid(group, study);
    else
        write_point(group, study);
}

TransferStudy read_transfer(const hdf5::Group& group, const Execution& run) {
    TransferStudy study;
    TransferSetting& s = study.setting;
    s.a = group.dataset("teacher_a").expect_numeric().read_vector();
    s.b = group.dataset("teacher_b").expect_numeric().read_vector();
    s.inputs = whole_attribute(group, "inputs", 1);
    s.outputs_a = whole_attribute(group, "outputs_a", 1);
    s.outputs_b = whole_attribute(group, "outputs_b", 1);
    s.student.hidden = whole_attribute(group, "hidden", 0);
    s.student.depth = static_cast<int>(std::min<Index>(whole_attribute(group, "depth", 1), 64));
    s.student.start = group.number_attribute("initial_strength").value_or(0);
    s.horizon = group.number_attribute("horizon").value_or(s.horizon);
    study.scale = {group.number_attribute("tau").value_or(1),
                   group.text_attribute("time_unit").value_or("tau")};
    study.repeats = whole_attribute(group, "repeats", 1);
    study.seed = static_cast<std::uint64_t>(
        parse_integer(group.text_attribute("seed").value_or("0")).value_or(0));
    study.part = {whole_attribute(group, "shard", 1), whole_attribute(group, "shards", 1)};
    if (group.has_dataset("snr_a")) {
        const auto axis = [&](const char* name) {
            const Vector values = group.dataset(name).expect_numeric().expect_rank(1).read_vector();
            if (values.size() == 0) throw Error(concat(group.where(), "/", name, ": is empty"));
            return values;
        };
        s.alignment = equal_alignment(s.a.size(), s.b.size(), axis("q")(0));
        check_transfer(s);
        study.grid = transfer_grid(s, axis("q"), axis("snr_a"), axis("snr_b"), run);
    } else {
        s.alignment = group.dataset("q").expect_numeric().expect_rank(2).read_matrix();
        check_transfer(s);
    }
    if (!group.has_group("check")) return study;
    const hdf5::Group check = group.group("check");
    const auto numbers = read_numbers(check, "pair");
    const auto count = static_cast<Index>(numbers.size());
    for (const auto& [name, part] : kDrawn) {
        const Vector values = read_column(check, name, count);
        for (Index i = 0; i < count; ++i) study.draws[numbers[at(i)]].*part = values(i);
    }
    return study;
}

void write_regression(hdf5::Group group, const Vector& times,
                      const std::vector<RegressionResult>& results, const TimeScale& scale) {
    const auto count = static_cast<Index>(results.size());
    const Rows rows{count > 1 ? "load" : "", count};
    const bool checked = results.front().repeats.size() > 0;
    RowMatrix error(count, times.size()), mean = error, sem = error, z = error;
    Vector load(count), best_time(count), best_error(count), late(count);
    for (Index i = 0; i < count; ++i) {
        const RegressionResult& r = results[at(i)];
        error.row(i) = r.error.transpose();
        load(i) = r.setting.load;
        best_time(i) = scale.per_tau * r.optimum.at;
        best_error(i) = r.optimum.value;
        late(i) = r.late;
        if (!checked) continue;
        const RepeatSummary summary = summarise_repeats(r.repeats, r.error);
        mean.row(i) = summary.mean.transpose();
        sem.row(i) = summary.sem.transpose();
        z.row(i) = summary.z.transpose();
    }
    group.write("time", Vector(scale.per_tau * times), {"time", scale.unit, ""});
    rows.write(group, "generalization_error", error, {"time", "", "beyond the noise, E - sigma^2"});
    group.write("load", load, {"load", "", "samples a input"});
    rows.write_scalars(group, "optimal_time", best_time, {"", scale.unit, "when it is least"});
    rows.write_scalars(group, "optimal_error", best_error, {"", "", "beyond the noise"});
    rows.write_scalars(group, "late_error", late, {"", "", "at the end of learning"});
    const RegressionSetting& s = results.front().setting;
    group.set_attribute("noise", s.noise);
    group.set_attribute("weight", s.weight);
    group.set_attribute("initial_weight", s.start);
    if (!checked) return;
    hdf5::Group check = group.create_group("check");
    rows.write(check, "mean", mean, {"time", "", "mean over simulated data sets"});
    rows.write(check, "sem", sem, {"time", "", "its standard error"});
    rows.write(check, "z", z, {"time", "", "(mean - theory) / standard error"});
    group.set_attribute("repeats", static_cast<std::int64_t>(results.front().repeats.rows()));
}

} // namespace assay::lindyn
