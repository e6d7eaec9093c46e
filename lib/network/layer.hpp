// One layer of a network: its forward map and the three maps that exact derivatives need. For
// output y = f(x, theta), directions (dx, dtheta) and cotangent D = dL/dy:
//   forward           y
//   tangent           J (dx, dtheta)                                 (Jv)
//   backward          J^T D: cotangents of x, and of theta           (vJ)
//   backward_tangent  the directional derivative of backward          (R-operator, Pearlmutter
//   1994)
// Arrays are rows of samples; a row is one sample's tensor, channels first, C order. Tangents of K
// directions are stacked: row k B + b belongs to direction k and sample b.
#pragma once

#include <assay/core/allowed_threads.hpp>
#include <assay/core/export.hpp>
#include <assay/network/keys.hpp>
#include <assay/network/model.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace assay::network {

template <class S>
using Rows = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class S>
using Column = Eigen::Matrix<S, Eigen::Dynamic, 1>;
template <class S>
using RowsView = Eigen::Ref<const Rows<S>>;
// Parameters x directions.
template <class S>
using Columns = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic>;

// Numbers in an array.
[[nodiscard]] inline Index size_of(const Shape& shape) {
    Index product = 1;
    for (const Index extent : shape) product *= extent;
    return product;
}

// What flows between layers, of one sample.
struct TensorInfo {
    Shape shape;
    bool sequence = false; // the first axis is time
    [[nodiscard]] Index size() const { return size_of(shape); }
};

enum class Mode { inference, training };

// What an initialiser needs to know of an array (lib/network/initialise).
enum class Role { weight, bias, scale, offset, recurrent, embedding, state, mean, variance, shape };

// Whether arrays of the role are matrices (or kernels) that multiply what comes in.
[[nodiscard]] inline bool is_weight(Role role) {
    return role == Role::weight || role == Role::recurrent || role == Role::embedding;
}

struct ParameterInfo {
    std::string name;
    Shape shape;
    Role role = Role::weight;
    Index fan_in = 1, fan_out = 1;
    bool trained = true; // running statistics are not

    [[nodiscard]] Index size() const { return size_of(shape); }
};

// What a layer remembers of a pass, in arrays it numbers itself.
template <class S>
struct Memory {
    std::deque<Rows<S>> arrays; // references stay valid
    std::vector<Eigen::Index> indices;
    std::shared_ptr<void> state; // of layers with a structure of their own
    Rows<S>& at(std::size_t slot) {
        if (arrays.size() <= slot) arrays.resize(slot + 1);
        return arrays[slot];
    }
    template <class State>
    State& own() {
        if (!state) state = std::make_shared<State>();
        return *static_cast<State*>(state.get());
    }
};

// What holds for a whole pass.
struct PassInfo {
    Index samples = 0;
    Mode mode = Mode::inference;
    const std::vector<Index>* lengths = nullptr; // valid steps of each sample; null: all
    // Where the noise of dropout comes from: the batch's address in the stream `noise`, and the
    // place in the batch of the first sample.
    std::uint64_t seed = 0, step = 0;
    Index first = 0;
    // Recurrent layers. Gradients end at steps that are multiples of `truncate` (0: at the start):
    // a state that crosses one counts as given.
    Index truncate = 0;
    // Backward passes are those of the loss + 1/2 rate_penalty mean_square_rates.
    double rate_penalty = 0;
};

// The primal pass as a layer sees it.
template <class S>
struct Primal {
    const PassInfo* pass = nullptr;
    std::vector<const Rows<S>*> x; // samples x size of each input
    const Rows<S>* y = nullptr;    // samples x size of the output
    const S* theta = nullptr;      // the layer's trained arrays, one after another
    const S* statistics = nullptr; // its untrained ones
    Memory<S>* memory = nullptr;
    // What stands in for the derivative (samples x slope_size), or null: slopes of an element-wise
    // layer, shares of one that chooses.
    const Rows<S>* slopes = nullptr;
};

// K directions at once.
template <class S>
struct Tangents {
    Index directions = 1;
    std::vector<const Rows<S>*> dx; // null where an input does not move
    // The layer's rows of the directions (size x K); empty where parameters do not move.
    Eigen::Ref<const Columns<S>, 0, Eigen::OuterStride<>> dtheta;
    const Rows<S>* dy = nullptr; // set for backward_tangent
    Memory<S>* memory = nullptr;
    [[nodiscard]] bool moves_parameters() const { return dtheta.size() > 0; }
};

// Where a cotangent goes: several consumers of a tensor add up.
template <class S>
class Sink {
  public:
    Sink() = default;
    // `fresh` tells all sinks of one array whether nobody wrote to it yet; `work` is room for what
    // is added to it.
    Sink(Rows<S>& rows, char& fresh, Rows<S>& work) : rows_(&rows), fresh_(&fresh), work_(&work) {}
    [[nodiscard]] bool wanted() const { return rows_ != nullptr; }
    // Number by number of an expression.
    template <class Expression>
    void add(const Expression& value) {
        bool fresh = false;
        Rows<S>& to = open(value.rows(), value.cols(), fresh);
        each_share(to, [&](auto&& rows, Index first) {
            if (fresh)
                rows = value.middleRows(first, rows.rows());
            else
                rows += value.middleRows(first, rows.rows());
        });
    }
    // The same of what body(array of `count` x `size`) writes: every number of it.
    template <class Body>
    void write(Index count, Index size, Body&& body) {
        Rows<S>& to = *fresh_ ? *rows_ : *work_;
        to.resize(count, size);
        body(to);
        if (!*fresh_)
            each_share(*rows_, [&](auto&& rows, Index first) {
                rows += to.middleRows(first, rows.rows());
            });
        *fresh_ = 0;
    }
    // The array itself; `fresh` where nobody wrote to it yet: then it must be written, not added
    // to.
    Rows<S>& open(Index count, Index size, bool& fresh) {
        fresh = *fresh_ != 0;
        if (fresh) rows_->resize(count, size);
        *fresh_ = 0;
        return *rows_;
    }
    // The same, filled with zeros where nobody wrote to it yet.
    Rows<S>& zeroed(Index count, Index size) {
        bool fresh = false;
        Rows<S>& rows = open(count, size, fresh);
        if (fresh) each_share(rows, [](auto&& some, Index) { some.setZero(); });
        return rows;
    }

