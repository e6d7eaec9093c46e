#include <assay/lindyn/stability_study.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/alignment_moments.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kMostMoments = 2048; // inputs whose second moments are decomposed
constexpr double kSilent = 1e-10;    // share of the largest second moment that is none

bool has_end(AlignmentRule rule) {
    return rule != AlignmentRule::fa;
}

// Coefficients and batch as if means were taken over positions too: a sum over P positions is P
// times such a mean, and every position is a row of the mirror.
AlignmentSettings per_position(const StabilitySettings& s, Index positions) {
    AlignmentSettings one = s.alignment;
    const auto count = static_cast<double>(positions);
    one.batch *= positions;
    if (s.options.spatial_mean) return one;
    one.coefficients.amp *= count;
    one.coefficients.null *= count;
    one.coefficients.sparse *= count;
    return one;
}

// One kind of second moment alone, as a mean over rows and positions.
double largest_moment(const NetworkLayer& layer, const Coefficients& one,
                      const StabilitySettings& s, Index number, const Execution& run) {
    const AlignmentOptions options{true, false, s.options.centre};
    return largest_curvature(sampled_system(layer.feedback, one, layer.inputs, options, run),
                             s.seed + static_cast<std::uint64_t>(number))
        .value;
}

// The second moments of the inputs (n x n, a mean over rows and positions), from products with as
// many unit rows as the layer has outputs.
Matrix input_moments(const NetworkLayer& layer, const StabilitySettings& s, const Execution& run) {
    const AlignmentSystem system = sampled_system(layer.feedback, {0, 0, 0, 1, 0}, layer.inputs,
                                                  {true, false, s.options.centre}, run);
    const Index n = layer.feedback.projection->inputs(),
                rows = layer.feedback.projection->outputs();
    Matrix moments(n, n);
    const Blocks blocks{n, rows};
    for (Index b = 0; b < blocks.count(); ++b) {
        const Index first = blocks.begin(b), count = blocks.extent(b);
        Matrix unit = Matrix::Zero(rows, n);
        unit.block(0, first, count, count).setIdentity();
        moments.middleRows(first, count) = system.curvature(unit).topRows(count);
    }
    return moments;
}

void find_slowest(const NetworkLayer& layer, const StabilitySettings& s, const Execution& run,
                  LayerStability& found) {
    if (s.alignment.rule != AlignmentRule::aa || layer.inputs.size() == 0 ||
        found.inputs > kMostMoments)
        return;
    const Vector values =
        Eigen::SelfAdjointEigenSolver<Matrix>(input_moments(layer, s, run), Eigen::EigenvaluesOnly)
            .eigenvalues();
    const double least = kSilent * values(values.size() - 1);
    found.silent_directions = (values.array() <= least).count();
    if (found.silent_directions < values.size())
        found.lambda_xx_least = values(found.silent_directions);
}

AlignmentSystem system_of(const NetworkLayer& layer, Index number, const StabilitySettings& s,
                          const Execution& run) {
    const Projection& p = *layer.feedback.projection;
    if (s.engaged && layer.inputs.size() > 0) {
        AlignmentOptions options = s.options;
        options.compensate = false;
        return sampled_system(layer.feedback, s.alignment.coefficients, layer.inputs, options, run);
    }
    if (p.positions() == 1)
        return white_system(layer.feedback, s.alignment.coefficients, s.alignment.stddev);
    const RowMatrix noise =
        mirror_noise(s.alignment, s.probe, p.input_size(), s.seed, number, 0, -1);
    return sampled_system(layer.feedback, s.alignment.coefficients, noise, s.options, run);
}

// Whether the end is W itself times a number (and K), which needs no solving.
bool is_scaled(const NetworkLayer& layer, const StabilitySettings& s) {
    const bool on_noise = !s.engaged || layer.inputs.size() == 0;
    return s.alignment.rule == AlignmentRule::sa || s.alignment.rule == AlignmentRule::kp ||
           (s.alignment.rule == AlignmentRule::wm && on_noise);
}

