#include <assay/tensor_amp/least_squares.hpp>

#include <assay/core/parallel.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

namespace assay::tensor_amp {

namespace {

constexpr double kSingular = 1e-12; // eigenvalues below this share of the largest count as 0
constexpr int kInnerRounds = 3;
constexpr Index kRowsAtOnce = 256;

// X with X W = M for symmetric W >= 0.
[[nodiscard]] MatrixXd solve_symmetric(const MatrixXd& w, const MatrixXd& m) {
    const Eigen::LLT<MatrixXd> cholesky(w);
    if (cholesky.info() == Eigen::Success && cholesky.rcond() > kSingular)
        return cholesky.solve(m.transpose()).transpose();
    const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(w);
    const VectorXd& values = eigen.eigenvalues();
    const double cut = kSingular * values.cwiseAbs().maxCoeff();
    VectorXd inverse(values.size());
    for (Index i = 0; i < values.size(); ++i) inverse(i) = values(i) > cut ? 1 / values(i) : 0;
    const MatrixXd& vectors = eigen.eigenvectors();
    return m * vectors * inverse.asDiagonal() * vectors.transpose();
}

void improve_block(Eigen::Ref<MatrixXd> x, const MatrixXd& w, const Eigen::Ref<const MatrixXd>& m) {
    for (int round = 0; round < kInnerRounds; ++round)
        for (Index c = 0; c < x.cols(); ++c) {
            if (!(w(c, c) > 0)) continue;
            const VectorXd step = (m.col(c) - x * w.col(c)) / w(c, c);
            x.col(c) = (x.col(c) + step).cwiseMax(0.0);
        }
}

} // namespace

MatrixXd NormalMatrices::of_row(Index row, Index rank) const {
    if (common.size() > 0) return common;
    MatrixXd w(rank, rank);
    Index pair = 0;
    for (Index i = 0; i < rank; ++i)
        for (Index j = i; j < rank; ++j) w(i, j) = w(j, i) = packed(row, pair++);
    return w;
}

MatrixXd pair_products(const MatrixXd& x) {
    MatrixXd pairs(x.rows(), pair_count(x.cols()));
    Index pair = 0;
    for (Index i = 0; i < x.cols(); ++i)
        for (Index j = i; j < x.cols(); ++j) pairs.col(pair++) = x.col(i).cwiseProduct(x.col(j));
    return pairs;
}

MatrixXd solve_rows(const NormalMatrices& normal, const MatrixXd& products, double ridge,
                    int threads) {
    const Index rank = products.cols();
    const MatrixXd ridge_matrix = ridge * MatrixXd::Identity(rank, rank);
    if (normal.common.size() > 0) return solve_symmetric(normal.common + ridge_matrix, products);
    MatrixXd x(products.rows(), rank);
    const Blocks blocks{products.rows(), kRowsAtOnce};
    parallel_blocks(blocks.count(), threads, [&](Index block) {
        for (Index row = blocks.begin(block); row < blocks.begin(block) + blocks.extent(block);
             ++row)
            x.row(row) =
                solve_symmetric(normal.of_row(row, rank) + ridge_matrix, products.row(row));
    });
    return x;
}

void improve_nonnegative(MatrixXd& x, const NormalMatrices& normal, const MatrixXd& products,
                         double ridge, int threads) {
    const Index rank = products.cols();
    const MatrixXd ridge_matrix = ridge * MatrixXd::Identity(rank, rank);
    x = x.cwiseMax(0.0);
    if (normal.common.size() > 0) {
        improve_block(x, normal.common + ridge_matrix, products);
        return;
    }
    const Blocks blocks{products.rows(), kRowsAtOnce};
    parallel_blocks(blocks.count(), threads, [&](Index block) {
        for (Index row = blocks.begin(block); row < blocks.begin(block) + blocks.extent(block);
             ++row)
            improve_block(x.middleRows(row, 1), normal.of_row(row, rank) + ridge_matrix,
                          products.middleRows(row, 1));
    });
}

double model_norm(const MatrixXd& x, const NormalMatrices& normal) {
    if (normal.common.size() > 0) return (x.transpose() * x).cwiseProduct(normal.common).sum();
    double sum = 0;
    for (Index row = 0; row < x.rows(); ++row)
        sum += x.row(row) * normal.of_row(row, x.cols()) * x.row(row).transpose();
    return sum;
}

} // namespace assay::tensor_amp
