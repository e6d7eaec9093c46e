#include <assay/lindyn/stability.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/quadrature.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace assay::lindyn {
namespace {

constexpr double kDegrees = 180 / 3.14159265358979323846;

struct RuleName {
    AlignmentRule rule;
    const char* name;
};
constexpr std::array<RuleName, 6> kRules{{{AlignmentRule::wm, "wm"},
                                          {AlignmentRule::ia, "ia"},
                                          {AlignmentRule::sa, "sa"},
                                          {AlignmentRule::aa, "aa"},
                                          {AlignmentRule::kp, "kp"},
                                          {AlignmentRule::fa, "fa"}}};

double degrees(double radians) {
    return radians * kDegrees;
}
// arccos that takes a cosine above 1 by rounding.
double arc(double cosine) {
    return degrees(std::acos(std::clamp(cosine, -1.0, 1.0)));
}

void need(bool right, const char* name, double value, const char* expected) {
    if (!right)
        throw Error(concat(name, " ", significant(value, 6), "; ", expected, " is expected"));
}

double normal_cdf(double x) {
    return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

// b_i/(S |w_i|), 0 without a bias; a bias beside weights of 0 is infinite.
double relative_bias(const Matrix& weight, const Vector& bias, double stddev, Index row) {
    return bias.size() == 0 || bias(row) == 0 ? 0.0 : bias(row) / (stddev * weight.row(row).norm());
}

// The largest x in [stable, unstable] that `stable_at` accepts, to the last bits.
template <class Test>
double bisect(double stable, double unstable, Test&& stable_at) {
    for (int i = 0; i < 200 && unstable - stable > 1e-15 * unstable; ++i) {
        const double middle = stable + (unstable - stable) / 2;
        (stable_at(middle) ? stable : unstable) = middle;
    }
    return stable;
}

// Over the elements of one axis: at how many positions an element is inside, the same weighted by
// the share of the kernel inside there, over all positions.
Taper axis_taper(const WindowAxis& a) {
    const Index reach = a.dilation * (a.kernel - 1) + 1, padded = a.input + a.before + a.after;
    if (a.kernel < 1 || a.stride < 1 || a.dilation < 1 || padded < reach)
        throw Error(concat("a kernel of ", a.kernel, " does not fit ", a.input, " inputs"));
    const Index positions = (padded - reach) / a.stride + 1;
    Taper taper{Vector::Zero(a.kernel), Vector::Zero(a.kernel)};
    for (Index p = 0; p < positions; ++p) {
        Vector inside(a.kernel);
        for (Index e = 0; e < a.kernel; ++e) {
            const Index at = p * a.stride + e * a.dilation - a.before;
            inside(e) = at >= 0 && at < a.input ? 1 : 0;
        }
        taper.kept += inside;
        taper.noise += inside * inside.mean();
    }
    taper.kept /= static_cast<double>(positions);
    taper.noise /= static_cast<double>(positions);
    return taper;
}

Vector outer(const Vector& slow, const Vector& fast) {
    Matrix product = fast * slow.transpose();
    return Eigen::Map<Vector>(product.data(), product.size());
}

} // namespace

std::string rule_name(AlignmentRule rule) {
    return std::find_if(kRules.begin(), kRules.end(),
                        [&](const RuleName& one) { return one.rule == rule; })
        ->name;
}

AlignmentRule rule_of(const std::string& name) {
    const auto found = std::find_if(kRules.begin(), kRules.end(),
                                    [&](const RuleName& one) { return one.name == name; });
    if (found == kRules.end())
        throw Error("rule '" + printable(name, 40) + "'; wm, ia, sa, aa, kp or fa is expected");
    return found->rule;
}

Coefficients usual_coefficients(AlignmentRule rule) {
    switch (rule) {
    case AlignmentRule::wm:
        return {1, 1, 0, 0, 0};
    case AlignmentRule::ia:
        return {1, 0.5, 0.5, 0, 0};
    case AlignmentRule::sa:
        return {0, 1, 0, 0, 1};
    case AlignmentRule::aa:
        return {1, 0, 0, 1, 0};
    case AlignmentRule::kp:
        return {0, 0.01, 0, 0, 0};
    case AlignmentRule::fa:
        break;
    }
    return {};
}

Coefficients published_coefficients(AlignmentRule rule) {
    switch (rule) {
    case AlignmentRule::wm:
        return {1e-3, 2e-3, 0, 0, 0};
    case AlignmentRule::ia:
        return {2e-3, 2e-3, 2e-3, 0, 0};
    case AlignmentRule::sa:
        return {0, 2e-3, 0, 0, 2e-3};
    case AlignmentRule::aa:
        return {2e-3, 0, 0, 2e-3, 0};
    case AlignmentRule::kp:
        return {0, 2e-3, 0, 0, 0};
    case AlignmentRule::fa:
        break;
    }
    return {};
}

void check_alignment(const AlignmentSettings& s) {
    const Coefficients& c = s.coefficients;
    const std::array<std::pair<const char*, double>, 8> numbers{{{"amp", c.amp},
                                                                 {"decay", c.decay},
                                                                 {"null", c.null},
                                                                 {"sparse", c.sparse},
                                                                 {"self", c.self},
                                                                 {"learning rate", s.rate},
                                                                 {"standard deviation", s.stddev},
                                                                 {"noise variance", s.noise}}};
    for (const auto& [name, value] : numbers)
        need(value >= 0 && std::isfinite(value), name, value, "a number of 0 or more");
    need(s.momentum >= 0 && s.momentum < 1, "momentum", s.momentum, "a number from 0 to below 1");
    need(s.kurtosis >= -2 && std::isfinite(s.kurtosis), "excess kurtosis", s.kurtosis,
         "a number of -2 or more");
    need(s.batch >= 1, "batch", static_cast<double>(s.batch), "1 or more");
    const bool by_decay =
        s.rule == AlignmentRule::wm || s.rule == AlignmentRule::ia || s.rule == AlignmentRule::sa;
    if (by_decay && !(c.decay > 0))
        throw Error("rule " + rule_name(s.rule) +
                    " with decay 0 grows without bound; a decay "
                    "above 0 is expected");
    if (s.rule == AlignmentRule::aa && !(c.decay + c.sparse > 0))
        throw Error("rule aa with sparse 0 grows without bound; a sparse above 0 is expected");
}

double spectral_radius(std::complex<double> rate, double momentum) {
    const std::complex<double> half = (1 + momentum - rate) / 2.0,
                               root = std::sqrt(half * half - momentum);
    return std::max(std::abs(half + root), std::abs(half - root));
}

double critical_rate(std::complex<double> curvature, double momentum) {
    if (curvature == 0.0) return kInfinity;
    if (!(curvature.real() > 0)) return 0;
    if (curvature.imag() == 0) return 2 * (1 + momentum) / curvature.real();
    // The stable rates of an eigenvalue are an interval from 0 on, within |rate| < 2 (1 + mu).
    return bisect(0, 2 * (1 + momentum) / std::abs(curvature),
                  [&](double rate) { return spectral_radius(rate * curvature, momentum) < 1; });
}

double alignment_curvature(const Coefficients& c, double lambda_xx, double lambda_yy) {
    return c.decay + c.null * lambda_yy + c.sparse * lambda_xx;
}

double feedback_scale(const AlignmentSettings& s) {
    const Coefficients& c = s.coefficients;
    if (s.rule == AlignmentRule::fa) return std::numeric_limits<double>::quiet_NaN();
    if (s.rule == AlignmentRule::kp) return 1;
    const double power = s.stddev * s.stddev;
    return (c.amp * power + c.self) / (c.decay + c.sparse * power);
}

double noise_floor(const AlignmentSettings& s, double inputs, double bias_share) {
    const double step = s.rate * s.coefficients.decay, mu = s.momentum;
    if (!(step < 2 * (1 + mu))) return kInfinity;
    const double spread =
        (inputs + 1 + s.kurtosis + inputs * bias_share) / static_cast<double>(s.batch);
    return std::sqrt(step * (1 + mu) / ((1 - mu) * (2 * (1 + mu) - step)) * spread);
}

double mirror_angle_after(const AlignmentSettings& s, double inputs, double start_ratio,
                          double updates) {
    const double q = 1 - s.rate * s.coefficients.decay, left = std::pow(q, updates);
    const double drive = s.rate * s.coefficients.amp * s.stddev * s.stddev;
    const double spread = (inputs + 1 + s.kurtosis) / static_cast<double>(s.batch);
    const double noise = left * left * start_ratio * start_ratio +
                         drive * drive * spread * (1 - left * left) / (1 - q * q);
    return degrees(std::atan2(std::sqrt(noise), std::abs(feedback_scale(s) * (1 - left))));
}

double updates_behind(double rate, double decay) {
    return (1 - rate * decay) / (rate * decay);
}

double estimation_variance(double rate, double decay, double noise, double momentum) {
    const double step = rate * decay, mu = momentum;
    if (noise == 0) return 0;
    if (!(step > 0) || !(step < 2 * (1 + mu))) return kInfinity;
    return rate * rate * noise * ((1 - mu) * (1 - mu) + 2 * mu * step / (1 + mu)) * (1 + mu) /
           ((1 - mu) * step * (2 * (1 + mu) - step));
}

Taper taper_of(const std::vector<WindowAxis>& axes) {
    Taper whole{Vector::Ones(1), Vector::Ones(1)};
    for (const WindowAxis& axis : axes) {
        const Taper one = axis_taper(axis);
        whole = {outer(whole.kept, one.kept), outer(whole.noise, one.noise)};
    }
    return whole;
}

double taper_angle(const Vector& kept, const Vector& weight) {
    const Vector w = weight.size() > 0 ? weight : Vector(Vector::Ones(kept.size()));
    return arc(w.dot(kept) / std::sqrt(w.sum() * w.dot(kept.cwiseAbs2())));
}

Alignment tapered_alignment(const Taper& taper, double nsr, bool compensated) {
    const double mean = compensated ? 1 : taper.kept.mean(),
                 square = compensated
                              ? 1
                              : taper.kept.squaredNorm() / static_cast<double>(taper.kept.size());
    const Vector noise =
        compensated ? Vector((taper.kept.array() > 0)
                                 .select(taper.noise.array() / taper.kept.array().square(), 0))
                    : taper.noise;
    const double power = square + nsr * nsr * noise.mean();
    return {arc(mean / std::sqrt(power)), std::sqrt(power)};
}

Vector rectified_scales(const Matrix& weight, const Vector& bias, double stddev) {
    Vector scales(weight.rows());
    for (Index i = 0; i < scales.size(); ++i)
        scales(i) = normal_cdf(relative_bias(weight, bias, stddev, i));
    return scales;
}

double rectified_noise_power(const AlignmentSettings& s, const Matrix& weight, const Vector& bias) {
    const double decay = s.coefficients.decay, step = s.rate * decay, mu = s.momentum;
    if (!(step < 2 * (1 + mu))) return kInfinity;
    const auto n = static_cast<double>(weight.cols());
    double variance = 0; // of relu(y) x, a sum over its elements
    for (Index i = 0; i < weight.rows(); ++i) {
        // With z normal, y = c z + b: E y_+^2 z^2 is E y_+^2 + 2 c^2 Phi, E y_+ z is c Phi.
        const double c = s.stddev * weight.row(i).norm(), b = bias.size() == 0 ? 0.0 : bias(i);
        const double a = relative_bias(weight, bias, s.stddev, i), above = normal_cdf(a);
        const double edge = std::exp(-a * a / 2) / std::sqrt(2 * M_PI);
        const double square = (c * c + b * b) * above + c * b * edge;
        variance += s.stddev * s.stddev * (n * square + c * c * above * (2 - above));
    }
    const double drive = s.coefficients.amp;
    return s.rate * (1 + mu) / ((1 - mu) * decay * (2 * (1 + mu) - step)) * drive * drive *
           variance / static_cast<double>(s.batch);
}

double angle_between(const Matrix& one, const Matrix& other) {
    const double norms = one.norm() * other.norm();
    if (!(norms > 0)) return std::numeric_limits<double>::quiet_NaN();
    return arc(one.cwiseProduct(other).sum() / norms);
}

double chain_curvature(const Vector& weight, const Vector& feedback) {
    // J_lm = (prod_{k>l} b_k prod_{k<l} w_k) (prod_{k/=m} w_k), of rank 1: its trace.
    const Index depth = weight.size();
    double trace = 0;
    for (Index l = 0; l < depth; ++l) {
        double left = 1, right = 1;
        for (Index k = 0; k < depth; ++k) {
            if (k != l) right *= weight(k);
            if (k != l) left *= k > l ? feedback(k) : weight(k);
        }
        trace += left * right;
    }
    return trace;
}

double chain_curvature(double gain, Index depth) {
    return chain_curvature(Vector::Ones(depth), Vector::Constant(depth, gain));
}

Vector aligned_values(const AlignmentSettings& settings, const Vector& s) {
    const Coefficients& c = settings.coefficients;
    if (settings.rule == AlignmentRule::kp) return s;
    if (settings.rule == AlignmentRule::fa)
        return Vector::Constant(s.size(), std::numeric_limits<double>::quiet_NaN());
    const double power = settings.stddev * settings.stddev;
    return (c.amp * power + c.self) * s.array() /
           (c.decay + c.sparse * power + c.null * power * s.array().square());
}

GainBounds gain_bounds(const AlignmentSettings& s) {
    const Coefficients& c = s.coefficients;
    if (!(c.null > 0)) return {kInfinity, kInfinity};
    return {c.amp / c.null, c.amp * s.stddev / (2 * std::sqrt(c.decay * c.null))};
}

Alignment alignment_of(const Vector& s, const Vector& b) {
    const double norms = s.norm() * b.norm();
    if (!(norms > 0)) return {std::numeric_limits<double>::quiet_NaN(), b.norm() / s.norm()};
    return {arc(s.dot(b) / norms), b.norm() / s.norm()};
}

Alignment he_alignment(const AlignmentSettings& settings, double aspect) {
    const Rule bulk = noise_bulk(aspect);
    const Vector s = std::sqrt(2.0) * bulk.node, root = bulk.weight.cwiseSqrt();
    return alignment_of(s.cwiseProduct(root), aligned_values(settings, s).cwiseProduct(root));
}

double mean_square_critical_rate(const AlignmentSettings& settings, const Vector& eigenvalues) {
    const Coefficients& c = settings.coefficients;
    const double mu = settings.momentum, m = static_cast<double>(settings.batch);
    const Vector null = c.null * eigenvalues, all = null.array() + c.decay;
    const auto stable = [&](double rate) {
        const Eigen::ArrayXd noise = (rate * null.array()).square() / m;
        const Eigen::ArrayXd left = 1 + mu - rate * all.array();
        const Eigen::ArrayXd d =
            (1 - mu) / (1 + mu) * ((1 + mu) * (1 + mu) - left.square()) - noise;
        return d.minCoeff() > 0 && (noise / d).sum() < 1;
    };
    return bisect(0, critical_rate(all.maxCoeff(), mu), stable);
}

JointState joint_state(const Coefficients& c, double variance) {
    const double drive = c.amp * variance;
    if (c.null > 0 && drive > c.decay)
        return {std::sqrt((drive - c.decay) / (c.null * variance)),
                std::max(-2 * (drive - c.decay), -2 * c.decay),
                std::min(-2 * (drive - c.decay), -2 * c.decay)};
    return {0, drive - c.decay, -drive - c.decay};
}

double student_rate(double w1, double w2, double feedback) {
    return w1 * w1 + feedback * w2;
}

} // namespace assay::lindyn
