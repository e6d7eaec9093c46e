// What a scheduler or container grants this process of the machine's memory.
#pragma once

#include <assay/core/export.hpp>

#include <string>

namespace assay {

// The least memory limit of control groups (version 1 or 2) mounted at `mount`, from the group that
// the file `own` names to the top; infinite where there is none.
[[nodiscard]] ASSAY_API double group_memory(const std::string& mount, const std::string& own);
} // namespace assay
