// Options that generalize, transfer and regress share: grids of parameters, sizes, vectors.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/core/recording.hpp>
#include <assay/lindyn/generalization_study.hpp>

#include <string>
#include <vector>

namespace lindyn_app {

// "NAME=a:b:n", "NAME=log:a:b:n" or "NAME=a,b,c" of --sweep; NAME is one of `known`, each at most
// once.
std::vector<assay::lindyn::SweepAxis> parse_sweeps(const std::vector<std::string>& texts,
                                                   const std::vector<std::string>& known);
// Exactly three sizes; `names` says which.
void check_sizes(const std::vector<assay::Index>& sizes, const std::string& names);
assay::Vector to_vector(const std::vector<double>& values);

} // namespace lindyn_app
