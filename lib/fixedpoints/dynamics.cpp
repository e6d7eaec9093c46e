#include <assay/fixedpoints/dynamics.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace assay::fixedpoints {
namespace {

using network::CellForm;
using network::CellKind;
using network::Function;
using network::Model;
using network::Network;
using network::Weights;

constexpr Index kTrialBlock = 64; // trials that one thread runs together

const std::array<const char*, 7> kCellTypes{"rnn",   "gru",   "lstm",  "ugrnn",
                                            "janet", "ctrnn", "linear"};

bool is_recurrent(const std::string& type) {
    return std::find(kCellTypes.begin(), kCellTypes.end(), type) != kCellTypes.end();
}

std::string list_layers(const Network<double>& network) {
    std::vector<std::string> types;
    for (Index node = 1; node < network.nodes(); ++node) types.push_back(network.node_type(node));
    return join(types, ", ");
}

std::vector<Index> recurrent_layers(const Network<double>& network) {
    std::vector<Index> found;
    for (Index node = 1; node < network.nodes(); ++node)
        if (is_recurrent(network.node_type(node))) found.push_back(node);
    return found;
}

// Those that make the state: a chain, or the one that is named.
std::vector<Index> choose_cells(const Network<double>& network, const std::string& layer) {
    const std::vector<Index> found = recurrent_layers(network);
    if (found.empty())
        throw Error("no recurrent layer in /model (layers: " + list_layers(network) + ")");
    if (layer.empty()) return found;
    const auto node = network.find_node(layer);
    if (!node || !is_recurrent(network.node_type(*node)))
        throw Error("there is no recurrent layer '" + printable(layer, 60) +
                    "' (layers: " + list_layers(network) + ")");
    return {*node};
}

// The first node in which several recurrent branches join; none.
std::optional<Index> junction(const Network<double>& network) {
    std::vector<bool> follows(static_cast<std::size_t>(network.nodes()),
                              false); // a recurrent layer
    const auto at = [&](Index node) { return follows[static_cast<std::size_t>(node)]; };
    for (Index node = 1; node < network.nodes(); ++node) {
        const auto& from = network.node_inputs(node);
        const auto branches = std::count_if(from.begin(), from.end(), at);
        if (branches > 1) return node;
        follows[static_cast<std::size_t>(node)] =
            branches > 0 || is_recurrent(network.node_type(node));
    }
    return std::nullopt;
}

// Nodes from `first` (whose output enters) to `last`, which must form a chain.
std::vector<Index> chain(const Network<double>& network, Index first, Index last) {
    std::vector<Index> nodes;
    for (Index node = last; node != first;) {
        const auto& from = network.node_inputs(node);
        if (from.size() != 1 || from[0] < first)
            if (const auto join = junction(network))
                throw Error("two recurrent branches join in '" + network.node_name(*join) +
                            "': name the cell with --layer");
        if (from.size() != 1)
            throw Error("two branches join in '" + network.node_name(node) +
                        "': name the cell with --layer");
        nodes.push_back(node);
        if (from[0] < first)
            throw Error("the way to '" + network.node_name(last) + "' goes round '" +
                        network.node_name(first) + "': name the cell with --layer");
        node = from[0];
    }
    std::reverse(nodes.begin(), nodes.end());
    return nodes;
}

// Whether only layers without a state lead from a node to the output, and nothing joins them.
bool leads_alone(const Network<double>& network, Index first) {
    for (Index node = network.output_node(); node != first;) {
        const auto& from = network.node_inputs(node);
        if (from.size() != 1 || from[0] < first || is_recurrent(network.node_type(node)))
            return false;
        node = from[0];
    }
    return true;
}

const std::array<const char*, 2> kSilent{"dropout", "gaussian_noise"};

bool is_silent(const std::string& type) {
    return std::find(kSilent.begin(), kSilent.end(), type) != kSilent.end();
}

// Those layers of a model as a model of their own, on inputs of one step.
Model submodel(const Model& model, const Network<double>& network, const std::vector<Index>& nodes,
               const network::Shape& shape, bool sequence) {
    const Json all = Json::parse(model.architecture);
    Json layers = Json::array();
    Model part;
    for (const Index node : nodes) {
        Json layer = all.at("layers").at(static_cast<std::size_t>(node - 1));
        layer.erase("inputs");
        layers.push_back(layer);
        for (const auto& array : model.parameters)
            if (array.layer == network.node_name(node)) part.parameters.push_back(array);
    }
    Json input{{"shape", shape}};
    std::vector<std::string> axes;
    for (std::size_t i = 0; i < shape.size(); ++i)
        axes.emplace_back(sequence && i == 0 ? "time" : "feature");
    input["axes"] = axes;
    part.architecture =
        Json{{"format", "assay-architecture/1"}, {"input", input}, {"layers", layers}}.dump();
    return part;
}

bool bounded(const network::Activation& f) {
    return f.function == Function::tanh || f.function == Function::sigmoid ||
           f.function == Function::hard_sigmoid || f.function == Function::softsign;
}

bool is_bounded(const CellForm& form) {
    switch (form.kind) {
    case CellKind::linear:
        return false;
    case CellKind::ctrnn_rate:
    case CellKind::ctrnn_current:
        for (const double alpha : form.alpha)
            if (!(alpha > 0 && alpha <= 1)) return false;
        return bounded(form.activation);
    case CellKind::rnn:
        return bounded(form.activation);
    default:
        // The gate of hard_sigmoid reaches 1, where a state may grow without limit.
        return bounded(form.activation) && form.gate.function == Function::sigmoid;
    }
}

} // namespace

