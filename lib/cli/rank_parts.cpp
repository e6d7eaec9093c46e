#include <assay/cli/rank_parts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/ranks.hpp>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

namespace assay::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string content_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string state_of_part(const std::string& state, int rank) {
    return concat(state, "/", rank + 1, "-of-", ranks::count());
}

enum class Outcome { done, interrupted, wrong_usage, failed };

struct Report {
    Outcome outcome = Outcome::done;
    std::string text;
};

Report report_of(const std::function<void()>& work) {
    try {
        work();
        return {};
    } catch (const UsageError& e) {
        return {Outcome::wrong_usage, e.what()};
    } catch (const Interrupted& e) {
        return {Outcome::interrupted, e.what()};
    } catch (const std::bad_alloc&) {
        return {Outcome::failed, "memory ran out"};
    } catch (const std::exception& e) {
        return {Outcome::failed, e.what()};
    }
}

void raise(const Report& report) {
    switch (report.outcome) {
    case Outcome::done:
        return;
    case Outcome::interrupted:
        throw Interrupted(report.text);
    case Outcome::wrong_usage:
        throw UsageError(report.text);
    default:
        throw Error(report.text);
    }
}

std::string packed(const Report& report, const std::vector<std::string>& warnings) {
    return json{{"outcome", report.outcome}, {"text", report.text}, {"warnings", warnings}}.dump(
        -1, ' ', false, json::error_handler_t::replace);
}

// An interruption first: what failed because of it says less.
Report first_failure(const std::vector<std::string>& reports, TerminalMonitor& monitor) {
    Report found;
    for (const auto& text : reports) {
        const json report = json::parse(text);
        for (const auto& warning : report.at("warnings")) monitor.warn(warning);
        const auto outcome = report.at("outcome").get<Outcome>();
        if (outcome == Outcome::done) continue;
        if (found.outcome == Outcome::done ||
            (outcome == Outcome::interrupted && found.outcome != Outcome::interrupted))
            found = {outcome, report.at("text")};
    }
    return found;
}

} // namespace

ScratchFolder::ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "assay-rank-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
        throw Error(fs::temp_directory_path().string() + ": no folder can be made there");
    path_ = name;
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

SharedOptions options_of_part(const SharedOptions& whole, const std::string& output) {
    if (!whole.shard.empty())
        throw UsageError("option '--shard': the ranks of mpirun divide the work already");
    SharedOptions part = whole;
    part.shard = concat(ranks::rank() + 1, "/", ranks::count());
    part.output = output;
    part.force = true;
    return part;
}

SharedOptions with_state(SharedOptions part, const std::string& state) {
    if (!state.empty()) part.state = state_of_part(state, ranks::rank());
    return part;
}

void remove_states_of_parts(const std::string& state) {
    if (state.empty()) return;
    std::error_code ignored;
    for (int r = 0; r < ranks::count(); ++r) fs::remove_all(state_of_part(state, r), ignored);
    fs::remove(state, ignored); // where nothing else is in it
}

std::vector<std::string> done_by_all(const std::function<void()>& work, const std::string& output,
                                     TerminalMonitor& monitor) {
    const Report mine = report_of(work);
    const auto reports = ranks::gather(packed(mine, monitor.warnings()));
    const std::string verdict =
        ranks::from_first([&] { return packed(first_failure(reports, monitor), {}); });
    const json said = json::parse(verdict);
    raise({said.at("outcome").get<Outcome>(), said.at("text")});
    return ranks::gather(content_of(output));
}

} // namespace assay::cli
