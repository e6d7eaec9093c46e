#include <assay/fixedpoints/attractor.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/principal.hpp>
#include <assay/fixedpoints/starts.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::fixedpoints {
namespace {

constexpr Index kApproachBlock = 256; // states that one thread runs together
constexpr double kFarFromMean = 0.05; // of the mean norm of a token
constexpr Index kInsideAxes = 3;

Index valid_count(const Trajectories& trajectories) {
    return std::accumulate(trajectories.lengths.begin(), trajectories.lengths.end(), Index{0});
}

double relative_speed(double moved, double size) {
    if (size > 0) return moved / size;
    return moved > 0 ? std::numeric_limits<double>::infinity() : moved;
}

// Speeds of every step (steps x starts) from those rows of states.
Matrix speeds_from(const Dynamics& dynamics, const RowMatrix& input, RowMatrix states,
                   Index steps) {
    Matrix speeds(steps, states.rows());
    for (Index t = 0; t < steps; ++t) {
        RowMatrix next = dynamics.step(input, states);
        for (Index b = 0; b < states.rows(); ++b)
            speeds(t, b) =
                relative_speed((next.row(b) - states.row(b)).norm(), states.row(b).norm());
        states = std::move(next);
    }
    return speeds;
}

// |projection of a fixed unit vector| on a random subspace of `span` dimensions of R^size, rising:
// its square is chi2(span) / (chi2(span) + chi2(size - span)).
Vector null_alignments(Index size, Index span, Index draws, std::uint64_t seed) {
    const Random random(seed, "fixedpoints/attractor/null");
    Vector found(draws);
    const double inside = 0.5 * static_cast<double>(span);
    const double outside = 0.5 * static_cast<double>(size - span);
    for (Index i = 0; i < draws; ++i) {
        const auto index = static_cast<std::uint64_t>(i), of = static_cast<std::uint64_t>(span);
        const double a = random.gamma(inside, index, {of, 0, 0});
        const double b = outside > 0 ? random.gamma(outside, index, {of, 1, 0}) : 0.0;
        found(i) = std::sqrt(a / (a + b));
    }
    std::sort(found.data(), found.data() + draws);
    return found;
}

double p_value(const Vector& null, double alignment) {
    const auto* end = null.data() + null.size();
    const auto beyond = end - std::lower_bound(null.data(), end, alignment);
    return static_cast<double>(1 + beyond) / static_cast<double>(1 + null.size());
}

// An orthonormal basis of the real and imaginary part of an eigenvector (S x 2).
Matrix real_plane(const ComplexVector& r) {
    Matrix basis(r.size(), 2);
    basis.col(0) = r.real().normalized();
    basis.col(1) = r.imag() - basis.col(0) * basis.col(0).dot(r.imag());
    basis.col(1).normalize();
    return basis;
}

} // namespace

Dimensionality dimensionality(const RowMatrix& rows, const Execution& run) {
    auto components = principal_components(rows, run);
    Dimensionality found;
    found.samples = rows.rows();
    found.mean = std::move(components.mean);
    found.variances = std::move(components.variances);
    found.axes = std::move(components.axes);
    const double sum = found.variances.sum();
    found.ratios = sum > 0 ? Vector(found.variances / sum) : Vector::Zero(rows.cols());
    if (sum > 0) found.participation_ratio = 1 / found.ratios.squaredNorm();
    return found;
}

Dimensionality dimensionality(const Trajectories& trajectories, const Execution& run) {
    const bool padded = valid_count(trajectories) != trajectories.states.rows();
    return dimensionality(padded ? valid_states(trajectories) : trajectories.states, run);
}

Approach approach_speeds(const Dynamics& dynamics, const Trajectories& trajectories,
                         const RowMatrix& input, const ApproachOptions& options,
                         const Execution& run) {
    const auto rows = valid_steps(trajectories);
    if (rows.empty()) throw Error("no valid states to start from");
    if (options.starts < 1 || options.steps < 1)
        throw Error(
            concat(options.starts, " starts of ", options.steps, " steps: both must be >= 1"));
    const Random random(options.seed, "fixedpoints/attractor/approach");
    const Blocks blocks{options.starts, kApproachBlock};
    Matrix speeds(options.steps, options.starts);
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        const Index first = blocks.begin(block), count = blocks.extent(block);
        RowMatrix states(count, dynamics.state_size());
        for (Index b = 0; b < count; ++b)
            states.row(b) = trajectories.states.row(
                rows[random.below(rows.size(), static_cast<std::uint64_t>(first + b))]);
        speeds.middleCols(first, count) =
            speeds_from(dynamics, input, std::move(states), options.steps);
    });
    Approach approach;
    approach.levels = options.levels;
    approach.speed.resize(options.steps, options.levels.size());
    for (Index t = 0; t < options.steps; ++t)
        approach.speed.row(t) = quantiles(speeds.row(t).transpose(), options.levels).transpose();
    return approach;
}

