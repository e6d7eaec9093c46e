#include <assay/lindyn/alignment_moments.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::lindyn {
namespace {

// What both the recursion and its end need of a layer.
struct LayerModes {
    Eigen::ArrayXd s, curvature, null; // one an output; decay + ..., null S^2 s^2
    double drive = 0;                  // f
    double free_inputs = 0;            // inputs beyond the singular values
    double inputs = 0;
    double added = 0;      // eta^2 V n of one output
    double sampling = 0;   // 1/m where batches are drawn, else 0
    double bias_noise = 0; // eta^2 amp^2 S^2 n |b|^2 / m, of all outputs
};

LayerModes layer_modes(const AlignmentSettings& settings, const AlignedLayer& layer) {
    const Coefficients& c = settings.coefficients;
    const Index rank = std::min(layer.outputs, layer.inputs);
    if (layer.s.size() != rank)
        throw Error(concat(layer.s.size(), " singular values; ", rank, " are expected"));
    const double power = settings.stddev * settings.stddev;
    LayerModes m;
    m.s = Eigen::ArrayXd::Zero(layer.outputs);
    m.s.head(rank) = layer.s.array();
    m.null = c.null * power * m.s.square();
    m.curvature = c.decay + c.sparse * power + m.null;
    m.drive = c.amp * power + c.self;
    m.inputs = static_cast<double>(layer.inputs);
    m.free_inputs = static_cast<double>(layer.inputs - rank);
    m.added = settings.rate * settings.rate * settings.noise * m.inputs;
    m.sampling = c.sparse > 0 ? 0 : 1 / static_cast<double>(settings.batch);
    if (!(c.null > 0))
        m.bias_noise = std::pow(settings.rate * c.amp * settings.stddev, 2) * m.inputs *
                       layer.bias_power * m.sampling;
    return m;
}

// A_i, given means and powers.
Eigen::ArrayXd residual_power(const Coefficients& c, const Eigen::ArrayXd& s,
                              const Eigen::ArrayXd& mean, const Eigen::ArrayXd& power) {
    return c.amp * c.amp - 2 * c.amp * c.null * s * mean + c.null * c.null * s.square() * power;
}

} // namespace

double AlignmentMoments::angle() const {
    if (!(power > 0)) return std::numeric_limits<double>::quiet_NaN();
    return std::acos(std::clamp(overlap / std::sqrt(power), -1.0, 1.0)) * 180 /
           3.14159265358979323846;
}

double AlignmentMoments::norm_ratio() const {
    return std::sqrt(power);
}

MomentRecursion::MomentRecursion(const AlignmentSettings& settings, const AlignedLayer& layer,
                                 double start_ratio)
    : settings_(settings) {
    const LayerModes m = layer_modes(settings, layer);
    s_ = m.s;
    gain_ = 1 + settings.momentum - settings.rate * m.curvature;
    drive_ = m.drive;
    free_inputs_ = m.free_inputs;
    inputs_ = m.inputs;
    weight_power_ = s_.squaredNorm();
    added_ = m.added;
    bias_noise_ = m.bias_noise;
    if (m.sampling == 0) settings_.batch = 0;
    mean_ = mean_before_ = Vector::Zero(layer.outputs);
    power_ = Eigen::ArrayXd::Constant(layer.outputs, start_ratio * start_ratio * weight_power_ /
                                                         static_cast<double>(layer.outputs));
    power_before_ = cross_ = power_;
}

void MomentRecursion::step() {
    const Coefficients& c = settings_.coefficients;
    const double mu = settings_.momentum, rate = settings_.rate,
                 scale = settings_.stddev * settings_.stddev;
    const Eigen::ArrayXd s = s_.array(), mean = mean_.array(), before = mean_before_.array();
    const Eigen::ArrayXd push = rate * drive_ * s;
    Eigen::ArrayXd noise =
        Eigen::ArrayXd::Constant(s.size(), added_ + bias_noise_ / static_cast<double>(s.size()));
    if (settings_.batch > 0) {
        const Eigen::ArrayXd a = residual_power(c, s, mean, power_);
        // Modes beyond the inputs (s = 0) are none of K's.
        const Index rank = std::min(s.size(), static_cast<Index>(inputs_));
        const double trace = a.head(rank).sum() + free_inputs_ * c.amp * c.amp;
        noise += std::pow(rate * scale, 2) / static_cast<double>(settings_.batch) * s.square() *
                 (a + (1 + settings_.kurtosis / inputs_) * trace);
    }
    const Eigen::ArrayXd next = gain_ * mean - mu * before + push;
    const Eigen::ArrayXd power = gain_.square() * power_ + mu * mu * power_before_ -
                                 2 * mu * gain_ * cross_ + 2 * push * (gain_ * mean - mu * before) +
                                 push.square() + noise;
    // Added noise moves B but not its velocity: what B would have been before is shifted with it.
    cross_ = gain_ * power_ - mu * cross_ + push * mean + added_;
    power_before_ = power_ + added_;
    power_ = power;
    mean_before_ = mean_;
    mean_ = next.matrix();
}

AlignmentMoments MomentRecursion::moments() const {
    return {s_.dot(mean_) / weight_power_, power_.sum() / weight_power_};
}

AlignmentMoments stationary_moments(const AlignmentSettings& settings, const AlignedLayer& layer) {
    const LayerModes m = layer_modes(settings, layer);
    const Coefficients& c = settings.coefficients;
    const double mu = settings.momentum, rate = settings.rate, total = m.s.square().sum();
    const Eigen::ArrayXd mean = m.drive * m.s / m.curvature, gain = 1 + mu - rate * m.curvature;
    AlignmentMoments end;
    end.overlap = (m.s * mean).sum() / total;
    // Deviations from the mean are an autoregression of order 2 with noise of variance
    //   share + (eta null C)^2/m M + ..., linear in M and in tr A.
    const Eigen::ArrayXd inverse = (1 - mu) / (1 + mu) * ((1 + mu) * (1 + mu) - gain.square());
    const double scale = rate * settings.stddev * settings.stddev,
                 spread = 1 + settings.kurtosis / m.inputs;
    const Eigen::ArrayXd drawn = scale * scale * m.sampling * m.s.square(); // of A
    const Eigen::ArrayXd feed = c.null * c.null * m.s.square();             // dA/dM
    const Eigen::ArrayXd divisor = inverse - drawn * feed;
    const double infinite = std::numeric_limits<double>::infinity();
    if (!(divisor > 0).all()) return {end.overlap, infinite};
    const Eigen::ArrayXd start = residual_power(c, m.s, mean, mean.square());
    const Eigen::ArrayXd carried = 1 + mu * mu - 2 * mu / (1 + mu) * gain; // of added noise
    const Eigen::ArrayXd own =
        m.added * carried + m.bias_noise / static_cast<double>(m.s.size()) + drawn * start;
    // variance = (own + drawn spread tr A)/divisor; tr A = sum start + free amp^2 + sum feed
    // variance
    const Index rank = std::min(layer.outputs, layer.inputs);
    const double loop = (feed * drawn * spread / divisor).sum();
    if (!(loop < 1)) return {end.overlap, infinite};
    const double base = start.head(rank).sum() + m.free_inputs * c.amp * c.amp;
    const double trace = (base + (feed * own / divisor).sum()) / (1 - loop);
    const Eigen::ArrayXd variance = (own + drawn * spread * trace) / divisor;
    end.power = (mean.square() + variance).sum() / total;
    return end;
}

} // namespace assay::lindyn
