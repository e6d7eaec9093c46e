// Stability of alignment rules: numbers of the theory, eigenvalues of explicit Jacobians, finite
// differences of the objective, and literal simulation of the rules with matrices.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/singular_values.hpp>
#include <assay/lindyn/alignment_moments.hpp>
#include <assay/lindyn/feedback_layer.hpp>
#include <assay/lindyn/stability.hpp>
#include <assay/lindyn/stability_study.hpp>

#include <Eigen/Dense>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

using namespace assay;
using namespace assay::lindyn;

namespace {

AlignmentSettings usual(AlignmentRule rule) {
    AlignmentSettings s;
    s.rule = rule;
    s.coefficients = usual_coefficients(rule);
    return s;
}

// Numbers from another generator than the library's.
Matrix gaussian(Index rows, Index cols, unsigned seed, double scale = 1) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    Matrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = scale * normal(engine);
    return m;
}

Matrix he(Index outputs, Index inputs, unsigned seed) {
    return gaussian(outputs, inputs, seed, std::sqrt(2.0 / static_cast<double>(inputs)));
}

FeedbackLayer dense_layer(const Matrix& w, const Vector& b = {}) {
    return {"layer", std::make_shared<DenseProjection>(w.rows(), w.cols()), w, b, {}};
}

AlignedLayer aligned_layer(const Matrix& w) {
    return {linalg::singular_values(w), w.rows(), w.cols(), 0};
}

// Mean over the late part of a literal simulation of the rule.
struct Late {
    double angle = 0, ratio = 0;
};
Late simulate(const AlignmentSettings& s, const Matrix& w, Index from, Index steps, unsigned seed) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> flat(-std::sqrt(3.0), std::sqrt(3.0));
    const Coefficients& c = s.coefficients;
    Matrix b = Matrix::Zero(w.rows(), w.cols()), v = b, x(s.batch, w.cols());
    Late late;
    for (Index t = 0; t < steps; ++t) {
        for (Index i = 0; i < x.size(); ++i)
            x.data()[i] = s.stddev * (s.kurtosis == 0 ? normal(engine) : flat(engine));
        const Matrix y = x * w.transpose(), r = y * b;
        const Matrix g = c.decay * b + (c.null * y.transpose() * r - c.amp * y.transpose() * x) /
                                           static_cast<double>(s.batch);
        v = s.momentum * v + g;
        b -= s.rate * v;
        if (t < from) continue;
        late.angle += std::acos(b.cwiseProduct(w).sum() / b.norm() / w.norm()) * 57.29577951308232;
        late.ratio += b.norm() / w.norm();
    }
    const auto count = static_cast<double>(steps - from);
    return {late.angle / count, late.ratio / count};
}

// E f(z) of a standard normal z by Simpson's rule, on both sides of a kink.
template <class F>
double normal_mean(double kink, F&& f) {
    const int pieces = 20000;
    double sum = 0;
    for (const double end : {-12.0, 12.0}) {
        const double h = (end - kink) / pieces;
        double half = 0;
        for (int k = 0; k <= pieces; ++k) {
            const double z = kink + k * h, weight = k == 0 || k == pieces ? 1 : k % 2 == 1 ? 4 : 2;
            half += weight * f(z) * std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
        }
        sum += half * std::abs(h) / 3;
    }
    return sum;
}

Matrix heavy_ball_matrix(double rate, double momentum) {
    return (Matrix(2, 2) << 1 + momentum - rate, -momentum, 1, 0).finished();
}

} // namespace

