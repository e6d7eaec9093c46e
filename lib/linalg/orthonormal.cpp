#include <assay/linalg/orthonormal.hpp>

#include <Eigen/QR>

#include <cstdint>

namespace assay::linalg {

Matrix orthonormalised(const Matrix& columns) {
    const Eigen::HouseholderQR<Matrix> qr(columns);
    Matrix q = qr.householderQ() * Matrix::Identity(columns.rows(), columns.cols());
    for (Index j = 0; j < q.cols(); ++j)
        if (qr.matrixQR()(j, j) < 0) q.col(j) *= -1;
    return q;
}

Matrix random_orthonormal(const Random& random, Index rows, Index columns) {
    Matrix normal(rows, columns);
    for (Index i = 0; i < normal.size(); ++i)
        normal.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return orthonormalised(normal);
}

} // namespace assay::linalg
