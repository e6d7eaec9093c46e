#include <assay/lindyn/generalization_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/study_records_io.hpp>

#include <algorithm>
#include <array>
#include <functional>

namespace assay::lindyn {
namespace {

constexpr std::array<std::pair<StudentKind, const char*>, 2> kKinds{
    {{StudentKind::aligned, "aligned"}, {StudentKind::random, "random"}}};

void write_points(hdf5::Group& group, const std::map<Index, StudyPoint>& points, const Rows& rows,
                  const TimeScale& scale) {
    using P = StudyPoint;
    rows.write(group, "time", scale.told(gathered<P>(points, [](const P& p) { return p.time; })),
               {"time", scale.unit, "of training"});
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
    rows.write_scalars(
        group, "optimal_time",
        scale.told(gathered_scalars<P>(points, [](const P& p) { return p.optimum.at; })),
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
    rows.write(check, "optimal_time", scale.told(best_time),
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
    write_seed(group, s.seed);
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
    write_part(group, study.part);
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
    s.seed = read_seed(group);
    const std::string sweep = group.text_attribute("sweep").value_or("");
    for (const std::string& name : sweep.empty() ? std::vector<std::string>{} : split(sweep, ','))
        s.axes.push_back({name, group.dataset("sweep/" + name).expect_numeric().read_vector()});
    study.part = read_part(group);
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

void write_data_study(hdf5::Group group, const DataStudy& study, const Student& student,
                      const TimeScale& scale) {
    const std::map<Index, StudyPoint> one{{0, study.point}};
    write_points(group, one, {}, scale);
    group.write("singular_values", study.data.s, {"mode", "", "of Syx, signal and noise"});
    group.write("detected", study.data.noise.detected,
                {"mode", "boolean", "above what noise shows"});
    group.set_attribute("noise_unit", study.data.noise.unit);
    group.set_attribute("inputs", static_cast<std::int64_t>(study.data.inputs));
    group.set_attribute("outputs", static_cast<std::int64_t>(study.data.outputs));
    group.set_attribute("hidden", static_cast<std::int64_t>(student.hidden));
    group.set_attribute("depth", student.depth);
    group.set_attribute("initial_strength", student.start);
    if (!study.exact) return;
    const StudyPoint& exact = *study.exact;
    hdf5::Group own = group.create_group("exact");
    own.write("test_error", exact.curves.test,
              {"time", "", "with /truth/W, of an aligned student"});
    own.write("train_error", exact.curves.train, {"time", "", "the same, |Y - W X|^2 / |Y|^2"});
    own.write_scalar("optimal_time", scale.told(exact.optimum.at),
                     {"", scale.unit, "when the test error is least"});
    own.write_scalar("optimal_error", exact.optimum.value, {"", "", "least test error"});
    own.write_scalar("late_error", exact.late, {"", "", "test error at the end of learning"});
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

} // namespace assay::lindyn
