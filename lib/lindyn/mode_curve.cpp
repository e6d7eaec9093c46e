#include <assay/lindyn/mode_curve.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/lindyn/quadrature.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

using Array = Eigen::Array<double, Eigen::Dynamic, 1>;
using InMap = Eigen::Map<const Array>;
using OutMap = Eigen::Map<Array>;

constexpr Index kNodes = 32; // of the integral without a pole

// H of the header for depth >= 3, as a function of x = log(z / (1 - z)), z = a/q = y^depth.
class DeepTime {
  public:
    explicit DeepTime(int depth) : depth_(depth) {}

    [[nodiscard]] double root(double x) const { // y
        return std::exp(-softplus(-x) / depth_);
    }
    [[nodiscard]] double operator()(double x) const {
        const double y = root(x);
        return -std::pow(y, 2 - depth_) / (depth_ - 2) + softplus(x) / depth_ + rest(y);
    }
    [[nodiscard]] double slope(double x) const { // dH/dx
        return std::pow(root(x), 2 - depth_) / depth_;
    }
    // x with H(x) = value. H is concave and rising, so that Newton's steps approach from the left
    // and cannot leave.
    [[nodiscard]] double inverse(double value, double x) const {
        for (int newton = 0; newton < 200; ++newton) {
            const double step = (value - (*this)(x)) / slope(x);
            x += step;
            if (std::abs(step) <= 1e-14 * std::max(1.0, std::abs(x))) break;
        }
        return x;
    }

  private:
    static double softplus(double x) { // log(1 + e^x)
        return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    }
    // The part of integral_0^y z/(1-z^D) dz without the pole at 1.
    [[nodiscard]] double rest(double y) const {
        static const Rule rule = gauss_legendre(kNodes);
        double sum = 0;
        for (Index i = 0; i < kNodes; ++i) {
            const double z = y * rule.node(i);
            double short_sum = 1;
            for (int power = 1; power <= depth_ - 3; ++power) short_sum = 1 + z * short_sum;
            const double long_sum = 1 + z * (1 + z * short_sum);
            sum += rule.weight(i) * z * short_sum / long_sum;
        }
        return y * sum;
    }
    int depth_;
};

double logit(double z) {
    return std::log(z) - std::log1p(-z);
}

// s q^{1-2/D}: H per unit of time.
double deep_rate(const ModeLaw& law) {
    return law.s * std::pow(law.s / law.d, 1 - 2.0 / law.depth) / law.tau;
}

void shallow_curve(const ModeLaw& law, const InMap& times, OutMap& out) {
    const double rate = (law.d + law.decay) / law.tau, end = law.end();
    out = end + (law.start - end) * (times * -rate).exp();
}

// a0 / (E + d a0 (1 - E) / k) with E = exp(-2 k t), k = s - decay: the form without poles, for
// modes that hardly grow or decay.
double slow_strength(const ModeLaw& law, double net, double time) {
    const double exponent = -2 * net * time / law.tau;
    const double load = law.d * law.start;
    if (net == 0) return law.start / (1 + 2 * load * time / law.tau);
    if (net > 0) return law.start / (std::exp(exponent) - load * std::expm1(exponent) / net);
    return law.start * std::exp(-exponent) / (1 + load * std::expm1(-exponent) / net);
}

void two_layer_curve(const ModeLaw& law, const InMap& times, OutMap& out) {
    const double net = law.s - law.decay, end = law.end();
    if (end > 1e-3 * law.start && std::isfinite(end)) {
        out = end / (1 + (end / law.start - 1) * (times * (-2 * net / law.tau)).exp());
        return;
    }
    for (Index i = 0; i < times.size(); ++i) out(i) = slow_strength(law, net, times(i));
}

void deep_curve(const ModeLaw& law, const InMap& times, OutMap& out) {
    if (law.decay != 0) throw Error("weight decay has a closed form for depth 1 and 2 only");
    if (law.s == 0) {
        const double power = 2 - 2.0 / law.depth;
        const double rate = 2 * (law.depth - 1) * law.d * std::pow(law.start, power) / law.tau;
        for (Index i = 0; i < times.size(); ++i)
            out(i) = law.start * std::pow(1 + rate * times(i), -1 / power);
        return;
    }
    const double q = law.s / law.d;
    const DeepTime elapsed(law.depth);
    const double rate = deep_rate(law), begin = logit(law.start / q);
    const double first = elapsed(begin);
    double x = begin;
    for (Index i = 0; i < times.size(); ++i) {
        x = times(i) == 0 ? begin : elapsed.inverse(first + rate * times(i), x);
        out(i) = x > 0 ? q / (1 + std::exp(-x)) : q * std::exp(x) / (1 + std::exp(x));
    }
}