InputOffset input_offset(const RowMatrix& inputs, const Eigen::RowVectorXd& constant) {
    if (inputs.rows() == 0) throw Error("no inputs to compare the constant input with");
    if (inputs.cols() != constant.size())
        throw Error(concat("a constant input of ", constant.size(), " numbers, the inputs have ",
                           inputs.cols()));
    InputOffset offset;
    offset.mean = inputs.colwise().mean().transpose();
    offset.mean_norm = offset.mean.norm();
    offset.token_norm = inputs.rowwise().norm().mean();
    offset.distance = (offset.mean - constant.transpose()).norm();
    if (offset.distance > kFarFromMean * offset.token_norm)
        offset.warning = concat("the constant input lies ", significant(offset.distance, 3),
                                " from the mean input, ",
                                significant(100 * offset.distance / offset.token_norm, 3),
                                "% of an input's mean norm: points at the mean may differ");
    return offset;
}

Vector readout_direction(const Dynamics& dynamics, const RowMatrix& states, Index output) {
    if (output < 0 || output >= dynamics.outputs())
        throw Error(
            concat("readout ", output, ": the network has ", dynamics.outputs(), " outputs"));
    if (states.rows() == 0) throw Error("no states to take the readout's gradient at");
    return dynamics.readout_jacobian(states.colwise().mean()).row(output).transpose();
}

Axis attractor_axis(const RowMatrix& points, const Vector& readout, const Dimensionality& states,
                    const Execution& run) {
    if (points.rows() < 2) throw Error(concat(points.rows(), " points: an axis takes two"));
    if (readout.size() != points.cols() || states.axes.rows() != points.cols())
        throw Error(concat("points of ", points.cols(), " dimensions, a readout of ",
                           readout.size(), ", states of ", states.axes.rows()));
    const Dimensionality cloud = dimensionality(points, run);
    if (!(cloud.variances.sum() > 0)) throw Error("all points are equal: no axis");
    Axis axis;
    axis.direction = cloud.axes.col(0);
    if (axis.direction.dot(readout) < 0) axis.direction *= -1;
    axis.dot_readout = axis.direction.dot(readout);
    if (readout.norm() > 0) axis.cosine = axis.dot_readout / readout.norm();
    axis.variance = cloud.ratios(0);
    // Variance along direction u is the sum over principal axes a of ratio_a (a . u)^2.
    const Index inside = std::min(kInsideAxes, states.axes.cols());
    const Vector along =
        (states.axes.leftCols(inside).transpose() * cloud.axes).cwiseAbs2() * cloud.ratios;
    axis.inside_states.resize(inside);
    std::partial_sum(along.data(), along.data() + inside, axis.inside_states.data());
    return axis;
}

RealModes real_modes(const std::vector<EigenSystem>& systems, const Vector& axis, Index mode) {
    const auto count = static_cast<Index>(systems.size());
    RealModes modes;
    modes.right.resize(count, axis.size());
    modes.left.resize(count, axis.size());
    for (Index p = 0; p < count; ++p) {
        const EigenSystem& system = systems[static_cast<std::size_t>(p)];
        if (mode < 0 || mode >= system.right.cols())
            throw Error(concat("mode ", mode, ": point ", p, " has ", system.right.cols()));
        if (system.right.rows() != axis.size())
            throw Error(
                concat("modes of ", system.right.rows(), " dimensions, an axis of ", axis.size()));
        const ComplexVector r = system.right.col(mode);
        const ComplexVector l = system.left.row(mode).transpose();
        const bool pair = system.values(mode).imag() != 0;
        modes.pair.push_back(pair ? 1 : 0);
        if (!pair) {
            const double sign = r.real().dot(axis) < 0 ? -1 : 1;
            modes.right.row(p) = sign * r.real().transpose();
            modes.left.row(p) = sign * l.real().transpose();
            continue;
        }
        const Matrix plane = real_plane(r);
        const Vector nearest = plane * (plane.transpose() * axis);
        const Vector right = nearest.norm() > 0 ? Vector(nearest.normalized()) : plane.col(0);
        const std::complex<double> along = (right.transpose() * r)(0);
        modes.right.row(p) = right.transpose();
        modes.left.row(p) = 2 * (along * l).real().transpose();
    }
    return modes;
}

Alignment align(const RealModes& modes, const Vector& axis, const Vector& readout, Index draws,
                std::uint64_t seed) {
    if (draws < 1) throw Error(concat("--null ", draws, ": must be >= 1"));
    Alignment found;
    found.axis = modes.right * axis;
    found.readout = modes.right * readout;
    found.median = quantiles(found.axis, Vector::Constant(1, 0.5))(0);
    found.null = null_alignments(axis.size(), 1, draws, seed);
    found.null_levels = (Vector(3) << 0.5, 0.95, 0.99).finished();
    found.null_quantiles = quantiles(found.null, found.null_levels);
    const bool pairs = std::find(modes.pair.begin(), modes.pair.end(), 1) != modes.pair.end();
    const Vector planes = pairs ? null_alignments(axis.size(), 2, draws, seed) : Vector();
    found.p_values.resize(modes.count());
    for (Index p = 0; p < modes.count(); ++p)
        found.p_values(p) = p_value(
            modes.pair[static_cast<std::size_t>(p)] == 1 ? planes : found.null, found.axis(p));
    return found;
}

} // namespace assay::fixedpoints
