#include <assay/linalg/pca.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include <algorithm>

namespace assay::linalg {
namespace {

constexpr Index kRowBlock = 1024; // rows centred at a time, so that wide data are not copied whole

// Sums of products of centred features (N x N, its lower half).
Matrix scatter(const RowMatrix& rows, const Eigen::RowVectorXd& mean) {
    Matrix sum = Matrix::Zero(rows.cols(), rows.cols());
    const Blocks blocks{rows.rows(), kRowBlock};
    for (Index b = 0; b < blocks.count(); ++b) {
        const RowMatrix centred =
            rows.middleRows(blocks.begin(b), blocks.extent(b)).rowwise() - mean;
        sum.selfadjointView<Eigen::Lower>().rankUpdate(centred.transpose());
    }
    return sum;
}

void orient(Matrix& directions) {
    for (Index k = 0; k < directions.cols(); ++k) {
        Index largest = 0;
        directions.col(k).cwiseAbs().maxCoeff(&largest);
        if (directions(largest, k) < 0) directions.col(k) *= -1;
    }
}

// Directions of the Gram matrix's eigenvectors. The QR factorisation normalises them (they are
// orthogonal already) and completes them where the data have no variance left.
Matrix directions_of_samples(const RowMatrix& centred, const Matrix& eigenvectors) {
    const Eigen::HouseholderQR<Matrix> factored(centred.transpose() * eigenvectors);
    return factored.householderQ() * Matrix::Identity(centred.cols(), eigenvectors.cols());
}

// Eigenvectors of the last `count` eigenvalues, largest first.
Matrix leading(const Matrix& ascending, Index count) {
    return ascending.rightCols(count).rowwise().reverse();
}

} // namespace

RowMatrix Pca::project(const RowMatrix& rows) const {
    if (rows.cols() != mean.size())
        throw Error(concat("projection: rows of ", rows.cols(), " numbers, the components have ",
                           mean.size()));
    return (rows.rowwise() - mean.transpose()) * components;
}

Pca principal_components(const RowMatrix& rows, Index components) {
    if (rows.size() == 0) throw Error("principal components: there are no data");
    if (components < 1)
        throw Error(concat("principal components: ", components, " asked for, at least 1 needed"));
    if (!rows.allFinite()) throw Error("principal components: the data are not finite");
    const Index count = std::min({components, rows.rows(), rows.cols()});
    Pca pca;
    const Eigen::RowVectorXd mean = rows.colwise().mean();
    pca.mean = mean.transpose();

    const bool wide = rows.rows() < rows.cols();
    Eigen::SelfAdjointEigenSolver<Matrix> solver;
    if (wide) {
        const RowMatrix centred = rows.rowwise() - mean;
        solver.compute(centred * centred.transpose());
        pca.components = directions_of_samples(centred, leading(solver.eigenvectors(), count));
    } else {
        solver.compute(scatter(rows, mean));
        pca.components = leading(solver.eigenvectors(), count);
    }
    orient(pca.components);

    const double divisor = static_cast<double>(std::max<Index>(rows.rows() - 1, 1));
    const Vector all = solver.eigenvalues().cwiseMax(0.0).reverse() / divisor;
    pca.total_variance = all.sum();
    pca.variance = all.head(count);
    pca.variance_ratio = Vector::Zero(count);
    if (pca.total_variance > 0) {
        pca.variance_ratio = pca.variance / pca.total_variance;
        pca.participation_ratio = pca.total_variance * pca.total_variance / all.squaredNorm();
    }
    return pca;
}

} // namespace assay::linalg
