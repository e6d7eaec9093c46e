// Targets made by a network: teacher, a random perceptron.
#include <assay/training/task_family.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace assay::training {
namespace {

// ---- teacher ----------------------------------------------------------------------------------

struct Layer {
    RowMatrix weight; // out x in
    Vector bias;
};

using Activation = double (*)(double);

Activation activation_of(const std::string& name) {
    if (name == "relu") return [](double z) { return std::max(0.0, z); };
    if (name == "linear") return [](double z) { return z; };
    return [](double z) { return std::tanh(z); };
}

std::vector<Layer> teacher_layers(const Parameters& p, const std::vector<Index>& widths) {
    std::vector<Layer> layers;
    const Random weights = p.random("weights"), biases = p.random("biases");
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
        checked_size({widths[l + 1], widths[l]}, "weights of a layer");
        const double sd = p.number("gain") / std::sqrt(static_cast<double>(widths[l]));
        layers.push_back({normal_matrix(weights, widths[l + 1], widths[l], sd, l),
                          normal_matrix(biases, widths[l + 1], 1, p.number("bias"), l)});
    }
    return layers;
}

Vector teacher_output(const std::vector<Layer>& layers, Activation activation, Vector x) {
    for (std::size_t l = 0; l < layers.size(); ++l) {
        x = layers[l].weight * x + layers[l].bias;
        if (l + 1 < layers.size()) x = x.unaryExpr(activation);
    }
    return x;
}

std::vector<TruthArray> teacher_network_truth(const std::vector<Layer>& layers) {
    std::vector<TruthArray> truth;
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const std::string number = std::to_string(l + 1);
        truth.push_back(truth_matrix("weight_" + number, layers[l].weight, {"out", "in"},
                                     "The teacher's weights of layer " + number));
        const Vector& bias = layers[l].bias;
        truth.push_back(truth_vector("bias_" + number, {bias.data(), bias.data() + bias.size()},
                                     "out", "The teacher's biases of layer " + number));
    }
    return truth;
}

TaskParts make_teacher(const Parameters& p) {
    enum : std::uint64_t { input, noise };
    const auto widths = p.integers("widths");
    if (widths.size() < 2) p.refuse("widths", "a list of two widths or more");
    const auto layers = teacher_layers(p, widths);
    const Activation activation = activation_of(p.word("activation"));
    const double sd = p.number("noise");
    const bool classes = p.word("targets") == "classes";
    if (classes && widths.back() < 2) p.refuse("widths", "a last width of 2 or more for classes");
    TaskParts parts;
    parts.layout = classes ? class_layout(widths.front(), widths.back())
                           : value_layout(widths.front(), widths.back());
    parts.loss = classes ? "softmax_cross_entropy" : "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        for (Index j = 0; j < row.input.cols(); ++j) row.input(0, j) = draws.normal(input, j);
        Vector y = teacher_output(layers, activation, row.input.row(0).transpose());
        for (Index k = 0; sd > 0 && k < y.size(); ++k) y(k) += sd * draws.normal(noise, k);
        if (classes)
            y.maxCoeff(row.classes);
        else
            row.value.row(0) = y.transpose();
    });
    parts.truth = [layers] { return teacher_network_truth(layers); };
    return parts;
}

TaskEntry teacher() {
    return {
        {"teacher",
         "Standard normal inputs; targets by a random multilayer perceptron whose last layer is "
         "linear, as classes (the largest output) or values",
         {integers("widths", "32,64,10", 1, 1e6, "from inputs to outputs"),
          word("activation", {"tanh", "relu", "linear"}, "of the hidden layers"),
          word("targets", {"classes", "values"}, "largest output, or all outputs"),
          number("gain", 1, 0, 1e6, "weights have sd gain / sqrt(inputs of the layer)"),
          number("bias", 0, 0, 1e6, "sd of the biases"),
          number("noise", 0, 0, kAnyNumber,
                 "sd added to the outputs (before the largest is taken)")},
         {}},
        make_teacher};
}

} // namespace

std::vector<TaskEntry> teacher_tasks() {
    return {teacher()};
}

} // namespace assay::training
