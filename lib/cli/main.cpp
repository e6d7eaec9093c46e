// Parsing, shared options and exit statuses of every tool.
#include <assay/cli/command.hpp>
#include <assay/cli/config.hpp>
#include <assay/cli/context.hpp>
#include <assay/cli/documents.hpp>
#include <assay/cli/terminal.hpp>
#include <assay/core/digest.hpp>
#include <assay/core/interruption.hpp>
#include <assay/hdf5/provenance.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <new>

namespace assay::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kInterrupted = 75; // EX_TEMPFAIL: a scheduler may requeue

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// Cores of the affinity mask, cut down by a cgroup's quota.
int allowed_cores() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    int cores = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
    std::ifstream limit("/sys/fs/cgroup/cpu.max");
    double quota = 0, period = 0;
    if (limit >> quota >> period && period > 0 && quota > 0)
        cores = std::min(cores, std::max(1, static_cast<int>(quota / period)));
    return std::max(1, cores);
}

int default_threads() {
    const int cores = allowed_cores();
    for (const char* name : {"SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"})
        if (const auto value = parse_integer(environment(name)); value && *value >= 1)
            return static_cast<int>(std::min<std::int64_t>(*value, cores));
    return cores;
}

// I/N of an array job, counted from its smallest task.
std::string scheduler_shard() {
    const auto number = [](const char* name) { return parse_integer(environment(name)); };
    if (const auto id = number("SLURM_ARRAY_TASK_ID"), first = number("SLURM_ARRAY_TASK_MIN"),
        count = number("SLURM_ARRAY_TASK_COUNT");
        id && first && count)
        return concat(*id - *first + 1, "/", *count);
    if (const auto id = number("SGE_TASK_ID"), first = number("SGE_TASK_FIRST"),
        last = number("SGE_TASK_LAST");
        id && first && last)
        return concat(*id - *first + 1, "/", *last - *first + 1);
    return "";
}

hdf5::StreamSettings stream_settings() {
    hdf5::StreamSettings settings;
    if (const auto directory = environment("TMPDIR"); !directory.empty())
        settings.spill_directory = directory;
    return settings;
}

void add_shared_options(Command& command, SharedOptions& shared) {
    Declaration& d = command.declaration();
    const bool hdf5_output = d.output == OutputKind::hdf5 || d.output == OutputKind::hdf5_if_wanted;
    const auto here = [&] { return &d.options.back(); };
    if (d.output != OutputKind::none) {
        command.group("Output");
        command.option("-o,--output", shared.output, "OUTPUT", "result; - is stdout")
            .default_text(hdf5_output ? "stdout, in a pipe" : "stdout");
        here()->execution_only = true;
        command.flag("--force", shared.force, "replace an existing output");
        here()->execution_only = true;
    }
    if (hdf5_output) {
        command.option("--carry", shared.carry, "GROUPS",
                       "also copy data,run of the input to the output");
        command.choice<std::string>("--compress", shared.compress,
                                    {{"auto", "auto"}, {"none", "none"}, {"deflate", "deflate"}},
                                    "compression of arrays; auto: in files, where it pays");
        command.flag("--no-provenance", shared.no_provenance,
                     "leave out provenance and timings, so that equal runs give equal bytes");
        here()->execution_only = true;
    }
    if (d.resumable) {
        command.flag("--resume", shared.resume,
                     "go on from the state that an interrupted run left");
        here()->execution_only = true;
        command.option("--state", shared.state, "DIR", "folder of the resumable state")
            .default_text("OUTPUT.parts");
        here()->execution_only = true;
    }
    if (d.sharded) {
        command.option("--shard", shared.shard, "I/N", "do part I of N")
            .default_text("from the scheduler's array task, else 1/1");
        here()->execution_only = true;
    }
    command.group("Running");
    const std::size_t first = d.options.size();
    command.option("--threads", shared.threads, "N", "threads; results do not depend on it")
        .range(1, 4096)
        .default_text("what the scheduler or machine grants");
    command.option("--config", shared.config, "FILE.json",
                   "read options from a file; the command line wins");
    command.flag("--config-print", shared.config_print,
                 "print the resolved options as JSON and end");
    command.option("--json", shared.json, "FILE", "write the summary as JSON; - is stdout");
    command.flag("--strict", shared.strict, "treat warnings as errors");
    command.flag("--quiet", shared.quiet, "errors only");
    command.flag("-v,--verbose", shared.quiet,
                 "say what was decided; -vv: timings and library errors");
    OptionSpec& verbose = d.options.back();
    verbose.repeatable = true;
    int* const verbosity = &shared.verbosity;
    verbose.set = [verbosity](const std::string& text) {
        *verbosity = static_cast<int>(parse_integer(text).value_or(1));
    };
    verbose.show = [verbosity] { return std::to_string(*verbosity); };
    for (std::size_t i = first; i < d.options.size(); ++i) d.options[i].execution_only = true;
}

