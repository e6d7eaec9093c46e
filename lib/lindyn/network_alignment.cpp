#include <assay/lindyn/network_alignment.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/network/keys.hpp>
#include <assay/network/network.hpp>

#include <nlohmann/json.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <numeric>
#include <set>

namespace assay::lindyn {
namespace {

using Net = network::Network<double>;
using Pass = network::Pass<double>;

constexpr Index kBlockRows = 256;
constexpr Index kKrylov = 40;
constexpr int kRestarts = 10;
constexpr double kTolerance = 1e-8;

network::PassInfo info_of(Index samples) {
    network::PassInfo info;
    info.samples = samples;
    return info;
}

// A layer by itself: products go through the same blocks of patches as in the network.
class LayerProjection : public Projection {
  public:
    LayerProjection(Json layer, const network::TensorInfo& input) : network_(alone(layer, input)) {
        const network::Shape& shape = network_.parameters().front().info.shape;
        outputs_ = shape[0];
        inputs_ = network_.parameters().front().info.size() / outputs_;
        positions_ = network_.output().size() / outputs_;
    }
    [[nodiscard]] Index outputs() const override { return outputs_; }
    [[nodiscard]] Index inputs() const override { return inputs_; }
    [[nodiscard]] Index positions() const override { return positions_; }
    [[nodiscard]] Index input_size() const override { return network_.input().size(); }

    [[nodiscard]] RowMatrix forward(const RowMatrix& x, const Matrix& w,
                                    const Vector& bias) const override {
        const auto weights = weights_of(w, bias);
        Pass pass(network_);
        return pass.forward(weights, x, info_of(x.rows()));
    }
    [[nodiscard]] RowMatrix backward(const RowMatrix& z, const Matrix& w) const override {
        const auto weights = weights_of(w, {});
        const RowMatrix x = RowMatrix::Zero(z.rows(), input_size());
        Pass pass(network_);
        pass.forward(weights, x, info_of(z.rows()));
        pass.backward(z, true);
        return pass.cotangent(0);
    }
    [[nodiscard]] Matrix gradient(const RowMatrix& z, const RowMatrix& x) const override {
        const auto weights = weights_of(Matrix::Zero(outputs_, inputs_), {});
        Pass pass(network_);
        pass.forward(weights, x, info_of(x.rows()));
        pass.backward(z, false);
        Vector gradient = Vector::Zero(network_.parameter_count());
        pass.add_gradient(gradient.data());
        return Eigen::Map<const RowMatrix>(gradient.data(), outputs_, inputs_);
    }

