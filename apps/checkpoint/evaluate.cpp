// checkpoint evaluate: loss, accuracy, confusion and outputs of checkpoints on data.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/evaluation.hpp>
#include <assay/network/network_io.hpp>
#include <assay/training/run_io.hpp>

#include <cmath>

namespace checkpoint_app {
namespace {

using namespace assay;

struct Options {
    std::string checkpoint, data, split = "test", loss;
    bool outputs = false, raw = false;
    training::Precision precision = training::Precision::float64;
    double scale = 1;
    std::int64_t top_k = 1;
    ModelFileOptions files;
};

struct Source {
    Index step = -1; // of a run; -1: the model itself
    network::Model model;
};

std::vector<Source> sources(const Options& o, cli::Context& context) {
    const hdf5::Address address = context.input_address();
    if (!o.checkpoint.empty()) {
        const hdf5::Group root = context.open(address).root();
        if (!root.has_group("/run"))
            throw Error(address.name() + ": holds no run, from which --checkpoint could choose");
        std::vector<Source> list;
        for (const Index step :
             training::choose_steps(training::run_steps(root.group("/run")), o.checkpoint))
            list.push_back({step, training::read_checkpoint(root, step)});
        return list;
    }
    return {{-1, open_model(context, address, o.files).model}};
}

// The samples, and --scale.
network::Samples samples_of(const Options& o, const std::optional<RunWords>& run,
                            cli::Context& context) {
    hdf5::Address address = context.input_address();
    if (!o.data.empty())
        address = hdf5::Address::parse(o.data);
    else
        address.path.clear();
    const hdf5::Group group = data_group(context, address);
    const RunWords* const prepares =
        run && !o.raw && run->preprocessing.does_something() ? &*run : nullptr;
    if (prepares && o.scale != 1)
        throw UsageError("option '--scale': the run scales inputs itself (/run/preprocessing); "
                         "--no-preprocessing leaves that out");
    network::Samples samples = run_samples(group, o.split, prepares, context.monitor());
    samples.inputs *= o.scale;
    return samples;
}

// The loss that the run was trained with, unless one is named.
network::Loss loss_for(const Options& o, const std::optional<RunWords>& run,
                       const network::Samples& samples) {
    network::Loss loss = network::loss_of(!o.loss.empty()           ? o.loss
                                          : run                     ? run->config.loss
                                          : samples.classes.empty() ? "mse"
                                                                    : "softmax_cross_entropy");
    loss.top_k = o.top_k;
    if (run) loss.epsilon = run->config.epsilon;
    return loss;
}

template <class S>
network::EvaluationResult evaluate_as(const Source& source, const network::Samples& samples,
                                      const network::Loss& loss, const Execution& run) {
    return network::evaluate<S>(source.model, samples, loss, run);
}

void run(const Options& o, cli::Context& context) {
    const auto list = sources(o, context);
    const auto words = run_words(context, context.input_address());
    const network::Samples samples = samples_of(o, words, context);
    const network::Loss loss = loss_for(o, words, samples);
    std::vector<std::int64_t> steps;
    std::vector<double> losses, accuracies;
    std::optional<hdf5::Group> group;
    if (context.has_output()) group = context.output().create_group("/checkpoint/evaluate");
    for (const auto& source : list) {
        const auto result = o.precision == training::Precision::float32
                                ? evaluate_as<float>(source, samples, loss, context.execution())
                                : evaluate_as<double>(source, samples, loss, context.execution());
        steps.push_back(source.step);
        losses.push_back(result.loss);
        accuracies.push_back(result.accuracy);
        if (!group) continue;
        hdf5::Group one =
            source.step < 0 ? *group : group->create_group(training::step_name(source.step));
        if (result.confusion.size() > 0)
            one.write("confusion", Matrix(result.confusion),
                      {"true_class,predicted_class", "", "counts of rows"});
        if (o.outputs) {
            network::Shape shape = result.output_shape;
            shape.insert(shape.begin(), result.outputs.rows());
            one.write("outputs", result.outputs.data(), shape, {"", "", "what the network says"});
        }
    }
    if (group) {
        group->write("step", steps, {"checkpoint", "", "-1: the model itself"});
        group->write("loss", losses, {"checkpoint", "", network::loss_name(loss.kind)});
        group->write("accuracy", accuracies,
                     {"checkpoint", "", "share of right classes; NaN where there are none"});
    }
    context.report("samples", static_cast<std::int64_t>(samples.count()));
    if (std::isfinite(losses.back()))
        context.report("loss", losses.back(), network::loss_name(loss.kind));
    if (std::isfinite(accuracies.back())) context.report("accuracy", accuracies.back());
    if (list.size() > 1)
        context.report("checkpoints", static_cast<std::int64_t>(list.size()),
                       concat("losses ", significant(losses.front(), 4), " to ",
                              significant(losses.back(), 4)));
}

} // namespace

cli::Command evaluate() {
    auto o = std::make_shared<Options>();
    cli::Command c("evaluate", "loss, accuracy and outputs of a network on data");
    c.describe("Any model file is read; of a run, --checkpoint chooses which stages. Data are "
               "those of --data, or what the file carries (/data). A run's own preprocessing "
               "(/run/preprocessing) is applied to them: scale, standardisation by the statistics "
               "of its training split, and, where it held out a part of its training data, that "
               "part as its evaluation split.");
    c.input("run or model file");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/checkpoint/evaluate/loss", "of each checkpoint"},
              {"/checkpoint/evaluate/accuracy", "of each checkpoint"},
              {"/checkpoint/evaluate/confusion", "true against predicted classes"},
              {"/checkpoint/evaluate/outputs", "with --outputs"}});
    c.group("What");
    c.option("--checkpoint", o->checkpoint, "WHICH", "STEP, last, all, a list or log:N of a run");
    c.option("--data", o->data, "FILE[:/group]", "a group of splits, or one split")
        .default_text("/data of the input");
    c.option("--split", o->split, "NAME", "which split");
    c.option("--loss", o->loss, "NAME", "loss").default_text("the run's, or by the targets");
    c.option("--top-k", o->top_k, "K", "accuracy: a class among the K largest outputs is right")
        .range(1);
    c.option("--scale", o->scale, "X", "inputs are multiplied by it");
    c.flag("--no-preprocessing", o->raw, "data as they are, whatever the run did to its own");
    c.flag("--outputs", o->outputs, "write the outputs too");
    c.choice<training::Precision>(
        "--precision", o->precision,
        {{"float64", training::Precision::float64}, {"float32", training::Precision::float32}},
        "arithmetic");
    declare_model_file(c, o->files);
    c.example("Learning over training",
              "checkpoint evaluate run.h5 --checkpoint all --data digits.h5 -o curve.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace checkpoint_app
