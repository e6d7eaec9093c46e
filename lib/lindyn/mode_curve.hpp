// The dynamics of one input-output mode of a deep linear network in closed form (Saxe, McClelland,
// Ganguli 2014, arXiv 1312.6120, and 2019, arXiv 1810.10531): strength a(t) of a chain of `depth`
// scalar weights that all start equal (balanced, aligned with the data's modes), under gradient
// flow tau w_l' = (s - d a) prod_{k != l} w_k - decay w_l. Formulas in the order of depth:
//   1  a = q + (a0 - q) exp(-d t)
//   2  a = q / (1 + (q/a0 - 1) exp(-2 s t))
//   D  implicit, t = [H(y) - H(y0)] / (s q^{1-2/D}), y = (a/q)^{1/D}, q = s/d, with
//      H(y) = -y^{2-D}/(D-2) + integral_0^y z/(1-z^D) dz
// and for two layers that start unequal, in P = (w_1 + w_2)^2, whose equation is logistic. Times in
// units of tau = 1; `tau` scales them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <vector>

namespace assay::lindyn {

// Preconditions: s >= 0, d > 0 (where s > 0 and decay = 0; d = 0 grows without end), tau > 0,
// 1 <= depth, start > 0 for depth >= 2 (any for depth 1), and for depth >= 3 start < s/d and
// decay = 0.
struct ModeLaw {
    double s = 1;        // singular value of Syx
    double d = 1;        // input variance along the mode
    double start = 1e-3; // a(0)
    int depth = 2;       // number of weight matrices
    double tau = 1;
    double decay = 0; // gamma of the penalty (gamma/2) sum |W_l|^2; depth 1 and 2 only

    // Where a(t) ends: (s - decay)/d, or 0 where the decay wins; depth 1: s/(d + decay).
    [[nodiscard]] ASSAY_API double end() const;
};

// a(t) at `times` (ascending, >= 0) into `out` (as long). Relative accuracy 1e-12 or better; about
// 2 ns a value for depth 1 and 2, 0.3 us for depth >= 3.
ASSAY_API void mode_curve(const ModeLaw& law, const double* times, Index count, double* out);
[[nodiscard]] ASSAY_API Vector mode_curve(const ModeLaw& law, const Vector& times);
// One column a law (T x K), columns on several threads.
[[nodiscard]] ASSAY_API Matrix mode_curves(const std::vector<ModeLaw>& laws, const Vector& times,
                                           const Execution& run);

// When a(t) reaches `fraction` of its end. NaN where it starts beyond, infinity where it never
// does (s = 0 or the decay wins).
[[nodiscard]] ASSAY_API double time_to_reach(const ModeLaw& law, double fraction);

// Two layers of one mode that start unequal: weights `first` and `second`, any signs.
struct UnbalancedLaw {
    double s = 1, d = 1;
    double first = 0, second = 0; // w_1(0), w_2(0)
    double tau = 1;
};
// The product w_1 w_2 at `times` (ascending, >= 0); accurate to 1e-12 of s/d, also where the
// imbalance vanishes, and to the rounding of w_1(0)^2 + w_2(0)^2 where it is that large. A start at
// the saddle 0, or whose product is negative with |w_1| = |w_2|, ends at 0.
[[nodiscard]] ASSAY_API Vector mode_curve(const UnbalancedLaw& law, const Vector& times);
// As for equal layers; infinity too for starts that end at 0.
[[nodiscard]] ASSAY_API double time_to_reach(const UnbalancedLaw& law, double fraction);

// Gradient descent with steps of `rate` converges to strength q along a mode only below this rate:
// 2 / (depth d q^{2 - 2/depth}), the inverse curvature at the solution of balanced layers.
[[nodiscard]] ASSAY_API double stable_rate(double s, double d, int depth);

} // namespace assay::lindyn
