// Everything a person or program reads about a command, made from its declaration.
#pragma once

#include <assay/cli/command.hpp>

#include <string>

namespace assay::cli {

enum class HelpDetail { brief, full };

[[nodiscard]] std::string help_text(const Tool& tool, int width);
[[nodiscard]] std::string help_text(const Tool& tool, const Command& command, HelpDetail detail,
                                    int width);
// roff; `date` is the release's.
[[nodiscard]] std::string man_page(const Tool& tool);
[[nodiscard]] std::string man_page(const Tool& tool, const Command& command);
// shell: bash, zsh or fish. Throws UsageError for another.
[[nodiscard]] std::string completion_script(const Tool& tool, const std::string& shell);
// The declaration as JSON (share/schemas/command.json).
[[nodiscard]] std::string help_json(const Tool& tool);

} // namespace assay::cli
