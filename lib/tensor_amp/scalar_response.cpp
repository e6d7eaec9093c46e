#include <assay/tensor_amp/scalar_response.hpp>

#include <assay/core/parallel.hpp>
#include <assay/tensor_amp/scalar_channel.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr double kLogStep = 0.05;
constexpr double kLowest = 1e-5;      // h var at the first node, where the series below holds
constexpr double kRange = 1.2e11;     // of h in the table: up to e^14 times the scale of the prior
constexpr double kSeriesError = 1e-9; // relative, of q at the first node
constexpr int kMostDecades = 40;      // by which the first node may lie lower
constexpr Index kBlock = 16;

// Cubic Hermite interpolation on [0, 1] through values and derivatives.
struct Hermite {
    double value, derivative;
};
Hermite cubic(double y0, double d0, double y1, double d1, double x) {
    const double rise = y1 - y0;
    const double a = d0 + d1 - 2 * rise, b = 3 * rise - 2 * d0 - d1;
    return {y0 + x * (d0 + x * (b + x * a)), d0 + x * (2 * b + 3 * a * x)};
}

// Quintic through values and two derivatives.
double quintic(const Eigen::Array3d& left, const Eigen::Array3d& right, double x) {
    const double rise = right(0) - left(0) - left(1) - 0.5 * left(2);
    const double slope = right(1) - left(1) - left(2), bend = right(2) - left(2);
    const double c = 10 * rise - 4 * slope + 0.5 * bend;
    const double d = -15 * rise + 7 * slope - bend;
    const double e = 6 * rise - 3 * slope + 0.5 * bend;
    return left(0) + x * (left(1) + x * (0.5 * left(2) + x * (c + x * (d + x * e))));
}

} // namespace

ScalarResponse::ScalarResponse(const Prior& prior, const Execution& run)
    : gaussian_(prior.gaussian()) {
    const ScalarOverlap blind = scalar_overlap(prior, 0);
    const double second = prior.second_moment()(0, 0);
    mean_square_ = blind.q <= 1e-24 * second ? 0 : blind.q;
    variance_ = std::sqrt(blind.slope);
    smallest_h_ = kLowest / variance_;
    if (!gaussian_) find_series(prior);
    largest_h_ = kRange * smallest_h_;
    if (!gaussian_) tabulate(prior, run);
}

// The largest h (of decades) at which two terms and the exact slope give q.
void ScalarResponse::find_series(const Prior& prior) {
    const double slope = variance_ * variance_;
    for (int decade = 0; decade < kMostDecades; ++decade, smallest_h_ /= 10) {
        const double h = smallest_h_;
        const ScalarOverlap overlap = scalar_overlap(prior, h);
        curvature_ = (overlap.slope - slope) / (2 * h);
        const double series = mean_square_ + h * (slope + h * curvature_);
        if (std::abs(series - overlap.q) <= kSeriesError * overlap.q) return;
    }
}

void ScalarResponse::tabulate(const Prior& prior, const Execution& run) {
    first_ = std::log(smallest_h_);
    const auto nodes =
        static_cast<Index>(std::ceil((std::log(largest_h_) - first_) / kLogStep)) + 1;
    log_q_.resize(nodes);
    elasticity_.resize(nodes);
    psi_.resize(nodes);
    const Blocks blocks{nodes, kBlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        run.monitor->stop_if_interrupted();
        for (Index j = 0; j < blocks.extent(block); ++j) {
            const Index i = blocks.begin(block) + j;
            const double h = std::exp(first_ + static_cast<double>(i) * kLogStep);
            const ScalarOverlap overlap = scalar_overlap(prior, h);
            log_q_(i) = std::log(overlap.q);
            elasticity_(i) = h * overlap.slope / overlap.q;
            psi_(i) = overlap.psi;
        }
    });
}