// Whether the mirror goes through relu, in a way that has a theory.
bool is_rectified(const NetworkLayer& layer, const StabilitySettings& s) {
    return s.alignment.rectified && layer.feedback.projection->positions() == 1;
}

Matrix end_of(const NetworkLayer& layer, const AlignmentSystem& system,
              const StabilitySettings& s) {
    const FeedbackLayer& f = layer.feedback;
    if (!is_scaled(layer, s)) return aligned_feedback(system);
    const double scale = feedback_scale(per_position(s, f.projection->positions()));
    if (is_rectified(layer, s))
        return scale * rectified_scales(f.weight, f.bias, s.alignment.stddev).asDiagonal() *
               f.weight;
    if (s.alignment.rule != AlignmentRule::wm || s.options.compensate || f.taper.size() == 0)
        return scale * f.weight;
    return scale * f.taper.cwiseProduct(f.weight);
}

bool is_sampled_convolution(const NetworkLayer& layer, const StabilitySettings& s) {
    return s.alignment.rule == AlignmentRule::ia && layer.feedback.projection->positions() > 1 &&
           (!s.engaged || layer.inputs.size() == 0);
}

// What noise adds to |B|^2/|W|^2, but for what is drawn.
double noise_power(const NetworkLayer& layer, const AlignedLayer& aligned,
                   const StabilitySettings& s) {
    const FeedbackLayer& f = layer.feedback;
    const AlignmentSettings one = per_position(s, f.projection->positions());
    const double rule_noise =
        estimation_variance(one.rate, one.coefficients.decay, one.noise, one.momentum) *
        static_cast<double>(f.weight.size()) / f.weight.squaredNorm();
    const bool on_noise = !s.engaged || layer.inputs.size() == 0;
    switch (one.rule) {
    case AlignmentRule::kp:
    case AlignmentRule::sa:
        return rule_noise;
    case AlignmentRule::wm:
    case AlignmentRule::ia: {
        if (!on_noise) return rule_noise;
        if (is_rectified(layer, s))
            return rectified_noise_power(one, f.weight, f.bias) / f.weight.squaredNorm() +
                   rule_noise;
        if (layer.noise_share.size() > 0 && one.rule == AlignmentRule::wm) {
            const Taper taper{Eigen::Map<const Vector>(f.taper.data(), f.taper.size()),
                              layer.noise_share};
            const double nsr =
                noise_floor(one, static_cast<double>(aligned.inputs),
                            aligned.bias_power / f.weight.squaredNorm() / std::pow(one.stddev, 2));
            const bool compensated = s.options.compensate;
            return std::pow(feedback_scale(one), 2) *
                       (std::pow(tapered_alignment(taper, nsr, compensated).norm_ratio, 2) -
                        std::pow(tapered_alignment(taper, 0, compensated).norm_ratio, 2)) +
                   rule_noise;
        }
        if (is_sampled_convolution(layer, s)) return rule_noise;
        const Vector mean = aligned_values(one, aligned.s);
        return stationary_moments(one, aligned).power -
               mean.squaredNorm() / aligned.s.squaredNorm();
    }
    case AlignmentRule::aa:
    case AlignmentRule::fa:
        break;
    }
    return 0;
}

void find_end(const NetworkLayer& layer, Index number, const AlignmentSystem& system,
              const AlignedLayer& aligned, const StabilitySettings& s, LayerStability& found) {
    const Matrix& w = layer.feedback.weight;
    found.feedback = end_of(layer, system, s);
    found.structural_angle = angle_between(w, found.feedback);
    found.sampling_power = found.sampling_error = kNaN;
    double power = found.feedback.squaredNorm() / w.squaredNorm() + noise_power(layer, aligned, s);
    if (is_sampled_convolution(layer, s)) {
        const SampledPower drawn =
            sampling_power(layer.feedback, s.alignment, s.options, system, found.feedback, s.draws,
                           {s.seed, number, -1, s.draws, s.start_ratio, nullptr});
        found.sampling_power = drawn.value / w.squaredNorm();
        found.sampling_error = drawn.error / w.squaredNorm();
        power += found.sampling_power;
    }
    found.norm_ratio = std::sqrt(power);
    const double overlap = w.cwiseProduct(found.feedback).sum() / w.squaredNorm();
    found.angle = AlignmentMoments{overlap, power}.angle();
    const linalg::Svd svd = linalg::thin_svd(w);
    found.feedback_values = (svd.u.transpose() * found.feedback * svd.v).diagonal();
    found.loop_gain = found.feedback_values.cwiseProduct(svd.s);
}

