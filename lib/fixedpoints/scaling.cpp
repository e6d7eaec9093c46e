#include <assay/fixedpoints/scaling.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/pca.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace assay::fixedpoints {
namespace {

void check_distances(const Matrix& distances) {
    if (distances.rows() != distances.cols() || distances.size() == 0)
        throw Error(
            concat("distances of ", distances.rows(), " x ", distances.cols(), ", must be square"));
    const double tolerance = 1e-9 * distances.cwiseAbs().maxCoeff();
    for (Index j = 0; j < distances.cols(); ++j)
        for (Index i = 0; i <= j; ++i) {
            const double d = distances(i, j);
            if (!std::isfinite(d) || !std::isfinite(distances(j, i)))
                throw Error(concat("the distance at [", i, ",", j,
                                   "] is missing or not finite: merge all shards first"));
            if (d < 0 || (i == j && d != 0) || std::abs(d - distances(j, i)) > tolerance)
                throw Error(concat("the distance at [", i, ",", j, "] is ", shortest(d), ", [", j,
                                   ",", i, "] ", shortest(distances(j, i)),
                                   ": must be symmetric, not negative, 0 on the diagonal"));
        }
}

void check_dims(Index dims) {
    if (dims < 1) throw Error(concat("scaling to ", dims, " dimensions: must be at least 1"));
}

// Distances of all rows to one.
Vector distances_to(const RowMatrix& points, Index row) {
    return (points.rowwise() - points.row(row)).rowwise().norm();
}

struct GuttmanStep {
    RowMatrix moved;
    double stress = 0; // of the points before they moved
};

// X <- B(X) X / M with B_ij = -delta_ij / d_ij off the diagonal and rows of sum 0 (equation 8.28 of
// Borg and Groenen); 0 where two points coincide.
GuttmanStep guttman_step(const Matrix& distances, const RowMatrix& points) {
    GuttmanStep step;
    step.moved.resize(points.rows(), points.cols());
    for (Index j = 0; j < points.rows(); ++j) {
        const Vector now = distances_to(points, j);
        step.stress += (now - distances.col(j)).head(j).squaredNorm();
        const Vector weights = (now.array() > 0).select(distances.col(j).cwiseQuotient(now), 0.0);
        step.moved.row(j) = weights.sum() * points.row(j) - weights.transpose() * points;
    }
    step.moved /= static_cast<double>(points.rows());
    return step;
}

// Rotated to principal axes, which leaves all distances.
RowMatrix along_principal_axes(const RowMatrix& points) {
    RowMatrix turned = RowMatrix::Zero(points.rows(), points.cols());
    const linalg::Pca pca = linalg::principal_components(points, points.cols());
    turned.leftCols(pca.components.cols()) = pca.project(points);
    return turned;
}

// Normal coordinates whose mean squared distance is that of the data.
RowMatrix random_coordinates(const Matrix& distances, Index dims, Index start, std::uint64_t seed) {
    const Random random(seed, "fixedpoints/smacof/start");
    const double scale =
        std::sqrt(distances.squaredNorm() / (2 * static_cast<double>(dims * distances.size())));
    RowMatrix points(distances.rows(), dims);
    for (Index i = 0; i < points.size(); ++i)
        points.data()[i] = scale * random.normal(static_cast<std::uint64_t>(i),
                                                 {static_cast<std::uint64_t>(start)});
    return points;
}

Scaling majorise(const Matrix& distances, RowMatrix points, const SmacofOptions& options) {
    Scaling scaling;
    const double scale = distances.squaredNorm() / 2; // sum over i < j
    GuttmanStep step = guttman_step(distances, points);
    for (; scaling.iterations < options.iterations; ++scaling.iterations) {
        GuttmanStep next = guttman_step(distances, step.moved);
        const double decrease = step.stress - next.stress;
        if (!(decrease > 0)) break;
        points = std::move(step.moved);
        step = std::move(next);
        if (decrease <= options.tolerance * (step.stress + options.tolerance * scale)) break;
    }
    scaling.stress = step.stress;
    scaling.coordinates = along_principal_axes(points);
    scaling.normalised_stress = scale > 0 ? std::sqrt(scaling.stress / scale) : 0;
    scaling.stress_of_starts = Vector::Constant(1, scaling.stress);
    return scaling;
}

} // namespace