TEST_CASE("convergence limits are those of explicit Jacobians", "[lindyn][stability]") {
    for (const double mu : {0.0, 0.3, 0.9})
        for (const double rate : {0.01, 0.5, 1.7, 2.5, 3.9}) {
            const Eigen::EigenSolver<Matrix> solver(heavy_ball_matrix(rate, mu));
            const double radius = solver.eigenvalues().cwiseAbs().maxCoeff();
            CHECK(std::abs(spectral_radius(rate, mu) - radius) < 1e-12);
            CHECK((spectral_radius(rate, mu) < 1) == (rate < critical_rate(1.0, mu)));
        }
    // A pair of complex eigenvalues: 2 Re/|.|^2 without momentum; with momentum the companion
    // matrix of a rotation, four by four, has modulus 1 there.
    const std::complex<double> pair(0.7, 0.4);
    CHECK(std::abs(critical_rate(pair) - 2 * pair.real() / std::norm(pair)) < 1e-12);
    const double limit = critical_rate(pair, 0.5);
    Matrix jacobian = Matrix::Zero(4, 4);
    jacobian.topLeftCorner(2, 2) =
        1.5 * Matrix::Identity(2, 2) - limit * (Matrix(2, 2) << 0.7, -0.4, 0.4, 0.7).finished();
    jacobian.topRightCorner(2, 2) = -0.5 * Matrix::Identity(2, 2);
    jacobian.bottomLeftCorner(2, 2).setIdentity();
    CHECK(std::abs(Eigen::EigenSolver<Matrix>(jacobian).eigenvalues().cwiseAbs().maxCoeff() - 1) <
          1e-10);
    CHECK(critical_rate(std::complex<double>(-1, 2)) == 0);
    CHECK(std::isinf(critical_rate(0.0)));
    CHECK(alignment_curvature({1, 0.5, 0.25, 3, 0}, 2, 8) == 0.5 + 2 + 6);
}

TEST_CASE("the mirror's noise floor: quoted numbers and simulation", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::wm); // eta decay = 0.05, m = 64
    const auto angle = [&](double n) { return std::atan(noise_floor(s, n)) * 57.29577951308232; };
    CHECK(std::abs(angle(64) - 9.17) < 0.005);
    CHECK(std::abs(angle(256) - 17.79) < 0.005);
    const Matrix w = he(48, 64, 1);
    const auto check = [&](unsigned seed) {
        const Late late = simulate(s, w, 300, 900, seed);
        const AlignmentMoments end = stationary_moments(s, aligned_layer(w));
        const double nsr = noise_floor(s, 64);
        CHECK(std::abs(late.angle - end.angle()) < 0.1 + 0.005 * end.angle());
        CHECK(std::abs(late.ratio - end.norm_ratio()) < 0.01 * end.norm_ratio());
        CHECK(std::abs(std::tan(end.angle() / 57.29577951308232) - nsr) < 1e-12);
        CHECK(std::abs(end.norm_ratio() - feedback_scale(s) * std::sqrt(1 + nsr * nsr)) < 1e-12);
    };
    check(2);
    s.kurtosis = -1.2;
    s.batch = 3;
    s.stddev = 0.7;
    s.coefficients.decay = 2;
    check(3);
    s.momentum = 0.8;
    s.batch = 200;
    check(4);
    s.rate = 1.9; // eta decay = 3.8 > 2 (1 + 0.8)
    CHECK(std::isinf(noise_floor(s, 64)));
    // The bias adds n |b|^2/(S^2 |W|^2), here against the recursion's own sum.
    AlignmentSettings t = usual(AlignmentRule::wm);
    AlignedLayer layer = aligned_layer(w);
    layer.bias_power = 5;
    CHECK(std::abs(std::tan(stationary_moments(t, layer).angle() / 57.29577951308232) -
                   noise_floor(t, 64, 5 / w.squaredNorm())) < 1e-12);
}

TEST_CASE("the mirror's transient: closed form, recursion, simulation", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::wm);
    const Matrix w = he(20, 30, 5);
    MomentRecursion recursion(s, aligned_layer(w), 1.5);
    CHECK(recursion.moments().overlap == 0);
    CHECK(std::abs(recursion.moments().norm_ratio() - 1.5) < 1e-12);
    for (int t = 1; t <= 80; ++t) {
        recursion.step();
        CHECK(std::abs(recursion.moments().angle() - mirror_angle_after(s, 30, 1.5, t)) < 1e-9);
    }
    for (int t = 0; t < 2000; ++t) recursion.step();
    CHECK(std::abs(recursion.moments().angle() - stationary_moments(s, aligned_layer(w)).angle()) <
          1e-10);
    CHECK(updates_behind(0.05, 2) == 9);
    // Behind a W that moves by the same step again and again, in the mean over noise.
    const Matrix step = gaussian(20, 30, 6, 1e-3);
    Matrix moving = w, b = feedback_scale(s) * w;
    const Coefficients& c = s.coefficients;
    for (int t = 0; t < 2000; ++t) {
        b -= s.rate * (c.decay * b - c.amp * s.stddev * s.stddev * moving);
        moving += step;
    }
    const Matrix behind = moving - step - b / feedback_scale(s); // of the W that B last saw
    CHECK(std::abs(behind.norm() / step.norm() - updates_behind(s.rate, c.decay)) < 1e-9);
}

