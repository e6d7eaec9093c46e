#include "run_files.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/simulation_io.hpp>
#include <assay/network/sample_file_io.hpp>
#include <assay/training/preprocessing.hpp>
#include <assay/training/run_io.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;
namespace fs = std::filesystem;

namespace {

constexpr Index kMostOneHot = 1 << 14; // items of an identity that has to be held
constexpr const char* kTrajectory = "/trajectory/map";

enum class Kind { run, maps, model };

Kind kind_of(cli::Context& context, const hdf5::Address& address) {
    if (!cli::Context::is_hdf5(address)) return Kind::model;
    const hdf5::Group root = context.open(address).root();
    if (root.has_group("/run/checkpoints")) return Kind::run;
    return root.has_dataset(kTrajectory) ? Kind::maps : Kind::model;
}

// ---- data

// --data, what the file carries, or what the run says of its data.
hdf5::Address data_address(cli::Context& context, const RunOptions& o, const hdf5::Address& input,
                           const std::optional<tools::RunWords>& words) {
    if (!o.data.empty()) return hdf5::Address::parse(o.data);
    if (cli::Context::is_hdf5(input) && !data_path(context.open(input).root()).empty())
        return {input.file, ""};
    if (words && !words->config.data.empty()) {
        const auto named = hdf5::Address::parse(words->config.data);
        if (!named.is_stream() && fs::exists(named.file)) return named;
    }
    throw Error(input.name() + ": its training data are not at hand; --data FILE is expected (or a "
                               "run made with --carry data,run)");
}

// Samples in memory, one-hot inputs included.
network::Samples held_samples(cli::Context& context, const RunOptions& o,
                              const hdf5::Address& address,
                              const std::optional<tools::RunWords>& words) {
    const hdf5::Group root = context.open(address).root();
    const std::string path = address.path.empty() ? data_path(root) : address.path;
    const bool table = root.has_dataset(path);
    const bool without_inputs =
        table || (root.has_dataset(path + "/targets") && !root.has_dataset(path + "/inputs"));
    if (!without_inputs && !o.problem.one_hot)
        return tools::run_samples(tools::data_group(context, {address.file, address.path}), o.split,
                                  words ? &*words : nullptr, context.monitor());
    const auto source = open_samples(root, path, true);
    if (source->samples() > kMostOneHot)
        throw Error(concat(address.name(), ": ", source->samples(), " one-hot items; at most ",
                           kMostOneHot, " are put through a network that is not linear"));
    network::Samples samples;
    samples.inputs = RowMatrix::Identity(source->samples(), source->samples());
    samples.input_shape = {source->samples()};
    samples.input_axes = {"item"};
    samples.values = source->read_targets(0, source->samples());
    samples.target_shape = {source->outputs()};
    return samples;
}

// Whether the run held a part out of these data, which has the name of their evaluation's split.
bool has_own_part(const hdf5::Group& data, const tools::RunWords& words) {
    if (words.preprocessing.held_out.empty()) return false;
    tools::MemoryUse memory{network::SampleFile::kWhole, ""};
    const auto all = tools::open_split(data, "train", memory);
    return all && training::survey(*all, data.where()).digest == words.data_digest;
}

// Whether there are samples that the run did not see under this name.
bool is_held_out(cli::Context& context, const hdf5::Address& address, const std::string& split,
                 const std::optional<tools::RunWords>& words) {
    const hdf5::Group root = context.open(address).root();
    const std::string path = address.path.empty() ? "/data" : address.path;
    if (!root.has_group(path)) return false;
    const hdf5::Group data = root.group(path);
    if (!data.has_dataset("targets") && data.has_dataset(split + "/inputs")) return true;
    return words && split == words->config.evaluate_split && has_own_part(data, *words);
}

// Samples of that split, with their statistics.
network::Samples held_out_samples(cli::Context& context, const RunOptions& o,
                                  const hdf5::Address& address, const std::string& split,
                                  const std::optional<tools::RunWords>& words, RunToCompare& run) {
    auto samples = tools::run_samples(tools::data_group(context, address), split,
                                      words ? &*words : nullptr, context.monitor());
    const HeldSamples source(samples);
    const Statistics& seen = run.problem.statistics;
    if (source.inputs() != run.problem.inputs() || source.outputs() != seen.outputs())
        throw Error(concat("split '", split, "' has ", source.inputs(), " inputs and ",
                           source.outputs(), " outputs; ", run.problem.inputs(), " and ",
                           seen.outputs(), " are expected"));
    run.held = accumulate(source, o.problem.statistics, context.execution());
    return samples;
}

// Samples that tell when the run should have stopped. A split that was not asked for by name may be
// missing, or of another kind.
std::optional<network::Samples> set_held_out(cli::Context& context, const RunOptions& o,
                                             const hdf5::Address& address,
                                             const std::optional<tools::RunWords>& words,
                                             RunToCompare& run) {
    if (o.held_out == "none") return {};
    if (o.held_out != "auto") {
        if (!is_held_out(context, address, o.held_out, words))
            throw Error(address.name() + ": there is no split '" + o.held_out + "'");
        return at_place(address.name(), [&] {
            return held_out_samples(context, o, address, o.held_out, words, run);
        });
    }
    const std::string split =
        words ? words->config.evaluate_split : training::TrainingConfig().evaluate_split;
    if (o.problem.one_hot || split == o.split || !is_held_out(context, address, split, words))
        return {};
    try {
        return held_out_samples(context, o, address, split, words, run);
    } catch (const Interrupted&) {
        throw;
    } catch (const Error& error) {
        context.monitor().info("no held-out samples: " + std::string(error.what()));
        return {};
    }
}

// The problem of a run, and the map behind its targets unless its inputs were changed.
void set_problem(cli::Context& context, const RunOptions& o, const hdf5::Address& address,
                 const std::optional<tools::RunWords>& words, RunToCompare& run) {
    if (!words || !words->preprocessing.does_something()) {
        run.problem = data_problem(context, o.problem, address);
        run.known = read_known_map(context.open(address).root(), address.path, run.problem);
        return;
    }
    at_place(address.name(), [&] {
        const network::Samples samples = held_samples(context, o, address, words);
        run.problem = make_problem(accumulate(HeldSamples(samples), o.problem.statistics,
                                              context.execution(), o.problem.precision),
                                   o.problem.whiten, o.problem.modes);
    });
}

// Model files of others do not say how they were trained.
enum class ClockSource { needed, fitted };

void set_clock(cli::Context& context, const RunOptions& o,
               const std::optional<tools::RunWords>& words, ClockSource clock, RunToCompare& run) {
    run.clock = clock_of_run(context, o.clock, words, run.problem.statistics);
    if (clock == ClockSource::needed || !run.clock.why_unknown.empty()) run.clock.need_tau();
    if (run.clock.tau > 0) run.times = run.clock.at(run.source->steps());
}

// ---- sources

RunToCompare recorded_run(cli::Context& context, RunOptions o, std::size_t input) {
    const hdf5::Address address = context.input_address(input);
    const hdf5::Group root = context.open(address).root();
    const auto whitening = run_whitening(root.group("/run"));
    if (o.problem.whiten && !whitening)
        throw Error(address.name() + ": the run descended on inputs as they are; --whiten is for "
                                     "maps and model files, which do not say so");
    o.problem.whiten = whitening.has_value();
    o.problem.statistics = whitening.value_or(Normalisation::mean);
    const auto words = squared_error_run(context, address, o.clock);
    const hdf5::Address data = data_address(context, o, address, words);
    RunToCompare run;
    set_problem(context, o, data, words, run);
    const auto steps = training::run_steps(root.group("/run"));
    auto source = std::make_unique<ModelRun>(
        steps,
        [root, steps](Index i) {
            return training::read_checkpoint(root, steps[static_cast<std::size_t>(i)]);
        },
        [&] { return held_samples(context, o, data, words); },
        set_held_out(context, o, data, words, run), context.execution());
    run.why_fitted = source->why_fitted();
    run.depth = source->depth();
    run.source = std::move(source);
    set_clock(context, o, words, ClockSource::needed, run);
    return run;
}

RunToCompare stored_maps(cli::Context& context, const RunOptions& o, std::size_t input) {
    const hdf5::Address address = context.input_address(input);
    RunToCompare run;
    const hdf5::Address data = data_address(context, o, address, {});
    set_problem(context, o, data, {}, run);
    set_held_out(context, o, data, {}, run);
    run.source = std::make_unique<StoredMaps>(context.open(address).root().group("/trajectory"));
    set_clock(context, o, {}, ClockSource::needed, run);
    return run;
}

// Runs of digits in a file's name, without its folder.
std::vector<Index> numbers_in(const std::string& file) {
    const std::string name = fs::path(file).filename().string();
    std::vector<Index> numbers;
    for (std::size_t i = 0; i < name.size();) {
        std::size_t end = i;
        while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
        if (end > i)
            if (const auto number = parse_integer(name.substr(i, end - i)))
                numbers.push_back(*number);
        i = std::max(end, i + 1);
    }
    return numbers;
}

// The first number in the names that tells all files apart.
std::vector<Index> steps_in_names(const std::vector<std::string>& files) {
    std::vector<std::vector<Index>> found;
    std::size_t places = 64;
    for (const auto& file : files) {
        found.push_back(numbers_in(file));
        places = std::min(places, found.back().size());
    }
    for (std::size_t place = 0; place < places; ++place) {
        std::vector<Index> steps;
        for (const auto& numbers : found) steps.push_back(numbers[place]);
        if (std::set<Index>(steps.begin(), steps.end()).size() == steps.size()) return steps;
    }
    throw Error(files.front() + " ...: the names of the model files do not tell their steps; "
                                "--steps LIST is expected");
}

// Files in the order of their steps.
struct FileStep {
    Index step = 0;
    std::size_t input = 0;
};
std::vector<FileStep> ordered_files(cli::Context& context, const RunOptions& o) {
    std::vector<std::string> files;
    for (std::size_t i = 0; i < context.input_count(); ++i)
        files.push_back(context.input_address(i).file);
    const std::vector<Index> steps = o.steps.empty() ? steps_in_names(files) : o.steps;
    if (steps.size() != files.size())
        throw UsageError(concat("option '--steps': found ", steps.size(), " steps; ", files.size(),
                                ", one a file, are expected"));
    std::vector<FileStep> list;
    for (std::size_t i = 0; i < files.size(); ++i) list.push_back({steps[i] * o.epoch_steps, i});
    std::sort(list.begin(), list.end(),
              [](const FileStep& a, const FileStep& b) { return a.step < b.step; });
    return list;
}

RunToCompare run_of_models(cli::Context& context, const RunOptions& o) {
    const auto files = ordered_files(context, o);
    const hdf5::Address data = data_address(context, o, context.input_address(), {});
    RunToCompare run;
    set_problem(context, o, data, {}, run);
    std::vector<Index> steps;
    for (const FileStep& file : files) steps.push_back(file.step);
    auto source = std::make_unique<ModelRun>(
        steps,
        [&context, files, model = o.files](Index i) {
            const auto address = context.input_address(files[static_cast<std::size_t>(i)].input);
            return at_place(address.name(),
                            [&] { return tools::open_model(context, address, model).model; });
        },
        [&] { return held_samples(context, o, data, {}); }, set_held_out(context, o, data, {}, run),
        context.execution());
    run.why_fitted = source->why_fitted();
    run.depth = source->depth();
    run.source = std::move(source);
    set_clock(context, o, {}, ClockSource::fitted, run);
    return run;
}

// Names of the runs' files, which are those of groups.
std::string run_name(cli::Context& context, std::size_t input, std::set<std::string>& taken) {
    const hdf5::Address address = context.input_address(input);
    std::string name = address.is_stream() ? "stdin" : fs::path(address.file).stem().string();
    for (int again = 2; !taken.insert(name).second; ++again)
        name = fs::path(address.file).stem().string() + "." + std::to_string(again);
    return name;
}

} // namespace

