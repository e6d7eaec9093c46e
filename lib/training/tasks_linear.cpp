// Targets made by linear maps: linear-teacher and linear-pair, also with leaky ReLU units in the
// place of their modes (Lampinen, Ganguli 2019, arXiv 1809.10374), linear-regression (Advani, Saxe
// 2017, arXiv 1710.03667).
#include <assay/linalg/orthonormal.hpp>
#include <assay/linalg/singular_values.hpp>
#include <assay/training/task_family.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

namespace assay::training {
namespace {

// ---- noisy samples of a linear map ------------------------------------------------------------

enum class Inputs { one_hot, orthogonal, gaussian };

// A teacher with one hidden unit a mode, y = out f(in x).
struct HiddenUnits {
    RowMatrix in, out; // K x N1, N3 x K
};

// Rows are samples.
struct NoisyMap {
    RowMatrix w;                      // N3 x N1; of hidden units the best linear map
    std::optional<HiddenUnits> units; // none: the teacher is w itself
    Inputs inputs = Inputs::one_hot;
    RowMatrix basis;      // the items of orthogonal inputs; see orthogonal_items
    Index items = 0;      // samples before the inputs start again; 0: never
    double noise_sd = 0;  // of an entry of the targets
    RowMatrix randomized; // items x N3 where targets are replaced
};

// Columns orthonormal, distributed uniformly.
RowMatrix random_orthonormal(const Random& random, Index rows, Index cols) {
    return linalg::orthonormalised(normal_matrix(random, rows, cols, 1));
}

Inputs inputs_of(const std::string& name) {
    if (name == "orthogonal") return Inputs::orthogonal;
    return name == "gaussian" ? Inputs::gaussian : Inputs::one_hot;
}

TaskParameter input_law() {
    return word("inputs", {"one-hot", "orthogonal", "gaussian"}, "unit vectors, or normal numbers");
}

void write_input(const NoisyMap& t, const Draws& draws, Row& row) {
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
        row.input(0, item % width) = 1;
}

// Up to N1 items are rows of an orthogonal matrix (N1 x N1, all of them), more have orthogonal
// columns: X^T X = P/N1 I.
RowMatrix orthogonal_items(const Random& random, Index items, Index n1) {
    const Index rows = std::max(items, n1);
    checked_size({rows, n1}, "orthogonal inputs");
    return std::sqrt(static_cast<double>(rows) / static_cast<double>(n1)) *
           random_orthonormal(random, rows, n1);
}

// Leaky ReLU of slope 0.2, scaled so that it keeps the mean square of symmetric numbers: strengths
// of modes stay signal-to-noise ratios.
constexpr double kSlope = 0.2;
const double kGain = std::sqrt(2 / (1 + kSlope * kSlope));
RowMatrix rectified(const RowMatrix& z) {
    return kGain * z.cwiseMax(kSlope * z);
}

// The linear map of least squared error on the teacher's inputs: unit vectors, the items of
// `basis`, or Gaussian ones, where E f(v.x) x = E f'(v.x) v / N1 (Stein).
RowMatrix linear_part(const HiddenUnits& units, Inputs inputs, const RowMatrix& basis) {
    if (inputs == Inputs::gaussian) return kGain * (1 + kSlope) / 2 * units.out * units.in;
    if (inputs == Inputs::one_hot) return units.out * rectified(units.in);
    const double per_input = static_cast<double>(basis.cols()) / static_cast<double>(basis.rows());
    return per_input * units.out * rectified(units.in * basis.transpose()) * basis;
}

void write_target(const NoisyMap& t, const Draws& draws, Row& row) {
    enum : std::uint64_t { noise = 1 };
    if (t.units)
        row.value.row(0).noalias() =
            rectified(row.input.row(0) * t.units->in.transpose()) * t.units->out.transpose();
    else
        row.value.row(0).noalias() = row.input.row(0) * t.w.transpose();
    for (Index k = 0; t.noise_sd > 0 && k < row.value.cols(); ++k)
        row.value(0, k) += t.noise_sd * draws.normal(noise, k);
}

void write_sample(const NoisyMap& t, const Draws& draws, Row& row) {
    if (t.randomized.size() == 0) {
        write_input(t, draws, row);
        write_target(t, draws, row);
        return;
    }
    const Draws item = draws.folded(static_cast<std::uint64_t>(t.items));
    write_input(t, item, row);
    row.value.row(0) = t.randomized.row(static_cast<Index>(item.sample()));
}

// Inputs, noise and hidden units of a teacher w = out in by the parameters `inputs`, `noise` and
// `activation`.
NoisyMap noisy_map(const Parameters& p, HiddenUnits units, Index items) {
    const Index n1 = units.in.cols();
    NoisyMap t;
    t.inputs = inputs_of(p.word("inputs"));
    t.noise_sd = p.number("noise") / std::sqrt(static_cast<double>(n1));
    if (t.inputs != Inputs::gaussian) t.items = items;
    if (t.inputs == Inputs::orthogonal) t.basis = orthogonal_items(p.random("inputs"), items, n1);
    if (p.word("activation") == "linear") {
        t.w = units.out * units.in;
    } else {
        t.w = linear_part(units, t.inputs, t.basis);
        t.units = std::move(units);
    }
    return t;
}

TaskParameter activation() {
    return word("activation", {"linear", "leaky_relu"},
                "of one hidden unit a mode; leaky_relu has slope 0.2 and keeps mean squares");
}

TaskParts map_task(const std::shared_ptr<const NoisyMap>& map) {
    TaskParts parts;
    parts.layout = value_layout(map->w.cols(), map->w.rows());
    parts.loss = "half_squared_error";
    parts.write = each_sample(
        parts.layout, [map](const Draws& draws, Row& row) { write_sample(*map, draws, row); });
    if (map->items > 0 && (map->noise_sd == 0 || map->randomized.size() > 0))
        parts.layout.distinct = static_cast<std::uint64_t>(map->items);
    return parts;
}

// N1, N2, N3; the middle one is for the student.
struct Sizes {
    Index inputs = 0, outputs = 0;
};
Sizes sizes_of(const Parameters& p) {
    const auto sizes = p.integers("sizes");
    if (sizes.size() != 3) p.refuse("sizes", "three sizes N1,N2,N3");
    checked_size({sizes.back(), sizes.front()}, "teacher");
    return {sizes.front(), sizes.back()};
}

// W = U diag(s) V^T.
struct Teacher {
    RowMatrix u, v; // N3 x K, N1 x K
    std::vector<double> s;