// A piece of the network that is no cell.
struct Dynamics::Part {
    explicit Part(const Model& model) : network(model.architecture), weights(network.load(model)) {}
    [[nodiscard]] RowMatrix operator()(const RowMatrix& inputs) const {
        network::Pass<double> pass(network);
        network::PassInfo info;
        info.samples = inputs.rows();
        return pass.forward(weights, inputs, info);
    }
    // d output / d input at one row (outputs x inputs).
    [[nodiscard]] RowMatrix jacobian(const RowMatrix& row) const {
        network::Pass<double> pass(network);
        network::PassInfo info;
        info.samples = 1;
        pass.forward(weights, row, info);
        const RowMatrix unit = RowMatrix::Identity(row.cols(), row.cols());
        return pass.tangent({}, row.cols(), {{0, &unit}}).transpose();
    }
    Network<double> network;
    Weights<double> weights;
};

Dynamics::Dynamics(Cell cell) {
    cells_.push_back(std::move(cell));
    measure();
    outputs_ = cells_.back().units();
    raw_inputs_ = inputs();
}

namespace {

// A part that is taken step by step has to mean the same there.
void refuse_reversal(const Network<double>& network, const std::vector<Index>& nodes) {
    for (const Index node : nodes)
        if (network.node_type(node) == "reverse")
            throw Error("layer '" + network.node_name(node) +
                        "' turns time round: the steps of the cell would not be those of the data");
}

} // namespace

Dynamics::Dynamics(const Model& model, const std::string& layer) {
    const Network<double> network(model.architecture);
    const Weights<double> weights = network.load(model);
    const std::vector<Index> chosen = choose_cells(network, layer);
    is_part_ = chosen.size() < recurrent_layers(network).size();
    const std::vector<Index> before = chain(network, 0, chosen.front());
    refuse_reversal(network, before);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        cells_.emplace_back(network, chosen[i], weights);
        if (i == 0) continue;
        for (const Index node : chain(network, chosen[i - 1], chosen[i]))
            if (node != chosen[i] && !is_silent(network.node_type(node)))
                throw Error("layer '" + network.node_name(node) +
                            "' stands between recurrent layers: name the cell with --layer");
    }
    const Json json = Json::parse(model.architecture);
    if (json.contains("dt") && json["dt"].is_number()) dt_ = json["dt"].get<double>();
    if (!(dt_ > 0) || !std::isfinite(dt_)) throw Error("architecture: dt must be above 0");

    // Of one step: the first axis of a sequence becomes 1.
    network::Shape shape = network.input().shape;
    if (!network.input().sequence)
        throw Error("the network's input is no sequence (time, feature)");
    shape[0] = 1;
    raw_inputs_ = network::TensorInfo{shape, true}.size();
    if (before.size() > 1) {
        const std::vector<Index> layers(before.begin(), before.end() - 1);
        for (const Index node : layers)
            if (is_recurrent(network.node_type(node)))
                throw Error("layer '" + network.node_name(node) +
                            "' before the cell is recurrent too: it would have to stand still");
        head_ = std::make_unique<Part>(submodel(model, network, layers, shape, true));
        if (network.node_type(layers.front()) == "embedding") {
            const auto& first = head_->network.parameters().front();
            vocabulary_ = first.info.shape.at(0);
        }
    }
    measure();
    const Index last = chosen.back();
    outputs_ = cells_.back().units();
    // What others join behind a cell that is named is no readout of its state: that is its own.
    reads_output_ = layer.empty() || leads_alone(network, last);
    if (!reads_output_) return;
    const std::vector<Index> after = chain(network, last, network.output_node());
    const bool sequence = network.node_tensor(last).sequence;
    if (after.empty()) return;
    refuse_reversal(network, after);
    const Index units = cells_.back().units();
    tail_ = std::make_unique<Part>(
        submodel(model, network, after, sequence ? network::Shape{1, units} : network::Shape{units},
                 sequence));
    outputs_ = tail_->network.output().size();
}

