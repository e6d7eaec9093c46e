#include <assay/fixedpoints/coordinate.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SparseCholesky>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

namespace assay::fixedpoints {
namespace {

constexpr Index kPointBlock = 64;
using Links = std::vector<std::vector<Index>>;

Vector squared_distances(const RowMatrix& points, Index from) {
    return (points.rowwise() - points.row(from)).rowwise().squaredNorm();
}

// --- locally linear embedding ---

// The nearest other points of every point, nearest first, ties by row.
Links nearest_neighbors(const RowMatrix& points, Index neighbors, const Execution& run) {
    Links links(static_cast<std::size_t>(points.rows()));
    const Blocks blocks{points.rows(), kPointBlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        for (Index p = blocks.begin(block); p < blocks.begin(block) + blocks.extent(block); ++p) {
            const Vector distance = squared_distances(points, p);
            std::vector<Index> others;
            for (Index i = 0; i < points.rows(); ++i)
                if (i != p) others.push_back(i);
            std::partial_sort(
                others.begin(), others.begin() + neighbors, others.end(), [&](Index a, Index b) {
                    return std::make_pair(distance(a), a) < std::make_pair(distance(b), b);
                });
            others.resize(static_cast<std::size_t>(neighbors));
            links[static_cast<std::size_t>(p)] = std::move(others);
        }
    });
    return links;
}

bool connected(const Links& links) {
    Links both = links;
    for (std::size_t p = 0; p < links.size(); ++p)
        for (const Index q : links[p])
            both[static_cast<std::size_t>(q)].push_back(static_cast<Index>(p));
    std::vector<bool> reached(links.size(), false);
    std::vector<std::size_t> open{0};
    reached[0] = true;
    std::size_t count = 1;
    while (!open.empty()) {
        const std::size_t p = open.back();
        open.pop_back();
        for (const Index q : both[p]) {
            const auto next = static_cast<std::size_t>(q);
            if (reached[next]) continue;
            reached[next] = true;
            ++count;
            open.push_back(next);
        }
    }
    return count == links.size();
}

// Weights of sum 1 that make a point from its neighbours, the Gram matrix of the differences
// regularised by a fraction of its trace.
Vector reconstruction_weights(const RowMatrix& points, Index p, const std::vector<Index>& neighbors,
                              double regularisation) {
    RowMatrix difference(static_cast<Index>(neighbors.size()), points.cols());
    for (std::size_t i = 0; i < neighbors.size(); ++i)
        difference.row(static_cast<Index>(i)) = points.row(neighbors[i]) - points.row(p);
    Matrix gram = difference * difference.transpose();
    const double trace = gram.trace();
    gram.diagonal().array() += trace > 0 ? regularisation * trace : 1;
    const Vector weights = gram.ldlt().solve(Vector::Ones(gram.rows()));
    return weights / weights.sum();
}

// M = (I - W)^T (I - W), whose null vector is constant.
SparseMatrix embedding_matrix(const RowMatrix& points, const Links& neighbors,
                              double regularisation, const Execution& run) {
    std::vector<Vector> weights(neighbors.size());
    parallel_blocks(points.rows(), run.threads, [&](Index p) {
        const auto row = static_cast<std::size_t>(p);
        weights[row] = reconstruction_weights(points, p, neighbors[row], regularisation);
    });
    std::vector<Eigen::Triplet<double, std::int64_t>> entries;
    for (std::size_t p = 0; p < neighbors.size(); ++p) {
        entries.emplace_back(p, p, 1.0);
        for (std::size_t i = 0; i < neighbors[p].size(); ++i)
            entries.emplace_back(p, neighbors[p][i], -weights[p](static_cast<Index>(i)));
    }
    SparseMatrix residual(points.rows(), points.rows());
    residual.setFromTriplets(entries.begin(), entries.end());
    return residual.transpose() * residual;
}

// The eigenvector of the smallest eigenvalue but that of the constant, by inverse subspace
// iteration beside the constant vector; the few next ones come along and make it converge quickly.
std::optional<Vector> bottom_eigenvector(const SparseMatrix& m) {
    constexpr Index kBlock = 4;
    constexpr int kMost = 300;
    constexpr double kShift = 1e-13, kConverged = 1e-10;
    const Index size = m.rows(), block = std::min(kBlock, size - 1);
    const double shift = kShift * m.diagonal().sum() / static_cast<double>(size);
    SparseMatrix shifted = m;
    for (Index i = 0; i < size; ++i) shifted.coeffRef(i, i) += shift;
    const Eigen::SimplicialLDLT<SparseMatrix> factor(shifted);
    if (factor.info() != Eigen::Success) return std::nullopt;
    // Cosines over the rows: fixed, independent, smooth where rows follow the line.
    Matrix vectors(size, block);
    for (Index j = 0; j < block; ++j)
        for (Index i = 0; i < size; ++i)
            vectors(i, j) = std::cos(static_cast<double>((j + 1) * (2 * i + 1)) * kPi /
                                     static_cast<double>(2 * size));
    const auto orthonormal = [&](Matrix v) {
        v.rowwise() -= v.colwise().mean().eval();
        return Matrix(Eigen::HouseholderQR<Matrix>(v).householderQ() *
                      Matrix::Identity(size, block));
    };
    vectors = orthonormal(vectors);
    Vector last = vectors.col(0);
    for (int iteration = 0; iteration < kMost; ++iteration) {
        const Matrix solved = orthonormal(factor.solve(vectors));
        // Ritz vectors of the inverse: its largest values are what M has smallest.
        const Matrix inverse = solved.transpose() * factor.solve(solved);
        const Eigen::SelfAdjointEigenSolver<Matrix> ritz(0.5 * (inverse + inverse.transpose()));
        vectors = solved * ritz.eigenvectors().rowwise().reverse();
        const Vector first = vectors.col(0);
        const double moved = std::min((first - last).norm(), (first + last).norm());
        if (moved < kConverged) return first;
        last = first;
    }
    return std::nullopt;
}

struct LineEmbedding {
    Vector theta;
    std::string fault; // why there is none
};

LineEmbedding locally_linear(const RowMatrix& points, const CoordinateOptions& options,
                             const Execution& run) {
    const Index neighbors = std::min(options.neighbors, points.rows() - 1);
    const Links links = nearest_neighbors(points, neighbors, run);
    if (!connected(links))
        return {{}, concat("the ", neighbors, " nearest neighbours do not connect all points")};
    const auto theta =
        bottom_eigenvector(embedding_matrix(points, links, options.regularisation, run));
    if (!theta) return {{}, "the embedding did not converge"};
    return {*theta, {}};
}

// --- the longest path of the minimum spanning tree ---

struct Link {
    Index to;
    double length;
};
using Tree = std::vector<std::vector<Link>>;

// Prim's algorithm, O(P^2 S), without the matrix of distances.
Tree minimum_spanning_tree(const RowMatrix& points) {
    const Index count = points.rows();
    Tree tree(static_cast<std::size_t>(count));
    std::vector<bool> inside(static_cast<std::size_t>(count), false);
    std::vector<Index> parent(static_cast<std::size_t>(count), -1);
    Vector distance = Vector::Constant(count, std::numeric_limits<double>::infinity());
    Index added = 0;
    for (Index step = 0; step + 1 < count; ++step) {
        inside[static_cast<std::size_t>(added)] = true;
        const Vector from = squared_distances(points, added);
        Index next = -1;
        for (Index i = 0; i < count; ++i) {
            const auto row = static_cast<std::size_t>(i);
            if (inside[row]) continue;
            if (from(i) < distance(i)) {
                distance(i) = from(i);
                parent[row] = added;
            }
            if (next < 0 || distance(i) < distance(next)) next = i;
        }
        const Index origin = parent[static_cast<std::size_t>(next)];
        const double length = std::sqrt(distance(next));
        tree[static_cast<std::size_t>(origin)].push_back({next, length});
        tree[static_cast<std::size_t>(next)].push_back({origin, length});
        added = next;
    }
    return tree;
}

struct TreeWalk {
    Vector length;             // from the start
    std::vector<Index> parent; // -1 at the start
    std::vector<Index> order;  // parents before children
};

TreeWalk walk_from(const Tree& tree, Index start) {
    TreeWalk walk{Vector::Zero(static_cast<Index>(tree.size())),
                  std::vector<Index>(tree.size(), -1),
                  {start}};
    for (std::size_t i = 0; i < walk.order.size(); ++i) {
        const Index p = walk.order[i];
        for (const Link& link : tree[static_cast<std::size_t>(p)]) {
            if (link.to == walk.parent[static_cast<std::size_t>(p)]) continue;
            walk.parent[static_cast<std::size_t>(link.to)] = p;
            walk.length(link.to) = walk.length(p) + link.length;
            walk.order.push_back(link.to);
        }
    }
    return walk;
}

// Where a point's foot on the segment from a to b lies, as a fraction of the segment.
double foot(const RowMatrix& points, Index p, Index a, Index b) {
    const Vector segment = (points.row(b) - points.row(a)).transpose();
    const double square = segment.squaredNorm();
    if (!(square > 0)) return 0;
    return std::clamp(segment.dot((points.row(p) - points.row(a)).transpose()) / square, 0.0, 1.0);
}

Vector arc_length(const RowMatrix& points) {
    const Tree tree = minimum_spanning_tree(points);
    Index end = 0;
    walk_from(tree, 0).length.maxCoeff(&end);
    const TreeWalk walk = walk_from(tree, end);
    Index other = 0;
    walk.length.maxCoeff(&other);
    std::vector<Index> next_on_path(tree.size(), -1); // towards `other`
    std::vector<Index> joins(tree.size(), -1);        // where a point's branch leaves the path
    for (Index p = other, after = -1; p >= 0;
         after = p, p = walk.parent[static_cast<std::size_t>(p)]) {
        joins[static_cast<std::size_t>(p)] = p;
        next_on_path[static_cast<std::size_t>(p)] = after;
    }
    Vector length = walk.length;
    for (const Index p : walk.order) {
        const auto row = static_cast<std::size_t>(p);
        if (joins[row] == p) continue;
        const auto join = joins[row] = joins[static_cast<std::size_t>(walk.parent[row])];
        const Index before = walk.parent[static_cast<std::size_t>(join)],
                    after = next_on_path[static_cast<std::size_t>(join)];
        length(p) = walk.length(join);
        if (before < 0 || after < 0) continue; // equal to an end of the path
        const double forwards = foot(points, p, join, after);
        const double backwards = foot(points, p, join, before);
        length(p) += forwards > 0 ? forwards * (walk.length(after) - walk.length(join))
                                  : backwards * (walk.length(before) - walk.length(join));
    }
    return length;
}

// --- scale and direction ---

Vector scaled_to_range(const Vector& values) {
    const double low = values.minCoeff(), high = values.maxCoeff();
    if (!(high > low)) return Vector::Zero(values.size());
    return (2 * (values.array() - low) / (high - low) - 1).cwiseMax(-1.0).cwiseMin(1.0);
}

Vector oriented(Vector theta, const Vector& readout) {
    if (correlation(theta, readout) < 0) theta *= -1;
    return theta;
}

} // namespace

