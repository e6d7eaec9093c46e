// Corners of the ranges of the specification: extreme strengths, starts, times, aspects, loads and
// alignments, and points where formulas divide 0 by 0 (thresholds, square matrices, equal layers).
// Every number must be finite, and within the bounds that hold for it whatever the setting.
#include <assay/lindyn/coherence.hpp>
#include <assay/lindyn/exact_solution.hpp>
#include <assay/lindyn/generalization.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/regression.hpp>
#include <assay/lindyn/students.hpp>
#include <assay/lindyn/transfer.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>

using namespace assay;
using namespace assay::lindyn;

namespace {

const std::initializer_list<double> kStrengths{1e-8, 1e-3, 0.3, 1, 10, 1e4};
const std::initializer_list<double> kAspects{0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 1, 1.01, 1.05, 2, 20};

// From the first instant to long after everything.
Vector all_times() {
    return (Vector(12) << 0, 1e-12, 1e-6, 1e-3, 0.1, 1, 3, 10, 40, 200, 1e5, 1e12).finished();
}

// Finite, between `low` and `high` but for rounding, and never back by more than that.
void check_growth(const Vector& curve, double start, double end) {
    const double room = 1e-9 * std::max(std::abs(start), std::abs(end));
    REQUIRE(curve.allFinite());
    REQUIRE(curve.minCoeff() >= std::min(start, end) - room);
    REQUIRE(curve.maxCoeff() <= std::max(start, end) + room);
    const double direction = end >= start ? 1 : -1;
    for (Index i = 1; i < curve.size(); ++i)
        REQUIRE(direction * (curve(i) - curve(i - 1)) >= -room);
}

// Errors are at least 0 and the optimum is no worse than any time.
void check_errors(const ErrorModel& model) {
    const ErrorCurves curves = error_curves(model, all_times(), {});
    REQUIRE(curves.test.allFinite());
    REQUIRE(curves.train.allFinite());
    REQUIRE(curves.train.minCoeff() >= -1e-9);
    const double least = curves.test.minCoeff();
    REQUIRE(least >= -1e-9);
    const Minimum best = optimal_stopping(model, {});
    REQUIRE(std::isfinite(best.at));
    REQUIRE(best.value <= least + 1e-9);
    REQUIRE(std::isfinite(late_error(model)));
    REQUIRE(non_gradient_error(model) <= best.value + 1e-9);
    const Vector times = usual_times(model, 20);
    REQUIRE(times.allFinite());
    REQUIRE(times(19) > 0);
}

Matrix drawn(Index rows, Index columns, double scale, Index number) {
    return random_noise(rows, columns, scale, 3, number, "test/corners");
}

} // namespace

TEST_CASE("curves of modes at the corners of their ranges", "[lindyn]") {
    for (const int depth : {1, 2, 3, 4, 5, 8, 20})
        for (const double s : kStrengths)
            for (const double d : {1e-4, 1.0, 1e4})
                for (const double share : {1e-200, 1e-12, 1e-5, 0.09, 0.4, 1 - 1e-12, 1.0, 3.0}) {
                    ModeLaw law{s, d, share * s / d, depth};
                    if (depth >= 3 && share >= 1) continue; // not within the preconditions
                    INFO(depth << " " << s << " " << d << " " << share);
                    check_growth(mode_curve(law, all_times()), law.start, law.end());
                    for (const double fraction : {0.1, 0.5, 0.9})
                        CHECK(std::isnan(time_to_reach(law, fraction)) == (share > fraction));
                    if (depth > 2) continue;
                    for (const double decay : {1e-9, 0.5, 1.0, 2.0}) {
                        law.decay = decay * s;
                        const double end = law.end();
                        INFO(decay);
                        check_growth(mode_curve(law, all_times()), law.start, end);
                    }
                }
    // A mode without correlation decays, or stays.
    for (const double d : {1e-4, 1.0, 1e4})
        for (const int depth : {1, 2})
            check_growth(mode_curve(ModeLaw{0, d, 0.5, depth}, all_times()), 0.5, 0);
}

