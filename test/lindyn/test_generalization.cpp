// Errors over time of linear networks that learn a noisy teacher: sums over the bulk against
// adaptive quadrature of the same integrals, tables of the paper's setting (arXiv 1809.10374), and
// simulated students.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/singular_values.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/generalization.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/regression.hpp>
#include <assay/lindyn/students.hpp>
#include <assay/lindyn/transfer.hpp>

#include <Eigen/SVD>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

using namespace assay;
using namespace assay::lindyn;

namespace {

using Function = std::function<double(double)>;

double squared(double x) {
    return x * x;
}

// Adaptive Simpson quadrature.
double simpson(const Function& f, double a, double b, double fa, double fm, double fb, double whole,
               double tolerance, int depth) {
    const double m = (a + b) / 2, left = (a + m) / 2, right = (m + b) / 2;
    const double fl = f(left), fr = f(right);
    const double first = (m - a) / 6 * (fa + 4 * fl + fm),
                 second = (b - m) / 6 * (fm + 4 * fr + fb);
    const double gap = first + second - whole;
    if (depth == 0 || std::abs(gap) < 15 * tolerance) return first + second + gap / 15;
    return simpson(f, a, m, fa, fl, fm, first, tolerance / 2, depth - 1) +
           simpson(f, m, b, fm, fr, fb, second, tolerance / 2, depth - 1);
}
double integral(const Function& f, double a, double b) {
    double sum = 0;
    constexpr int kPieces = 16;
    for (int i = 0; i < kPieces; ++i) {
        const double x = a + (b - a) * i / kPieces, y = a + (b - a) * (i + 1) / kPieces;
        const double fx = f(x), fm = f((x + y) / 2), fy = f(y);
        sum += simpson(f, x, y, fx, fm, fy, (y - x) / 6 * (fx + 4 * fm + fy), 1e-14, 40);
    }
    return sum;
}

// a(t) of two layers, d = 1; and of four, by bisection of its closed time.
double two_layers(double s, double start, double t) {
    return s / (1 + (s / start - 1) * std::exp(-2 * s * t));
}
double four_layers(double s, double start, double t) {
    const auto time = [s](double u) {
        return (std::atanh(std::sqrt(u / s)) / std::pow(s, 1.5) - 1 / (s * std::sqrt(u))) / 2;
    };
    double low = start, high = s;
    for (int i = 0; i < 200; ++i) {
        const double middle = (low + high) / 2;
        (time(middle) - time(start) < t ? low : high) = middle;
    }
    return low;
}

// Mean of f over the noise's singular values above `from`, times their share: in the singular value
// itself, with the density of the paper, by s^2 = (1 - sqrt A)^2 + 4 sqrt(A) sin^2(x) to take the
// roots away.
double over_noise(const Function& f, double aspect, double from = 0) {
    const double root = std::sqrt(aspect), low = squared(1 - root);
    const double begin =
        std::asin(std::sqrt(std::min(1.0, std::max(0.0, (from * from - low) / (4 * root)))));
    return integral(
        [&](double x) {
            const double square = low + 4 * root * squared(std::sin(x));
            if (square == 0) return 0.0;
            // sqrt(4A - (s^2 - 1 - A)^2) / (pi min(A, 1) s) ds, s ds = 2 sqrt(A) sin(2x) dx
            return 4 * aspect * squared(std::sin(2 * x)) / (M_PI * std::min(aspect, 1.0) * square) *
                   f(std::sqrt(square));
        },
        begin, M_PI / 2);
}

Setting setting_of(std::vector<double> teacher, Index n1 = 100, Index n3 = 50) {
    Setting s;
    s.inputs = n1;
    s.outputs = n3;
    s.teacher = Eigen::Map<Vector>(teacher.data(), static_cast<Index>(teacher.size()));
    return s;
}

Vector single(double x) {
    return Vector::Constant(1, x);
}

} // namespace

TEST_CASE("rules of integration", "[lindyn]") {
    const Rule rule = gauss_legendre(7);
    for (int power = 0; power < 14; ++power)
        CHECK(rule.weight.dot(Vector(rule.node.array().pow(power))) ==
              Approx(1.0 / (power + 1)).epsilon(1e-13));
    for (const double aspect : {0.1, 0.5, 0.97, 1.0, 1.02, 2.0}) {
        const Rule bulk = noise_bulk(aspect);
        INFO("aspect " << aspect);
        // Moments of the Marchenko-Pastur law of s^2 per singular value.
        const double share = std::min(aspect, 1.0);
        CHECK(bulk.weight.dot(bulk.node.cwiseAbs2()) == Approx(aspect / share).epsilon(1e-12));
        CHECK(bulk.weight.dot(Vector(bulk.node.array().pow(4))) ==
              Approx(aspect * (1 + aspect) / share).epsilon(1e-12));
        for (const double s : {0.9, 1.0, 1.2})
            CHECK(bulk_share_above(s, aspect) ==
                  Approx(over_noise([](double) { return 1.0; }, aspect, s)).epsilon(1e-10));
        CHECK(bulk_share_above(0, aspect) == Approx(1).epsilon(1e-12));
        // The upper part of the bulk.
        const double cut = 1.1;
        const Rule part = noise_bulk(aspect, 128, bulk_share_above(cut, aspect));
        CHECK(part.node.minCoeff() > cut);
        CHECK(part.weight.dot(part.node) * bulk_share_above(cut, aspect) ==
              Approx(over_noise([](double x) { return x; }, aspect, cut)).epsilon(1e-10));
        CHECK(bulk_density(1.1, aspect) ==
              Approx((bulk_share_above(1.1 - 1e-5, aspect) - bulk_share_above(1.1 + 1e-5, aspect)) /
                     2e-5)
                  .epsilon(1e-6));
    }
}

TEST_CASE("least minimum of several", "[lindyn]") {
    const auto f = [](double x) { return std::cos(x) + squared(x - 8) / 100; };
    const Vector grid = Vector::LinSpaced(30, 0, 20);
    const Minimum found = least_minimum(f, grid, grid.unaryExpr(f));
    CHECK(std::abs(-std::sin(found.at) + (found.at - 8) / 50) < 1e-7); // f' = 0
    CHECK(found.value < f(3 * M_PI) + 1e-12);
    CHECK(std::abs(found.at - 3 * M_PI) < 0.1);
    // At an end; and the earliest of equals.
    CHECK(least_minimum([](double x) { return -x; }, grid, -grid).at == 20);
    CHECK(least_minimum([](double) { return 2.0; }, grid, Vector::Constant(30, 2)).at == 0);
}

