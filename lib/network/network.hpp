// A network compiled from its architecture (JSON, assay-architecture/1), and passes over batches:
// outputs, activations, and exact derivatives in any direction. Parameters stand in one flat vector
// in the order of the architecture (layers in order; inside a layer weight, bias; gamma, beta), C
// order, so that optimisers and eigensolvers walk plain memory. float and double.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/layer.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace assay::network {

// All numbers of a network: what is trained, and running statistics.
template <class S>
struct Weights {
    Column<S> trained, statistics;
};

// One array's place in Weights.
struct ParameterEntry {
    std::string layer;
    ParameterInfo info;
    Index offset = 0; // in `trained` or, if not trained, in `statistics`
};

// Where all arrays of a network stand in Weights, and what files tell of them.
struct Layout {
    std::string architecture;
    std::vector<ParameterEntry> arrays;
    std::vector<LayerGates> gates; // of recurrent layers
};

// Numbers that stand elsewhere, of either precision.
template <class S>
struct Span {
    const S* data = nullptr;
    Index size = 0;
};
using NumbersView = std::variant<Span<float>, Span<double>>;

template <class S>
[[nodiscard]] NumbersView view_of(const Column<S>& numbers) {
    return Span<S>{numbers.data(), numbers.size()};
}

template <class S>
class ASSAY_API Network {
  public:
    // Throws Error with the JSON path of a mistake.
    explicit Network(const std::string& architecture);
    ~Network();
    Network(Network&&) noexcept;
    Network(const Network&) = delete;

    [[nodiscard]] const std::string& architecture() const { return layout_.architecture; }
    [[nodiscard]] const TensorInfo& input() const { return input_; }
    [[nodiscard]] const std::vector<std::string>& input_axes() const { return axes_; }
    // Of several layers that are outputs all numbers, one layer after the other (step by step where
    // all are sequences of one length).
    [[nodiscard]] const TensorInfo& output() const;
    [[nodiscard]] const std::vector<ParameterEntry>& parameters() const { return layout_.arrays; }
    [[nodiscard]] const Layout& layout() const { return layout_; }
    [[nodiscard]] Index parameter_count() const { return trained_; }
    [[nodiscard]] Index statistics_count() const { return statistics_; }
    // Floating point operations of one sample's forward pass, and numbers its activations take.
    [[nodiscard]] double flops() const;
    [[nodiscard]] Index activation_size() const;

    // Nodes: 0 is the input, then the layers in order.
    [[nodiscard]] Index nodes() const { return static_cast<Index>(nodes_.size()); }
    [[nodiscard]] Index output_node() const { return output_; }
    // The layers that are outputs; one of several is not output_node().
    [[nodiscard]] const std::vector<Index>& output_layers() const { return outputs_; }
    [[nodiscard]] const std::string& node_name(Index node) const;
    [[nodiscard]] const std::string& node_type(Index node) const;
    [[nodiscard]] const TensorInfo& node_tensor(Index node) const;
    [[nodiscard]] std::optional<Index> find_node(const std::string& name) const;
    [[nodiscard]] const std::vector<Index>& node_inputs(Index node) const;
    // For Pass::set_slopes of a node that chooses among its inputs (max_pool, global_max_pool,
    // maximum): the share of the way from the values `from` of its inputs to `to` (one array an
    // input, samples x size) on which each candidate is the largest, inputs taken as linear
    // between: the secant of the maximum. Ties go to the first. Samples x (outputs x candidates), a
    // candidate being an element of the window, a cell, or an input. Cost: candidates^2 an output
    // at most. Throws Error for other nodes and for arrays that do not fit.
    [[nodiscard]] Rows<S> envelope_shares(Index node, const std::vector<RowsView<S>>& from,
                                          const std::vector<RowsView<S>>& to) const;
    // Whether a node is a rectifying activation.
    [[nodiscard]] bool rectifies(Index node) const;
    // The last node such that it and all before it on its way are affine in the input: evaluated
    // once for many inputs on a line. 0 where there is none.
    [[nodiscard]] Index affine_head() const;

