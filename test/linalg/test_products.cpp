// Register-tiled products against the definition in long double, for shapes around every tile.
#include <assay/core/allowed_threads.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/products.hpp>

#include <catch2/catch.hpp>

#include <vector>

using namespace assay;
using namespace assay::linalg;
using Eigen::Index;

namespace {

template <class S>
RowMajor<S> random_matrix(Index rows, Index columns, const char* purpose) {
    RowMajor<S> m(rows, columns);
    const Random random(2, purpose);
    for (Index i = 0; i < m.size(); ++i)
        m.data()[i] = static_cast<S>(random.normal(static_cast<std::uint64_t>(i)));
    return m;
}

template <class S>
RowMajor<long double> exact(const RowMajor<S>& a, const RowMajor<S>& b) {
    RowMajor<long double> c = RowMajor<long double>::Zero(a.rows(), b.cols());
    for (Index i = 0; i < a.rows(); ++i)
        for (Index p = 0; p < a.cols(); ++p)
            for (Index j = 0; j < b.cols(); ++j)
                c(i, j) += static_cast<long double>(a(i, p)) * b(p, j);
    return c;
}

template <class S>
void check(const RowMajor<S>& found, const RowMajor<long double>& expected, Index terms) {
    const long double bound = 8 * std::sqrt(static_cast<long double>(terms + 1)) *
                              static_cast<long double>(Eigen::NumTraits<S>::epsilon()) *
                              std::sqrt(static_cast<long double>(terms + 1));
    REQUIRE((found.template cast<long double>() - expected).cwiseAbs().maxCoeff() <= bound);
}

template <class S>
void check_multiply(Index m, Index n, Index k) {
    const auto a = random_matrix<S>(m, k, "a"), b = random_matrix<S>(k, n, "b");
    const RowMajor<S> at = a.transpose(), bt = b.transpose();
    const auto product = exact(a, b);
    for (const bool turned_a : {false, true})
        for (const bool turned_b : {false, true})
            for (const auto target : {Target::set, Target::add}) {
                // Rows further apart than they are long: nothing beside them is touched.
                RowMajor<S> c = random_matrix<S>(m, n + 3, "c");
                const RowMajor<S> before = c;
                multiply<S>(m, n, k, turned_a ? transposed(at.data(), m) : plain(a.data(), k),
                            turned_b ? transposed(bt.data(), k) : plain(b.data(), n), target,
                            c.data(), n + 3);
                RowMajor<long double> expected = product;
                if (target == Target::add)
                    expected += before.leftCols(n).template cast<long double>();
                check<S>(c.leftCols(n), expected, k);
                REQUIRE(c.rightCols(3) == before.rightCols(3));
            }
}

template <class S>
void check_rows(Index m, Index n, Index k) {
    const auto a = random_matrix<S>(m, k, "a");
    const auto pool = random_matrix<S>(1, padded(n) + 3 * k, "pool");
    std::vector<const S*> rows; // views that overlap
    RowMajor<S> b(k, n);
    for (Index p = 0; p < k; ++p) {
        rows.push_back(pool.data() + p * 3);
        b.row(p) = pool.block(0, p * 3, 1, n);
    }
    RowMajor<S> c(m, padded(n));
    row_pointer_product<S>(m, n, k, a.data(), rows.data(), c.data(), c.cols());
    check<S>(c.leftCols(n), exact(a, b), k);

    // Dot products over two parts.
    const RowParts parts{2, padded(n) / 2 / kRowPadding * kRowPadding};
    if (parts.length == 0) return;
    const Index reach = parts.length + 5;
    const auto x = random_matrix<S>(m, reach + parts.length, "x");
    RowMajor<S> d = random_matrix<S>(m, k, "d");
    RowMajor<long double> expected = d.template cast<long double>();
    for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < k; ++j)
            for (Index part = 0; part < 2; ++part)
                for (Index p = 0; p < parts.length; ++p)
                    expected(i, j) += static_cast<long double>(x(i, part * reach + p)) *
                                      rows[static_cast<std::size_t>(j)][part * parts.length + p];
    add_row_dots<S>(m, k, parts, x.data(), x.cols(), reach, rows.data(), parts.length, d.data());
    check<S>(d, expected, 2 * parts.length);
}

