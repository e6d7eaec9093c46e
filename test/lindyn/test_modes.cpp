// Statistics and modes against literal sums and closed forms.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/lindyn/known_modes.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/spiked.hpp>

#include <catch2/catch.hpp>

#include <Eigen/Eigenvalues>

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

struct PassCounter : Monitor {
    void progress(const Progress& progress) override {
        last = progress;
        if (progress.done == progress.total) ++ends;
    }
    Progress last;
    int ends = 0;
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

TEST_CASE("statistics of float32 blocks: products in single precision, sums in double",
          "[lindyn]") {
    // Numbers around 1, whose sums in single precision would be off by 1e-3.
    const Table table(RowMatrix::Ones(200000, 4) + 0.3 * random_rows(200000, 4, 8),
                      RowMatrix::Ones(200000, 3) + 0.3 * random_rows(200000, 3, 9));
    const Statistics fine = accumulate(table, Normalisation::sum, {});
    const Statistics rough = accumulate(table, Normalisation::sum, {}, BlockPrecision::float32);
    const double worst = (rough.syx - fine.syx).cwiseAbs().maxCoeff() / fine.syx.maxCoeff();
    CHECK(worst < 3e-8);
    CHECK(worst > 1e-12); // it is single precision
    CHECK((rough.sxx - fine.sxx).cwiseAbs().maxCoeff() < 2e-6 * fine.sxx.maxCoeff());
    CHECK(std::abs(rough.output_power - fine.output_power) < 1e-6 * fine.output_power);
    CHECK(rough.sxx == rough.sxx.transpose());
}

TEST_CASE("modes without the correlations are those with them", "[lindyn]") {
    const bool one_hot = GENERATE(false, true);
    const auto precision = GENERATE(BlockPrecision::float64, BlockPrecision::float32);
    const Index samples = one_hot ? 150 : 20000;
    const RowMatrix x = one_hot ? RowMatrix(samples, 0) : random_rows(samples, 140, 4);
    const RowMatrix basis = random_rows(5, 120, 5);
    RowMatrix y = random_rows(samples, 120, 7);
    // Five strong modes over a bulk.
    for (Index k = 0; k < 5; ++k)
        y += (one_hot ? Vector(random_rows(samples, 1, 20 + std::uint64_t(k))) : Vector(x.col(k))) *
             basis.row(k) * (one_hot ? 3.0 : 1.0) / double(k + 1);
    const Table table(x, y);
    const auto normalisation = GENERATE(Normalisation::mean, Normalisation::sum);
    const bool rough = precision == BlockPrecision::float32;
    const Problem found = make_problem(table, normalisation, {4, 1e-6}, precision, {});
    const Modes whole = find_modes(accumulate(table, normalisation, {}), {});
    const double s1 = whole.s(0), tolerance = rough ? 1e-5 : 1e-9;
    const Modes& modes = found.modes;
    CHECK((modes.s - whole.s.head(4)).cwiseAbs().maxCoeff() < tolerance * s1);
    CHECK((modes.u - whole.u.leftCols(4)).cwiseAbs().maxCoeff() < 100 * tolerance);
    CHECK((modes.v - whole.v.leftCols(4)).cwiseAbs().maxCoeff() < 100 * tolerance);
    CHECK((modes.input_variance - whole.input_variance.head(4)).norm() <
          100 * tolerance * whole.input_variance.norm());
    CHECK(std::abs(modes.output_power - whole.output_power) < tolerance * whole.output_power);
    CHECK(modes.residual.maxCoeff() <= tolerance * s1);
    CHECK(whole.residual.maxCoeff() < 1e-12 * s1);
    const Statistics formed = accumulate(table, normalisation, {});
    const double widest =
        one_hot ? formed.input_scale
                : Eigen::SelfAdjointEigenSolver<Matrix>(formed.sxx).eigenvalues().maxCoeff();
    for (const Modes* m : {&modes, &whole}) {
        CHECK(m->widest.value == Approx(widest).epsilon(1e-5));
        CHECK(m->widest.residual <= 1e-4 * widest);
    }
    CHECK_FALSE(found.whole);
    CHECK(make_problem(Table(x.topRows(150), y.topRows(150).leftCols(4)), normalisation, {4, 1e-6},
                       precision, {})
              .whole);
    CHECK(found.statistics.inputs() == (one_hot ? 150 : 140));
    CHECK(white_scale(found.statistics).has_value() == one_hot);
    Execution many;
    many.threads = 3;
    PassCounter counter;
    many.monitor = &counter;
    CHECK(make_problem(table, normalisation, {4, 1e-6}, precision, many).modes.v == modes.v);
    // Output power, two products or more for the triplets, input power or not, residuals.
    CHECK(counter.ends >= 5);
    CHECK(counter.last.what == "samples");
    CHECK(counter.last.total == double(samples));
    CHECK_THAT(counter.last.status, Catch::StartsWith("pass "));
    CHECK_THROWS_WITH(make_problem(table, normalisation, {}, precision, {}),
                      Catch::Contains("--modes K"));
    CHECK_THROWS_WITH(need_formed(found.statistics), Catch::Contains("were not formed"));
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

TEST_CASE("planes of equal modes differ by their largest principal angle", "[lindyn]") {
    const Matrix known = Matrix::Identity(6, 5);
    const Vector values = (Vector(5) << 3, 2, 2, 1, 1).finished();
    Matrix found = known;
    found.col(0) << std::cos(0.05), 0, 0, 0, 0, std::sin(0.05);
    found.col(1) << 0, std::cos(1.1), std::sin(1.1), 0, 0, 0; // turned within its plane
    found.col(2) << 0, -std::sin(1.1), std::cos(1.1), 0, 0, 0;
    found.col(3) << 0, 0, 0, std::cos(0.3), 0, -std::sin(0.3);
    CHECK(largest_angle(found, {known, values}) == Approx(0.3).epsilon(1e-12));
    CHECK(largest_angle(found.leftCols(4), {known, values}) == Approx(0.05).epsilon(1e-12));
    CHECK(largest_angle(known, {known, values}) < 1e-15);
    CHECK(std::isnan(largest_angle(found.leftCols(0), {known, values})));
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
