// checkpoint sweep: many settings, planned, run, suggested and collected.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/training/config_json.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/sweep_io.hpp>
#include <assay/training/tpe.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <set>

namespace checkpoint_app {
namespace {

using namespace assay;
namespace fs = std::filesystem;

struct Options {
    std::string sampler = "random";
    std::int64_t trials = 20, repeats = 1, count = 1, index = 0, jobs = 1, memory = 0;
    bool summary_only = false;
    std::string results;
    std::vector<std::string> set;
    std::uint64_t seed = 0;
    ModelFileOptions files;
};

constexpr const char* kPlan = "/checkpoint/plan";
constexpr const char* kSweep = "/checkpoint/sweep";

std::vector<training::TrialPoint> points_of(const Options& o, const training::SearchSpace& space) {
    if (o.sampler == "grid") return training::grid_trials(space, o.trials);
    std::vector<training::TrialPoint> points;
    for (std::int64_t trial = 1; trial <= o.trials; ++trial)
        points.push_back(
            o.sampler == "sobol"
                ? training::sobol_trial(space, static_cast<std::uint64_t>(trial))
                : training::random_trial(space, o.seed, static_cast<std::uint64_t>(trial)));
    return points;
}

void plan(const Options& o, cli::Context& context) {
    if (context.input_count() != 3)
        throw UsageError("checkpoint sweep plan expects BASE.json SPACE.json");
    training::SweepPlan p;
    const std::string base = context.input_address(1).file, space = context.input_address(2).file;
    p.base = read_text_file(base);
    p.space = read_text_file(space);
    context.note_foreign(base);
    context.note_foreign(space);
    p.sampler = o.sampler;
    p.seed = o.seed;
    p.repeats = o.repeats;
    const auto dimensions = at_place(space, [&] { return training::parse_search_space(p.space); });
    p.points = points_of(o, dimensions);
    // Every mistake of a configuration now, not in the middle of the night.
    for (const auto& point : p.points) static_cast<void>(training::trial_config(p, point, 0));
    training::write_plan(context.output().create_group(kPlan), p);
    context.report("trials", static_cast<std::int64_t>(p.points.size()));
    context.report("settings", static_cast<std::int64_t>(dimensions.size()));
}

std::string result_file(const std::string& folder, Index trial, Index repeat) {
    char text[64];
    std::snprintf(text, sizeof text, "trial-%06lld-%03lld.h5", static_cast<long long>(trial),
                  static_cast<long long>(repeat));
    return folder + "/" + text;
}

// The changes of the base, a line each.
std::string changes_text(const training::SweepPlan& plan) {
    std::vector<std::string> lines;
    for (const auto& change : plan.changes) lines.push_back(change.path + "=" + change.value);
    return join(lines, "\n");
}

// A trial's place in the sweep, beside its run.
void note_trial(hdf5::Group root, const training::SweepPlan& plan, const training::SweepRow& row) {
    hdf5::Group group = root.create_group("/checkpoint/trial");
    group.set_attribute("trial", static_cast<std::int64_t>(row.trial));
    group.set_attribute("repeat", static_cast<std::int64_t>(row.repeat));
    group.set_attribute("base", plan.base.size() < 60000 ? plan.base : "");
    if (!plan.changes.empty()) group.write_text("set", changes_text(plan));
    group.set_attribute("status", training::status_name(row.status));
    if (!row.message.empty()) group.set_attribute("failure", printable(row.message, 200));
    group.write("values", row.values, {"setting", "", "of a choice its number, from 0"});
}

// Keeps a run in memory, and on disk what an interruption must not cost: checkpoints and a state
// once a run has lasted long, or when it is interrupted.
class TrialFolder : public training::RunSink {
  public:
    // `folder`: on disk. `writing` guards HDF5, which serves one thread at a time.
    TrialFolder(const std::string& folder, const training::RunDescription& description,
                std::mutex& writing)
        : memory_("", description), disk_(folder, description), writing_(writing) {}
    // Under the lock.
    std::optional<training::RunState> resume() {
        auto state = disk_.resume(nullptr);
        on_disk_ = state.has_value();
        return state;
    }
    void checkpoint(const training::RunCheckpoint& checkpoint) override {
        waiting_.push_back(with_numbers(checkpoint));
        memory_.checkpoint(waiting_.back());
    }
    void state(const training::RunState& state) override {
        latest_ = state;
        if (std::chrono::steady_clock::now() - written_ > kBetweenStates) write_out();
    }
    void write_out() {
        const std::lock_guard<std::mutex> lock(writing_);
        for (const auto& one : waiting_) disk_.checkpoint(one);
        waiting_.clear();
        if (latest_) disk_.state(*latest_);
        on_disk_ = true;
        written_ = std::chrono::steady_clock::now();
    }
    // The folder that has all checkpoints; not under the lock.
    const training::RunFolder& complete() {
        if (on_disk_) write_out();
        return on_disk_ ? disk_ : memory_;
    }
    void remove() const {
        std::error_code ignored;
        for (const auto& file : disk_.files()) {
            fs::remove(file, ignored);
            fs::remove(fs::path(file).parent_path(), ignored); // once it is empty
        }
    }

