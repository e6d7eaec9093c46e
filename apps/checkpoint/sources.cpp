#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network.hpp>
#include <assay/network/network_io.hpp>
#include <assay/training/architectures.hpp>

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

training::TrainingData load_training_data(training::TrainingConfig& c, MemoryUse memory,
                                          cli::Context& context) {
    const Phase phase(context.monitor(), "training data");
    const std::string place = c.data.empty() ? "training data" : c.data + ": train";
    training::TrainingData data;
    if (c.task) {
        data.task = training::make_task(*c.task);
        const Index count = c.online ? 1 : std::max<Index>(1024, c.batch_size);
        const auto distinct = static_cast<Index>(data.task->layout().distinct);
        const auto samples = [&](Index number, training::Stream stream) {
            return std::make_shared<network::SamplesInMemory>(
                data.task->samples(0, number, stream));
        };
        data.train = samples(distinct > 0 && !c.online ? distinct : count, training::Stream::train);
        data.held_out = samples(kTaskTestSamples, training::Stream::test);
    } else {
        const hdf5::Address address = hdf5::Address::parse(c.data);
        const hdf5::Group group = data_group(context, address);
        data.train = tools::open_split(group, "train", memory);
        if (!data.train)
            throw Error(group.where() + ": there is no split 'train' with inputs and targets");
        if (!group.has_dataset("inputs"))
            data.held_out = c.evaluate_split == "train"
                                ? data.train
                                : tools::open_split(group, c.evaluate_split, memory);
        if (c.online) throw Error("online: only a built-in task makes data as training goes on");
    }
    training::prepare(data, c.data_settings, c.seed, place);
    return data;
}

training::RunDescription describe_run(const training::TrainingConfig& c,
                                      const training::TrainingData& data) {
    return {training::config_json(c), c.task ? "task " + c.task->name : c.data, data.survey.digest,
            data.preprocessing};
}

std::optional<network::Model> load_network(const ModelFileOptions& files,
                                           training::TrainingConfig& c,
                                           const training::TrainingData& data,
                                           const std::string& named_in, cli::Context& context) {
    if (!c.architecture.empty()) return std::nullopt;
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

} // namespace checkpoint_app