// Numbers that stand anywhere, also twice.
template <class S>
void check_placed(Index m, Index n, Index k) {
    const Index width = whole_vectors<S>(n) + 16, reach = 11;
    const auto pool = random_matrix<S>(1, m * reach + k * 3, "pool");
    std::vector<Index> rows, columns;
    for (Index i = 0; i < m; ++i) rows.push_back((m - 1 - i) * reach);
    for (Index p = 0; p < k; ++p) columns.push_back(p * 3);
    RowMajor<S> a(m, k);
    for (Index i = 0; i < m; ++i)
        for (Index p = 0; p < k; ++p) a(i, p) = pool(0, (m - 1 - i) * reach + p * 3);
    const auto b = random_matrix<S>(k, width, "b");
    for (const auto target : {Target::set, Target::add}) {
        RowMajor<S> c = random_matrix<S>(m, width, "c");
        const RowMajor<S> before = c;
        placed_product<S>(m, n, k, {pool.data(), rows.data(), columns.data()}, b.data(), width,
                          target, c.data(), width);
        RowMajor<long double> expected = exact<S>(a, b.leftCols(n));
        if (target == Target::add) expected += before.leftCols(n).template cast<long double>();
        check<S>(c.leftCols(n), expected, k);
        REQUIRE(c.rightCols(16) == before.rightCols(16));
    }
}

} // namespace

TEMPLATE_TEST_CASE("products of numbers by their places", "[linalg][products]", float, double) {
    const Index m = GENERATE(1, 7, 8, 21), n = GENERATE(1, 8, 16, 33, 64, 100),
                k = GENERATE(0, 1, 9, 700);
    check_placed<TestType>(m, n, k);
}

TEMPLATE_TEST_CASE("transposes write each number once", "[linalg][products]", float, double) {
    using S = TestType;
    const Index m = GENERATE(1, 8, 16, 37), n = GENERATE(1, 8, 16, 50);
    const auto from = random_matrix<S>(m, n + 2, "from");
    for (const auto target : {Target::set, Target::add}) {
        RowMajor<S> to = random_matrix<S>(n, m + 3, "to");
        RowMajor<S> expected = to;
        if (target == Target::set) expected.leftCols(m).setZero();
        expected.leftCols(m) += from.leftCols(n).transpose();
        transpose<S>(m, n, from.data(), from.cols(), target, to.data(), to.cols());
        REQUIRE(to == expected);
    }
}

TEMPLATE_TEST_CASE("products in register tiles", "[linalg][products]", float, double) {
    const Index m = GENERATE(1, 7, 8, 9, 19), n = GENERATE(1, 8, 16, 47, 48, 50, 100),
                k = GENERATE(1, 3, 16, 37);
    check_multiply<TestType>(m, n, k);
    check_rows<TestType>(m, n, k);
}

TEMPLATE_TEST_CASE("products of long chains go in several panels", "[linalg][products]", float,
                   double) {
    check_multiply<TestType>(9, 20, 4100);
    check_multiply<TestType>(3, 75, 1100);
    check_multiply<TestType>(75, 3, 1100);
    check_multiply<TestType>(6, 75, 1100);
    check_multiply<TestType>(75, 6, 1100);
}

TEMPLATE_TEST_CASE("threads share a product to the same bits", "[linalg][products]", float,
                   double) {
    using S = TestType;
    const Index m = 260, n = 310, k = 700;
    const auto a = random_matrix<S>(m, k, "a"), b = random_matrix<S>(k, n, "b");
    const auto product = [&] {
        RowMajor<S> c(m, n);
        multiply<S>(m, n, k, plain(a.data(), k), plain(b.data(), n), Target::set, c.data(), n);
        return c;
    };
    const RowMajor<S> alone = product();
    check<S>(alone, exact(a, b), k);
    for (const int threads : {2, 5, 40}) {
        const AllowedThreads shared(threads);
        CHECK(product() == alone);
    }
}

TEMPLATE_TEST_CASE("the bits of a product depend on no other row or column", "[linalg][products]",
                   float, double) {
    using S = TestType;
    const Index m = 40, n = 130, k = 600; // more than one panel of steps
    const auto a = random_matrix<S>(m, k, "a"), b = random_matrix<S>(k, n, "b");
    RowMajor<S> whole(m, n);
    multiply<S>(m, n, k, plain(a.data(), k), plain(b.data(), n), Target::set, whole.data(), n);
    // Parts down to the smallest that are not thin on any platform.
    const Index rows = GENERATE(8, 9, 11, 15, 16, 39), columns = GENERATE(8, 9, 17, 60, 129);
    for (const Index row : {Index{0}, (m - rows) / 2, m - rows})
        for (const Index column : {Index{0}, (n - columns) / 2, n - columns}) {
            RowMajor<S> part(rows, columns);
            multiply<S>(rows, columns, k, plain(a.data() + row * k, k),
                        Strided<S>{b.data() + column, n, 1}, Target::set, part.data(), columns);
            CHECK(part == whole.block(row, column, rows, columns));
        }
}

TEST_CASE("a product without terms", "[linalg][products]") {
    RowMajor<double> c = RowMajor<double>::Ones(9, 20);
    multiply<double>(9, 20, 0, plain<double>(nullptr, 0), plain<double>(nullptr, 20), Target::set,
                     c.data(), 20);
    CHECK(c == RowMajor<double>::Zero(9, 20));
}