TEST_CASE("moments of every rule equal drawn runs", "[lindyn][stability]") {
    const auto compare = [](const AlignmentSettings& s, Index outputs, Index inputs) {
        const FeedbackLayer layer = dense_layer(he(outputs, inputs, 6));
        const Index steps = 60, repeats = 40;
        MomentRecursion recursion(s, aligned_layer(layer.weight), 2);
        Matrix overlap(repeats, 3), power(repeats, 3);
        const Index at[] = {5, 20, 60};
        for (Index r = 0; r < repeats; ++r) {
            const AlignmentTrace trace =
                simulate_alignment(layer, s, {}, {11, 0, r, steps, 2, nullptr});
            for (int k = 0; k < 3; ++k) {
                power(r, k) = std::pow(trace.norm_ratio(at[k]), 2);
                overlap(r, k) =
                    std::cos(trace.angle(at[k]) / 57.29577951308232) * trace.norm_ratio(at[k]);
            }
        }
        const auto agrees = [&](const Vector& drawn, double theory) {
            const double mean = drawn.mean();
            const double error = std::sqrt((drawn.array() - mean).square().sum() /
                                           static_cast<double>(repeats * (repeats - 1)));
            CHECK(std::abs(mean - theory) < 4 * error + 1e-9);
        };
        int k = 0;
        for (Index t = 1; t <= steps; ++t) {
            recursion.step();
            if (t != at[k]) continue;
            agrees(overlap.col(k), recursion.moments().overlap);
            agrees(power.col(k), recursion.moments().power);
            ++k;
        }
    };
    AlignmentSettings s = usual(AlignmentRule::ia);
    s.batch = 16;
    compare(s, 12, 20);
    compare(s, 20, 12);
    s.momentum = 0.6;
    s.noise = 0.3;
    compare(s, 10, 10);
    s = usual(AlignmentRule::sa);
    s.noise = 2;
    compare(s, 6, 8);
    s = usual(AlignmentRule::wm);
    s.kurtosis = -1.2;
    s.batch = 5;
    s.momentum = 0.5;
    compare(s, 9, 14);
}

TEST_CASE("information alignment: fixed points, bounds, sampling limit", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::ia);
    const auto structural = [&](double amp, double null, double decay) {
        s.coefficients = {amp, decay, null, 0, 0};
        return he_alignment(s, 1);
    };
    CHECK(std::abs(structural(1, 0.5, 0.5).angle - 30.0) < 1e-6);
    CHECK(std::abs(structural(1, 0.5, 0.5).norm_ratio - 0.58) < 0.005);
    CHECK(std::abs(structural(1, 1, 0.1).angle - std::atan(4.0 / 3) * 57.29577951308232) < 1e-6);
    CHECK(std::abs(structural(1, 0.1, 1).angle - 8.4) < 0.05);
    // A large matrix has what the law says; other shapes too.
    s.coefficients = usual_coefficients(AlignmentRule::ia);
    for (const Index outputs : {100, 200}) {
        const Matrix w = he(outputs, 200, 7);
        const Matrix b =
            (0.5 * Matrix::Identity(outputs, outputs) + 0.5 * w * w.transpose()).ldlt().solve(w);
        const Alignment law = he_alignment(s, static_cast<double>(outputs) / 200);
        CHECK(std::abs(law.angle - angle_between(w, b)) < 0.6);
        CHECK(std::abs(law.norm_ratio - b.norm() / w.norm()) < 0.01);
        const Vector values = linalg::singular_values(w);
        const Alignment own = alignment_of(values, aligned_values(s, values));
        CHECK(std::abs(own.angle - angle_between(w, b)) < 1e-8);
        CHECK((aligned_feedback(white_system(dense_layer(w), s.coefficients, 1)) - b).norm() <
              1e-8 * b.norm());
    }
    const GainBounds bounds = gain_bounds(s);
    for (const double v : {1e-3, 0.3, 1.0, 2.0, 50.0}) {
        const double b = aligned_values(s, Vector::Constant(1, v))(0);
        CHECK(v * b < bounds.loop_gain);
        CHECK(b <= bounds.norm * (1 + 1e-12));
    }
    CHECK(std::abs(aligned_values(s, Vector::Ones(1))(0) - bounds.norm) < 1e-12); // s = sqrt(d/n)/S
    s.coefficients.null = 0;
    CHECK(aligned_values(s, Vector::Constant(1, 3.0))(0) == 3 * feedback_scale(s));
}

