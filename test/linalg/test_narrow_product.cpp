// Narrow products against the definition, entry by entry.
#include <assay/linalg/narrow_product.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay::linalg;
using Eigen::Index;

namespace {

template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// Numbers without a pattern, the same in every run.
template <class Scalar>
MatrixOf<Scalar> numbers(Index rows, Index columns, double phase) {
    return MatrixOf<Scalar>::NullaryExpr(rows, columns, [&](Index i, Index j) {
        return static_cast<Scalar>(
            std::sin(phase + 1.7 * static_cast<double>(i) + 0.9 * static_cast<double>(j * j)));
    });
}

template <class Scalar>
void check_narrow_products(Index rows, Index n, Index columns, double tolerance) {
    const Index padded = padded_rows<Scalar>(rows);
    REQUIRE(padded >= rows);
    MatrixOf<Scalar> x = numbers<Scalar>(padded, n, 0.1);
    x.bottomRows(padded - rows).setZero();
    const MatrixOf<Scalar> right = numbers<Scalar>(n, columns, 0.2),
                           left = numbers<Scalar>(padded, columns, 0.3);
    const MatrixOf<Scalar> product = narrow_product<Scalar>(x, right),
                           transposed = narrow_transposed_product<Scalar>(x, left);
    REQUIRE(product.rows() == padded);
    REQUIRE(transposed.rows() == n);
    for (Index c = 0; c < columns; ++c) {
        for (Index i = 0; i < padded; ++i) {
            double sum = 0;
            for (Index j = 0; j < n; ++j)
                sum += static_cast<double>(x(i, j)) * static_cast<double>(right(j, c));
            CHECK(std::abs(static_cast<double>(product(i, c)) - sum) <= tolerance);
        }
        for (Index j = 0; j < n; ++j) {
            double sum = 0;
            for (Index i = 0; i < padded; ++i)
                sum += static_cast<double>(x(i, j)) * static_cast<double>(left(i, c));
            CHECK(std::abs(static_cast<double>(transposed(j, c)) - sum) <= tolerance);
        }
    }
}

} // namespace

TEST_CASE("narrow products equal the definition", "[linalg]") {
    const auto rows = GENERATE(as<Index>(), 1, 7, 16, 53);
    const auto n = GENERATE(as<Index>(), 1, 8, 21);
    const auto columns = GENERATE(as<Index>(), 1, 6, 13);
    check_narrow_products<double>(rows, n, columns, 1e-13);
    check_narrow_products<float>(rows, n, columns, 3e-5);
}
