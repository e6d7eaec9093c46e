#include <assay/linalg/orthonormal.hpp>

#include <Eigen/QR>

namespace assay::linalg {

Matrix orthonormalised(const Matrix& columns) {
    const Eigen::HouseholderQR<Matrix> qr(columns);
    Matrix q = qr.householderQ() * Matrix::Identity(columns.rows(), columns.cols());
    for (Index j = 0; j < q.cols(); ++j)
        if (qr.matrixQR()(j, j) < 0) q.col(j) *= -1;
    return q;
}

} // namespace assay::linalg
