// Which arrays of a network the l2 penalty of a configuration is of.
#pragma once

#include <assay/network/penalty.hpp>

#include <string>
#include <utility>
#include <vector>

namespace assay::training {

// Of globs and strengths: a glob with a slash names arrays, "layer/array"; one without names
// layers, whose weights (kernels, recurrent and embedding matrices; no biases, gains or initial
// states) are meant. Throws Error where one matches nothing.
template <class S>
[[nodiscard]] std::vector<network::Penalty>
penalty_groups(const network::Network<S>& network,
               const std::vector<std::pair<std::string, double>>& l2);

} // namespace assay::training
