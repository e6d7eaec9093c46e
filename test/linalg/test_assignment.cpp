#include <assay/core/error.hpp>
#include <assay/linalg/assignment.hpp>
#include <assay/linalg/graph_matching.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

using namespace assay;

namespace {

// Of all injections of the smaller side into the larger.
double cheapest(const Matrix& cost) {
    if (cost.rows() > cost.cols()) return cheapest(cost.transpose());
    std::vector<Index> order(static_cast<std::size_t>(cost.cols()));
    std::iota(order.begin(), order.end(), 0);
    double best = INFINITY;
    do {
        double sum = 0;
        for (Index i = 0; i < cost.rows(); ++i) sum += cost(i, order[static_cast<std::size_t>(i)]);
        best = std::min(best, sum);
    } while (std::next_permutation(order.begin(), order.end()));
    return best;
}

Matrix permutation_of(Index size) {
    std::vector<Index> order(static_cast<std::size_t>(size));
    std::iota(order.begin(), order.end(), 0);
    for (Index i = size - 1; i > 0; --i)
        std::swap(order[static_cast<std::size_t>(i)],
                  order[static_cast<std::size_t>(std::rand() % (i + 1))]);
    Matrix p = Matrix::Zero(size, size);
    for (Index i = 0; i < size; ++i) p(i, order[static_cast<std::size_t>(i)]) = 1;
    return p;
}

} // namespace

TEST_CASE("assignments cost what the best of all costs", "[linalg][assignment]") {
    std::srand(1);
    for (int trial = 0; trial < 60; ++trial) {
        const Index rows = 1 + std::rand() % 7, columns = 1 + std::rand() % 7;
        Matrix cost = 5 * Matrix::Random(rows, columns);
        if (trial % 3 == 0) cost = cost.array().round(); // with many ties
        const auto found = linalg::assign(cost);
        CHECK(std::abs(found.cost - cheapest(cost)) < 1e-12);
        std::set<Index> used;
        double sum = 0;
        for (Index i = 0; i < rows; ++i) {
            const Index j = found.column[static_cast<std::size_t>(i)];
            if (j < 0) continue;
            CHECK(used.insert(j).second);
            sum += cost(i, j);
        }
        CHECK(static_cast<Index>(used.size()) == std::min(rows, columns));
        CHECK(std::abs(sum - found.cost) < 1e-12);
    }
}

TEST_CASE("large assignments satisfy the dual bound", "[linalg][assignment]") {
    // cost = u_i + v_j + nonnegative slack that is 0 on a hidden permutation: the optimum is known.
    std::srand(2);
    constexpr Index kSize = 200;
    const Vector u = Vector::Random(kSize), v = Vector::Random(kSize);
    const Matrix p = permutation_of(kSize);
    Matrix cost = Matrix::Random(kSize, kSize).cwiseAbs().cwiseProduct((1 - p.array()).matrix());
    cost.colwise() += u;
    cost.rowwise() += v.transpose();
    const auto found = linalg::assign(cost);
    CHECK(std::abs(found.cost - u.sum() - v.sum()) < 1e-10);
    for (Index i = 0; i < kSize; ++i) CHECK(p(i, found.column[static_cast<std::size_t>(i)]) == 1);
}

TEST_CASE("equal costs give the identity, empty ones nothing", "[linalg][assignment]") {
    const auto found = linalg::assign(Matrix::Constant(4, 6, 2.5));
    CHECK(found.column == std::vector<Index>{0, 1, 2, 3});
    CHECK(linalg::assign(Matrix(0, 3)).column.empty());
    CHECK(linalg::assign(Matrix(2, 0)).column == std::vector<Index>{-1, -1});
    CHECK_THROWS_AS(linalg::assign(Matrix::Constant(2, 2, INFINITY)), Error);
}

TEST_CASE("graphs are recognised under any numbering", "[linalg][graphs]") {
    std::srand(3);
    for (int trial = 0; trial < 8; ++trial) {
        const Index size = 5 + 2 * trial;
        Matrix a = Matrix::Random(size, size);
        a = (a.array() > 0.4).select(a, 0.0); // directed, weighted, sparse
        const Matrix p = permutation_of(size);
        const auto found = linalg::match_graphs(a, p.transpose() * a * p);
        CHECK(found.distance < 1e-12);
        std::set<Index> used(found.partner.begin(), found.partner.end());
        CHECK(static_cast<Index>(used.size()) == size);
    }
}

TEST_CASE("graph matching finds the best of all numberings of most small graphs",
          "[linalg][graphs]") {
    std::srand(4);
    int found_best = 0;
    for (int trial = 0; trial < 15; ++trial) {
        const Matrix a = (Matrix::Random(6, 6).array() > 0.2).cast<double>();
        Matrix b = Matrix::Zero(6, 6);
        b.topLeftCorner(5, 5) = (Matrix::Random(5, 5).array() > 0.2).cast<double>();
        std::vector<Index> order{0, 1, 2, 3, 4, 5};
        double best = INFINITY;
        do {
            double sum = 0;
            for (std::size_t i = 0; i < 6; ++i)
                for (std::size_t j = 0; j < 6; ++j)
                    sum += std::pow(
                        a(static_cast<Index>(i), static_cast<Index>(j)) - b(order[i], order[j]), 2);
            best = std::min(best, sum);
        } while (std::next_permutation(order.begin(), order.end()));
        const auto found = linalg::match_graphs(a, b.topLeftCorner(5, 5));
        CHECK(found.distance > std::sqrt(best) - 1e-12);
        found_best += found.distance < std::sqrt(best) + 1e-12;
    }
    CHECK(found_best >= 10);
    CHECK_THROWS_AS(linalg::match_graphs(Matrix::Ones(2, 3), Matrix::Ones(2, 2)), Error);
}
