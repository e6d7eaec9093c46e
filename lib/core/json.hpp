// JSON values under short names; sources that read or write them include <nlohmann/json.hpp>.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace assay {

using Json = nlohmann::json;                // keys in alphabetical order
using OrderedJson = nlohmann::ordered_json; // keys in the order in which they were added

} // namespace assay
