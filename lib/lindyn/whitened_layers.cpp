#include <assay/lindyn/whitened_layers.hpp>

#include <Eigen/Cholesky>

namespace assay::lindyn {

Matrix on_whitened(const Matrix& front, const Matrix& root) {
    return (root.transpose() * root).llt().solve(root.transpose() * front.transpose()).transpose();
}

} // namespace assay::lindyn