TEST_CASE("mean-square limits of information alignment", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::ia);
    s.batch = 4;
    const double v = 3, a = 0.5 + 0.5 * v;
    const double scalar = 2 * a / (a * a + 2 * 0.25 * v * v / 4);
    CHECK(std::abs(mean_square_critical_rate(s, Vector::Constant(1, v)) - scalar) < 1e-12);
    // The moments of a layer stay finite below and grow above, with and without momentum.
    const Matrix w = he(12, 12, 8);
    const AlignedLayer layer = aligned_layer(w);
    for (const double mu : {0.0, 0.7}) {
        s.momentum = mu;
        const double limit = mean_square_critical_rate(s, layer.s.cwiseAbs2());
        CHECK(limit <
              critical_rate(alignment_curvature(s.coefficients, 0, std::pow(layer.s(0), 2)), mu));
        const auto late_power = [&](double rate) {
            s.rate = rate;
            MomentRecursion recursion(s, layer, 1);
            for (int t = 0; t < 20000; ++t) recursion.step();
            return recursion.moments().power;
        };
        const double below = late_power(0.98 * limit);
        CHECK(std::abs(below - stationary_moments(s, layer).power) < 1e-6 * below);
        CHECK_FALSE(late_power(1.02 * limit) < 1e6);
        CHECK(std::isinf(stationary_moments(s, layer).power));
    }
    // Drawn scalar runs: E b^2 grows above the limit and not below.
    std::mt19937_64 engine(9);
    std::normal_distribution<double> normal;
    const auto growth = [&](double rate) {
        double sum = 0;
        for (int i = 0; i < 200000; ++i) {
            double q = 0;
            for (int k = 0; k < 4; ++k) q += v * std::pow(normal(engine), 2) / 4;
            sum += std::pow(1 - rate * (0.5 + 0.5 * q), 2);
        }
        return sum / 200000;
    };
    CHECK(growth(0.95 * scalar) < 1);
    CHECK(growth(1.05 * scalar) > 1);
}