    [[nodiscard]] Vector strengths() const {
        return Eigen::Map<const Vector>(s.data(), static_cast<Index>(s.size()));
    }
    [[nodiscard]] HiddenUnits units() const {
        return {v.transpose(), u * strengths().asDiagonal()};
    }
};

std::vector<double> checked_strengths(const Parameters& p, std::string_view name, Sizes sizes) {
    auto s = p.numbers(name);
    const Index most = std::min(sizes.inputs, sizes.outputs);
    if (s.empty() || static_cast<Index>(s.size()) > most)
        p.refuse(name, concat("a list of 1 to ", most, " numbers"));
    return s;
}

std::vector<TruthArray> singular_value_truth(const Teacher& t, const std::string& suffix) {
    return {truth_matrix("U" + suffix, t.u, {"output", "mode"}, "Output modes"),
            truth_vector("singular_values" + suffix, t.s, "mode", "Strengths s of the modes"),
            truth_matrix("V" + suffix, t.v, {"input", "mode"}, "Input modes")};
}

// ---- linear-teacher ---------------------------------------------------------------------------

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

void randomize(const Parameters& p, NoisyMap& map) {
    const std::string& how = p.word("randomize");
    if (how == "none") return;
    const Index inputs = map.w.cols(), outputs = map.w.rows();
    if (map.items == 0) map.items = p.integer("samples") == 0 ? inputs : p.integer("samples");
    Samples table;
    table.inputs =
        RowMatrix::Zero(map.items, checked_size({map.items, inputs}, "inputs") / map.items);
    table.values =
        RowMatrix::Zero(map.items, checked_size({map.items, outputs}, "targets") / map.items);
    each_sample(value_layout(inputs, outputs), [&map](const Draws& draws, Row& row) {
        write_sample(map, draws, row);
    })(p.sample_random(Stream::train), 0, table);
    map.randomized = randomized_targets(table.values, how, p.random("randomize"));
}

std::vector<TruthArray> linear_truth(const Teacher& teacher, const NoisyMap& map, double noise) {
    std::vector<TruthArray> truth{truth_matrix("W", map.w, {"output", "input"},
                                               map.units
                                                   ? "The best linear map of the teacher's inputs"
                                                   : "The teacher, W = U diag(s) V^T")};
    for (auto& array : singular_value_truth(teacher, "")) truth.push_back(std::move(array));
    if (map.inputs == Inputs::gaussian || map.items < map.w.cols() || map.randomized.size() > 0 ||
        map.units)
        return truth;
    // With P/N1 I = X^T X, the sum is sqrt(P/N1) times that of N1 inputs and of a teacher so much
    // stronger.
    std::vector<double> shown;
    const auto n1 = static_cast<double>(map.w.cols());
    const double root = std::sqrt(static_cast<double>(map.items) / n1),
                 aspect = static_cast<double>(map.w.rows()) / n1;
    for (const double s : teacher.s)
        shown.push_back(root * shown_singular_value(root * s, noise, aspect));
    truth.push_back(truth_vector("predicted_singular_values", shown, "mode",
                                 "Of the sum over the P samples of target input^T, with its noise, "
                                 "for large N1"));
    return truth;
}

TaskParts make_linear_teacher(const Parameters& p) {
    const Sizes sizes = sizes_of(p);
    Teacher teacher;
    teacher.s = checked_strengths(p, "singular_values", sizes);
    const auto rank = static_cast<Index>(teacher.s.size());
    teacher.u = random_orthonormal(p.random("output_modes"), sizes.outputs, rank);
    teacher.v = random_orthonormal(p.random("input_modes"), sizes.inputs, rank);
    const Index samples = p.integer("samples") == 0 ? sizes.inputs : p.integer("samples");
    if (inputs_of(p.word("inputs")) == Inputs::one_hot && samples > sizes.inputs &&
        samples % sizes.inputs != 0)
        p.refuse("samples",
                 concat("at most N1 (", sizes.inputs, ") unit vectors, or a multiple of them"));
    const auto map = std::make_shared<NoisyMap>(noisy_map(p, teacher.units(), samples));
    randomize(p, *map);
    TaskParts parts = map_task(map);
    const double noise = p.number("noise");
    parts.truth = [teacher, map, noise] { return linear_truth(teacher, *map, noise); };
    return parts;
}

TaskEntry linear_teacher() {
    return {
        {"linear-teacher",
         "y = W x + noise with a teacher of low rank W = U diag(s) V^T (N3 x N1), U and V random "
         "orthonormal, noise of variance noise^2 / N1 an entry, fresh for every sample. Sample i "
         "has input i modulo their number, except for gaussian inputs, of variance 1 / N1. More "
         "than N1 inputs have X^T X = P / N1 I (one-hot: multiples of N1). With "
         "leaky_relu, y = U diag(s) f(V^T x) + noise",
         {integers("sizes", "100,50,50", 1, 1e6,
                   "N1,N2,N3: inputs, hidden units (of the student), outputs"),
          numbers("singular_values", "6,4,2", 0, kAnyNumber, "s, one a mode"),
          number("noise", 1, 0, kAnyNumber, "with 1, s are signal-to-noise ratios"), input_law(),
          activation(), integer("samples", 0, 0, 1e8, "P, inputs before they start again; 0: N1"),
          word("randomize", {"none", "entries", "gaussian"},
               "replace the targets of P samples by all their entries exchanged, or by normal "
               "numbers of the same mean square")},
         {}},
        make_linear_teacher};
}

// ---- linear-pair ------------------------------------------------------------------------------

// Q = V_A^T V_B from one number (a multiple of the identity) or all of its entries, row by row.
Matrix alignment_of(const Parameters& p, Index first, Index second) {
    const auto given = p.numbers("alignment");
    Matrix q = Matrix::Zero(first, second);
    if (given.size() == 1)
        q.diagonal().setConstant(given.front());
    else if (static_cast<Index>(given.size()) == q.size())
        q = Eigen::Map<const RowMatrix>(given.data(), first, second);
    else
        p.refuse("alignment", concat("one number, or the ", first, " x ", second, " entries of Q"));
    constexpr double kRounding = 1e-12;
    const double largest = linalg::singular_values(q)(0);
    if (largest > 1 + kRounding)
        p.refuse("alignment",
                 concat("singular values of Q of at most 1 (the largest is ", largest, ")"));
    return q;
}

// Square root of I - Q^T Q.
Matrix complement_root(const Matrix& q) {
    const Matrix rest = Matrix::Identity(q.cols(), q.cols()) - q.transpose() * q;
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(rest);
    return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0.0).cwiseSqrt().asDiagonal() *
           solver.eigenvectors().transpose();
}

struct Pair {
    Teacher a, b;
    Matrix q;
};

// V_B = V_A Q + V_rest (I - Q^T Q)^{1/2}, V_rest orthonormal and orthogonal to V_A.
Pair make_teachers(const Parameters& p, Sizes sizes) {
    Pair pair;
    pair.a.s = checked_strengths(p, "singular_values_a", sizes);
    pair.b.s = checked_strengths(p, "singular_values_b", sizes);
    const auto ka = static_cast<Index>(pair.a.s.size()), kb = static_cast<Index>(pair.b.s.size());
    if (ka + kb > sizes.inputs)
        p.refuse("singular_values_b",
                 concat("at most N1 (", sizes.inputs, ") modes of both tasks"));
    pair.q = alignment_of(p, ka, kb);
    pair.a.u = random_orthonormal(p.random("output_modes_a"), sizes.outputs, ka);
    pair.b.u = random_orthonormal(p.random("output_modes_b"), sizes.outputs, kb);
    const RowMatrix basis = random_orthonormal(p.random("input_modes"), sizes.inputs, ka + kb);
    pair.a.v = basis.leftCols(ka);
    pair.b.v = pair.a.v * pair.q + basis.rightCols(kb) * complement_root(pair.q);
    return pair;
}

// Hidden units of both, those of A first; outputs likewise.
HiddenUnits pair_units(const Pair& pair) {
    const HiddenUnits a = pair.a.units(), b = pair.b.units();
    const Index n3 = a.out.rows(), ka = a.in.rows(), kb = b.in.rows();
    checked_size({2 * n3, a.in.cols()}, "teachers");
    HiddenUnits both{RowMatrix(ka + kb, a.in.cols()), RowMatrix::Zero(2 * n3, ka + kb)};
    both.in << a.in, b.in;
    both.out.topLeftCorner(n3, ka) = a.out;
    both.out.bottomRightCorner(n3, kb) = b.out;
    return both;
}

std::vector<TruthArray> pair_truth(const Pair& pair, const NoisyMap& map) {
    const RowMatrix& w = map.w;
    const auto outputs = static_cast<std::size_t>(w.rows());
    std::vector<double> output_tasks(outputs, 0.0);
    std::fill(output_tasks.begin() + static_cast<std::ptrdiff_t>(outputs / 2), output_tasks.end(),
              1.0);
    const Vector joint = linalg::singular_values(w).head(std::min<Index>(
        {static_cast<Index>(pair.a.s.size() + pair.b.s.size()), w.rows(), w.cols()}));
    std::vector<TruthArray> truth{
        truth_matrix("W", w, {"output", "input"},
                     map.units ? "The best linear maps of both teachers, A above B"
                               : "Both teachers, that of A above that of B"),
        whole(truth_vector("output_task", output_tasks, "output", "0: of task A, 1: of task B")),
        truth_matrix("alignment", pair.q, {"mode_a", "mode_b"}, "Q = V_a^T V_b"),
        truth_vector("joint_singular_values", {joint.begin(), joint.end()}, "mode",
                     "Of both teachers as one map")};
    for (auto& array : singular_value_truth(pair.a, "_a")) truth.push_back(std::move(array));
    for (auto& array : singular_value_truth(pair.b, "_b")) truth.push_back(std::move(array));
    return truth;
}

TaskParts make_pair_task(const Parameters& p) {
    const Sizes sizes = sizes_of(p);
    const auto pair = std::make_shared<const Pair>(make_teachers(p, sizes));
    const auto map =
        std::make_shared<const NoisyMap>(noisy_map(p, pair_units(*pair), sizes.inputs));
    TaskParts parts = map_task(map);
    parts.truth = [pair, map] { return pair_truth(*pair, *map); };
    return parts;
}

TaskEntry linear_pair() {
    return {{"linear-pair",
             "Two tasks on the same inputs, each with a linear teacher of N3 outputs whose input "
             "modes have the inner products Q; the outputs of A come before those of B. Inputs and "
             "noise as for linear-teacher",
             {integers("sizes", "100,50,50", 1, 1e6,
                       "N1,N2,N3: inputs, hidden units (of the student), outputs of each task"),
              numbers("singular_values_a", "3", 0, kAnyNumber, "of task A, one a mode"),
              numbers("singular_values_b", "3", 0, kAnyNumber, "of task B"),
              numbers("alignment", "0.5", -1, 1, "q of Q = q I, or all entries of Q, row by row"),
              number("noise", 1, 0, kAnyNumber, "with 1, s are signal-to-noise ratios"),
              input_law(), activation()},
             {}},
            make_pair_task};
}

// ---- linear-regression ------------------------------------------------------------------------

TaskParts make_regression(const Parameters& p) {
    enum : std::uint64_t { input, noise };
    const Index inputs = p.integer("dimension");
    const auto w = std::make_shared<const RowMatrix>(
        normal_matrix(p.random("weights"), 1, inputs, p.number("weight_std")));
    const double input_sd = 1 / std::sqrt(static_cast<double>(inputs)), sd = p.number("noise");
    TaskParts parts;
    parts.layout = value_layout(inputs, 1);
    parts.loss = "half_squared_error";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        for (Index j = 0; j < inputs; ++j) row.input(0, j) = input_sd * draws.normal(input, j);
        row.value(0, 0) = row.input.row(0).dot(w->row(0)) + sd * draws.normal(noise);
    });
    parts.truth = [w] {
        return std::vector<TruthArray>{
            truth_matrix("W", *w, {"output", "input"}, "The teacher's weights")};
    };
    return parts;
}

TaskEntry linear_regression() {
    return {
        {"linear-regression",
         "y = w x + noise, inputs of variance 1 / N; a data set is of P = load N samples",
         {integer("dimension", 100, 1, 1e6, "N, inputs"),
          number("load", 0.5, 1e-6, 1e6, "P / N, samples an input of the data set"),
          number("noise", 0.5, 0, kAnyNumber, "sd of the noise of a target"),
          number("weight_std", 1, 0, kAnyNumber, "sd of the teacher's weights"),
          number("init", 0, 0, kAnyNumber, "sd of the student's first weights, for the theory")},
         {}},
        make_regression};
}

} // namespace

std::vector<TaskEntry> linear_tasks() {
    return {linear_teacher(), linear_pair(), linear_regression()};
}

} // namespace assay::training