TEST_CASE("error curves equal adaptive quadrature", "[lindyn]") {
    const int depth = GENERATE(2, 4);
    const double aspect = GENERATE(0.2, 0.5, 0.9, 0.98, 1.0, 2.0);
    const Index n1 = 100, n3 = static_cast<Index>(std::lround(100 * aspect));
    Setting s = setting_of({6, 4, 2}, n1, n3);
    s.student.depth = depth;
    const auto curve = depth == 2 ? two_layers : four_layers;
    const double start = s.student.start;
    const Vector time = depth == 2 ? (Vector(4) << 0.5, 1.5, 4, 10).finished()
                                   : (Vector(3) << 20, 60, 110).finished();
    // Deep noise is learned in steep steps; 1e-10 takes more nodes than curves need.
    const ErrorModel model = theory_of(s, depth == 2 ? kUsualNodes : 4096).model;
    const ErrorCurves found = error_curves(model, time, {});
    CHECK(std::abs(error_curves(theory_of(s, nodes_for(depth, 110)).model, time, {}).test(2) -
                   found.test(2)) < 1e-5);
    const auto rest = static_cast<double>(std::min(n1, n3) - 3);
    for (Index i = 0; i < time.size(); ++i) {
        const double t = time(i);
        const double square =
            over_noise([&](double x) { return squared(curve(x, start, t)); }, aspect);
        const double gap =
            over_noise([&](double x) { return squared(curve(x, start, t) - x); }, aspect);
        const double power = over_noise([&](double x) { return x * x; }, aspect);
        double test = rest * square, train = rest * gap, whole = rest * power;
        for (const double teacher : {6.0, 4.0, 2.0}) {
            const double shat =
                std::sqrt((1 + squared(teacher)) * (aspect + squared(teacher))) / teacher;
            const double ou = 1 - aspect * (1 + squared(teacher)) /
                                      (squared(teacher) * (aspect + squared(teacher)));
            const double ov =
                1 - (aspect + squared(teacher)) / (squared(teacher) * (1 + squared(teacher)));
            const double a = curve(shat, start, t);
            test += a * a - 2 * a * teacher * std::sqrt(ou * ov) + squared(teacher);
            train += squared(a - shat);
            whole += squared(shat);
        }
        INFO("depth " << depth << ", aspect " << aspect << ", time " << t);
        CHECK(std::abs(found.test(i) - test / 56) < 1e-10);
        CHECK(std::abs(found.train(i) - train / whole) < 1e-10);
        CHECK(test_error(model, t) == Approx(found.test(i)).epsilon(1e-11));
    }
}

TEST_CASE("error curves of narrow networks equal adaptive quadrature", "[lindyn]") {
    const Index hidden = GENERATE(4, 10, 25);
    const double aspect = 0.5;
    Setting s = setting_of({4, 2});
    s.student.hidden = hidden;
    const Vector time = (Vector(3) << 1, 3, 8).finished();
    const ErrorCurves found = error_curves(theory_of(s).model, time, {});
    // The singular value above which the top N2 - K of R - K noise values lie.
    const double share = static_cast<double>(hidden - 2) / 48;
    double low = 0, high = 1 + std::sqrt(aspect);
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (over_noise([](double) { return 1.0; }, aspect, middle) > share ? low : high) = middle;
    }
    for (Index i = 0; i < time.size(); ++i) {
        const double t = time(i);
        const auto a = [&](double x) { return two_layers(x, 1e-5, t); };
        const auto power = [](double x) { return x * x; };
        double test = 48 * over_noise([&](double x) { return squared(a(x)); }, aspect, low);
        double train = 48 * (over_noise([&](double x) { return squared(a(x) - x); }, aspect, low) +
                             over_noise(power, aspect) - over_noise(power, aspect, low));
        double whole = 48 * over_noise(power, aspect);
        for (const double teacher : {4.0, 2.0}) {
            const double shat = observed_value(teacher, aspect);
            const Overlaps o = squared_overlaps(teacher, aspect);
            test += squared(a(shat)) - 2 * a(shat) * teacher * std::sqrt(o.output * o.input) +
                    squared(teacher);
            train += squared(a(shat) - shat);
            whole += squared(shat);
        }
        CHECK(std::abs(found.test(i) - test / 20) < 1e-6);
        CHECK(std::abs(found.train(i) - train / whole) < 1e-6);
    }
    // A network as narrow as the teacher, and one narrower, learn the first modes only.
    s.student.hidden = 1;
    const ErrorModel one = theory_of(s).model;
    REQUIRE(one.size() == 1);
    CHECK(late_error(one) ==
          Approx((squared(one.s(0)) - 2 * one.s(0) * one.cross(0) + 20) / 20).epsilon(1e-14));
}

TEST_CASE("best errors and times of the paper's setting", "[lindyn]") {
    struct Row {
        std::vector<double> teacher;
        double error, time, non_gradient, late;
    };
    // N1 = 100, N3 = 50, strength 1e-5 at the start; 0.8408 is just below the threshold A^{1/4}.
    const std::vector<Row> rows{{{0.84}, 1, 0, 1, 74.57},
                                {{2}, 0.33771, 2.7668, 0.33264, 12.72},
                                {{4}, 0.09091, 1.8234, 0.09091, 3.162},
                                {{6}, 0.04110, 1.3457, 0.04110, 1.404},
                                {{8}, 0.02326, 1.0716, 0.02326, 0.789},
                                {{6, 4, 2}, 0.08010, 2.7672, 0.07615, 0.929},
                                {{9, 6, 3}, 0.03557, 2.2167, 0.03485, 0.4105},
                                {{12, 8, 4}, 0.02004, 1.8234, 0.01981, 0.2305},
                                {{2.52, 1.68, 0.84}, 0.37866, 2.8948, 0.34040, 5.506}};
    for (const Row& row : rows) {
        const ErrorModel model = theory_of(setting_of(row.teacher)).model;
        const Minimum best = optimal_stopping(model, {});
        INFO("first singular value " << row.teacher[0] << " of " << row.teacher.size());
        CHECK(std::abs(best.value - row.error) < 1e-4);
        CHECK(std::abs(best.at - row.time) < 1e-3);
        CHECK(std::abs(non_gradient_error(model) - row.non_gradient) < 1e-4);
        CHECK(std::abs(late_error(model) - row.late) < 1e-3 * row.late + 5e-4);
        CHECK(non_gradient_error(model) <= best.value + 1e-12);
        CHECK(error_curves(model, single(0), {}).test(0) == Approx(1).epsilon(1e-4));
        CHECK(error_curves(model, single(0), {}).train(0) == Approx(1).epsilon(1e-4));
    }
    // Rank 1 well above threshold: s* O at the time the mode passes it.
    const Theory theory = theory_of(setting_of({6}));
    const Minimum best = optimal_stopping(theory.model, {});
    const double strength = 6 * theory.overlap(0), shat = theory.observed(0);
    CHECK(best.value == Approx(1 - squared(theory.overlap(0))).epsilon(1e-5));
    CHECK(best.at ==
          Approx(std::log((shat / 1e-5 - 1) / (shat / strength - 1)) / (2 * shat)).epsilon(1e-3));
    // A horizon before the optimum.
    CHECK(optimal_stopping(theory.model, {}, 1.0).at == Approx(1).epsilon(1e-9));
}

TEST_CASE("the optimum is the least of a fine grid", "[lindyn]") {
    const int depth = GENERATE(1, 2, 3, 4);
    const std::vector<double> teacher =
        GENERATE(std::vector<double>{5, 1.5}, std::vector<double>{2.52, 1.68, 0.84});
    Setting s = setting_of(teacher);
    s.student.depth = depth;
    const ErrorModel model = theory_of(s).model;
    const Minimum best = optimal_stopping(model, {});
    const Vector times =
        Vector::LinSpaced(4000, 0, 2 * std::max(best.at, usual_times(model, 2)(1)));
    CHECK(best.value <= error_curves(model, times, {}).test.minCoeff() + 1e-12);
    CHECK(test_error(model, best.at) == best.value);
}

