#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/network/keys.hpp>
#include <assay/network/network.hpp>
#include <assay/network/network_io.hpp>
#include <assay/network/time_steps.hpp>
#include <assay/training/architectures.hpp>
#include <assay/training/config_json.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace checkpoint_app {

using namespace assay;

namespace {

training::NetworkShape network_shape(const training::TrainingData& data) {
    training::NetworkShape shape = training::shape_of(*data.train, data.survey);
    if (!data.task) return shape;
    shape.outputs = data.task->layout().outputs();
    shape.vocabulary = data.task->layout().vocabulary;
    return shape;
}

} // namespace

std::vector<training::Override> set_overrides(const std::vector<std::string>& words) {
    std::vector<training::Override> list;
    for (const auto& one : words) {
        const auto equals = one.find('=');
        if (equals == std::string::npos || equals == 0)
            throw UsageError("option '--set': found '" + printable(one, 40) +
                             "'; a.b.c=VALUE is expected");
        list.push_back({one.substr(0, equals), one.substr(equals + 1)});
    }
    return list;
}

training::TrainingData load_training_data(training::TrainingConfig& c, MemoryUse memory,
                                          cli::Context& context) {
    const Phase phase(context.monitor(), "training data");
    const std::string place = c.data.empty() ? "training data" : c.data + ": train";
    training::TrainingData data;
    if (c.task) {
        data.task = training::make_task(*c.task);
        const Index count = c.online        ? 1
                            : c.samples > 0 ? c.samples
                                            : std::max<Index>(1024, c.batch_size);
        const auto distinct = static_cast<Index>(data.task->layout().distinct);
        const auto samples = [&](Index number, training::Stream stream) {
            return std::make_shared<network::SamplesInMemory>(
                data.task->samples(0, number, stream));
        };
        data.train = samples(distinct > 0 && !c.online && c.samples == 0 ? distinct : count,
                             training::Stream::train);
        if (c.evaluate_split == "train")
            data.held_out = data.train;
        else if (c.evaluate_split == "test")
            data.held_out = samples(kTaskTestSamples, training::Stream::test);
    } else {
        const hdf5::Address address = hdf5::Address::parse(c.data);
        const hdf5::Group group = data_group(context, address);
        data.train = tools::open_split(group, "train", memory);
        if (!data.train)
            throw Error(group.where() + ": there is no split 'train' with inputs and targets");
        if (c.evaluate_split == "train")
            data.held_out = data.train;
        else if (!group.has_dataset("inputs"))
            data.held_out = tools::open_split(group, c.evaluate_split, memory);
        if (c.online) throw Error("online: only a built-in task makes data as training goes on");
    }
    training::prepare(data, c.data_settings, c.seed, place);
    // Only the split that is looked for unasked may be missing.
    if (!data.held_out && c.evaluate_split != training::TrainingConfig().evaluate_split)
        throw Error(place.substr(0, place.rfind(':')) + ": there is no split '" +
                    printable(c.evaluate_split, 60) + "' (evaluate.split)");
    return data;
}

training::RunDescription describe_run(const training::TrainingConfig& c,
                                      const training::TrainingData& data) {
    return {training::config_json(c), c.task ? "task " + c.task->name : c.data, data.survey.digest,
            data.preprocessing};
}

void write_run(hdf5::Group root, const training::TrainingConfig& c,
               const training::TrainingData& data, const training::RunFolder& folder,
               const training::RunResult& result, const hdf5::Group* earlier,
               hdf5::Timings timings) {
    folder.assemble(root, result, earlier, timings == hdf5::Timings::keep);
    root.group("/run").set_attribute("rule", c.rule);
    if (!data.task) return;
    // As they are before preprocessing, like all data.
    training::write_task_samples(root.create_group("/data"), *data.task, "test", kTaskTestSamples,
                                 training::Stream::test, storage_of(c));
    training::write_truth(root.create_group("/truth"), *data.task);
}

network::Storage storage_of(const training::TrainingConfig& c) {
    return c.precision == training::Precision::float32 ? network::Storage::float32
                                                       : network::Storage::float64;
}

namespace {

// The weights to start from; the configuration tells their architecture.
network::Model start_weights(ModelFileOptions files, const training::TrainingConfig& c,
                             cli::Context& context) {
    files.architecture_text = c.architecture;
    return open_model(context, hdf5::Address::parse(c.model), files).model;
}

std::optional<network::Model> find_network(const ModelFileOptions& files,
                                           training::TrainingConfig& c,
                                           const training::TrainingData& data,
                                           const std::optional<hdf5::Group>& repeated,
                                           const std::string& named_in, cli::Context& context) {
    if (!c.architecture.empty()) {
        if (c.model.empty()) return std::nullopt;
        if (repeated) return training::read_checkpoint(*repeated, 0);
        return start_weights(files, c, context);
    }
    if (c.model.empty())
        throw Error("there is no network: --model FILE, or a word such as mlp:64,64 or gru:64");
    if (training::is_architecture_word(c.model) && !std::filesystem::exists(c.model)) {
        const auto shape = at_place(c.data.empty() ? "training data" : c.data + ": train/inputs",
                                    [&] { return network_shape(data); });
        try {
            c.architecture = training::named_architecture(c.model, shape);
        } catch (const Error& e) {
            if (named_in.empty()) throw UsageError(std::string("option '--model': ") + e.what());
            throw Error(named_in + ": model: " + e.what());
        }
        c.model.clear();
        return std::nullopt;
    }
    const hdf5::Address address = hdf5::Address::parse(c.model);
    const bool json = !cli::Context::is_hdf5(address) && ends_with(address.file, ".json");
    if (json) {
        c.architecture = read_text_file(address.file);
        context.note_foreign(address.file);
        at_place(address.file,
                 [&] { static_cast<void>(network::Network<double>(c.architecture)); });
        c.model.clear();
        return std::nullopt;
    }
    auto opened = open_model(context, address, files);
    c.architecture = opened.model.architecture;
    if (c.architecture.empty())
        throw Error(address.name() + ": has weights only; --architecture FILE.json is expected");
    if (c.init == "file") return std::move(opened.model);
    c.model.clear();
    return std::nullopt;
}

} // namespace

std::optional<network::Model> load_network(const ModelFileOptions& files,
                                           training::TrainingConfig& c,
                                           const training::TrainingData& data,
                                           const std::optional<hdf5::Group>& repeated,
                                           const std::string& named_in, cli::Context& context) {
    auto start = find_network(files, c, data, repeated, named_in, context);
    // As the resolved configuration has it, so that a repeated run has the same text.
    c.architecture = network::parse_json(c.architecture, "architecture").dump();
    c.architecture =
        network::with_steps_of(c.architecture, network::read_first(*data.train).input_shape);
    return start;
}

} // namespace checkpoint_app
