// Fits and other decompositions as inputs, and the truths that go with them.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/tensor_amp/alignment.hpp>
#include <assay/tensor_amp/fit_result.hpp>
#include <assay/tensor_amp/truth.hpp>

#include <optional>
#include <string>

namespace tensor_amp_app {

// /tensor_amp/fit of an input, or the group that its address names. Throws Error where there is
// none.
assay::tensor_amp::FitResult input_fit(assay::cli::Context& context, std::size_t index = 0);
// The same, or where a file has no fit its truth; or any group with factors.
assay::tensor_amp::FitResult input_components(assay::cli::Context& context, std::size_t index);

std::optional<assay::tensor_amp::Truth> truth_in(const assay::hdf5::Group& root);

// How components are compared, --score and --scales.
struct ScoreOptions {
    assay::tensor_amp::SimilarityScore score = assay::tensor_amp::SimilarityScore::product;
    std::string scales = "auto";
};
void declare_score(assay::cli::Command& c, ScoreOptions& o);
[[nodiscard]] assay::tensor_amp::ScaleGauge scale_gauge(const assay::tensor_amp::FitResult& fit,
                                                        const ScoreOptions& o);
// Compares with the truth; throws Error where it is of another shape.
assay::tensor_amp::TruthComparison against_truth(const assay::tensor_amp::FitResult& fit,
                                                 const assay::tensor_amp::Truth& truth,
                                                 const ScoreOptions& o);
void report_truth(assay::cli::Context& context,
                  const assay::tensor_amp::TruthComparison& comparison);

} // namespace tensor_amp_app
