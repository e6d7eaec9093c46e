// Items of known structure: covariances written out from their definitions, spectra and modes from
// closed forms, and samples with many features against both.
#include <assay/core/error.hpp>
#include <assay/training/task.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/SVD>
#include <catch2/catch.hpp>
#include <training/built_in.hpp>

#include <cmath>

using namespace assay;
using namespace assay::training;
using Catch::Matchers::Contains;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using training_test::task;

namespace {

Matrix truth_matrix(const Task& made, const std::string& name) {
    return training_test::truth_table(made, name);
}

// Phi = (L + I / sigma^2)^{-1} of a graph of unit edges.
Matrix graph_covariance(Index items, const std::vector<std::pair<Index, Index>>& edges,
                        double sigma) {
    Matrix l = Matrix::Zero(items, items);
    for (const auto& [i, j] : edges) {
        l(i, i) += 1;
        l(j, j) += 1;
        l(i, j) -= 1;
        l(j, i) -= 1;
    }
    return (l + Matrix::Identity(items, items) / (sigma * sigma)).inverse();
}

// The stated modes are eigenvectors of Phi with the stated eigenvalues, orthonormal, falling, and
// leave nothing of Phi.
void check_modes(const Task& made, const Matrix& phi) {
    const Matrix modes = truth_matrix(made, "mode");
    const Vector lambda = truth_matrix(made, "eigenvalue");
    CHECK((modes.transpose() * modes - Matrix::Identity(modes.cols(), modes.cols())).norm() <
          1e-12);
    CHECK((modes * lambda.asDiagonal() * modes.transpose() - phi).norm() < 1e-12 * phi.norm());
    for (Index a = 1; a < lambda.size(); ++a) CHECK(lambda(a) <= lambda(a - 1) + 1e-12);
}

// The covariance of 10^5 features is Phi within 6 standard errors, its singular values are the
// stated ones within 2 %, and its modes, taken in groups of equal eigenvalues, lie within 0.1 rad.
void check_samples(const Task& made, const Matrix& phi, double features) {
    const auto items = static_cast<Index>(made.layout().distinct);
    const Samples s = made.samples(0, items, Stream::train);
    CHECK(s.inputs == RowMatrix::Identity(items, items));
    const Matrix covariance = s.values * s.values.transpose() / features;
    CHECK((covariance - phi).cwiseAbs().maxCoeff() <
          6 * std::sqrt(2 / features) * phi.diagonal().maxCoeff());
    const Eigen::SelfAdjointEigenSolver<Matrix> found(covariance);
    const Matrix modes = truth_matrix(made, "mode");
    const Vector lambda = truth_matrix(made, "eigenvalue"),
                 singular = truth_matrix(made, "singular_value");
    for (Index a = 0, end = 0; a < lambda.size(); a = end) {
        for (end = a + 1; end < lambda.size() && lambda(end) > (1 - 1e-9) * lambda(a);) ++end;
        const Matrix stated = modes.middleCols(a, end - a),
                     seen = found.eigenvectors().rowwise().reverse().middleCols(a, end - a);
        const double smallest =
            Eigen::JacobiSVD<Matrix>(stated.transpose() * seen).singularValues().minCoeff();
        CHECK(std::acos(std::min(1.0, smallest)) < 0.1);
        CHECK_THAT(std::sqrt(found.eigenvalues()(items - 1 - a) * features) / double(items),
                   WithinRel(singular(a), 0.02));
    }
}

} // namespace

TEST_CASE("semantic-ring: Fourier modes", "[training]") {
    const auto made = task("semantic-ring", {{"items", "8"}, {"features", "100000"}});
    std::vector<std::pair<Index, Index>> edges;
    for (Index i = 0; i < 8; ++i) edges.emplace_back(i, (i + 1) % 8);
    const Matrix phi = graph_covariance(8, edges, 1.5);
    check_modes(*made, phi);
    check_samples(*made, phi, 1e5);
    const Vector lambda = truth_matrix(*made, "eigenvalue");
    for (Index k = 0; k < 8; ++k) {
        const double frequency = std::floor((double(k) + 1) / 2);
        CHECK_THAT(lambda(k),
                   WithinRel(1 / (2 - 2 * std::cos(2 * M_PI * frequency / 8) + 1 / 2.25), 1e-12));
    }
}

TEST_CASE("semantic-chain and semantic-grid: cosine modes", "[training]") {
    const auto chain =
        task("semantic-chain", {{"items", "7"}, {"features", "100000"}, {"sigma", "2"}});
    std::vector<std::pair<Index, Index>> edges;
    for (Index i = 1; i < 7; ++i) edges.emplace_back(i - 1, i);
    const Matrix phi = graph_covariance(7, edges, 2);
    check_modes(*chain, phi);
    check_samples(*chain, phi, 1e5);
    const Vector lambda = truth_matrix(*chain, "eigenvalue");
    for (Index k = 0; k < 7; ++k)
        CHECK_THAT(lambda(k),
                   WithinRel(1 / (2 - 2 * std::cos(M_PI * double(k) / 7) + 0.25), 1e-12));

    const auto grid =
        task("semantic-grid", {{"rows", "2"}, {"columns", "4"}, {"features", "100000"}});
    edges.clear();
    for (Index r = 0; r < 2; ++r)
        for (Index c = 0; c < 4; ++c) {
            if (c > 0) edges.emplace_back(r * 4 + c - 1, r * 4 + c);
            if (r > 0) edges.emplace_back(c, 4 + c);
        }
    check_modes(*grid, graph_covariance(8, edges, 1.5));
    check_samples(*grid, graph_covariance(8, edges, 1.5), 1e5);
}

