// Forward passes against the published cases of ONNX (Debian's libonnx-testdata) where they are
// installed: every model whose operators are layers here. Inputs that an operator takes as its
// weights become parameters; the first axis of the others is the samples.
#include "onnx.hpp"

#include <assay/network/network.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

using namespace assay;
using namespace assay::network;
using Json = nlohmann::json;
using onnx_test::Node;
using onnx_test::Tensor;
namespace fs = std::filesystem;

namespace {

constexpr const char* kData = "/usr/share/libonnx-testdata/data";

// Why a model is none of this library's.
struct LeftOut : std::runtime_error {
    using std::runtime_error::runtime_error;
};
void need(bool condition, const std::string& what) {
    if (!condition) throw LeftOut(what);
}

// (a, b, ...) -> (b, a, ...): time first to samples first and back.
Tensor first_axes_swapped(const Tensor& t) {
    Tensor result = t;
    std::swap(result.shape[0], result.shape[1]);
    const auto a = static_cast<std::size_t>(t.shape[0]), b = static_cast<std::size_t>(t.shape[1]);
    const std::size_t inner = t.values.size() / std::max<std::size_t>(1, a * b);
    for (std::size_t i = 0; i < a; ++i)
        for (std::size_t j = 0; j < b; ++j)
            std::copy_n(t.values.begin() + static_cast<std::ptrdiff_t>((i * b + j) * inner), inner,
                        result.values.begin() + static_cast<std::ptrdiff_t>((j * a + i) * inner));
    return result;
}

// A graph as an architecture with parameters.
class Translation {
  public:
    Translation(const onnx_test::Graph& graph, const std::vector<Tensor>& inputs) : graph_(graph) {
        for (const auto& constant : graph.constants) constants_[constant.name] = constant;
        need(inputs.size() <= graph.inputs.size(), "inputs of other kinds");
        std::size_t next = 0;
        for (const auto& name : graph.inputs)
            if (!constants_.count(name) && next < inputs.size()) given_[name] = inputs[next++];
        choose_data();
        for (const auto& node : graph.nodes) translate(node);
    }

    // The outputs of the network for an output of the graph, or null where it has none.
    [[nodiscard]] const std::string* layer_of(const std::string& output) const {
        const auto found = layers_.find(output);
        return found == layers_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] bool time_first() const { return time_first_; }
    [[nodiscard]] const Model& model() const { return model_; }
    [[nodiscard]] RowMatrix input() const {
        RowMatrix rows(samples_, 0);
        for (const auto& name : data_) {
            const auto& values = given_.at(name).values;
            const Eigen::Map<const RowMatrix> part(values.data(), samples_,
                                                   static_cast<Index>(values.size()) / samples_);
            RowMatrix wider(samples_, rows.cols() + part.cols());
            wider << rows, part;
            rows = wider;
        }
        return rows;
    }

  private:
    static bool is_weight(const Node& node, std::size_t position) {
        static const std::set<std::string> first_only{"Conv",
                                                      "Gemm",
                                                      "MatMul",
                                                      "BatchNormalization",
                                                      "LayerNormalization",
                                                      "PRelu",
                                                      "RNN",
                                                      "GRU",
                                                      "LSTM",
                                                      "Reshape",
                                                      "Pad",
                                                      "Slice",
                                                      "Clip",
                                                      "Dropout",
                                                      "Squeeze",
                                                      "Unsqueeze"};
        if (node.type == "Gather") return position == 0;
        return position > 0 && first_only.count(node.type) > 0;
    }