TEST_CASE("gradients are those of the objective", "[lindyn][stability]") {
    const Matrix w = he(4, 6, 10), b0 = gaussian(4, 6, 11);
    const Vector bias = gaussian(4, 1, 12).col(0);
    const RowMatrix x = gaussian(600, 6, 13); // three blocks
    const Coefficients c{0.8, 0.3, 0.7, 0.4, 0.2};
    for (const bool centre : {false, true}) {
        const auto objective = [&](const Matrix& b) {
            RowMatrix xc = x, y = x * w.transpose();
            y.rowwise() += bias.transpose();
            if (centre) {
                xc.rowwise() -= x.colwise().mean().eval();
                y.rowwise() -= y.colwise().mean().eval();
            }
            const RowMatrix p = xc * b.transpose(), r = y * b;
            return (-c.amp * p.cwiseProduct(y).sum() + c.null / 2 * r.squaredNorm() +
                    c.sparse / 2 * p.squaredNorm()) /
                       600 +
                   c.decay / 2 * b.squaredNorm() - c.self * b.cwiseProduct(w).sum();
        };
        Execution run;
        run.threads = 3;
        const AlignmentSystem system =
            sampled_system(dense_layer(w, bias), c, x, {false, true, centre}, run);
        const Matrix gradient = system.curvature(b0) - system.drive;
        for (Index i = 0; i < b0.size(); ++i) {
            Matrix up = b0, down = b0;
            up.data()[i] += 1e-4;
            down.data()[i] -= 1e-4;
            CHECK(std::abs(gradient.data()[i] - (objective(up) - objective(down)) / 2e-4) < 1e-8);
        }
        CHECK((system.curvature(aligned_feedback(system)) - system.drive).norm() < 1e-8);
    }
    const Matrix cyy = [&] {
        RowMatrix y = x * w.transpose();
        y.rowwise() += bias.transpose();
        return Matrix(y.transpose() * y / 600);
    }();
    const double top = Eigen::SelfAdjointEigenSolver<Matrix>(cyy).eigenvalues()(3);
    const LargestCurvature found =
        largest_curvature(sampled_system(dense_layer(w, bias), {0, 0, 1, 0, 0}, x, {}, {}), 1);
    CHECK(std::abs(found.value - top) < 1e-9 * top);
    CHECK(std::abs(
              largest_curvature(white_system(dense_layer(w, bias), {0, 0, 1, 0, 0}, 2), 1).value -
              Eigen::SelfAdjointEigenSolver<Matrix>(
                  Matrix(4 * w * w.transpose() + bias * bias.transpose()))
                  .eigenvalues()(3)) < 1e-9 * top * 4);
}

TEST_CASE("zero padding tapers the mirror", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::wm);
    const auto check = [&](const std::vector<WindowAxis>& axes, double channels, double positions,
                           double angle, double with_noise) {
        const Taper taper = taper_of(axes);
        CHECK(std::abs(taper_angle(taper.kept) - angle) < 0.05);
        AlignmentSettings conv = s;
        conv.batch = static_cast<Index>(64 * positions);
        const double nsr = noise_floor(conv, channels * 9);
        CHECK(std::abs(tapered_alignment(taper, nsr, false).angle - with_noise) < 0.1);
        CHECK(std::abs(tapered_alignment(taper, 0, false).angle - taper_angle(taper.kept)) < 1e-9);
        CHECK(tapered_alignment(taper, 0, true).angle < 1e-6);
    };
    const WindowAxis strided{8, 3, 2, 0, 1, 1}, small{4, 3, 1, 1, 1, 1};
    check({strided, strided}, 16, 16, 10.3, 10.9);
    check({small, small}, 32, 16, 11.4, 12.4);
    // The expectation itself, drawn: white noise through a 1-d window, literal loops.
    const WindowAxis axis{9, 4, 2, 2, 1, 1};
    const Taper taper = taper_of({axis});
    const Vector w = gaussian(4, 1, 14).col(0);
    std::mt19937_64 engine(15);
    std::normal_distribution<double> normal;
    Vector sum = Vector::Zero(4);
    const int draws = 200000;
    for (int d = 0; d < draws; ++d) {
        Vector x = Vector::Zero(12); // padded
        for (Index i = 2; i < 11; ++i) x(i) = normal(engine);
        for (Index p = 0; p < 5; ++p)
            sum += w.dot(x.segment(2 * p, 4)) * x.segment(2 * p, 4) / 5.0 / draws;
    }
    CHECK((sum - taper.kept.cwiseProduct(w)).norm() < 0.02 * w.norm());
    CHECK(std::abs(taper_angle(taper.kept, w.cwiseAbs2()) -
                   angle_between(w, taper.kept.cwiseProduct(w))) < 1e-9);
    CHECK_THROWS_AS(taper_of({{2, 5, 1, 1, 1, 1}}), Error);
}