TEST_CASE("depth separates signal from noise", "[lindyn]") {
    struct Row {
        double teacher, error, time;
    };
    for (const Row& row : {Row{2, 0.33264, 66.66}, Row{4, 0.09091, 37.81}, Row{6, 0.04110, 25.86},
                           Row{8, 0.02326, 19.57}}) {
        Setting s = setting_of({row.teacher});
        s.student.depth = 4;
        const ErrorModel model = theory_of(s).model;
        const Minimum best = optimal_stopping(model, {});
        CHECK(std::abs(best.value - row.error) < 1e-4);
        CHECK(std::abs(best.at - row.time) < 1e-2);
        CHECK(best.value == Approx(non_gradient_error(model)).epsilon(1e-4));
    }
}

TEST_CASE("a narrow network overfits less and is as good at its best", "[lindyn]") {
    const double expected[3] = {1.33, 2.49, 3.00}; // at 10 tau
    const Index widths[3] = {10, 25, 50};
    for (int i = 0; i < 3; ++i) {
        Setting s = setting_of({4});
        s.student.hidden = widths[i];
        const ErrorModel model = theory_of(s).model;
        CHECK(std::abs(optimal_stopping(model, {}).value - 0.09091) < 1e-4);
        CHECK(std::abs(test_error(model, 10) - expected[i]) < 6e-3);
    }
}

TEST_CASE("errors against the number of samples", "[lindyn]") {
    const Index samples[5] = {20, 60, 100, 140, 200};
    const double best[5] = {0.902, 0.565, 0.211, 0.153, 0.108};
    const double late[5] = {3.04, 6.81, 10.74, 7.83, 5.54};
    for (int i = 0; i < 5; ++i) {
        Setting s = setting_of({3}, 100, 100);
        s.samples = samples[i];
        const Theory theory = theory_of(s, 256);
        const Minimum optimum = optimal_stopping(theory.model, {});
        INFO("samples " << samples[i]);
        CHECK(std::abs(optimum.value - best[i]) < 1e-3);
        CHECK(std::abs(test_error(theory.model, 10) - late[i]) < 1e-2);
        // Simulated students.
        const Vector times = (Vector(4) << optimum.at / 2, optimum.at, 4, 10).finished();
        const ErrorCurves curves = error_curves(theory.model, times, {});
        Matrix test(12, times.size()), train(12, times.size());
        for (Index r = 0; r < 12; ++r) {
            const StudentRecord record =
                run_student(draw_data(s, 3, r), s.student, StudentKind::aligned, {times}, 3, r);
            test.row(r) = record.test.transpose();
            train.row(r) = record.train.transpose();
        }
        const RepeatSummary summary = summarise_repeats(test, curves.test);
        for (Index t = 0; t < times.size(); ++t) {
            CHECK(std::abs(summary.mean(t) - curves.test(t)) <
                  3 * summary.sem(t) + 0.03 * curves.test(t));
            const RepeatSummary of_train = summarise_repeats(train, curves.train);
            CHECK(std::abs(of_train.mean(t) - curves.train(t)) <
                  3 * of_train.sem(t) + 0.03 * curves.train(t) + 2e-4);
        }
    }
}

TEST_CASE("students of drawn data meet the theory", "[lindyn]") {
    const std::vector<double> teacher =
        GENERATE(std::vector<double>{4}, std::vector<double>{2}, std::vector<double>{6, 4, 2});
    const Setting s = setting_of(teacher);
    const Theory theory = theory_of(s);
    const Minimum best = optimal_stopping(theory.model, {});
    const Vector times = Vector::LinSpaced(200, 0, 8);
    Vector aligned(20), random(3);
    for (Index r = 0; r < 20; ++r)
        aligned(r) = run_student(draw_data(s, 1, r), s.student, StudentKind::aligned, {times}, 1, r)
                         .optimum.value;
    const double sem = std::sqrt((aligned.array() - aligned.mean()).square().sum() / 19 / 20);
    CHECK(std::abs(aligned.mean() - best.value) < 3 * sem + 0.02 * best.value);
    // Random orthogonal students reach the same, later.
    for (Index r = 0; r < 3; ++r) {
        const StudentRecord record =
            run_student(draw_data(s, 1, r), s.student, StudentKind::random, {times}, 1, r);
        random(r) = record.optimum.value;
        CHECK(record.optimum.at > best.at);
        CHECK(std::abs(record.test(0) - 1) < 1e-4);
    }
    CHECK(std::abs(random.mean() - aligned.head(3).mean()) < 0.05 * best.value + 0.005);
}

TEST_CASE("random students stop later than aligned ones, at the same error", "[lindyn]") {
    struct Row {
        std::vector<double> teacher;
        double aligned, random;
    };
    for (const Row& row : {Row{{2}, 2.79, 2.96}, Row{{6, 4, 2}, 2.79, 3.13}}) {
        const Setting s = setting_of(row.teacher);
        const Vector times = Vector::LinSpaced(100, 0, 8);
        double aligned = 0, random = 0;
        for (Index r = 0; r < 8; ++r) {
            const TeacherData data = draw_data(s, 1, r);
            const auto best = [&](StudentKind kind) {
                return run_student(data, s.student, kind, {times}, 1, r).optimum;
            };
            aligned += best(StudentKind::aligned).at / 8;
            random += best(StudentKind::random).at / 8;
        }
        INFO("modes " << row.teacher.size() << ": " << aligned << ", " << random);
        CHECK(aligned == Approx(row.aligned).epsilon(0.05));
        CHECK(random == Approx(row.random).epsilon(0.06)); // as in share/reproduce/1809.10374
        CHECK(random > 1.02 * aligned);
    }
}

TEST_CASE("two modes and other numbers of samples and outputs", "[lindyn]") {
    const Index samples = GENERATE(60, 160);
    Setting s = setting_of({4, 2.5}, 100, 60); // A = 0.6
    s.samples = samples;
    const Theory theory = theory_of(s, 256);
    // The modes, literally: aspect N3/P and sqrt(P/N1) below P = N1, sqrt(P/N1) s* beyond.
    const double delta = static_cast<double>(samples) / 100, aspect = samples < 100 ? 1 : 0.6;
    for (Index k = 0; k < 2; ++k) {
        const double x = samples < 100 ? s.teacher(k) : std::sqrt(delta) * s.teacher(k);
        CHECK(theory.observed(k) ==
              Approx(std::sqrt(delta * (1 + x * x) * (aspect + x * x)) / x).epsilon(1e-12));
    }
    const Minimum optimum = optimal_stopping(theory.model, {});
    const Vector times = (Vector(4) << optimum.at / 2, optimum.at, 4, 10).finished();
    const ErrorCurves curves = error_curves(theory.model, times, {});
    Matrix test(16, 4), train(16, 4), best(16, 1);
    for (Index r = 0; r < 16; ++r) {
        const StudentRecord record =
            run_student(draw_data(s, 5, r), s.student, StudentKind::aligned, {times}, 5, r);
        test.row(r) = record.test.transpose();
        train.row(r) = record.train.transpose();
        best(r, 0) = record.optimum.value;
    }
    const RepeatSummary of_test = summarise_repeats(test, curves.test),
                        of_train = summarise_repeats(train, curves.train),
                        of_best = summarise_repeats(best, single(optimum.value));
    for (Index t = 0; t < 4; ++t) {
        INFO("samples " << samples << ", time " << times(t));
        CHECK(std::abs(of_test.mean(t) - curves.test(t)) <
              3 * of_test.sem(t) + 0.03 * curves.test(t));
        CHECK(std::abs(of_train.mean(t) - curves.train(t)) <
              3 * of_train.sem(t) + 0.03 * curves.train(t) + 2e-4);
    }
    CHECK(std::abs(of_best.mean(0) - optimum.value) < 3 * of_best.sem(0) + 0.02 * optimum.value);
}