    void choose_data() {
        std::set<std::string> weights;
        for (const auto& node : graph_.nodes)
            for (std::size_t i = 0; i < node.inputs.size(); ++i)
                if (is_weight(node, i)) weights.insert(node.inputs[i]);
        for (const auto& name : graph_.inputs) {
            if (!given_.count(name)) continue;
            if (weights.count(name))
                constants_[name] = given_.at(name);
            else
                data_.push_back(name);
        }
        need(!data_.empty(), "no input but weights");
        const bool recurrent = is_recurrent(graph_.nodes[0].type);
        time_first_ = recurrent && graph_.nodes[0].integer("layout", 0) == 0;
        if (time_first_) {
            need(graph_.nodes.size() == 1, "recurrent layers beside others");
            given_[data_[0]] = first_axes_swapped(given_[data_[0]]);
        }
        Json axes;
        Index total = 0;
        for (const auto& name : data_) {
            const auto& t = given_.at(name);
            need(!t.shape.empty() && t.shape[0] > 0 && !t.values.empty(), "scalars");
            if (samples_ == 0) samples_ = t.shape[0];
            need(t.shape[0] == samples_, "inputs of different first axes");
            total += static_cast<Index>(t.values.size()) / samples_;
        }
        if (data_.size() == 1) {
            json_["input"]["shape"] = sample_shape(given_.at(data_[0]));
            if (recurrent) json_["input"]["axes"] = {"time", "feature"};
            layers_[data_[0]] = "input";
            return;
        }
        json_["input"]["shape"] = {total};
        Index at = 0;
        for (const auto& name : data_) {
            const auto shape = sample_shape(given_.at(name));
            const Index size = static_cast<Index>(given_.at(name).values.size()) / samples_;
            const std::string part = add(
                {{"type", "slice"}, {"axis", 0}, {"start", at}, {"stop", at + size}}, {"input"});
            layers_[name] = add({{"type", "reshape"}, {"shape", shape}}, {part});
            at += size;
        }
    }

    static bool is_recurrent(const std::string& type) {
        return type == "RNN" || type == "GRU" || type == "LSTM";
    }
    static Shape sample_shape(const Tensor& t) {
        Shape shape(t.shape.begin() + 1, t.shape.end());
        if (shape.empty()) shape = {1};
        return shape;
    }

    std::string add(Json layer, const std::vector<std::string>& inputs) {
        const std::string name = "l" + std::to_string(json_["layers"].size());
        layer["name"] = name;
        layer["inputs"] = inputs;
        json_["layers"].push_back(layer);
        model_.architecture = json_.dump();
        return name;
    }
    void parameter(const std::string& layer, const std::string& name, const Tensor& t,
                   const Shape& shape) {
        model_.parameters.push_back({layer, name, shape, t.values});
    }
    // The shape of a layer's output for one sample.
    [[nodiscard]] Shape shape_of(const std::string& layer) const {
        if (layer == "input") return json_.at("input").at("shape").get<Shape>();
        const Network<double> network(json_.dump());
        return network.node_tensor(*network.find_node(layer)).shape;
    }
    [[nodiscard]] std::string in(const Node& node, std::size_t i = 0) const {
        need(node.has_input(i), node.type + " without an input");
        const auto found = layers_.find(node.inputs[i]);
        need(found != layers_.end(), node.type + " of constants");
        return found->second;
    }
    [[nodiscard]] const Tensor& weight(const Node& node, std::size_t i) const {
        need(node.has_input(i), node.type + " without weights");
        const auto found = constants_.find(node.inputs[i]);
        need(found != constants_.end(), node.type + " with weights that are computed");
        return found->second;
    }

    void translate(const Node& node) {
        need(node.domain.empty(), "operators of " + node.domain);
        if (node.type == "Constant" && node.has("value")) {
            constants_[node.outputs[0]] = node.attributes.at("value").tensor;
            return;
        }
        static const std::map<std::string, std::string (Translation::*)(const Node&)> rules{
            {"Conv", &Translation::convolution},
            {"MaxPool", &Translation::pool},
            {"AveragePool", &Translation::pool},
            {"GlobalMaxPool", &Translation::global_pool},
            {"GlobalAveragePool", &Translation::global_pool},
            {"BatchNormalization", &Translation::batch_norm},
            {"LayerNormalization", &Translation::layer_norm},
            {"Gemm", &Translation::gemm},
            {"MatMul", &Translation::product},
            {"Softmax", &Translation::softmax},
            {"LogSoftmax", &Translation::softmax},
            {"Flatten", &Translation::flatten},
            {"Reshape", &Translation::reshape},
            {"Squeeze", &Translation::squeeze},
            {"Unsqueeze", &Translation::squeeze},
            {"Transpose", &Translation::transpose},
            {"Concat", &Translation::concatenate},
            {"Pad", &Translation::pad},
            {"Slice", &Translation::slice},
            {"Gather", &Translation::embedding},
            {"PRelu", &Translation::parametric_relu},
            {"RNN", &Translation::recurrent},
            {"GRU", &Translation::recurrent},
            {"LSTM", &Translation::recurrent}};
        if (const auto rule = rules.find(node.type); rule != rules.end())
            layers_[node.outputs[0]] = (this->*rule->second)(node);
        else
            layers_[node.outputs[0]] = elementwise(node);
    }

