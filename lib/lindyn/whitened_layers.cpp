#include <assay/lindyn/whitened_layers.hpp>

#include <assay/core/error.hpp>

#include <Eigen/Cholesky>

namespace assay::lindyn {

Matrix on_whitened(const Matrix& front, const Matrix& root) {
    if (front.cols() != root.rows())
        throw Error(
            concat("a layer of ", front.cols(), " inputs; ", root.rows(), " are whitened here"));
    return (root.transpose() * root).llt().solve(root.transpose() * front.transpose()).transpose();
}

} // namespace assay::lindyn
