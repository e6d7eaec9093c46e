#include <assay/linalg/svd.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/orthonormal.hpp>

#include <Eigen/SVD>

#include <algorithm>

namespace assay::linalg {
namespace {

constexpr Index kExtra = 8;      // vectors of a block beyond those asked for
constexpr Index kMostBlocks = 8; // of a Krylov space, before it restarts from its best vectors
constexpr int kMostProducts = 300;

Matrix finite(Matrix product) {
    if (!product.allFinite()) throw Error("singular values: the matrix has non-finite entries");
    return product;
}

} // namespace

Svd thin_svd(const Matrix& matrix) {
    if (!matrix.allFinite()) throw Error("singular values: the matrix has non-finite entries");
    if (matrix.size() == 0) return {Matrix(matrix.rows(), 0), Vector(), Matrix(matrix.cols(), 0)};
    const Eigen::BDCSVD<Matrix> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
    if (svd.info() != Eigen::Success) throw Error("singular values: no convergence");
    return {svd.matrixU(), svd.singularValues(), svd.matrixV()};
}

Svd leading_svd(const LinearOperator& op, Index count, std::uint64_t seed, double tolerance) {
    const Index block = std::min(count + kExtra, std::min(op.rows, op.cols));
    const Index most = std::min(kMostBlocks * block, std::min(op.rows, op.cols));
    Matrix space = random_orthonormal({seed, "linalg/svd/start"}, op.cols, block),
           image(op.rows, 0);
    for (int products = 0; products < kMostProducts; products += 2) {
        // The last block of the space has no image yet.
        const Index known = image.cols(), fresh = space.cols() - known;
        image.conservativeResize(op.rows, space.cols());
        image.rightCols(fresh) = finite(op.apply(space.rightCols(fresh)));
        const Svd small = thin_svd(image); // A space = u s v'^T; right vectors: space v'
        const Matrix right = space * small.v.leftCols(block);
        const Matrix back = finite(op.apply_transpose(small.u.leftCols(block)));
        const Matrix residual = back - right * small.s.head(block).asDiagonal();
        if (residual.leftCols(count).colwise().norm().maxCoeff() <= tolerance * small.s(0))
            return {small.u.leftCols(count), small.s.head(count), right.leftCols(count)};
        if (space.cols() + block > most) {
            space = orthonormalised(back);
            image.resize(op.rows, 0);
            continue;
        }
        // Twice, so that rounding leaves no part of the space in the new block.
        Matrix next = residual - space * (space.transpose() * residual);
        next = orthonormalised(next);
        next -= space * (space.transpose() * next);
        const Index old = space.cols();
        space.conservativeResize(op.cols, old + block);
        space.rightCols(block) = orthonormalised(next);
    }
    throw Error(concat("singular values: the first ", count, " of a ", op.rows, " x ", op.cols,
                       " matrix have not converged; its spectrum is too flat, all modes are "
                       "expected to be asked for"));
}

} // namespace assay::linalg
