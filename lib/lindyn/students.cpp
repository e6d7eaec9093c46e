#include <assay/lindyn/students.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/exact_solution.hpp>
#include <assay/lindyn/flow.hpp>
#include <assay/lindyn/starts.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::lindyn {
namespace {

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

StudentRecord run_aligned(const TeacherData& data, const Student& student, const Vector& times) {
    const ErrorModel model = aligned_model(data, student);
    ErrorCurves curves = error_curves(model, times, {});
    return {std::move(curves.train), std::move(curves.test), optimal_stopping(model, {})};
}

// `map(t)` at rising times.
template <class Map>
StudentRecord record_maps(const TeacherData& data, const Vector& times, const Map& map) {
    const ErrorMeter meter(data);
    StudentRecord record{Vector(times.size()), Vector(times.size()), {}};
    for (Index t = 0; t < times.size(); ++t) {
        const Matrix w = map(times(t));
        record.train(t) = meter.train(w);
        record.test(t) = meter.test(w);
    }
    Index best = 0;
    record.optimum.value = record.test.minCoeff(&best);
    record.optimum.at = times(best);
    return record;
}

StudentRecord run_random(const TeacherData& data, const Student& student, const Vector& times,
                         std::uint64_t seed, Index repeat) {
    const Index n1 = data.syx.cols(), n3 = data.syx.rows();
    const Index hidden = student.hidden > 0 ? student.hidden : std::min(n1, n3);
    std::vector<Index> widths(static_cast<std::size_t>(student.depth) + 1, hidden);
    widths.front() = n1;
    widths.back() = n3;
    const Layers start =
        initial_layers(widths, {}, {StartLaw::orthogonal, student.start, seed, repeat});
    if (student.depth == 2) {
        ExactSolution exact(data.syx, data.d, start[0], start[1]);
        return record_maps(data, times, [&](double t) {
            exact.advance(t);
            return exact.map();
        });
    }
    Statistics statistics;
    statistics.syx = data.syx;
    statistics.input_scale = data.d;
    statistics.output_power = data.target_power;
    Flow flow(statistics, start);
    return record_maps(data, times, [&](double t) { return whole_map(flow.at(t)); });
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
    const double delta = static_cast<double>(s.sample_count()) / static_cast<double>(s.inputs);
    const Matrix u = random_directions(s.outputs, rank, seed, repeat, "lindyn/teacher/output");
    const Matrix v = random_directions(s.inputs, rank, seed, repeat, "lindyn/teacher/input");
    TeacherData data;
    data.d = std::max(1.0, delta);
    // Directions are random, so that the samples may span the first inputs.
    data.teacher = u * s.teacher.asDiagonal() * v.topRows(seen).transpose();
    data.teacher_power = s.teacher.squaredNorm();
    const double noise = std::sqrt(data.d / static_cast<double>(s.inputs));
    data.syx = data.d * data.teacher +
               random_noise(s.outputs, seen, noise, seed, repeat, "lindyn/teacher/noise");
    if (s.randomized) data.syx = permuted_entries(data.syx, seed, repeat);
    data.target_power = data.syx.squaredNorm() / data.d + unlearnable_noise(s, seed, repeat);
    return data;
}

ErrorModel aligned_model(const TeacherData& data, const Student& student) {
    const linalg::Svd svd = linalg::thin_svd(data.syx);
    KnownTeacher known;
    known.s = svd.s;
    known.overlap = (data.teacher * svd.v).cwiseProduct(svd.u).colwise().sum();
    known.square = Vector::Ones(svd.s.size());
    known.d = data.d;
    known.teacher_power = data.teacher_power;
    known.target_power = data.target_power;
    return known_model(known, student);
}

StudentRecord run_student(const TeacherData& data, const Student& student, StudentKind kind,
                          const Vector& times, std::uint64_t seed, Index repeat) {
    if (kind == StudentKind::aligned) return run_aligned(data, student, times);
    return run_random(data, student, times, seed, repeat);
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
