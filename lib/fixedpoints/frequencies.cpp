#include <assay/fixedpoints/frequencies.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

double median(const std::vector<double>& values) {
    if (values.empty()) return kNaN;
    return quantiles(Eigen::Map<const Vector>(values.data(), static_cast<Index>(values.size())),
                     Vector::Constant(1, 0.5))(0);
}

// Index of the complex pair of largest modulus; -1: all are real.
Index leading_pair(const ComplexVector& values) {
    Index best = -1;
    for (Index a = 0; a < values.size(); ++a)
        if (values(a).imag() > 0 && (best < 0 || std::abs(values(a)) > std::abs(values(best))))
            best = a;
    return best;
}

} // namespace

Frequencies compare_frequencies(const Points& points, const std::vector<EigenSystem>& systems,
                                const LongRun& runs, const std::vector<std::int32_t>& start_input,
                                const Vector& target, double dt) {
    const Index inputs = target.size();
    if (static_cast<Index>(systems.size()) != points.count())
        throw Error(concat(systems.size(), " eigen-systems for ", points.count(), " points"));
    if (start_input.size() != runs.motion.size())
        throw Error(concat(start_input.size(), " inputs for ", runs.motion.size(), " runs"));
    Frequencies result;
    result.point.assign(static_cast<std::size_t>(inputs), -1);
    result.modulus = result.linear = result.cycle = Vector::Constant(inputs, kNaN);
    result.target = target;
    for (const PointKind kind : {PointKind::fixed, PointKind::slow}) {
        const std::vector<std::int32_t> taken = result.point;
        for (Index p = 0; p < points.count(); ++p) {
            const auto at = static_cast<std::size_t>(p);
            const Index k = points.input_id[at];
            if (points.kind[at] != kind || k >= inputs || taken[static_cast<std::size_t>(k)] >= 0)
                continue;
            const ComplexVector& values = systems[at].values;
            const Index a = leading_pair(values);
            if (a < 0 || std::abs(values(a)) <= result.modulus(k)) continue;
            result.point[static_cast<std::size_t>(k)] = static_cast<std::int32_t>(p);
            result.modulus(k) = std::abs(values(a));
            result.linear(k) = std::arg(values(a)) / dt;
        }
    }
    for (Index k = 0; k < inputs; ++k) {
        std::vector<double> found;
        for (std::size_t b = 0; b < start_input.size(); ++b) {
            const bool cycles =
                runs.motion[b] == Motion::periodic || runs.motion[b] == Motion::quasi_periodic;
            const double frequency = runs.frequency(static_cast<Index>(b));
            if (cycles && start_input[b] == k && std::isfinite(frequency))
                found.push_back(frequency);
        }
        result.cycle(k) = median(found);
    }
    return result;
}

Vector target_frequencies(const RowMatrix& inputs, const RowMatrix& known,
                          const Vector& frequency) {
    constexpr double kSame = 1e-6;
    Vector result = Vector::Constant(inputs.rows(), kNaN);
    if (known.rows() == 0 || known.cols() != inputs.cols()) return result;
    for (Index k = 0; k < inputs.rows(); ++k) {
        Index nearest = 0;
        const double distance =
            (known.rowwise() - inputs.row(k)).rowwise().norm().minCoeff(&nearest);
        if (distance <= kSame * (1 + inputs.row(k).norm())) result(k) = frequency(nearest);
    }
    return result;
}

Agreement agreement(const Vector& a, const Vector& b) {
    std::vector<double> left, right;
    Agreement result{0, kNaN, kNaN};
    for (Index k = 0; k < std::min(a.size(), b.size()); ++k) {
        if (!std::isfinite(a(k)) || !std::isfinite(b(k))) continue;
        left.push_back(a(k));
        right.push_back(b(k));
        const double error = std::abs(a(k) / b(k) - 1);
        result.largest_error = result.inputs == 0 ? error : std::max(result.largest_error, error);
        ++result.inputs;
    }
    if (result.inputs >= 2)
        result.correlation = correlation(Eigen::Map<const Vector>(left.data(), result.inputs),
                                         Eigen::Map<const Vector>(right.data(), result.inputs));
    return result;
}

} // namespace assay::fixedpoints