    std::string elementwise(const Node& node) {
        static const std::map<std::string, std::string> functions{
            {"Relu", "relu"},         {"Sigmoid", "sigmoid"},      {"Tanh", "tanh"},
            {"Elu", "elu"},           {"LeakyRelu", "leaky_relu"}, {"Softplus", "softplus"},
            {"Softsign", "softsign"}, {"Exp", "exponential"},      {"HardSigmoid", "hard_sigmoid"},
            {"Identity", "identity"}, {"Dropout", "identity"}};
        static const std::map<std::string, std::string> merges{
            {"Add", "add"},      {"Sum", "add"},     {"Sub", "subtract"},
            {"Mul", "multiply"}, {"Max", "maximum"}, {"Mean", "average"}};
        if (const auto merge = merges.find(node.type); merge != merges.end()) {
            std::vector<std::string> inputs;
            for (std::size_t i = 0; i < node.inputs.size(); ++i) {
                inputs.push_back(in(node, i));
                need(shape_of(inputs[i]) == shape_of(inputs[0]), node.type + " with broadcasting");
            }
            return add({{"type", merge->second}}, inputs);
        }
        const auto function = functions.find(node.type);
        need(function != functions.end(), node.type);
        Json layer{{"type", "activation"}, {"function", function->second}};
        if (node.type == "Elu") layer["alpha"] = node.number("alpha", 1);
        if (node.type == "LeakyRelu") layer["slope"] = node.number("alpha", 0.01);
        if (node.type == "HardSigmoid")
            need(std::abs(node.number("alpha", 0.2) - 0.2) < 1e-6 &&
                     std::abs(node.number("beta", 0.5) - 0.5) < 1e-6,
                 "HardSigmoid of other slopes");
        if (node.type == "Dropout" && node.has_input(2))
            need(weight(node, 2).values.at(0) == 0, "Dropout in training");
        need(node.type != "Identity" ||
                 given_.count(node.inputs[0]) + layers_.count(node.inputs[0]),
             "Identity of constants");
        return add(layer, {in(node)});
    }

