// Statistics and modes against literal sums and closed forms.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/spiked.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::lindyn;

namespace {

class Table : public SampleSource {
  public:
    Table(RowMatrix inputs, RowMatrix targets)
        : inputs_(std::move(inputs)), targets_(std::move(targets)) {}
    [[nodiscard]] Index samples() const override { return targets_.rows(); }
    [[nodiscard]] Index inputs() const override { return inputs_.cols(); }
    [[nodiscard]] Index outputs() const override { return targets_.cols(); }
    [[nodiscard]] RowMatrix read_inputs(Index first, Index count) const override {
        return inputs_.middleRows(first, count);
    }
    [[nodiscard]] RowMatrix read_targets(Index first, Index count) const override {
        return targets_.middleRows(first, count);
    }

  private:
    RowMatrix inputs_, targets_;
};

RowMatrix random_rows(Index rows, Index cols, std::uint64_t seed) {
    const Random random(seed, "test/modes");
    RowMatrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return m;
}

} // namespace

TEST_CASE("statistics are the literal sums, for any number of threads", "[lindyn]") {
    const Table table(random_rows(70000, 5, 1), random_rows(70000, 3, 2)); // two blocks
    const RowMatrix x = table.read_inputs(0, 70000), y = table.read_targets(0, 70000);
    const Statistics mean = accumulate(table, Normalisation::mean, {});
    CHECK((mean.syx - y.transpose() * x / 70000).norm() < 1e-12);
    CHECK((mean.sxx - x.transpose() * x / 70000).norm() < 1e-12);
    CHECK(std::abs(mean.output_power - y.squaredNorm() / 70000) < 1e-12);
    Execution many;
    many.threads = 3;
    const Statistics sum = accumulate(table, Normalisation::sum, many);
    CHECK((sum.syx / 70000 - mean.syx).cwiseAbs().maxCoeff() == 0);
    CHECK((sum.sxx / 70000 - mean.sxx).cwiseAbs().maxCoeff() == 0);
    CHECK(mean.sxx == mean.sxx.transpose());
}

TEST_CASE("whitened statistics drop what the inputs do not span", "[lindyn]") {
    RowMatrix x = random_rows(50, 6, 3);
    x.col(5) = x.col(0) + x.col(1);
    const Table table(x, random_rows(50, 4, 4));
    const Statistics s = accumulate(table, Normalisation::mean, {});
    const Whitened w = whiten(s);
    REQUIRE(w.basis.cols() == 5);
    CHECK((w.root.transpose() * s.sxx * w.root - Matrix::Identity(5, 5)).norm() < 1e-12);
    CHECK((w.statistics.syx - s.syx * w.root).norm() < 1e-14);
    CHECK(white_scale(w.statistics).value() == 1);
    CHECK_FALSE(white_scale(s).has_value());
    const Problem p = make_problem(s, true, {});
    CHECK(p.modes.input_variance.isOnes(1e-12));
    // At the end of learning the map is that of least squares.
    const Matrix end =
        p.original_map(p.modes.u * p.modes.asymptote.asDiagonal() * p.modes.v.transpose());
    CHECK((end * s.sxx - s.syx).norm() < 1e-11);
    CHECK(std::abs(p.unlearnable() - (1 - (end * s.syx.transpose()).trace() / s.output_power)) <
          1e-12);
}

TEST_CASE("conditions tell white, commuting and other inputs apart", "[lindyn]") {
    Statistics s;
    s.syx = random_rows(4, 6, 5);
    s.output_power = 1;
    s.sxx = 3 * Matrix::Identity(6, 6);
    CHECK(whiteness(s) < 1e-15);
    CHECK(commutation(s) < 1e-15);
    const Modes modes = find_modes(s, {});
    CHECK((modes.asymptote - modes.s / 3).norm() < 1e-14);
    s.sxx = Matrix::Identity(6, 6) + modes.v * modes.s.asDiagonal() * modes.v.transpose();
    CHECK(whiteness(s) > 0.1);
    CHECK(commutation(s) < 1e-14);
    s.sxx(0, 0) += 1;
    CHECK(commutation(s) > 1e-3);
    s.sxx(0, 1) += 1;
    CHECK_THROWS_AS(check_statistics(s), Error);
}

TEST_CASE("signs, groups and leading modes", "[lindyn]") {
    Statistics s;
    s.syx =
        random_rows(450, 420, 6) / 60 + 5 * random_rows(450, 3, 7) * random_rows(3, 420, 8) / 100;
    s.input_scale = 1;
    const Modes all = find_modes(s, {}), few = find_modes(s, {3, 1e-6});
    REQUIRE(few.count() == 3);
    CHECK((few.s - all.s.head(3)).norm() < 1e-9 * all.s(0));
    CHECK((few.v - all.v.leftCols(3)).norm() < 1e-6);
    for (Index a = 0; a < all.count(); ++a) {
        Index largest = 0;
        all.v.col(a).cwiseAbs().maxCoeff(&largest);
        CHECK(all.v(largest, a) > 0);
    }
    const Vector values = (Vector(6) << 3, 3 - 1e-9, 2, 1, 1, 0).finished();
    CHECK(group_equal(values, 1e-6) == std::vector<std::int32_t>{0, 0, 1, 2, 2, 3});
    const Matrix means =
        group_means((Matrix(1, 6) << 1, 3, 5, 2, 4, 9).finished(), group_equal(values, 1e-6));
    CHECK(means == (Matrix(1, 4) << 2, 5, 3, 9).finished());
}

TEST_CASE("noise and modes: inverse formulas, shrinkage, published values", "[lindyn]") {
    for (const double aspect : {0.3, 0.5, 1.0, 2.0})
        for (double s = 0.2; s < 6; s += 0.37) {
            const double seen = observed_value(s, aspect);
            const bool above = std::pow(s, 4) > aspect;
            CHECK(std::abs(teacher_value(seen, aspect) - (above ? s : 0)) < 1e-6);
            const Overlaps o = squared_overlaps(s, aspect);
            CHECK(std::abs(shrunk_value(seen, aspect) - s * std::sqrt(o.output * o.input)) < 1e-6);
        }
    // Spectrum figure of arXiv 1809.10374, 1000 x 500: 9, 6, 3 appear at 9.083, 6.125, 3.249.
    CHECK(std::abs(observed_value(9, 0.5) - 9.083) < 5e-4);
    CHECK(std::abs(observed_value(6, 0.5) - 6.125) < 5e-4);
    CHECK(std::abs(observed_value(3, 0.5) - 3.249) < 5e-4);
    // The quarter-circle law: half its area lies above 0.8079455 (theta - sin(theta)cos(theta) =
    // pi/4).
    CHECK(std::abs(bulk_median(1) - 2 * 0.4039727532995173) < 1e-4);
    const Matrix noise = random_rows(150, 300, 9) / std::sqrt(300.0);
    Statistics s;
    s.syx = noise;
    s.input_scale = 1;
    const Vector values = find_modes(s, {}).s;
    CHECK(std::abs(noise_unit(values, 300, 150) - 1) < 0.02);
    CHECK(judge_modes(values, 300, 150, 1).detections() == 0);
}