  private:
    static constexpr std::chrono::seconds kBetweenStates{300};
    training::RunFolder memory_, disk_;
    std::mutex& writing_;
    std::vector<training::RunCheckpoint> waiting_; // for the disk
    std::optional<training::RunState> latest_;
    std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
    bool on_disk_ = false;
};

class TrialRunner {
  public:
    TrialRunner(const Options& o, cli::Context& context, const training::SweepPlan& plan,
                MemoryUse memory)
        : options_(o), context_(context), plan_(plan), memory_(std::move(memory)) {}

    void run(Index trial, Index repeat, const Execution& execution) {
        training::SweepRow row;
        row.trial = trial;
        row.repeat = repeat;
        row.values = plan_.points[static_cast<std::size_t>(trial - plan_.first)];
        const std::string target = result_file(options_.results, trial, repeat);
        if (has_result(target)) return;
        train(row, target, execution);
    }
    // Why runs failed, the first one's reason in front.
    [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

  private:
    // A run that failed is made again.
    bool has_result(const std::string& target) {
        if (!fs::exists(target)) return false;
        const std::lock_guard<std::mutex> lock(files_);
        const hdf5::Group trial =
            hdf5::File::open(target, target).root().group("/checkpoint/trial");
        if (trial.text_attribute("status").value_or("") == "failed") return false;
        const std::string set = trial.read_text("set").value_or("");
        if (set != changes_text(plan_))
            throw Error(target + ": was run with --set '" + printable(set, 60) +
                        "'; another folder (--results) is expected for other settings");
        return true;
    }

    // A trial that was interrupted goes on with all of its settings.
    static void check_begun(const std::string& parts, const std::string& configuration) {
        const auto begun = training::saved_configuration(parts, nullptr);
        if (begun && *begun != configuration)
            throw Error(parts + ": was begun with other settings (--set); another folder " +
                        "(--results) is expected for these");
    }

    void train(training::SweepRow& row, const std::string& target, const Execution& execution) {
        training::TrainingConfig c = training::trial_config(plan_, row.values, row.repeat);
        training::TrainingData data;
        std::optional<network::Model> start;
        std::optional<training::RunState> resumed;
        std::optional<TrialFolder> folder;
        {
            const std::lock_guard<std::mutex> lock(files_);
            data = load_training_data(c, memory_, context_);
            start =
                load_network(options_.files, c, data, std::nullopt, "base configuration", context_);
            training::resolve_loss(c, data);
        }
        try {
            training::resolve_spans(c, data, std::nullopt);
        } catch (const Error& e) {
            return keep_failure(row, target, e.what());
        }
        {
            const std::lock_guard<std::mutex> lock(files_);
            const std::string parts = target + ".parts";
            check_begun(parts, training::config_json(c));
            folder.emplace(parts, describe_run(c, data), files_);
            resumed = folder->resume();
        }
        training::RunResult result;
        try {
            result = training::train(c, data, std::move(start), std::move(resumed), *folder, {},
                                     execution);
            row.status = training::RunStatus::finished;
        } catch (const Interrupted&) {
            folder->write_out();
            throw;
        } catch (const training::Diverged& e) {
            result = e.until;
            row.status = training::RunStatus::diverged;
            row.message = e.what();
        } catch (const Error& e) { // of this trial's settings; what all share was read before
            return keep_failure(row, target, e.what());
        }
        const training::RunFolder& kept = folder->complete();
        const std::lock_guard<std::mutex> lock(files_);
        hdf5::OutputFile file(target, hdf5::Existing::replace, context_.compression(), {});
        keep_result(file.root(), row, c, data, kept, std::move(result));
        file.commit();
        folder->remove();
    }

    void keep_result(const hdf5::Group& root, const training::SweepRow& row,
                     const training::TrainingConfig& c, const training::TrainingData& data,
                     const training::RunFolder& folder, training::RunResult result) const {
        if (options_.summary_only) {
            result.state.checkpoints.clear();
            folder.assemble(root, result, nullptr, false);
        } else {
            write_run(root, c, data, folder, result, nullptr, hdf5::Timings::leave_out);
        }
        if (row.status == training::RunStatus::finished) {
            hdf5::Group run = root.group("/run");
            run.set_attribute("last_loss", result.last_loss);
            run.set_attribute("eval_loss", result.eval_loss.value_or(std::nan("")));
            run.set_attribute("eval_accuracy", result.eval_accuracy.value_or(std::nan("")));
        }
        note_trial(root, plan_, row);
    }

    void keep_failure(training::SweepRow& row, const std::string& target, const char* message) {
        const std::lock_guard<std::mutex> lock(files_);
        row.status = training::RunStatus::failed;
        row.message = message;
        failures_.emplace_back(message);
        context_.monitor().warn(concat("trial ", row.trial, ": ", message));
        hdf5::OutputFile file(target, hdf5::Existing::replace, context_.compression(), {});
        note_trial(file.root(), plan_, row);
        file.commit();
    }

    const Options& options_;
    cli::Context& context_;
    const training::SweepPlan& plan_;
    MemoryUse memory_; // of one job
    std::mutex files_; // HDF5 serves one thread at a time
    std::vector<std::string> failures_;
};

bool begins(const std::string& text, const std::string& part) {
    return text.compare(0, part.size(), part) == 0;
}

// Whose plan tells seeds and settings apart; the rest of its base may be changed.
void check_changes(const training::SweepPlan& plan) {
    const auto space = training::parse_search_space(plan.space);
    for (const auto& change : plan.changes) {
        const bool planned = std::any_of(space.begin(), space.end(), [&](const auto& dimension) {
            return dimension.path == change.path || begins(change.path, dimension.path + ".") ||
                   begins(dimension.path, change.path + ".");
        });
        if (planned || change.path == "seed")
            throw UsageError("option '--set': " + printable(change.path, 60) +
                             " is what the plan changes from run to run");
    }
    for (const auto& point : plan.points) static_cast<void>(training::trial_config(plan, point, 0));
}

void run_trials(const Options& o, cli::Context& context) {
    if (context.input_count() != 2) throw UsageError("checkpoint sweep run expects PLAN.h5");
    if (o.results.empty()) throw UsageError("checkpoint sweep run needs --results FOLDER");
    if (context.has_output() && !context.writes_to_stdout())
        throw UsageError("option '-o': found '" + printable(context.output_target(), 60) +
                         "'; runs go to --results FOLDER, a file each");
    auto plan = training::read_plan(context.input(1).root().group(kPlan));
    plan.changes = set_overrides(o.set);
    check_changes(plan);
    const auto trials = static_cast<Index>(plan.points.size());
    const Index first = o.index > 0 ? o.index : plan.first;
    const Index count = o.index > 0 ? o.count : trials;
    if (first < plan.first || first + count > plan.first + trials)
        throw UsageError(concat("option '--index': trials ", first, " to ", first + count - 1,
                                " asked for; the plan has ", plan.first, " to ",
                                plan.first + trials - 1));
    fs::create_directories(o.results);
    const Execution one{o.jobs > 1 ? 1 : context.execution().threads,
                        o.jobs > 1 ? &silent_monitor() : &context.monitor()};
    const Index runs = count * plan.repeats;
    const Phase phase(context.monitor(), "trials");
    TrialRunner runner(o, context, plan,
                       memory_use(context, o.memory, std::min<std::int64_t>(o.jobs, runs)));
    parallel_blocks(runs, static_cast<int>(o.jobs), [&](Index i) {
        context.monitor().stop_if_interrupted();
        runner.run(first + i / plan.repeats, i % plan.repeats, one);
    });
    if (!runner.failures().empty())
        throw Error(concat(runner.failures().size(), " of ", runs,
                           " runs failed and are to be run again; the first: ",
                           printable(runner.failures().front(), 120)));
    context.report("runs", static_cast<std::int64_t>(runs));
    context.propose("checkpoint sweep collect " + o.results + " --plan " +
                    context.input_address(1).file + " -o sweep.h5");
}

training::SweepRow read_row(const hdf5::Group& root) {
    const hdf5::Group trial = root.group("/checkpoint/trial");
    training::SweepRow row;
    row.trial = static_cast<Index>(trial.number_attribute("trial").value_or(0));
    row.repeat = static_cast<Index>(trial.number_attribute("repeat").value_or(0));
    row.values = trial.dataset("values").expect_numeric().read<double>();
    row.message = trial.text_attribute("failure").value_or("");
    const auto measured = [&](const char* name) {
        const double nan = std::nan("");
        return root.has_group("/run") ? root.group("/run").number_attribute(name).value_or(nan)
                                      : nan;
    };
    row.loss = measured("last_loss");
    row.eval_loss = measured("eval_loss");
    row.eval_accuracy = measured("eval_accuracy");
    const char* const otherwise = std::isfinite(row.loss) ? "finished" : "diverged";
    row.status = at_place(trial.where(), [&] {
        return training::status_of(trial.text_attribute("status").value_or(otherwise));
    });
    return row;
}

std::vector<training::SweepRow> read_rows(const std::string& folder) {
    if (!fs::is_directory(folder)) throw Error(folder + ": a folder of results is expected");
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (starts_with(name, "trial-") && ends_with(name, ".h5"))
            files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) throw Error(folder + ": holds no trial-*.h5");
    std::vector<training::SweepRow> rows;
    for (const auto& file : files) {
        rows.push_back(read_row(hdf5::File::open(file, file).root()));
        rows.back().file = fs::path(file).filename().string();
    }
    return rows;
}

bool is_result(const training::SweepRow& row) {
    return row.status == training::RunStatus::finished ||
           row.status == training::RunStatus::diverged;
}

std::vector<training::SweepRow> results_of(std::vector<training::SweepRow> rows) {
    rows.erase(std::remove_if(rows.begin(), rows.end(),
                              [](const training::SweepRow& row) { return !is_result(row); }),
               rows.end());
    return rows;
}

// With those of the plan that have not been run.
std::vector<training::SweepRow> with_missing(std::vector<training::SweepRow> rows,
                                             const training::SweepPlan& plan) {
    std::set<std::pair<Index, Index>> there;
    for (const auto& row : rows) there.insert({row.trial, row.repeat});
    for (Index i = 0; i < static_cast<Index>(plan.points.size()); ++i)
        for (Index repeat = 0; repeat < plan.repeats; ++repeat)
            if (there.count({plan.first + i, repeat}) == 0) {
                training::SweepRow row;
                row.trial = plan.first + i;
                row.repeat = repeat;
                rows.push_back(row);
            }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return std::pair{a.trial, a.repeat} < std::pair{b.trial, b.repeat};
    });
    return rows;
}

