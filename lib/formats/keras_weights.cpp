#include <assay/formats/keras_weights.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

namespace assay::formats {
namespace {

constexpr std::array<const char*, 17> kRoles{"kernel",
                                             "recurrent_kernel",
                                             "bias",
                                             "gamma",
                                             "beta",
                                             "moving_mean",
                                             "moving_variance",
                                             "embeddings",
                                             "depthwise_kernel",
                                             "pointwise_kernel",
                                             "running_mean",
                                             "running_std",
                                             "alphas",
                                             "betas",
                                             "W",
                                             "U",
                                             "b"};

bool is_role(const std::string& name) {
    return std::find(kRoles.begin(), kRoles.end(), name) != kRoles.end();
}

// Keras 1 keeps each gate's arrays apart: W_i, U_i, b_i.
bool is_gate_role(const std::string& name) {
    return name.size() == 3 && name[1] == '_' && std::string("WUb").find(name[0]) < 3 &&
           std::islower(static_cast<unsigned char>(name[2])) != 0;
}

std::string without_counter(const std::string& name) {
    const auto digits = name.find_last_not_of("0123456789");
    const bool counted = digits != std::string::npos && digits + 1 < name.size() && digits > 0 &&
                         name[digits] == '_';
    return counted ? name.substr(0, digits) : name;
}

DenseArray transposed(const DenseArray& array) {
    return permuted(array, {1, 0});
}

void expect_rank(const DenseArray& array, std::size_t rank, const std::string& what) {
    if (array.shape.size() != rank)
        throw Error(concat(what, " is ", hdf5::shape_text(array.shape), "; ", rank,
                           " dimensions are expected"));
}

// --- convolutions ---

// (k..., in, out) -> (out, in, k...).
DenseArray filters_first(const DenseArray& kernel) {
    const std::size_t rank = kernel.shape.size();
    std::vector<std::size_t> axes(rank);
    axes[0] = rank - 1;
    axes[1] = rank - 2;
    std::iota(axes.begin() + 2, axes.end(), std::size_t{0});
    return permuted(kernel, axes);
}

// All spatial axes reversed: the numbers of one filter and channel stand together.
void rotate(DenseArray& weight) {
    if (weight.values.empty()) return;
    const Index block = std::accumulate(weight.shape.begin() + 2, weight.shape.end(), Index{1},
                                        std::multiplies<>());
    for (auto at = weight.values.begin(); at != weight.values.end(); at += block)
        std::reverse(at, at + block);
}

DenseArray convolution_weight(DenseArray kernel, const KernelLayout& layout) {
    DenseArray weight = layout.filters_first ? std::move(kernel) : filters_first(kernel);
    if (layout.rotated) rotate(weight);
    return weight;
}

// (k..., in, multiplier) -> (in * multiplier, 1, k...): groups of one channel.
DenseArray depthwise_weight(const DenseArray& kernel, const KernelLayout& layout) {
    const std::size_t rank = kernel.shape.size();
    if (rank < 3)
        throw Error("depthwise_kernel is " + hdf5::shape_text(kernel.shape) +
                    "; 3 dimensions or more are expected");
    std::vector<std::size_t> axes{rank - 2, rank - 1};
    for (std::size_t i = 0; i + 2 < rank; ++i) axes.push_back(i);
    DenseArray weight = permuted(kernel, axes);
    weight.shape[0] = hdf5::element_count({weight.shape[0], weight.shape[1]}, "depthwise_kernel");
    weight.shape[1] = 1;
    if (layout.rotated) rotate(weight);
    return weight;
}

// --- recurrent layers ---

const DenseArray* find(const KerasArrays& arrays, const std::string& role) {
    const auto found = std::find_if(arrays.begin(), arrays.end(),
                                    [&](const KerasArray& a) { return a.role == role; });
    return found == arrays.end() ? nullptr : &found->array;
}

// Arrays of one gate below each other: rows of the result are gates*units.
DenseArray stacked_rows(const KerasArrays& arrays, char letter, std::string& gates) {
    DenseArray all{{}, {}};
    for (const auto& [role, array] : arrays) {
        if (!is_gate_role(role) || role[0] != letter) continue;
        expect_rank(array, letter == 'b' ? 1 : 2, role);
        const DenseArray rows = letter == 'b' ? array : transposed(array);
        all.type = rows.type;
        if (all.shape.empty())
            all.shape = rows.shape;
        else if (letter != 'b' && all.shape.back() != rows.shape.back())
            throw Error(role + " is " + hdf5::shape_text(array.shape) +
                        "; the shape of the other gates is expected");
        else
            all.shape[0] += rows.shape[0];
        all.values.insert(all.values.end(), rows.values.begin(), rows.values.end());
        gates += role[2];
    }
    if (all.shape.empty()) throw Error(std::string("has no arrays ") + letter + "_*");
    if (letter == 'b') all.shape = {static_cast<Index>(all.values.size())};
    return all;
}

// Letters of Keras -> names of our gates: z,r,h and i,f,c,o.
std::string gate_names(const std::string& letters) {
    const bool lstm = letters.find('c') != std::string::npos;
    std::vector<std::string> names;
    for (const char letter : letters)
        names.emplace_back(1, lstm && letter == 'c' ? 'g' : letter == 'h' ? 'n' : letter);
    return join(names, ",");
}

void convert_gates_apart(StoredLayer& layer, const KerasArrays& arrays) {
    std::string letters, recurrent_letters, bias_letters;
    layer.arrays.push_back({"kernel", stacked_rows(arrays, 'W', letters)});
    layer.arrays.push_back({"recurrent", stacked_rows(arrays, 'U', recurrent_letters)});
    layer.arrays.push_back({"bias", stacked_rows(arrays, 'b', bias_letters)});
    if (letters != recurrent_letters || letters != bias_letters)
        throw Error("its arrays name the gates " + letters + ", " + recurrent_letters + " and " +
                    bias_letters + "; the same ones are expected");
    layer.gates = gate_names(letters);
    layer.reset_after = false;
}

void add_recurrent_bias(StoredLayer& layer, const DenseArray& bias, Index rows) {
    const auto size = static_cast<Index>(bias.values.size());
    if (size == rows) {
        layer.arrays.push_back({"bias", {{rows}, bias.values, bias.type}});
        return;
    }
    if (size != 2 * rows)
        throw Error(concat("bias is ", hdf5::shape_text(bias.shape), "; ", rows, " or 2 x ", rows,
                           " numbers are expected"));
    const auto middle = bias.values.begin() + static_cast<std::ptrdiff_t>(rows);
    layer.arrays.push_back({"bias", {{rows}, {bias.values.begin(), middle}, bias.type}});
    layer.arrays.push_back({"recurrent_bias", {{rows}, {middle, bias.values.end()}, bias.type}});
}

void convert_recurrent(StoredLayer& layer, const DenseArray& kernel, const DenseArray& recurrent,
                       const DenseArray* bias) {
    expect_rank(kernel, 2, "kernel");
    expect_rank(recurrent, 2, "recurrent_kernel");
    layer.arrays.push_back({"kernel", transposed(kernel)});
    layer.arrays.push_back({"recurrent", transposed(recurrent)});
    if (bias != nullptr) add_recurrent_bias(layer, *bias, recurrent.shape[1]);
    const Index blocks = layer.blocks_of_rows();
    if (blocks == 3) {
        layer.gates = "z,r,n";
        layer.reset_after = layer.find("recurrent_bias", false) != nullptr;
    }
    if (blocks == 4) layer.gates = "i,f,g,o";
}

// --- everything else ---

std::string our_name(const std::string& role) {
    if (role == "b") return "bias";
    if (role == "running_mean") return "moving_mean";
    if (role == "running_std") return "moving_variance";
    if (role == "alphas") return "alpha";
    if (role == "betas") return "beta";
    return role;
}

NamedArray converted(KerasArray stored, const KernelLayout& layout) {
    const std::string& role = stored.role;
    DenseArray& array = stored.array;
    if (role == "embeddings") return {"weight", std::move(array)};
    if (role == "depthwise_kernel") return {"weight", depthwise_weight(array, layout)};
    if (role != "kernel" && role != "W" && role != "pointwise_kernel")
        return {our_name(role), std::move(array)};
    if (array.shape.size() == 2) return {"weight", transposed(array)};
    if (array.shape.size() < 3) expect_rank(array, 2, role);
    return {"weight", convolution_weight(std::move(array), layout)};
}

} // namespace

std::string keras_role(const std::string& weight_name) {
    const std::string last = weight_name.substr(weight_name.find_last_of('/') + 1);
    const std::string name = last.substr(0, last.find(':'));
    if (is_role(name)) return name;
    if (is_role(without_counter(name))) return without_counter(name);
    if (name.size() > 4 && name[name.size() - 4] == '_' &&
        is_gate_role(name.substr(name.size() - 3)))
        return name.substr(name.size() - 3);
    for (auto at = name.find('_'); at != std::string::npos; at = name.find('_', at + 1))
        if (is_role(name.substr(at + 1))) return name.substr(at + 1);
    return name;
}

StoredLayer converted_layer(const std::string& name, KerasArrays arrays,
                            const KernelLayout& layout) {
    StoredLayer layer{name, {}, name, 0, "", std::nullopt};
    const DenseArray* recurrent = find(arrays, "recurrent_kernel");
    if (recurrent == nullptr) recurrent = find(arrays, "U");
    const DenseArray* kernel = find(arrays, find(arrays, "kernel") != nullptr ? "kernel" : "W");
    const bool apart = std::any_of(arrays.begin(), arrays.end(),
                                   [](const KerasArray& a) { return is_gate_role(a.role); });
    if (apart) {
        convert_gates_apart(layer, arrays);
    } else if (recurrent != nullptr && kernel != nullptr) {
        const DenseArray* bias = find(arrays, find(arrays, "bias") != nullptr ? "bias" : "b");
        convert_recurrent(layer, *kernel, *recurrent, bias);
    } else {
        for (auto& stored : arrays) layer.arrays.push_back(converted(std::move(stored), layout));
    }
    return layer;
}

} // namespace assay::formats
