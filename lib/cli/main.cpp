// Shared options, the course of a run and the exit statuses of every tool.
#include <assay/cli/command.hpp>
#include <assay/cli/config.hpp>
#include <assay/cli/context.hpp>
#include <assay/cli/documents.hpp>
#include <assay/cli/machine.hpp>
#include <assay/cli/rank_parts.hpp>
#include <assay/cli/summary.hpp>
#include <assay/cli/terminal.hpp>
#include <assay/cli/version.hpp>
#include <assay/cli/words.hpp>
#include <assay/core/interruption.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/seed.hpp>
#include <assay/hdf5/library_errors.hpp>
#include <assay/hdf5/provenance.hpp>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <new>
#include <optional>
#include <utility>

namespace assay::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kInterrupted = 75; // EX_TEMPFAIL: a scheduler may requeue

void refuse_empty(OptionSpec& spec) {
    OptionSpec* const self = &spec;
    spec.set = [self, set = spec.set](const std::string& text) {
        if (text.empty()) refuse_value(*self, text, "a name");
        set(text);
    };
}

void add_shared_options(Command& command, SharedOptions& shared) {
    Declaration& d = command.declaration();
    const bool hdf5_output = d.output == OutputKind::hdf5 || d.output == OutputKind::hdf5_if_wanted;
    const auto here = [&] { return &d.options.back(); };
    if (d.output != OutputKind::none) {
        command.group("Output");
        command.option("-o,--output", shared.output, "OUTPUT", "result; - is stdout")
            .default_text(d.sharded ? "stdout, in a pipe; else " + d.name + ".I-of-N.h5 of a shard"
                          : hdf5_output ? "stdout, in a pipe"
                                        : "stdout");
        refuse_empty(*here());
        here()->execution_only = true;
        command.flag("--force", shared.force, "replace an existing output");
        here()->execution_only = true;
    }
    if (hdf5_output) {
        if (d.carries) {
            command.option("--carry", shared.carry, "GROUPS",
                           "also copy these groups of the input to the output");
            here()->choices = {"data", "run"};
            here()->execution_only = true;
        }
        command.choice<hdf5::Compression>("--compress", shared.compress,
                                          {{"auto", hdf5::Compression::automatic},
                                           {"none", hdf5::Compression::none},
                                           {"deflate", hdf5::Compression::always}},
                                          "compression of arrays from 4 KB on; auto: in files, not "
                                          "in streams, of arrays that shrink below 0.7");
        here()->execution_only = true;
        command.choice<std::string>("--provenance", shared.provenance,
                                    {{"short", "short"}, {"full", "full"}, {"none", "none"}},
                                    "what the output tells of this step; full: also the host");
        here()->execution_only = true;
        command.flag("--no-provenance", shared.no_provenance,
                     "--provenance none: also no timings, so that equal runs give equal bytes");
        here()->execution_only = true;
        command.conflicts("--provenance", "--no-provenance");
    }
    if (d.resumable) {
        command.flag("--resume", shared.resume,
                     "go on from the state that an interrupted run left");
        here()->execution_only = true;
        command.option("--state", shared.state, "DIR", "folder of the resumable state")
            .default_text("OUTPUT.parts");
        refuse_empty(*here());
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
    if (d.input != InputKind::none)
        command.bytes("--stream-memory", shared.stream_memory,
                      "a longer stream is kept in a file below TMPDIR", "1GiB");
    command.option("--config", shared.config, "FILE.json",
                   "read options from a file; the command line wins");
    refuse_empty(*here());
    here()->one_shot = true;
    command.flag("--config-print", shared.config_print,
                 "print the resolved options as JSON and end");
    here()->one_shot = true;
    command.option("--json", shared.json, "FILE", "write the summary as JSON; - is stdout");
    refuse_empty(*here());
    command.flag("--strict", shared.strict, "treat warnings as errors");
    command.flag("--quiet", shared.quiet, "errors only");
    command.flag("-v,--verbose", shared.quiet,
                 "say what was decided; -vv: timings and library errors");
    OptionSpec& verbose = d.options.back();
    verbose.repeatable = true;
    int* const verbosity = &shared.verbosity;
    verbose.set = [verbosity, self = &verbose](const std::string& text) {
        const auto count = parse_integer(text);
        if (!count || *count < 0) refuse_value(*self, text, "a count such as 2");
        *verbosity = static_cast<int>(std::min<std::int64_t>(*count, 2));
    };
    verbose.show = [verbosity] { return std::to_string(*verbosity); };
    for (std::size_t i = first; i < d.options.size(); ++i) d.options[i].execution_only = true;
}

// Remembers which signal asked to stop, on top of an InterruptionGuard that must live already.
class SignalRecorder {
  public:
    SignalRecorder() {
        for (std::size_t i = 0; i < kSignals.size(); ++i)
            previous_[i] = install(kSignals[i], record);
    }
    static int last() { return last_; }

  private:
    using Handler = void (*)(int);
    static constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};
    // Unlike std::signal without SA_RESTART: a read that waits for input returns.
    static Handler install(int signal_number, Handler handler) {
        struct sigaction action {
        }, before{};
        action.sa_handler = handler;
        sigemptyset(&action.sa_mask);
        sigaction(signal_number, &action, &before);
        return before.sa_handler;
    }
    static void record(int signal_number) {
        last_ = signal_number;
        for (std::size_t i = 0; i < kSignals.size(); ++i)
            if (kSignals[i] == signal_number) previous_[i](signal_number);
    }
    static inline std::array<Handler, 3> previous_{};
    static inline volatile std::sig_atomic_t last_ = 0;
};

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

