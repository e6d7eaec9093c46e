#include <assay/linalg/canonical.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/singular_values.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>

namespace assay::linalg {
namespace {

// Beyond this ratio of singular values the eigenvalues of the Gram matrix hold too few digits.
constexpr double kLargestCondition = 1e6;
// Data that vary by less than this part of their size vary by rounding.
constexpr double kConstant = 1e-12;

// How many of the squared singular values (descending) reach the share.
Index count_reaching(const Vector& squares, double share, Index most) {
    Index count = squares.size();
    if (share < 1) {
        const double wanted = share * squares.sum();
        double sum = 0;
        for (count = 0; count < squares.size() && sum < wanted; ++count) sum += squares(count);
    }
    return std::min(std::max<Index>(count, 1), most);
}

// Makes columns that are orthonormal up to the rounding of a Gram matrix orthonormal in full
// (Cholesky QR; Yamamoto et al. 2015).
void orthonormalise(Matrix& columns) {
    Matrix gram = Matrix::Zero(columns.cols(), columns.cols());
    gram.selfadjointView<Eigen::Lower>().rankUpdate(columns.transpose());
    const Eigen::LLT<Matrix> factor(gram);
    factor.matrixU().solveInPlace<Eigen::OnTheRight>(columns);
}

// Empty where the kept singular values span too much for the Gram matrix.
LeftBasis basis_by_gram(const Matrix& centred, double share, Index most) {
    const bool tall = centred.rows() >= centred.cols();
    const Index size = std::min(centred.rows(), centred.cols());
    Matrix gram = Matrix::Zero(size, size);
    if (tall)
        gram.selfadjointView<Eigen::Lower>().rankUpdate(centred.transpose());
    else
        gram.selfadjointView<Eigen::Lower>().rankUpdate(centred);
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram);
    const Vector squares = solver.eigenvalues().cwiseMax(0.0).reverse();
    const Index count = count_reaching(squares, share, most);
    LeftBasis basis;
    if (squares(count - 1) * kLargestCondition * kLargestCondition < squares(0)) return basis;
    basis.singular_values = squares.head(count).cwiseSqrt();
    const Matrix vectors = solver.eigenvectors().rightCols(count).rowwise().reverse();
    if (!tall) {
        basis.vectors = vectors;
        return basis;
    }
    basis.vectors.noalias() =
        centred * (vectors * basis.singular_values.cwiseInverse().asDiagonal());
    orthonormalise(basis.vectors);
    return basis;
}

LeftBasis basis_by_svd(const Matrix& centred, double share, Index most) {
    const bool tall = centred.rows() >= centred.cols();
    const Eigen::HouseholderQR<Matrix> factored(tall ? centred : Matrix(centred.transpose()));
    const Index size = std::min(centred.rows(), centred.cols());
    const Matrix triangle =
        factored.matrixQR().topRows(size).triangularView<Eigen::Upper>().toDenseMatrix();
    // Of the triangle of centred = Q R the left vectors are wanted, of centred' = Q R the right.
    const Eigen::JacobiSVD<Matrix> solver(triangle,
                                          tall ? Eigen::ComputeFullU : Eigen::ComputeFullV);
    const Vector values = solver.singularValues();
    const double rounding = values(0) * std::numeric_limits<double>::epsilon() *
                            static_cast<double>(std::max(centred.rows(), centred.cols()));
    const Index rank = (values.array() > rounding).count();
    const Index count =
        std::min(count_reaching(values.cwiseAbs2(), share, most), std::max<Index>(rank, 1));
    LeftBasis basis;
    basis.singular_values = values.head(count);
    if (!tall) {
        basis.vectors = solver.matrixV().leftCols(count);
        return basis;
    }
    basis.vectors = Matrix::Zero(centred.rows(), count);
    basis.vectors.topRows(size) = solver.matrixU().leftCols(count);
    basis.vectors.applyOnTheLeft(factored.householderQ());
    return basis;
}

} // namespace

LeftBasis left_basis(const RowMatrix& data, double share, Index most) {
    if (!(share > 0 && share <= 1))
        throw Error("share of the variance " + shortest(share) + ": must be above 0, at most 1");
    if (data.size() == 0) throw Error("there are no activations");
    if (!data.allFinite()) throw Error("the activations are not finite");
    const Matrix centred = data.rowwise() - data.colwise().mean();
    const double total = centred.squaredNorm();
    if (!(std::sqrt(total) > kConstant * data.norm())) throw Error("the activations are constant");
    LeftBasis basis = basis_by_gram(centred, share, most);
    if (basis.vectors.size() == 0) basis = basis_by_svd(centred, share, most);
    basis.total_sum_of_squares = total;
    return basis;
}

Vector canonical_correlations(const Matrix& product) {
    return singular_values(product).cwiseMin(1.0);
}

CanonicalDirections canonical_directions(const Matrix& product) {
    // The eigenvectors of C C', and the lengths of C' along them: these are the singular values to
    // the full accuracy that the roots of the eigenvalues lose.
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(product * product.transpose());
    CanonicalDirections canonical;
    canonical.directions = solver.eigenvectors().rowwise().reverse();
    canonical.correlations =
        (product.transpose() * canonical.directions).colwise().norm().transpose().cwiseMin(1.0);
    return canonical;
}

} // namespace assay::linalg
