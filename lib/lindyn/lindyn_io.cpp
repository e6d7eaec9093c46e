#include <assay/lindyn/lindyn_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/passage.hpp>
#include <assay/network/network_io.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace assay::lindyn {
namespace {

hdf5::Dataset need_table(const hdf5::Dataset& dataset) {
    dataset.expect_numeric();
    if (dataset.rank() == 1)
        throw Error(concat(dataset.where(), ": ", dataset.shape()[0],
                           " numbers in one dimension; samples are rows (reshape to ",
                           dataset.shape()[0], " x 1)"));
    if (dataset.rank() != 2)
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                           "; a table of samples in rows is expected"));
    return dataset;
}

class StoredSamples : public SampleSource {
  public:
    StoredSamples(std::optional<hdf5::Dataset> inputs, hdf5::Dataset targets)
        : inputs_(std::move(inputs)), targets_(std::move(targets)) {
        if (targets_.rank() == 1 && targets_.kind() == hdf5::Kind::integer)
            throw Error(concat(targets_.where(), ": ", targets_.shape()[0],
                               " classes; the theory is of squared errors: numbers to learn, "
                               "samples x outputs, are expected (classes one-hot)"));
        static_cast<void>(need_table(targets_));
        if (!inputs_) return;
        static_cast<void>(need_table(*inputs_));
        if (inputs_->shape()[0] != targets_.shape()[0])
            throw Error(concat(inputs_->where(), ": ", inputs_->shape()[0],
                               " rows; the targets have ", targets_.shape()[0]));
    }
    [[nodiscard]] Index samples() const override { return targets_.shape()[0]; }
    [[nodiscard]] Index inputs() const override { return inputs_ ? inputs_->shape()[1] : 0; }
    [[nodiscard]] Index outputs() const override { return targets_.shape()[1]; }
    [[nodiscard]] RowMatrix read_inputs(Index first, Index count) const override {
        return rows(*inputs_, first, count);
    }
    [[nodiscard]] RowMatrix read_targets(Index first, Index count) const override {
        return rows(targets_, first, count);
    }
    [[nodiscard]] RowMatrixF read_inputs_float(Index first, Index count) const override {
        return rows<float>(*inputs_, first, count);
    }
    [[nodiscard]] RowMatrixF read_targets_float(Index first, Index count) const override {
        return rows<float>(targets_, first, count);
    }

  private:
    template <class Scalar = double>
    static Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>
    rows(const hdf5::Dataset& table, Index first, Index count) {
        Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> block(
            count, table.shape()[1]);
        table.read_box<Scalar>({first, 0}, {count, block.cols()}, block.data());
        if (block.allFinite()) return block;
        for (Index i = 0; i < block.size(); ++i)
            if (!std::isfinite(block.data()[i]))
                throw Error(concat(table.where(), ": ", block.data()[i], " at [",
                                   first + i / block.cols(), ", ", i % block.cols(),
                                   "]; finite numbers are expected"));
        return block;
    }
    std::optional<hdf5::Dataset> inputs_;
    hdf5::Dataset targets_;
};

double need_number(const hdf5::Group& group, const std::string& name) {
    const auto value = group.number_attribute(name);
    if (!value) throw Error(group.where() + ": attribute '" + name + "' is missing");
    return *value;
}

Matrix need_matrix(const hdf5::Group& group, const std::string& name, Index rows, Index cols) {
    const RowMatrix m = group.dataset(name).expect_numeric().read_matrix();
    if ((rows >= 0 && m.rows() != rows) || (cols >= 0 && m.cols() != cols))
        throw Error(concat(group.where(), "/", name, ": ", m.rows(), " x ", m.cols(),
                           " numbers do not fit the other arrays"));
    if (!m.allFinite()) throw Error(concat(group.where(), "/", name, ": not all are finite"));
    return m;
}

Vector need_vector(const hdf5::Group& group, const std::string& name, Index count) {
    const Vector v = group.dataset(name).expect_numeric().read_vector();
    if (v.size() != count || !v.allFinite())
        throw Error(concat(group.where(), "/", name, ": ", v.size(), " numbers; ", count,
                           " finite ones are expected"));
    return v;
}

// The largest eigenvalue of Sx; files without it do not tell.
linalg::Eigenvalue read_widest(const hdf5::Group& group) {
    const auto value = group.number_attribute("widest_variance"),
               residual = group.number_attribute("widest_variance_residual");
    if (!value || !residual) return Modes::kNotKnown;
    if (*value < 0 || *residual < 0)
        throw Error(concat(group.where(), ": widest_variance ", *value, ", residual ", *residual,
                           "; numbers of 0 or more are expected"));
    return {*value, *residual};
}