    // kernel, stride, dilation and padding.
    Json windows(const Node& node, const Shape& space, onnx_test::Shape kernel) {
        Json layer;
        const std::size_t axes = space.size();
        const auto ones = onnx_test::Shape(axes, 1);
        auto stride = node.integers("strides"), dilation = node.integers("dilations"),
             pads = node.integers("pads");
        if (stride.empty()) stride = ones;
        if (dilation.empty()) dilation = ones;
        layer["kernel"] = kernel;
        layer["stride"] = stride;
        layer["dilation"] = dilation;
        const std::string automatic = node.text("auto_pad");
        if (automatic == "SAME_UPPER") {
            layer["padding"] = "same";
            return layer;
        }
        Json pairs = Json::array();
        for (std::size_t a = 0; a < axes; ++a) {
            if (automatic == "SAME_LOWER") {
                const Index outputs = (space[a] + stride[a] - 1) / stride[a];
                const Index all = std::max<Index>(
                    0, (outputs - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1 - space[a]);
                pairs.push_back({all - all / 2, all / 2});
            } else {
                pairs.push_back({pads.empty() ? 0 : pads[a], pads.empty() ? 0 : pads[axes + a]});
            }
        }
        layer["padding"] = pairs;
        return layer;
    }
    [[nodiscard]] Shape space_of_input(const Node& node) const {
        const Shape shape = shape_of(in(node));
        need(shape.size() >= 2 && shape.size() <= 4, node.type + " over other than 1 to 3 axes");
        return {shape.begin() + 1, shape.end()};
    }

    std::string convolution(const Node& node) {
        const Shape space = space_of_input(node);
        const Tensor& w = weight(node, 1);
        Json layer = windows(node, space, {w.shape.begin() + 2, w.shape.end()});
        layer["type"] = "conv" + std::to_string(space.size()) + "d";
        layer["filters"] = w.shape[0];
        layer["groups"] = node.integer("group", 1);
        layer["bias"] = node.has_input(2);
        const std::string name = add(layer, {in(node)});
        parameter(name, "weight", w, w.shape);
        if (node.has_input(2)) parameter(name, "bias", weight(node, 2), {w.shape[0]});
        return name;
    }
    std::string pool(const Node& node) {
        need(node.integer("ceil_mode", 0) == 0, node.type + " with ceil_mode");
        Json layer = windows(node, space_of_input(node), node.integers("kernel_shape"));
        layer["type"] = node.type == "MaxPool" ? "max_pool" : "average_pool";
        if (node.type == "AveragePool")
            layer["count_include_pad"] = node.integer("count_include_pad", 0) != 0;
        return add(layer, {in(node)});
    }
    std::string global_pool(const Node& node) {
        static_cast<void>(space_of_input(node));
        return add(
            {{"type", node.type == "GlobalMaxPool" ? "global_max_pool" : "global_average_pool"}},
            {in(node)});
    }
    std::string batch_norm(const Node& node) {
        need(node.integer("training_mode", 0) == 0, "BatchNormalization in training");
        const std::string name =
            add({{"type", "batch_norm"}, {"epsilon", node.number("epsilon", 1e-5)}}, {in(node)});
        std::size_t i = 0;
        for (const char* array : {"gamma", "beta", "moving_mean", "moving_variance"}) {
            const Tensor& t = weight(node, ++i);
            parameter(name, array, t, t.shape);
        }
        return name;
    }
    std::string layer_norm(const Node& node) {
        const Shape shape = shape_of(in(node));
        const auto rank = static_cast<Index>(shape.size()) + 1;
        const Index axis = (node.integer("axis", -1) + rank) % rank;
        need(axis == rank - 1 || axis == 1, "LayerNormalization over some axes");
        const std::string name = add({{"type", "layer_norm"},
                                      {"axes", axis == rank - 1 ? "last" : "all"},
                                      {"epsilon", node.number("epsilon", 1e-5)}},
                                     {in(node)});
        parameter(name, "gamma", weight(node, 1), weight(node, 1).shape);
        Tensor zero = weight(node, 1);
        std::fill(zero.values.begin(), zero.values.end(), 0.0);
        parameter(name, "beta", node.has_input(2) ? weight(node, 2) : zero, weight(node, 1).shape);
        return name;
    }

    // Rows of outputs: weight (units, inputs) from b (inputs, units) or as it is.
    std::string dense(const Node& node, const Tensor& b, bool turned, const Tensor* bias) {
        need(b.shape.size() == 2, node.type + " with other than a matrix");
        const Index inputs = b.shape[turned ? 1 : 0], units = b.shape[turned ? 0 : 1];
        Tensor w = b;
        if (!turned) w = first_axes_swapped(b);
        const std::string name =
            add({{"type", "dense"}, {"units", units}, {"bias", bias != nullptr}}, {in(node)});
        parameter(name, "weight", w, {units, inputs});
        if (bias) parameter(name, "bias", *bias, {units});
        return name;
    }
    std::string gemm(const Node& node) {
        need(node.integer("transA", 0) == 0, "Gemm with transA");
        Tensor b = weight(node, 1);
        for (double& value : b.values) value *= node.number("alpha", 1);
        const bool turned = node.integer("transB", 0) != 0;
        if (!node.has_input(2)) return dense(node, b, turned, nullptr);
        Tensor c = weight(node, 2);
        const auto units = static_cast<std::size_t>(b.shape.at(turned ? 0 : 1));
        if (c.values.size() == 1) c.values.assign(units, c.values[0]);
        need(c.values.size() == units && (c.shape.size() < 2 || c.shape[0] == 1),
             "Gemm with a matrix added");
        for (double& value : c.values) value *= node.number("beta", 1);
        return dense(node, b, turned, &c);
    }
    std::string product(const Node& node) { return dense(node, weight(node, 1), false, nullptr); }

    std::string softmax(const Node& node) {
        const auto rank = static_cast<Index>(shape_of(in(node)).size()) + 1;
        const bool older = graph_.version < 13;
        const Index axis = (node.integer("axis", older ? 1 : -1) + rank) % rank;
        need(axis == rank - 1, node.type + " over other than the last axis");
        return add({{"type", "activation"},
                    {"function", node.type == "Softmax" ? "softmax" : "log_softmax"}},
                   {in(node)});
    }
    std::string flatten(const Node& node) {
        const auto rank = static_cast<Index>(shape_of(in(node)).size()) + 1;
        need((node.integer("axis", 1) + rank) % rank == 1, "Flatten at another axis");
        return add({{"type", "flatten"}}, {in(node)});
    }
    std::string reshaped(const Node& node, const onnx_test::Shape& shape) {
        need(!shape.empty() && shape[0] == samples_, node.type + " across samples");
        Shape sample(shape.begin() + 1, shape.end());
        if (sample.empty()) sample = {1};
        need(*std::min_element(sample.begin(), sample.end()) > 0, "empty arrays");
        return add({{"type", "reshape"}, {"shape", sample}}, {in(node)});
    }
    std::string reshape(const Node& node) {
        onnx_test::Shape shape = node.integers("shape");
        if (node.has_input(1)) {
            shape.clear();
            for (const double extent : weight(node, 1).values)
                shape.push_back(static_cast<std::int64_t>(extent));
        }
        const Shape from = shape_of(in(node));
        Index known = 1, all = samples_;
        for (const Index extent : from) all *= extent;
        for (std::size_t i = 0; i < shape.size(); ++i) {
            if (shape[i] == 0 && node.integer("allowzero", 0) == 0)
                shape[i] = i == 0 ? samples_ : from.at(i - 1);
            if (shape[i] > 0) known *= shape[i];
        }
        for (auto& extent : shape)
            if (extent == -1) extent = all / known;
        return reshaped(node, shape);
    }
    std::string squeeze(const Node& node) {
        onnx_test::Shape axes = node.integers("axes"), shape{samples_};
        if (node.has_input(1))
            for (const double axis : weight(node, 1).values)
                axes.push_back(static_cast<std::int64_t>(axis));
        for (const Index extent : shape_of(in(node))) shape.push_back(extent);
        const bool wider = node.type == "Unsqueeze";
        const auto rank = static_cast<std::int64_t>(shape.size() + (wider ? axes.size() : 0));
        for (auto& axis : axes) axis = (axis + rank) % rank;
        std::sort(axes.begin(), axes.end());
        if (!wider) std::reverse(axes.begin(), axes.end());
        for (const auto axis : axes) {
            need(axis > 0, node.type + " of the first axis");
            if (wider)
                shape.insert(shape.begin() + axis, 1);
            else
                shape.erase(shape.begin() + axis);
        }
        return reshaped(node, shape);
    }
    std::string transpose(const Node& node) {
        const auto order = node.integers("perm");
        need(!order.empty() && order[0] == 0, "Transpose of the first axis");
        Shape axes;
        for (std::size_t i = 1; i < order.size(); ++i) axes.push_back(order[i] - 1);
        return add({{"type", "permute"}, {"axes", axes}}, {in(node)});
    }
    std::string concatenate(const Node& node) {
        std::vector<std::string> inputs;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(in(node, i));
        const auto rank = static_cast<Index>(given_.at(data_[0]).shape.size());
        const Index axis = (node.integer("axis", 1) + rank) % rank;
        need(axis > 0, "Concat of samples");
        return add({{"type", "concatenate"}, {"axis", axis - 1}}, inputs);
    }
    std::string pad(const Node& node) {
        need(node.text("mode").empty() || node.text("mode") == "constant",
             "Pad by other than a constant");
        onnx_test::Shape pads = node.integers("pads");
        double value = node.number("value", 0);
        if (node.has_input(1))
            for (const double one : weight(node, 1).values)
                pads.push_back(static_cast<std::int64_t>(one));
        if (node.has_input(2)) value = weight(node, 2).values.at(0);
        const std::size_t rank = pads.size() / 2;
        need(value == 0 && rank >= 3, "Pad by other than zeros around images");
        Json pairs = Json::array();
        for (std::size_t axis = 0; axis < rank; ++axis) {
            need(pads[axis] >= 0 && pads[axis + rank] >= 0 &&
                     (axis > 1 || pads[axis] + pads[axis + rank] == 0),
                 "Pad of samples or channels");
            if (axis > 1) pairs.push_back({pads[axis], pads[axis + rank]});
        }
        return add({{"type", "zero_padding"}, {"padding", pairs}}, {in(node)});
    }
    std::string slice(const Node& node) {
        std::vector<onnx_test::Shape> lists{
            node.integers("starts"), node.integers("ends"), node.integers("axes"), {}};
        for (std::size_t i = 0; i < lists.size(); ++i)
            if (node.has_input(i + 1))
                for (const double one : weight(node, i + 1).values)
                    lists[i].push_back(static_cast<std::int64_t>(one));
        std::string name = in(node);
        for (std::size_t i = 0; i < lists[0].size(); ++i) {
            const Shape shape = shape_of(name);
            const auto rank = static_cast<std::int64_t>(shape.size()) + 1;
            const auto axis =
                ((lists[2].empty() ? static_cast<std::int64_t>(i) : lists[2][i]) + rank) % rank;
            const std::int64_t step = lists[3].empty() ? 1 : lists[3][i];
            const std::int64_t extent =
                axis == 0 ? samples_ : shape[static_cast<std::size_t>(axis - 1)];
            const auto bound = [&](std::int64_t at) {
                return std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent);
            };
            const auto start = bound(lists[0][i]), stop = bound(lists[1][i]);
            need(step > 0 && stop > start, "Slice backwards or empty");
            if (axis == 0) {
                need(start == 0 && stop == samples_ && step == 1, "Slice of samples");
                continue;
            }
            name = add({{"type", "slice"},
                        {"axis", axis - 1},
                        {"start", start},
                        {"stop", stop},
                        {"step", std::min(step, extent)}},
                       {name});
        }
        return name;
    }
    std::string embedding(const Node& node) {
        const Tensor& w = weight(node, 0);
        need(node.integer("axis", 0) == 0 && w.shape.size() == 2, "Gather of other than rows");
        const auto& tokens = given_.at(data_[0]).values;
        need(*std::min_element(tokens.begin(), tokens.end()) >= 0, "Gather from the end");
        // (layer input has the node's second place)
        need(node.has_input(1) && layers_.count(node.inputs[1]), "Gather of constants");
        const std::string name =
            add({{"type", "embedding"}, {"vocabulary", w.shape[0]}, {"units", w.shape[1]}},
                {layers_.at(node.inputs[1])});
        parameter(name, "weight", w, w.shape);
        return name;
    }
    std::string parametric_relu(const Node& node) {
        const Tensor& slope = weight(node, 1);
        need(slope.values.size() == 1, "PRelu of several slopes");
        return add({{"type", "activation"}, {"function", "leaky_relu"}, {"slope", slope.values[0]}},
                   {in(node)});
    }

