#include <assay/lindyn/spiked.hpp>

#include <assay/core/arithmetic.hpp>
#include <assay/core/constants.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr int kPieces = 20000; // of the integral of the bulk's density

// Squared noise units in what k signals leave.
double rest_units(Index k, Index inputs, Index outputs) {
    return static_cast<double>(inputs - k) * static_cast<double>(outputs - k) /
           static_cast<double>(inputs);
}

} // namespace

double observed_value(double teacher, double aspect) {
    const double t = squared(teacher);
    if (!(t * t > aspect)) return 1 + std::sqrt(aspect);
    return std::sqrt((1 + t) * (aspect + t)) / teacher;
}

double teacher_value(double observed, double aspect) {
    if (!(observed > 1 + std::sqrt(aspect))) return 0;
    const double b = squared(observed) - 1 - aspect;
    return std::sqrt((b + std::sqrt(std::max(0.0, b * b - 4 * aspect))) / 2);
}

Overlaps squared_overlaps(double teacher, double aspect) {
    const double t = squared(teacher);
    if (!(t * t > aspect)) return {};
    return {1 - aspect * (1 + t) / (t * (aspect + t)), 1 - (aspect + t) / (t * (1 + t))};
}

double shrunk_value(double observed, double aspect, ShrinkageLoss loss) {
    if (!(observed > 1 + std::sqrt(aspect))) return 0;
    if (loss != ShrinkageLoss::frobenius) {
        const double teacher = teacher_value(observed, aspect), t = squared(teacher);
        if (loss == ShrinkageLoss::operator_norm) {
            const Overlaps o = squared_overlaps(teacher, aspect);
            return teacher * std::sqrt(std::min(o.output, o.input) / std::max(o.output, o.input));
        }
        return std::max(0.0,
                        (t * t - aspect - std::sqrt(aspect) * teacher * observed) / (t * observed));
    }
    const double b = squared(observed) - 1 - aspect;
    return std::sqrt(std::max(0.0, b * b - 4 * aspect)) / observed;
}

double detection_edge(Index inputs, Index outputs) {
    const double n1 = std::sqrt(static_cast<double>(inputs));
    const double n3 = std::sqrt(static_cast<double>(outputs));
    const double mean = squared(n1 + n3), spread = (n1 + n3) * std::cbrt(1 / n1 + 1 / n3);
    return std::sqrt((mean + 2.0234 * spread) / squared(n1));
}

double bulk_median(double aspect) {
    // s^2 = 1 + A + 2 sqrt(A) cos(phi) falls from the upper edge as phi grows.
    const double root = std::sqrt(aspect), width = M_PI / kPieces;
    double mass = 0;
    for (int i = 0; i < kPieces; ++i) {
        const double phi = (i + 0.5) * width;
        const double square = 1 + aspect + 2 * root * std::cos(phi);
        mass +=
            2 * aspect * squared(std::sin(phi)) / (M_PI * std::min(aspect, 1.0) * square) * width;
        if (mass >= 0.5) return std::sqrt(square);
    }
    return std::abs(1 - root);
}

double noise_unit(const Vector& singular_values, Index inputs, Index outputs) {
    const Index count = singular_values.size();
    const double median = (singular_values((count - 1) / 2) + singular_values(count / 2)) / 2;
    return median / bulk_median(static_cast<double>(outputs) / static_cast<double>(inputs));
}

double noise_unit_of_rest(const Vector& values, double power, Index inputs, Index outputs) {
    const double edge = detection_edge(inputs, outputs);
    // From many signals to few: strong ones among the rest would hide others.
    const Index most = std::min(values.size(), std::min(inputs, outputs) / 2);
    for (Index k = most; k >= 0; --k) {
        const double rest = power - values.head(k).squaredNorm();
        const double unit = std::sqrt(std::max(0.0, rest) / rest_units(k, inputs, outputs));
        if (k > 0 && !(values(k - 1) > edge * unit)) continue;
        return k == values.size() ? 0 : unit;
    }
    return 0;
}

double missing_power(const Vector& values, double power, Index inputs, Index outputs, double unit) {
    if (!(power > 0)) return 0;
    return std::max(0.0, power - values.squaredNorm() -
                             squared(unit) * rest_units(values.size(), inputs, outputs));
}

Index NoiseReport::detections() const {
    return std::count(detected.begin(), detected.end(), 1);
}

NoiseReport judge_modes(const Vector& values, Index inputs, Index outputs, double unit) {
    const Index count = values.size();
    NoiseReport report{unit,
                       Vector::Constant(count, kNaN),
                       Vector::Constant(count, kNaN),
                       Vector::Constant(count, kNaN),
                       values,
                       std::vector<std::uint8_t>(static_cast<std::size_t>(count), 1)};
    if (!(unit > 0)) return report;
    const double aspect = static_cast<double>(outputs) / static_cast<double>(inputs);
    const double edge = detection_edge(inputs, outputs);
    for (Index a = 0; a < count; ++a) {
        const double observed = values(a) / unit;
        const bool detected = observed > edge;
        report.detected[static_cast<std::size_t>(a)] = detected ? 1 : 0;
        report.snr(a) = detected ? teacher_value(observed, aspect) : 0;
        const Overlaps overlaps = squared_overlaps(report.snr(a), aspect);
        report.overlap_output(a) = overlaps.output;
        report.overlap_input(a) = overlaps.input;
        report.shrunk(a) = unit * shrunk_value(observed, aspect);
    }
    return report;
}

} // namespace assay::lindyn
