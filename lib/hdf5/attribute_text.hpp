// Attributes as messages show them and as merges compare them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <string>

namespace assay::hdf5 {

// The text, the number or the numbers "1,2,3" of an attribute; empty where there is none.
[[nodiscard]] ASSAY_API std::string attribute_text(const Object& object, const std::string& name);

} // namespace assay::hdf5
