// Internal to lib/formats: the architecture of a recurrent network from its arrays alone: a stack
// of cells, and a readout where the only other layer fits it.
#pragma once

#include <assay/formats/stored_layers.hpp>

#include <string>
#include <vector>

namespace assay::formats {

// Sets opened.model. False where there is no recurrent layer, or several that form no stack.
[[nodiscard]] bool build_recurrent(const std::vector<StoredLayer>& layers, const std::string& where,
                                   const ModelOptions& options, OpenedModel& opened);

} // namespace assay::formats
