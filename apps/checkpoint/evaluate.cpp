// checkpoint evaluate: loss, accuracy, confusion and outputs of checkpoints on data.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/network/evaluation.hpp>
#include <assay/network/network_io.hpp>
#include <assay/network/time_steps.hpp>
#include <assay/training/run_io.hpp>

#include <cmath>
#include <functional>
#include <memory>

namespace checkpoint_app {
namespace {

using namespace assay;

struct Options {
    std::string checkpoint, data, split = "test", loss;
    bool outputs = false, raw = false;
    training::Precision precision = training::Precision::float64;
    double scale = 1;
    std::int64_t top_k = 1, memory = 0;
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
std::shared_ptr<const network::SampleSource>
samples_of(const Options& o, const std::optional<RunWords>& run, cli::Context& context) {
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
    const auto samples =
        run_source(group, o.split, prepares, memory_use(context, o.memory), context.monitor());
    training::Preprocessing scaling;
    scaling.scale = o.scale;
    scaling.inputs = network::read_first(*samples).inputs.cols();
    return std::make_shared<training::PreparedSamples>(samples, std::nullopt, scaling);
}

// The loss that the run was trained with, unless one is named.
network::Loss loss_for(const Options& o, const std::optional<RunWords>& run,
                       const network::SampleSource& samples, const std::string& architecture) {
    const auto usual = [&] {
        return network::usual_loss(network::read_first(samples),
                                   network::Network<double>(architecture).output());
    };
    network::Loss loss = network::loss_of(!o.loss.empty() ? o.loss
                                          : run           ? run->config.loss
                                                          : usual());
    loss.top_k = o.top_k;
    if (run) loss.epsilon = run->config.epsilon;
    return loss;
}

std::string axes_of(const network::TensorInfo& output) {
    static const std::vector<std::string> kSpace{"depth", "height", "width"};
    const std::size_t rank = output.shape.size();
    if (rank == 1) return "sample,output";
    if (output.sequence && rank == 2) return "sample,time,output";
    if (rank > kSpace.size() + 1) return "";
    return "sample,channel," +
           join({kSpace.end() - static_cast<std::ptrdiff_t>(rank - 1), kSpace.end()}, ",");
}

// Takes blocks of outputs to their dataset, which is made with the first of them.
class OutputWriter {
  public:
    OutputWriter(hdf5::Group group, Index samples, std::string axes)
        : group_(std::move(group)), samples_(samples), axes_(std::move(axes)) {}
    void operator()(Index first, const RowMatrix& outputs, network::Shape shape) {
        network::Shape offset(shape.size() + 1, 0);
        shape.insert(shape.begin(), samples_);
        if (!dataset_)
            dataset_ = group_.create<double>("outputs", shape, {axes_, "", "what the network says"},
                                             {}, outputs.data(), outputs.size());
        offset[0] = first;
        shape[0] = outputs.rows();
        dataset_->write_box(offset, shape, outputs.data());
    }

  private:
    hdf5::Group group_;
    Index samples_;
    std::string axes_;
    std::optional<hdf5::Dataset> dataset_;
};

void run(const Options& o, cli::Context& context) {
    auto list = sources(o, context);
    const auto words = run_words(context, context.input_address());
    const auto samples = samples_of(o, words, context);
    for (auto& source : list)
        source.model.architecture = network::with_steps_of(
            source.model.architecture, network::read_first(*samples).input_shape);
    const network::Loss loss = loss_for(o, words, *samples, list[0].model.architecture);
    training::warn_of_doubled_output(list[0].model.architecture, loss.kind, context.monitor());
    std::vector<std::int64_t> steps;
    std::vector<double> losses, accuracies;
    std::optional<hdf5::Group> group;
    if (context.has_output()) group = context.output().create_group("/checkpoint/evaluate");
    for (const auto& source : list) {
        const Phase phase(context.monitor(),
                          source.step < 0 ? "outputs" : concat("outputs at step ", source.step));
        std::optional<hdf5::Group> one;
        if (group)
            one = source.step < 0 ? *group : group->create_group(training::step_name(source.step));
        std::optional<OutputWriter> writer;
        if (one && o.outputs)
            writer.emplace(*one, samples->count(),
                           axes_of(network::Network<double>(source.model.architecture).output()));
        const network::OutputSink sink =
            writer ? network::OutputSink(std::ref(*writer)) : network::OutputSink();
        const auto result =
            o.precision == training::Precision::float32
                ? network::evaluate<float>(source.model, *samples, loss, sink, context.execution())
                : network::evaluate<double>(source.model, *samples, loss, sink,
                                            context.execution());
        steps.push_back(source.step);
        losses.push_back(result.loss);
        accuracies.push_back(result.accuracy);
        if (one && result.confusion.size() > 0)
            one->write("confusion", Matrix(result.confusion),
                       {"true_class,predicted_class", "", "counts of rows"});
    }
    if (group) {
        group->write("step", steps, {"checkpoint", "", "-1: the model itself"});
        group->write("loss", losses, {"checkpoint", "", network::loss_name(loss.kind)});
        group->write("accuracy", accuracies,
                     {"checkpoint", "", "share of right classes; NaN where there are none"});
    }
    context.report("samples", static_cast<std::int64_t>(samples->count()));
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
    c.memory_limit(o->memory);
    declare_model_file(c, o->files);
    c.example("Learning over training",
              "checkpoint evaluate run.h5 --checkpoint all --data digits.h5 -o curve.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace checkpoint_app