// |W - B| of kp over its start.
Vector difference_curve(const AlignmentSettings& s, Index steps) {
    Vector left(steps + 1);
    double before = 1, now = 1;
    for (Index t = 0; t <= steps; ++t) {
        left(t) = std::abs(now);
        const double next =
            (1 + s.momentum - s.rate * s.coefficients.decay) * now - s.momentum * before;
        before = now;
        now = next;
    }
    return left;
}

void find_curves(const NetworkLayer& layer, const AlignedLayer& aligned, const StabilitySettings& s,
                 LayerStability& found) {
    const Index positions = layer.feedback.projection->positions();
    const AlignmentSettings one = per_position(s, positions);
    if (one.rule == AlignmentRule::kp) {
        if (one.noise == 0) found.difference_curve = difference_curve(one, s.steps);
        return;
    }
    const bool on_noise = !s.engaged || layer.inputs.size() == 0;
    const bool tapered = layer.feedback.taper.size() > 0 && one.rule != AlignmentRule::sa;
    const bool moves_modes =
        one.coefficients.null > 0 && (positions > 1 || layer.feedback.bias.size() > 0);
    if ((!on_noise && one.rule != AlignmentRule::sa) || tapered || moves_modes ||
        is_rectified(layer, s))
        return;
    MomentRecursion recursion(one, aligned, s.start_ratio);
    found.angle_curve.resize(s.steps + 1);
    found.norm_ratio_curve.resize(s.steps + 1);
    for (Index t = 0; t <= s.steps; ++t) {
        found.angle_curve(t) = recursion.moments().angle();
        found.norm_ratio_curve(t) = recursion.moments().norm_ratio();
        recursion.step();
    }
}

DrawnCurve curve_of(const Matrix& runs) {
    DrawnCurve curve{runs.rowwise().mean(), Vector(runs.rows())};
    const auto count = static_cast<double>(runs.cols());
    curve.error =
        ((runs.colwise() - curve.mean).rowwise().squaredNorm() / (count * (count - 1))).cwiseSqrt();
    return curve;
}

void draw_runs(const NetworkLayer& layer, Index number, const StabilitySettings& s,
               const Execution& run, LayerStability& found) {
    Matrix angles(s.steps + 1, s.repeats), ratios = angles, differences = angles;
    AlignmentOptions options = s.options;
    const bool engaged = s.engaged && layer.inputs.size() > 0;
    if (engaged) options.compensate = false;
    parallel_blocks(s.repeats, run.threads, [&](Index repeat) {
        run.monitor->stop_if_interrupted();
        const AlignmentTrace trace = simulate_alignment(
            layer.feedback, s.alignment, options,
            {s.seed, number, repeat, s.steps, s.start_ratio, engaged ? &layer.inputs : nullptr});
        angles.col(repeat) = trace.angle;
        ratios.col(repeat) = trace.norm_ratio;
        differences.col(repeat) = trace.difference;
    });
    found.angle_drawn = curve_of(angles);
    found.norm_ratio_drawn = curve_of(ratios);
    if (s.alignment.rule == AlignmentRule::kp) found.difference_drawn = curve_of(differences);
}

void find_limits(const NetworkLayer& layer, Index number, const AlignmentSystem& system,
                 const AlignedLayer& aligned, const StabilitySettings& s, LayerStability& found) {
    const AlignmentSettings& a = s.alignment;
    found.curvature = a.coefficients.decay;
    if (a.coefficients.null > 0 || a.coefficients.sparse > 0) {
        const LargestCurvature largest =
            largest_curvature(system, s.seed + static_cast<std::uint64_t>(number));
        found.curvature = largest.value;
        found.curvature_residual = largest.residual;
    }
    found.eta_critical = critical_rate(found.curvature, a.momentum);
    const bool drawn = a.rule == AlignmentRule::ia && (!s.engaged || layer.inputs.size() == 0) &&
                       layer.feedback.projection->positions() == 1;
    found.eta_critical_mean_square =
        drawn ? mean_square_critical_rate(a, std::pow(a.stddev, 2) * aligned.s.cwiseAbs2()) : kNaN;
}

} // namespace