TEST_CASE("shrinkage is never worse than the best time, whatever the sizes", "[lindyn]") {
    const Random random(7, "test/lindyn/sizes");
    for (std::uint64_t draw = 0; draw < 30; ++draw) {
        const auto between = [&](std::uint64_t which, double low, double high) {
            return low * std::pow(high / low, random.uniform(16 * draw + which));
        };
        std::vector<double> teacher;
        for (std::uint64_t k = 0; k < 1 + draw % 4; ++k) teacher.push_back(between(8 + k, 0.5, 20));
        std::sort(teacher.rbegin(), teacher.rend());
        Setting s = setting_of(teacher, static_cast<Index>(between(0, 20, 300)),
                               static_cast<Index>(between(1, 20, 300)));
        s.samples = draw % 3 == 0 ? 0 : static_cast<Index>(between(2, 20, 600));
        s.student.hidden = draw % 2 == 0 ? 0 : static_cast<Index>(between(3, 5, 100));
        s.student.depth = 2 + static_cast<int>(draw % 5 == 0);
        s.student.start = between(4, 1e-8, 1e-3);
        const ErrorModel model = theory_of(s).model;
        const Minimum best = optimal_stopping(model, {});
        INFO("draw " << draw << ": " << s.inputs << " x " << s.outputs << ", rank "
                     << teacher.size());
        CHECK(non_gradient_error(model) <= best.value + 1e-12);
        CHECK(best.value <= test_error(model, 0) + 1e-12);
        CHECK(std::abs(test_error(model, 0) - 1) < 1e-1);
    }
}

TEST_CASE("singular values and overlaps of drawn data meet the theory", "[lindyn]") {
    Setting setting;
    setting.inputs = 300;
    setting.outputs = 150;
    setting.teacher = Eigen::Vector4d(4, 2.5, 1.4, 0.3);
    const Theory theory = theory_of(setting);
    Vector observed = Vector::Zero(4), overlap = observed;
    constexpr Index kDraws = 6;
    for (Index r = 0; r < kDraws; ++r) {
        const TeacherData data = draw_data(setting, 11, r);
        const StudentRecord record =
            run_student(data, setting.student, StudentKind::aligned, {Vector::Zero(1)}, 11, r);
        const auto thin = Eigen::ComputeThinU | Eigen::ComputeThinV;
        const Eigen::BDCSVD<Matrix> own(data.syx, thin), teacher(data.teacher, thin);
        for (Index k = 0; k < 4; ++k) {
            CHECK(std::abs(record.observed(k) - own.singularValues()(k)) < 1e-11);
            const double cosine = own.matrixU().col(k).dot(teacher.matrixU().col(k)) *
                                  own.matrixV().col(k).dot(teacher.matrixV().col(k));
            CHECK(std::abs(record.overlap(k) - std::abs(cosine)) < 1e-9);
        }
        observed += record.observed / kDraws;
        overlap += record.overlap / kDraws;
    }
    CHECK((observed - theory.observed).head(3).cwiseAbs().maxCoeff() < 0.05);
    CHECK((overlap - theory.overlap).cwiseAbs().maxCoeff() < 0.05);
    CHECK(std::abs(observed(3) - theory.observed(3)) < 3 / std::pow(300, 2.0 / 3)); // the edge
}

TEST_CASE("where a student stops does not depend on when it is looked at", "[lindyn]") {
    const int depth = GENERATE(2, 3);
    const StudentKind kind = GENERATE(StudentKind::aligned, StudentKind::random);
    Setting s = setting_of({4}, 30, 20);
    s.student.depth = depth;
    s.student.start = depth == 2 ? 1e-5 : 1e-3;
    const TeacherData data = draw_data(s, 2, 0);
    const Vector few = (Vector(3) << 0, 1, 50).finished();
    const Minimum best = run_student(data, s.student, kind, {few}, 2, 0).optimum;
    // The least of a dense grid around it, and of the whole course.
    const Vector near = Vector::LinSpaced(801, 0.9 * best.at, 1.1 * best.at);
    const StudentRecord dense = run_student(data, s.student, kind, {near}, 2, 0);
    CHECK(dense.optimum.at == Approx(best.at).epsilon(1e-6));
    CHECK(dense.test.minCoeff() == Approx(best.value).epsilon(1e-5));
    const Vector course = Vector::LinSpaced(400, 0, 4 * best.at);
    CHECK(run_student(data, s.student, kind, {course}, 2, 0).test.minCoeff() >
          best.value * (1 - 1e-5));
    // Before that time the error falls, so that a horizon is where to stop.
    const double horizon = 0.8 * best.at;
    const Vector last = single(horizon);
    const StudentRecord cut = run_student(data, s.student, kind, {last, horizon}, 2, 0);
    CHECK(cut.optimum.at <= horizon);
    CHECK(cut.optimum.value == Approx(cut.test(0)).epsilon(1e-6));
}

TEST_CASE("a known teacher's errors are those of the maps themselves", "[lindyn]") {
    Setting s = setting_of({3, 1}, 12, 7);
    s.samples = GENERATE(5, 12, 30);
    s.student.hidden = GENERATE(0, 3);
    s.student.start = 0.01;
    const TeacherData data = draw_data(s, 7, 0);
    const ErrorModel model = aligned_model(data, s.student);
    const linalg::Svd svd = linalg::thin_svd(data.syx);
    const Index learned = s.student.hidden > 0 ? s.student.hidden : svd.s.size();
    const double t = 0.8;
    Vector a(learned);
    for (Index i = 0; i < learned; ++i)
        a(i) = mode_curve(ModeLaw{svd.s(i), data.d, 0.01, 2, 1, 0}, single(t))(0);
    const Matrix map =
        svd.u.leftCols(learned) * a.asDiagonal() * svd.v.leftCols(learned).transpose();
    const double unseen = data.teacher_power - data.teacher.squaredNorm();
    const ErrorCurves curves = error_curves(model, single(t), {});
    CHECK(
        curves.test(0) ==
        Approx(((map - data.teacher).squaredNorm() + unseen) / data.teacher_power).epsilon(1e-12));
    // |Y - W X|^2 = |Y|^2 - 2 W.Syx + d |W|^2.
    CHECK(curves.train(0) == Approx((data.target_power - 2 * map.cwiseProduct(data.syx).sum() +
                                     data.d * map.squaredNorm()) /
                                    data.target_power)
                                 .epsilon(1e-12));
    // Gradient descent with the full matrices from the same start would be there too: the exact
    // solution of a student in random directions ends where all modes are learned.
    const StudentRecord random =
        run_student(data, s.student, StudentKind::random, {single(400)}, 1, 0);
    CHECK(random.test(0) == Approx(late_error(model)).epsilon(1e-8));
}

