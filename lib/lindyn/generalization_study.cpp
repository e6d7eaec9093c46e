#include <assay/lindyn/generalization_study.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kMostPoints = 10000000;

Index whole_number(const SweepAxis& axis, double value) {
    const double rounded = std::round(value);
    if (!(rounded >= 1 && rounded <= 1e9))
        throw Error(concat("sweep of ", axis.name, ": ", value,
                           "; whole numbers of 1 or more are expected"));
    return static_cast<Index>(rounded);
}

void apply(const SweepAxis& axis, double value, Setting& s) {
    if (axis.name == "snr") {
        if (s.teacher.size() > 0) s.teacher *= value / s.teacher(0);
    } else if (axis.name == "N2") {
        s.student.hidden = whole_number(axis, value);
    } else if (axis.name == "P") {
        s.samples = whole_number(axis, value);
    } else if (axis.name == "A") {
        s.outputs = whole_number(axis, value * static_cast<double>(s.inputs));
    } else if (axis.name == "depth") {
        s.student.depth = static_cast<int>(whole_number(axis, value));
    } else if (axis.name == "initial-strength") {
        s.student.start = value;
    } else {
        throw Error("sweep of '" + printable(axis.name, 40) + "'; " + join(sweep_names(), ", ") +
                    " are known");
    }
}

StudyPoint point_of(const Theory& theory, const Vector& teacher, const Vector& times,
                    double horizon, const Execution& run) {
    return {times,
            error_curves(theory.model, times, run),
            teacher,
            theory.observed,
            theory.overlap,
            optimal_stopping(theory.model, run, horizon),
            non_gradient_error(theory.model),
            late_error(theory.model)};
}

Vector times_of(const StudySettings& study, const Setting& setting) {
    return study.times.size() > 0 ? study.times : usual_times(theory_of(setting).model);
}

StudyPoint theory_point(const StudySettings& study, Index p, const Execution& run) {
    const Setting setting = setting_at(study, p);
    const Vector times = times_of(study, setting);
    const Theory theory =
        theory_of(setting, nodes_for(setting.student.depth, times(times.size() - 1)));
    return point_of(theory, setting.teacher, times, study.horizon, run);
}

// body(i) of many numbers in parallel, or of one with the threads inside.
template <class Record, class Body>
std::map<Index, Record> in_parallel(const std::vector<Index>& numbers, const Execution& run,
                                    const Body& body) {
    std::vector<Record> records(numbers.size());
    const Execution inside{numbers.size() == 1 ? run.threads : 1, run.monitor};
    parallel_blocks(static_cast<Index>(numbers.size()), run.threads, [&](Index i) {
        run.monitor->stop_if_interrupted();
        const auto at = static_cast<std::size_t>(i);
        records[at] = body(numbers[at], inside);
    });
    std::map<Index, Record> by_number;
    for (std::size_t i = 0; i < numbers.size(); ++i)
        by_number.emplace(numbers[i], std::move(records[i]));
    return by_number;
}

// Whether the samples span fewer input directions than there are (when centred, one less than there
// are samples); what W* does beyond them is not learned. Directions that many samples leave empty
// are none of the inputs'.
bool leaves_unseen(const Problem& p) {
    return p.whitened() && p.basis.cols() < p.basis.rows() && p.statistics.samples > 0 &&
           p.statistics.samples <= p.basis.cols() + 1;
}

// Root of the input variance of each whitened direction.
Vector scales(const Problem& p) {
    return p.root.colwise().norm().cwiseInverse().transpose();
}

// |W*|^2 of what no sample shows, in directions that vary as the others do on average.
double unseen_power(const Problem& p, const Matrix& teacher) {
    const Matrix beyond = teacher - teacher * p.basis * p.basis.transpose();
    return beyond.squaredNorm() * scales(p).cwiseAbs2().mean();
}

// How much faster noise of `unit` is learned than that of unit 1 on inputs of variance 1.
double noise_rate(double unit, double d, int depth) {
    return unit * std::pow(unit / d, 1 - 2.0 / depth);
}

// W* in the coordinates of the problem's inputs.
Matrix teacher_in(const Problem& p, const Matrix& teacher) {
    const Matrix& first = p.whitened() ? p.basis : p.modes.v;
    if (teacher.rows() != p.modes.u.rows() || teacher.cols() != first.rows())
        throw Error(concat("/truth/W: ", teacher.rows(), " x ", teacher.cols(), " numbers; ",
                           p.modes.u.rows(), " x ", first.rows(), " are expected"));
    if (!p.whitened()) return teacher;
    // root = basis / sqrt(eigenvalues), so that W* x = (W* basis sqrt(eigenvalues)) (root^T x).
    return teacher * p.basis * scales(p).asDiagonal();
}

} // namespace