// Text for stdout; a closed or full stdout is an error.
void print(const std::string& text) {
    if (ranks::first()) hdf5::write_file_atomically("-", text, hdf5::Existing::replace);
}

std::string version_text(const Tool& tool) {
    return concat(tool.name, " ", build_version(), " (", ASSAY_ISA_LEVEL, ")\n");
}

std::string answer(const std::string& question, const Tool& tool, const Command& command) {
    if (question == "--version") return version_text(tool);
    if (question == "--help-man") return man_page(tool, command);
    return help_text(tool, command, question == "--help-all" ? HelpDetail::full : HelpDetail::brief,
                     terminal_width());
}

// One run of a subcommand, from its arguments to its exit status.
class Run {
  public:
    Run(const Tool& tool, Command command, const std::vector<std::string>& args,
        std::string command_line)
        : tool_(tool), command_(std::move(command)), d_(command_.declaration()),
          monitor_(tool.name + " " + d_.name), command_line_(std::move(command_line)),
          started_(now_iso8601()) {
        add_shared_options(command_, shared_);
        words_ = words_of(args, d_);
    }

    int status() {
        try {
            if (const auto question = question_of(words_); !question.empty())
                print(answer(question, tool_, command_));
            else
                work();
            return 0;
        } catch (const UsageError& e) {
            return fail(e.what(), "wrong usage", kWrongUsage);
        } catch (const Interrupted& e) {
            return stop(e.what());
        } catch (const std::bad_alloc&) {
            return fail(
                "memory ran out; less data, or a lower --memory where there is one, may help",
                "failed", kFailed);
        } catch (const std::exception& e) {
            return fail(e.what(), "failed", kFailed);
        }
    }

  private:
    void work() {
        if (!d_.sharded && !d_.together && !goes_on_alone()) return;
        const auto given = read_options();
        if (!d_.together && !divides() && !goes_on_alone()) return;
        const std::string config = resolved_config(d_, ConfigScope::everything, given);
        if (shared_.config_print) return print(nlohmann::json::parse(config).dump(2) + "\n");
        check_json_once();
        const InterruptionGuard guard;
        const SignalRecorder recorder;
        const std::string result_config = resolved_config(d_, ConfigScope::results_only, given);
        if (ranks::count() == 1 || d_.together)
            work_as_one(config, result_config);
        else
            work_in_parts(config, result_config);
    }