TEST_CASE("deep modes that start above their end fall to it", "[lindyn]") {
    ErrorModel m;
    m.s = (Vector(2) << 1e-3, 2).finished();
    m.count = m.square = Vector::Ones(2);
    m.cross = (Vector(2) << 0, 2).finished();
    m.start = 0.1;
    m.depth = 3;
    m.teacher_power = 4;
    const double t = 3;
    // a' = 3 a^{4/3} (s - a) by small steps of the midpoint rule.
    double a = 0.1;
    const auto slope = [](double x) { return 3 * std::pow(x, 4.0 / 3) * (1e-3 - x); };
    for (int i = 0; i < 30000; ++i) a += 1e-4 * slope(a + 0.5e-4 * slope(a));
    const double b = mode_curve(ModeLaw{2, 1, 0.1, 3, 1, 0}, single(t))(0);
    CHECK(test_error(m, t) == Approx((a * a + b * b - 4 * b + 4) / 4).epsilon(1e-8));
}

TEST_CASE("estimates from data alone, where the teacher is known", "[lindyn]") {
    const Setting s = setting_of({6, 4, 3}, 200, 100);
    const TeacherData data = draw_data(s, 5, 0);
    const Vector values = linalg::singular_values(data.syx);
    const NoiseReport noise = judge_modes(values, 200, 100, noise_unit(values, 200, 100));
    REQUIRE(noise.detections() == 3);
    const ErrorModel estimated =
        theory_of_data({values, noise, 200, 100, data.d, data.target_power}, s.student).model;
    const Minimum best = optimal_stopping(estimated, {});
    const Minimum exact = optimal_stopping(aligned_model(data, s.student), {});
    CHECK(std::abs(best.value - exact.value) < 0.1 * exact.value);
    CHECK(std::abs(best.at - exact.at) < 0.1 * exact.at);
    // Units: targets c times as large, inputs with d = e.
    const double c = 3, e = 0.25;
    const NoiseReport scaled = judge_modes(c * e * values, 200, 100, c * e * noise.unit);
    Student student = s.student;
    student.start *= c;
    const ErrorModel other =
        theory_of_data({c * e * values, scaled, 200, 100, e, c * c * e * data.target_power},
                       student)
            .model;
    const Vector times = Vector::LinSpaced(20, 0, 5);
    const ErrorCurves curves = error_curves(estimated, times, {}),
                      scaled_curves = error_curves(other, times / (c * e), {});
    CHECK((curves.test - scaled_curves.test).cwiseAbs().maxCoeff() < 1e-10);
    CHECK((curves.train - scaled_curves.train).cwiseAbs().maxCoeff() < 1e-10);
    const NoiseReport nothing = judge_modes(values, 200, 100, 10 * noise.unit);
    CHECK_THROWS_AS(theory_of_data({values, nothing, 200, 100, 1, 1}, s.student), Error);
}

TEST_CASE("the first modes tell as much as all of them where the rest is noise", "[lindyn]") {
    const Index depth = GENERATE(2, 3), hidden = GENERATE(0, 2, 60);
    Setting s = setting_of({6, 4, 3}, 400, 200);
    s.student.depth = static_cast<int>(depth);
    s.student.hidden = hidden;
    const TeacherData data = draw_data(s, 5, 0);
    const Vector values = linalg::singular_values(data.syx), first = values.head(5);
    const double unit = noise_unit_of_rest(first, values.squaredNorm(), 400, 200);
    CHECK(std::abs(unit - 1) < 0.01); // the generator's
    const Theory all = theory_of_data({values, judge_modes(values, 400, 200, unit), 400, 200,
                                       data.d, data.target_power},
                                      s.student),
                 few = theory_of_data({first, judge_modes(first, 400, 200, unit), 400, 200, data.d,
                                       data.target_power},
                                      s.student);
    CHECK(few.observed == all.observed);
    CHECK(few.model.teacher_power == all.model.teacher_power);
    const Minimum exact = optimal_stopping(aligned_model(data, s.student), {});
    const Minimum best = optimal_stopping(few.model, {});
    CHECK(std::abs(best.value - exact.value) < 0.1 * exact.value);
    CHECK(std::abs(best.at - exact.at) < 0.1 * exact.at);
    // The law of noise in place of this draw's 197 values.
    const Vector times = usual_times(all.model, 40);
    const ErrorCurves one = error_curves(few.model, times, {}),
                      other = error_curves(all.model, times, {});
    CHECK((one.test - other.test).cwiseAbs().maxCoeff() < 0.02 * other.test.maxCoeff());
    CHECK((one.train - other.train).cwiseAbs().maxCoeff() < 0.02);
    // A student of two hidden units learns modes that are all known.
    if (hidden == 2) CHECK((one.test - other.test).cwiseAbs().maxCoeff() < 1e-14);
}

TEST_CASE("signals that are not among the first modes count in the teacher", "[lindyn]") {
    const Setting s = setting_of({6, 4, 3}, 400, 200);
    const TeacherData data = draw_data(s, 5, 0);
    const Vector values = linalg::singular_values(data.syx);
    const double power = values.squaredNorm();
    for (const Index found : {1, 2, 3}) {
        const Vector first = values.head(found);
        DataModes modes{first, judge_modes(first, 400, 200, 1), 400, 200, 1, data.target_power};
        modes.power = power;
        // Two estimates of |W*|^2 = 61: of the signals one by one, and of what they leave.
        CHECK(theory_of_data(modes, s.student).model.teacher_power == Approx(61).epsilon(0.05));
    }
    CHECK(missing_power(values.head(2), power, 400, 200, 1) == Approx(9).epsilon(0.4));
    CHECK(missing_power(values.head(3), power, 400, 200, 1.1) == 0);
}

TEST_CASE("the noise unit of what signals leave", "[lindyn]") {
    const Setting s = setting_of({6, 4, 2});
    const Index draws = 400;
    double mean = 0;
    for (Index r = 0; r < draws; ++r) {
        const Vector values = linalg::singular_values(draw_data(s, 11, r).syx);
        const double unit = noise_unit_of_rest(values.head(6), values.squaredNorm(), 100, 50);
        CHECK(unit == noise_unit_of_rest(values, values.squaredNorm(), 100, 50));
        mean += unit / static_cast<double>(draws);
    }
    INFO(mean);
    CHECK(std::abs(mean - 1) < 0.005);
    // Units, and what cannot be told: where all stand out, there may be more.
    const Vector values = linalg::singular_values(draw_data(s, 11, 0).syx);
    const double unit = noise_unit_of_rest(values, values.squaredNorm(), 100, 50);
    CHECK(noise_unit_of_rest(3 * values, 9 * values.squaredNorm(), 100, 50) ==
          Approx(3 * unit).epsilon(1e-14));
    CHECK(noise_unit_of_rest(values.head(2), values.squaredNorm(), 100, 50) == 0);
}