TEST_CASE("semantic-graph: any edges", "[training]") {
    const auto made =
        task("semantic-graph", {{"edges", "0,1,1,2,2,0,2,3,3,4"}, {"features", "10"}});
    check_modes(*made, graph_covariance(5, {{0, 1}, {1, 2}, {2, 0}, {2, 3}, {3, 4}}, 1.5));
    const auto weighted =
        task("semantic-graph", {{"edges", "0,1,1,2"}, {"edge_weights", "2,1"}, {"features", "10"}});
    check_modes(*weighted, graph_covariance(3, {{0, 1}, {0, 1}, {1, 2}}, 1.5));
    CHECK_THROWS_WITH(task("semantic-graph", {{"edges", "0,1,2"}}), Contains("pairs of items"));
    CHECK_THROWS_WITH(task("semantic-graph", {{"edges", "1,1"}}), Contains("different items"));
    CHECK_THROWS_WITH(task("semantic-graph", {{"edge_weights", "1"}}), Contains("each of 3 edges"));
}

TEST_CASE("semantic-clusters: contrasts and wholes", "[training]") {
    const auto made =
        task("semantic-clusters",
             {{"sizes", "3,4,2"}, {"within", "0.6"}, {"between", "0.2"}, {"features", "100000"}});
    Matrix phi(9, 9);
    const Vector label = truth_matrix(*made, "label");
    for (Index i = 0; i < 9; ++i)
        for (Index j = 0; j < 9; ++j) phi(i, j) = i == j ? 1 : label(i) == label(j) ? 0.6 : 0.2;
    check_modes(*made, phi);
    check_samples(*made, phi, 1e5);
    // Equal sizes are a tree of depth 1: P/C (within - between) + 1 - within, and the constant
    // mode.
    const Vector equal = truth_matrix(*task("semantic-clusters", {}), "eigenvalue");
    CHECK_THAT(equal(0), WithinRel(1 + 3 * 0.7 + 8 * 0.1, 1e-12));
    CHECK_THAT(equal(1), WithinRel(4 * (0.7 - 0.1) + 1 - 0.7, 1e-12));
    CHECK_THAT(equal(3), WithinRel(1 - 0.7, 1e-12));
    CHECK_THROWS_WITH(task("semantic-clusters", {{"within", "0"}, {"between", "0.9"}}),
                      Contains("negative eigenvalues"));
}

TEST_CASE("semantic-cross-cutting: two trees at once", "[training]") {
    const auto made =
        task("semantic-cross-cutting",
             {{"first", "2,2"}, {"second", "3"}, {"flip", "0.1"}, {"features", "50000"}});
    const double q = std::pow(0.8, 2);
    Matrix a(4, 4), b = Matrix::Constant(3, 3, q);
    b.diagonal().setOnes();
    for (Index i = 0; i < 4; ++i)
        for (Index j = 0; j < 4; ++j) a(i, j) = i == j ? 1 : i / 2 == j / 2 ? q : q * q;
    Matrix phi(12, 12);
    for (Index i = 0; i < 12; ++i)
        for (Index j = 0; j < 12; ++j) phi(i, j) = a(i / 3, j / 3) + 0.7 * b(i % 3, j % 3);
    check_modes(*made, phi);
    const Samples s = made->samples(0, 12, Stream::train);
    const Matrix covariance = s.values * s.values.transpose() / 50000;
    CHECK((covariance - phi).cwiseAbs().maxCoeff() < 6 * 1.7 / std::sqrt(50000.0));
    // The first tree's features do not know the second.
    for (Index i = 0; i < 12; ++i)
        CHECK(s.values.row(i).head(50000) == s.values.row(i / 3 * 3).head(50000));
    const Vector lambda = truth_matrix(*made, "eigenvalue");
    CHECK_THAT(lambda(0), WithinRel(3 * (1 + q + 2 * q * q) + 0.7 * 4 * (1 + 2 * q), 1e-12));
}

