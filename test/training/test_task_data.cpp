// Built-in tasks that are not sequences: classes and targets recomputed from their definitions,
// moments and spectra against closed forms.
#include <assay/core/error.hpp>
#include <assay/training/task.hpp>

#include <Eigen/SVD>
#include <catch2/catch.hpp>
#include <training/built_in.hpp>

#include <algorithm>
#include <cmath>

using namespace assay;
using namespace assay::training;
using Catch::Matchers::Contains;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using namespace training_test;

namespace {

Vector singular_values(const Matrix& matrix) {
    return Eigen::JacobiSVD<Matrix>(matrix).singularValues();
}

double class_at(const Samples& s, Index i) {
    return static_cast<double>(s.classes[static_cast<std::size_t>(i)]);
}

// Standard normal distribution function.
double normal_below(double z) {
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

std::vector<double> sorted(const RowMatrix& matrix) {
    std::vector<double> all(matrix.data(), matrix.data() + matrix.size());
    std::sort(all.begin(), all.end());
    return all;
}

} // namespace

TEST_CASE("gaussian-clusters: centres, spectrum and sizes of the classes", "[training]") {
    const auto made = task("gaussian-clusters", {{"spectrum", "1"}, {"dimension", "20"}});
    const Index each = 2000;
    const Samples s = made->samples(0, 10 * each, Stream::train);
    const RowMatrix centres = truth_table(*made, "centre");
    double worst_mean = 0, worst_variance = 0, worst_correlation = 0;
    for (Index c = 0; c < 10; ++c) {
        CHECK_THAT(centres.row(c).norm(), WithinRel(5, 1e-12));
        RowMatrix x(each, 20);
        Index found = 0;
        for (Index i = 0; i < s.count(); ++i)
            if (class_at(s, i) == static_cast<double>(c)) x.row(found++) = s.inputs.row(i);
        REQUIRE(found == each);
        const RowMatrix centred = x.rowwise() - x.colwise().mean();
        worst_correlation =
            std::max(worst_correlation,
                     std::abs(centred.col(3).normalized().dot(centred.col(4).normalized())));
        for (Index j = 0; j < 20; ++j) {
            const double variance = 1 / static_cast<double>(j + 1), mean = x.col(j).mean();
            worst_mean =
                std::max(worst_mean, std::abs(mean - centres(c, j)) / std::sqrt(variance / each));
            worst_variance = std::max(
                worst_variance, std::abs((x.col(j).array() - mean).square().mean() / variance - 1));
        }
    }
    CHECK(worst_mean < 5);
    CHECK(worst_correlation < 5 / std::sqrt(double(each)));
    CHECK(worst_variance < 5 * std::sqrt(2.0 / each));
}

TEST_CASE("gaussian-clusters: Bayes accuracy of two classes is Phi of half their distance",
          "[training]") {
    const auto made =
        task("gaussian-clusters",
             {{"classes", "2"}, {"dimension", "3"}, {"separation", "0.8"}, {"noise", "0.9"}});
    const RowMatrix centres = truth_table(*made, "centre");
    const double expected = normal_below((centres.row(0) - centres.row(1)).norm() / 2 / 0.9);
    const double error = truth(*made, "bayes_accuracy_standard_error").values[0];
    CHECK(error < 0.005);
    CHECK_THAT(truth(*made, "bayes_accuracy").values[0], WithinAbs(expected, 4 * error));
}

TEST_CASE("gaussian-clusters: preset hessian has normal centres and an offset", "[training]") {
    const auto made = task("gaussian-clusters", {{"classes", "500"}}, "hessian");
    CHECK(made->layout().input_shape == Shape{32});
    const RowMatrix centres = truth_table(*made, "centre").array() - 0.5;
    const double n = 500 * 32;
    CHECK_THAT(centres.mean(), WithinAbs(0, 5 * 0.7 / std::sqrt(n)));
    CHECK_THAT(centres.squaredNorm() / n, WithinRel(0.49, 5 * std::sqrt(2 / n)));
    CHECK(std::abs(centres.row(0).norm() - centres.row(1).norm()) > 1e-3);
}

TEST_CASE("stripes, spirals, parity: classes follow from the points", "[training]") {
    const Samples upright = task("stripes", {{"angle", "0"}, {"stripes", "5"}, {"classes", "3"}})
                                ->samples(0, 500, Stream::train);
    const Samples slanted = task("stripes")->samples(0, 500, Stream::train);
    const Samples arms =
        task("spirals", {{"noise", "0"}, {"classes", "3"}})->samples(0, 500, Stream::train);
    const Samples bits = task("parity", {{"relevant", "3"}})->samples(0, 500, Stream::train);
    const Samples all = task("parity")->samples(0, 500, Stream::train);
    bool right = true;
    for (Index i = 0; i < 500; ++i) {
        const double x = upright.inputs(i, 0);
        right = right && std::abs(x) <= 1 &&
                class_at(upright, i) == static_cast<double>(int((x + 1) / 0.4) % 3);
        // Diagonal stripes of a square of diagonal 2 sqrt(2): x + y from -2 to 2 in four parts.
        const double diagonal = slanted.inputs(i, 0) + slanted.inputs(i, 1);
        right = right && class_at(slanted, i) == static_cast<double>(int(diagonal + 2) % 2);
        const double a = arms.inputs(i, 0), b = arms.inputs(i, 1);
        const double turn = std::atan2(b, a) / (2 * M_PI) - 1.5 * std::hypot(a, b);
        const double arm = 3 * (turn - std::floor(turn));
        right = right && std::abs(std::remainder(arm - class_at(arms, i), 3)) < 1e-9;
        const auto negative = [&](const Samples& s, Index k) { return s.inputs(i, k) == -1; };
        right = right && class_at(bits, i) ==
                             double(negative(bits, 0) != (negative(bits, 1) != negative(bits, 2)));
        Index count = 0;
        for (Index k = 0; k < 8; ++k) count += negative(all, k) ? 1 : 0;
        right = right && class_at(all, i) == static_cast<double>(count % 2);
    }
    CHECK(right);
    CHECK_THROWS_WITH(task("parity", {{"relevant", "9"}}), Contains("from 0 to bits (8)"));
}

TEST_CASE("stripes, spirals, parity: the truth tells the classes of points", "[training]") {
    const auto stripes = task("stripes", {{"angle", "30"}, {"stripes", "7"}, {"classes", "3"}});
    const auto arms = task("spirals", {{"noise", "0"}, {"classes", "4"}, {"turns", "0.8"}});
    const auto bits = task("parity", {{"bits", "6"}, {"relevant", "4"}});
    const auto direction = truth(*stripes, "direction").values,
               edge = truth(*stripes, "edge").values,
               stripe_class = truth(*stripes, "stripe_class").values,
               arm_angle = truth(*arms, "arm_angle").values,
               relevant = truth(*bits, "relevant").values;
    const double winding = truth(*arms, "winding").values[0];
    REQUIRE(edge.size() == 8);
    REQUIRE(stripe_class.size() == 7);
    REQUIRE(arm_angle.size() == 4);
    REQUIRE(relevant.size() == 6);
    const Samples s = stripes->samples(0, 500, Stream::train),
                  a = arms->samples(0, 500, Stream::train),
                  b = bits->samples(0, 500, Stream::train);
    bool right = true;
    double guessed = 0;
    for (Index i = 0; i < 500; ++i) {
        const double across = direction[0] * s.inputs(i, 0) + direction[1] * s.inputs(i, 1);
        const auto above = std::upper_bound(edge.begin(), edge.end(), across);
        right = right && above != edge.begin() && above != edge.end() &&
                class_at(s, i) == stripe_class[static_cast<std::size_t>(above - edge.begin() - 1)];
        const double angle = std::atan2(a.inputs(i, 1), a.inputs(i, 0)), r = a.inputs.row(i).norm();
        const double expected = arm_angle[static_cast<std::size_t>(class_at(a, i))] + winding * r;
        right = right && std::abs(std::remainder(angle - expected, 2 * M_PI)) < 1e-9;
        double product = 1, fewer = 1;
        for (Index k = 0; k < 6; ++k) {
            product *= relevant[static_cast<std::size_t>(k)] == 1 ? b.inputs(i, k) : 1.0;
            fewer *= k > 0 && relevant[static_cast<std::size_t>(k)] == 1 ? b.inputs(i, k) : 1.0;
        }
        right = right && class_at(b, i) == (product < 0 ? 1 : 0);
        guessed += class_at(b, i) == (fewer < 0 ? 1 : 0) ? 1 : 0;
    }
    CHECK(right);
    CHECK_THAT(guessed / 500,
               WithinAbs(truth(*bits, "accuracy_of_fewer").values[0], 5 * std::sqrt(0.25 / 500)));
    CHECK(truth(*task("spirals", {{"noise", "0.3"}}), "noise_sd").values[0] == 0.3);
}

TEST_CASE("teacher: targets are the outputs of the network in the truth", "[training]") {
    const std::string activation = GENERATE("tanh", "relu", "linear");
    const Values values{{"widths", "6,7,5,3"}, {"activation", activation}, {"bias", "0.5"}};
    Values regression = values;
    regression["targets"] = "values";
    const auto classes = task("teacher", values), numbers = task("teacher", regression);
    const Samples c = classes->samples(0, 50, Stream::train);
    const Samples v = numbers->samples(0, 50, Stream::train);
    CHECK(c.inputs == v.inputs);
    for (Index i = 0; i < 50; ++i) {
        Vector x = c.inputs.row(i).transpose();
        for (const int layer : {1, 2, 3}) {
            const std::string number = std::to_string(layer);
            x = truth_table(*classes, "weight_" + number) * x +
                truth_table(*classes, "bias_" + number);
            for (Index k = 0; layer < 3 && k < x.size(); ++k)
                x(k) = activation == "tanh"   ? std::tanh(x(k))
                       : activation == "relu" ? std::max(0.0, x(k))
                                              : x(k);
        }
        CHECK((v.values.row(i).transpose() - x).norm() < 1e-12);
        CHECK(x(c.classes[static_cast<std::size_t>(i)]) == x.maxCoeff());
    }
}

TEST_CASE("teacher: weights and noise have their scale", "[training]") {
    const auto made = task(
        "teacher", {{"widths", "100,200"}, {"targets", "values"}, {"noise", "2"}, {"gain", "3"}});
    const RowMatrix w = truth_table(*made, "weight_1");
    CHECK_THAT(w.squaredNorm() / 200, WithinRel(9, 5 * std::sqrt(2.0 / 20000)));
    const Samples s = made->samples(0, 100, Stream::train);
    const RowMatrix noise = s.values - s.inputs * w.transpose();
    CHECK_THAT(noise.squaredNorm() / 20000, WithinRel(4, 5 * std::sqrt(2.0 / 20000)));
}

TEST_CASE("linear-teacher: singular values and modes of noise-free targets are the stated ones",
          "[training]") {
    const std::string inputs = GENERATE("one-hot", "orthogonal");
    const auto made =
        task("linear-teacher", {{"noise", "0"}, {"inputs", inputs}, {"sizes", "30,4,20"}});
    const Samples s = made->samples(0, 30, Stream::train);
    CHECK((s.inputs * s.inputs.transpose() - Matrix::Identity(30, 30)).norm() < 1e-12);
    const Matrix syx = s.values.transpose() * s.inputs;
    const Vector found = singular_values(syx);
    CHECK((found.head(3) - Eigen::Vector3d(6, 4, 2)).norm() < 1e-12);
    CHECK(found.tail(found.size() - 3).norm() < 1e-12);
    const RowMatrix u = truth_table(*made, "U"), v = truth_table(*made, "V");
    CHECK((u.transpose() * u - Matrix::Identity(3, 3)).norm() < 1e-12);
    CHECK((u.transpose() * syx * v - Matrix(Eigen::Vector3d(6, 4, 2).asDiagonal())).norm() < 1e-12);
    CHECK((syx - truth_table(*made, "W")).norm() < 1e-12);
}

TEST_CASE("linear-teacher: noise of variance 1/N1 shifts singular values as predicted",
          "[training]") {
    const auto made =
        task("linear-teacher", {{"sizes", "600,5,300"}, {"singular_values", "5,2,0.3"}});
    const Samples s = made->samples(0, 600, Stream::train);
    const Matrix syx = s.values.transpose() * s.inputs;
    const Matrix noise = syx - truth_table(*made, "W");
    CHECK_THAT(noise.squaredNorm() / (600.0 * 300),
               WithinRel(1.0 / 600, 5 * std::sqrt(2.0 / 180000)));
    const Vector found = singular_values(syx);
    const auto predicted = truth(*made, "predicted_singular_values").values;
    // sqrt((1 + s^2)(A + s^2))/s, A = 1/2; below A^(1/4) the edge 1 + sqrt(A).
    CHECK_THAT(predicted[0], WithinRel(std::sqrt(26 * 25.5) / 5, 1e-12));
    CHECK_THAT(predicted[2], WithinRel(1 + std::sqrt(0.5), 1e-12));
    for (Index k = 0; k < 3; ++k)
        CHECK_THAT(found(k), WithinRel(predicted[static_cast<std::size_t>(k)], 0.03));
}

TEST_CASE("linear-teacher: gaussian inputs, few samples, randomized targets", "[training]") {
    const auto gaussian = task("linear-teacher", {{"inputs", "gaussian"}, {"noise", "0"}});
    const Samples g = gaussian->samples(0, 400, Stream::train);
    CHECK_THAT(g.inputs.squaredNorm() / 400, WithinRel(1, 5 * std::sqrt(2.0 / 40000)));
    CHECK((g.values - g.inputs * truth_table(*gaussian, "W").transpose()).norm() < 1e-11);

    const Values few{{"samples", "10"}, {"sizes", "20,4,8"}};
    Values exchanged = few, fresh = few;
    exchanged["randomize"] = "entries";
    fresh["randomize"] = "gaussian";
    const Samples plain = task("linear-teacher", few)->samples(0, 10, Stream::train);
    const Samples entries = task("linear-teacher", exchanged)->samples(0, 20, Stream::train);
    const Samples normal = task("linear-teacher", fresh)->samples(0, 10, Stream::train);
    CHECK(plain.inputs == entries.inputs.topRows(10));
    CHECK(plain.values != entries.values.topRows(10));
    CHECK(sorted(plain.values) == sorted(entries.values.topRows(10)));
    CHECK(entries.values.topRows(10) == entries.values.bottomRows(10));
    CHECK_THAT(normal.values.squaredNorm(),
               WithinRel(plain.values.squaredNorm(), 5 * std::sqrt(2.0 / 80)));
    CHECK_THROWS_WITH(task("linear-teacher", {{"samples", "101"}}), Contains("at most N1 (100)"));
}

TEST_CASE("linear-teacher: leaky ReLU units keep the mean square; W is the best linear map",
          "[training]") {
    const std::string inputs = GENERATE("one-hot", "orthogonal", "gaussian");
    const bool gaussian = inputs == "gaussian";
    const auto made = task(
        "linear-teacher",
        {{"noise", "0"}, {"inputs", inputs}, {"sizes", "30,4,20"}, {"activation", "leaky_relu"}});
    const Index count = gaussian ? 40000 : 30;
    const Samples s = made->samples(0, count, Stream::train);
    const Matrix z = s.inputs * truth_table(*made, "V");
    const Matrix f = std::sqrt(2 / 1.04) * z.unaryExpr([](double x) { return x < 0 ? x / 5 : x; });
    const Vector strengths = truth_table(*made, "singular_values");
    CHECK((s.values - f * strengths.asDiagonal() * truth_table(*made, "U").transpose()).norm() <
          1e-12 * s.values.norm());
    const Matrix fitted = s.inputs.colPivHouseholderQr().solve(Matrix(s.values)).transpose(),
                 w = truth_table(*made, "W");
    CHECK((fitted - w).norm() < (gaussian ? 0.05 : 1e-11) * w.norm());
    if (gaussian) CHECK_THAT(s.values.squaredNorm() / double(count), WithinRel(56.0 / 30, 0.03));
}

TEST_CASE("linear-teacher: more samples than inputs are white", "[training]") {
    const std::string inputs = GENERATE("one-hot", "orthogonal");
    const Index count = inputs == "one-hot" ? 600 : 450;
    const auto made = task("linear-teacher", {{"inputs", inputs},
                                              {"sizes", "300,5,150"},
                                              {"singular_values", "4,1.2"},
                                              {"samples", std::to_string(count)}});
    const Samples s = made->samples(0, count, Stream::train);
    const double delta = double(count) / 300;
    const Matrix sxx = s.inputs.transpose() * s.inputs;
    CHECK((sxx - delta * Matrix::Identity(300, 300)).norm() < 1e-11);
    // sqrt(delta) sqrt((1 + r^2)(A + r^2))/r with r = sqrt(delta) s.
    const Vector found = singular_values(s.values.transpose() * s.inputs);
    const auto predicted = truth(*made, "predicted_singular_values").values;
    const double r = 4 * std::sqrt(delta);
    CHECK_THAT(predicted[0], WithinRel(std::sqrt(delta * (1 + r * r) * (0.5 + r * r)) / r, 1e-12));
    CHECK_THAT(found(0), WithinRel(predicted[0], 0.02));
    CHECK_THAT(found(1), WithinRel(predicted[1], 0.06));
}

TEST_CASE("semantic-hierarchy: covariance and singular values of a branching diffusion",
          "[training]") {
    const Index features = 40000;
    const auto made =
        task("semantic-hierarchy",
             {{"branching", "2,3"}, {"flip", "0.1,0.25"}, {"features", std::to_string(features)}});
    const Samples s = made->samples(0, 6, Stream::train);
    CHECK(s.inputs == RowMatrix::Identity(6, 6));
    CHECK(s.values.cwiseAbs() == RowMatrix::Ones(6, features));
    const Matrix covariance = s.values * s.values.transpose() / static_cast<double>(features);
    Matrix expected(6, 6);
    const double sisters = std::pow(1 - 2 * 0.25, 2),
                 strangers = sisters * std::pow(1 - 2 * 0.1, 2);
    for (Index i = 0; i < 6; ++i)
        for (Index j = 0; j < 6; ++j)
            expected(i, j) = i == j ? 1.0 : i / 3 == j / 3 ? sisters : strangers;
    CHECK((covariance - expected).cwiseAbs().maxCoeff() < 5 / std::sqrt(double(features)));
    const RowMatrix modes = truth_table(*made, "mode");
    CHECK((modes.transpose() * modes - Matrix::Identity(6, 6)).norm() < 1e-12);
    for (Index a = 0; a < 6; ++a) {
        const double eigenvalue = modes.col(a).dot(expected * modes.col(a));
        CHECK((expected * modes.col(a) - eigenvalue * modes.col(a)).norm() < 1e-12);
    }
    // Spectrum of that matrix, by hand: constant, between the two families, within a family.
    const auto eigenvalues = truth(*made, "eigenvalue").values;
    CHECK_THAT(eigenvalues[0], WithinRel(1 + 2 * sisters + 3 * strangers, 1e-12));
    CHECK_THAT(eigenvalues[1], WithinRel(1 + 2 * sisters - 3 * strangers, 1e-12));
    CHECK_THAT(eigenvalues[2], WithinRel(1 - sisters, 1e-12));
    CHECK(truth(*made, "multiplicity").values == std::vector<double>{1, 1, 4});
    const Vector found = singular_values(s.values.transpose() * s.inputs / 6);
    const auto predicted = truth(*made, "singular_value").values;
    CHECK_THAT(found(0), WithinRel(predicted[0], 0.02));
    CHECK_THAT(found(5), WithinRel(predicted[2], 0.02));
}

TEST_CASE("semantic-hierarchy: explicit features are the canary table", "[training]") {
    const auto made = task("semantic-hierarchy", {{"branching", "2,2"}, {"explicit", "true"}});
    RowMatrix canary(4, 7);        // grow move roots fly swim leaves petals
    canary << 1, 1, 0, 1, 0, 0, 0, //
        1, 1, 0, 0, 1, 0, 0,       //
        1, 0, 1, 0, 0, 1, 0,       //
        1, 0, 1, 0, 0, 0, 1;
    const Samples s = made->samples(0, 4, Stream::train);
    CHECK(s.values == canary);
    const Vector found = singular_values(canary) / 4;
    const auto predicted = truth(*made, "singular_value").values;
    CHECK_THAT(found(0), WithinRel(predicted[0], 1e-12));
    CHECK_THAT(found(1), WithinRel(predicted[1], 1e-12));
    CHECK_THAT(found(2), WithinRel(predicted[2], 1e-12));
    CHECK_THAT(found(3), WithinRel(predicted[2], 1e-12));
    const RowMatrix modes = truth_table(*made, "mode"), gram = canary * canary.transpose();
    const auto levels = truth(*made, "mode_level").values;
    const auto eigenvalues = truth(*made, "eigenvalue").values;
    CHECK((modes.transpose() * modes - Matrix::Identity(4, 4)).norm() < 1e-12);
    for (Index a = 0; a < 4; ++a) {
        const auto level = static_cast<std::size_t>(levels[static_cast<std::size_t>(a)]);
        CHECK((gram * modes.col(a) - eigenvalues[level] * modes.col(a)).norm() < 1e-12);
    }
}

TEST_CASE("semantic-hierarchy: any valid correlation of the levels", "[training]") {
    const Index features = 40000;
    const auto made = task("semantic-hierarchy", {{"branching", "2,2"},
                                                  {"levels_correlation", "-0.2,0.3,1"},
                                                  {"features", std::to_string(features)}});
    const Samples s = made->samples(0, 4, Stream::train);
    const Matrix covariance = s.values * s.values.transpose() / static_cast<double>(features);
    Matrix expected(4, 4);
    expected << 1, 0.3, -0.2, -0.2, 0.3, 1, -0.2, -0.2, -0.2, -0.2, 1, 0.3, -0.2, -0.2, 0.3, 1;
    CHECK((covariance - expected).cwiseAbs().maxCoeff() < 5 * std::sqrt(2.0 / double(features)));
    CHECK_THROWS_WITH(task("semantic-hierarchy", {{"levels_correlation", "0.9,0.2,1,1"}}),
                      Contains("without negative eigenvalues"));
    CHECK_THROWS_WITH(task("semantic-hierarchy", {{"levels_correlation", "0,1"}}),
                      Contains("each of 4 levels"));
    CHECK_THROWS_WITH(task("semantic-hierarchy", {{"flip", "0.1,0.2"}}),
                      Contains("each of 3 levels"));
    CHECK_THROWS_WITH(task("semantic-hierarchy", {{"branching", "64,64,2"}}),
                      Contains("at most 4096 items"));
}

namespace {

const Values kRates{
    {"repeats", "0"}, {"cells", "2"}, {"steps", "6"}, {"height", "8"}, {"width", "7"}};

Values with(Values values, const Values& more) {
    for (const auto& [key, value] : more) values[key] = value;
    return values;
}

} // namespace

TEST_CASE("ln-retina: rates are those of the stated filters", "[training]") {
    const std::string nonlinearity = GENERATE("softplus", "exp", "relu", "sigmoid");
    const auto windows =
        task("ln-retina", with(kRates, {{"form", "windows"}, {"nonlinearity", nonlinearity}}));
    const auto movie = task("ln-retina", with(kRates, {{"nonlinearity", nonlinearity}}));
    const Samples w = windows->samples(0, 40, Stream::train);
    const Samples m = movie->samples(0, 40, Stream::train);
    CHECK(w.input_shape == Shape{6, 8, 7});
    CHECK(m.input_shape == Shape{8, 7});
    CHECK(movie->layout().sample_axis == "time");
    CHECK(w.values == m.values);
    // The newest frame stands last; windows overlap.
    CHECK(w.inputs.row(17).tail(56) == m.inputs.row(17));
    CHECK(w.inputs.row(17).head(56) == m.inputs.row(12));
    const auto filters = truth(*windows, "filter").values;
    const Eigen::Map<const RowMatrix> filter(filters.data(), 2, 6 * 56);
    for (Index cell = 0; cell < 2; ++cell) {
        CHECK_THAT(filter.row(cell).norm(), WithinRel(1, 1e-12));
        for (Index i = 0; i < 40; ++i) {
            const double z = 2 * filter.row(cell).dot(w.inputs.row(i)) - 1;
            const double response = nonlinearity == "softplus" ? std::log(1 + std::exp(z))
                                    : nonlinearity == "exp"    ? std::exp(z)
                                    : nonlinearity == "relu"   ? std::max(z, 0.0)
                                                               : 1 / (1 + std::exp(-z));
            CHECK_THAT(w.values(i, cell), WithinAbs(std::min(1000.0, 20 * response), 1e-9));
        }
    }
}

TEST_CASE("ln-retina: mean rate, Poisson counts, and filters found by reverse correlation",
          "[training]") {
    // A Gaussian drive of sd 1 through 20 exp(0.5 z - 1) has mean 20 exp(-1 + 1/8).
    const Values exponential{{"nonlinearity", "exp"}, {"gain", "0.5"}};
    const auto rates = task("ln-retina", with(kRates, exponential));
    const double expected = 20 * std::exp(-1 + 0.125);
    CHECK_THAT(truth(*rates, "mean_rate").values[0], WithinRel(expected, 1e-9));

    const Index frames = 20000;
    const auto counts =
        task("ln-retina", with(with(kRates, exponential), {{"repeats", "1"}, {"form", "windows"}}));
    const Samples s = counts->samples(0, frames, Stream::train);
    const Samples exact = rates->samples(0, frames, Stream::train);
    CHECK_THAT(s.values.col(0).mean(), WithinRel(expected, 0.06));
    // Counts per frame of 10 ms: whole numbers whose variance around the rate is the rate.
    const Vector count = s.values.col(0) / 100, mean = exact.values.col(0) / 100;
    CHECK((count.array() - count.array().round()).abs().maxCoeff() < 1e-9);
    CHECK_THAT((count - mean).squaredNorm(), WithinRel(mean.sum(), 0.08));
    // For Gaussian noise the average of stimulus times rate is along the filter (Bussgang).
    const auto filters = truth(*counts, "filter").values;
    const Eigen::Map<const RowMatrix> filter(filters.data(), 2, 6 * 56);
    for (Index cell = 0; cell < 2; ++cell) {
        const Vector average = s.inputs.transpose() * exact.values.col(cell);
        CHECK(filter.row(cell).dot(average.normalized()) > 0.95);
    }
    CHECK(truth(*counts, "polarity").values == std::vector<double>{1, -1});
}
