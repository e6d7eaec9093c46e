// Options from a JSON file, and the resolved options as JSON.
#pragma once

#include <assay/cli/command.hpp>

#include <string>
#include <vector>

namespace assay::cli {

// Sets every option that `file` names and `given` (long names from the command line) does not, and
// returns the long names of those the file gives. Keys are names without dashes, flat or nested
// under the subcommand's name; sections of the tool's other `subcommands` are passed over, and null
// means the default. A document that the command takes is handed over instead. Throws UsageError
// for unknown keys, options given twice, values of the wrong kind, malformed JSON.
std::vector<std::string> apply_config(const std::string& file, Declaration& declaration,
                                      const std::vector<std::string>& subcommands,
                                      const std::vector<std::string>& given);

enum class ConfigScope { everything, results_only };

// The options that have a value as a JSON object that apply_config accepts. Left out are those that
// an option of `given` (long names) excludes, and defaults that exclude each other; results_only
// also leaves out what does not change results.
[[nodiscard]] std::string resolved_config(const Declaration& declaration, ConfigScope scope,
                                          const std::vector<std::string>& given);

} // namespace assay::cli
