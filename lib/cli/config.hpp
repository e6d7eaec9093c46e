// Options from a JSON file, and the resolved options as JSON.
#pragma once

#include <assay/cli/command.hpp>

#include <string>
#include <vector>

namespace assay::cli {

// Sets every option that `file` names and `given` (long names from the command line) does not. Keys
// are long names without dashes, flat or nested under the subcommand's name. Throws UsageError for
// unknown or doubled keys, values of the wrong kind, malformed JSON.
void apply_config(const std::string& file, Declaration& declaration,
                  const std::vector<std::string>& given);

enum class ConfigScope { everything, results_only };

// All options and their values as a JSON object; results_only leaves out what does not change
// results.
[[nodiscard]] std::string resolved_config(const Declaration& declaration, ConfigScope scope);

} // namespace assay::cli
