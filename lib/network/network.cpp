#include <assay/network/network.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::network {
namespace {

constexpr std::size_t kMostLayers = 100000;
constexpr Index kMostParameters = Index{1} << 36;

const LayerType& find_type(Keys& keys, const std::string& type) {
    std::vector<std::string> known;
    for (const auto& one : layer_types()) {
        if (one.type == type) return one;
        known.push_back(one.type);
    }
    std::sort(known.begin(), known.end());
    const auto near = nearest_name(type, known);
    keys.refuse("type", concat("unknown layer type '", printable(type, 40), "'",
                               near ? "; is '" + *near + "' meant?" : ""));
}

template <class S>
std::unique_ptr<Layer<S>> make_layer(const LayerType& type, const LayerRequest& request) {
    if constexpr (std::is_same_v<S, double>)
        return type.make_double(request);
    else
        return type.make_float(request);
}

// " (3 gates x 64 units)": what the rows are.
std::string gates_text(const std::string& gates, const Shape& shape) {
    const auto count = static_cast<Index>(split(gates, ',').size());
    return concat(" (", count, count == 1 ? " gate x " : " gates x ", shape.at(0) / count,
                  " units)");
}

// Where row r of the library's order stands in an array whose gates are in another order.
std::vector<Index> gate_rows(const std::string& ours, const std::string& theirs, Index rows,
                             const std::string& place) {
    const auto wanted = split(ours, ','), found = split(theirs, ',');
    auto sorted_wanted = wanted, sorted_found = found;
    std::sort(sorted_wanted.begin(), sorted_wanted.end());
    std::sort(sorted_found.begin(), sorted_found.end());
    if (sorted_wanted != sorted_found)
        throw Error(concat(place, ": gates '", printable(theirs, 40), "'; the gates ", ours,
                           " in some order are expected"));
    const Index units = rows / static_cast<Index>(wanted.size());
    std::vector<Index> from;
    for (const auto& gate : wanted) {
        const Index at = std::find(found.begin(), found.end(), gate) - found.begin();
        for (Index i = 0; i < units; ++i) from.push_back(at * units + i);
    }
    return from;
}

} // namespace

template <class S>
struct Network<S>::Node {
    std::string name, type;
    std::vector<Index> inputs;
    std::unique_ptr<Layer<S>> layer; // null for the input
    Index trained = 0, trained_count = 0, statistics = 0;
    bool upstream_parameters = false; // here or before
    bool affine = true;               // here and before
};

template <class S>
Network<S>::~Network() = default;
template <class S>
Network<S>::Network(Network&&) noexcept = default;

template <class S>
Network<S>::Network(const std::string& architecture) : layout_{architecture, {}, {}} {
    const Json json = parse_json(architecture, "architecture");
    at_place("architecture", [&] {
        Keys root(json, "");
        const std::string format = root.text("format", "assay-architecture/1");
        if (format != "assay-architecture/1")
            root.refuse("format",
                        "expected 'assay-architecture/1', found '" + printable(format, 40) + "'");
        Keys input(root.value("input"), "input");
        input_.shape = input.integers("shape", -1, 1);
        if (input_.shape.empty()) input.refuse("shape", "expected at least one axis");
        checked_size(input_.shape, "input.shape");
        if (input.has("axes")) axes_ = input.texts("axes");
        if (!axes_.empty() && axes_.size() != input_.shape.size())
            input.refuse("axes",
                         concat("expected ", input_.shape.size(), " names, found ", axes_.size()));
        input_.sequence = !axes_.empty() && axes_[0] == "time";
        input.refuse_others();
        nodes_.push_back(std::make_unique<Node>());
        nodes_[0]->name = "input";
        names_["input"] = 0;
        const Json& layers = root.value("layers");
        if (!layers.is_array() || layers.empty())
            root.refuse("layers", "expected a list of layers");
        if (layers.size() > kMostLayers)
            root.refuse("layers",
                        concat("at most ", kMostLayers, " layers, found ", layers.size()));
        for (std::size_t i = 0; i < layers.size(); ++i)
            add_layer(layers[i], concat("layers[", i, "]"));
        output_ = nodes() - 1;
        if (root.has("output")) {
            const auto names = root.texts("output");
            if (names.empty()) root.refuse("output", "expected at least one name");
            for (const auto& name : names) {
                const auto found = names_.find(name);
                if (found == names_.end() || found->second == 0)
                    root.refuse("output", "there is no layer '" + printable(name, 60) + "'");
                if (std::count(outputs_.begin(), outputs_.end(), found->second) > 0)
                    root.refuse("output", "'" + printable(name, 60) + "' stands there twice");
                outputs_.push_back(found->second);
            }
            // Several stand one after the other in the network's output.
            if (names.size() > 1)
                add_layer({{"name", free_name("outputs")}, {"type", "join"}, {"inputs", names}},
                          "output");
            output_ = names.size() > 1 ? nodes() - 1 : outputs_[0];
        } else {
            static_cast<void>(root.text("output", "")); // known, for hints on others
            outputs_ = {output_};
        }
        static_cast<void>(root.has("dt") ? root.number("dt") : root.number("dt", 1));
        static_cast<void>(root.has("task") && root.value("task").is_null());
        if (!root.has("task")) static_cast<void>(root.text("task", ""));
        root.refuse_others();
    });
}