    [[nodiscard]] bool divides() const { return d_.sharded && (!d_.divides || d_.divides()); }

    // Where nothing is divided rank 0 works as one process does; whether this is rank 0.
    bool goes_on_alone() {
        idle_ranks_ += ranks::count() - 1;
        ranks::leave_to_first();
        return ranks::first();
    }

    void work_as_one(const std::string& config, const std::string& result_config) {
        open_context(d_, shared_, config);
        context_->set_result_config(result_config);
        find_state();
        if (idle_ranks_ > 0)
            monitor_.info(
                concat("one rank works: there is nothing here to divide among ", idle_ranks_ + 1));
        run_body(d_, *context_);
        finish();
        if (d_.sharded) remove_states_of_parts(state_);
    }

    // Each rank does a part as --shard does, rank 0 joins them as `merge` does.
    void work_in_parts(const std::string& config, const std::string& result_config) {
        const Command* const merge = named_command("merge");
        if (merge == nullptr) throw Error("has no merge to join the parts of ranks with");
        if (!scheduler_shard().empty())
            monitor_.info("the ranks divide the work, not the tasks of the scheduler's array");
        state_ = ranks::from_first([&] {
            open_context(merge->declaration(), shared_, config);
            find_state();
            return state_;
        });
        std::optional<Context> part;
        auto parts = done_by_all(
            [&] {
                const ScratchFolder scratch;
                part.emplace(d_, options_of_part(shared_, scratch.file("part.h5"), state_),
                             monitor_, stream_settings(), config);
                part->set_result_config(result_config);
                run_body(d_, *part);
                part->finish_part();
                return scratch.content("part.h5");
            },
            monitor_);
        if (!ranks::first()) return;
        context_->take_inputs(std::move(parts));
        run_body(merge->declaration(), *context_);
        context_->take_inputs_of(*part);
        finish();
        remove_states_of_parts(state_);
    }

    void find_state() {
        state_ = context_->state_directory();
        if (d_.resumable && state_.empty())
            monitor_.info("without -o FILE or --state DIR an interruption loses the work");
        if (d_.sharded && context_->resuming()) check_divided_states(state_, "", ranks::count());
    }

    void open_context(const Declaration& declaration, SharedOptions shared,
                      const std::string& config) {
        context_ = std::make_unique<Context>(declaration, std::move(shared), monitor_,
                                             stream_settings(), config);
        if (shared_.json == "-" && context_->writes_to_stdout())
            throw UsageError("option '--json': stdout already carries the output");
    }

    void run_body(const Declaration& declaration, Context& context) {
        const Phase phase(monitor_, declaration.name);
        declaration.run(context);
    }

    void finish() {
        context_->finish({tool_.name + " " + d_.name, command_line_, started_, elapsed(),
                          cpu_seconds(), seed()});
        write_json("done", context_.get());
    }

    const Command* named_command(const std::string& name) const {
        for (const auto& command : tool_.commands)
            if (command.declaration().name == name) return &command;
        return nullptr;
    }

    std::vector<std::string> read_options() {
        auto given = apply_words(words_, d_, shared_.inputs);
        if (!shared_.config.empty()) {
            std::vector<std::string> subcommands;
            for (const auto& one : tool_.commands) subcommands.push_back(one.declaration().name);
            const auto names = apply_config(shared_.config, d_, subcommands, given);
            given.insert(given.end(), names.begin(), names.end());
        }
        check_conflicts(d_, given);
        shared_.threads = granted_threads(shared_.threads);
        if (divides() && shared_.shard.empty() && ranks::count() == 1)
            shared_.shard = scheduler_shard();
        monitor_.configure(shared_.quiet || !ranks::first(), ranks::first() ? shared_.verbosity : 0,
                           shared_.strict);
        return given;
    }