// The same settings on other networks.
void write_transfer(hdf5::Group group, const std::vector<std::string>& folders) {
    std::vector<std::vector<training::SweepRow>> rows;
    for (const auto& folder : folders) rows.push_back(results_of(read_rows(folder)));
    const auto table = training::transfer_table(rows, folders);
    group.write("transfer", table.score.data(), {table.score.rows(), table.score.cols()},
                {"folder,trial", "", "score of the same settings: " + join(folders, ", ")});
    group.set_attribute("folders", join(folders, "\n"));
    group.write("transfer_trial",
                std::vector<std::int64_t>(table.trials.begin(), table.trials.end()),
                {"trial", "", "numbers of the trials in transfer"});
}

// The folder of results as the collected table names it: relative to where the table will stand,
// so that both can be moved together.
std::string results_folder(const std::string& folder, const std::string& output) {
    const fs::path whole = fs::absolute(folder).lexically_normal();
    if (fs::path(folder).is_absolute() || output.empty() || output == "-") return whole.string();
    return whole.lexically_relative(fs::absolute(output).lexically_normal().parent_path()).string();
}

void collect(const Options& o, const std::string& plan_file, cli::Context& context) {
    if (context.input_count() < 2 || plan_file.empty())
        throw UsageError("checkpoint sweep collect expects FOLDER... --plan PLAN.h5");
    static_cast<void>(o);
    training::SweepTable table;
    table.plan =
        training::read_plan(context.open(hdf5::Address::parse(plan_file)).root().group(kPlan));
    const auto settings = training::parse_search_space(table.plan.space).size();
    std::vector<std::string> folders;
    for (std::size_t i = 1; i < context.input_count(); ++i)
        folders.push_back(context.input_address(i).file);
    const auto runs = with_missing(read_rows(folders[0]), table.plan);
    table.rows = results_of(runs);
    table.last_trial = runs.back().trial;
    if (table.rows.empty())
        throw Error(concat(folders[0], ": none of ", runs.size(), " runs has a result; the first ",
                           training::status_name(runs[0].status), " ", runs[0].message));
    for (const auto& row : table.rows)
        if (row.values.size() != settings)
            throw Error(concat(folders[0], ": trial ", row.trial, " has ", row.values.size(),
                               " settings; the plan has ", settings));
    hdf5::Group group = context.output().create_group(kSweep);
    training::write_status(group, runs);
    training::write_table(group, table);
    training::write_runs(group, table, results_folder(folders[0], context.output_target()));
    if (folders.size() > 1) write_transfer(group, folders);
    const auto count = [&](training::RunStatus status) {
        return static_cast<std::int64_t>(
            std::count_if(runs.begin(), runs.end(),
                          [&](const training::SweepRow& row) { return row.status == status; }));
    };
    context.report("runs", static_cast<std::int64_t>(table.rows.size()));
    context.report("diverged", count(training::RunStatus::diverged));
    context.report("failed", count(training::RunStatus::failed));
    context.report("missing", count(training::RunStatus::missing));
    context.report("best score", group.number_attribute("best_score").value_or(std::nan("")),
                   concat("trial ", group.number_attribute("best_trial").value_or(0)));
    if (const auto share = group.number_attribute("robustness_2"); share && std::isfinite(*share))
        context.report("within 2 points", *share, "of the trials");
}