template <class S>
void Network<S>::add_layer(const Json& json, const std::string& path) {
    Keys keys(json, path);
    auto node = std::make_unique<Node>();
    node->name = keys.text("name", concat("layer", nodes_.size()));
    node->type = keys.text("type");
    if (node->name.empty() || node->name.find('/') != std::string::npos)
        keys.refuse("name", "expected a name without '/'");
    if (names_.count(node->name)) keys.refuse("name", "'" + node->name + "' is taken");
    const LayerType& type = find_type(keys, node->type);
    LayerRequest request{&keys, node->type, {}};
    std::vector<std::string> inputs;
    if (keys.has("inputs"))
        inputs = keys.texts("inputs");
    else
        inputs = (static_cast<void>(keys.text("inputs", "")),
                  std::vector<std::string>{nodes_.back()->name});
    const auto count = static_cast<Index>(inputs.size());
    if (count < type.least_inputs || count > type.most_inputs)
        keys.refuse(
            "inputs",
            concat("'", node->type, "' takes ", type.least_inputs,
                   type.least_inputs == type.most_inputs ? "" : concat(" to ", type.most_inputs),
                   " inputs, found ", count));
    for (const auto& input : inputs) {
        const auto found = names_.find(input);
        if (found == names_.end())
            keys.refuse("inputs",
                        "there is no layer '" + printable(input, 60) + "' before this one");
        node->inputs.push_back(found->second);
        request.inputs.push_back(node_tensor(found->second));
        node->upstream_parameters |=
            nodes_[static_cast<std::size_t>(found->second)]->upstream_parameters;
        node->affine &= nodes_[static_cast<std::size_t>(found->second)]->affine;
    }
    node->layer = make_layer<S>(type, request);
    keys.refuse_others();
    node->affine &= node->layer->affine();
    checked_size(node->layer->output().shape, path);
    node->trained = trained_;
    node->statistics = statistics_;
    for (const auto& info : node->layer->parameters()) {
        checked_size(info.shape, path);
        Index& total = info.trained ? trained_ : statistics_;
        layout_.arrays.push_back({node->name, info, total});
        total += info.size();
        if (total > kMostParameters) throw Error(path + ": more than 2^36 parameters");
        node->upstream_parameters |= info.trained;
    }
    node->trained_count = trained_ - node->trained;
    if (!node->layer->gates().empty()) layout_.gates.push_back({node->name, node->layer->gates()});
    names_[node->name] = nodes();
    nodes_.push_back(std::move(node));
}

template <class S>
std::string Network<S>::free_name(std::string name) const {
    while (names_.count(name)) name += '_';
    return name;
}

