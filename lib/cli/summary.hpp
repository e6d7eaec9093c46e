// The summary of a run as JSON (--json).
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/cli/terminal.hpp>

#include <string>
#include <vector>

namespace assay::cli {

[[nodiscard]] double cpu_seconds();

// Throws where `target` may not become the summary: UsageError where it is one of `files` (inputs,
// outputs, configuration), Error where it exists and is no summary of a former run (unless
// `existing` says replace) or its folder is no place for a file.
void check_summary_target(const std::string& target, const std::vector<std::string>& files,
                          hdf5::Existing existing);

struct SummaryFacts {
    std::string tool;
    std::string status;
    std::string output;
    double elapsed_s = 0;
};
// `context` adds inputs and results; it may be null.
void write_summary(const std::string& target, const SummaryFacts& facts, const Context* context,
                   const TerminalMonitor& monitor);

} // namespace assay::cli
