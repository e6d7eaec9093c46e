#include <assay/hdf5/object.hpp>
#include <assay/linalg/nnls.hpp>

#include <catch2/catch.hpp>

using namespace assay;

TEST_CASE("block principal pivoting equals an active-set solver", "[linalg]") {
    const std::string name = GENERATE("regular", "zero_column");
    const auto group =
        hdf5::File::open(std::string(ASSAY_TEST_REFERENCE) + "/cnmf_oracle.h5", "oracle")
            .root()
            .group("/nnls/" + name);
    const Matrix q = group.dataset("Q").read_matrix(), r = group.dataset("R").read_matrix(),
                 expected = group.dataset("X").read_matrix();
    linalg::NnlsSolver solver(q);
    const Matrix cold = solver.solve(r);
    CHECK((cold - expected).cwiseAbs().maxCoeff() < 1e-10);
    // A warm start changes the way, not the end.
    const Matrix warm = solver.solve(r, Matrix::Ones(r.rows(), r.cols()));
    CHECK((warm - expected).cwiseAbs().maxCoeff() < 1e-10);
    CHECK(solver.fallbacks() == 0);
}

TEST_CASE("solutions satisfy the KKT conditions on random problems", "[linalg]") {
    const int size = GENERATE(1, 3, 40, 120);
    std::srand(7);
    const Matrix a = Matrix::Random(2 * size, size);
    const Matrix q = a.transpose() * a, r = 3 * Matrix::Random(size, 30);
    const Matrix x = linalg::NnlsSolver(q).solve(r);
    const Matrix gradient = q * x - r;
    const double scale = r.cwiseAbs().maxCoeff();
    CHECK(x.minCoeff() >= 0);
    CHECK(gradient.minCoeff() > -1e-9 * scale);
    CHECK(x.cwiseProduct(gradient).cwiseAbs().maxCoeff() <
          1e-9 * scale * std::max(1.0, x.maxCoeff()));
}

TEST_CASE("a singular block is solved after a tiny shift", "[linalg]") {
    Matrix a(4, 3);
    a << 1, 1, 0, 2, 2, 1, 0, 0, 1, 1, 1, 3;
    const Matrix q = a.transpose() * a;
    Matrix r(3, 1);
    r << 6, 6, 4;
    const Matrix x = linalg::NnlsSolver(q).solve(r, Matrix::Ones(3, 1));
    const Matrix gradient = q * x - r;
    CHECK(x.minCoeff() >= 0);
    CHECK(gradient.minCoeff() > -1e-4);
}