template <class S>
const TensorInfo& Network<S>::output() const {
    return node_tensor(output_);
}
template <class S>
const std::string& Network<S>::node_name(Index node) const {
    return nodes_[static_cast<std::size_t>(node)]->name;
}
template <class S>
const std::string& Network<S>::node_type(Index node) const {
    return nodes_[static_cast<std::size_t>(node)]->type;
}
template <class S>
const TensorInfo& Network<S>::node_tensor(Index node) const {
    return node == 0 ? input_ : nodes_[static_cast<std::size_t>(node)]->layer->output();
}
template <class S>
std::optional<Index> Network<S>::find_node(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? std::nullopt : std::optional<Index>(found->second);
}
template <class S>
const std::vector<Index>& Network<S>::node_inputs(Index node) const {
    return nodes_[static_cast<std::size_t>(node)]->inputs;
}

template <class S>
double Network<S>::flops() const {
    double sum = 0;
    for (const auto& node : nodes_)
        if (node->layer) sum += node->layer->flops();
    return sum;
}

template <class S>
Index Network<S>::activation_size() const {
    Index sum = 0;
    for (Index node = 0; node < nodes(); ++node) sum += node_tensor(node).size();
    return sum;
}

template <class S>
bool Network<S>::rectifies(Index node) const {
    return node > 0 && nodes_[static_cast<std::size_t>(node)]->layer->rectifies();
}

template <class S>
Rows<S> Network<S>::envelope_shares(Index node, const std::vector<RowsView<S>>& from,
                                    const std::vector<RowsView<S>>& to) const {
    const auto& one = *nodes_.at(static_cast<std::size_t>(node));
    const auto fits = [&](const std::vector<RowsView<S>>& values) {
        bool fit = values.size() == one.inputs.size();
        for (std::size_t i = 0; fit && i < values.size(); ++i)
            fit = values[i].cols() == node_tensor(one.inputs[i]).size() &&
                  values[i].rows() == from[0].rows();
        return fit;
    };
    if (node == 0 || !fits(from) || !fits(to))
        throw Error("envelope_shares of '" + one.name +
                    "': arrays of another size than its inputs");
    Rows<S> shares = one.layer->envelope_shares(from, to);
    if (shares.cols() != one.layer->slope_size())
        throw Error("envelope_shares: layer '" + one.name + "' does not choose among its inputs");
    return shares;
}

template <class S>
Index Network<S>::affine_head() const {
    // From the end, while nothing behind a node takes what stands before it.
    Index earliest = output_; // that a node behind takes
    for (Index node = output_; node > 0; --node) {
        const auto& one = *nodes_[static_cast<std::size_t>(node)];
        if (one.affine && earliest >= node) return node;
        for (const Index input : one.inputs) earliest = std::min(earliest, input);
    }
    return 0;
}

template <class S>
Weights<S> Network<S>::load(const Model& model, std::vector<std::string>* unused) const {
    std::map<std::string, const ParameterArray*> arrays;
    for (const auto& array : model.parameters) arrays[array.layer + "/" + array.name] = &array;
    std::map<std::string, std::string> gates;
    for (const auto& one : model.gates) gates[one.layer] = one.gates;
    Weights<S> weights{Column<S>(trained_), Column<S>(statistics_)};
    for (const auto& entry : layout_.arrays) {
        const std::string place = entry.layer + "/" + entry.info.name;
        const auto found = arrays.find(place);
        if (found == arrays.end())
            throw Error(concat(place, ": missing; an array of shape ", shape_text(entry.info.shape),
                               " is expected"));
        const ParameterArray& array = *found->second;
        const Layer<S>& layer = *nodes_[static_cast<std::size_t>(names_.at(entry.layer))]->layer;
        const bool has_gates = entry.info.name != "initial_state" && !layer.gates().empty();
        if (array.shape != entry.info.shape ||
            static_cast<Index>(array.values.size()) != entry.info.size())
            throw Error(concat(place, ": found shape ", shape_text(array.shape), ", ",
                               shape_text(entry.info.shape), " is expected",
                               has_gates ? gates_text(layer.gates(), entry.info.shape) : ""));
        S* to = (entry.info.trained ? weights.trained : weights.statistics).data() + entry.offset;
        const bool gated =
            has_gates && gates.count(entry.layer) && gates[entry.layer] != layer.gates();
        const Index rows = entry.info.shape.empty() ? 1 : entry.info.shape[0];
        const Index columns = entry.info.size() / rows;
        const auto from = gated ? gate_rows(layer.gates(), gates[entry.layer], rows, place)
                                : std::vector<Index>();
        for (Index row = 0; row < rows; ++row) {
            const Index source = gated ? from[static_cast<std::size_t>(row)] : row;
            for (Index column = 0; column < columns; ++column) {
                const double value =
                    array.values[static_cast<std::size_t>(source * columns + column)];
                if (!std::isfinite(value))
                    throw Error(
                        concat(place, ": entry ", source * columns + column, " is ", value));
                to[row * columns + column] = static_cast<S>(value);
            }
        }
        arrays.erase(found);
    }
    if (unused)
        for (const auto& [place, array] : arrays) unused->push_back(place);
    return weights;
}

