// Internal to lib/formats: the layers of a file matched to an architecture, by name or in order.
#pragma once

#include <assay/formats/stored_layers.hpp>

#include <string>
#include <vector>

namespace assay::formats {

// Sets opened.model: the architecture, completed where the file tells more (a second bias), and
// its parameters. Throws Error where layers or shapes do not fit.
void match_to_architecture(std::vector<StoredLayer> stored, const std::string& architecture,
                           const std::string& where, OpenedModel& opened);

} // namespace assay::formats
