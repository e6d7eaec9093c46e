#include <assay/fixedpoints/dsa.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/dynamics_similarity.hpp>
#include <assay/linalg/canonical.hpp>
#include <assay/linalg/graph_matching.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <vector>

namespace assay::fixedpoints {
namespace {

// Delay-embedded states and which of them follow each other.
struct DelayEmbedding {
    RowMatrix rows;
    std::vector<Index> follows; // rows whose predecessor is the row before
};

DelayEmbedding embed(const Trajectories& trajectories, Index delays) {
    const RowMatrix& states = trajectories.states;
    const Index size = states.cols();
    const auto length = [&](Index trial) {
        return trajectories.lengths.empty() ? trajectories.steps
                                            : trajectories.lengths[static_cast<std::size_t>(trial)];
    };
    Index count = 0;
    for (Index trial = 0; trial < trajectories.trials; ++trial)
        count += std::max<Index>(length(trial) - delays + 1, 0);
    DelayEmbedding embedding;
    embedding.rows.resize(count, delays * size);
    Index row = 0;
    for (Index trial = 0; trial < trajectories.trials; ++trial)
        for (Index t = delays - 1; t < length(trial); ++t, ++row) {
            for (Index d = 0; d < delays; ++d)
                embedding.rows.row(row).segment(d * size, size) =
                    states.row(trajectories.row(trial, t - d));
            if (t >= delays) embedding.follows.push_back(row);
        }
    return embedding;
}

Matrix square(const Matrix& matrix, Index size) {
    if (matrix.rows() != matrix.cols() || matrix.size() == 0)
        throw Error(concat("dsa: an operator of ", matrix.rows(), " x ", matrix.cols(),
                           ", must be square"));
    if (!matrix.allFinite()) throw Error("dsa: an operator is not finite");
    const double norm = matrix.norm();
    if (norm == 0) throw Error("dsa: an operator is zero");
    Matrix scaled = Matrix::Zero(size, size);
    scaled.topLeftCorner(matrix.rows(), matrix.cols()) = matrix / norm;
    return scaled;
}

// The ascent of <A, C B C'> over orthogonal C for operators of norm 1.
class Ascent {
  public:
    Ascent(const Matrix& a, const Matrix& b) : a_(a), b_(b) {}

    [[nodiscard]] double value(const Matrix& c) const {
        return a_.cwiseProduct(c * b_ * c.transpose()).sum();
    }
    // The skew W whose curve (I - t/2 W)^-1 (I + t/2 W) C leaves C along the gradient (Wen and Yin,
    // equation 7, for ascent).
    [[nodiscard]] Matrix skew_gradient(const Matrix& c) const {
        const Matrix gradient = a_ * c * b_.transpose() + a_.transpose() * c * b_;
        const Matrix product = gradient * c.transpose();
        return product - product.transpose();
    }
    [[nodiscard]] static Matrix along(const Matrix& c, const Matrix& skew, double step) {
        const Matrix identity = Matrix::Identity(c.rows(), c.cols());
        const Eigen::PartialPivLU<Matrix> solver(identity - step / 2 * skew);
        return solver.solve(c + step / 2 * (skew * c));
    }
    // Climbs from c with the steps of Barzilai and Borwein, halved until the value rises enough.
    [[nodiscard]] Matrix climb(Matrix c, const AlignmentOptions& options) const {
        constexpr double kSufficient = 1e-4, kSmallestStep = 1e-12;
        Matrix skew = skew_gradient(c);
        double reached = value(c), step = 1;
        for (Index iteration = 0; iteration < options.iterations; ++iteration) {
            const double slope = skew.squaredNorm() / 2;
            if (std::sqrt(slope) <= options.tolerance) break;
            Matrix next = along(c, skew, step);
            double risen = value(next);
            while (risen < reached + kSufficient * step * slope && step > kSmallestStep) {
                step /= 2;
                next = along(c, skew, step);
                risen = value(next);
            }
            if (!(risen > reached)) break;
            const Matrix next_skew = skew_gradient(next);
            const Matrix moved = next - c, turned = next_skew * next - skew * c;
            const double overlap = std::abs(moved.cwiseProduct(turned).sum());
            step = overlap > 0 ? std::clamp(moved.squaredNorm() / overlap, 1e-3, 1e3) : 1;
            c = next;
            skew = next_skew;
            reached = risen;
        }
        return c;
    }