Coordinate line_coordinate(const RowMatrix& points, const Vector& axis, const Vector& readout,
                           const CoordinateOptions& options, const Execution& run) {
    if (axis.size() != points.cols() || readout.size() != points.rows())
        throw Error(concat("points of ", points.rows(), " x ", points.cols(), ", an axis of ",
                           axis.size(), ", readouts of ", readout.size()));
    if (options.neighbors < 1)
        throw Error(concat("--neighbors ", options.neighbors, ": must be >= 1"));
    constexpr Index kFewest = 3; // points that an embedding takes
    const Vector projection = points * axis;
    const auto rank_with_axis = [&](const Vector& theta) {
        return std::abs(rank_correlation(theta, projection));
    };
    Coordinate found;
    found.method = points.rows() < kFewest ? CoordinateMethod::pca : options.method;
    found.lle_rank_correlation = kNaN;
    if (found.method == CoordinateMethod::lle) {
        LineEmbedding embedding = locally_linear(points, options, run);
        if (embedding.fault.empty()) {
            found.theta = std::move(embedding.theta);
            found.lle_rank_correlation = rank_with_axis(found.theta);
            if (!(found.lle_rank_correlation >= options.fold_limit))
                embedding.fault = concat("the embedding folds: |Spearman| with the axis ",
                                         significant(found.lle_rank_correlation, 3), ", below ",
                                         significant(options.fold_limit, 3));
        }
        if (!embedding.fault.empty()) {
            found.method = CoordinateMethod::arc;
            found.warning = embedding.fault + "; arc stands in its place (other --neighbors?)";
        }
    }
    if (found.method == CoordinateMethod::arc) found.theta = arc_length(points);
    if (found.method == CoordinateMethod::pca) found.theta = projection;
    found.axis_rank_correlation = rank_with_axis(found.theta);
    if (points.rows() > 0) found.theta = oriented(scaled_to_range(found.theta), readout);
    return found;
}

std::vector<Index> points_at(const Vector& theta, const Vector& values) {
    if (theta.size() == 0) throw Error("no points along the line");
    std::vector<Index> rows;
    for (const double value : values) {
        Index nearest = 0;
        (theta.array() - value).abs().minCoeff(&nearest);
        rows.push_back(nearest);
    }
    return rows;
}

} // namespace assay::fixedpoints
