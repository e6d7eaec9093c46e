// How message passing goes about a fit, as fit and sweep ask for it.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/tensor_amp/fit.hpp>

#include <string>

namespace tensor_amp_app {

// Throws UsageError: what was found at `option`, and what is expected.
[[noreturn]] void refuse(const std::string& option, const std::string& found,
                         const std::string& expected);

struct MessageOptions {
    std::string damping = "auto", gauge = "auto";
};
// --polish, --schedule, --damping, --gauge.
void declare_messages(assay::cli::Command& c, MessageOptions& o,
                      assay::tensor_amp::FitSettings& fit);
// What they say besides; throws UsageError for a damping outside (0, 1].
void read_messages(const MessageOptions& o, assay::tensor_amp::FitSettings& fit);

} // namespace tensor_amp_app
