// Shape, rank and priors of a model, as all subcommands ask for them.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/tensor_amp/parameter_grid.hpp>

#include <string>
#include <vector>

namespace tensor_amp_app {

struct PriorOptions {
    std::string prior = "gauss:mean=0,var=1";
    std::vector<std::string> modes; // "K=TEXT", modes from 0
};

// --prior and --prior-mode, under the heading that is open.
void declare_priors(assay::cli::Command& c, PriorOptions& o);
// One text a mode, which may be called by a name. Throws UsageError for what is no K=TEXT, a mode
// that does not exist, and a mode given twice.
std::vector<std::string> prior_texts(const PriorOptions& o, assay::tensor_amp::Index order,
                                     const std::vector<std::string>& mode_names = {});
// Of each mode, whether its text says anything of parameters (gauss:var=9, not gauss).
std::vector<bool> parameters_given(const PriorOptions& o, assay::tensor_amp::Index order,
                                   const std::vector<std::string>& mode_names = {});
// One prior a mode. Throws UsageError that names the option, also for what a text says wrong.
std::vector<assay::tensor_amp::PriorPointer>
parse_priors(const PriorOptions& o, assay::tensor_amp::Index order, assay::tensor_amp::Index rank,
             const std::vector<std::string>& mode_names = {});
// The model in words; throws UsageError as parse_priors does.
assay::tensor_amp::ModelDescription
describe_model(const PriorOptions& o, const std::vector<assay::tensor_amp::Index>& shape,
               assay::tensor_amp::Index rank);
// Notes the files of discrete priors as inputs: their content belongs to a result as options do.
void note_prior_files(assay::cli::Context& context, const std::vector<std::string>& texts);

// --shape: 2 to 8 dimensions; throws UsageError for any other number of them.
void check_order(const std::vector<assay::tensor_amp::Index>& shape);

} // namespace tensor_amp_app