TEST_CASE("the best shrinkage is the teacher's value times the overlaps", "[lindyn]") {
    const double aspect = GENERATE(0.1, 0.5, 1.0, 2.0);
    for (const double snr : {1.05, 1.3, 2.0, 5.0, 40.0}) {
        const double s = snr * std::pow(aspect, 0.25);
        const Overlaps o = squared_overlaps(s, aspect);
        const double x = observed_value(s, aspect), b = x * x - aspect - 1;
        // Benaych-Georges and Nadakuditi, Gavish and Donoho, literally.
        CHECK(x == Approx(std::sqrt((1 + s * s) * (aspect + s * s)) / s).epsilon(1e-15));
        // Near the threshold b^2 - 4A loses digits.
        CHECK(shrunk_value(x, aspect) == Approx(std::sqrt(b * b - 4 * aspect) / x).epsilon(1e-11));
        CHECK(shrunk_value(x, aspect) == Approx(s * std::sqrt(o.output * o.input)).epsilon(1e-12));
    }
}

TEST_CASE("noise alone passes the edge of detection once in a hundred draws", "[lindyn]") {
    const Index n1 = 60, n3 = 40, draws = 4000;
    const double a = std::sqrt(60.0) + std::sqrt(40.0);
    const double spread = a * std::cbrt(1 / std::sqrt(60.0) + 1 / std::sqrt(40.0)) / 60;
    CHECK(detection_edge(n1, n3) ==
          Approx(std::sqrt(a * a / 60 + 2.0234 * spread)).epsilon(1e-4)); // quantile to 5 digits
    Index alarms = 0;
    for (Index r = 0; r < draws; ++r) {
        const Matrix noise = random_noise(n3, n1, 1 / std::sqrt(60.0), 1, r, "test/edge");
        alarms += linalg::singular_values(noise)(0) > detection_edge(n1, n3) ? 1 : 0;
    }
    CHECK(1000 * alarms > 4 * draws);
    CHECK(1000 * alarms < 14 * draws);
}

TEST_CASE("the median of all modes is that of the noise but for three above it", "[lindyn]") {
    const Setting s = setting_of({6, 4, 2});
    const Index draws = 400;
    double mean = 0;
    for (Index r = 0; r < draws; ++r)
        mean += noise_unit(linalg::singular_values(draw_data(s, 11, r).syx), 100, 50) /
                static_cast<double>(draws);
    INFO(mean); // 1.026: between values 22 and 23 of the noise's 47
    CHECK(std::abs(bulk_share_above(mean * bulk_median(0.5), 0.5) - 22.5 / 47) < 0.004);
}

TEST_CASE("estimates from fewer samples than inputs count what no sample shows", "[lindyn]") {
    Setting s = setting_of({6}, 200, 80);
    s.samples = 120;
    const TeacherData data = draw_data(s, 3, 0);
    const Vector values = linalg::singular_values(data.syx);
    const NoiseReport noise = judge_modes(values, 120, 80, noise_unit(values, 120, 80));
    REQUIRE(noise.detections() == 1);
    const ErrorModel estimated =
        theory_of_data({values, noise, 120, 80, data.d, data.target_power, 0.6}, s.student).model;
    // The teacher behind the data, in all its inputs.
    CHECK(estimated.teacher_power == Approx(data.teacher_power).epsilon(0.1));
    const Minimum best = optimal_stopping(estimated, {});
    const Minimum exact = optimal_stopping(aligned_model(data, s.student), {});
    CHECK(best.value > 0.4);
    CHECK(std::abs(best.value - exact.value) < 0.05);
}

TEST_CASE("randomised targets: one bulk, learned late", "[lindyn]") {
    Setting s = setting_of({30, 20, 10});
    s.randomized = true;
    const ErrorModel model = theory_of(s).model;
    const double sigma = 5.385;
    CHECK(model.s.maxCoeff() == Approx(sigma * (1 + std::sqrt(0.5))).epsilon(1e-3));
    CHECK(model.s.minCoeff() == Approx(sigma * (1 - std::sqrt(0.5))).epsilon(1e-2));
    CHECK(time_to_reach({sigma * (1 + std::sqrt(0.5)), 1, 1e-5, 2, 1, 0}, 0.5) ==
          Approx(0.747).margin(1e-3));
    // Times at which the train error passes 0.5, 0.1, 0.01, of one draw.
    const auto passed = [](const ErrorModel& m, double level) {
        const Vector times = Vector::LinSpaced(8001, 0, 8);
        const Vector train = error_curves(m, times, {}).train;
        Index i = 0;
        while (i < train.size() && train(i) > level) ++i;
        return times(i);
    };
    Setting original = s;
    original.randomized = false;
    const double first[3] = {0.252, 0.448, 5.21}, second[3] = {0.930, 1.56, 2.63};
    const double levels[3] = {0.5, 0.1, 0.01};
    for (int i = 0; i < 3; ++i) {
        CHECK(std::abs(passed(theory_of(original).model, levels[i]) - first[i]) < 0.1 * first[i]);
        CHECK(std::abs(passed(model, levels[i]) - second[i]) < 0.06 * second[i]);
        CHECK(std::abs(passed(aligned_model(draw_data(s, 2, 0), s.student), levels[i]) -
                       second[i]) < 0.06 * second[i]);
    }
    s.samples = 120;
    CHECK_THROWS_AS(theory_of(s), Error);
}

TEST_CASE("singular values and overlaps of large spiked matrices", "[lindyn]") {
    const double aspect = GENERATE(0.25, 1.0);
    const double teacher = GENERATE(0.4, 1.5, 3.0);
    const Index n1 = 400, n3 = static_cast<Index>(400 * aspect);
    const Setting s = setting_of({teacher}, n1, n3);
    double value = 0, overlap = 0;
    for (Index r = 0; r < 6; ++r) {
        const TeacherData data = draw_data(s, 4, r);
        const linalg::Svd svd = linalg::thin_svd(data.syx);
        value += svd.s(0) / 6;
        overlap += std::abs(svd.u.col(0).dot(data.teacher * svd.v.col(0))) / teacher / 6;
    }
    const Theory theory = theory_of(s);
    const double finite = 3 / std::pow(static_cast<double>(n1), 2.0 / 3);
    CHECK(std::abs(value - theory.observed(0)) < finite);
    CHECK(std::abs(overlap - theory.overlap(0)) < finite);
}

TEST_CASE("modes of the paper's spectrum", "[lindyn]") {
    const double expected[3] = {9.083, 6.125, 3.249};
    const Theory theory = theory_of(setting_of({9, 6, 3}, 1000, 500));
    for (Index k = 0; k < 3; ++k) CHECK(std::abs(theory.observed(k) - expected[k]) < 1e-3);
    CHECK(std::abs(theory.model.s.tail(128).minCoeff() - 0.293) < 1e-3);
    CHECK(std::abs(theory.model.s.tail(128).maxCoeff() - 1.707) < 1e-3);
    CHECK(std::abs(time_to_reach({4, 1, 1e-3, 2, 1, 0}, 0.5) - 1.037) < 1e-3);
}

