// Which motifs are more than chance, on data that did not shape them: skewness of the overlap of
// motif and data against motifs whose rows are shifted in time independently (Mackevicius et al.
// 2019, with the exact permutation p-value).
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/cnmf/nulls.hpp>
#include <assay/core/export.hpp>

#include <cstdint>
#include <vector>

namespace assay::cnmf {

struct SignificanceOptions {
    double alpha = 0.05;
    Index nulls = 0; // per component; 0: 2 ceil(K / alpha)
    std::uint64_t seed = 0;
};

struct Significance {
    Vector skewness; // K
    Matrix null;     // K x nulls
    Vector p;        // (1 + #{null >= observed}) / (1 + nulls); 1 where degenerate
    std::vector<bool>
        degenerate; // no weight, or one unit holds more than 99.9 % of the squared weight
    std::vector<bool> significant; // p <= alpha / testable components (Bonferroni)
    Index testable = 0;
};

// Draws run component by component.
[[nodiscard]] ASSAY_API Significance significance(const Data& test_data, const Model& model,
                                                  const SignificanceOptions& options,
                                                  const Execution& run,
                                                  const NullControl& control = {});
// m3 / m2^1.5 with population moments; 0 for a constant.
[[nodiscard]] ASSAY_API double skewness(const Eigen::Ref<const Vector>& values);

} // namespace assay::cnmf