TEST_CASE("semantic-coherence: blocks, backgrounds and the threshold of a category", "[training]") {
    const auto made = task("semantic-coherence", {{"items", "300"},
                                                  {"features", "400"},
                                                  {"categories", "60,80,0.8,30,40,0.5"},
                                                  {"shuffle", "true"}});
    const Samples s = made->samples(0, 300, Stream::train);
    const Vector item = truth_matrix(*made, "item_category"),
                 feature = truth_matrix(*made, "feature_category");
    double inside[2] = {0, 0}, outside = 0, size[2] = {0, 0};
    for (Index i = 0; i < 300; ++i)
        for (Index m = 0; m < 400; ++m) {
            CHECK((s.values(i, m) == 0 || s.values(i, m) == 1));
            const bool within = item(i) >= 0 && item(i) == feature(m);
            (within ? inside[int(item(i))] : outside) += s.values(i, m);
            if (within) size[int(item(i))] += 1;
        }
    CHECK(size[0] == 60 * 80);
    CHECK(size[1] == 30 * 40);
    CHECK((item.head(60).array() != 0).any());
    CHECK_THAT(inside[0] / size[0], WithinAbs(0.8, 5 * std::sqrt(0.16 / size[0])));
    CHECK_THAT(inside[1] / size[1], WithinAbs(0.5, 5 * std::sqrt(0.25 / size[1])));
    const double rest = 300 * 400 - size[0] - size[1];
    CHECK_THAT(outside / rest, WithinAbs(0.2, 5 * std::sqrt(0.16 / rest)));
    const Vector snr = truth_matrix(*made, "snr");
    CHECK_THAT(snr(0), WithinRel(0.36 * 4800 / (0.16 * std::sqrt(120000.0)), 1e-12));
    const Matrix centred = (s.values.array() - 0.2).matrix().transpose() / 300;
    const Vector found = Eigen::BDCSVD<Matrix>(centred).singularValues();
    CHECK_THAT(found(0), WithinRel(truth_matrix(*made, "singular_value")(0), 0.03));
    CHECK_THROWS_WITH(task("semantic-coherence", {{"categories", "60,80"}}),
                      Contains("probability of each"));
    CHECK_THROWS_WITH(task("semantic-coherence", {{"categories", "600,80,.8,600,80,.8"}}),
                      Contains("without common items"));
}

TEST_CASE("linear-pair: input modes have the inner products asked for", "[training]") {
    const auto made = task("linear-pair", {{"sizes", "30,5,12"},
                                           {"singular_values_a", "4,2"},
                                           {"singular_values_b", "5"},
                                           {"alignment", "0.6,-0.3"},
                                           {"noise", "0"}});
    const Matrix va = truth_matrix(*made, "V_a"), vb = truth_matrix(*made, "V_b"),
                 w = truth_matrix(*made, "W");
    CHECK((vb.transpose() * vb - Matrix::Identity(1, 1)).norm() < 1e-12);
    CHECK((va.transpose() * vb - Eigen::Vector2d(0.6, -0.3)).norm() < 1e-12);
    CHECK_THAT(w.topRows(12).norm(), WithinRel(std::sqrt(20.0), 1e-12));
    CHECK((w.bottomRows(12) - 5 * truth_matrix(*made, "U_b") * vb.transpose()).norm() < 1e-12);
    // Eigenvalues of [[S_A^2, S_A Q S_B], [S_B Q^T S_A, S_B^2]].
    Matrix m(3, 3);
    m << 16, 0, 4 * 5 * 0.6, 0, 4, -2 * 5 * 0.3, 4 * 5 * 0.6, -2 * 5 * 0.3, 25;
    const Vector expected = m.selfadjointView<Eigen::Lower>().eigenvalues().cwiseSqrt().reverse();
    CHECK((truth_matrix(*made, "joint_singular_values") - expected).norm() < 1e-11);
    const Samples s = made->samples(0, 30, Stream::train);
    CHECK((s.values - s.inputs * w.transpose()).norm() < 1e-12);
    const Vector tasks = truth_matrix(*made, "output_task");
    CHECK(tasks.head(12) == Vector::Zero(12));
    CHECK(tasks.tail(12) == Vector::Ones(12));
    // With hidden units of their own, task B is that of its teacher alone.
    const auto leaky = task("linear-pair", {{"sizes", "30,5,12"},
                                            {"singular_values_a", "4,2"},
                                            {"singular_values_b", "5"},
                                            {"alignment", "0.6,-0.3"},
                                            {"activation", "leaky_relu"},
                                            {"noise", "0"}});
    const Matrix f =
        vb.unaryExpr([](double x) { return std::sqrt(2 / 1.04) * std::max(x, x / 5); });
    CHECK((leaky->samples(0, 30, Stream::train).values.rightCols(12) -
           5 * f * truth_matrix(*made, "U_b").transpose())
              .norm() < 1e-12);
    CHECK_THROWS_WITH(task("linear-pair", {{"alignment", "0.9,0.9"}, {"singular_values_a", "2,1"}}),
                      Contains("at most 1"));
    CHECK_THROWS_WITH(task("linear-pair", {{"alignment", "0.1,0.2"}}), Contains("1 x 1 entries"));
}

TEST_CASE("linear-regression: variances of inputs and noise", "[training]") {
    const auto made = task("linear-regression", {{"dimension", "200"}, {"load", "3"}});
    const Samples s = made->samples(0, 600, Stream::train);
    CHECK_THAT(s.inputs.squaredNorm() / 600, WithinRel(1, 0.02));
    const Vector rest =
        s.values.topRows(600) - s.inputs.topRows(600) * truth_matrix(*made, "W").transpose();
    CHECK_THAT(rest.squaredNorm() / 600, WithinRel(0.25, 5 * std::sqrt(2.0 / 600)));
}