TEST_CASE("a rectified mirror scales rows", "[lindyn][stability]") {
    const Matrix w = he(3, 5, 16);
    const Vector bias = (Vector(3) << 0, 1, -0.8).finished();
    const Vector scales = rectified_scales(w, bias, 1.3);
    CHECK(scales(0) == 0.5);
    std::mt19937_64 engine(17);
    std::normal_distribution<double> normal(0, 1.3);
    Matrix sum = Matrix::Zero(3, 5);
    const int draws = 400000;
    for (int d = 0; d < draws; ++d) {
        Vector x(5);
        for (Index i = 0; i < 5; ++i) x(i) = normal(engine);
        sum += (w * x + bias).cwiseMax(0) * x.transpose() / draws;
    }
    CHECK((sum - 1.3 * 1.3 * scales.asDiagonal() * w).norm() < 0.01 * sum.norm());
    CHECK(angle_between(w, scales.asDiagonal() * w) > 1);
}

TEST_CASE("a mirror through relu ends where a simulated one does", "[lindyn][stability]") {
    const Matrix w = he(12, 20, 21);
    Vector bias = gaussian(12, 1, 22, 1.2);
    const bool biased = GENERATE(true, false);
    if (!biased) bias.setZero();
    StabilitySettings settings;
    AlignmentSettings& s = settings.alignment;
    s = usual(AlignmentRule::wm);
    s.stddev = 0.8;
    s.batch = 16;
    s.momentum = GENERATE(0.0, 0.6);
    s.rate = 0.02;
    s.rectified = true;
    NetworkLayer layer;
    layer.feedback = dense_layer(w, biased ? bias : Vector());
    const LayerStability found = study_layer(layer, 0, settings, {});
    const Vector scales = rectified_scales(w, bias, 0.8);
    CHECK((found.feedback - feedback_scale(s) * scales.asDiagonal() * w).norm() < 1e-12);
    CHECK(found.angle_curve.size() == 0);
    std::mt19937_64 engine(23);
    std::normal_distribution<double> normal(0, 0.8);
    Matrix b = found.feedback, v = Matrix::Zero(12, 20), x(16, 20), mean = v;
    double power = 0, overlap = 0, noise = 0;
    const int steps = 40000;
    for (int t = 0; t < steps; ++t) {
        for (Index i = 0; i < x.size(); ++i) x.data()[i] = normal(engine);
        const Matrix y = ((x * w.transpose()).rowwise() + bias.transpose()).cwiseMax(0);
        v = s.momentum * v + s.coefficients.decay * b - s.coefficients.amp * y.transpose() * x / 16;
        b -= s.rate * v;
        power += b.squaredNorm() / steps;
        overlap += b.cwiseProduct(w).sum() / steps;
        noise += (b - found.feedback).squaredNorm() / steps;
    }
    CHECK(std::abs(std::sqrt(power) / w.norm() / found.norm_ratio - 1) < 0.01);
    CHECK(std::abs(std::acos(overlap / std::sqrt(power) / w.norm()) * 57.29577951308232 -
                   found.angle) < 0.02 * found.angle);
    // Some 800 independent times of 240 entries: half a percent.
    CHECK(std::abs(rectified_noise_power(s, w, bias) / noise - 1) < 0.03);
}

TEST_CASE("the noise of a mirror through relu, by quadrature", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::wm);
    s.stddev = 0.8;
    s.rate = 0.1;
    s.batch = 16;
    const Index n = GENERATE(1, 3);
    Matrix w = Matrix::Zero(6, n); // along the first input, or 0
    w.col(0).head(3) << 0.7, -1.1, 0.4;
    const Vector bias = (Vector(6) << 0, 0.9, -0.5, 0.6, 0, -0.6).finished();
    double whole = 0;
    for (Index i = 0; i < 6; ++i) {
        const double v = w(i, 0), b = bias(i), kink = v == 0 ? 0 : -b / (v * s.stddev);
        const auto y = [&](double z) { return std::max(0.0, v * s.stddev * z + b); };
        const auto product = [&](double z) { return y(z) * s.stddev * z; };
        const double mean = normal_mean(kink, product);
        const double along = normal_mean(kink, [&](double z) { return product(z) * product(z); });
        const double square = normal_mean(kink, [&](double z) { return y(z) * y(z); });
        const double variance =
            along - mean * mean + static_cast<double>(n - 1) * s.stddev * s.stddev * square;
        // b <- (1 - eta) b + eta y x, means over a batch.
        const double expected = s.rate * s.rate * variance / 16 / (1 - 0.9 * 0.9);
        CHECK(rectified_noise_power(s, w.row(i), bias.segment(i, 1)) ==
              Approx(expected).epsilon(1e-9).margin(1e-15));
        whole += expected;
    }
    CHECK(rectified_noise_power(s, w, bias) == Approx(whole).epsilon(1e-9));
    const Vector scales = rectified_scales(w, bias, s.stddev);
    CHECK((scales.tail(3) - Eigen::Vector3d(1, 0.5, 0)).norm() == 0);
    StabilitySettings settings;
    settings.alignment = s;
    settings.alignment.rectified = true;
    NetworkLayer layer;
    layer.feedback = dense_layer(w, bias);
    const LayerStability found = study_layer(layer, 0, settings, {});
    CHECK(found.feedback.allFinite());
    for (const double one : {found.angle, found.structural_angle, found.norm_ratio,
                             found.rectified_angle, found.eta_critical})
        CHECK(std::isfinite(one));
}