  private:
    // Calls body(some of the rows, the first's number); threads share them.
    template <class Body>
    static void each_share(Rows<S>& rows, Body&& body) {
        share_out(rows.rows(), static_cast<double>(rows.size()),
                  [&](Index first, Index count) { body(rows.middleRows(first, count), first); });
    }
    Rows<S>* rows_ = nullptr;
    char* fresh_ = nullptr;
    Rows<S>* work_ = nullptr;
};

struct SampleRange {
    Index first = 0, count = 0;
};

template <class S>
class Layer {
  public:
    virtual ~Layer() = default;
    [[nodiscard]] const TensorInfo& output() const { return output_; }
    [[nodiscard]] const std::vector<ParameterInfo>& parameters() const { return parameters_; }
    // Gates of a recurrent layer in the order of its rows, "r,z,n"; empty for none.
    [[nodiscard]] virtual std::string gates() const { return {}; }
    // Whether the layer rectifies (relu and its smooth kin): decides the law of initial weights.
    [[nodiscard]] virtual bool rectifies() const { return false; }
    // Whether the layer is affine in its input (once its parameters are fixed).
    [[nodiscard]] virtual bool affine() const { return false; }
    // Numbers a sample that can stand in for the derivative: one an output, or for a layer that
    // chooses a share of every candidate (the candidates of one output together).
    [[nodiscard]] virtual Index slope_size() const { return output_.size(); }
    // Of a layer that chooses (max pooling, maximum): the share of the way from one value of the
    // inputs to another on which each candidate is the largest, inputs taken as linear between
    // (upper envelope of lines; ties go to the first). Samples x slope_size; empty for others.
    [[nodiscard]] virtual Rows<S> envelope_shares(const std::vector<RowsView<S>>&,
                                                  const std::vector<RowsView<S>>&) const {
        return {};
    }
    // Of a recurrent layer after forward: the sum over samples of the mean square of its rates over
    // valid steps and units.
    [[nodiscard]] virtual double mean_square_rates(const Primal<S>&) const { return 0; }
    // Multiplications and additions of one sample's forward pass; about twice that backwards.
    [[nodiscard]] virtual double flops() const { return static_cast<double>(output_.size()); }

    virtual void forward(const Primal<S>& p, Rows<S>& y) const = 0;
    virtual void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const = 0;
    virtual void backward(const Primal<S>& p, const Rows<S>& cotangent,
                          std::vector<Sink<S>>& dx) const = 0;
    virtual void backward_tangent(const Primal<S>& p, const Tangents<S>& t,
                                  const Rows<S>& cotangent, const Rows<S>& cotangent_tangent,
                                  std::vector<Sink<S>>& dx) const = 0;
    // Adds dL/dtheta of some samples; after backward on the same cotangent.
    virtual void parameter_gradient(const Primal<S>&, const Rows<S>&, SampleRange, S*) const {}
    // dL/dtheta of all samples, into an array that holds nothing yet.
    virtual void write_parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent,
                                          S* gradient) const {
        Index size = 0;
        for (const auto& info : parameters_) size += info.trained ? info.size() : 0;
        std::fill_n(gradient, size, S(0));
        parameter_gradient(p, cotangent, {0, cotangent.rows()}, gradient);
    }
    // Adds its directional derivatives, (size x K) with the given distance between columns; after
    // backward_tangent.
    virtual void parameter_gradient_tangent(const Primal<S>&, const Tangents<S>&, const Rows<S>&,
                                            const Rows<S>&,
                                            Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>>) const {
    }
    // Running statistics after a training pass.
    virtual void update_statistics(const Primal<S>&, S*) const {}

  protected:
    TensorInfo output_;
    std::vector<ParameterInfo> parameters_;
};

// What a factory is given.
struct LayerRequest {
    Keys* keys;                     // the layer's JSON object
    std::string type;               // the registered word
    std::vector<TensorInfo> inputs; // at least one
};

template <class S>
using LayerFactory = std::unique_ptr<Layer<S>> (*)(const LayerRequest&);

struct LayerType {
    std::string type;
    Index least_inputs, most_inputs;
    LayerFactory<double> make_double;
    LayerFactory<float> make_float;
};

// All registered types. A layer is added by one line in its own file:
//   const LayerRegistration kDense("dense", make_dense<double>, make_dense<float>);
std::vector<LayerType>& layer_types();

struct LayerRegistration {
    LayerRegistration(const std::string& type, LayerFactory<double> make_double,
                      LayerFactory<float> make_float, Index least_inputs = 1,
                      Index most_inputs = 1) {
        layer_types().push_back({type, least_inputs, most_inputs, make_double, make_float});
    }
};

// Throws Error with the layer's path unless the sizes of one sample's tensor stay below 2^40.
Index checked_size(const Shape& shape, const std::string& path);
// "64 x 784".
[[nodiscard]] std::string shape_text(const Shape& shape);
// Throws Error unless all inputs have the same shape.
void expect_equal_shapes(const LayerRequest& request);
// For layers that need (channel, space...) or any other rank.
void expect_rank(const LayerRequest& request, Index least, Index most);

} // namespace assay::network
