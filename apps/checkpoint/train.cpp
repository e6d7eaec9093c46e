// checkpoint train: a network from data, with checkpoints all along.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>
#include <assay/training/run_io.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>

namespace checkpoint_app {
namespace {

using namespace assay;
using training::Override;
using training::TrainingConfig;

struct Options {
    cli::ConfigDocument document;
    std::vector<std::string> set;
    std::string model, data, task, checkpoints, clip, lr_schedule;
    std::vector<std::string> freeze, lr_scale, l2;
    double max_seconds = 0, save_every = 300;
    std::int64_t memory = 0;
    std::string stop_when;
    bool full_batch = false, online = false, nesterov = false, write_gradients = false,
         no_decay_bias = false;
    std::string scale;
    // Options that are keys of the configuration as they are: (path, value).
    std::deque<std::pair<std::string, std::string>> keys;
    ModelFileOptions files;
};

void add_key(cli::Command& c, Options& o, const std::string& names, const std::string& path,
             const std::string& value, const std::string& description,
             const std::string& default_text) {
    o.keys.emplace_back(path, "");
    c.option(names, o.keys.back().second, value, description).default_text(default_text);
}

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

// "norm:1" -> clip.mode and clip.value.
void add_clip(const std::string& text, std::vector<Override>& list) {
    const auto parts = split(text, ':');
    const std::string mode = parts[0] == "norm"         ? "global_norm"
                             : parts[0] == "layer-norm" ? "layer_norm"
                             : parts[0] == "value"      ? "value"
                             : parts[0] == "none"       ? "none"
                                                        : "";
    const bool whole = parts.size() == (mode == "none" ? 1 : 2);
    if (mode.empty() || !whole || (parts.size() == 2 && !parse_double(parts[1])))
        throw UsageError("option '--clip': found '" + printable(text, 40) +
                         "'; norm:V, layer-norm:V, value:V or none is expected");
    list.push_back({"clip.mode", quoted(mode)});
    if (parts.size() == 2) list.push_back({"clip.value", parts[1]});
}

void add_stop(const std::string& text, std::vector<Override>& list) {
    const auto below = text.find('<');
    const bool plateau = starts_with(text, "plateau:");
    const std::string number = plateau ? text.substr(8) : text.substr(below + 1);
    if ((!plateau && below == std::string::npos) || !parse_double(number))
        throw UsageError(
            "option '--stop-when': found '" + printable(text, 40) +
            "'; METRIC<V (loss, eval_loss, error, eval_error) or plateau:K is expected");
    if (plateau) {
        list.push_back({"stop.plateau", number});
    } else {
        list.push_back({"stop.metric", quoted(text.substr(0, below))});
        list.push_back({"stop.below", number});
    }
}

void add_checkpoints(const std::string& text, std::vector<Override>& list) {
    const auto settings = training::parse_checkpoints(text);
    std::vector<std::string> steps;
    for (const Index step : settings.list) steps.push_back(std::to_string(step));
    list.push_back({"checkpoints", settings.kind == "list" ? "{\"list\":[" + join(steps, ",") + "]}"
                                                           : concat("{\"", settings.kind,
                                                                    "\":", settings.number, "}")});
}

// A number, or a quotient such as 1/255, as JSON.
std::string number_text(const std::string& text, const std::string& option) {
    const auto parts = split(text, '/');
    const auto above = parse_double(parts[0]);
    const auto below = parts.size() == 2 ? parse_double(parts[1]) : std::optional<double>(1);
    if (!above || !below || parts.size() > 2 || *below == 0)
        throw UsageError("option '" + option + "': found '" + printable(text, 40) +
                         "'; a number or a quotient such as 1/255 is expected");
    return shortest(*above / *below);
}

// "LAYER:X" as a change of the key that holds numbers of layers.
Override number_by_layer(const std::string& key, const std::string& option,
                         const std::string& text) {
    const auto colon = text.rfind(':');
    const auto number =
        colon == std::string::npos ? std::nullopt : parse_double(text.substr(colon + 1));
    if (!number)
        throw UsageError("option '" + option + "': found '" + printable(text, 40) +
                         "'; LAYER:X is expected");
    return {key + "." + text.substr(0, colon), shortest(*number)};
}

// The keys that `words` of an option change, each of them once.
void add_by_layer(const std::string& key, const std::string& option,
                  const std::vector<std::string>& words, std::vector<Override>& list) {
    std::set<std::string> seen;
    for (const std::string& word : words) {
        list.push_back(number_by_layer(key, option, word));
        if (!seen.insert(list.back().path).second)
            throw UsageError("option '" + option + "': '" +
                             printable(list.back().path.substr(key.size() + 1), 40) +
                             "' is given twice");
    }
}

bool gives(const Options& o, const std::string& path) {
    return std::any_of(o.keys.begin(), o.keys.end(),
                       [&](const auto& key) { return key.first == path && !key.second.empty(); });
}

std::vector<Override> overrides_of(const Options& o) {
    if (gives(o, "steps") && gives(o, "epochs"))
        throw UsageError("option '--epochs': given beside --steps; one is expected");
    std::vector<Override> list;
    // First, so that --set task.KEY changes the task that is named.
    if (!o.task.empty()) list.push_back({"task", quoted(o.task)});
    const auto set = set_overrides(o.set);
    list.insert(list.end(), set.begin(), set.end());
    if (!o.data.empty()) list.push_back({"data", o.data});
    if (!o.model.empty()) list.push_back({"model", o.model});
    for (const auto& [path, value] : o.keys)
        if (!value.empty()) list.push_back({path, value});
    for (const auto& [given, path] : {std::pair{o.full_batch, "full_batch"},
                                      {o.online, "online"},
                                      {o.nesterov, "optimizer.nesterov"},
                                      {o.write_gradients, "write_gradients"}})
        if (given) list.push_back({path, "true"});
    if (o.no_decay_bias) list.push_back({"optimizer.decay_bias", "false"});
    if (!o.scale.empty()) list.push_back({"preprocess.scale", number_text(o.scale, "--scale")});
    if (!o.checkpoints.empty()) add_checkpoints(o.checkpoints, list);
    if (!o.clip.empty()) add_clip(o.clip, list);
    if (!o.stop_when.empty()) add_stop(o.stop_when, list);
    if (!o.lr_schedule.empty()) list.push_back({"schedule", o.lr_schedule});
    if (!o.freeze.empty()) list.push_back({"freeze", "[\"" + join(o.freeze, "\",\"") + "\"]"});
    add_by_layer("lr_scale", "--lr-scale", o.lr_scale, list);
    std::vector<std::string> penalties;
    for (const auto& one : o.l2) penalties.push_back(parse_double(one) ? "*:" + one : one);
    add_by_layer("l2", "--l2", penalties, list);
    return list;
}

std::string address_text(const hdf5::Address& address) {
    return address.file + (address.path.empty() ? "" : ":" + address.path);
}

struct Configuration {
    TrainingConfig config;
    std::optional<hdf5::Group> repeated; // the root of the run that is repeated
};

// The configuration of --config; the input, where there is one, are the data.
TrainingConfig read_document(const Options& o, std::vector<Override> overrides, bool named,
                             cli::Context& context) {
    const hdf5::Address input = context.input_address();
    if (!input.is_stream() && named)
        throw UsageError("option '" + std::string(o.data.empty() ? "--task" : "--data") +
                         "': given beside the data '" + address_text(input) + "'");
    if (!input.is_stream()) overrides.insert(overrides.begin(), {"data", address_text(input)});
    context.note_foreign(o.document.file);
    try {
        TrainingConfig c = training::read_config(o.document.text, overrides, o.document.file);
        if (c.data.empty() && !c.task) c.data = "-";
        return c;
    } catch (const UsageError&) {
        throw;
    } catch (const Error& e) {
        throw UsageError(e.what()); // whatever --config names is part of the command line
    }
}

// What the input is: a configuration, a run to repeat, or data.
Configuration read_configuration(const Options& o, cli::Context& context) {
    const auto overrides = overrides_of(o);
    const bool named = !o.task.empty() || !o.data.empty();
    if (!o.document.text.empty()) return {read_document(o, overrides, named, context), {}};
    if (context.input_address().is_stream() && named)
        return {training::read_config("", overrides, "command line"), {}};
    const hdf5::Address input = context.input_address();
    if (!cli::Context::is_hdf5(input)) {
        const std::string text = read_text_file(input.file);
        context.note_foreign(input.file);
        TrainingConfig c = training::read_config(text, overrides, input.file);
        if (c.data.empty() && !c.task) c.data = "-";
        return {std::move(c), {}};
    }
    const hdf5::Group root = context.open(input).root();
    if (input.path.empty() && root.has_group("/run") && !named) {
        const auto training = root.group("/run").read_text("training");
        if (training)
            return {training::read_config(*training, overrides, input.name() + ":/run"), root};
    }
    TrainingConfig c = training::read_config("", overrides, "command line");
    if (!c.task && c.data.empty()) c.data = address_text(input);
    return {std::move(c), {}};
}

void warn_of_changed_data(const hdf5::Group& repeated, const training::TrainingData& data,
                          const TrainingConfig& c, cli::Context& context) {
    const std::string digest = repeated.group("/run").text_attribute("data_digest").value_or("");
    if (c.task || !training::comparable(digest) || digest == data.survey.digest) return;
    context.monitor().warn(c.data + ": these are not the data that the run of " +
                           context.input_address().name() + " learnt from");
}

void report(const training::RunResult& result, const TrainingConfig& c, cli::Context& context) {
    context.report("parameters", static_cast<std::int64_t>(result.parameters));
    context.report("steps", static_cast<std::int64_t>(result.steps),
                   "(" + result.stop_reason + ")");
    context.report("loss", result.last_loss, c.loss + ", last batch");
    if (result.l2_penalty) context.report("l2 penalty", *result.l2_penalty, "of the last weights");
    if (result.eval_loss) context.report("test loss", *result.eval_loss);
    if (result.eval_accuracy && std::isfinite(*result.eval_accuracy))
        context.report("test accuracy", *result.eval_accuracy);
    context.report("checkpoints", static_cast<std::int64_t>(result.state.checkpoints.size()));
    if (context.keeps_timing())
        context.report("speed", std::round(result.samples_per_second), "samples/s");
}

// Makes a run file of what stood before; returns what the message says of it.
std::string keep_diverged(const training::RunResult& until, const TrainingConfig& c,
                          const training::TrainingData& data, const training::RunFolder& folder,
                          const hdf5::Group* before, cli::Context& context) {
    const std::string place = context.state_directory();
    if (place.empty() || !context.keeps_state()) return "";
    const std::string name = place + "/" + training::kDivergedRun;
    std::filesystem::create_directories(place); // a resumed run may not have got as far
    hdf5::OutputFile file(name, hdf5::Existing::replace, context.compression(), {});
    write_run(file.root(), c, data, folder, until, before, hdf5::Timings::leave_out);
    file.commit();
    return "; the run before is in " + name;
}

// The root of the run file that is gone on with.
std::optional<hdf5::Group> earlier_run(cli::Context& context) {
    if (!context.resuming()) return std::nullopt;
    if (context.state_directory().empty())
        throw UsageError("--resume needs -o FILE or --state DIR");
    if (context.writes_to_stdout() || !std::filesystem::exists(context.output_target()))
        return std::nullopt;
    return hdf5::File::open(context.output_target(), context.output_target()).root();
}

void run(const Options& o, cli::Context& context) {
    auto [c, repeated] = read_configuration(o, context);
    training::TrainingData data = load_training_data(c, memory_use(context, o.memory), context);
    if (repeated) warn_of_changed_data(*repeated, data, c, context);
    const auto overrides = overrides_of(o);
    const bool model_given = std::any_of(overrides.begin(), overrides.end(),
                                         [](const Override& one) { return one.path == "model"; });
    const std::string named_in = model_given               ? ""
                                 : o.document.file.empty() ? context.input_address().name()
                                                           : o.document.file;
    auto start = load_network(o.files, c, data, repeated, named_in, context);
    training::resolve_loss(c, data);
    const auto earlier = earlier_run(context);
    const hdf5::Group* before = earlier ? &*earlier : nullptr;
    training::resolve_spans(c, data,
                            context.resuming()
                                ? training::saved_configuration(context.state_directory(), before)
                                : std::nullopt);
    training::RunFolder saved(context.state_directory(), describe_run(c, data));
    // Of ranks that share the sums one keeps the checkpoints.
    training::RunFolder folder(context.keeps_state() ? context.state_directory() : "",
                               describe_run(c, data));
    std::optional<training::RunState> resumed;
    if (context.resuming()) {
        resumed = saved.resume(before);
        if (!resumed) context.monitor().info("there is no saved state; the run starts anew");
    }
    const training::RunLimits limits{o.save_every, o.max_seconds};
    const ranks::Together together;
    training::RunResult result;
    try {
        result = training::train(c, data, std::move(start), std::move(resumed), folder, limits,
                                 context.execution());
    } catch (const training::Diverged& e) {
        throw Error(e.what() + keep_diverged(e.until, c, data, folder, before, context));
    }
    if (!ranks::first()) return;
    const Phase phase(context.monitor(), "assemble the run");
    write_run(context.output(), c, data, folder, result, before,
              context.keeps_timing() ? hdf5::Timings::keep : hdf5::Timings::leave_out);
    for (const auto& file : folder.files()) context.discard_when_done(file);
    report(result, c, context);
}

} // namespace

cli::Command train() {
    auto o = std::make_shared<Options>();
    cli::Command c("train", "train a network and keep checkpoints of every stage");
    c.describe(
        "INPUT is a configuration (JSON), a run to repeat bit for bit, or data (train/inputs, "
        "train/targets, test/...). --config takes a file of options or such a configuration, also "
        "one that a run file holds, beside which INPUT are the data. Options change keys of the "
        "configuration; --set reaches any. "
        "The run file holds the resolved configuration, checkpoints along the schedule, metrics, "
        "and the state from which a longer run goes on (--resume --force with more --steps).");
    c.input("CONFIG.json, run, or data");
    c.output(cli::OutputKind::hdf5,
             {{"/model", "the last checkpoint: architecture, weights/<layer>/<parameter>"},
              {"/run/checkpoints/<step>", "weights at the kept steps"},
              {"/run/metrics", "loss, accuracy, learning rate, norms by layer"},
              {"/run/preprocessing", "what was done to the data: scale, mean, factor, held_out"},
              {"/run/training", "attribute: the resolved configuration"},
              {"/data/test, /truth", "of a built-in task"}});
    c.takes_document(o->document);
    c.resumable();
    c.together();
    c.group("What is trained on what");
    c.option("--model", o->model, "FILE|WORD",
             "architecture or model file, or linear, mlp:64,64, conv:16,32, gru:64, ...");
    c.option("--data", o->data, "FILE[:/group]", "splits train and test");
    c.option("--task", o->task, "NAME", "a built-in task (see checkpoint tasks)");
    add_key(c, *o, "--preset", "task.preset", "NAME", "of the task: sets some of its parameters",
            "none");
    add_key(c, *o, "--samples", "samples", "N", "training samples of a built-in task",
            "1024, or a batch");
    c.flag("--online", o->online, "fresh samples of the task at every step");
    c.option("--scale", o->scale, "X", "inputs are multiplied by it: 0.5, 1/255").default_text("1");
    add_key(c, *o, "--standardize", "preprocess.standardize", "WORD",
            "none, pixel, pixel_mean, channel or global; statistics of the training split", "none");
    add_key(c, *o, "--train-fraction", "preprocess.train_fraction", "X",
            "of the training split that is learnt from; the rest is held out for evaluation",
            "the splits of the data");
    add_key(c, *o, "--loss", "loss", "NAME", "loss", "by the targets, or the task's");
    add_key(
        c, *o, "--init", "init", "LAW",
        "auto, he, he-uniform, glorot, glorot-uniform, lecun, orthogonal:G, identity, normal:S, "
        "small:S, balanced:S, zeros, torch:S, file",
        "auto");
    add_key(c, *o, "--precision", "precision", "WORD", "float32 or float64", "float32");
    add_key(c, *o, "--seed", "seed", "N", "of initial weights, order, noise", "0");
    c.group("How");
    add_key(c, *o, "--steps", "steps", "N", "updates", "none");
    add_key(c, *o, "--epochs", "epochs", "X", "passes over the training split", "none");
    add_key(c, *o, "--batch-size", "batch_size", "N", "samples a step", "64");
    c.flag("--full-batch", o->full_batch, "all samples at every step");
    add_key(c, *o, "--sampling", "sampling", "WORD", "epoch, replacement, sequential", "epoch");
    add_key(c, *o, "--last-batch", "last_batch", "WORD",
            "drop, or keep: what is left of an epoch is a smaller batch", "drop");
    add_key(c, *o, "--optimizer", "optimizer.name", "NAME",
            "sgd, rmsprop, adagrad, adam, adamw, radam", "sgd");
    add_key(c, *o, "--learning-rate", "optimizer.learning_rate", "X", "", "0.01; adaptive: 0.001");
    add_key(c, *o, "--momentum", "optimizer.momentum", "X", "of sgd", "0");
    c.flag("--nesterov", o->nesterov, "Nesterov's form of momentum");
    add_key(c, *o, "--weight-decay", "optimizer.weight_decay", "X", "", "0");
    add_key(c, *o, "--decay-mode", "optimizer.decay_mode", "WORD", "l2 or decoupled", "l2");
    c.flag("--no-decay-bias", o->no_decay_bias,
           "biases and parameters of normalisations do not decay");
    c.option(
        "--lr-schedule", o->lr_schedule, "JSON",
        R"(such as {"name": "cosine"} or {"name": "exponential", "rate": 0.5, "period": 700})");
    c.option("--clip", o->clip, "MODE:V", "norm:V, layer-norm:V, value:V or none");
    add_repeated(c, "--freeze", o->freeze, "LAYER", "layers that stay as they are; globs");
    add_repeated(c, "--lr-scale", o->lr_scale, "LAYER:X", "factor on a layer's learning rate");
    add_repeated(c, "--l2", o->l2, "[LAYER:]X",
                 "X/2 times the sum of squares of the layer's weights (globs; layer/array for any "
                 "array: */bias) is learnt beside the loss, before --clip; without LAYER of all "
                 "weights; those that match add up");
    add_key(c, *o, "--truncate", "truncate", "K",
            "recurrent layers: gradients end at steps that are multiples of K (the state goes on); "
            "0: at the start",
            "0");
    add_key(c, *o, "--rate-penalty", "rate_penalty", "X",
            "recurrent layers: X/2 times the mean square of their rates is learnt beside the loss",
            "0");
    add_key(c, *o, "--rule", "rule.name", "NAME", "learning rule: bp", "bp");
    add_key(c, *o, "--noise-variance", "rule.noise.variance", "V",
            "noise after every update, times the learning rate", "0");
    add_key(c, *o, "--noise-distribution", "rule.noise.distribution", "LAW", "normal or uniform",
            "normal");
    add_key(c, *o, "--noise-target", "rule.noise.target", "WORD", "feedback or all", "feedback");
    add_key(c, *o, "--on-nonfinite", "on_nonfinite", "WORD",
            "stop, or halve: go back to the last state with half the learning rate", "stop");
    add_repeated(c, "--set", o->set, "KEY=VALUE", "any key of the configuration: a.b.c=VALUE");
    c.group("What is kept");
    c.option("--checkpoints", o->checkpoints, "SCHEDULE",
             "every:K, log:N, decade:N, pow2[:K] or list:a,b,c")
        .default_text("log:32");
    add_key(c, *o, "--metrics-every", "metrics.every", "K", "steps between logged metrics", "10");
    add_key(c, *o, "--top-k", "metrics.top_k", "K",
            "accuracy: a class among the K largest outputs is right", "1");
    add_key(c, *o, "--eval-every", "evaluate.every", "K", "steps between evaluations; 0: none",
            "100");
    add_key(c, *o, "--eval-split", "evaluate.split", "NAME", "", "test");
    c.flag(
        "--write-gradients", o->write_gradients,
        "the gradient of the update that led to each kept step too: of the weights and the batch "
        "of the step before, after clipping");
    c.option("--stop-when", o->stop_when, "RULE", "METRIC<V, or plateau:K looks without a gain");
    c.option("--max-seconds", o->max_seconds, "S", "stop after this time; --resume goes on")
        .range(0)
        .execution_only();
    c.option("--save-every", o->save_every, "S", "seconds between resumable states")
        .range(0)
        .execution_only();
    c.memory_limit(o->memory);
    c.memory(
        "parameters x (12 bytes + 4 for each state of the optimiser; float64: 24 + 8): weights, "
        "gradient and, for the cosine of logged steps, the change before + twice the "
        "activations of a batch + the splits as they are stored. Batches of some hundred "
        "samples in a large network have up to three gradients more, --on-nonfinite halve keeps "
        "a copy of weights and states, weights of a file (--init file) are read as float64, and "
        "a run without a state folder (-o -) keeps its checkpoints in memory. Splits beyond "
        "--memory stay on disk: contiguous datasets are read in "
        "place, others are unpacked once into a temporary file (in $TMPDIR). Samples are "
        "then read in the order of training, the next batch ahead; the bits are the same. "
        "The training split has --memory first, the evaluation split what is left.");
    declare_model_file(c, o->files);
    c.example("Digits, two hidden layers",
              "checkpoint train --data digits.h5 --model mlp:64,64 --epochs 20 --momentum 0.9 "
              "--set preprocess.scale=0.0625 -o run.h5");
    c.example("A recurrent memory, from nothing",
              "checkpoint train --task flipflop --online --model gru:32 --steps 2000 --optimizer "
              "adam --learning-rate 0.003 --clip norm:1 -o flipflop.h5");
    c.reference("kunin2020");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace checkpoint_app