// Layers of an architecture that change nothing.
bool does_nothing(const Json& layer) {
    const std::string type = layer.value("type", "");
    return (type == "activation" && (layer.value("function", "") == "linear" ||
                                     layer.value("function", "") == "identity")) ||
           type == "dropout" || type == "identity";
}

// The last layer must take what the one before it gives.
void check_chain(const Layers& layers, const std::string& before, const std::string& name) {
    const Matrix &below = layers[layers.size() - 2], &above = layers.back();
    if (above.cols() == below.rows()) return;
    throw Error(concat("layer '", printable(name, 40), "': ", above.rows(), " x ", above.cols(),
                       " weights after the ", below.rows(), " x ", below.cols(), " of '",
                       printable(before, 40), "'; N x ", below.rows(), " is expected"));
}

std::string layer_name(std::size_t number) {
    return "layer" + std::to_string(number + 1);
}

} // namespace

void write_matrices(hdf5::Group& group, const std::string& name, const std::vector<Matrix>& stack,
                    const hdf5::ArrayInfo& info) {
    if (stack.empty()) return;
    const Index rows = stack.front().rows(), cols = stack.front().cols();
    hdf5::Dataset dataset =
        group.create<double>(name, {static_cast<Index>(stack.size()), rows, cols}, info,
                             {1, rows, cols}, stack.front().data(), rows * cols);
    for (std::size_t i = 0; i < stack.size(); ++i) {
        const RowMatrix c_order = stack[i];
        dataset.write_box({static_cast<Index>(i), 0, 0}, {1, rows, cols}, c_order.data());
    }
}

std::string data_path(const hdf5::Group& root) {
    for (const char* path : {"/data/train", "/data"})
        if (root.has_group(path) && (root.has_dataset(std::string(path) + "/targets") ||
                                     root.has_dataset(std::string(path) + "/sigma_yx")))
            return path;
    return "";
}

std::unique_ptr<SampleSource> open_samples(const hdf5::Group& root, const std::string& path,
                                           bool one_hot) {
    if (root.has_dataset(path))
        return std::make_unique<StoredSamples>(std::nullopt, root.dataset(path));
    if (!root.has_group(path) || !root.has_dataset(path + "/targets"))
        throw Error(root.where() + ": no targets in " + path +
                    "; inputs and targets, sigma_yx, or the path of a table of items x features "
                    "are expected");
    const hdf5::Group group = root.group(path);
    std::optional<hdf5::Dataset> inputs;
    if (!one_hot && group.has_dataset("inputs")) inputs = group.dataset("inputs");
    return std::make_unique<StoredSamples>(std::move(inputs), group.dataset("targets"));
}

bool has_statistics(const hdf5::Group& root, const std::string& path) {
    return root.has_group(path) && root.has_dataset(path + "/sigma_yx");
}

Statistics read_statistics(const hdf5::Group& root, const std::string& path,
                           Normalisation normalisation) {
    const hdf5::Group group = root.group(path);
    Statistics s;
    s.normalisation = normalisation;
    s.syx = need_table(group.dataset("sigma_yx")).read_matrix();
    if (group.has_dataset("sigma_xx"))
        s.sxx = need_table(group.dataset("sigma_xx")).read_matrix();
    else
        s.input_scale = 1;
    s.samples = static_cast<Index>(group.number_attribute("n_samples").value_or(0));
    at_place(group.where(), [&] { check_statistics(s); });
    // Without the targets' own power, that which their linear map has.
    const auto power = group.number_attribute("output_power");
    if (power) {
        s.output_power = *power;
    } else {
        const Modes modes = find_modes(s, {});
        s.output_power = modes.s.dot(modes.asymptote);
    }
    return s;
}