TEST_CASE("curves of unequal layers at the corners of their ranges", "[lindyn]") {
    for (const double s : kStrengths)
        for (const double d : {1e-4, 1.0, 1e4})
            for (const double first : {0.0, 1e-150, 1e-6, 0.1, 1.0, 100.0})
                for (const double second : {0.0, 1e-150, -1e-6, 1e-6, -0.1, 0.1, -1.0, 1.0}) {
                    INFO(s << " " << d << " " << first << " " << second);
                    const Vector curve =
                        mode_curve(UnbalancedLaw{s, d, first, second, 1}, all_times());
                    REQUIRE(curve.allFinite());
                    const double start = first * second, end = s / d;
                    const double room = 1e-9 * std::max(std::abs(start), end) +
                                        1e-15 * (first * first + second * second);
                    CHECK(curve.minCoeff() >= std::min(start, 0.0) - room);
                    CHECK(curve.maxCoeff() <= std::max(start, end) + room);
                    CHECK(std::abs(curve(0) - start) <= room);
                }
}

TEST_CASE("the exact solution at the corners of its ranges", "[lindyn]") {
    struct Shape {
        Index n1, n2, n3;
    };
    for (const Shape shape : {Shape{1, 1, 1}, Shape{6, 2, 3}, Shape{3, 7, 6}, Shape{5, 5, 5}})
        for (const double scale : {1e-6, 1.0, 1e4})
            for (const double start : {1e-12, 1e-3, 1.0})
                for (const double unbalanced : {1.0, 1e-3, 30.0}) {
                    INFO(shape.n1 << " " << shape.n2 << " " << shape.n3 << " " << scale << " "
                                  << start << " " << unbalanced);
                    Matrix syx = drawn(shape.n3, shape.n1, scale, 0);
                    if (shape.n3 > 1) syx.row(0).setZero(); // not of full rank
                    const Matrix first = drawn(shape.n2, shape.n1, start, 1),
                                 second = drawn(shape.n3, shape.n2, start * unbalanced, 2);
                    ExactSolution solution(syx, 2, first, second);
                    const double fastest = scale + std::pow(start * std::max(1.0, unbalanced), 2);
                    CHECK(std::isfinite(solution.expected_error()));
                    for (const double time : {0.0, 1e-9, 1e-3, 1.0, 300.0}) {
                        solution.advance(time / fastest);
                        REQUIRE(solution.map().allFinite());
                        REQUIRE(solution.input_gram().allFinite());
                        REQUIRE(solution.output_gram().allFinite());
                    }
                }
}

TEST_CASE("what noise does to modes at the corners of its ranges", "[lindyn]") {
    for (const double aspect : kAspects) {
        const double threshold = std::pow(aspect, 0.25), edge = 1 + std::sqrt(aspect);
        for (const double value :
             {0.0, 1e-300, 1e-3, threshold * (1 - 1e-15), threshold, threshold * (1 + 1e-15),
              threshold * (1 + 1e-6), 3 * threshold, 1e3, 1e60}) {
            INFO(aspect << " " << value);
            const double seen = observed_value(value, aspect);
            CHECK(seen >= edge * (1 - 1e-14));
            CHECK(std::isfinite(seen));
            const Overlaps o = squared_overlaps(value, aspect);
            CHECK((o.output >= 0 && o.output <= 1));
            CHECK((o.input >= 0 && o.input <= 1));
            CHECK(std::isfinite(teacher_value(seen, aspect)));
            for (const auto loss :
                 {ShrinkageLoss::frobenius, ShrinkageLoss::operator_norm, ShrinkageLoss::nuclear}) {
                const double kept = shrunk_value(seen, aspect, loss);
                CHECK((kept >= 0 && kept <= seen));
            }
        }
        CHECK(bulk_median(aspect) > std::abs(1 - std::sqrt(aspect)));
        for (const double share : {1e-6, 0.3, 1.0}) {
            const Rule bulk = noise_bulk(aspect, kUsualNodes, share);
            CHECK(bulk.node.allFinite());
            CHECK(bulk.weight.minCoeff() >= 0);
            CHECK(std::abs(bulk.weight.sum() - 1) < 1e-10);
        }
    }
}