  private:
    const Matrix &a_, &b_;
};

// Signs s of the columns that agree best, max s' K s for symmetric K: those of the leading
// eigenvector, then single changes as long as one helps.
Vector best_signs(const Matrix& agreement) {
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(agreement);
    const Vector leading = solver.eigenvectors().rightCols(1);
    Vector signs = leading.unaryExpr([](double x) { return x < 0 ? -1.0 : 1.0; });
    for (bool improved = true; improved;) {
        improved = false;
        for (Index i = 0; i < signs.size(); ++i)
            if (signs(i) * (agreement.row(i).dot(signs) - agreement(i, i) * signs(i)) < -1e-14) {
                signs(i) = -signs(i);
                improved = true;
            }
    }
    return signs;
}

// Exact where B = Q A Q' and the symmetric part of A has distinct eigenvalues.
Matrix spectral_start(const Matrix& a, const Matrix& b) {
    const auto axes = [](const Matrix& m) {
        return Matrix(
            Eigen::SelfAdjointEigenSolver<Matrix>((m + m.transpose()) / 2).eigenvectors());
    };
    const auto skew = [](const Matrix& m, const Matrix& v) {
        return Matrix(v.transpose() * (m - m.transpose()) * v);
    };
    const Matrix axes_a = axes(a), axes_b = axes(b);
    const Vector signs = best_signs(skew(a, axes_a).cwiseProduct(skew(b, axes_b)));
    return axes_a * signs.asDiagonal() * axes_b.transpose();
}

Matrix permutation_start(const Matrix& a, const Matrix& b, std::uint64_t seed) {
    linalg::GraphMatchOptions options;
    options.starts = 1;
    options.seed = seed;
    const linalg::GraphMatch match = linalg::match_graphs(a, b, options);
    Matrix permutation = Matrix::Zero(a.rows(), a.cols());
    for (Index i = 0; i < a.rows(); ++i)
        permutation(i, match.partner[static_cast<std::size_t>(i)]) = 1;
    return permutation;
}

Matrix random_rotation(Index size, Index start, std::uint64_t seed) {
    const Random random(seed, "fixedpoints/dsa/start");
    Matrix normal(size, size);
    for (Index j = 0; j < size; ++j)
        for (Index i = 0; i < size; ++i)
            normal(i, j) = random.normal(static_cast<std::uint64_t>(i + size * j),
                                         {static_cast<std::uint64_t>(start)});
    return Eigen::HouseholderQR<Matrix>(normal).householderQ();
}

Matrix starting_rotation(const Matrix& a, const Matrix& b, Index start, std::uint64_t seed) {
    switch (start) {
    case 0:
        return Matrix::Identity(a.rows(), a.cols());
    case 1:
        return permutation_start(a, b, seed);
    case 2:
        return spectral_start(a, b);
    default:
        return random_rotation(a.rows(), start, seed);
    }
}

} // namespace

Matrix dmd_operator(const Trajectories& trajectories, Index delays, Index rank) {
    if (delays < 1 || rank < 1)
        throw Error(concat("dsa: ", delays, " delays, rank ", rank, ": both must be at least 1"));
    const DelayEmbedding embedding = embed(trajectories, delays);
    const auto count = static_cast<Index>(embedding.follows.size());
    if (count == 0)
        throw Error(
            concat("dsa: ", delays, " delays need trials of at least ", delays + 1, " steps"));
    constexpr double kShare = 1 - 1e-12;
    const Matrix v = linalg::left_basis(embedding.rows, kShare, rank).vectors;
    if (count <= v.cols())
        throw Error(concat("dsa: ", count, " steps, rank ", v.cols(), ": needs more samples"));
    Matrix before(count, v.cols()), after(count, v.cols());
    for (Index i = 0; i < count; ++i) {
        const Index row = embedding.follows[static_cast<std::size_t>(i)];
        before.row(i) = v.row(row - 1);
        after.row(i) = v.row(row);
    }
    return before.colPivHouseholderQr().solve(after).transpose();
}

OperatorAlignment align_operators(const Matrix& a, const Matrix& b,
                                  const AlignmentOptions& options) {
    const Index size = std::max(a.rows(), b.rows());
    const Matrix first = square(a, size), second = square(b, size);
    const Ascent ascent(first, second);
    OperatorAlignment best;
    double highest = -std::numeric_limits<double>::infinity();
    for (Index start = 0; start < std::max<Index>(options.starts, 1); ++start)
        for (const double sign : {1.0, -1.0}) {
            Matrix c = starting_rotation(first, second, start, options.seed);
            c.row(size - 1) *= sign; // the other component of O(r)
            c = ascent.climb(std::move(c), options);
            const double value = ascent.value(c);
            if (value > highest) {
                highest = value;
                best.rotation = c;
            }
        }
    // Of unit vectors: 2 asin(|x - y| / 2), which keeps the digits that acos loses near 0.
    const Matrix rotated = best.rotation * second * best.rotation.transpose();
    best.angle = 2 * std::asin(std::min(1.0, (first - rotated).norm() / 2));
    return best;
}

double operator_spectrum_distance(const Matrix& a, const Matrix& b) {
    return spectrum_distance(ComplexVector(a.eigenvalues()), ComplexVector(b.eigenvalues()));
}

} // namespace assay::fixedpoints