  private:
    static Net alone(Json& layer, const network::TensorInfo& input) {
        layer.erase("inputs");
        layer["bias"] = true;
        Json json{{"format", "assay-architecture/1"},
                  {"input", {{"shape", input.shape}}},
                  {"layers", Json::array({layer})}};
        if (input.sequence) {
            std::vector<std::string> axes(input.shape.size(), "feature");
            axes[0] = "time";
            json["input"]["axes"] = axes;
        }
        return Net(json.dump());
    }
    [[nodiscard]] network::Weights<double> weights_of(const Matrix& w, const Vector& bias) const {
        network::Weights<double> weights{Vector::Zero(network_.parameter_count()), Vector()};
        Eigen::Map<RowMatrix>(weights.trained.data(), outputs_, inputs_) = w;
        if (bias.size() > 0) weights.trained.tail(outputs_) = bias;
        return weights;
    }
    Net network_;
    Index outputs_ = 0, inputs_ = 0, positions_ = 0;
};

// Beside recurrent layers.
bool is_treated(const std::string& type) {
    return type == "dense" || type == "conv1d" || type == "conv2d" || type == "conv3d";
}

// The arrays of a network by "layer/name".
const network::ParameterEntry* entry_of(const Net& network, const std::string& layer,
                                        const std::string& name) {
    for (const auto& entry : network.parameters())
        if (entry.layer == layer && entry.info.name == name) return &entry;
    return nullptr;
}

// Nodes behind trained arrays.
std::vector<bool> behind_parameters(const Net& network) {
    std::set<std::string> trained;
    for (const auto& entry : network.parameters())
        if (entry.info.trained) trained.insert(entry.layer);
    std::vector<bool> behind(static_cast<std::size_t>(network.nodes()), false);
    for (Index node = 1; node < network.nodes(); ++node)
        for (const Index input : network.node_inputs(node))
            if (behind[static_cast<std::size_t>(input)] ||
                trained.count(network.node_name(input)) > 0)
                behind[static_cast<std::size_t>(node)] = true;
    return behind;
}

// One node's activations a row a sample, of several nodes at once.
std::vector<RowMatrix> activations(const Net& network, const network::Weights<double>& weights,
                                   const network::Samples& samples, const std::vector<Index>& nodes,
                                   const Execution& run) {
    std::vector<RowMatrix> found;
    for (const Index node : nodes)
        found.emplace_back(samples.count(), network.node_tensor(node).size());
    const Blocks blocks{samples.count(), kBlockRows};
    parallel_blocks(blocks.count(), run.threads, [&](Index i) {
        run.monitor->stop_if_interrupted();
        const RowMatrix x = samples.inputs.middleRows(blocks.begin(i), blocks.extent(i));
        std::vector<Index> lengths;
        if (!samples.lengths.empty())
            lengths.assign(samples.lengths.begin() + blocks.begin(i),
                           samples.lengths.begin() + blocks.begin(i) + blocks.extent(i));
        network::PassInfo info = info_of(x.rows());
        if (!lengths.empty()) info.lengths = &lengths;
        Pass pass(network);
        pass.forward(weights, x, info);
        for (std::size_t k = 0; k < nodes.size(); ++k)
            found[k].middleRows(blocks.begin(i), blocks.extent(i)) = pass.activation(nodes[k]);
    });
    return found;
}

// K, and Taper::noise, where padding cuts anything off.
void find_taper(NetworkLayer& layer) {
    const Projection& p = *layer.feedback.projection;
    const auto positions = static_cast<double>(p.positions());
    const RowMatrix x = RowMatrix::Ones(1, p.input_size()),
                    z = RowMatrix::Ones(1, p.outputs() * p.positions());
    const Matrix kept = p.gradient(z, x) / positions;
    if (kept.minCoeff() == 1) return;
    const Matrix even =
        Matrix::Constant(p.outputs(), p.inputs(), 1 / static_cast<double>(p.inputs()));
    const Matrix noise = p.gradient(p.forward(x, even, {}), x) / positions;
    layer.feedback.taper = kept;
    layer.noise_share = Eigen::Map<const Vector>(noise.data(), noise.size());
}

NetworkLayer layer_at(const Net& network, const network::Weights<double>& weights, const Json& json,
                      Index node, bool use_bias) {
    const std::string& name = network.node_name(node);
    NetworkLayer layer;
    layer.feedback.name = name;
    const network::TensorInfo& input = network.node_tensor(network.node_inputs(node)[0]);
    const auto* weight = entry_of(network, name, "weight");
    if (network.node_type(node) == "dense" && input.shape.size() == 1)
        layer.feedback.projection =
            std::make_shared<DenseProjection>(weight->info.shape[0], weight->info.shape[1]);
    else
        layer.feedback.projection =
            std::make_shared<LayerProjection>(json.at(static_cast<std::size_t>(node - 1)), input);
    const Projection& p = *layer.feedback.projection;
    layer.feedback.weight = Eigen::Map<const RowMatrix>(weights.trained.data() + weight->offset,
                                                        p.outputs(), p.inputs());
    const auto* bias = entry_of(network, name, "bias");
    if (bias && use_bias)
        layer.feedback.bias = weights.trained.segment(bias->offset, bias->info.size());
    find_taper(layer);
    return layer;
}

// ---- recurrent layers

// A recurrent layer by itself, its states at every step as outputs.
Net unrolled(Json layer, const network::TensorInfo& input) {
    layer.erase("inputs");
    layer["return_sequences"] = true;
    std::vector<std::string> axes(input.shape.size(), "feature");
    axes[0] = "time";
    const Json json{{"format", "assay-architecture/1"},
                    {"input", {{"shape", input.shape}, {"axes", axes}}},
                    {"layers", Json::array({layer})}};
    return Net(json.dump());
}

// Steps of samples that count.
Index valid_steps(const network::Samples& samples, Index sample, Index steps) {
    return samples.lengths.empty() ? steps : samples.lengths[static_cast<std::size_t>(sample)];
}

// Rows x_t and h_{t-1} (what the layer shows), 0 before the first step; from the second step on
// where the layer learns an initial state.
struct StepRows {
    RowMatrix input, before;
};
StepRows step_rows(const Net& network, const network::Weights<double>& weights, const Json& json,
                   Index node, const RowMatrix& sequences, const network::Samples& samples) {
    const network::TensorInfo& input = network.node_tensor(network.node_inputs(node)[0]);
    const Net cell = unrolled(json.at(static_cast<std::size_t>(node - 1)), input);
    network::Weights<double> own{Vector::Zero(cell.parameter_count()), Vector()};
    const std::string& name = network.node_name(node);
    for (const auto& entry : cell.parameters())
        own.trained.segment(entry.offset, entry.info.size()) = weights.trained.segment(
            entry_of(network, name, entry.info.name)->offset, entry.info.size());
    const Index steps = input.shape[0], features = input.shape[1],
                units = cell.output().size() / steps;
    Pass pass(cell);
    const RowMatrix states = pass.forward(own, sequences, info_of(sequences.rows()));
    const Index first = entry_of(network, name, "initial_state") ? 1 : 0;
    Index count = 0;
    for (Index b = 0; b < sequences.rows(); ++b)
        count += std::max<Index>(0, valid_steps(samples, b, steps) - first);
    StepRows rows{RowMatrix(count, features), RowMatrix::Zero(count, units)};
    for (Index b = 0, row = 0; b < sequences.rows(); ++b)
        for (Index t = first; t < valid_steps(samples, b, steps); ++t, ++row) {
            rows.input.row(row) = sequences.row(b).segment(t * features, features);
            if (t > 0) rows.before.row(row) = states.row(b).segment((t - 1) * units, units);
        }
    return rows;
}

NetworkLayer recurrent_array(const Net& network, const network::Weights<double>& weights,
                             const std::string& name, const std::string& array,
                             const std::string& bias, RowMatrix inputs) {
    const auto* entry = entry_of(network, name, array);
    NetworkLayer layer;
    layer.feedback.name = name + "." + array;
    layer.feedback.array = array;
    layer.feedback.projection =
        std::make_shared<DenseProjection>(entry->info.shape[0], entry->info.shape[1]);
    layer.feedback.weight = Eigen::Map<const RowMatrix>(weights.trained.data() + entry->offset,
                                                        entry->info.shape[0], entry->info.shape[1]);
    if (const auto* own = bias.empty() ? nullptr : entry_of(network, name, bias))
        layer.feedback.bias = weights.trained.segment(own->offset, own->info.size());
    layer.inputs = std::move(inputs);
    return layer;
}

// ---- the task's curvature

// One block of samples, whose passes are kept.
struct TaskBlock {
    network::Batch<double> batch;
    network::Weights<double> weights;
    std::unique_ptr<Pass> pass;
};

class TaskOperator {
  public:
    TaskOperator(const Net& network, const network::Weights<double>& weights,
                 const network::Samples& samples, const network::Loss& loss, Vector feedback,
                 const Execution& run)
        : loss_(loss), forward_(weights.trained), feedback_(std::move(feedback)), run_(run),
          scale_(1 / network::counted_rows(samples, network.output())) {
        const Blocks blocks{samples.count(), kBlockRows};
        blocks_.resize(static_cast<std::size_t>(blocks.count()));
        parallel_blocks(blocks.count(), run.threads, [&](Index i) {
            TaskBlock& block = blocks_[static_cast<std::size_t>(i)];
            std::vector<Index> chosen(static_cast<std::size_t>(blocks.extent(i)));
            std::iota(chosen.begin(), chosen.end(), blocks.begin(i));
            block.batch = network::make_batch<double>(samples, chosen, network.output());
            block.weights = weights;
            block.pass = std::make_unique<Pass>(network);
            network::PassInfo info = info_of(block.batch.samples());
            if (!block.batch.lengths.empty()) info.lengths = &block.batch.lengths;
            block.pass->forward(block.weights, block.batch.inputs, info);
        });
        output_ = network.output_node();
    }
    [[nodiscard]] Vector product(const Vector& v) {
        std::vector<Vector> sums(blocks_.size());
        parallel_blocks(static_cast<Index>(blocks_.size()), run_.threads, [&](Index i) {
            sums[static_cast<std::size_t>(i)] =
                block_product(blocks_[static_cast<std::size_t>(i)], v);
        });
        run_.monitor->stop_if_interrupted();
        return tree_sum(std::move(sums));
    }

