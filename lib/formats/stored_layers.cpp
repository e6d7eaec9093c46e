#include <assay/formats/stored_layers.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace assay::formats {
namespace {

struct Renaming {
    const char *theirs, *ours;
};
constexpr std::array<Renaming, 4> kCellNames{{{"weight_ih", "kernel"},
                                              {"weight_hh", "recurrent"},
                                              {"bias_ih", "bias"},
                                              {"bias_hh", "recurrent_bias"}}};
constexpr std::array<Renaming, 4> kNormalisationNames{{{"weight", "gamma"},
                                                       {"bias", "beta"},
                                                       {"running_mean", "moving_mean"},
                                                       {"running_var", "moving_variance"}}};
constexpr std::array<const char*, 11> kOwnNames{
    "weight", "bias", "kernel",      "recurrent",       "recurrent_bias", "initial_state",
    "gamma",  "beta", "moving_mean", "moving_variance", "alpha"};
// What wrappers put in front: DataParallel, torch.compile, training frameworks.
constexpr std::array<const char*, 3> kWrapperPrefixes{"module.", "_orig_mod.", "model."};

template <std::size_t N>
std::optional<std::string> renamed(const std::array<Renaming, N>& names, const std::string& name) {
    for (const auto& [theirs, ours] : names)
        if (name == theirs) return ours;
    return std::nullopt;
}

void strip_wrappers(NamedArrays& arrays) {
    for (bool again = !arrays.empty(); again;) {
        again = false;
        for (const std::string prefix : kWrapperPrefixes) {
            const bool everywhere =
                std::all_of(arrays.begin(), arrays.end(), [&](const NamedArray& a) {
                    return starts_with(a.name, prefix) && a.name.size() > prefix.size();
                });
            if (!everywhere) continue;
            for (auto& a : arrays) a.name.erase(0, prefix.size());
            again = true;
        }
    }
}

void refuse_duplicates(const NamedArrays& arrays, const std::string& where) {
    std::set<std::string> seen;
    for (const auto& a : arrays)
        if (!seen.insert(a.name).second)
            throw Error(where + ": holds '" + printable(a.name) + "' twice");
}

// "encoder.rnn.weight_ih_l1" taken apart.
struct ArrayName {
    std::string layer, parameter; // "encoder.rnn", "kernel"
    std::optional<Index> depth;   // 1
    bool torch_cell = false;
};

bool is_known(const std::string& parameter) {
    return std::find(kOwnNames.begin(), kOwnNames.end(), parameter) != kOwnNames.end() ||
           renamed(kNormalisationNames, parameter).has_value();
}

void parse_cell_name(ArrayName& name, const std::string& whole, const std::string& where) {
    if (ends_with(name.parameter, "_reverse"))
        throw Error(where + ": '" + printable(whole) +
                    "' belongs to a bidirectional layer; cells of one direction are expected");
    if (starts_with(name.parameter, "weight_hr"))
        throw Error(where + ": '" + printable(whole) +
                    "' projects an LSTM's output; LSTMs without projection are expected");
    const auto suffix = name.parameter.find("_l");
    const std::string base = name.parameter.substr(0, suffix);
    const auto ours = renamed(kCellNames, base);
    if (!ours) return;
    if (suffix != std::string::npos) {
        const auto depth = parse_integer(name.parameter.substr(suffix + 2));
        if (!depth || *depth < 0) return;
        name.depth = *depth;
    }
    name.parameter = *ours;
    name.torch_cell = true;
}

ArrayName parse_name(const std::string& whole, const std::string& where) {
    ArrayName name;
    const auto last = whole.find_last_of("./");
    name.layer = last == std::string::npos ? "" : whole.substr(0, last);
    name.parameter = last == std::string::npos ? whole : whole.substr(last + 1);
    // A slash would open a group in our files.
    std::replace(name.layer.begin(), name.layer.end(), '/', '.');
    parse_cell_name(name, whole, where);
    if (last == std::string::npos && !name.torch_cell && !is_known(name.parameter)) {
        name.layer = name.parameter;
        name.parameter = "value";
    }
    return name;
}

std::string cell_name_by_rows(Index blocks) {
    return blocks == 3 ? "gru" : blocks == 4 ? "lstm" : "rnn";
}

// Scale and offset of a normalisation are vectors; weights of anything else have a column or more.
void name_normalisation(StoredLayer& layer) {
    const DenseArray* weight = layer.find("weight", false);
    const bool running = layer.find("running_mean", false) != nullptr;
    const bool pair =
        weight != nullptr && weight->shape.size() == 1 && layer.find("bias", false) != nullptr;
    if (!running && !pair) return;
    for (auto& a : layer.arrays) a.name = renamed(kNormalisationNames, a.name).value_or(a.name);
}

// PyTorch's order of gates.
void name_gates(StoredLayer& layer) {
    if (!layer.reset_after) return;
    for (const char* type : {"gru", "lstm"})
        if (layer.blocks_of_rows() == cell_type(type)->gates) layer.gates = cell_type(type)->order;
}

// A layer saved alone has no name.
void name_bare_layer(StoredLayer& layer) {
    if (!layer.stack.empty()) return;
    layer.stack = layer.is_cell() ? cell_name_by_rows(layer.blocks_of_rows()) : "layer";
    layer.name = layer.stack + layer.name;
}

// Names become text of an architecture and groups of our files.
void expect_text(const std::string& name, const std::string& where) {
    const bool odd = name.empty() || name == "." ||
                     std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 32; });
    try {
        static_cast<void>(nlohmann::json(name).dump()); // throws where it is no UTF-8
        if (!odd) return;
    } catch (const nlohmann::json::exception&) {
    }
    throw Error(where + ": '" + printable(name, 60) + "' is no name of a layer or an array");
}

} // namespace