TEST_CASE("shrinkage is best for its own loss", "[lindyn]") {
    // One mode: the 2 x 2 difference of strength eta along the data's vectors to the teacher, with
    // cosines of the overlaps. Each loss is least at its own shrunk value (Gavish and Donoho 2017).
    const double aspect = GENERATE(0.5, 1.0, 2.0), teacher = 2.2;
    const double observed = observed_value(teacher, aspect);
    const Overlaps o = squared_overlaps(teacher, aspect);
    const auto loss_of = [&](double eta, ShrinkageLoss loss) {
        Eigen::Matrix2d gap;
        gap << teacher - eta * std::sqrt(o.output * o.input),
            -eta * std::sqrt(o.output * (1 - o.input)), -eta * std::sqrt((1 - o.output) * o.input),
            -eta * std::sqrt((1 - o.output) * (1 - o.input));
        const Vector s = linalg::singular_values(gap);
        if (loss == ShrinkageLoss::frobenius) return s.norm();
        return loss == ShrinkageLoss::nuclear ? s.sum() : s(0);
    };
    for (const ShrinkageLoss loss :
         {ShrinkageLoss::frobenius, ShrinkageLoss::operator_norm, ShrinkageLoss::nuclear}) {
        const double best = shrunk_value(observed, aspect, loss);
        for (const double step : {-0.05, 0.05})
            CHECK(loss_of(best, loss) < loss_of(best + step, loss));
    }
    CHECK(shrunk_value(1 + std::sqrt(aspect), aspect, ShrinkageLoss::nuclear) == 0);
}

TEST_CASE("the benefit of a second task", "[lindyn]") {
    struct Row {
        double a, b, q, benefit;
    };
    const auto task = [](double a, double b, double q) {
        TransferSetting s;
        s.a = single(a);
        s.b = single(b);
        s.alignment = Matrix::Constant(1, 1, q);
        s.horizon = 6;
        return s;
    };
    for (const Row& row :
         {Row{0.84, 100, 0.5, 0.065}, Row{0.84, 100, 0.8, 0.304}, Row{0.84, 100, 1, 0.585},
          Row{3, 3, 0, -0.052}, Row{3, 3, 0.5, -0.068}, Row{3, 3, 0.8, -0.049},
          Row{3, 3, 0.9, 0.000}, Row{3, 3, 1, 0.050}, Row{3, 100, 0, -0.061},
          Row{3, 100, 0.8, -0.070}, Row{3, 100, 0.9, -0.060}, Row{3, 100, 1, 0.105}}) {
        INFO("s_A " << row.a << ", s_B " << row.b << ", q " << row.q);
        CHECK(std::abs(transfer(task(row.a, row.b, row.q)).benefit() - row.benefit) < 2e-3);
        // The sign of q does not matter.
        CHECK(transfer(task(row.a, row.b, -row.q)).benefit() ==
              Approx(transfer(task(row.a, row.b, row.q)).benefit()).margin(1e-10));
    }
    CHECK(std::abs(transfer(task(100, 100, 0)).benefit() + 5e-5) < 2e-5);
    CHECK(std::abs(transfer(task(100, 100, 1)).benefit() - 5e-5) < 2e-5);
    // Rank one in closed form.
    const JointTeacher joint = joint_teacher(task(3, 5, 0.6));
    const double root = std::sqrt(squared(9 - 25) + 4 * 0.36 * 9 * 25);
    CHECK(joint.s(0) == Approx(std::sqrt((34 + root) / 2)).epsilon(1e-14));
    CHECK(joint.s(1) == Approx(std::sqrt((34 - root) / 2)).epsilon(1e-14));
    CHECK(joint.head_weight.sum() == Approx(1).epsilon(1e-14));
    CHECK(joint_teacher(task(3, 5, 1)).s.size() == 1);
    TransferSetting bad = task(3, 3, 1.1);
    CHECK_THROWS_AS(joint_teacher(bad), Error);
}

TEST_CASE("grids of transfer: the best alignment and where the sign changes", "[lindyn]") {
    TransferSetting s;
    s.a = s.b = single(3);
    s.alignment = Matrix::Zero(1, 1);
    const Vector q = Vector::LinSpaced(11, 0, 1), a = (Vector(2) << 0.84, 3).finished(),
                 b = (Vector(2) << 3, 100).finished();
    const TransferGrid grid = transfer_grid(s, q, a, b, {});
    REQUIRE(grid.points.size() == 44);
    TransferSetting one = s;
    one.alignment(0, 0) = q(7);
    one.b = single(100);
    CHECK(grid.points[(1 * 2 + 1) * 11 + 7].benefit() == transfer(one).benefit());
    for (Index pair = 0; pair < 4; ++pair) {
        CHECK(grid.best_q(pair) == Approx(1).margin(1e-6));
        if (std::isnan(grid.sign_change(pair))) continue;
        one.a = single(a(pair / 2));
        one.b = single(b(pair % 2));
        one.alignment(0, 0) = grid.sign_change(pair) - 1e-6;
        const double below = transfer(one).benefit();
        one.alignment(0, 0) = grid.sign_change(pair) + 1e-6;
        CHECK((below > 0) != (transfer(one).benefit() > 0));
    }
    CHECK(grid.sign_change(3) == Approx(0.95).margin(0.03));
    Execution two;
    two.threads = 2;
    CHECK(transfer_grid(s, q, a, b, two).sign_change(3) == grid.sign_change(3));
}

TEST_CASE("simulated pairs of tasks", "[lindyn]") {
    TransferSetting s;
    s.inputs = 400;
    s.outputs_a = s.outputs_b = 200;
    const double b = GENERATE(3.0, 100.0);
    s.a = single(3);
    s.b = single(b);
    s.horizon = 6;
    s.alignment = Matrix::Constant(1, 1, GENERATE(0.0, 0.8, 1.0));
    double benefit = 0, shrunk = 0;
    for (Index r = 0; r < 3; ++r) {
        const Transfer one = simulate_transfer(s, 1, r);
        benefit += one.benefit() / 3;
        shrunk += one.shrunk_joint / 3;
    }
    const Transfer theory = transfer(s);
    CHECK(std::abs(benefit - theory.benefit()) < 0.025);
    // Equal joint modes (s_A = s_B, q = 0) have no heads of their own.
    if (b > 3 || s.alignment(0, 0) > 0) CHECK(std::abs(shrunk - theory.shrunk_joint) < 0.02);
}