Dynamics::~Dynamics() = default;
Dynamics::Dynamics(Dynamics&&) noexcept = default;

void Dynamics::measure() {
    for (const Cell& cell : cells_) {
        offsets_.push_back(state_size_);
        reduced_offsets_.push_back(reduced_size_);
        state_size_ += cell.state_size();
        reduced_size_ += cell.units();
    }
}

std::string Dynamics::description() const {
    std::vector<std::string> words;
    for (const Cell& cell : cells_) {
        static const std::array<const char*, 9> kWords{"rnn",   "linear", "gru",   "gru",  "lstm",
                                                       "ugrnn", "janet",  "ctrnn", "ctrnn"};
        words.push_back(
            concat(kWords.at(static_cast<std::size_t>(cell.form().kind)), "-", cell.units()));
    }
    return join(words, ",");
}

RowMatrix Dynamics::drive(const RowMatrix& raw) const {
    if (raw.cols() != raw_inputs_)
        throw Error(
            concat("inputs of ", raw.cols(), " numbers a step, the network takes ", raw_inputs_));
    return head_ ? (*head_)(raw) : raw;
}

RowMatrix Dynamics::initial_state() const {
    RowMatrix state(1, state_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l)
        state.middleCols(offsets_[l], cells_[l].state_size()) =
            cells_[l].initial_state().transpose();
    return state;
}

// What cell l is driven by, given the states of the layers below.
RowMatrix Dynamics::seen_by(std::size_t l, const RowMatrix& x, const RowMatrix& h) const {
    if (l == 0) return x;
    const Cell& below = cells_[l - 1];
    return below.output(h.middleCols(offsets_[l - 1], below.state_size()));
}

RowMatrix Dynamics::step(const RowMatrix& x, const RowMatrix& h) const {
    if (cells_.size() == 1) return cells_[0].step(x, h);
    RowMatrix next(h.rows(), state_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l)
        next.middleCols(offsets_[l], cells_[l].state_size()) =
            cells_[l].step(seen_by(l, x, next), h.middleCols(offsets_[l], cells_[l].state_size()));
    return next;
}

namespace {

// d output / dh of a cell at one state (units x state): the identity, or the slopes of the rates.
RowMatrix output_jacobian(const Cell& cell, const RowMatrix& h) {
    RowMatrix jacobian = RowMatrix::Zero(cell.units(), cell.state_size());
    jacobian.leftCols(cell.units()).diagonal() = cell.output_slopes(h).row(0).transpose();
    return jacobian;
}

} // namespace

namespace {

// Matrices of several states, one below the other.
template <class Body>
RowMatrix stacked(const RowMatrix& x, const RowMatrix& h, Body&& body) {
    RowMatrix all;
    for (Index b = 0; b < h.rows(); ++b) {
        const RowMatrix one = body(x.row(x.rows() == 1 ? 0 : b), h.row(b));
        if (b == 0) all.resize(h.rows() * one.rows(), one.cols());
        all.middleRows(b * one.rows(), one.rows()) = one;
    }
    return all;
}

} // namespace

RowMatrix Dynamics::jacobian_state(const RowMatrix& x, const RowMatrix& h) const {
    if (cells_.size() == 1) return cells_[0].jacobian_state(x, h);
    if (h.rows() > 1)
        return stacked(x, h, [this](const RowMatrix& one, const RowMatrix& at) {
            return jacobian_state(one, at);
        });
    const RowMatrix next = step(x, h);
    RowMatrix jacobian = RowMatrix::Zero(state_size_, state_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l) {
        const Cell& cell = cells_[l];
        const RowMatrix own = h.middleCols(offsets_[l], cell.state_size());
        const RowMatrix seen = seen_by(l, x, next);
        auto rows = jacobian.middleRows(offsets_[l], cell.state_size());
        rows.middleCols(offsets_[l], cell.state_size()) = cell.jacobian_state(seen, own);
        if (l == 0) continue;
        // The layer below has moved already: the chain rule through its new state.
        const Cell& below = cells_[l - 1];
        const RowMatrix through =
            cell.jacobian_input(seen, own) *
            output_jacobian(below, next.middleCols(offsets_[l - 1], below.state_size()));
        rows.leftCols(offsets_[l]) +=
            through *
            jacobian.middleRows(offsets_[l - 1], below.state_size()).leftCols(offsets_[l]);
    }
    return jacobian;
}