ClassicalScaling classical_scaling(const Matrix& distances, Index dims) {
    check_distances(distances);
    check_dims(dims);
    Matrix centred = distances.cwiseAbs2() / -2;
    centred.rowwise() -= centred.colwise().mean().eval();
    centred.colwise() -= centred.rowwise().mean().eval();
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(centred);
    ClassicalScaling scaling;
    scaling.eigenvalues = solver.eigenvalues().reverse();
    const double moduli = scaling.eigenvalues.cwiseAbs().sum();
    if (moduli > 0) scaling.negative_share = -scaling.eigenvalues.cwiseMin(0.0).sum() / moduli;
    const Index kept = std::min(dims, distances.rows());
    RowMatrix points = RowMatrix::Zero(distances.rows(), dims);
    points.leftCols(kept) = solver.eigenvectors().rightCols(kept).rowwise().reverse() *
                            scaling.eigenvalues.head(kept).cwiseMax(0.0).cwiseSqrt().asDiagonal();
    scaling.coordinates = along_principal_axes(points);
    return scaling;
}

Scaling smacof_from(const Matrix& distances, const RowMatrix& start, const SmacofOptions& options) {
    check_distances(distances);
    check_dims(start.cols());
    if (start.rows() != distances.rows())
        throw Error(concat("scaling: a start of ", start.rows(), " points for ", distances.rows(),
                           " networks"));
    return majorise(distances, start, options);
}

Scaling smacof(const Matrix& distances, Index dims, const SmacofOptions& options,
               const Execution& run) {
    return smacof(distances, classical_scaling(distances, dims), options, run);
}

Scaling smacof(const Matrix& distances, const ClassicalScaling& classical,
               const SmacofOptions& options, const Execution& run) {
    check_distances(distances);
    const RowMatrix& first = classical.coordinates;
    const Index starts = std::max<Index>(options.starts, 1);
    std::vector<Scaling> found(static_cast<std::size_t>(starts));
    parallel_blocks(starts, run.threads, [&](Index start) {
        run.monitor->stop_if_interrupted();
        found[static_cast<std::size_t>(start)] = majorise(
            distances,
            start == 0 ? first : random_coordinates(distances, first.cols(), start, options.seed),
            options);
    });
    Vector stress(starts);
    for (Index start = 0; start < starts; ++start)
        stress(start) = found[static_cast<std::size_t>(start)].stress;
    Index best = 0;
    stress.minCoeff(&best);
    Scaling scaling = std::move(found[static_cast<std::size_t>(best)]);
    scaling.best_start = best;
    scaling.stress_of_starts = stress;
    return scaling;
}