void declare_runs(cli::Command& c, RunOptions& o) {
    c.group("Data");
    c.option("--data", o.data, "FILE[:/group]", "the run's training data")
        .default_text("what the input carries, or what the run names");
    c.option("--split", o.split, "NAME", "which split");
    c.option("--held-out", o.held_out, "NAME",
             "split whose error tells when to stop; auto: the run's own, else test, if there is "
             "one; or none");
    c.flag("--whiten", o.problem.whiten,
           "the run descended on whitened inputs, Sx^{-1/2} x, and its maps take them as they are; "
           "runs of lindyn simulate --whiten say so themselves");
    declare_modes(c, o.problem);
    c.group("Clock");
    declare_clock(c, o.clock);
    declare_weight_decay(c, o.clock);
    c.option("--steps", o.steps, "LIST", "of model files, one a checkpoint")
        .default_text("the numbers in their names");
    c.option("--epoch-steps", o.epoch_steps, "N", "updates in one unit of the steps of model files")
        .range(1);
    tools::declare_model_file(c, o.files);
}

std::vector<RunToCompare> open_runs(cli::Context& context, const RunOptions& o) {
    context.need_input();
    std::set<Kind> kinds;
    for (std::size_t i = 0; i < context.input_count(); ++i)
        kinds.insert(kind_of(context, context.input_address(i)));
    if (kinds.size() > 1)
        throw Error("inputs are of several kinds; run files, stored maps, or the model files of "
                    "one run are expected");
    std::vector<RunToCompare> runs;
    std::set<std::string> taken;
    if (*kinds.begin() == Kind::model) {
        const hdf5::Address address = context.input_address();
        if (context.input_count() < 2 && !fs::exists(address.file))
            throw Error(address.name() + ": no such file");
        if (context.input_count() < 2)
            throw Error(address.name() +
                        ": one model; two checkpoints or more are expected (a run file, or one "
                        "model file a checkpoint)");
        runs.push_back(run_of_models(context, o));
        runs.back().name = run_name(context, 0, taken);
        return runs;
    }
    for (std::size_t i = 0; i < context.input_count(); ++i)
        runs.push_back(at_place(context.input_address(i).name(), [&] {
            RunToCompare run = *kinds.begin() == Kind::run ? recorded_run(context, o, i)
                                                           : stored_maps(context, o, i);
            run.name = run_name(context, i, taken);
            return run;
        }));
    return runs;
}

} // namespace lindyn_app