RowMatrix Dynamics::jacobian_input(const RowMatrix& x, const RowMatrix& h) const {
    if (cells_.size() == 1) return cells_[0].jacobian_input(x, h);
    if (h.rows() > 1)
        return stacked(x, h, [this](const RowMatrix& one, const RowMatrix& at) {
            return jacobian_input(one, at);
        });
    const RowMatrix next = step(x, h);
    RowMatrix jacobian(state_size_, inputs());
    for (std::size_t l = 0; l < cells_.size(); ++l) {
        const Cell& cell = cells_[l];
        const RowMatrix direct =
            cell.jacobian_input(seen_by(l, x, next), h.middleCols(offsets_[l], cell.state_size()));
        auto rows = jacobian.middleRows(offsets_[l], cell.state_size());
        if (l == 0) {
            rows = direct;
            continue;
        }
        const Cell& below = cells_[l - 1];
        rows = direct *
               output_jacobian(below, next.middleCols(offsets_[l - 1], below.state_size())) *
               jacobian.middleRows(offsets_[l - 1], below.state_size());
    }
    return jacobian;
}

RowMatrix Dynamics::pull_back(const RowMatrix& x, const RowMatrix& h, const RowMatrix& w) const {
    if (cells_.size() == 1) return cells_[0].adjoint(x, h, w).state;
    const RowMatrix next = step(x, h);
    RowMatrix cotangent = w, back(h.rows(), state_size_);
    for (std::size_t l = cells_.size(); l-- > 0;) {
        const Cell& cell = cells_[l];
        const auto adjoint =
            cell.adjoint(seen_by(l, x, next), h.middleCols(offsets_[l], cell.state_size()),
                         cotangent.middleCols(offsets_[l], cell.state_size()));
        back.middleCols(offsets_[l], cell.state_size()) = adjoint.state;
        if (l == 0) break;
        // What drives this layer is what the layer below shows of its new state.
        const Cell& below = cells_[l - 1];
        const RowMatrix slopes =
            below.output_slopes(next.middleCols(offsets_[l - 1], below.state_size()));
        cotangent.middleCols(offsets_[l - 1], below.units()) += adjoint.input.cwiseProduct(slopes);
    }
    return back;
}

RowMatrix Dynamics::reduced_part(const RowMatrix& h) const {
    RowMatrix v(h.rows(), reduced_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l)
        v.middleCols(reduced_offsets_[l], cells_[l].units()) =
            h.middleCols(offsets_[l], cells_[l].units());
    return v;
}

namespace {

// The visible state of a layer whose h is at rest.
RowMatrix shown(const Cell& cell, const RowMatrix& v) {
    return cell.form().kind == CellKind::ctrnn_current ? cell.output(v) : v;
}

} // namespace

RowMatrix Dynamics::reduced(const RowMatrix& x, const RowMatrix& v) const {
    RowMatrix next(v.rows(), reduced_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l) {
        const Cell& cell = cells_[l];
        const RowMatrix own = v.middleCols(reduced_offsets_[l], cell.units());
        const RowMatrix seen = l == 0 ? x
                                      : shown(cells_[l - 1], v.middleCols(reduced_offsets_[l - 1],
                                                                          cells_[l - 1].units()));
        next.middleCols(reduced_offsets_[l], cell.units()) =
            cell.has_reduced() ? cell.reduced(seen, own) : cell.step(seen, own);
    }
    return next;
}

RowMatrix Dynamics::reduced_jacobian(const RowMatrix& x, const RowMatrix& v) const {
    const auto own_jacobian = [](const Cell& cell, const RowMatrix& seen, const RowMatrix& own) {
        return cell.has_reduced() ? cell.reduced_jacobian(seen, own)
                                  : cell.jacobian_state(seen, own);
    };
    if (cells_.size() == 1) return own_jacobian(cells_[0], x, v);
    if (v.rows() > 1)
        return stacked(x, v, [this](const RowMatrix& one, const RowMatrix& at) {
            return reduced_jacobian(one, at);
        });
    RowMatrix jacobian = RowMatrix::Zero(reduced_size_, reduced_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l) {
        const Cell& cell = cells_[l];
        const RowMatrix own = v.middleCols(reduced_offsets_[l], cell.units());
        auto rows = jacobian.middleRows(reduced_offsets_[l], cell.units());
        if (l == 0) {
            rows.leftCols(cell.units()) = own_jacobian(cell, x, own);
            continue;
        }
        const Cell& below = cells_[l - 1];
        const RowMatrix low = v.middleCols(reduced_offsets_[l - 1], below.units());
        const RowMatrix seen = shown(below, low);
        rows.middleCols(reduced_offsets_[l], cell.units()) = own_jacobian(cell, seen, own);
        // dR_l / dx at rest: through the full step, scaled as the reduced map is.
        rows.middleCols(reduced_offsets_[l - 1], below.units()) =
            cell.reduced_input_jacobian(seen, own) *
            output_jacobian(below, low).leftCols(below.units());
    }
    return jacobian;
}

