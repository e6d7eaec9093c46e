#include <assay/lindyn/stable_rate.hpp>

#include <assay/core/constants.hpp>
#include <assay/linalg/spectral_norm.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kMostCompleted = 1000; // inputs or outputs of data whose other modes are found too

double widest_variance(const Problem& problem) {
    const Statistics& s = problem.statistics;
    if (s.has_scalar_inputs()) return s.input_scale;
    if (s.formed() && problem.has_inputs) return linalg::largest_eigenvalue(s.sxx);
    // Where Sx is not at hand, what was found when it was; on the safe side.
    return problem.modes.widest.value + problem.modes.widest.residual;
}

} // namespace

StableRate find_stable_rate(const Problem& problem, int depth) {
    const double widest = widest_variance(problem);
    if (std::isnan(widest)) return {kNaN, false};
    const Statistics& s = problem.statistics;
    bool complete = problem.whole || depth == 1 || s.has_scalar_inputs();
    Modes all;
    if (!complete && s.formed() && problem.has_inputs &&
        std::min(s.inputs(), s.outputs()) <= kMostCompleted) {
        all = find_modes(s, {});
        complete = true;
    }
    const Modes& m = all.count() > 0 ? all : problem.modes;
    const auto curvature = [depth](double d, double q_output, double q_input) {
        double sum = 0;
        for (int l = 1; l <= depth; ++l)
            sum += std::pow(q_output, 2.0 * (depth - l) / depth) *
                   std::pow(q_input, 2.0 * (l - 1) / depth);
        return d * sum;
    };
    double largest = 0;
    for (Index k = 0; k < m.rank(); ++k) {
        largest = std::max(largest, curvature(widest, m.asymptote(k), 0));
        for (Index b = 0; b < m.rank(); ++b)
            largest =
                std::max(largest, curvature(m.input_variance(b), m.asymptote(k), m.asymptote(b)));
    }
    return {2 / largest, complete};
}

} // namespace assay::lindyn