  private:
    [[nodiscard]] Vector block_product(TaskBlock& block, const Vector& v) const {
        const RowMatrix moved = block.pass->tangent(v, 1);
        RowMatrix cotangent;
        network::loss_curvature(loss_, block.pass->activation(output_), block.batch, scale_, moved,
                                cotangent);
        // The pass reads its weights where they stand: the way back goes through the feedback.
        block.weights.trained = feedback_;
        block.pass->backward(cotangent, false);
        Vector gradient = Vector::Zero(v.size());
        block.pass->add_gradient(gradient.data());
        block.weights.trained = forward_;
        return gradient;
    }
    network::Loss loss_;
    Vector forward_, feedback_;
    Execution run_;
    double scale_;
    std::vector<TaskBlock> blocks_;
    Index output_ = 0;
};

// Orthonormal basis and Hessenberg matrix of a Krylov space.
struct Krylov {
    Matrix basis, projected; // P x (k + 1), (k + 1) x k
};

Krylov krylov_space(TaskOperator& op, const Vector& start, Index most) {
    Krylov k{Matrix(start.size(), most + 1), Matrix::Zero(most + 1, most)};
    k.basis.col(0) = start / start.norm();
    for (Index j = 0; j < most; ++j) {
        Vector next = op.product(k.basis.col(j));
        const double size = next.norm();
        for (int twice = 0; twice < 2; ++twice) {
            const Vector along = k.basis.leftCols(j + 1).transpose() * next;
            next -= k.basis.leftCols(j + 1) * along;
            k.projected.col(j).head(j + 1) += along;
        }
        const double left = next.norm();
        if (left <= 1e-14 * size || size == 0) { // an invariant space
            k.projected.conservativeResize(j + 2, j + 1);
            k.basis.conservativeResize(Eigen::NoChange, j + 2);
            k.basis.col(j + 1).setZero();
            return k;
        }
        k.projected(j + 1, j) = left;
        k.basis.col(j + 1) = next / left;
    }
    return k;
}

} // namespace

NetworkLayers feedback_layers(const network::Model& model, const network::Samples& samples,
                              bool use_bias, const Execution& run) {
    const Net network(model.architecture);
    const auto weights = network.load(model);
    if (samples.inputs.cols() != network.input().size())
        throw Error(concat("inputs of ", samples.inputs.cols(), " numbers; the network expects ",
                           network.input().size()));
    const Json json = network::parse_json(model.architecture, "architecture").at("layers");
    const auto behind = behind_parameters(network);
    NetworkLayers found;
    std::vector<Index> nodes, sources;
    for (Index node = 1; node < network.nodes(); ++node) {
        const std::string& name = network.node_name(node);
        const bool recurrent = entry_of(network, name, "recurrent") != nullptr,
                   passed = behind[static_cast<std::size_t>(node)];
        if (recurrent || (passed && is_treated(network.node_type(node)))) {
            nodes.push_back(node);
            sources.push_back(network.node_inputs(node)[0]);
        } else if (passed && entry_of(network, name, "weight")) {
            found.left_out.push_back(name);
        }
    }
    if (nodes.empty())
        throw Error("the network has no dense or convolutional layer behind another and no "
                    "recurrent one, so that no error passes a feedback array");
    auto inputs = activations(network, weights, samples, sources, run);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::string& name = network.node_name(nodes[i]);
        if (!inputs[i].allFinite())
            throw Error("layer '" + name + "': its inputs are not finite on these samples");
        if (!entry_of(network, name, "recurrent")) {
            found.layers.push_back(layer_at(network, weights, json, nodes[i], use_bias));
            found.layers.back().inputs = std::move(inputs[i]);
            continue;
        }
        StepRows rows = step_rows(network, weights, json, nodes[i], inputs[i], samples);
        if (behind[static_cast<std::size_t>(nodes[i])])
            found.layers.push_back(recurrent_array(network, weights, name, "kernel",
                                                   use_bias ? "bias" : "", std::move(rows.input)));
        found.layers.push_back(recurrent_array(network, weights, name, "recurrent",
                                               use_bias ? "recurrent_bias" : "",
                                               std::move(rows.before)));
    }
    return found;
}