    // The numbers of a model, in the order of gates that this library uses. Throws Error for arrays
    // that are missing or of wrong shape; names of arrays without a place go to `unused`.
    [[nodiscard]] Weights<S> load(const Model& model,
                                  std::vector<std::string>* unused = nullptr) const;
    [[nodiscard]] Model store(const Weights<S>& weights) const;

  private:
    template <class>
    friend class Pass;
    struct Node;
    void add_layer(const nlohmann::json& json, const std::string& path);
    [[nodiscard]] std::string free_name(std::string name) const;
    Layout layout_;
    TensorInfo input_;
    std::vector<std::string> axes_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::map<std::string, Index> names_;
    std::vector<Index> outputs_;
    Index trained_ = 0, statistics_ = 0, output_ = 0;
};

// The arrays of one batch, and the four passes over it. Arrays are kept and reused, so that a pass
// of the same shape allocates little. Not thread-safe: one a thread.
template <class S>
class ASSAY_API Pass {
  public:
    explicit Pass(const Network<S>& network);
    ~Pass();
    Pass(Pass&&) noexcept;
    Pass(const Pass&) = delete;

    // Outputs (samples x size). `weights` and `inputs` must outlive the passes that follow.
    const Rows<S>& forward(const Weights<S>& weights, const Rows<S>& inputs, const PassInfo& info);
    [[nodiscard]] const Rows<S>& activation(Index node) const;

    // Moves parameters along the columns of `directions` (P x K; empty: they stay) and tensors of
    // some nodes (0: the inputs) along stacked rows. Returns the outputs' tangents (K samples x
    // size).
    struct MovedNode {
        Index node;
        const Rows<S>* tangent;
    };
    const Rows<S>& tangent(const Columns<S>& directions, Index count,
                           const std::vector<MovedNode>& moved = {});
    [[nodiscard]] const Rows<S>& tangent_of(Index node) const;

    // Cotangents of every node from that of the output. `inputs_too`: also where no parameter is
    // upstream.
    void backward(const Rows<S>& cotangent, bool inputs_too);
    [[nodiscard]] const Rows<S>& cotangent(Index node) const;
    // Adds dL/dtheta of some samples to `gradient` (P).
    void add_gradient(S* gradient, SampleRange range) const;
    void add_gradient(S* gradient) const; // of all samples
    // Writes dL/dtheta of all samples, P numbers that need not be there before.
    void write_gradient(S* gradient) const;

    // Adds J^T d to the columns of `gradients` (P x K) for stacked cotangents d of the output; the
    // cotangents of `backward` are lost.
    void add_adjoint(const Rows<S>& cotangents, Columns<S>& gradients);

    // Directional derivatives of the cotangents, after tangent and backward; `cotangent_tangent`
    // (K samples x size) is that of the output's.
    void backward_tangent(const Rows<S>& cotangent_tangent);
    [[nodiscard]] const Rows<S>& cotangent_tangent(Index node) const;
    // Adds those of dL/dtheta (P x K).
    void add_gradient_tangent(Columns<S>& gradient) const;

    // Average slopes that stand in for the derivatives of element-wise layers in `backward`
    // (samples x size), or shares for layers that choose (see Network::envelope_shares); an empty
    // array restores the derivative. Throws Error for a wrong number of columns.
    void set_slopes(Index node, Rows<S> slopes);
    // After forward, over all recurrent layers: the sum over samples of the mean square of a
    // layer's rates over valid steps and units.
    [[nodiscard]] double mean_square_rates() const;
    // Running statistics after a training pass.
    void update_statistics(Weights<S>& weights) const;

  private:
    struct NodeState;
    [[nodiscard]] const Primal<S>& primal(Index node) const;
    const Primal<S>& prepared(Index node);
    [[nodiscard]] Tangents<S> tangents(Index node) const;
    template <class Body>
    void walk_back(std::vector<Rows<S>>& arrays, std::vector<char>& fresh, Body&& body);
    const Network<S>* network_;
    const Weights<S>* weights_ = nullptr;
    std::unique_ptr<NodeState> state_;
    bool inputs_too_ = false;
};

} // namespace assay::network