template <class S>
Model Network<S>::store(const Weights<S>& weights) const {
    Model model{layout_.architecture, {}, layout_.gates};
    for (const auto& entry : layout_.arrays) {
        const S* from =
            (entry.info.trained ? weights.trained : weights.statistics).data() + entry.offset;
        model.parameters.push_back({entry.layer, entry.info.name, entry.info.shape,
                                    std::vector<double>(from, from + entry.info.size())});
    }
    return model;
}

// --- passes ---

template <class S>
struct Pass<S>::NodeState {
    std::vector<Rows<S>> y, dy, cotangent, cotangent_tangent, slopes;
    std::vector<Memory<S>> memory, tangent_memory;
    std::vector<char> moving, fresh, tangent_fresh;
    std::vector<Primal<S>> primal; // set by forward
    std::vector<Sink<S>> sinks;    // of the node that a backward pass is at
    Rows<S> sink_work;
    const Rows<S>* inputs = nullptr;
    Columns<S> directions;
    Index count = 0;
    PassInfo info;
    explicit NodeState(std::size_t nodes)
        : y(nodes), dy(nodes), cotangent(nodes), cotangent_tangent(nodes), slopes(nodes),
          memory(nodes), tangent_memory(nodes), moving(nodes, 0), fresh(nodes, 1),
          tangent_fresh(nodes, 1), primal(nodes) {}
};

template <class S>
Pass<S>::Pass(const Network<S>& network)
    : network_(&network), state_(std::make_unique<NodeState>(network.nodes_.size())) {}
template <class S>
Pass<S>::~Pass() = default;
template <class S>
Pass<S>::Pass(Pass&&) noexcept = default;

template <class S>
const Rows<S>& Pass<S>::activation(Index node) const {
    return node == 0 ? *state_->inputs : state_->y[static_cast<std::size_t>(node)];
}
template <class S>
const Rows<S>& Pass<S>::tangent_of(Index node) const {
    return state_->dy[static_cast<std::size_t>(node)];
}
template <class S>
const Rows<S>& Pass<S>::cotangent(Index node) const {
    return state_->cotangent[static_cast<std::size_t>(node)];
}
template <class S>
const Rows<S>& Pass<S>::cotangent_tangent(Index node) const {
    return state_->cotangent_tangent[static_cast<std::size_t>(node)];
}
template <class S>
void Pass<S>::set_slopes(Index node, Rows<S> slopes) {
    const auto& one = *network_->nodes_.at(static_cast<std::size_t>(node));
    const Index size = one.layer ? one.layer->slope_size() : 0;
    if (slopes.size() > 0 && size == 0)
        throw Error(concat("slopes of '", one.name, "': ", one.type, " takes none"));
    if (slopes.size() > 0 && slopes.cols() != size)
        throw Error(concat("slopes of '", one.name, "': ", slopes.cols(), " numbers a sample, ",
                           size, " are expected"));
    const auto at = static_cast<std::size_t>(node);
    state_->slopes[at] = std::move(slopes);
    state_->primal[at].slopes = state_->slopes[at].size() > 0 ? &state_->slopes[at] : nullptr;
}

template <class S>
const Primal<S>& Pass<S>::primal(Index node) const {
    return state_->primal[static_cast<std::size_t>(node)];
}