TEST_CASE("gain, depth and the critical task rate", "[lindyn][stability]") {
    CHECK(std::abs(2 / chain_curvature(0.5, 8) - 1.0039) < 5e-5);
    CHECK(std::abs(2 / chain_curvature(1, 8) - 0.25) < 1e-12);
    CHECK(std::abs(2 / chain_curvature(2, 8) - 0.00784) < 5e-6);
    // The Jacobian of the pseudo-gradient by finite differences, at a solution.
    const Vector w = (Vector(4) << 0.7, -1.2, 0.9, 1.4).finished(),
                 b = (Vector(4) << 9, 0.8, 1.3, -0.6).finished();
    const auto pseudo = [&](const Vector& at) {
        const double error = at.prod() - w.prod();
        Vector g(4);
        for (Index l = 0; l < 4; ++l) {
            g(l) = error;
            for (Index k = l + 1; k < 4; ++k) g(l) *= b(k);
            for (Index k = 0; k < l; ++k) g(l) *= at(k);
        }
        return g;
    };
    Matrix jacobian(4, 4);
    for (Index m = 0; m < 4; ++m) {
        Vector up = w, down = w;
        up(m) += 1e-6;
        down(m) -= 1e-6;
        jacobian.col(m) = (pseudo(up) - pseudo(down)) / 2e-6;
    }
    CHECK(std::abs(chain_curvature(w, b) - jacobian.trace()) < 1e-8);
    Index largest = 0;
    const auto values = Eigen::EigenSolver<Matrix>(jacobian).eigenvalues().eval();
    values.cwiseAbs().maxCoeff(&largest);
    CHECK(std::abs(values(largest) - chain_curvature(w, b)) < 1e-7);
    CHECK(student_rate(0.7, -1.2, 0.8) ==
          chain_curvature((Vector(2) << 0.7, -1.2).finished(), (Vector(2) << 0, 0.8).finished()));
}

TEST_CASE("joint systems have the states that integration finds", "[lindyn][stability]") {
    const auto flow = [](const Coefficients& c, double v, double w, double b) {
        return Vector((Vector(2) << c.amp * b * v - c.decay * w - c.null * v * w * b * b,
                       c.amp * w * v - c.decay * b - c.null * v * b * w * w)
                          .finished());
    };
    for (const Coefficients& c :
         {Coefficients{1, 0.5, 0.5, 0, 0}, Coefficients{0.2, 0.5, 0.5, 0, 0},
          Coefficients{0.2, 1, 0, 0, 0}}) {
        const double v = 1.7;
        const JointState state = joint_state(c, v);
        Vector at = (Vector(2) << 0.9, 0.4).finished();
        for (int t = 0; t < 40000; ++t) at += 1e-2 * flow(c, v, at(0), at(1));
        CHECK((at.array() - state.value).abs().maxCoeff() < 1e-6);
        Matrix jacobian(2, 2);
        for (int i = 0; i < 2; ++i) {
            Vector up = Vector::Constant(2, state.value), down = up;
            up(i) += 1e-5;
            down(i) -= 1e-5;
            jacobian.col(i) = (flow(c, v, up(0), up(1)) - flow(c, v, down(0), down(1))) / 2e-5;
        }
        const Vector eigen = Eigen::SelfAdjointEigenSolver<Matrix>(jacobian).eigenvalues();
        CHECK(std::abs(eigen(0) - state.fast) < 1e-7);
        CHECK(std::abs(eigen(1) - state.slow) < 1e-7);
    }
    CHECK(joint_state({1, 0.5, 0, 0, 0}, 1).slow == 0.5); // explodes
}