TEST_CASE("output directions of the second task do not matter", "[lindyn]") {
    TransferSetting s;
    s.inputs = 40;
    s.outputs_a = 20;
    s.outputs_b = 15;
    s.a = (Vector(2) << 4, 2).finished();
    s.b = (Vector(3) << 6, 3, 1).finished();
    s.alignment = 0.6 * Matrix::Identity(2, 3);
    TeacherPair pair = draw_pair(s, 1, 0);
    const Vector times = Vector::LinSpaced(30, 0, 6);
    const Vector before = error_curves(joint_model(pair, s.student), times, {}).test;
    pair.b.syx = random_directions(15, 15, 2, 0, "test/rotation") * pair.b.syx;
    const Vector after = error_curves(joint_model(pair, s.student), times, {}).test;
    CHECK((before - after).cwiseAbs().maxCoeff() < 1e-10);
    // The drawn input directions have the alignment asked for.
    const Matrix v_a = linalg::thin_svd(pair.a.teacher).v.leftCols(2);
    const Matrix v_b = linalg::thin_svd(pair.b.teacher).v.leftCols(3);
    CHECK(((v_a.transpose() * v_b).cwiseAbs() - s.alignment).cwiseAbs().maxCoeff() < 1e-10);
}

TEST_CASE("the alignment of two data sets, estimated", "[lindyn]") {
    TransferSetting s;
    s.inputs = 400;
    s.outputs_a = 200;
    s.outputs_b = 100;
    s.a = single(2);
    s.b = single(3);
    s.alignment = Matrix::Constant(1, 1, 0.7);
    const TeacherPair pair = draw_pair(s, 3, 0);
    const auto detected = [](const TeacherData& data) {
        const linalg::Svd svd = linalg::thin_svd(data.syx);
        const NoiseReport noise = judge_modes(svd.s, data.syx.cols(), data.syx.rows(), 1);
        REQUIRE(noise.detections() == 1);
        return DetectedModes{noise.snr.head(1), noise.overlap_input.head(1), svd.v.leftCols(1),
                             data.syx.rows()};
    };
    const TransferSetting found = estimated_transfer(detected(pair.a), detected(pair.b));
    CHECK(std::abs(std::abs(found.alignment(0, 0)) - 0.7) < 0.1);
    CHECK(std::abs(found.a(0) - 2) < 0.15);
    CHECK(std::abs(found.b(0) - 3) < 0.15);
    CHECK(found.outputs_b == 100);
}

TEST_CASE("shallow regression over time", "[lindyn]") {
    const RegressionSetting s{0.5, 0.5, 1, 0};
    const Vector times = (Vector(6) << 0, 0.3, 1, 3, 10, 30).finished();
    const double expected[6] = {1, 0.8049, 0.6741, 0.6485, 0.7076, 0.7465};
    const Vector found = regression_error(s, times);
    for (Index i = 0; i < 6; ++i) CHECK(std::abs(found(i) - expected[i]) < 6e-5);
    for (const RegressionSetting& one :
         {RegressionSetting{0.5, 0.5, 1, 0.3}, RegressionSetting{2, 0.7, 1.5, 0},
          RegressionSetting{1, 0.5, 1, 0.2}, RegressionSetting{0.9, 1, 1, 1}}) {
        // In the eigenvalue itself.
        const double al = one.load, w = squared(one.weight) + squared(one.start);
        for (const double t : {0.5, 2.0, 20.0}) {
            const double value =
                std::min(1.0, al) * over_noise(
                                        [&](double x) {
                                            const double l = x * x;
                                            return w * std::exp(-2 * l * t) +
                                                   squared(one.noise * (1 - std::exp(-l * t))) / l;
                                        },
                                        al) +
                std::max(0.0, 1 - al) * w;
            CHECK(regression_error(one, single(t))(0) == Approx(value).epsilon(1e-9));
        }
        if (al != 1)
            CHECK(regression_error(one, single(1e5))(0) ==
                  Approx(late_regression_error(one)).epsilon(1e-8));
        const Minimum best = best_regression_time(one);
        const Vector grid = Vector::LinSpaced(4000, 0, 3 * best.at);
        const double least = regression_error(one, grid).minCoeff();
        CHECK(best.value <= least + 1e-12);
        CHECK(best.value > least - 1e-5);
        // Simulated.
        const Vector few = (Vector(3) << 0, best.at, 5 * best.at).finished();
        Matrix repeats(10, 3);
        for (Index r = 0; r < 10; ++r)
            repeats.row(r) = simulate_regression(one, 200, few, 1, r).transpose();
        const RepeatSummary summary = summarise_repeats(repeats, regression_error(one, few));
        for (Index t = 0; t < 3; ++t) CHECK(std::abs(summary.z(t)) < 4);
    }
    // One eigenmode: the derivative of its error vanishes at its best time.
    const double l = 0.7, h = 1e-4, best = best_eigenmode_time(s, l);
    const auto mode = [&](double t) {
        return std::exp(-2 * l * t) + 0.25 / l * squared(1 - std::exp(-l * t));
    };
    CHECK(std::abs(mode(best + h) - mode(best - h)) < 1e-10);
    CHECK_THROWS_AS(regression_error({0, 1, 1, 0}, times), Error);
}

TEST_CASE("settings that make no sense are refused", "[lindyn]") {
    CHECK_THROWS_AS(theory_of(setting_of({})), Error);
    CHECK_THROWS_AS(theory_of(setting_of({2, 3})), Error);
    CHECK_THROWS_AS(theory_of(setting_of({2, 0})), Error);
    CHECK_THROWS_AS(theory_of(setting_of({2}, 0)), Error);
    Setting s = setting_of({2});
    s.student.start = 0;
    CHECK_THROWS_AS(theory_of(s), Error);
    s = setting_of({3, 2});
    s.samples = 1;
    CHECK_THROWS_AS(theory_of(s), Error);
}

TEST_CASE("errors over time do not depend on threads", "[lindyn]") {
    const ErrorModel model = theory_of(setting_of({4, 2})).model;
    const Vector times = Vector::LinSpaced(1000, 0, 8);
    Execution many;
    many.threads = 5;
    const ErrorCurves one = error_curves(model, times, {}), five = error_curves(model, times, many);
    CHECK(one.test == five.test);
    CHECK(one.train == five.train);
}

TEST_CASE("shards of pairs join to all pairs and no other", "[lindyn]") {
    const auto part = [](Index index, std::map<Index, TransferDraw> draws) {
        TransferStudy study;
        study.repeats = 3;
        study.part = {index, 2};
        study.draws = std::move(draws);
        return study;
    };
    const TransferStudy first = part(1, {{0, {0.1, 0, 0}}, {2, {0.3, 0, 0}}});
    const TransferStudy whole = merge_transfers({first, part(2, {{1, {0.2, 0, 0}}})});
    REQUIRE(whole.draws.size() == 3);
    for (Index pair = 0; pair < 3; ++pair)
        CHECK(std::abs(whole.draws.at(pair).benefit - 0.1 * static_cast<double>(pair + 1)) < 1e-15);
    using Catch::Matchers::Contains;
    CHECK_THROWS_WITH(merge_transfers({first, part(2, {})}), Contains("pair 1 of 3"));
    CHECK_THROWS_WITH(merge_transfers({first, part(2, {{2, {}}})}), Contains("pair 2 is in two"));
    // Numbers that a file states and the study does not have would be written beside its arrays.
    for (const Index stray : {Index{3}, Index{1000000}, Index{-1}})
        CHECK_THROWS_WITH(merge_transfers({first, part(2, {{1, {}}, {stray, {}}})}),
                          Contains(concat("pair ", stray, " is none of the 3")));
}