RowMatrix Dynamics::full_state(const RowMatrix& x, const RowMatrix& v) const {
    RowMatrix h(v.rows(), state_size_);
    for (std::size_t l = 0; l < cells_.size(); ++l) {
        const Cell& cell = cells_[l];
        const RowMatrix own = v.middleCols(reduced_offsets_[l], cell.units());
        const RowMatrix seen = l == 0 ? x
                                      : shown(cells_[l - 1], v.middleCols(reduced_offsets_[l - 1],
                                                                          cells_[l - 1].units()));
        h.middleCols(offsets_[l], cell.state_size()) =
            cell.has_reduced() ? cell.full_state(seen, own) : own;
    }
    return h;
}

RowMatrix Dynamics::visible(const RowMatrix& h) const {
    return cells_.back().output(h.middleCols(offsets_.back(), cells_.back().state_size()));
}

RowMatrix Dynamics::readout(const RowMatrix& h) const {
    const RowMatrix shows = visible(h);
    return tail_ ? (*tail_)(shows) : shows;
}

RowMatrix Dynamics::readout_jacobian(const RowMatrix& h) const {
    const Cell& last = cells_.back();
    RowMatrix jacobian = RowMatrix::Zero(outputs_, state_size_);
    const RowMatrix own = output_jacobian(last, h.middleCols(offsets_.back(), last.state_size()));
    jacobian.middleCols(offsets_.back(), last.state_size()) =
        tail_ ? RowMatrix(tail_->jacobian(visible(h)) * own) : own;
    return jacobian;
}

bool Dynamics::maps_ball_into_itself() const {
    return std::all_of(cells_.begin(), cells_.end(),
                       [](const Cell& cell) { return is_bounded(cell.form()); });
}

Trajectories run_trials(const Dynamics& dynamics, const RowMatrix& raw, Index trials,
                        std::vector<Index> lengths, const Execution& run, double noise,
                        std::uint64_t seed) {
    Trajectories result;
    result.trials = trials;
    result.steps = trials > 0 ? raw.rows() / trials : 0;
    if (trials * result.steps != raw.rows())
        throw Error(concat(raw.rows(), " steps do not make ", trials, " trials of equal length"));
    if (lengths.empty()) lengths.assign(static_cast<std::size_t>(trials), result.steps);
    result.lengths = std::move(lengths);
    result.inputs.resize(raw.rows(), dynamics.inputs());
    result.states.resize(raw.rows(), dynamics.state_size());
    const Random random(seed, "fixedpoints/simulate/noise");
    const Blocks blocks{trials, kTrialBlock};
    const Index steps = result.steps;
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        const Index first = blocks.begin(block), count = blocks.extent(block);
        result.inputs.middleRows(first * steps, count * steps) =
            dynamics.drive(raw.middleRows(first * steps, count * steps));
        RowMatrix state = dynamics.initial_state().replicate(count, 1);
        RowMatrix x(count, dynamics.inputs());
        for (Index t = 0; t < steps; ++t) {
            for (Index b = 0; b < count; ++b)
                x.row(b) = result.inputs.row(result.row(first + b, t));
            state = dynamics.step(x, state);
            if (noise > 0)
                for (Index b = 0; b < count; ++b)
                    for (Index i = 0; i < state.cols(); ++i)
                        state(b, i) += noise * random.normal(static_cast<std::uint64_t>(i),
                                                             {static_cast<std::uint64_t>(first + b),
                                                              static_cast<std::uint64_t>(t), 0});
            for (Index b = 0; b < count; ++b) {
                auto row = result.states.row(result.row(first + b, t));
                if (t < result.lengths[static_cast<std::size_t>(first + b)])
                    row = state.row(b);
                else
                    row.setZero();
            }
        }
    });
    return result;
}

RowMatrix advance(const Dynamics& dynamics, const RowMatrix& x, RowMatrix states, Index steps) {
    for (Index t = 0; t < steps; ++t) states = dynamics.step(x, states);
    return states;
}

} // namespace assay::fixedpoints
