#include <assay/lindyn/students.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/exact_solution.hpp>
#include <assay/lindyn/flow.hpp>
#include <assay/lindyn/starts.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace assay::lindyn {
namespace {

constexpr Index kCloser = 65;        // times around the least error
constexpr double kMapsOfStudent = 6; // matrices of a data set and of a student's map at once

// The noise that P - N1 samples hold beyond the reach of any map: chi^2 of N3 (P - N1) numbers of
// variance 1/N1.
double unlearnable_noise(const Setting& s, std::uint64_t seed, Index repeat) {
    const Index beyond = s.outputs * (s.sample_count() - s.inputs);
    if (beyond <= 0) return 0;
    const Random random(seed, "lindyn/unlearnable");
    return 2 *
           random.gamma(static_cast<double>(beyond) / 2, 0,
                        {static_cast<std::uint64_t>(repeat), 0, 0}) /
           static_cast<double>(s.inputs);
}

Matrix permuted_entries(const Matrix& matrix, std::uint64_t seed, Index repeat) {
    const auto order = Random(seed, "lindyn/permutation")
                           .permutation(matrix.size(), {static_cast<std::uint64_t>(repeat), 0, 0});
    Matrix permuted(matrix.rows(), matrix.cols());
    for (Index i = 0; i < matrix.size(); ++i)
        permuted.data()[i] = matrix.data()[order[static_cast<std::size_t>(i)]];
    return permuted;
}

// Errors of maps W over time.
class ErrorMeter {
  public:
    explicit ErrorMeter(const TeacherData& data)
        : data_(data), power_(data.syx.squaredNorm() / data.d) {}
    [[nodiscard]] double test(const Matrix& map) const {
        return (data_.teacher_power + map.squaredNorm() -
                2 * map.cwiseProduct(data_.teacher).sum()) /
               data_.teacher_power;
    }
    [[nodiscard]] double train(const Matrix& map) const {
        const double learned = (map - data_.syx / data_.d).squaredNorm() * data_.d;
        return (std::max(0.0, data_.target_power - power_) + learned) / data_.target_power;
    }

  private:
    const TeacherData& data_;
    double power_;
};

ErrorModel student_error_model(const TeacherData& data, const linalg::Svd& svd,
                               const Student& student) {
    KnownTeacher known;
    known.s = svd.s;
    known.overlap = (data.teacher * svd.v).cwiseProduct(svd.u).colwise().sum();
    known.square = Vector::Ones(svd.s.size());
    known.d = data.d;
    known.teacher_power = data.teacher_power;
    known.target_power = data.target_power;
    return known_model(known, student);
}

StudentRecord run_aligned(const TeacherData& data, const Student& student, const Watch& watch) {
    const linalg::Svd svd = linalg::thin_svd(data.syx);
    const ErrorModel model = student_error_model(data, svd, student);
    ErrorCurves curves = error_curves(model, watch.times, {});
    const Index rank = data.output_modes.cols();
    const auto cosines = [rank](const Matrix& found, const Matrix& known) {
        return found.leftCols(rank).cwiseProduct(known).colwise().sum().cwiseAbs().eval();
    };
    return {std::move(curves.train), std::move(curves.test),
            optimal_stopping(model, {}, watch.horizon), svd.s.head(rank),
            cosines(svd.u, data.output_modes).cwiseProduct(cosines(svd.v, data.input_modes))};
}

// The vertex of the parabola through the least of sampled values and its neighbours.
Minimum sampled_minimum(const Vector& times, const Vector& values) {
    Index i = 0;
    const double least = values.minCoeff(&i);
    if (i == 0 || i + 1 == times.size()) return {times(i), least};
    const double left = times(i) - times(i - 1), right = times(i + 1) - times(i);
    const double fall = (values(i - 1) - least) / left, rise = (values(i + 1) - least) / right;
    const double curvature = (rise + fall) / (left + right); // half the second derivative
    if (!(curvature > 0)) return {times(i), least};
    const double slope = (rise * left - fall * right) / (left + right),
                 step = -slope / (2 * curvature);
    return {times(i) + step, least + step * slope / 2};
}

// Times at which a random student's optimum is looked for. Its modes start with about their share
// of the start's directions, sqrt(width / (N1 N3)), and so come later than aligned ones.
Vector random_search_times(const TeacherData& data, Student student, double horizon) {
    const auto n1 = static_cast<double>(data.syx.cols()), n3 = static_cast<double>(data.syx.rows());
    const double width =
        std::min({n1, n3, student.hidden > 0 ? static_cast<double>(student.hidden) : n1});
    student.start *= std::sqrt(width / (n1 * n3));
    return search_times(aligned_model(data, student), horizon);
}

// `start()` gives a map(t) for rising times, from the student's start anew.
template <class Start>
StudentRecord record_maps(const TeacherData& data, const Student& student, const Watch& watch,
                          const Start& start) {
    const ErrorMeter meter(data);
    const Vector search = random_search_times(data, student, watch.horizon);
    StudentRecord record{Vector(watch.times.size()), Vector(watch.times.size()), {}, {}, {}};
    Vector searched(search.size());
    auto map = start();
    for (Index t = 0, s = 0; t < watch.times.size() || s < search.size();) {
        const bool watched =
            s == search.size() || (t < watch.times.size() && watch.times(t) <= search(s));
        const Matrix w = map(watched ? watch.times(t) : search(s));
        if (!watched) {
            searched(s++) = meter.test(w);
            continue;
        }
        record.train(t) = meter.train(w);
        record.test(t++) = meter.test(w);
    }
    Index least = 0;
    searched.minCoeff(&least);
    const Vector closer = Vector::LinSpaced(kCloser, search(std::max<Index>(least - 1, 0)),
                                            search(std::min(least + 1, search.size() - 1)));
    auto again = start();
    Vector errors(kCloser);
    for (Index t = 0; t < kCloser; ++t) errors(t) = meter.test(again(closer(t)));
    record.optimum = sampled_minimum(closer, errors);
    return record;
}

StudentRecord run_random(const TeacherData& data, const Student& student, const Watch& watch,
                         std::uint64_t seed, Index repeat) {
    const Index n1 = data.syx.cols(), n3 = data.syx.rows();
    const Index hidden = student.hidden > 0 ? student.hidden : std::min(n1, n3);
    std::vector<Index> widths(static_cast<std::size_t>(student.depth) + 1, hidden);
    widths.front() = n1;
    widths.back() = n3;
    const Layers layers =
        initial_layers(widths, {}, {StartLaw::orthogonal, student.start, seed, repeat});
    if (student.depth == 2)
        return record_maps(data, student, watch, [&] {
            return
                [exact = ExactSolution(data.syx, data.d, layers[0], layers[1])](double t) mutable {
                    exact.advance(t);
                    return exact.map();
                };
        });
    Statistics statistics;
    statistics.syx = data.syx;
    statistics.input_scale = data.d;
    statistics.output_power = data.target_power;
    return record_maps(data, student, watch, [&] {
        return [flow = std::make_shared<Flow>(statistics, layers)](double t) {
            return whole_map(flow->at(t));
        };
    });
}

} // namespace