    std::string recurrent(const Node& node) {
        const std::string direction = node.text("direction");
        need(direction.empty() || direction == "forward", node.type + " backwards");
        for (const char* key : {"activations", "activation_alpha", "activation_beta", "clip"})
            need(!node.has(key), node.type + std::string(" with ") + key);
        const Shape shape = shape_of(in(node));
        if (node.has_input(4))
            for (const double length : weight(node, 4).values)
                need(length == static_cast<double>(shape[0]), node.type + " of different lengths");
        for (std::size_t i = 5; i < 8; ++i)
            if (node.has_input(i))
                for (const double value : weight(node, i).values)
                    need(value == 0, node.type + (i == 7 ? " with peepholes" : " from a state"));
        static const std::map<std::string, std::pair<std::string, std::string>> kinds{
            {"RNN", {"rnn", ""}}, {"GRU", {"gru", "z,r,n"}}, {"LSTM", {"lstm", "i,o,f,g"}}};
        const auto& [type, gates] = kinds.at(node.type);
        const Tensor &w = weight(node, 1), &r = weight(node, 2);
        const Index units = r.shape[2];
        const bool after = node.integer("linear_before_reset", 0) != 0;
        Json layer{{"type", type}, {"units", units}, {"return_sequences", true}};
        if (type == "gru") layer["reset_after"] = after;
        layer["bias"] = layer["recurrent_bias"] = node.has_input(3);
        const std::string name = add(layer, {in(node)});
        parameter(name, "kernel", w, {w.shape[1], w.shape[2]});
        parameter(name, "recurrent", r, {r.shape[1], r.shape[2]});
        if (node.has_input(3)) {
            Tensor first = weight(node, 3), second = first;
            const auto half = static_cast<std::ptrdiff_t>(first.values.size() / 2);
            first.values.resize(static_cast<std::size_t>(half));
            second.values.erase(second.values.begin(), second.values.begin() + half);
            parameter(name, "bias", first, {w.shape[1]});
            parameter(name, "recurrent_bias", second, {w.shape[1]});
        }
        if (!gates.empty()) model_.gates.push_back({name, gates});
        if (node.outputs.size() > 1 && !node.outputs[1].empty())
            layers_[node.outputs[1]] =
                add({{"type", "slice"}, {"axis", 0}, {"start", shape[0] - 1}}, {name});
        return name;
    }

