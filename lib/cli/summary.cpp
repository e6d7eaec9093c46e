#include <assay/cli/summary.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace assay::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Whether both names lead to one file or pipe.
bool same_file(const std::string& target, const std::string& file) {
    struct stat one {};
    struct stat other {};
    if (stat(target.c_str(), &one) == 0 && stat(file.c_str(), &other) == 0)
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
               (S_ISREG(one.st_mode) || S_ISFIFO(one.st_mode));
    std::error_code error;
    const auto path = fs::weakly_canonical(fs::absolute(target), error);
    return !error && path == fs::weakly_canonical(fs::absolute(file), error);
}

template <class Value>
json as_json(const Value& value) {
    if constexpr (std::is_same_v<Value, SummaryCounts>) {
        json object = json::object();
        for (const auto& [name, count] : value) object[name] = count;
        return object;
    } else {
        return value;
    }
}

bool is_summary(const std::string& file) {
    constexpr std::size_t kLimit = std::size_t{16} << 20U;
    std::ifstream in(file, std::ios::binary);
    std::string text(kLimit, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    const json parsed = json::parse(text, nullptr, false);
    return parsed.is_object() && parsed.contains("tool") && parsed.contains("version") &&
           parsed.contains("status");
}

} // namespace

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void check_summary_target(const std::string& target, const std::vector<std::string>& files,
                          hdf5::Existing existing) {
    for (const auto& file : files)
        if (target != "-" && same_file(target, file))
            throw UsageError("option '--json': " + printable(target, 120) +
                             " is also an input or output of this command");
    std::error_code ignored;
    const bool ours = fs::is_regular_file(target, ignored) && is_summary(target);
    hdf5::check_target(target, ours ? hdf5::Existing::replace : existing);
}

void write_summary(const std::string& target, const SummaryFacts& facts, const Context* context,
                   const TerminalMonitor& monitor) {
    json inputs = json::array(), result = json::object();
    if (context != nullptr) {
        for (const auto& [name, digest] : context->input_digests())
            inputs.push_back({{"path", name}, {"digest", digest}});
        for (const auto& line : context->summary()) {
            std::string key = line.label;
            std::replace(key.begin(), key.end(), ' ', '_');
            std::visit([&](const auto& value) { result[key] = as_json(value); }, line.value);
        }
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const json summary{{"tool", facts.tool},
                       {"version", ASSAY_VERSION},
                       {"status", facts.status},
                       {"input", inputs},
                       {"output", facts.output},
                       {"result", result},
                       {"warnings", monitor.warnings()},
                       {"time_s", facts.elapsed_s},
                       {"cpu_s", cpu_seconds()},
                       {"peak_rss_bytes", static_cast<std::int64_t>(usage.ru_maxrss) * 1024}};
    hdf5::write_file_atomically(target,
                                summary.dump(2, ' ', false, json::error_handler_t::replace) + "\n",
                                hdf5::Existing::replace);
}

} // namespace assay::cli