Matrix random_noise(Index rows, Index columns, double scale, std::uint64_t seed, Index repeat,
                    const std::string& purpose) {
    const Random random(seed, purpose);
    Matrix numbers(rows, columns);
    for (Index i = 0; i < numbers.size(); ++i)
        numbers.data()[i] = scale * random.normal(static_cast<std::uint64_t>(i),
                                                  {static_cast<std::uint64_t>(repeat), 0, 0});
    return numbers;
}

Matrix random_directions(Index rows, Index columns, std::uint64_t seed, Index repeat,
                         const std::string& purpose) {
    return linalg::orthonormalised(random_noise(rows, columns, 1, seed, repeat, purpose));
}

TeacherData draw_data(const Setting& s, std::uint64_t seed, Index repeat) {
    check_setting(s);
    const Index rank = s.teacher.size(), seen = std::min(s.inputs, s.sample_count());
    check_map_memory(s.outputs, seen);
    const double delta = static_cast<double>(s.sample_count()) / static_cast<double>(s.inputs);
    const Matrix u = random_directions(s.outputs, rank, seed, repeat, "lindyn/teacher/output");
    const Matrix v = random_directions(s.inputs, rank, seed, repeat, "lindyn/teacher/input");
    TeacherData data;
    data.d = std::max(1.0, delta);
    // Directions are random, so that the samples may span the first inputs.
    data.teacher = u * s.teacher.asDiagonal() * v.topRows(seen).transpose();
    data.output_modes = u;
    data.input_modes = v.topRows(seen).colwise().normalized();
    data.teacher_power = s.teacher.squaredNorm();
    const double noise = std::sqrt(data.d / static_cast<double>(s.inputs));
    data.syx = data.d * data.teacher +
               random_noise(s.outputs, seen, noise, seed, repeat, "lindyn/teacher/noise");
    if (s.randomized) data.syx = permuted_entries(data.syx, seed, repeat);
    data.target_power = data.syx.squaredNorm() / data.d + unlearnable_noise(s, seed, repeat);
    return data;
}

void check_map_memory(Index outputs, Index inputs) {
    check_memory(8.0 * kMapsOfStudent * static_cast<double>(outputs) * static_cast<double>(inputs),
                 concat("simulated data of ", inputs, " inputs and ", outputs, " outputs"));
}

ErrorModel aligned_model(const TeacherData& data, const Student& student) {
    return student_error_model(data, linalg::thin_svd(data.syx), student);
}

StudentRecord run_student(const TeacherData& data, const Student& student, StudentKind kind,
                          const Watch& watch, std::uint64_t seed, Index repeat) {
    if (kind == StudentKind::aligned) return run_aligned(data, student, watch);
    return run_random(data, student, watch, seed, repeat);
}

RepeatSummary summarise_repeats(const Matrix& repeats, const Vector& theory) {
    const auto count = static_cast<double>(repeats.rows());
    RepeatSummary summary;
    summary.mean = repeats.colwise().mean();
    const Matrix gap = repeats.rowwise() - summary.mean.transpose();
    // One repeat: 0/0, no standard error.
    summary.sem = (gap.colwise().squaredNorm() / (count - 1) / count).cwiseSqrt();
    summary.z = (summary.mean - theory).cwiseQuotient(summary.sem);
    return summary;
}

} // namespace assay::lindyn