// Sets the options of `args` and returns the long names that were given.
std::vector<std::string> parse(const std::vector<std::string>& args, Declaration& d,
                               SharedOptions& shared) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::vector<std::vector<std::string>> values(d.options.size());
    std::vector<CLI::Option*> handles;
    for (std::size_t i = 0; i < d.options.size(); ++i) {
        const OptionSpec& spec = d.options[i];
        const std::string names = join(spec.names, ",");
        if (spec.is_flag())
            handles.push_back(app.add_flag(names));
        else
            handles.push_back(app.add_option(names, values[i])
                                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
                                  ->expected(1)
                                  ->allow_extra_args(false));
    }
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
    } catch (const CLI::ArgumentMismatch& e) {
        for (std::size_t i = 0; i < d.options.size(); ++i)
            if (starts_with(e.what(), d.options[i].long_name() + ":"))
                throw UsageError("option '" + d.options[i].long_name() +
                                 "': its value is missing; " + expected_text(d.options[i]) +
                                 " is expected");
        throw UsageError(e.what());
    } catch (const CLI::Error& e) {
        throw UsageError(e.what());
    }
    bool only_positionals = false;
    for (const auto& extra : app.remaining()) {
        if (extra == "--") {
            only_positionals = true;
            continue;
        }
        if (only_positionals || extra == "-" || !starts_with(extra, "-")) {
            if (d.input == InputKind::none || (d.input == InputKind::one && !shared.inputs.empty()))
                throw UsageError("unexpected argument '" + printable(extra, 60) + "'");
            shared.inputs.push_back(extra);
            continue;
        }
        std::vector<std::string> known;
        for (const auto& spec : d.options)
            known.insert(known.end(), spec.names.begin(), spec.names.end());
        const auto near = nearest_name(extra.substr(0, extra.find('=')), known);
        throw UsageError("unknown option '" + printable(extra, 60) + "'" +
                         (near ? "; did you mean '" + *near + "'?" : ""));
    }
    std::vector<std::string> given;
    for (std::size_t i = 0; i < d.options.size(); ++i) {
        if (handles[i]->count() == 0) continue;
        const OptionSpec& spec = d.options[i];
        given.push_back(spec.long_name());
        if (spec.repeatable)
            spec.set(std::to_string(handles[i]->count()));
        else if (spec.is_flag())
            spec.set(handles[i]->as<bool>() ? "true" : "false");
        else
            spec.set(values[i].back());
    }
    for (const auto& [one, other] : d.conflicts) {
        const auto has = [&, &given_names = given](const std::string& name) {
            return std::find(given_names.begin(), given_names.end(), name) != given_names.end();
        };
        if (has(one) && has(other))
            throw UsageError("options '" + one + "' and '" + other + "' exclude each other");
    }
    return given;
}

