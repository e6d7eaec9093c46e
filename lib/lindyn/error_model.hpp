// Training and test error of a deep linear network whose modes grow independently of each other
// (Lampinen and Ganguli 2019, arXiv 1809.10374): sums over modes of a polynomial of their strengths
// a(t). With Sx = d I, targets Y and a teacher W*,
//   test(t)  = [ |W*|^2 + sum_i count_i (square_i a_i^2 - 2 cross_i a_i) ] / |W*|^2
//   train(t) = [ unlearned + d sum_i count_i (a_i - s_i/d)^2 ] / |Y|^2.
// Signals have count 1; the noise is either the data's own modes or nodes of a quadrature over the
// bulk (quadrature.hpp), each with its share of the modes. Where the data and the teacher are known
// the sums are exact: square = 1, cross = u^T W* v. generalization.hpp and transfer.hpp fill them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>
#include <assay/lindyn/scalar_search.hpp>

#include <limits>

namespace assay::lindyn {

// How the network that learns is made.
struct Student {
    double start = 1e-5; // strength of every mode at time 0
    int depth = 2;       // weight matrices
    Index hidden = 0;    // smallest hidden width; 0: no limit. The first modes are learned
};

struct ErrorModel {
    Vector s;             // singular values of Syx that are learned
    Vector count;         // modes that each stands for
    Vector square, cross; // coefficients of a^2 and of -2a in the test error
    double d = 1;         // input variance
    double start = 1e-5;
    int depth = 2;
    double teacher_power = 1; // |W*|^2
    double unlearned = 0;     // part of |Y|^2 that stays, and modes beyond the hidden width
    double target_power = 1;  // |Y|^2

    [[nodiscard]] Index size() const { return s.size(); }
};

struct ErrorCurves {
    Vector train, test;
};
// At `times` (ascending, >= 0, in tau). About 3 ns a mode and time for depth 1 and 2, 0.3 us
// beyond; blocks of times on several threads, whose number does not change the bits.
[[nodiscard]] ASSAY_API ErrorCurves error_curves(const ErrorModel& model, const Vector& times,
                                                 const Execution& run);
[[nodiscard]] ASSAY_API double test_error(const ErrorModel& model, double time);
// Test error for t -> infinity.
[[nodiscard]] ASSAY_API double late_error(const ErrorModel& model);

// Rising times up to `horizon` among which the least test error is looked for: 400 from 0.1 of the
// earliest to 3 times the latest half time of the modes that help, 0, the half times and the times
// at which single modes are best.
[[nodiscard]] ASSAY_API Vector search_times(const ErrorModel& model, double horizon);
// The earliest least test error, at a time up to `horizon`: Brent's method around every local
// minimum among the search times.
[[nodiscard]] ASSAY_API Minimum
optimal_stopping(const ErrorModel& model, const Execution& run,
                 double horizon = std::numeric_limits<double>::infinity());

// The least test error that any strengths of these modes give, sum over modes that help of
// -cross^2/square: what shrinkage of singular values reaches where the noise is known.
[[nodiscard]] ASSAY_API double non_gradient_error(const ErrorModel& model);

// `count` times from 0 to 1.5 times the latest half time of the modes that help and of the average
// noise.
[[nodiscard]] ASSAY_API Vector usual_times(const ErrorModel& model, Index count = 500);

// Nodes of the bulk that resolve the learning of noise up to `latest`: modes whose values differ by
// about 1/(depth latest) are learned one after the other. 128 to 1024.
[[nodiscard]] ASSAY_API Index nodes_for(int depth, double latest);

} // namespace assay::lindyn