ScalarResponse::Point ScalarResponse::gaussian_at_product(double product) const {
    const double b = product * variance_ - mean_square_;
    const double c = product * variance_ * second_moment();
    const double root = std::sqrt(b * b + 4 * c);
    // Either form of the positive root, whichever loses no digits.
    const double q = b > 0 ? 2 * c / (b + root) : 0.5 * (root - b);
    const double h = product / q, damping = variance_ / (1 + variance_ * h);
    return {h, q, h * damping * damping / q};
}

ScalarResponse::Point ScalarResponse::series_at_product(double product) const {
    const double slope = variance_ * variance_;
    // m h + v^2 h^2 = product, and the next order by Newton's steps.
    double h =
        2 * product / (mean_square_ + std::sqrt(mean_square_ * mean_square_ + 4 * slope * product));
    for (int step = 0; step < 3; ++step) {
        const double value = h * (mean_square_ + h * (slope + h * curvature_)) - product;
        h -= value / (mean_square_ + h * (2 * slope + 3 * h * curvature_));
    }
    const double q = mean_square_ + h * (slope + h * curvature_);
    return {h, q, h * (slope + 2 * h * curvature_) / q};
}

ScalarResponse::Point ScalarResponse::table_at_product(double log_product) const {
    const auto log_of = [&](Index i) {
        return log_q_(i) + first_ + static_cast<double>(i) * kLogStep;
    };
    Index low = 0, high = log_q_.size() - 1;
    while (high - low > 1) {
        const Index middle = (low + high) / 2;
        (log_of(middle) <= log_product ? low : high) = middle;
    }
    double x = (log_product - log_of(low)) / (log_of(high) - log_of(low));
    Hermite at{};
    for (int step = 0; step < 5; ++step) {
        at = cubic(log_q_(low), kLogStep * elasticity_(low), log_q_(high),
                   kLogStep * elasticity_(high), x);
        const double excess =
            at.value + first_ + (static_cast<double>(low) + x) * kLogStep - log_product;
        const double move = excess / (at.derivative + kLogStep);
        x -= move;
        if (std::abs(move) < 1e-13) break;
    }
    at = cubic(log_q_(low), kLogStep * elasticity_(low), log_q_(high), kLogStep * elasticity_(high),
               x);
    return {std::exp(first_ + (static_cast<double>(low) + x) * kLogStep), std::exp(at.value),
            at.derivative / kLogStep};
}

ScalarResponse::Point ScalarResponse::at_product(double product) const {
    if (gaussian_) return gaussian_at_product(product);
    const double log_product = std::log(product);
    const Index last = log_q_.size() - 1;
    if (log_product <= log_q_(0) + first_) return series_at_product(product);
    if (log_product < log_q_(last) + first_ + static_cast<double>(last) * kLogStep)
        return table_at_product(log_product);
    const double q = std::exp(log_q_(last));
    return {product / q, q, 0};
}

double ScalarResponse::table_psi(double log_h) const {
    const double place = (log_h - first_) / kLogStep;
    const Index low = std::min(static_cast<Index>(place), psi_.size() - 2);
    const auto derivatives = [&](Index i) {
        const double slope = 0.5 * std::exp(first_ + static_cast<double>(i) * kLogStep + log_q_(i));
        return Eigen::Array3d(psi_(i), kLogStep * slope,
                              kLogStep * kLogStep * slope * (1 + elasticity_(i)));
    };
    return quintic(derivatives(low), derivatives(low + 1), place - static_cast<double>(low));
}

double ScalarResponse::psi(double h) const {
    if (gaussian_) return 0.5 * (h * second_moment() - std::log1p(variance_ * h));
    const double log_h = std::log(h);
    const Index last = log_q_.size() - 1;
    const double end = first_ + static_cast<double>(last) * kLogStep;
    if (log_h <= first_)
        return h * (0.5 * mean_square_ + h * (0.25 * variance_ * variance_ + h * curvature_ / 6));
    if (log_h >= end) return psi_(last) + 0.5 * std::exp(log_q_(last)) * (h - std::exp(end));
    return table_psi(log_h);
}

} // namespace assay::tensor_amp