namespace {

// Labels as numbers, one of each network.
struct Grouping {
    std::vector<Index> group;
    Vector sizes;
};

// One column for each group, 1 where a network belongs to it.
Matrix membership(const Grouping& grouping) {
    Matrix members = Matrix::Zero(static_cast<Index>(grouping.group.size()), grouping.sizes.size());
    for (std::size_t i = 0; i < grouping.group.size(); ++i)
        members(static_cast<Index>(i), grouping.group[i]) = 1;
    return members;
}

double ratio(double sum, double count) {
    return count > 0 ? sum / count : kNaN;
}

// Of one network from the sums of its distances to each group.
double silhouette_of(const Eigen::Ref<const Eigen::RowVectorXd>& sums, Index own,
                     const Vector& sizes) {
    if (sizes(own) < 2) return 0;
    const double inside = sums(own) / (sizes(own) - 1);
    double nearest = std::numeric_limits<double>::infinity();
    for (Index g = 0; g < sizes.size(); ++g)
        if (g != own) nearest = std::min(nearest, sums(g) / sizes(g));
    const double larger = std::max(inside, nearest);
    return larger > 0 ? (nearest - inside) / larger : 0;
}

struct Separation {
    double within = 0, between = 0, silhouette = 0;
};

// From sums (M x G) of each network's distances to each group.
Separation separation_of(const Matrix& sums, const Grouping& grouping) {
    double within = 0, silhouettes = 0;
    for (Index i = 0; i < sums.rows(); ++i) {
        const Index own = grouping.group[static_cast<std::size_t>(i)];
        within += sums(i, own);
        silhouettes += silhouette_of(sums.row(i), own, grouping.sizes);
    }
    const auto networks = static_cast<double>(sums.rows());
    const double squares = grouping.sizes.squaredNorm();
    Separation separation;
    separation.within = ratio(within, squares - networks);
    separation.between = ratio(sums.sum() - within, networks * networks - squares);
    separation.silhouette = grouping.sizes.size() < 2 ? kNaN : silhouettes / networks;
    return separation;
}

Matrix mean_distances(const Matrix& sums, const Grouping& grouping) {
    const Vector& sizes = grouping.sizes;
    Matrix mean = membership(grouping).transpose() * sums;
    for (Index g = 0; g < mean.rows(); ++g)
        for (Index h = 0; h < mean.cols(); ++h)
            mean(g, h) = ratio(mean(g, h), sizes(g) * (g == h ? sizes(g) - 1 : sizes(h)));
    return mean;
}

// The part of permuted values that reach the observed one; equal up to rounding counts.
double permutation_p(double observed, const Vector& permuted) {
    if (std::isnan(observed)) return kNaN;
    const double lowest = observed - 1e-12 * std::max(1.0, std::abs(observed));
    return static_cast<double>(1 + (permuted.array() >= lowest).count()) /
           static_cast<double>(1 + permuted.size());
}

} // namespace

GroupStatistics group_statistics(const Matrix& distances, const std::vector<std::string>& labels,
                                 const GroupOptions& options, const Execution& run) {
    check_distances(distances);
    if (static_cast<Index>(labels.size()) != distances.rows())
        throw Error(concat(labels.size(), " labels for ", distances.rows(), " networks"));
    std::map<std::string, Index> numbers;
    for (const auto& label : labels) ++numbers[label];
    GroupStatistics statistics;
    Grouping grouping;
    grouping.sizes.resize(static_cast<Index>(numbers.size()));
    for (auto& [label, number] : numbers) {
        const auto next = static_cast<Index>(statistics.groups.size());
        statistics.groups.push_back(label);
        statistics.sizes.push_back(number);
        grouping.sizes(next) = static_cast<double>(number);
        number = next;
    }
    for (const auto& label : labels) grouping.group.push_back(numbers.at(label));

    const Matrix sums = distances * membership(grouping);
    const Separation observed = separation_of(sums, grouping);
    statistics.mean_distance = mean_distances(sums, grouping);
    statistics.within = observed.within;
    statistics.between = observed.between;
    statistics.silhouette = observed.silhouette;

    const Random random(options.seed, "fixedpoints/groups/permutation");
    Vector separations(options.permutations), silhouettes(options.permutations);
    parallel_blocks(options.permutations, run.threads, [&](Index p) {
        const auto order = random.permutation(distances.rows(), {static_cast<std::uint64_t>(p)});
        Grouping permuted = grouping;
        for (std::size_t i = 0; i < order.size(); ++i)
            permuted.group[i] = grouping.group[static_cast<std::size_t>(order[i])];
        const Separation by_chance = separation_of(distances * membership(permuted), permuted);
        separations(p) = by_chance.between - by_chance.within;
        silhouettes(p) = by_chance.silhouette;
    });
    statistics.p_separation = permutation_p(observed.between - observed.within, separations);
    statistics.p_silhouette = permutation_p(observed.silhouette, silhouettes);
    return statistics;
}

} // namespace assay::fixedpoints
