#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network.hpp>
#include <assay/network/network_io.hpp>
#include <assay/training/architectures.hpp>

#include <filesystem>
#include <fstream>

namespace checkpoint_app {

using namespace assay;

namespace {
constexpr std::size_t kMostText = std::size_t{64} << 20;

training::NetworkShape network_shape(const training::TrainingData& data) {
    training::NetworkShape shape = training::shape_of(data.train);
    if (!data.task) return shape;
    shape.outputs = data.task->layout().outputs();
    shape.vocabulary = data.task->layout().vocabulary;
    return shape;
}

} // namespace

void add_repeated(cli::Command& c, const std::string& name, std::vector<std::string>& target,
                  const std::string& value, const std::string& description) {
    c.option(name, target, value, description + " (may be repeated)");
    cli::OptionSpec& spec = c.declaration().options.back();
    spec.list = false;
    auto* const list = &target;
    spec.set = [list](const std::string& text) {
        for (const auto& one : split(text, '\n'))
            if (!one.empty()) list->push_back(one);
    };
    spec.show = [list] { return join(*list, "\n"); };
}

void declare_model_file(cli::Command& c, ModelFileOptions& o) {
    c.group("Model files");
    c.option("--architecture", o.architecture, "FILE.json",
             "architecture, where the file has weights only");
    c.option("--key", o.key, "NAME", "PyTorch: the entry that holds the state dict");
    c.option("--cell", o.cell, "NAME",
             "recurrent cell where the file does not tell: rnn-relu, gru");
    add_repeated(c, "--treat", o.treat, "NAME=FUNCTION",
                 "Keras: a custom layer stands for identity or an activation");
    c.option("--keras-backend", o.keras_backend, "NAME",
             "theano or tensorflow, where the file does not tell");
    c.option("--keras1-bn", o.keras1_bn, "WORD",
             "std: Keras before 1.1, whose running_std is no variance");
}

std::string read_text_file(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Error(file + ": cannot be opened");
    std::string text(kMostText + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMostText) throw Error(file + ": larger than 64 MiB of text");
    return text;
}

formats::OpenedModel open_model(cli::Context& context, const hdf5::Address& address,
                                const ModelFileOptions& o, const std::string& checkpoint) {
    formats::ModelOptions options;
    if (!o.architecture.empty()) {
        options.architecture = read_text_file(o.architecture);
        context.note_foreign(o.architecture);
    }
    options.key = o.key;
    options.cell = o.cell;
    options.keras_backend = o.keras_backend;
    options.keras1_bn = o.keras1_bn;
    options.checkpoint = checkpoint;
    for (const auto& one : o.treat) {
        const auto equals = one.find('=');
        if (equals == std::string::npos || equals == 0)
            throw UsageError("option '--treat': found '" + printable(one, 40) +
                             "'; NAME=FUNCTION is expected");
        options.treat.emplace_back(one.substr(0, equals), one.substr(equals + 1));
    }
    const formats::Opener opener{
        [&](const hdf5::Address& a) -> hdf5::InputFile& { return context.open(a); },
        [&](const std::string& name) { context.note_foreign(name); }};
    auto opened = formats::open_model(address, options, opener);
    for (const auto& note : opened.notes) context.monitor().info(note);
    return opened;
}

hdf5::Group data_group(cli::Context& context, const hdf5::Address& address) {
    const hdf5::Group root = context.open(address).root();
    const std::string path = address.path.empty() ? "/data" : address.path;
    if (!root.has_group(path))
        throw Error(address.name() + ": there is no group " + path +
                    " with splits (train/{inputs,targets}, ...)");
    return root.group(path);
}

std::optional<network::Samples> read_split(const hdf5::Group& data, const std::string& name) {
    if (data.has_dataset("inputs") && (name == "train" || name.empty()))
        return network::read_samples(data); // one split by itself
    if (name.empty() || !data.has_group(name)) return std::nullopt;
    return network::read_samples(data.group(name));
}

training::TrainingData load_training_data(training::TrainingConfig& c, cli::Context& context) {
    training::TrainingData data;
    if (c.task) {
        data.task = training::make_task(*c.task);
        const Index count = c.online ? 1 : std::max<Index>(1024, c.batch_size);
        const auto distinct = static_cast<Index>(data.task->layout().distinct);
        data.train = data.task->samples(0, distinct > 0 && !c.online ? distinct : count,
                                        training::Stream::train);
        data.held_out = data.task->samples(0, kTaskTestSamples, training::Stream::test);
    } else {
        const hdf5::Address address = hdf5::Address::parse(c.data);
        const hdf5::Group group = data_group(context, address);
        auto train = read_split(group, "train");
        if (!train)
            throw Error(group.where() + ": there is no split 'train' with inputs and targets");
        data.train = std::move(*train);
        data.held_out =
            group.has_dataset("inputs") ? std::nullopt : read_split(group, c.evaluate_split);
        if (c.online) throw Error("online: only a built-in task makes data as training goes on");
    }
    training::prepare(data, c.data_settings, c.seed);
    return data;
}

training::RunDescription describe_run(const training::TrainingConfig& c,
                                      const training::TrainingData& data) {
    return {training::config_json(c), c.task ? "task " + c.task->name : c.data, data.digest,
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
        try {
            c.architecture = training::named_architecture(c.model, network_shape(data));
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