void write_modes(hdf5::Group group, const Problem& p, const NoiseReport& noise) {
    const Modes& m = p.modes;
    group.write("singular_values", m.s, {"mode", "", "s of Syx = U S V^T, descending"});
    group.write("U", m.u, {"output,mode", "", "output singular vectors"});
    group.write(
        "V", p.input_vectors(),
        {"input,mode", "", "input singular vectors; the largest entry of each is positive"});
    group.write("input_variance", m.input_variance, {"mode", "", "d = v^T Sx v"});
    group.write("asymptote", m.asymptote,
                {"mode", "", "q = s / d, the strength at the end of learning"});
    group.write(
        "group", m.group,
        {"mode", "", "modes of equal singular values, in which only the plane has a meaning"});
    group.write("detected", noise.detected, {"mode", "boolean", "above what noise alone shows"});
    group.write("snr", noise.snr,
                {"mode", "", "singular value without noise, in units of the noise"});
    group.write("overlap_output", noise.overlap_output,
                {"mode", "", "squared, of u with the one without noise"});
    group.write("overlap_input", noise.overlap_input,
                {"mode", "", "squared, of v with the one without noise"});
    group.write("shrunk", noise.shrunk, {"mode", "", "singular value of least squared error"});
    if (m.residual.size() > 0)
        group.write("residual", m.residual,
                    {"mode", "", "largest of |Syx v - s u| and |Syx^T u - s v|"});
    if (p.whitened()) {
        group.write("whitening_basis", p.basis,
                    {"input,direction", "", "of the span of the inputs"});
        group.write("whitening_root", p.root,
                    {"input,direction", "", "whitened inputs are root^T x in this basis"});
    }
    group.set_attribute("n_samples", static_cast<std::int64_t>(p.statistics.samples));
    group.set_attribute("statistics", normalisation_name(p.statistics.normalisation));
    group.set_attribute("noise_unit", noise.unit);
    group.set_attribute("whiteness", p.whiteness);
    group.set_attribute("commutation", p.commutation);
    group.set_attribute("rank", static_cast<std::int64_t>(p.modes.rank()));
    group.set_attribute("whole", p.whole ? 1 : 0);
    group.set_attribute("formed", p.statistics.formed() ? 1 : 0);
    group.set_attribute("output_power", m.output_power);
    group.set_attribute("power", m.power);
    group.set_attribute("widest_variance", m.widest.value);
    group.set_attribute("widest_variance_residual", m.widest.residual);
    if (const auto white = white_scale(p.statistics)) group.set_attribute("input_scale", *white);
}

Problem read_modes(const hdf5::Group& group) {
    Problem p;
    Modes& m = p.modes;
    m.s = group.dataset("singular_values").expect_numeric().read_vector();
    const Index count = m.s.size();
    if (count == 0 || !m.s.allFinite() || !(m.s(0) > 0))
        throw Error(group.where() + "/singular_values: positive numbers are expected");
    for (Index a = 0; a < count; ++a)
        if (!(m.s(a) >= 0) || (a > 0 && m.s(a) > m.s(a - 1)))
            throw Error(concat(group.where(), "/singular_values: ", m.s(a), " at ", a,
                               "; numbers that do not rise, of 0 or more, are expected"));
    m.u = need_matrix(group, "U", -1, count);
    m.v = need_matrix(group, "V", -1, count);
    m.input_variance = need_vector(group, "input_variance", count);
    if (!(m.input_variance.minCoeff() >= 0))
        throw Error(group.where() + "/input_variance: variances of 0 or more are expected");
    m.asymptote = need_vector(group, "asymptote", count);
    const auto groups = group.dataset("group").expect_numeric().read<std::int32_t>();
    if (static_cast<Index>(groups.size()) != count)
        throw Error(
            concat(group.where(), "/group: ", groups.size(), " numbers; ", count, " are expected"));
    for (std::size_t a = 0; a < groups.size(); ++a) {
        const std::int32_t before = a == 0 ? 0 : groups[a - 1];
        if (groups[a] != before && (a == 0 || groups[a] != before + 1))
            throw Error(concat(group.where(), "/group: ", groups[a], " after ", before,
                               "; groups are numbered from 0 without gaps"));
    }
    m.group = groups;
    m.output_power = need_number(group, "output_power");
    m.power = group.number_attribute("power").value_or(Modes::kNotKnown.value);
    p.whole = need_number(group, "whole") != 0;
    p.whiteness = need_number(group, "whiteness");
    p.commutation = need_number(group, "commutation");
    if (group.has_dataset("whitening_basis")) {
        p.basis = need_matrix(group, "whitening_basis", m.v.rows(), -1);
        p.root = need_matrix(group, "whitening_root", m.v.rows(), p.basis.cols());
        m.v = p.basis.transpose() * m.v;
    }
    if (group.has_dataset("residual")) m.residual = need_vector(group, "residual", count);
    m.widest = read_widest(group);
    const bool formed = group.number_attribute("formed").value_or(1) != 0;
    if (formed) {
        p.statistics.syx = m.u * m.s.asDiagonal() * m.v.transpose();
    } else {
        p.statistics.unformed_inputs = m.v.rows();
        p.statistics.unformed_outputs = m.u.rows();
    }
    p.statistics.output_power = m.output_power;
    const double samples = need_number(group, "n_samples");
    if (!(samples >= 0 && samples < 1e15 && samples == std::floor(samples)))
        throw Error(concat(group.where(), ": n_samples ", samples, " is no count"));
    p.statistics.samples = static_cast<Index>(samples);
    p.statistics.normalisation =
        normalisation_of(group.text_attribute("statistics").value_or("mean"));
    const auto scale = group.number_attribute("input_scale");
    if (scale && !(*scale > 0))
        throw Error(concat(group.where(), ": input_scale ", *scale, "; above 0 is expected"));
    p.has_inputs = scale.has_value();
    // Inputs that are not white are not kept; along the modes their variance is.
    if (scale)
        p.statistics.input_scale = *scale;
    else if (formed)
        p.statistics.sxx = m.v * m.input_variance.asDiagonal() * m.v.transpose();
    return p;
}

