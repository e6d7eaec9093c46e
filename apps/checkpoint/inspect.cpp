// checkpoint inspect: what is in a model file or run.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/sha256.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/provenance.hpp>
#include <assay/network/network.hpp>
#include <assay/training/run_io.hpp>

#include <cmath>
#include <map>

namespace checkpoint_app {
namespace {

using namespace assay;

struct Options {
    bool digest = false, digest_all = false, script = false;
    std::string checkpoint;
    ModelFileOptions files;
};

std::string shape_words(const network::Shape& shape) {
    std::vector<std::string> parts;
    for (const Index extent : shape) parts.push_back(std::to_string(extent));
    return parts.empty() ? "-" : join(parts, " x ");
}

double norm_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value * value;
    return std::sqrt(sum);
}

// Columns of equal width.
std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (widths.size() <= i) widths.push_back(0);
            widths[i] = std::max(widths[i], row[i].size());
        }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            text += row[i] + (i + 1 < row.size() ? std::string(widths[i] - row[i].size() + 2, ' ')
                                                 : std::string("\n"));
    }
    return text;
}

// `-` for the type of an array that the file does not hold.
std::string arrays_text(const formats::OpenedModel& opened, bool digest) {
    std::vector<std::vector<std::string>> rows{{"array", "shape", "type", "norm"}};
    if (digest) rows[0].emplace_back("sha256");
    for (const auto& array : opened.model.parameters) {
        const std::string name = array.layer + "/" + array.name;
        const auto type = opened.types.find(name);
        std::vector<std::string> row{name, shape_words(array.shape),
                                     type == opened.types.end() ? "-" : type->second,
                                     significant(norm_of(array.values), 6)};
        if (digest)
            row.push_back(sha256(array.values.data(), array.values.size() * sizeof(double)));
        rows.push_back(std::move(row));
    }
    return table(rows);
}

Index number_count(const network::Model& model) {
    Index count = 0;
    for (const auto& array : model.parameters) count += static_cast<Index>(array.values.size());
    return count;
}

// All arrays of numbers but durations and provenance.
std::string digests_text(const hdf5::Group& root) {
    std::vector<std::vector<std::string>> rows{{"dataset", "sha256"}};
    for (const auto& path : root.dataset_paths()) {
        const std::string whole = "/" + path.substr(path.find_first_not_of('/'));
        if (starts_with(whole, "/provenance/") || starts_with(whole, "/run/timing/") ||
            !root.dataset(path).numeric())
            continue;
        const auto values = root.dataset(path).read<double>();
        rows.push_back({whole, sha256(values.data(), values.size() * sizeof(double))});
    }
    return "\n" + table(rows);
}

std::string layers_text(const network::Network<double>& network) {
    std::map<std::string, Index> counts;
    for (const auto& entry : network.parameters()) counts[entry.layer] += entry.info.size();
    std::vector<std::vector<std::string>> rows{{"layer", "type", "output", "parameters"}};
    for (Index node = 1; node < network.nodes(); ++node)
        rows.push_back({network.node_name(node), network.node_type(node),
                        shape_words(network.node_tensor(node).shape),
                        std::to_string(counts[network.node_name(node)])});
    return table(rows);
}

void run(const Options& o, cli::Context& context) {
    if (o.script) {
        context.write_document(hdf5::script_of(context.open(context.input_address()).root()));
        return;
    }
    const auto opened = open_model(context, context.input_address(), o.files, o.checkpoint);
    std::string text = "kind: " + opened.kind + "\n";
    for (const auto& [key, value] : opened.metadata)
        text += key + ": " + printable(value, 200) + "\n";
    if (!opened.model.architecture.empty()) {
        const network::Network<double> network(opened.model.architecture);
        text += "input: " + shape_words(network.input().shape) + "\n\n" + layers_text(network);
        std::vector<std::string> unused;
        static_cast<void>(network.load(opened.model, &unused));
        for (const auto& name : unused) text += "not used: " + name + "\n";
    } else {
        text += "no architecture: --architecture FILE.json names one\n";
    }
    text +=
        concat("parameters: ", number_count(opened.model), "\n\n") + arrays_text(opened, o.digest);
    for (const auto& note : opened.notes) text += "note: " + note + "\n";
    std::optional<hdf5::Group> file;
    if (cli::Context::is_hdf5(context.input_address()))
        file = context.open(context.input_address()).root();
    if (file && o.digest_all) text += digests_text(*file);
    if (file && file->has_group("/run") && file->group("/run").has_dataset("steps")) {
        const auto steps = training::run_steps(file->group("/run"));
        text += concat("\nrun: ", steps.size(), " checkpoints, steps ", steps.front(), " to ",
                       steps.back(), "\n");
    }
    context.write_document(text);
}

} // namespace

cli::Command inspect() {
    auto o = std::make_shared<Options>();
    cli::Command c("inspect", "list layers, shapes, norms and digests of a model file");
    c.describe("Reads any model file and says what it holds and what was not understood.");
    c.input("run or model file");
    c.output(cli::OutputKind::document, {});
    c.group("What");
    c.flag("--script", o->script, "the shell script that makes this result again, of any tool's");
    c.flag("--digest", o->digest,
           "SHA-256 of every array of the model, as little-endian float64 in C order");
    c.flag("--digest-all", o->digest_all,
           "the same of every array of an HDF5 file, but for durations and provenance");
    c.option("--checkpoint", o->checkpoint, "STEP", "of a run").default_text("/model");
    declare_model_file(c, o->files);
    c.example("What a downloaded file holds", "checkpoint inspect net.pt");
    c.example("How a result was made", "checkpoint inspect --script fit.h5 >again.sh");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace checkpoint_app