template <class S>
const Primal<S>& Pass<S>::prepared(Index node) {
    const auto at = static_cast<std::size_t>(node);
    const auto& one = *network_->nodes_[at];
    Primal<S>& p = state_->primal[at];
    p.pass = &state_->info;
    p.x.clear();
    for (const Index input : one.inputs) p.x.push_back(&activation(input));
    p.y = &state_->y[at];
    p.theta = weights_->trained.data() + one.trained;
    p.statistics = weights_->statistics.data() + one.statistics;
    p.memory = &state_->memory[at];
    return p;
}

template <class S>
Tangents<S> Pass<S>::tangents(Index node) const {
    const auto at = static_cast<std::size_t>(node);
    const auto& one = *network_->nodes_[at];
    const bool moves = state_->directions.size() > 0 && one.trained_count > 0;
    Tangents<S> t{state_->count,
                  {},
                  moves ? state_->directions.middleRows(one.trained, one.trained_count)
                        : state_->directions.middleRows(0, 0),
                  &state_->dy[at],
                  &state_->tangent_memory[at]};
    for (const Index input : one.inputs)
        t.dx.push_back(state_->moving[static_cast<std::size_t>(input)]
                           ? &state_->dy[static_cast<std::size_t>(input)]
                           : nullptr);
    return t;
}

template <class S>
const Rows<S>& Pass<S>::forward(const Weights<S>& weights, const Rows<S>& inputs,
                                const PassInfo& info) {
    if (inputs.cols() != network_->input().size())
        throw Error(concat("inputs of ", inputs.cols(), " numbers found; the network expects ",
                           network_->input().size()));
    weights_ = &weights;
    state_->inputs = &inputs;
    state_->info = info;
    state_->info.samples = inputs.rows();
    for (Index node = 1; node < network_->nodes(); ++node)
        network_->nodes_[static_cast<std::size_t>(node)]->layer->forward(
            prepared(node), state_->y[static_cast<std::size_t>(node)]);
    return activation(network_->output_node());
}

template <class S>
const Rows<S>& Pass<S>::tangent(const Columns<S>& directions, Index count,
                                const std::vector<MovedNode>& moved) {
    state_->directions = directions;
    state_->count = count;
    std::fill(state_->moving.begin(), state_->moving.end(), char{0});
    for (Index node = 0; node < network_->nodes(); ++node) {
        const auto at = static_cast<std::size_t>(node);
        const auto given = std::find_if(moved.begin(), moved.end(),
                                        [&](const MovedNode& one) { return one.node == node; });
        if (given != moved.end()) {
            state_->dy[at] = *given->tangent;
            state_->moving[at] = 1;
            continue;
        }
        if (node == 0) continue;
        const Tangents<S> t = tangents(node);
        const bool moves = t.moves_parameters() ||
                           std::any_of(t.dx.begin(), t.dx.end(), [](auto* x) { return x; });
        if (!moves) continue;
        network_->nodes_[at]->layer->tangent(primal(node), t, state_->dy[at]);
        state_->moving[at] = 1;
    }
    const auto out = static_cast<std::size_t>(network_->output_node());
    if (!state_->moving[out])
        state_->dy[out].setZero(state_->info.samples * count, network_->output().size());
    return state_->dy[out];
}

// From the output to the input: body(layer, node, sinks of its inputs) where a cotangent arrived.
template <class S>
template <class Body>
void Pass<S>::walk_back(std::vector<Rows<S>>& arrays, std::vector<char>& fresh, Body&& body) {
    for (Index node = network_->output_node(); node > 0; --node) {
        const auto at = static_cast<std::size_t>(node);
        const auto& one = *network_->nodes_[at];
        if (fresh[at]) continue; // no way from here to the output
        auto& sinks = state_->sinks;
        sinks.clear();
        for (const Index input : one.inputs) {
            const auto from = static_cast<std::size_t>(input);
            const bool wanted = inputs_too_ || network_->nodes_[from]->upstream_parameters;
            sinks.push_back(wanted ? Sink<S>(arrays[from], fresh[from], state_->sink_work)
                                   : Sink<S>());
        }
        body(*one.layer, node, sinks);
    }
}

