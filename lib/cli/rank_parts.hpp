// A sharded subcommand on several ranks (core/ranks.hpp): each rank does one part, rank 0 joins
// them as `merge` does.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/cli/terminal.hpp>
#include <assay/core/export.hpp>
#include <assay/hdf5/stream.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace assay::cli {

// A folder in $TMPDIR for what lives as long as this does; one that a killed process left is
// removed by the next.
class ScratchFolder {
  public:
    ScratchFolder();
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] std::string content(const std::string& name) const;

  private:
    std::string path_;
    hdf5::Descriptor lock_; // tells that the folder is in use
};

// How a rank's part is asked for: part rank + 1 of as many as there are ranks, in a file of its
// own, with its resumable state in a folder of its own below `state`, that of the whole; none where
// this is empty. Throws UsageError where --shard is given too.
[[nodiscard]] SharedOptions options_of_part(const SharedOptions& whole, const std::string& output,
                                            const std::string& state);
// The state of one part of work that was divided into so many; 1: of one process.
struct DividedState {
    std::string path;
    std::int64_t parts = 1;
};
// Those in a folder: files NAME-I-of-N.h5 and NAME.h5; where `name` is empty, folders I-of-N and
// whatever files there are.
[[nodiscard]] ASSAY_API std::vector<DividedState> divided_states(const std::string& directory,
                                                                 const std::string& name);
// For --resume: throws Error where there are some, but none of so many parts.
ASSAY_API void check_divided_states(const std::string& directory, const std::string& name,
                                    int parts);
// The folders I-of-N, and the whole where nothing else is in it.
void remove_states_of_parts(const std::string& directory);

// Does `work`, tells all ranks how it went, and returns what the ranks made, in their order (at
// rank 0). Where parts failed, every rank throws the error of the first of them; an interruption
// comes before errors. Warnings of all parts go to `monitor`.
[[nodiscard]] std::vector<std::string> done_by_all(const std::function<std::string()>& work,
                                                   TerminalMonitor& monitor);

} // namespace assay::cli