    // Files that the command line or the configuration names, as far as a name can tell.
    std::vector<std::string> named_files() const {
        std::vector<std::string> files;
        const auto add = [&](const std::string& text) {
            files.push_back(text == "-" ? "/dev/stdin" : hdf5::Address::parse(text).file);
        };
        for (const auto& input : shared_.inputs) add(input);
        for (const auto& word : words_)
            if (word.kind == Word::Kind::positional && !word.text.empty()) add(word.text);
        for (const auto& spec : d_.options) {
            const std::string text = spec.show();
            if (spec.type != "text" || spec.long_name() == "--json" || text.empty()) continue;
            if (spec.long_name() == "--output")
                files.push_back(text == "-" ? "/dev/stdout" : text);
            else
                add(text);
        }
        if (d_.input == InputKind::one && shared_.inputs.empty()) files.emplace_back("/dev/stdin");
        if (d_.output != OutputKind::none && shared_.output.empty())
            files.emplace_back("/dev/stdout");
        return files;
    }

    void check_json(const std::vector<std::string>& files) {
        const std::string target = std::exchange(shared_.json, "");
        check_summary_target(target, files,
                             shared_.force ? hdf5::Existing::replace : hdf5::Existing::refuse);
        shared_.json = target;
        json_is_checked_ = true;
    }

    // By the rank that writes it, for all.
    void check_json_once() {
        if (shared_.json.empty()) return;
        static_cast<void>(ranks::from_first([&] {
            check_json(named_files());
            return std::string();
        }));
    }

    // A target is tried once: a second failure would only repeat the first.
    void write_json(const std::string& status, const Context* context) {
        const std::string target = std::exchange(shared_.json, "");
        if (target.empty() || !ranks::first()) return;
        write_summary(target,
                      {tool_.name + " " + d_.name, status,
                       context_ ? context_->output_target() : shared_.output, elapsed()},
                      context, monitor_);
    }

    // All ranks fail alike, and the first says why; one that fails alone says so and ends the
    // others, which wait for it.
    int fail(const std::string& text, const std::string& status, int code) {
        constexpr double kGraceSeconds = 10;
        if (ranks::first()) tell(text, status, code);
        if (ranks::meet(kGraceSeconds)) return code;
        if (!ranks::first()) monitor_.error(text);
        context_.reset();
        ranks::abort(code);
    }

    void tell(const std::string& text, const std::string& status, int code) {
        monitor_.error(text);
        for (const auto& error : hdf5::library_errors(text)) monitor_.message(Level::debug, error);
        if (!question_of(words_).empty()) return;
        try {
            // A mistake before --json was reached still gets its summary, where that harms nothing.
            if (!json_is_checked_ && code == kWrongUsage) {
                shared_.json = value_of(words_, "--json");
                if (!shared_.json.empty()) check_json(named_files());
            }
        } catch (const std::exception&) {
            return; // the mistake is told, the file left alone
        }
        try {
            write_json(status + ": " + text, nullptr);
        } catch (const std::exception& e) {
            monitor_.error(e.what());
        }
    }

    // With a saved state a scheduler may requeue the job; without one the program ends by its
    // signal, so that it is not requeued for ever.
    int stop(const std::string& text) {
        const bool saved = d_.resumable && has_files(state_);
        const int code = fail(text, "interrupted", saved ? kInterrupted : kFailed);
        context_.reset();
        const int signal_number = SignalRecorder::last();
        if (saved || signal_number == 0) return code;
        std::signal(signal_number, SIG_DFL);
        std::raise(signal_number);
        return code;
    }

    static bool has_files(const std::string& directory) {
        std::error_code error;
        return !directory.empty() && std::filesystem::is_directory(directory, error) &&
               !std::filesystem::is_empty(directory, error);
    }

    std::optional<std::uint64_t> seed() const {
        for (const auto& spec : d_.options)
            if (spec.long_name() == "--seed") return parse_seed(spec.show()).value_or(0);
        return std::nullopt;
    }