std::string now_iso8601() {
    std::time_t now = std::time(nullptr);
    if (const auto epoch = parse_integer(environment("SOURCE_DATE_EPOCH")))
        now = static_cast<std::time_t>(*epoch);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void write_json(const SharedOptions& shared, const Tool& tool, const Declaration& d,
                const Context* context, const TerminalMonitor& monitor, const std::string& status,
                double elapsed) {
    if (shared.json.empty()) return;
    using nlohmann::json;
    json inputs = json::array(), result = json::object();
    if (context != nullptr) {
        for (const auto& [name, digest] : context->input_digests())
            inputs.push_back({{"path", name}, {"digest", digest}});
        for (const auto& line : context->summary()) {
            std::string key = line.label;
            std::replace(key.begin(), key.end(), ' ', '_');
            std::visit([&](const auto& value) { result[key] = value; }, line.value);
        }
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const json summary{{"tool", tool.name + " " + d.name},
                       {"version", ASSAY_VERSION},
                       {"status", status},
                       {"input", inputs},
                       {"output", shared.output},
                       {"result", result},
                       {"warnings", monitor.warnings()},
                       {"time_s", elapsed},
                       {"cpu_s", cpu_seconds()},
                       {"peak_rss_bytes", static_cast<std::int64_t>(usage.ru_maxrss) * 1024}};
    hdf5::write_file_atomically(shared.json,
                                summary.dump(2, ' ', false, json::error_handler_t::replace) + "\n",
                                hdf5::Existing::replace);
}

int run_command(const Tool& tool, Command command, const std::vector<std::string>& args,
                const std::string& command_line) {
    Declaration& d = command.declaration();
    TerminalMonitor monitor(tool.name + " " + d.name);
    SharedOptions shared;
    add_shared_options(command, shared);
    const auto wants = [&](const char* name) {
        return std::find(args.begin(), args.end(), name) != args.end();
    };
    if (wants("--help") || wants("-h") || wants("--help-all")) {
        std::cout << help_text(tool, command,
                               wants("--help-all") ? HelpDetail::full : HelpDetail::brief,
                               terminal_width());
        return 0;
    }
    if (wants("--help-man")) {
        std::cout << man_page(tool, command);
        return 0;
    }
    if (wants("--version")) {
        std::cout << tool.name << " " << ASSAY_VERSION << " (" << ASSAY_ISA_LEVEL << ")\n";
        return 0;
    }
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const std::string started = now_iso8601();
    std::unique_ptr<Context> context;
    const auto fail = [&](const std::string& text, const std::string& status, int code) {
        monitor.error(text);
        try {
            write_json(shared, tool, d, nullptr, monitor, status + ": " + text, elapsed());
        } catch (const std::exception& e) {
            monitor.error(e.what());
        }
        return code;
    };
    try {
        const auto given = parse(args, d, shared);
        if (!shared.config.empty()) apply_config(shared.config, d, given);
        if (shared.threads == 0) shared.threads = default_threads();
        shared.threads = std::min(shared.threads, std::max(allowed_cores(), 16));
        if (d.sharded && shared.shard.empty()) shared.shard = scheduler_shard();
        monitor.configure(shared.quiet, shared.verbosity, shared.strict);
        if (shared.config_print) {
            std::cout << nlohmann::json::parse(resolved_config(d, ConfigScope::everything)).dump(2)
                      << "\n";
            return 0;
        }
        const InterruptionGuard guard;
        context = std::make_unique<Context>(d, shared, monitor, stream_settings(),
                                            resolved_config(d, ConfigScope::everything));
        if (shared.json == "-" && context->has_output() && context->output_target() == "-")
            throw UsageError("option '--json': stdout already carries the output");
        context->set_config_digest(
            digest_of(d.name + resolved_config(d, ConfigScope::results_only)));
        d.run(*context);
        Context::Finish facts{tool.name + " " + d.name,
                              command_line,
                              started,
                              elapsed(),
                              cpu_seconds(),
                              std::nullopt};
        for (const auto& spec : d.options)
            if (spec.long_name() == "--seed")
                facts.seed = static_cast<std::uint64_t>(parse_integer(spec.show()).value_or(0));
        context->finish(facts);
        write_json(shared, tool, d, context.get(), monitor, "done", elapsed());
        return 0;
    } catch (const UsageError& e) {
        return fail(e.what(), "wrong usage", kWrongUsage);
    } catch (const Interrupted& e) {
        return fail(e.what(), "interrupted", kInterrupted);
    } catch (const std::bad_alloc&) {
        return fail("memory ran out; less data, or a lower --memory where there is one, may help",
                    "failed", kFailed);
    } catch (const std::exception& e) {
        return fail(e.what(), "failed", kFailed);
    }
}

int list_paths(const Tool& tool, const std::string& file) {
    try {
        std::vector<std::string> paths;
        if (tool.list_paths)
            paths = tool.list_paths(file);
        else
            paths = hdf5::InputFile({file, ""}, stream_settings()).root().dataset_paths();
        for (const auto& path : paths) std::cout << path << "\n";
        return 0;
    } catch (const std::exception&) {
        return kFailed;
    }
}

} // namespace

int main(int argc, char** argv, const Tool& tool) {
    const std::vector<std::string> args(argv + 1, argv + argc);
    std::vector<std::string> quoted{tool.name};
    for (const auto& arg : args) quoted.push_back(hdf5::shell_quoted(arg));
    const auto usage_error = [&](const std::string& text) {
        std::cerr << tool.name << ": " << text << "\n";
        return kWrongUsage;
    };
    if (args.empty()) {
        std::cerr << help_text(tool, terminal_width());
        return kWrongUsage;
    }
    const std::string& word = args.front();
    if (word == "--help" || word == "-h" || word == "--help-all" || word == "help") {
        std::cout << help_text(tool, terminal_width());
        return 0;
    }
    if (word == "--version") {
        std::cout << tool.name << " " << ASSAY_VERSION << " (" << ASSAY_ISA_LEVEL << ")\n";
        return 0;
    }
    Tool documented = tool;
    static SharedOptions unused;
    for (auto& command : documented.commands)
        if (word == "--help-man" || word == "--help-json" || word == "--completion")
            add_shared_options(command, unused);
    if (word == "--help-man") {
        std::cout << man_page(documented);
        return 0;
    }
    if (word == "--help-json") {
        std::cout << help_json(documented);
        return 0;
    }
    if (word == "--completion") {
        try {
            std::cout << completion_script(documented, args.size() > 1 ? args[1] : "");
            return 0;
        } catch (const UsageError& e) {
            return usage_error(e.what());
        }
    }
    if (word == "__paths" && args.size() == 2) return list_paths(tool, args[1]);
    for (const auto& command : tool.commands)
        if (command.declaration().name == word)
            return run_command(tool, command, {args.begin() + 1, args.end()}, join(quoted, " "));
    std::vector<std::string> names;
    for (const auto& command : tool.commands) names.push_back(command.declaration().name);
    const auto near = nearest_name(word, names, 3);
    return usage_error(
        "unknown subcommand '" + printable(word, 60) + "'" +
        (near ? "; did you mean '" + *near + "'?" : "; see " + tool.name + " --help"));
}

} // namespace assay::cli