namespace {

// Of whole groups of equal modes: means, which do not depend on the basis within a group.
void write_group_prediction(hdf5::Group& group, const Prediction& p, const Modes& modes,
                            const std::string& time_unit) {
    const Matrix strength = group_means(p.strength, modes.group);
    const Vector end = group_means(p.end.transpose(), modes.group).transpose();
    group.write("strength_group", strength,
                {"time,group", "", "mean over each group of equal modes"});
    const auto write = [&](const std::string& name, const Vector& of_modes, double fraction,
                           const std::string& what) {
        Vector when = growth_passages(p.time, strength, end, fraction);
        // A mode alone has its own time, which is not read off the samples.
        for (Index a = 0; a < of_modes.size(); ++a) {
            const auto g = modes.group[static_cast<std::size_t>(a)];
            if (std::count(modes.group.begin(), modes.group.end(), g) == 1) when(g) = of_modes(a);
        }
        group.write(name, when, {"group", time_unit, what + "; NaN: not reached"});
    };
    write("half_time_group", p.half_time, 0.5, "half of the mean end");
    write("time_10_group", p.time_10, 0.1, "10 % of the mean end");
    write("time_90_group", p.time_90, 0.9, "90 % of the mean end");
}

void write_shallow(hdf5::Group& group, const Prediction& p, const std::string& time_unit) {
    if (p.shallow.size() == 0) return;
    group.write("strength_shallow", p.shallow,
                {"time,mode", "", "a = u^T W v of a network without hidden layer"});
    group.write("half_time_shallow", p.shallow_half_time,
                {"mode", time_unit, "when it reaches half of the end; NaN: not"});
    group.write("loss_shallow", p.shallow_loss, {"time", "", "half its squared error"});
}

} // namespace

void write_prediction(hdf5::Group group, const Prediction& p, const PredictSettings& s,
                      const Modes& modes, const TimeScale& scale) {
    group.write("time", p.time, {"time", scale.unit, "of training"});
    group.write("strength", p.strength, {"time,mode", "", "a = u^T W v of the network"});
    write_shallow(group, p, scale.unit);
    group.write("initial_strength", p.initial_strength, {"mode", "", "from which the mode grows"});
    group.write("end_strength", p.end, {"mode", "", "to which it grows; 0: it is not learned"});
    group.write("half_time", p.half_time,
                {"mode", scale.unit, "when half of the end is reached; NaN: not"});
    group.write("time_10", p.time_10, {"mode", scale.unit, "10 % of the end"});
    group.write("time_90", p.time_90, {"mode", scale.unit, "90 % of the end"});
    write_group_prediction(group, p, modes, scale.unit);
    group.write("loss", p.loss, {"time", "", "half the squared error"});
    write_matrices(group, "map", p.map, {"time,output,input", "", "W(t)"});
    write_matrices(
        group, "hidden_gram", p.hidden_gram,
        {"time,input,input", "", "W_1^T W_1: similarity of inputs in the first hidden layer"});
    write_matrices(group, "output_gram", p.output_gram, {"time,output,output", "", "W_D W_D^T"});
    const Conditions& c = p.conditions;
    group.set_attribute("method", method_name(p.method));
    group.set_attribute("tau", scale.per_tau);
    group.set_attribute("depth", s.weights ? static_cast<int>(s.weights->size()) : s.depth);
    if (s.initial_layers)
        group.set_attribute("initial_layers",
                            std::vector<double>{s.initial_layers->first, s.initial_layers->second});
    group.set_attribute("expected_relative_error", c.expected_error);
    group.set_attribute("learning_rate_bound", c.stable_rate);
    group.set_attribute("first_step", c.first_step); // learning rate times s_1
    group.set_attribute("whiteness", c.whiteness);
    group.set_attribute("commutation", c.commutation);
    group.set_attribute("whitened_directions", static_cast<std::int64_t>(c.whitened));
    group.set_attribute("imbalance", c.imbalance);
    group.set_attribute("misalignment", c.misalignment);
    group.set_attribute("conservation_error", c.conservation);
}

