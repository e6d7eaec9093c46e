#include <assay/linalg/graph_matching.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/assignment.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace assay::linalg {
namespace {

Matrix zero_padded(const Matrix& adjacency, Index size) {
    Matrix larger = Matrix::Zero(size, size);
    larger.topLeftCorner(adjacency.rows(), adjacency.cols()) = adjacency;
    return larger;
}

void check(const Matrix& adjacency) {
    if (adjacency.rows() != adjacency.cols())
        throw Error(concat("graph matching: an adjacency matrix of ", adjacency.rows(), " x ",
                           adjacency.cols(), ", must be square"));
    if (!adjacency.allFinite()) throw Error("graph matching: an adjacency matrix is not finite");
}

double inner(const Matrix& a, const Matrix& b) {
    return a.cwiseProduct(b).sum();
}

std::vector<Index> best_permutation(const Matrix& gain) {
    return assign(-gain).column;
}

Matrix permutation_matrix(const std::vector<Index>& partner) {
    const auto size = static_cast<Index>(partner.size());
    Matrix p = Matrix::Zero(size, size);
    for (Index i = 0; i < size; ++i) p(i, partner[static_cast<std::size_t>(i)]) = 1;
    return p;
}

// A doubly stochastic matrix: the barycentre, or its mean with a random one (Sinkhorn's scaling of
// uniform numbers).
Matrix starting_point(Index size, Index start, std::uint64_t seed) {
    const auto nodes = static_cast<double>(size);
    const Matrix centre = Matrix::Constant(size, size, 1 / nodes);
    if (start == 0) return centre;
    constexpr int kScalings = 20;
    const Random random(seed, "linalg/graph matching/start");
    Matrix mixed(size, size);
    for (Index j = 0; j < size; ++j)
        for (Index i = 0; i < size; ++i)
            mixed(i, j) = random.uniform(static_cast<std::uint64_t>(i + size * j),
                                         {static_cast<std::uint64_t>(start)});
    for (int scaling = 0; scaling < kScalings; ++scaling) {
        mixed.array().colwise() /= mixed.rowwise().sum().array().eval();
        mixed.array().rowwise() /= mixed.colwise().sum().array().eval();
    }
    return (centre + mixed) / 2;
}

// Frank-Wolfe ascent of <A, P B P'>; what A - P B P' does not share with it is constant on
// permutations.
Matrix ascend(const Matrix& a, const Matrix& b, Matrix p, const GraphMatchOptions& options) {
    const double smallest_change = options.tolerance * std::sqrt(static_cast<double>(a.rows()));
    for (Index iteration = 0; iteration < options.iterations; ++iteration) {
        const Matrix gradient = a * p * b.transpose() + a.transpose() * p * b;
        const Matrix change = permutation_matrix(best_permutation(gradient)) - p;
        // Along P + t D the objective is <A, P B P'> + slope t + curvature t^2.
        const double slope = inner(gradient, change);
        const double curvature = inner(a, change * b * change.transpose());
        double step = slope + curvature > 0 ? 1 : 0;
        if (curvature < 0) step = std::clamp(-slope / (2 * curvature), 0.0, 1.0);
        p += step * change;
        if (step * change.norm() <= smallest_change) break;
    }
    return p;
}

double distance_under(const Matrix& a, const Matrix& b, const std::vector<Index>& partner) {
    double sum = 0;
    for (Index j = 0; j < a.cols(); ++j)
        for (Index i = 0; i < a.rows(); ++i) {
            const double difference = a(i, j) - b(partner[static_cast<std::size_t>(i)],
                                                  partner[static_cast<std::size_t>(j)]);
            sum += difference * difference;
        }
    return std::sqrt(sum);
}

// Squares of the differences in the rows and columns of two nodes.
double cost_of(const Matrix& a, const Matrix& b, const std::vector<Index>& partner, Index u,
               Index v) {
    const auto difference = [&](Index i, Index j) {
        const double d =
            a(i, j) - b(partner[static_cast<std::size_t>(i)], partner[static_cast<std::size_t>(j)]);
        return d * d;
    };
    double sum = 0;
    for (Index j = 0; j < a.cols(); ++j) {
        sum += difference(u, j) + difference(v, j);
        if (j != u && j != v) sum += difference(j, u) + difference(j, v);
    }
    return sum;
}

void exchange_nodes(const Matrix& a, const Matrix& b, std::vector<Index>& partner) {
    constexpr double kGain = 1e-12;
    const Index size = a.rows();
    const double scale = kGain * (1 + a.squaredNorm() + b.squaredNorm());
    for (bool improved = true; improved;) {
        improved = false;
        for (Index u = 0; u < size; ++u)
            for (Index v = u + 1; v < size; ++v) {
                auto& of_u = partner[static_cast<std::size_t>(u)];
                auto& of_v = partner[static_cast<std::size_t>(v)];
                const double before = cost_of(a, b, partner, u, v);
                std::swap(of_u, of_v);
                if (cost_of(a, b, partner, u, v) < before - scale)
                    improved = true;
                else
                    std::swap(of_u, of_v);
            }
    }
}

} // namespace

GraphMatch match_graphs(const Matrix& a, const Matrix& b, const GraphMatchOptions& options) {
    check(a);
    check(b);
    const Index size = std::max(a.rows(), b.rows());
    const Matrix first = zero_padded(a, size), second = zero_padded(b, size);
    GraphMatch best;
    best.distance = std::numeric_limits<double>::infinity();
    for (Index start = 0; start < std::max<Index>(options.starts, 1); ++start) {
        const Matrix p = ascend(first, second, starting_point(size, start, options.seed), options);
        std::vector<Index> partner = best_permutation(p);
        exchange_nodes(first, second, partner);
        const double distance = distance_under(first, second, partner);
        if (distance < best.distance) best = {std::move(partner), distance};
        if (best.distance == 0) break;
    }
    return best;
}

} // namespace assay::linalg
