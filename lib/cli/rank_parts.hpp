// A sharded subcommand on several ranks (core/ranks.hpp): each rank does one part, rank 0 joins
// them as `merge` does.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/cli/terminal.hpp>

#include <functional>
#include <string>
#include <vector>

namespace assay::cli {

// A folder for what lives as long as the run.
class ScratchFolder {
  public:
    ScratchFolder();
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// How a rank's part is asked for: part rank + 1 of as many as there are ranks, in a file of its
// own. Throws UsageError where
// --shard is given too.
[[nodiscard]] SharedOptions options_of_part(const SharedOptions& whole, const std::string& output);
// The same with its resumable state in a folder of its own below `state`, the state of the whole;
// and the end of all of these.
[[nodiscard]] SharedOptions with_state(SharedOptions part, const std::string& state);
void remove_states_of_parts(const std::string& state);

// Does `work`, tells all ranks how it went, and returns what the parts wrote to `output` (at rank
// 0). Where parts failed, every rank throws the error of the first of them; an interruption comes
// before errors. Warnings of all parts go to `monitor`.
[[nodiscard]] std::vector<std::string>
done_by_all(const std::function<void()>& work, const std::string& output, TerminalMonitor& monitor);

} // namespace assay::cli
