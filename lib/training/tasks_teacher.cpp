// Targets made by a network: teacher (a random perceptron), linear-teacher (Lampinen, Ganguli 2019,
// arXiv 1809.10374).
#include <assay/training/task_family.hpp>

#include <Eigen/QR>

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

std::vector<TruthArray> teacher_truth(const std::vector<Layer>& layers) {
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
    parts.truth = [layers] { return teacher_truth(layers); };
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

// ---- linear-teacher ---------------------------------------------------------------------------

enum class Inputs { one_hot, orthogonal, gaussian };

// Rows are samples. Modes: W = U diag(s) V^T (N3 x N1).
struct LinearTeacher {
    RowMatrix u, v, w; // N3 x K, N1 x K, N3 x N1
    std::vector<double> s;
    Inputs inputs = Inputs::one_hot;
    RowMatrix basis;      // N1 x N1, rows orthonormal; orthogonal inputs only
    Index items = 0;      // distinct inputs; 0: never the same
    double noise_sd = 0;  // of an entry
    RowMatrix randomized; // items x N3 where targets are replaced
};

// Columns orthonormal, distributed uniformly (signs fixed by those of R's diagonal).
RowMatrix random_orthonormal(const Random& random, Index rows, Index cols) {
    const Eigen::HouseholderQR<Matrix> qr(Matrix(normal_matrix(random, rows, cols, 1)));
    Matrix q = qr.householderQ() * Matrix::Identity(rows, cols);
    for (Index j = 0; j < cols; ++j)
        if (qr.matrixQR()(j, j) < 0) q.col(j) *= -1;
    return q;
}

Inputs inputs_of(const std::string& name) {
    if (name == "orthogonal") return Inputs::orthogonal;
    return name == "gaussian" ? Inputs::gaussian : Inputs::one_hot;
}

void write_input(const LinearTeacher& t, const Draws& draws, Row& row) {
    enum : std::uint64_t { input };
    const Index width = row.input.cols();
    if (t.inputs == Inputs::gaussian) {
        const double sd = 1 / std::sqrt(static_cast<double>(width));
        for (Index j = 0; j < width; ++j) row.input(0, j) = sd * draws.normal(input, j);
        return;
    }
    const auto item = static_cast<Index>(draws.sample() % static_cast<std::uint64_t>(t.items));
    if (t.inputs == Inputs::orthogonal)
        row.input.row(0) = t.basis.row(item);
    else
        row.input(0, item) = 1;
}

void write_target(const LinearTeacher& t, const Draws& draws, Row& row) {
    enum : std::uint64_t { noise = 1 };
    row.value.row(0).noalias() = row.input.row(0) * t.w.transpose();
    for (Index k = 0; t.noise_sd > 0 && k < row.value.cols(); ++k)
        row.value(0, k) += t.noise_sd * draws.normal(noise, k);
}

void write_sample(const LinearTeacher& t, const Draws& draws, Row& row) {
    if (t.randomized.size() == 0) {
        write_input(t, draws, row);
        write_target(t, draws, row);
        return;
    }
    const Draws item = draws.folded(static_cast<std::uint64_t>(t.items));
    write_input(t, item, row);
    row.value.row(0) = t.randomized.row(static_cast<Index>(item.sample()));
}

// Targets that have nothing to do with the inputs: all entries exchanged, or normal numbers of the
// same mean square.
RowMatrix randomized_targets(RowMatrix targets, const std::string& how, const Random& random) {
    if (how == "gaussian") {
        const double sd = std::sqrt(targets.squaredNorm() / static_cast<double>(targets.size()));
        return normal_matrix(random, targets.rows(), targets.cols(), sd);
    }
    const RowMatrix source = targets;
    const auto order = random.permutation(source.size());
    for (Index i = 0; i < source.size(); ++i)
        targets.data()[i] = source.data()[order[static_cast<std::size_t>(i)]];
    return targets;
}

LinearTeacher make_linear(const Parameters& p) {
    const auto sizes = p.integers("sizes");
    if (sizes.size() != 3) p.refuse("sizes", "three sizes N1,N2,N3");
    const Index n1 = sizes.front(), n3 = sizes.back();
    LinearTeacher t;
    t.s = p.numbers("singular_values");
    const auto rank = static_cast<Index>(t.s.size());
    if (rank < 1 || rank > std::min(n1, n3))
        p.refuse("singular_values", concat("a list of 1 to ", std::min(n1, n3), " numbers"));
    checked_size({n3, n1}, "teacher");
    t.u = random_orthonormal(p.random("output_modes"), n3, rank);
    t.v = random_orthonormal(p.random("input_modes"), n1, rank);
    t.w = t.u * Eigen::Map<const Vector>(t.s.data(), rank).asDiagonal() * t.v.transpose();
    t.inputs = inputs_of(p.word("inputs"));
    t.noise_sd = p.number("noise") / std::sqrt(static_cast<double>(n1));
    const Index samples = p.integer("samples") == 0 ? n1 : p.integer("samples");
    const bool replaced = p.word("randomize") != "none";
    if (t.inputs != Inputs::gaussian && samples > n1)
        p.refuse("samples", concat("at most N1 (", n1, ") orthonormal inputs"));
    if (t.inputs != Inputs::gaussian || replaced) t.items = samples;
    if (t.inputs == Inputs::orthogonal) {
        checked_size({n1, n1}, "orthonormal inputs");
        t.basis = random_orthonormal(p.random("inputs"), n1, n1);
    }
    return t;
}

// Singular values of the map that orthonormal inputs show under noise, and where they are lost in
// it (lindyn: Benaych-Georges, Nadakuditi 2012; in units of the noise, A = N3/N1).
double shown_singular_value(double s, double noise, double aspect) {
    if (noise == 0) return s;
    const double q = s / noise, q2 = q * q;
    if (q2 * q2 <= aspect) return noise * (1 + std::sqrt(aspect));
    return noise * std::sqrt((1 + q2) * (aspect + q2)) / q;
}

std::vector<TruthArray> linear_truth(const LinearTeacher& t, double noise) {
    std::vector<TruthArray> truth{
        truth_matrix("W", t.w, {"output", "input"}, "The teacher, W = U diag(s) V^T"),
        truth_matrix("U", t.u, {"output", "mode"}, "Output modes"),
        truth_vector("singular_values", t.s, "mode", "Strengths s of the modes"),
        truth_matrix("V", t.v, {"input", "mode"}, "Input modes")};
    if (t.inputs == Inputs::gaussian || t.items != t.v.rows() || t.randomized.size() > 0)
        return truth;
    std::vector<double> shown;
    const double aspect = static_cast<double>(t.u.rows()) / static_cast<double>(t.v.rows());
    for (const double s : t.s) shown.push_back(shown_singular_value(s, noise, aspect));
    truth.push_back(truth_vector("predicted_singular_values", shown, "mode",
                                 "Of the sum over the N1 inputs of target input^T, with its noise, "
                                 "for large N1"));
    return truth;
}

TaskParts make_linear_teacher(const Parameters& p) {
    auto teacher = std::make_shared<LinearTeacher>(make_linear(p));
    const double noise = p.number("noise");
    TaskParts parts;
    parts.layout = value_layout(teacher->v.rows(), teacher->u.rows());
    parts.loss = "half_squared_error";
    const auto write = [teacher](const Draws& draws, Row& row) {
        write_sample(*teacher, draws, row);
    };
    parts.write = each_sample(parts.layout, write);
    if (p.word("randomize") != "none") {
        const Index items = teacher->items, inputs = teacher->v.rows(), outputs = teacher->u.rows();
        Samples table;
        table.inputs = RowMatrix::Zero(items, checked_size({items, inputs}, "inputs") / items);
        table.values = RowMatrix::Zero(items, checked_size({items, outputs}, "targets") / items);
        parts.write(p.sample_random(Stream::train), 0, table);
        teacher->randomized =
            randomized_targets(table.values, p.word("randomize"), p.random("randomize"));
    }
    if (teacher->items > 0 && (noise == 0 || teacher->randomized.size() > 0))
        parts.layout.distinct = static_cast<std::uint64_t>(teacher->items);
    parts.truth = [teacher, noise] { return linear_truth(*teacher, noise); };
    return parts;
}

TaskEntry linear_teacher() {
    return {
        {"linear-teacher",
         "y = W x + noise with a teacher of low rank W = U diag(s) V^T (N3 x N1), U and V random "
         "orthonormal, noise of variance noise^2 / N1 an entry, fresh for every sample. Sample i "
         "has input i modulo their number, except for gaussian inputs, of variance 1 / N1",
         {integers("sizes", "100,50,50", 1, 1e6,
                   "N1,N2,N3: inputs, hidden units (of the student), outputs"),
          numbers("singular_values", "6,4,2", 0, kAnyNumber, "s, one a mode"),
          number("noise", 1, 0, kAnyNumber, "with 1, s are signal-to-noise ratios"),
          word("inputs", {"one-hot", "orthogonal", "gaussian"}, "unit vectors, or normal numbers"),
          integer("samples", 0, 0, 1e8, "P, distinct inputs; 0: N1"),
          word("randomize", {"none", "entries", "gaussian"},
               "replace the targets of P samples by all their entries exchanged, or by normal "
               "numbers of the same mean square")},
         {}},
        make_linear_teacher};
}

} // namespace

std::vector<TaskEntry> teacher_tasks() {
    return {teacher(), linear_teacher()};
}

} // namespace assay::training
