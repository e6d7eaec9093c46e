#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network_io.hpp>
#include <assay/network/sample_file_io.hpp>
#include <assay/training/run_io.hpp>

#include <algorithm>
#include <fstream>

namespace tools {

using namespace assay;

namespace {
constexpr std::size_t kMostText = std::size_t{64} << 20;
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
    c.option("--forget-bias", o.forget_bias, "X",
             "TensorFlow 1: the constant in the forget gate, which files do not hold");
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

formats::OpenedModel open_model(const formats::Opener& opener, const hdf5::Address& address,
                                const ModelFileOptions& o, const std::string& checkpoint,
                                Monitor& monitor) {
    formats::ModelOptions options;
    options.architecture =
        o.architecture.empty() ? o.architecture_text : read_text_file(o.architecture);
    options.key = o.key;
    options.cell = o.cell;
    options.keras_backend = o.keras_backend;
    options.keras1_bn = o.keras1_bn;
    options.forget_bias = o.forget_bias;
    options.checkpoint = checkpoint;
    for (const auto& one : o.treat) {
        const auto equals = one.find('=');
        if (equals == std::string::npos || equals == 0)
            throw UsageError("option '--treat': found '" + printable(one, 40) +
                             "'; NAME=FUNCTION is expected");
        options.treat.emplace_back(one.substr(0, equals), one.substr(equals + 1));
    }
    auto opened = formats::open_model(address, options, opener);
    for (const auto& note : opened.notes) monitor.info(note);
    return opened;
}

formats::OpenedModel open_model(cli::Context& context, const hdf5::Address& address,
                                const ModelFileOptions& o, const std::string& checkpoint) {
    if (!o.architecture.empty()) context.note_foreign(o.architecture);
    const formats::Opener opener{
        [&](const hdf5::Address& a) -> hdf5::InputFile& { return context.open(a); },
        [&](const std::string& name) { context.note_foreign(name); }};
    return open_model(opener, address, o, checkpoint, context.monitor());
}

hdf5::Group data_group(cli::Context& context, const hdf5::Address& address) {
    return data_group(context.open(address), address);
}

hdf5::Group data_group(const hdf5::InputFile& file, const hdf5::Address& address) {
    const hdf5::Group root = file.root();
    const std::string path = address.path.empty() ? "/data" : address.path;
    if (!root.has_group(path))
        throw Error(address.name() + ": there is no group " + path +
                    " with splits (train/{inputs,targets}, ...)");
    return root.group(path);
}

namespace {

// The group of a split, or of data that are one split by themselves.
std::optional<hdf5::Group> split_group(const hdf5::Group& data, const std::string& name) {
    if (data.has_dataset("inputs") && (name == "train" || name.empty())) return data;
    if (name.empty() || !data.has_group(name)) return std::nullopt;
    return data.group(name);
}

} // namespace

std::optional<network::Samples> read_split(const hdf5::Group& data, const std::string& name) {
    const auto group = split_group(data, name);
    if (!group) return std::nullopt;
    return network::read_samples(*group);
}

MemoryUse memory_use(const cli::Context& context, std::int64_t memory, std::int64_t shares) {
    const double bytes = memory > 0 ? static_cast<double>(memory) : 0.6 * physical_memory();
    return {bytes / static_cast<double>(std::max<std::int64_t>(1, shares)),
            context.spill_directory()};
}

std::shared_ptr<const network::SampleSource>
open_split(const hdf5::Group& data, const std::string& name, MemoryUse& memory) {
    const auto group = split_group(data, name);
    if (!group) return nullptr;
    auto split = std::make_shared<network::SampleFile>(*group, memory.bytes, memory.directory);
    memory.bytes -= split->memory();
    return split;
}

std::optional<RunWords> run_words(cli::Context& context, const hdf5::Address& address) {
    if (!cli::Context::is_hdf5(address)) return std::nullopt;
    const hdf5::Group root = context.open(address).root();
    if (!root.has_group("/run")) return std::nullopt;
    const hdf5::Group group = root.group("/run");
    const auto text = group.read_text("training");
    if (!text) return std::nullopt;
    return RunWords{training::read_config(*text, {}, root.where()),
                    training::read_preprocessing(group),
                    group.text_attribute("data_digest").value_or("")};
}

namespace {

struct Part {
    std::shared_ptr<const network::SampleSource> samples;
    std::optional<std::vector<Index>> rows; // none: all
};

// The rows of the training data that the run held out, or what was left to train on, where `split`
// means one of them and `all` are the run's training data; otherwise none, and a warning.
std::optional<std::vector<Index>> rows_apart(const RunWords& run, const network::SampleSource& all,
                                             const std::string& split, const std::string& place,
                                             Monitor& monitor) {
    const auto& held_out = run.preprocessing.held_out;
    const std::string digest = training::survey(all, place).digest;
    if (digest == run.data_digest)
        return split == "train" ? training::other_rows(all.count(), held_out) : held_out;
    monitor.warn(place + ": split '" + split + "' is taken as it stands, for " +
                 (training::comparable(run.data_digest)
                      ? "these are not the training data that the run held a part out of"
                      : "the run tells its training data in an earlier form; whether these are "
                        "those that it held a part out of is unknown"));
    return std::nullopt;
}

// Of a run that held out a part of its training data; no samples where `data` have that split for
// themselves, or no training data.
Part part_apart(const RunWords& run, const hdf5::Group& data, const std::string& split,
                MemoryUse memory, Monitor& monitor) {
    const bool one_split = data.has_dataset("inputs");
    Part part{open_split(data, "train", memory), std::nullopt};
    if (!part.samples) return {};
    part.rows =
        rows_apart(run, *part.samples, split, data.where() + (one_split ? "" : "/train"), monitor);
    if (part.rows)
        monitor.info("split '" + split + "' is the run's part of its training data");
    else if (!one_split && split != "train")
        return {};
    return part;
}

} // namespace

std::shared_ptr<const network::SampleSource> run_source(const hdf5::Group& data,
                                                        const std::string& split,
                                                        const RunWords* run, MemoryUse memory,
                                                        Monitor& monitor) {
    Part part;
    if (run && !run->preprocessing.held_out.empty() &&
        (split == "train" || split == run->config.evaluate_split))
        part = part_apart(*run, data, split, memory, monitor);
    auto& [samples, rows] = part;
    if (!samples) samples = open_split(data, data.has_dataset("inputs") ? "" : split, memory);
    if (!samples) throw Error(data.where() + ": there is no split '" + split + "'");
    if (!run || !run->preprocessing.does_something()) return samples;
    auto prepared = std::make_shared<training::PreparedSamples>(samples, rows, run->preprocessing);
    // A split of another width is a mistake before any number is read.
    at_place(data.where(), [&] { static_cast<void>(network::read_first(*prepared)); });
    monitor.info("inputs are scaled and standardised as in training");
    return prepared;
}

network::Samples run_samples(const hdf5::Group& data, const std::string& split, const RunWords* run,
                             Monitor& monitor) {
    return network::read_all(
        *run_source(data, split, run, {network::SampleFile::kWhole, ""}, monitor));
}

} // namespace tools