const std::vector<std::string>& sweep_names() {
    static const std::vector<std::string> names{"snr", "N2", "P", "A", "depth", "initial-strength"};
    return names;
}

Index StudySettings::points() const {
    return count_points(axes);
}

Index count_points(const std::vector<SweepAxis>& axes) {
    Index count = 1;
    for (const SweepAxis& axis : axes) {
        if (axis.values.size() > kMostPoints / count)
            throw Error(concat("sweep: more than ", kMostPoints, " points"));
        count *= axis.values.size();
    }
    return count;
}

Setting setting_at(const StudySettings& study, Index point) {
    Setting s = study.base;
    for (auto axis = study.axes.rbegin(); axis != study.axes.rend(); ++axis) {
        apply(*axis, axis->values(point % axis->values.size()), s);
        point /= axis->values.size();
    }
    check_setting(s);
    return s;
}

Study run_study(const StudySettings& settings, const StudyPart& part, const Execution& run) {
    Study study{settings, part, {}, {}};
    const Index count = settings.points();
    for (Index p = 0; p < count; ++p) {
        run.monitor->stop_if_interrupted();
        static_cast<void>(setting_at(settings, p));
    }
    study.points = timed(*run.monitor, "theory", [&] {
        return in_parallel<StudyPoint>(
            own_numbers(count, part), run,
            [&](Index p, const Execution& inside) { return theory_point(settings, p, inside); });
    });
    if (settings.repeats == 0) return study;
    const Phase phase(*run.monitor, "students");
    for (const StudentKind kind : settings.students)
        study.runs[kind] = in_parallel<StudentRecord>(
            own_numbers(count * settings.repeats, part), run, [&](Index i, const Execution&) {
                const Setting setting = setting_at(settings, i / settings.repeats);
                const Index repeat = i % settings.repeats;
                return run_student(draw_data(setting, settings.seed, repeat), setting.student, kind,
                                   {times_of(settings, setting), settings.horizon}, settings.seed,
                                   repeat);
            });
    return study;
}

Study merge_studies(std::vector<Study> parts) {
    std::vector<StudyPart> dealt;
    for (const Study& part : parts) dealt.push_back(part.part);
    check_parts(dealt);
    Study whole{parts.front().settings, {}, {}, {}};
    for (Study& part : parts) {
        take_records(whole.points, part.points, "point");
        for (auto& [kind, runs] : part.runs) take_records(whole.runs[kind], runs, "student");
    }
    const StudySettings& settings = whole.settings;
    check_complete(whole.points, settings.points(), "point");
    for (const auto& [kind, runs] : whole.runs)
        check_complete(runs, settings.points() * settings.repeats, "student");
    return whole;
}

DataStudy study_data(const Problem& p, const std::optional<Matrix>& teacher,
                     const DataStudySettings& s, const Execution& run) {
    const double d = need_white(p);
    const Phase phase(*run.monitor, "theory");
    DataStudy study;
    study.data.s = p.modes.s;
    study.data.inputs = p.statistics.inputs();
    study.data.outputs = p.statistics.outputs();
    study.data.noise = judge_modes(p.modes.s, study.data.inputs, study.data.outputs, s.noise_unit);
    study.data.d = d;
    study.data.target_power = p.statistics.output_power;
    study.data.power = p.modes.power;
    if (leaves_unseen(p))
        study.data.seen = static_cast<double>(p.basis.cols()) / static_cast<double>(p.basis.rows());
    const Vector times =
        s.times.size() > 0 ? s.times : usual_times(theory_of_data(study.data, s.student).model);
    const double latest = times(times.size() - 1) * noise_rate(s.noise_unit, d, s.student.depth);
    const Theory theory = theory_of_data(study.data, s.student, nodes_for(s.student.depth, latest));
    const NoiseReport& noise = study.data.noise;
    const Vector values = noise.unit / d * noise.snr.head(noise.detections());
    study.point = point_of(theory, values, times, s.horizon, run);
    if (!teacher || !p.whole) return study;
    const Matrix known = teacher_in(p, *teacher);
    KnownTeacher exact;
    exact.s = p.modes.s;
    exact.overlap = (known * p.modes.v).cwiseProduct(p.modes.u).colwise().sum();
    exact.square = Vector::Ones(exact.s.size());
    exact.d = d;
    exact.teacher_power = known.squaredNorm() + (leaves_unseen(p) ? unseen_power(p, *teacher) : 0);
    exact.target_power = p.statistics.output_power;
    study.exact = point_of({known_model(exact, s.student), {}, {}}, {}, times, s.horizon, run);
    return study;
}

} // namespace assay::lindyn