TaskCurvature task_curvature(const network::Model& model, const network::Samples& samples,
                             const network::Loss& loss, const std::vector<LayerFeedback>& feedback,
                             std::uint64_t seed, const Execution& run) {
    const Net network(model.architecture);
    network::check_samples(samples, network.input(), network.output(), loss, "data");
    const auto weights = network.load(model);
    Vector back = weights.trained;
    for (const LayerFeedback& one : feedback) {
        const auto* entry = entry_of(network, one.layer, one.array);
        if (!entry || entry->info.size() != one.weight.size())
            throw Error(
                concat("layer '", one.layer, "': feedback of another shape than its ", one.array));
        Eigen::Map<RowMatrix>(back.data() + entry->offset, one.weight.rows(), one.weight.cols()) =
            one.weight;
    }
    TaskOperator op(network, weights, samples, loss, std::move(back), run);
    const Random random(seed, "lindyn/stability/arnoldi");
    Vector start(network.parameter_count());
    for (Index i = 0; i < start.size(); ++i)
        start(i) = random.normal(static_cast<std::uint64_t>(i));
    TaskCurvature found;
    for (int again = 0; again < kRestarts; ++again) {
        const Krylov k = krylov_space(op, start, std::min(kKrylov, start.size()));
        const Index size = k.projected.cols();
        const Eigen::EigenSolver<Matrix> solver(k.projected.topRows(size));
        Index largest = 0;
        solver.eigenvalues().cwiseAbs().maxCoeff(&largest);
        found.value = solver.eigenvalues()(largest);
        if (std::abs(found.value) == 0) return found;
        const Eigen::VectorXcd ritz = solver.eigenvectors().col(largest).normalized();
        found.residual =
            k.projected(size, size - 1) * std::abs(ritz(size - 1)) / std::abs(found.value);
        if (found.residual < kTolerance) break;
        start = k.basis.leftCols(size) * ritz.real();
    }
    // Of a pair, the one above the axis; rounding alone is no imaginary part.
    found.value = {found.value.real(), std::abs(found.value.imag())};
    if (found.value.imag() < 1e-10 * std::abs(found.value)) found.value = found.value.real();
    return found;
}

} // namespace assay::lindyn