    const onnx_test::Graph& graph_;
    std::map<std::string, Tensor> constants_, given_;
    std::vector<std::string> data_; // inputs that are no weights
    std::map<std::string, std::string> layers_;
    Json json_{{"layers", Json::array()}};
    Model model_;
    Index samples_ = 0;
    bool time_first_ = false;
};

std::vector<Tensor> tensors_of(const fs::path& folder, const std::string& kind) {
    std::vector<Tensor> list;
    for (int i = 0;; ++i) {
        const fs::path file = folder / (kind + "_" + std::to_string(i) + ".pb");
        if (!fs::exists(file)) return list;
        list.push_back(onnx_test::read_tensor(onnx_test::read_file(file.string())));
    }
}

// Compares a case; returns how many outputs were.
int compare(const fs::path& folder) {
    const auto graph = onnx_test::read_model((folder / "model.onnx").string());
    need(!graph.nodes.empty(), "no operator");
    const fs::path data = folder / "test_data_set_0";
    const Translation translation(graph, tensors_of(data, "input"));
    const Network<double> network(translation.model().architecture);
    const auto weights = network.load(translation.model());
    Pass<double> pass(network);
    const RowMatrix input = translation.input();
    static_cast<void>(pass.forward(weights, input, {}));
    const auto outputs = tensors_of(data, "output");
    int compared = 0;
    for (std::size_t i = 0; i < outputs.size() && i < graph.outputs.size(); ++i) {
        const std::string* layer = translation.layer_of(graph.outputs[i]);
        if (!layer) continue;
        Tensor expected = outputs[i];
        // (time, direction, sample, unit) -> (sample, time, unit); of one direction.
        if (translation.time_first() && expected.shape.size() == 4) {
            expected.shape.erase(expected.shape.begin() + 1);
            expected = first_axes_swapped(expected);
        }
        const auto& found = pass.activation(*network.find_node(*layer));
        INFO(folder.filename().string() << " output " << i);
        REQUIRE(found.size() == static_cast<Index>(expected.values.size()));
        const Eigen::Map<const RowMatrix> wanted(expected.values.data(), found.rows(),
                                                 found.cols());
        CHECK((found - wanted).cwiseAbs().maxCoeff() <= 1e-5 * (1 + wanted.cwiseAbs().maxCoeff()));
        ++compared;
    }
    need(compared > 0, "outputs of other kinds");
    return compared;
}

} // namespace

TEST_CASE("forward passes agree with the published cases of ONNX", "[network][onnx]") {
    if (!fs::exists(kData)) {
        WARN("libonnx-testdata is not installed: nothing compared");
        return;
    }
    std::map<std::string, int> left_out;
    int models = 0, passed = 0;
    for (const char* kind : {"node", "pytorch-converted", "pytorch-operator", "simple"})
        for (const auto& entry : fs::directory_iterator(fs::path(kData) / kind)) {
            ++models;
            try {
                static_cast<void>(compare(entry.path()));
                ++passed;
            } catch (const LeftOut& reason) {
                ++left_out[reason.what()];
            } catch (const Error& e) {
                // A shape or a type of tensor that no layer takes.
                ++left_out[std::string("refused: ") + e.what()];
            }
        }
    std::string list;
    for (const auto& [reason, count] : left_out) list += concat("\n  ", count, "  ", reason);
    INFO("of " << models << " models " << passed << " were compared; left out:" << list);
    CHECK(passed >= 200);
    if (std::getenv("ASSAY_ONNX_LIST")) WARN("compared " << passed << " of " << models << list);
}