LayerStability study_layer(const NetworkLayer& layer, Index number,
                           const StabilitySettings& settings, const Execution& run) {
    StabilitySettings s = settings;
    s.alignment.rectified = is_rectified(layer, settings); // in theory and drawn runs alike
    const FeedbackLayer& f = layer.feedback;
    if (!(f.weight.norm() > 0)) throw Error("layer '" + f.name + "': all weights are 0");
    const Phase phase(*run.monitor, "layer " + f.name);
    LayerStability found;
    found.name = f.name;
    found.outputs = f.projection->outputs();
    found.inputs = f.projection->inputs();
    found.positions = f.projection->positions();
    found.lambda_xx = found.lambda_yy = found.lambda_xx_least = kNaN;
    if (layer.inputs.size() > 0) {
        found.lambda_xx = largest_moment(layer, {0, 0, 0, 1, 0}, s, number, run);
        found.lambda_yy = largest_moment(layer, {0, 0, 1, 0, 0}, s, number, run);
    }
    find_slowest(layer, s, run, found);
    const AlignedLayer aligned{linalg::thin_svd(f.weight).s, found.outputs, found.inputs,
                               f.bias.squaredNorm()};
    found.singular_values = aligned.s;
    const AlignmentSystem system = system_of(layer, number, s, run);
    find_limits(layer, number, system, aligned, s, found);
    found.taper_angle =
        f.taper.size() > 0 ? angle_between(f.weight, f.taper.cwiseProduct(f.weight)) : 0;
    found.rectified_angle =
        f.bias.size() > 0
            ? angle_between(f.weight,
                            rectified_scales(f.weight, f.bias, s.alignment.stddev).asDiagonal() *
                                f.weight)
            : kNaN;
    if (has_end(s.alignment.rule)) {
        find_end(layer, number, system, aligned, s, found);
        find_curves(layer, aligned, s, found);
        if (s.repeats > 0) draw_runs(layer, number, s, run, found);
    } else {
        found.angle = found.structural_angle = found.norm_ratio = kNaN;
        found.sampling_power = found.sampling_error = kNaN;
        found.feedback_values = found.loop_gain = Vector::Constant(aligned.s.size(), kNaN);
    }
    return found;
}

std::vector<NetworkLayer> drawn_layers(const std::vector<Index>& widths, std::uint64_t seed) {
    std::vector<Index> all = widths;
    if (all.size() == 1) all.push_back(all[0]);
    const Random random(seed, "lindyn/stability/weights");
    std::vector<NetworkLayer> layers;
    for (std::size_t i = all.size() > 2 ? 1 : 0; i + 1 < all.size(); ++i) {
        NetworkLayer layer;
        layer.feedback.name = concat("layer", i + 1);
        layer.feedback.projection = std::make_shared<DenseProjection>(all[i + 1], all[i]);
        Matrix& w = layer.feedback.weight;
        w.resize(all[i + 1], all[i]);
        for (Index k = 0; k < w.size(); ++k)
            w.data()[k] = std::sqrt(2 / static_cast<double>(all[i])) *
                          random.normal(static_cast<std::uint64_t>(k), {i, 0, 0});
        layers.push_back(std::move(layer));
    }
    return layers;
}

NetworkLayer diagonal_layer(const std::vector<double>& singular_values) {
    const auto size = static_cast<Index>(singular_values.size());
    NetworkLayer layer;
    layer.feedback.name = "layer1";
    layer.feedback.projection = std::make_shared<DenseProjection>(size, size);
    layer.feedback.weight = Matrix::Zero(size, size);
    layer.feedback.weight.diagonal() = Eigen::Map<const Vector>(singular_values.data(), size);
    return layer;
}

} // namespace assay::lindyn