TEST_CASE("noisy estimation and Kolen-Pollack", "[lindyn][stability]") {
    std::mt19937_64 engine(18);
    std::normal_distribution<double> normal;
    double b = 0, power = 0;
    for (int t = 0; t < 400000; ++t) {
        b += -0.1 * 0.6 * b + 0.1 * std::sqrt(3.0) * normal(engine);
        if (t > 1000) power += b * b / 399000;
    }
    CHECK(std::abs(power / estimation_variance(0.1, 0.6, 3) - 1) < 0.03);
    double velocity = 0;
    b = power = 0;
    for (int t = 0; t < 400000; ++t) {
        velocity = 0.7 * velocity + 0.6 * b;
        b += -0.1 * velocity + 0.1 * std::sqrt(3.0) * normal(engine);
        if (t > 1000) power += b * b / 399000;
    }
    CHECK(std::abs(power / estimation_variance(0.1, 0.6, 3, 0.7) - 1) < 0.03);
    CHECK(std::isinf(estimation_variance(1, 2, 3)));
    // Kolen-Pollack: W and B move by the same pseudo-gradients, B by noise of its own too.
    double w = 0.5, gap_power = 0;
    b = -1;
    for (int t = 0; t < 400000; ++t) {
        const double pseudo = normal(engine);
        w -= 0.2 * (pseudo + 0.3 * w);
        b -= 0.2 * (pseudo + 0.3 * b) + 0.2 * std::sqrt(3.0) * normal(engine);
        if (t > 1000) gap_power += (w - b) * (w - b) / 399000;
    }
    CHECK(std::abs(gap_power / estimation_variance(0.2, 0.3, 3) - 1) < 0.03);
    AlignmentSettings s = usual(AlignmentRule::kp);
    s.rate = 0.3;
    s.coefficients.decay = 0.2;
    const FeedbackLayer layer = dense_layer(he(5, 7, 19));
    const AlignmentTrace trace = simulate_alignment(layer, s, {}, {3, 0, 0, 50, 1, nullptr});
    for (Index t = 0; t <= 50; ++t)
        CHECK(std::abs(trace.difference(t) - std::pow(1 - 0.06, t)) < 1e-13);
    // With momentum the difference falls as the radius says.
    s.momentum = 0.9;
    s.coefficients.decay = 1.0 / 300; // real roots
    const AlignmentTrace slow = simulate_alignment(layer, s, {}, {3, 0, 0, 900, 1, nullptr});
    const double rate = std::pow(slow.difference(900) / slow.difference(300), 1.0 / 600);
    CHECK(std::abs(rate - spectral_radius(0.001, 0.9)) < 1e-9);
}

TEST_CASE("settings without sense are refused", "[lindyn][stability]") {
    AlignmentSettings s = usual(AlignmentRule::wm);
    s.coefficients.decay = 0;
    CHECK_THROWS_WITH(check_alignment(s), Catch::Contains("grows without bound"));
    s = usual(AlignmentRule::aa);
    s.coefficients.sparse = 0;
    CHECK_THROWS_AS(check_alignment(s), Error);
    s = usual(AlignmentRule::ia);
    s.coefficients.null = -1;
    CHECK_THROWS_WITH(check_alignment(s), Catch::Contains("null -1"));
    CHECK_THROWS_WITH(rule_of("bp"), Catch::Contains("is expected"));
    CHECK(rule_of(rule_name(AlignmentRule::kp)) == AlignmentRule::kp);
    CHECK(published_coefficients(AlignmentRule::wm).decay == 2e-3);
    CHECK_THROWS_AS(stationary_moments(usual(AlignmentRule::wm), {Vector::Ones(3), 2, 2, 0}),
                    Error);
}