Layers read_layers(const network::Model& model) {
    const Json architecture = Json::parse(model.architecture, nullptr, false);
    if (!architecture.is_object() || !architecture.contains("layers"))
        throw Error("/model: no architecture; a chain of dense layers is expected");
    Layers layers;
    std::string before; // the layer that the next one sees
    for (const Json& layer : architecture["layers"]) {
        if (does_nothing(layer)) continue;
        const std::string name = layer.value("name", ""), type = layer.value("type", "");
        if (type != "dense")
            throw NotLinear("layer '" + printable(name, 40) + "' (" + printable(type, 40) +
                            "): the theory is of linear networks, dense layers without biases");
        const network::ParameterArray* weight = nullptr;
        for (const auto& array : model.parameters) {
            if (array.layer != name) continue;
            if (array.name == "bias")
                throw NotLinear(
                    "layer '" + printable(name, 40) +
                    "' has a bias; the theory is of networks without (\"bias\": false)");
            if (array.name == "weight") weight = &array;
        }
        if (!weight || weight->shape.size() != 2)
            throw Error("layer '" + printable(name, 40) + "': no weight matrix");
        layers.push_back(
            Eigen::Map<const RowMatrix>(weight->values.data(), weight->shape[0], weight->shape[1]));
        if (layers.size() > 1) check_chain(layers, before, name);
        before = name;
    }
    if (layers.empty()) throw Error("/model: no dense layer");
    return layers;
}

network::Model model_of(const Layers& layers) {
    Json list = Json::array();
    network::Model model;
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const RowMatrix c_order = layers[l];
        list.push_back({{"name", layer_name(l)},
                        {"type", "dense"},
                        {"units", layers[l].rows()},
                        {"bias", false}});
        model.parameters.push_back({layer_name(l),
                                    "weight",
                                    {c_order.rows(), c_order.cols()},
                                    {c_order.data(), c_order.data() + c_order.size()}});
    }
    const Json architecture = {
        {"format", "assay-architecture/1"},
        {"input", {{"shape", {layers.front().cols()}}, {"axes", {"feature"}}}},
        {"layers", list}};
    model.architecture = architecture.dump();
    return model;
}

std::optional<KnownModes> read_known_modes(const hdf5::Group& root) {
    if (!root.has_dataset("/truth/mode") || !root.has_dataset("/truth/eigenvalue"))
        return std::nullopt;
    const hdf5::Dataset dataset = root.dataset("/truth/mode").expect_rank(2).expect_numeric();
    const Matrix vectors = dataset.read_matrix();
    Vector values = root.dataset("/truth/eigenvalue").expect_numeric().read_vector();
    if (!vectors.allFinite() || !values.allFinite())
        throw Error(dataset.where() + ": finite modes and eigenvalues are expected");
    if (root.has_dataset("/truth/mode_level")) {
        const auto level = root.dataset("/truth/mode_level").expect_numeric().read<std::int64_t>();
        Vector of_modes(static_cast<Index>(level.size()));
        for (Index k = 0; k < of_modes.size(); ++k) {
            const auto at = static_cast<Index>(level[static_cast<std::size_t>(k)]);
            if (at < 0 || at >= values.size())
                throw Error(concat(root.where(), "/truth/mode_level: ", at, " at ", k, "; one of ",
                                   values.size(), " levels is expected"));
            of_modes(k) = values(at);
        }
        values = of_modes;
    }
    if (values.size() != vectors.cols())
        throw Error(concat(dataset.where(), ": ", vectors.cols(), " modes beside ", values.size(),
                           " eigenvalues; one a mode is expected"));
    std::vector<Index> order(static_cast<std::size_t>(values.size()));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return values(a) > values(b); });
    return KnownModes{vectors(Eigen::all, order), values(order)};
}

std::optional<Matrix> read_target_map(const hdf5::Group& root) {
    if (!root.has_dataset("/truth/W")) return std::nullopt;
    const hdf5::Dataset dataset = root.dataset("/truth/W").expect_rank(2).expect_numeric();
    Matrix map = dataset.read_matrix();
    if (!map.allFinite())
        throw Error(dataset.where() + ": not all numbers are finite; the map behind the targets is "
                                      "expected");
    return map;
}

} // namespace assay::lindyn