TEST_CASE("errors over time at the corners of their ranges", "[lindyn]") {
    const Index n1 = 100;
    for (const double aspect : {0.01, 0.5, 1.0, 1.01})
        for (const Index samples : {Index{1}, Index{99}, n1, Index{10000}})
            for (const int depth : {1, 2, 4})
                for (const double snr : {1e-6, 1.0, 1e4})
                    for (const Index hidden : {Index{0}, Index{1}}) {
                        if (depth > 2 && samples != n1) continue; // 100 times the cost
                        INFO(aspect << " " << samples << " " << depth << " " << snr << " "
                                    << hidden);
                        Setting s;
                        s.inputs = n1;
                        s.outputs = static_cast<Index>(std::lround(aspect * 100));
                        s.samples = samples;
                        s.teacher = Vector::Constant(1, snr * std::pow(aspect, 0.25));
                        s.student = {1e-5, depth, hidden};
                        check_errors(theory_of(s).model);
                    }
    for (const double start : {1e-100, 1e-12, 1e-2}) {
        Setting s;
        s.teacher = (Vector(3) << 6, 4, 2).finished();
        s.student.start = start;
        INFO(start);
        check_errors(theory_of(s).model);
        s.randomized = true;
        check_errors(theory_of(s).model);
    }
}

TEST_CASE("transfer at the corners of its ranges", "[lindyn]") {
    for (const double a : {1e-3, std::pow(0.5, 0.25), 1.0, 3.0, 1e3})
        for (const double b : {1e-3, 1.0, 3.0, 1e3})
            for (const double q : {-1.0, -0.5, 0.0, 1e-9, 1 - 1e-12, 1.0}) {
                INFO(a << " " << b << " " << q);
                TransferSetting s;
                s.a = Vector::Constant(1, a);
                s.b = Vector::Constant(1, b);
                s.alignment = Matrix::Constant(1, 1, q);
                const Transfer t = transfer(s);
                // What nothing improves on is the start, all 100 modes of it.
                const double start = 1 + 100 * std::pow(s.student.start / a, 2) + 1e-9;
                CHECK((t.alone.value >= 0 && t.alone.value <= start));
                CHECK((t.joint.value >= 0 && t.joint.value <= start));
                CHECK((t.shrunk_alone >= 0 && t.shrunk_alone <= t.alone.value + 1e-9));
                CHECK((t.shrunk_joint >= 0 && t.shrunk_joint <= t.joint.value + 1e-9));
            }
}

TEST_CASE("regression and coherence at the corners of their ranges", "[lindyn]") {
    for (const double load : {1e-3, 0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0, 1e3})
        for (const double noise : {0.0, 1e-100, 0.5})
            for (const double start : {0.0, 1.0}) {
                INFO(load << " " << noise << " " << start);
                const RegressionSetting s{load, noise, 1, start};
                const Vector error = regression_error(s, all_times());
                CHECK(error.allFinite());
                CHECK(error.minCoeff() >= 0);
                const Minimum best = best_regression_time(s);
                CHECK(!std::isnan(best.at));
                CHECK(best.value <= error.minCoeff() * (1 + 1e-9) + 1e-300);
                CHECK(!std::isnan(late_regression_error(s)));
                CHECK(usual_times(s, 10).allFinite());
            }
    for (const double background : {1e-9, 0.2, 0.5, 1 - 1e-9})
        for (const double probability : {0.0, 0.2, 0.5, 1.0})
            for (const double items : {1.0, 1000.0}) {
                INFO(background << " " << probability << " " << items);
                const Coherence c = predict_coherence({1, 1, probability}, background, items, 1600);
                CHECK(std::isfinite(c.snr));
                CHECK(std::isfinite(c.strength));
                CHECK(std::isfinite(c.singular_value));
                CHECK((c.overlap_feature >= 0 && c.overlap_feature <= 1));
                CHECK((c.overlap_item >= 0 && c.overlap_item <= 1));
            }
}
