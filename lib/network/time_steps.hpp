// Networks that walk along sequences, and how many steps those have.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/model.hpp>

#include <string>

namespace assay::network {

// The architecture for inputs of shape `input` where they differ from its own in the number of time
// steps alone and no parameter's shape depends on that number; else as it is. Throws Error for a
// wrong architecture.
[[nodiscard]] ASSAY_API std::string with_steps_of(const std::string& architecture,
                                                  const Shape& input);

} // namespace assay::network