    double elapsed() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

    const Tool& tool_;
    Command command_;
    Declaration& d_;
    TerminalMonitor monitor_;
    std::string command_line_;
    std::string started_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    SharedOptions shared_;
    std::vector<Word> words_;
    std::unique_ptr<Context> context_;
    std::string state_; // folder of the resumable state
    bool json_is_checked_ = false;
    int idle_ranks_ = 0; // that left the work to rank 0
};

int list_paths(const Tool& tool, const std::string& file) {
    try {
        std::vector<std::string> paths;
        if (tool.list_paths)
            paths = tool.list_paths(file);
        else
            paths = hdf5::InputFile({file, ""}, stream_settings()).root().dataset_paths();
        std::string lines;
        for (const auto& path : paths)
            if (path.find("#refs#") == std::string::npos) lines += path + "\n"; // MATLAB's own
        print(lines);
        return 0;
    } catch (const std::exception&) {
        return kFailed;
    }
}

// A closed stdin, stdout or stderr becomes /dev/null, so that no file of ours gets its number;
// stdout read-only, so that writing to it fails.
void fill_standard_descriptors() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (fcntl(descriptor, F_GETFD) < 0)
            static_cast<void>(open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY));
}

// What a question to the tool itself is answered with; nothing where `args` is none.
std::optional<std::string> answer(const std::vector<std::string>& args, Tool tool) {
    const std::string& word = args.front();
    if (word == "--help" || word == "-h" || word == "--help-all" || word == "help")
        return help_text(tool, terminal_width());
    if (word == "--version") return version_text(tool);
    static SharedOptions unused;
    for (auto& command : tool.commands)
        if (word == "--help-man" || word == "--help-json" || word == "--completion")
            add_shared_options(command, unused);
    if (word == "--help-man") return man_page(tool);
    if (word == "--help-json") return help_json(tool);
    if (word == "--completion") return completion_script(tool, args.size() > 1 ? args[1] : "");
    return std::nullopt;
}

[[noreturn]] void refuse_subcommand(const std::string& word, const Tool& tool) {
    std::vector<std::string> names;
    for (const auto& command : tool.commands) names.push_back(command.declaration().name);
    const auto near = nearest_name(word, names, 3);
    throw UsageError("unknown subcommand '" + printable(word, 60) + "'" +
                     (near ? "; did you mean '" + *near + "'?" : "; see " + tool.name + " --help"));
}

int dispatch(const std::vector<std::string>& args, const Tool& tool) {
    if (args.empty()) {
        if (ranks::first()) std::fputs(help_text(tool, terminal_width()).c_str(), stderr);
        return kWrongUsage;
    }
    const std::string& word = args.front();
    if (word == "__paths" && args.size() == 2) return list_paths(tool, args[1]);
    std::vector<std::string> quoted{tool.name};
    for (const auto& arg : args) quoted.push_back(hdf5::shell_quoted(arg));
    for (const auto& command : tool.commands)
        if (command.declaration().name == word)
            return Run(tool, command, {args.begin() + 1, args.end()}, join(quoted, " ")).status();
    const auto text = answer(args, tool);
    if (!text) refuse_subcommand(word, tool);
    print(*text);
    return 0;
}

} // namespace

int main(int argc, char** argv, const Tool& tool) {
    fill_standard_descriptors();
    wait_passively(argv);
    hdf5::leave_files_at_exit();
    keep_free_memory();
    const ranks::Session session(argc, argv, started_as_rank());
    const auto fail = [&](const std::exception& e, int code) {
        if (ranks::first())
            std::fputs((one_line(tool.name + ": " + e.what()) + "\n").c_str(), stderr);
        return code;
    };
    try {
        return dispatch({argv + 1, argv + argc}, tool);
    } catch (const UsageError& e) {
        return fail(e, kWrongUsage);
    } catch (const std::exception& e) {
        return fail(e, kFailed);
    }
}

} // namespace assay::cli
