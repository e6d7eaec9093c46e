#include <assay/cli/rank_parts.hpp>

#include <assay/cli/machine.hpp>
#include <assay/core/error.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>

#include <fcntl.h>
#include <sys/file.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

std::string state_of_part(const std::string& state, int rank) {
    return concat(state, "/", rank + 1, "-of-", ranks::count());
}

// N of a name I-of-N.
std::optional<std::int64_t> count_of_parts(const std::string& name) {
    const auto middle = name.find("-of-");
    if (middle == std::string::npos || !parse_integer(name.substr(0, middle))) return std::nullopt;
    return parse_integer(name.substr(middle + 4));
}

constexpr const char* kScratch = "assay-rank-";

hdf5::Descriptor opened_folder(const std::string& path) {
    return hdf5::Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Scratch folders of ours that no process has locked.
void remove_abandoned(const std::string& directory) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        if (!starts_with(entry.path().filename().string(), kScratch)) continue;
        const hdf5::Descriptor folder = opened_folder(entry.path().string());
        if (folder.get() >= 0 && flock(folder.get(), LOCK_EX | LOCK_NB) == 0)
            fs::remove_all(entry.path(), ignored);
    }
}

} // namespace

ScratchFolder::ScratchFolder() {
    const std::string directory = stream_settings().spill_directory;
    remove_abandoned(directory);
    do { // again where another process took it for abandoned before it was locked
        path_ = directory + "/" + kScratch + "XXXXXX";
        if (mkdtemp(path_.data()) == nullptr)
            throw Error("TMPDIR=" + directory + ": no folder can be made there");
        lock_ = opened_folder(path_);
    } while (flock(lock_.get(), LOCK_EX) == 0 && !fs::exists(path_));
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

std::string ScratchFolder::content(const std::string& name) const {
    std::ifstream in(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

SharedOptions options_of_part(const SharedOptions& whole, const std::string& output,
                              const std::string& state) {
    if (!whole.shard.empty())
        throw UsageError("option '--shard': the ranks of mpirun divide the work already");
    SharedOptions part = whole;
    part.shard = concat(ranks::rank() + 1, "/", ranks::count());
    part.output = output;
    part.force = true;
    part.no_state = state.empty();
    if (!state.empty()) part.state = state_of_part(state, ranks::rank());
    return part;
}

std::vector<DividedState> divided_states(const std::string& directory, const std::string& name) {
    std::vector<DividedState> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        const fs::path& path = entry.path();
        std::optional<std::int64_t> count;
        if (name.empty())
            count = entry.is_directory(ignored) ? count_of_parts(path.filename().string())
                                                : std::optional<std::int64_t>(1);
        else if (path.filename() == name + ".h5")
            count = 1;
        else if (starts_with(path.stem().string(), name + "-") && path.extension() == ".h5")
            count = count_of_parts(path.stem().string().substr(name.size() + 1));
        if (count) found.push_back({path.string(), *count});
    }
    return found;
}

void check_divided_states(const std::string& directory, const std::string& name, int parts) {
    const auto found = divided_states(directory, name);
    for (const DividedState& state : found)
        if (state.parts == parts) return;
    if (found.empty()) return;
    const auto other = found.front().parts;
    throw Error(concat(directory, ": holds the state of ", other,
                       other == 1 ? " process" : " ranks", ", found ", parts,
                       "; the same number goes on with it, without --resume the "
                       "work starts anew"));
}

void remove_states_of_parts(const std::string& directory) {
    std::error_code ignored;
    bool removed = false;
    for (const DividedState& state : divided_states(directory, ""))
        if (fs::is_directory(state.path, ignored))
            removed = fs::remove_all(state.path, ignored) > 0 || removed;
    if (removed) fs::remove(directory, ignored); // where nothing else is in it
}

std::vector<std::string> done_by_all(const std::function<std::string()>& work,
                                     TerminalMonitor& monitor) {
    std::string made;
    const ranks::Report mine = ranks::report_of([&] { made = work(); });
    standard_input().pass_over();
    const auto warnings = ranks::gather(join(monitor.warnings(), "\n"));
    static_cast<void>(ranks::from_first([&] {
        for (const auto& warning : split(join(warnings, "\n"), '\n'))
            if (!warning.empty()) monitor.warn(warning);
        return std::string();
    }));
    const ranks::Together together;
    ranks::raise_any(mine);
    return ranks::gather(made);
}

} // namespace assay::cli