void check_layer_names(const std::vector<StoredLayer>& layers, const std::string& where) {
    std::set<std::string> seen;
    for (const auto& layer : layers) {
        expect_text(layer.name, where);
        for (const auto& a : layer.arrays) {
            expect_text(a.name, where);
            if (!seen.insert(layer.name + "/" + a.name).second)
                throw Error(where + ": holds two arrays for " + a.name + " of layer '" +
                            printable(layer.name) + "'");
        }
    }
}

namespace {

std::vector<ArrayName> parse_names(const NamedArrays& arrays, const std::string& where) {
    std::vector<ArrayName> names;
    for (const auto& a : arrays) names.push_back(parse_name(a.name, where));
    return names;
}

// Layers of stacks with more than one carry their place in the name.
std::set<std::string> deep_stacks(const std::vector<ArrayName>& names) {
    std::set<std::string> deep;
    for (const auto& name : names)
        if (name.depth.value_or(0) > 0) deep.insert(name.layer);
    return deep;
}

std::vector<StoredLayer> by_layer(NamedArrays arrays, const std::vector<ArrayName>& names) {
    const std::set<std::string> deep = deep_stacks(names);
    std::vector<StoredLayer> layers;
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
        const ArrayName& name = names[i];
        const Index depth = name.depth.value_or(0);
        const bool numbered = name.torch_cell && deep.count(name.layer) != 0;
        const std::string full = numbered ? concat(name.layer, "_l", depth) : name.layer;
        const auto [place, fresh] = places.emplace(full, layers.size());
        if (fresh) layers.push_back({full, {}, name.layer, depth, "", std::nullopt});
        StoredLayer& layer = layers[place->second];
        if (name.torch_cell) layer.reset_after = true;
        layer.arrays.push_back({name.parameter, std::move(arrays[i].array)});
    }
    return layers;
}

} // namespace

const DenseArray* StoredLayer::find(const std::string& parameter, bool normalisation) const {
    for (const auto& a : arrays)
        if (a.name == parameter) return &a.array;
    if (normalisation)
        for (const auto& [theirs, ours] : kNormalisationNames)
            if (parameter == ours) return find(theirs, false);
    return nullptr;
}

bool StoredLayer::is_cell() const {
    return find("kernel", false) != nullptr && find("recurrent", false) != nullptr;
}

Index StoredLayer::blocks_of_rows() const {
    const DenseArray* recurrent = find("recurrent", false);
    if (recurrent == nullptr || recurrent->shape.size() != 2 || recurrent->shape[1] == 0 ||
        recurrent->shape[0] % recurrent->shape[1] != 0)
        return 0;
    return recurrent->shape[0] / recurrent->shape[1];
}

std::string StoredLayer::array_names() const {
    std::vector<std::string> names;
    for (const auto& a : arrays) names.push_back(a.name);
    return printable(join(names, ", "), 100);
}

void keep_without_architecture(const std::vector<StoredLayer>& layers, OpenedModel& opened) {
    for (const auto& layer : layers) {
        for (const auto& [name, array] : layer.arrays)
            keep_parameter(opened, layer.name, name, array);
        if (!layer.gates.empty()) opened.model.gates.push_back({layer.name, layer.gates});
    }
    opened.notes.emplace_back("weights only: --architecture FILE.json names the layers");
}

std::vector<StoredLayer> stored_layers(NamedArrays arrays, const std::string& where) {
    arrays.erase(std::remove_if(
                     arrays.begin(), arrays.end(),
                     [](const NamedArray& a) { return ends_with(a.name, "num_batches_tracked"); }),
                 arrays.end());
    strip_wrappers(arrays);
    refuse_duplicates(arrays, where);
    const auto names = parse_names(arrays, where);
    std::vector<StoredLayer> layers = by_layer(std::move(arrays), names);
    for (auto& layer : layers) {
        name_normalisation(layer);
        name_gates(layer);
        name_bare_layer(layer);
    }
    check_layer_names(layers, where);
    return layers;
}

} // namespace assay::formats