template <class S>
void Pass<S>::backward(const Rows<S>& cotangent, bool inputs_too) {
    inputs_too_ = inputs_too;
    const auto out = static_cast<std::size_t>(network_->output_node());
    std::fill(state_->fresh.begin(), state_->fresh.end(), char{1});
    state_->cotangent[out] = cotangent;
    state_->fresh[out] = 0;
    walk_back(state_->cotangent, state_->fresh,
              [&](const Layer<S>& layer, Index node, std::vector<Sink<S>>& sinks) {
                  layer.backward(primal(node), state_->cotangent[static_cast<std::size_t>(node)],
                                 sinks);
              });
}

template <class S>
void Pass<S>::add_gradient(S* gradient, SampleRange range) const {
    for (Index node = 1; node < network_->nodes(); ++node) {
        const auto at = static_cast<std::size_t>(node);
        const auto& one = *network_->nodes_[at];
        if (one.trained_count > 0 && !state_->fresh[at])
            one.layer->parameter_gradient(primal(node), state_->cotangent[at], range,
                                          gradient + one.trained);
    }
}

template <class S>
void Pass<S>::add_gradient(S* gradient) const {
    add_gradient(gradient, {0, state_->info.samples});
}

template <class S>
void Pass<S>::write_gradient(S* gradient) const {
    for (Index node = 1; node < network_->nodes(); ++node) {
        const auto at = static_cast<std::size_t>(node);
        const auto& one = *network_->nodes_[at];
        if (one.trained_count == 0) continue;
        if (state_->fresh[at])
            std::fill_n(gradient + one.trained, one.trained_count, S(0));
        else
            one.layer->write_parameter_gradient(primal(node), state_->cotangent[at],
                                                gradient + one.trained);
    }
}

template <class S>
void Pass<S>::add_adjoint(const Rows<S>& cotangents, Columns<S>& gradients) {
    for (Index k = 0; k < gradients.cols(); ++k) {
        backward(cotangents.middleRows(k * state_->info.samples, state_->info.samples), false);
        add_gradient(gradients.col(k).data());
    }
}

template <class S>
void Pass<S>::backward_tangent(const Rows<S>& cotangent_tangent) {
    const auto out = static_cast<std::size_t>(network_->output_node());
    std::fill(state_->tangent_fresh.begin(), state_->tangent_fresh.end(), char{1});
    state_->cotangent_tangent[out] = cotangent_tangent;
    state_->tangent_fresh[out] = 0;
    walk_back(state_->cotangent_tangent, state_->tangent_fresh,
              [&](const Layer<S>& layer, Index node, std::vector<Sink<S>>& sinks) {
                  const auto at = static_cast<std::size_t>(node);
                  layer.backward_tangent(primal(node), tangents(node), state_->cotangent[at],
                                         state_->cotangent_tangent[at], sinks);
              });
}

template <class S>
void Pass<S>::add_gradient_tangent(Columns<S>& gradient) const {
    for (Index node = 1; node < network_->nodes(); ++node) {
        const auto at = static_cast<std::size_t>(node);
        const auto& one = *network_->nodes_[at];
        if (one.trained_count > 0 && !state_->tangent_fresh[at])
            one.layer->parameter_gradient_tangent(
                primal(node), tangents(node), state_->cotangent[at], state_->cotangent_tangent[at],
                gradient.middleRows(one.trained, one.trained_count));
    }
}

template <class S>
double Pass<S>::mean_square_rates() const {
    double sum = 0;
    for (Index node = 1; node < network_->nodes(); ++node)
        sum += network_->nodes_[static_cast<std::size_t>(node)]->layer->mean_square_rates(
            primal(node));
    return sum;
}

template <class S>
void Pass<S>::update_statistics(Weights<S>& weights) const {
    for (Index node = 1; node < network_->nodes(); ++node) {
        const auto& one = *network_->nodes_[static_cast<std::size_t>(node)];
        one.layer->update_statistics(primal(node), weights.statistics.data() + one.statistics);
    }
}

template class Network<double>;
template class Network<float>;
template class Pass<double>;
template class Pass<float>;

} // namespace assay::network