void suggest(const Options& o, cli::Context& context) {
    if (context.input_count() != 2) throw UsageError("checkpoint sweep suggest expects SWEEP.h5");
    const auto table = training::read_table(context.input(1).root().group(kSweep));
    std::vector<training::TrialResult> history;
    Index last = table.last_trial;
    for (const auto& one : training::trial_scores(table.rows)) {
        history.push_back({static_cast<std::uint64_t>(one.trial), one.values, -one.score});
        last = std::max(last, one.trial);
    }
    training::SweepPlan next = table.plan;
    next.sampler = "tpe";
    next.first = last + 1;
    next.points =
        training::suggest_trials(training::parse_search_space(next.space), history,
                                 static_cast<std::uint64_t>(next.first), o.count, next.seed);
    training::write_plan(context.output().create_group(kPlan), next);
    context.report("trials", static_cast<std::int64_t>(next.points.size()),
                   concat("from ", next.first));
}

} // namespace

cli::Command sweep() {
    auto o = std::make_shared<Options>();
    auto plan_file = std::make_shared<std::string>();
    cli::Command c("sweep", "try many settings: plan, run, suggest, collect");
    c.describe(
        "plan BASE.json SPACE.json: which trials; SPACE maps keys of the configuration to "
        R"({"log-uniform": [a, b]}, {"uniform": [a, b]}, {"int": [a, b]} or {"choice": [...]}. )"
        "run PLAN.h5: trains trials (--index and --count for an array job; those that finished or "
        "diverged are skipped, those that failed or were interrupted go on); --set changes the "
        "base for them, such as model=mlp:64. collect FOLDER...: "
        "one table, marginal curves, robustness of accuracies; several folders of "
        "the same plan on other networks give a transfer table. suggest SWEEP.h5: the next trials "
        "by TPE.");
    c.inputs("plan|run|collect|suggest, then its files");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/checkpoint/plan/values", "(trial, setting)"},
              {"/checkpoint/sweep/score", "of each run"},
              {"/checkpoint/sweep/runs",
               "their files and settings: networks for fixedpoints population"},
              {"/checkpoint/sweep/marginal", "score along each setting"},
              {"/checkpoint/sweep/status", "of every run: finished, diverged, failed, missing"},
              {"/checkpoint/sweep/transfer", "(folder, trial)"}});
    c.group("plan and suggest");
    c.choice<std::string>(
        "--sampler", o->sampler,
        {{"random", "random"}, {"grid", "grid"}, {"sobol", "sobol"}, {"tpe", "tpe"}},
        "how trials are chosen; tpe: random ones first, then suggest");
    c.option("--trials", o->trials, "N", "trials (grid: at most)").range(1, 1e6);
    c.option("--repeats", o->repeats, "R", "seeds a trial").range(1, 1e4);
    c.seed(o->seed);
    c.group("run");
    c.option("--results", o->results, "FOLDER", "where runs go");
    add_repeated(c, "--set", o->set, "KEY=VALUE",
                 "a key of the base configuration that the plan does not change");
    c.option("--index", o->index, "I", "first trial, from 1").default_text("all").range(0, 1e9);
    c.option("--count", o->count, "K", "trials (run with --index, suggest)").range(1, 1e6);
    c.option("--jobs", o->jobs, "J", "runs at once, one thread each; same results")
        .range(1, 1024)
        .execution_only();
    c.memory_limit(o->memory);
    c.memory("as checkpoint train + checkpoints and a copy of weights and states, for each of the "
             "--jobs, which share --memory for their data.");
    c.flag("--summary-only", o->summary_only, "metrics and the last model, no checkpoints");
    c.group("collect");
    c.option("--plan", *plan_file, "PLAN.h5", "the plan of the results");
    declare_model_file(c, o->files);
    c.example("Forty trials", "checkpoint sweep plan base.json space.json --trials 40 -o plan.h5");
    c.run([o, plan_file](cli::Context& context) {
        if (context.input_count() == 0)
            throw UsageError("plan, run, collect or suggest is expected; see --help");
        const std::string action = context.input_address(0).file;
        const bool writes = action == "plan" || action == "collect" || action == "suggest";
        if (writes && !context.has_output())
            throw UsageError("checkpoint sweep " + printable(action, 20) + " needs -o FILE");
        if (action != "run" && !o->set.empty())
            throw UsageError("option '--set' is for run, whose base it changes");
        if (action == "plan")
            plan(*o, context);
        else if (action == "run")
            run_trials(*o, context);
        else if (action == "collect")
            collect(*o, *plan_file, context);
        else if (action == "suggest")
            suggest(*o, context);
        else
            throw UsageError("found '" + printable(action, 40) +
                             "'; plan, run, collect or suggest is expected");
    });
    return c;
}

} // namespace checkpoint_app
