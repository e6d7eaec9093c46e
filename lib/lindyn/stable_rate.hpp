// The largest learning rate of gradient descent on a problem whose modes may not all be known.
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/problem.hpp>

namespace assay::lindyn {

struct StableRate {
    double value = 0;     // NaN: not known
    bool complete = true; // false: no larger rate converges, but modes that were not found may need
                          // a smaller one
};
// stable_rate of predict.hpp with what it rests on. Modes that were not found matter to networks of
// two layers and more on inputs that are not white: all are found here where the data's
// correlations are at hand and at most 1000 x N. O(K^2 D), and where inputs are not white
// O(N1^3 + N1 N3 min(N1, N3)).
[[nodiscard]] ASSAY_API StableRate find_stable_rate(const Problem& problem, int depth);

} // namespace assay::lindyn
