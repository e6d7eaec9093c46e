#include <assay/fixedpoints/synth_parts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {

namespace {

constexpr Index kSteps = 64; // length of the sequences that an architecture names

network::ParameterArray array_of(const std::string& layer, const std::string& name,
                                 const RowMatrix& values) {
    return {layer,
            name,
            {values.rows(), values.cols()},
            {values.data(), values.data() + values.size()}};
}

network::ParameterArray array_of(const std::string& layer, const std::string& name,
                                 const Vector& values) {
    return {layer, name, {values.size()}, {values.data(), values.data() + values.size()}};
}

std::int32_t unstable_in(const std::vector<Complex>& eigenvalues) {
    return static_cast<std::int32_t>(
        std::count_if(eigenvalues.begin(), eigenvalues.end(),
                      [](const Complex& value) { return std::abs(value) > 1; }));
}

// sign det(I - J): pairs contribute |1 - lambda|^2 > 0.
Index index_of(const std::vector<Complex>& eigenvalues) {
    const auto beyond =
        std::count_if(eigenvalues.begin(), eigenvalues.end(),
                      [](const Complex& value) { return value.imag() == 0 && value.real() > 1; });
    return beyond % 2 == 0 ? 1 : -1;
}

} // namespace

void check_setting(bool holds, const std::string& setting, double found,
                   const std::string& expected) {
    if (!holds) throw Error("synth: " + setting + " " + shortest(found) + ": must be " + expected);
}

void check_memory(double bytes, double memory, const std::string& what) {
    if (!(bytes <= memory))
        throw Error("synth: " + what + " take " + human_bytes(bytes) + ", more than the " +
                    human_bytes(memory) + " allowed");
}

std::string rnn_cell(const std::string& activation) {
    return Json{{"type", "rnn"}, {"activation", activation}}.dump();
}

std::string cell_architecture(const std::string& cell, Index units, Index inputs, Index outputs) {
    Json layer = Json::parse(cell);
    layer["name"] = "cell";
    layer["units"] = units;
    layer["return_sequences"] = true;
    return Json{{"format", "assay-architecture/1"},
                {"input", {{"shape", {kSteps, inputs}}, {"axes", {"time", "feature"}}}},
                {"layers", {layer, {{"name", "readout"}, {"type", "dense"}, {"units", outputs}}}},
                {"output", {"readout"}}}
        .dump();
}

network::Model model_of(const CellParts& parts) {
    network::Model model;
    model.architecture = cell_architecture(parts.cell, parts.recurrent.rows(), parts.kernel.cols(),
                                           parts.readout.rows());
    model.parameters = {
        array_of("cell", "kernel", parts.kernel), array_of("cell", "recurrent", parts.recurrent),
        array_of("cell", "bias", parts.bias), array_of("readout", "weight", parts.readout),
        array_of("readout", "bias", Vector(Vector::Zero(parts.readout.rows())))};
    return model;
}

bool comes_before(const Complex& a, const Complex& b) {
    const double size_a = std::abs(a), size_b = std::abs(b);
    if (size_a != size_b) return size_a > size_b;
    return a.real() != b.real() ? a.real() > b.real() : a.imag() > b.imag();
}

std::vector<Complex> ordered(std::vector<Complex> values) {
    std::sort(values.begin(), values.end(), comes_before);
    return values;
}

void order_points(std::vector<TruePoint>& points) {
    std::sort(points.begin(), points.end(), [](const TruePoint& a, const TruePoint& b) {
        const auto unstable_a = unstable_in(a.eigenvalues), unstable_b = unstable_in(b.eigenvalues);
        if (unstable_a != unstable_b) return unstable_a < unstable_b;
        for (Index i = 0; i < a.state.size(); ++i) {
            const double x = std::round(a.state[i] * 1e6), y = std::round(b.state[i] * 1e6);
            if (x != y) return x < y;
        }
        return false;
    });
}

void write_true_points(const std::vector<TruePoint>& points, SyntheticTruth& truth) {
    const auto count = static_cast<Index>(points.size());
    const Index size = points.front().state.size();
    truth.state.resize(count, size);
    truth.eigenvalues.resize(count, size);
    truth.coordinates.resize(count, points.front().coordinates.size());
    for (Index p = 0; p < count; ++p) {
        const TruePoint& point = points[static_cast<std::size_t>(p)];
        truth.state.row(p) = point.state.transpose();
        truth.eigenvalues.row(p) =
            Eigen::Map<const ComplexVector>(point.eigenvalues.data(), size).transpose();
        truth.coordinates.row(p) = point.coordinates.transpose();
        truth.n_unstable.push_back(unstable_in(point.eigenvalues));
    }
}

void complete_points(std::vector<TruePoint> points, SyntheticTruth& truth) {
    order_points(points);
    write_true_points(points, truth);
    truth.complete = true;
    Index sum = 0;
    for (const TruePoint& point : points) sum += index_of(point.eigenvalues);
    truth.index_sum = sum;
}

RowMatrix normal_matrix(const Random& random, Index rows, Index cols, std::uint64_t stream) {
    RowMatrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i)
        m.data()[i] = random.normal(static_cast<std::uint64_t>(i), {stream, 0, 0});
    return m;
}

} // namespace assay::fixedpoints
