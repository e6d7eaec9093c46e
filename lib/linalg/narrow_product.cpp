#include <assay/linalg/narrow_product.hpp>

#include <assay/linalg/row_products.hpp>

#include <algorithm>

namespace assay::linalg {
namespace {

using Eigen::Index;
using row_products::kLanes;
using row_products::kRows;

template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
template <class Scalar>
using View = Eigen::Ref<const MatrixOf<Scalar>>;

// Calls body(first column, eight columns as rows of contiguous data) for all of X; the last ones
// are completed with zeros.
template <class Scalar, class Body>
void for_each_eight(const View<Scalar>& x, const Body& body) {
    const Index vectors = x.rows() / kLanes<Scalar>, whole = x.cols() / kRows * kRows;
    for (Index first = 0; first < whole; first += kRows)
        body(first, row_products::Rows<Scalar>{x.col(first).data(), x.outerStride(), vectors});
    if (whole == x.cols()) return;
    MatrixOf<Scalar> rest = MatrixOf<Scalar>::Zero(x.rows(), kRows);
    rest.leftCols(x.cols() - whole) = x.rightCols(x.cols() - whole);
    body(whole, row_products::Rows<Scalar>{rest.data(), rest.rows(), vectors});
}

} // namespace

template <class Scalar>
Index padded_rows(Index rows) {
    return (rows + kLanes<Scalar> - 1) / kLanes<Scalar> * kLanes<Scalar>;
}

template <class Scalar>
MatrixOf<Scalar> narrow_product(const View<Scalar>& x, const View<Scalar>& b) {
    MatrixOf<Scalar> sum = MatrixOf<Scalar>::Zero(x.rows(), b.cols());
    MatrixOf<Scalar> weights = MatrixOf<Scalar>::Zero(kRows, b.cols());
    for_each_eight<Scalar>(x, [&](Index first, const row_products::Rows<Scalar>& rows) {
        const Index count = std::min<Index>(kRows, b.rows() - first);
        if (count < kRows) weights.setZero();
        weights.topRows(count) = b.middleRows(first, count);
        row_products::times_left(rows, weights.data(), b.cols(), sum.data(), sum.rows());
    });
    return sum;
}

template <class Scalar>
MatrixOf<Scalar> narrow_transposed_product(const View<Scalar>& x, const View<Scalar>& b) {
    MatrixOf<Scalar> result((x.cols() + kRows - 1) / kRows * kRows, b.cols());
    for_each_eight<Scalar>(x, [&](Index first, const row_products::Rows<Scalar>& rows) {
        row_products::times_right(rows, b.data(), b.outerStride(), b.cols(), result.data() + first,
                                  result.rows(), false);
    });
    if (result.rows() == x.cols()) return result;
    return result.topRows(x.cols());
}

template Index padded_rows<float>(Index);
template Index padded_rows<double>(Index);
template MatrixOf<float> narrow_product<float>(const View<float>&, const View<float>&);
template MatrixOf<double> narrow_product<double>(const View<double>&, const View<double>&);
template MatrixOf<float> narrow_transposed_product<float>(const View<float>&, const View<float>&);
template MatrixOf<double> narrow_transposed_product<double>(const View<double>&,
                                                            const View<double>&);

} // namespace assay::linalg
