#include <assay/formats/architecture.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace assay::formats {
namespace {

using network::Keys;

constexpr std::array<CellType, 7> kCellTypes{{{"rnn", 1, ""},
                                              {"gru", 3, "r,z,n"},
                                              {"lstm", 4, "i,f,g,o"},
                                              {"ugrnn", 2, "u,c"},
                                              {"janet", 2, "f,g"},
                                              {"ctrnn", 1, ""},
                                              {"linear", 1, ""}}};

Index units_of(Keys& keys) {
    return keys.count("units", 1, kMostUnits);
}

std::vector<ExpectedArray> dense_arrays(Keys& keys) {
    const Index units = units_of(keys);
    std::vector<ExpectedArray> arrays{{"weight", {units, kAnyExtent}}};
    if (keys.flag("bias", true)) arrays.push_back({"bias", {units}});
    return arrays;
}

std::vector<ExpectedArray> convolution_arrays(Keys& keys, const std::string& type) {
    const Index filters = keys.count("filters", 1, kMostUnits),
                groups = keys.count("groups", 1, kMostUnits, 1);
    const Index rank = type[4] - '0';
    hdf5::Shape shape{filters, kAnyExtent};
    if (ends_with(type, "_transpose")) shape = {kAnyExtent, filters / groups};
    for (const Index extent : keys.integers("kernel", rank, 1)) shape.push_back(extent);
    std::vector<ExpectedArray> arrays{{"weight", shape}};
    if (keys.flag("bias", true)) arrays.push_back({"bias", {filters}});
    return arrays;
}

std::vector<ExpectedArray> recurrent_arrays(Keys& keys, const CellType& cell) {
    const Index units = units_of(keys), rows = cell.gates * units;
    std::vector<ExpectedArray> arrays{{"kernel", {rows, kAnyExtent}}, {"recurrent", {rows, units}}};
    if (keys.flag("bias", true)) arrays.push_back({"bias", {rows}});
    if (keys.flag("recurrent_bias", false)) arrays.push_back({"recurrent_bias", {rows}});
    if (keys.flag("initial_state", false)) arrays.push_back({"initial_state", {kAnyExtent}});
    return arrays;
}

std::vector<ExpectedArray> expected_arrays(Keys& keys, const std::string& type) {
    if (type == "dense") return dense_arrays(keys);
    if (is_convolution(type)) return convolution_arrays(keys, type);
    if (type == "batch_norm")
        return {{"gamma", {kAnyExtent}},
                {"beta", {kAnyExtent}},
                {"moving_mean", {kAnyExtent}},
                {"moving_variance", {kAnyExtent}}};
    if (type == "layer_norm") return {{"gamma", {}}, {"beta", {}}};
    if (type == "embedding")
        return {{"weight", {keys.count("vocabulary", 1, kMostUnits), units_of(keys)}}};
    if (type == "activation" && keys.text("function") == "parametric_softplus")
        return {{"alpha", {}}, {"beta", {}}};
    if (const CellType* cell = cell_type(type)) return recurrent_arrays(keys, *cell);
    return {};
}

} // namespace

const CellType* cell_type(const std::string& type) {
    const auto* const found = std::find_if(kCellTypes.begin(), kCellTypes.end(),
                                           [&](const CellType& cell) { return cell.type == type; });
    return found == kCellTypes.end() ? nullptr : found;
}

bool is_convolution(const std::string& type) {
    for (const std::string convolution : {"conv1d", "conv2d", "conv3d"})
        if (type == convolution || type == convolution + "_transpose") return true;
    return false;
}

bool is_normalisation(const std::string& type) {
    return type == "batch_norm" || type == "layer_norm";
}

std::vector<ArchitectureLayer> architecture_layers(const nlohmann::json& architecture) {
    Keys root(architecture, "");
    const std::string format = root.text("format", "");
    if (format != "assay-architecture/1")
        root.refuse("format",
                    "expected \"assay-architecture/1\", found \"" + printable(format, 40) + "\"");
    const nlohmann::json& list = root.value("layers");
    if (!list.is_array()) root.refuse("layers", "expected a list of layers");
    std::vector<ArchitectureLayer> layers;
    for (std::size_t i = 0; i < list.size(); ++i) {
        Keys keys(list[i], concat("layers[", i, "]"));
        ArchitectureLayer layer{keys.text("name"), keys.text("type"), {}};
        layer.arrays = expected_arrays(keys, layer.type);
        layers.push_back(std::move(layer));
    }
    return layers;
}

bool fits(const hdf5::Shape& found, const hdf5::Shape& expected) {
    if (expected.empty()) return true;
    return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                      [](Index a, Index b) { return b == kAnyExtent || a == b; });
}

std::string expectation_text(const hdf5::Shape& expected) {
    if (expected.empty()) return "any shape";
    std::vector<std::string> parts;
    for (const Index extent : expected)
        parts.push_back(extent == kAnyExtent ? "any" : std::to_string(extent));
    return join(parts, " x ");
}

} // namespace assay::formats