// The squares P = (w_1 + w_2)^2 and M = (w_1 - w_2)^2 of two unequal layers, d = tau = 1: their
// product c^2 is conserved, w_1 w_2 = (P - M)/4, and
//   P' = 2sP - P^2/2 + c^2/2, roots 2s +- r;  M' = -2sM - M^2/2 + c^2/2, roots -2s +- r.
// The larger at the start is followed, in a form without cancellation; the other is c^2 over it.
class SquaredSums {
  public:
    SquaredSums(double s, double sum, double difference)
        : rising_(std::abs(sum) >= std::abs(difference)), c_(std::abs(sum * difference)),
          start_(rising_ ? sum * sum : difference * difference), r_(std::hypot(c_, 2 * s)),
          outer_(r_ + 2 * s), inner_(c_ == 0 ? 0.0 : c_ * c_ / outer_) {}

    [[nodiscard]] double product(double time) const {
        if (start_ == 0) return 0;
        const double followed = r_ == 0   ? start_ / (1 + start_ * time / 2)
                                : rising_ ? sum_squared(time)
                                          : difference_squared(time);
        const double other = followed > 0 ? c_ * c_ / followed : 0.0;
        return (rising_ ? followed - other : other - followed) / 4;
    }

    // When the product is first at `target`, above the start and 0: from P there, P - M = 4 target.
    [[nodiscard]] double when(double target) const {
        const double sum = 2 * target + std::hypot(2 * target, c_);
        const double begin = rising_ ? start_ : start_ > 0 ? c_ * c_ / start_ : 0.0;
        return std::log((2 * r_ / (begin + inner_) - 1) / (2 * r_ / (sum + inner_) - 1)) / r_;
    }

  private:
    // P is logistic above its lower root -inner; no difference of like numbers for any start.
    [[nodiscard]] double sum_squared(double time) const {
        const double above = start_ + inner_;
        const double below = 2 * r_ * std::exp(-r_ * time) - above * std::expm1(-r_ * time);
        return 2 * r_ * above / below - inner_;
    }
    // M = (inner + outer K E) / (1 - K E), K = (M_0 - inner)/(M_0 + outer), E = exp(-r t).
    [[nodiscard]] double difference_squared(double time) const {
        const double k = (start_ - inner_) / (start_ + outer_);
        const double below = 2 * r_ / (start_ + outer_) - k * std::expm1(-r_ * time);
        return (inner_ + outer_ * k * std::exp(-r_ * time)) / below;
    }
    bool rising_;
    double c_, start_, r_, outer_, inner_;
};

// In weights times sqrt(d), so that d = 1.
SquaredSums squared_sums(const UnbalancedLaw& law) {
    const double scale = std::sqrt(law.d);
    return {law.s, scale * (law.first + law.second), scale * (law.first - law.second)};
}

} // namespace

double ModeLaw::end() const {
    if (depth == 1) return s / (d + decay);
    return s > decay ? (s - decay) / d : 0.0;
}

void mode_curve(const ModeLaw& law, const double* times, Index count, double* out) {
    const InMap in(times, count);
    OutMap values(out, count);
    if (law.depth == 1)
        shallow_curve(law, in, values);
    else if (law.depth == 2)
        two_layer_curve(law, in, values);
    else
        deep_curve(law, in, values);
}

Vector mode_curve(const ModeLaw& law, const Vector& times) {
    Vector values(times.size());
    mode_curve(law, times.data(), times.size(), values.data());
    return values;
}

Matrix mode_curves(const std::vector<ModeLaw>& laws, const Vector& times, const Execution& run) {
    Matrix curves(times.size(), static_cast<Index>(laws.size()));
    parallel_blocks(curves.cols(), run.threads, [&](Index a) {
        mode_curve(laws[static_cast<std::size_t>(a)], times.data(), times.size(),
                   curves.col(a).data());
    });
    return curves;
}

double time_to_reach(const ModeLaw& law, double fraction) {
    const double end = law.end(), target = fraction * end;
    if (!(end > 0)) return kInfinity;
    if (law.start > target) return kNaN;
    if (law.depth == 1)
        return law.tau / (law.d + law.decay) * std::log((end - law.start) / (end - target));
    if (law.depth == 2) {
        const double net = law.s - law.decay;
        return law.tau / (2 * net) * std::log((end / law.start - 1) / (1 / fraction - 1));
    }
    if (law.decay != 0) throw Error("weight decay has a closed form for depth 1 and 2 only");
    const DeepTime elapsed(law.depth);
    return (elapsed(logit(fraction)) - elapsed(logit(law.start / end))) / deep_rate(law);
}

Vector mode_curve(const UnbalancedLaw& law, const Vector& times) {
    const SquaredSums sums = squared_sums(law);
    Vector product(times.size());
    for (Index i = 0; i < times.size(); ++i) product(i) = sums.product(times(i) / law.tau) / law.d;
    return product;
}

double time_to_reach(const UnbalancedLaw& law, double fraction) {
    if (!(law.s > 0)) return kInfinity;
    if (law.first * law.second > fraction * law.s / law.d) return kNaN;
    return law.tau * squared_sums(law).when(fraction * law.s);
}

double stable_rate(double s, double d, int depth) {
    if (depth == 1) return 2 / d;
    return 2 / (depth * d * std::pow(s / d, 2 - 2.0 / depth));
}

} // namespace assay::lindyn
