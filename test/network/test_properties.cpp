// Identities that hold for every network: random graphs of random layers with random weights, in
// double. And mistakes in architectures, each with its path.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/network/objective.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace assay;
using namespace assay::network;
using Eigen::Index;
using Json = nlohmann::json;

namespace {

// Draws in the order they are asked for.
class Draw {
  public:
    Draw(std::uint64_t seed, const std::string& name)
        : random_(seed, "test/network/properties/" + name) {}
    Index below(Index bound) {
        return static_cast<Index>(random_.below(static_cast<std::uint64_t>(bound), at_++));
    }
    Index between(Index least, Index most) { return least + below(most - least + 1); }
    bool one_in(Index n) { return below(n) == 0; }
    double uniform() { return random_.uniform(at_++); }
    double normal() { return random_.normal(at_++); }
    template <class T>
    T of(const std::vector<T>& list) {
        return list[static_cast<std::size_t>(below(static_cast<Index>(list.size())))];
    }
    Rows<double> rows(Index count, Index size) {
        Rows<double> values(count, size);
        for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal();
        return values;
    }
    Columns<double> columns(Index size, Index count) { return rows(count, size).transpose(); }

  private:
    Random random_;
    std::uint64_t at_ = 0;
};

// Of normalisations: over two or three numbers a small one makes third derivatives so large that
// differences say nothing.
constexpr double kEpsilon = 0.1;

Json pairs(Draw& draw, Index axes, Index most) {
    Json list = Json::array();
    for (Index i = 0; i < axes; ++i) list.push_back({draw.between(0, most), draw.between(0, most)});
    return list;
}

// Keys of windows that fit into `space` or nearly so.
void add_windows(Draw& draw, Json& layer, const Shape& space, bool pool) {
    Json kernel = Json::array(), stride = Json::array(), dilation = Json::array();
    for (std::size_t axis = 0; axis < space.size(); ++axis) {
        kernel.push_back(draw.between(1, std::min<Index>(3, space[axis])));
        stride.push_back(draw.between(1, 2));
        dilation.push_back(draw.one_in(3) ? 2 : 1);
    }
    layer["kernel"] = kernel;
    if (!draw.one_in(3)) layer["stride"] = stride;
    if (!pool && draw.one_in(2)) layer["dilation"] = dilation;
    switch (draw.below(3)) {
    case 0:
        layer["padding"] = "same";
        break;
    case 1: // at most a window less one, so that no window of a pool is padding alone
        if (!pool) layer["padding"] = pairs(draw, static_cast<Index>(space.size()), 2);
        break;
    default:
        break;
    }
}

Json random_activation(Draw& draw, bool vector) {
    Json layer{{"type", "activation"}};
    std::vector<std::string> functions{"identity", "softplus", "sigmoid",  "tanh",
                                       "gelu",     "silu",     "gaussian", "parametric_softplus"};
    if (vector) functions.insert(functions.end(), {"softmax", "log_softmax"});
    layer["function"] = draw.of(functions);
    if (layer["function"] == "gelu" && draw.one_in(2)) layer["form"] = "tanh";
    if (layer["function"] == "softplus" && draw.one_in(2)) layer["beta"] = 1.5;
    return layer;
}

Json random_recurrent(Draw& draw) {
    Json layer{
        {"type", draw.of<std::string>({"rnn", "gru", "lstm", "ugrnn", "janet", "ctrnn", "linear"})},
        {"units", draw.between(1, 4)}};
    if (layer["type"] == "ctrnn") {
        layer["alpha"] = 0.4;
        layer["form"] = draw.one_in(2) ? "rate" : "current";
    }
    if (layer["type"] == "gru") layer["reset_after"] = draw.one_in(2);
    if (layer["type"] != "linear")
        layer["activation"] = draw.of<std::string>({"tanh", "softplus", "identity"});
    layer["return_sequences"] = !draw.one_in(3);
    layer["bias"] = !draw.one_in(4);
    layer["recurrent_bias"] = draw.one_in(2);
    layer["initial_state"] = draw.one_in(2);
    return layer;
}

Json random_layer(Draw& draw, const TensorInfo& in) {
    const auto rank = static_cast<Index>(in.shape.size());
    if (in.sequence) {
        switch (draw.below(6)) {
        case 0:
            return {{"type", "dense"}, {"units", draw.between(1, 4)}};
        case 1:
            return random_activation(draw, false);
        case 2:
            return {{"type", "layer_norm"}, {"axes", "last"}, {"epsilon", kEpsilon}};
        case 3:
            return {{"type", "reverse"}};
        default:
            return random_recurrent(draw);
        }
    }
    if (rank == 1) {
        switch (draw.below(7)) {
        case 0:
            return {{"type", "batch_norm"}, {"epsilon", kEpsilon}};
        case 1:
            return {{"type", "layer_norm"}, {"epsilon", kEpsilon}};
        case 2:
            return {{"type", "slice"},
                    {"axis", 0},
                    {"start", draw.below(2)},
                    {"step", draw.between(1, 2)}};
        case 3:
        case 4:
            return random_activation(draw, true);
        default:
            return {{"type", "dense"}, {"units", draw.between(2, 6)}, {"bias", !draw.one_in(3)}};
        }
    }
    const Shape space(in.shape.begin() + 1, in.shape.end());
    const Index axes = rank - 1;
    switch (draw.below(14)) {
    case 0: {
        Json layer{{"type", "max_pool"}};
        add_windows(draw, layer, space, true);
        return layer;
    }
    case 1: {
        Json layer{{"type", "average_pool"}, {"count_include_pad", draw.one_in(2)}};
        add_windows(draw, layer, space, true);
        return layer;
    }
    case 2:
        return {{"type", draw.one_in(2) ? "global_average_pool" : "global_max_pool"}};
    case 3:
        return {{"type", "zero_padding"}, {"padding", pairs(draw, axes, 1)}};
    case 4:
        return {{"type", "cropping"}, {"cropping", pairs(draw, axes, 1)}};
    case 5:
        return {{"type", "slice"},
                {"axis", draw.below(rank)},
                {"start", draw.below(2)},
                {"step", draw.between(1, 2)}};
    case 6:
        return {{"type", "upsample"}, {"factor", draw.between(1, 2)}};
    case 7: {
        std::vector<Index> order;
        for (Index i = 0; i < rank; ++i) order.push_back(i);
        for (Index i = rank - 1; i > 0; --i)
            std::swap(order[static_cast<std::size_t>(i)],
                      order[static_cast<std::size_t>(draw.below(i + 1))]);
        return {{"type", "permute"}, {"axes", order}};
    }
    case 8:
        return {{"type", "batch_norm"}, {"epsilon", kEpsilon}};
    case 9:
        return {{"type", "layer_norm"},
                {"axes", draw.one_in(2) ? "all" : "last"},
                {"epsilon", kEpsilon}};
    case 10: {
        Shape shape = in.shape;
        std::reverse(shape.begin(), shape.end());
        return {{"type", "reshape"}, {"shape", shape}};
    }
    case 11:
        return random_activation(draw, false);
    default: {
        const Index groups = draw.one_in(2) ? in.shape[0] : 1;
        const bool transposed = draw.one_in(3);
        Json layer{{"type", "conv" + std::to_string(axes) + (transposed ? "d_transpose" : "d")},
                   {"groups", groups},
                   {"filters", groups == 1 && draw.one_in(3)
                                   ? draw.between(4, 9)
                                   : groups * draw.between(1, groups > 2 ? 1 : 2)},
                   {"bias", !draw.one_in(3)}};
        add_windows(draw, layer, space, false);
        if (transposed && draw.one_in(2)) layer["output_padding"] = 1; // where the stride is 2
        return layer;
    }
    }
}

// Joins the last node with an earlier one of equal shape, if there is one.
Json random_merge(Draw& draw, const Network<double>& network) {
    const Index last = network.nodes() - 1;
    std::vector<Index> equal;
    for (Index node = 0; node <= last; ++node)
        if (network.node_tensor(node).shape == network.node_tensor(last).shape &&
            network.node_tensor(node).sequence == network.node_tensor(last).sequence)
            equal.push_back(node);
    const Index other = draw.of(equal);
    const std::string type =
        draw.of<std::string>({"add", "subtract", "multiply", "average", "maximum", "concatenate"});
    // The maximum of a tensor and itself is a kink everywhere.
    if (type == "maximum" && other == last)
        return {{"type", "average"}, {"inputs", {network.node_name(last)}}};
    Json inputs{network.node_name(last), network.node_name(other)};
    if (type != "subtract" && draw.one_in(4)) inputs.push_back(network.node_name(draw.of(equal)));
    if (type == "maximum" && inputs.size() > 2) inputs.erase(2);
    Json layer{{"type", type}, {"inputs", inputs}};
    if (type == "concatenate" && network.node_tensor(last).sequence) layer["axis"] = 1;
    return layer;
}

struct RandomNetwork {
    Json json;
    std::set<std::string> types;
};

RandomNetwork random_network(Draw& draw) {
    RandomNetwork result;
    Json& json = result.json;
    switch (draw.below(5)) {
    case 0:
        json["input"] = {{"shape", {draw.between(2, 6)}}};
        break;
    case 1:
        json["input"] = {{"shape", {draw.between(1, 3), draw.between(4, 8)}}};
        break;
    case 2:
        json["input"] = {{"shape", {draw.between(1, 3), draw.between(3, 5), draw.between(3, 5)}}};
        break;
    case 3:
        json["input"] = {{"shape", {draw.between(1, 2), 3, draw.between(3, 4), 3}}};
        break;
    default:
        json["input"] = {{"shape", {draw.between(2, 4), draw.between(1, 3)}},
                         {"axes", {"time", "feature"}}};
    }
    json["layers"] = Json::array();
    // Adds a layer if it fits.
    const auto add = [&](Json layer) {
        Json tried = json;
        tried["layers"].push_back(std::move(layer));
        try {
            const Network<double> network(tried.dump());
            if (network.activation_size() > 3000 || network.parameter_count() > 400) return;
        } catch (const Error&) {
            return;
        }
        json = std::move(tried);
    };
    add({{"type", "activation"}, {"function", "identity"}});
    const Index wanted = draw.between(2, 7);
    for (Index i = 0; i < 4 * wanted && static_cast<Index>(json["layers"].size()) <= wanted; ++i) {
        const Network<double> network(json.dump());
        const TensorInfo& last = network.node_tensor(network.nodes() - 1);
        add(draw.one_in(4) ? random_merge(draw, network) : random_layer(draw, last));
    }
    add({{"type", "flatten"}, {"order", draw.one_in(2) ? "channels_first" : "channels_last"}});
    // With or without a final layer that is linear in its parameters.
    if (draw.one_in(2) || Network<double>(json.dump()).output().size() > 8)
        add({{"type", "dense"}, {"units", draw.between(1, 4)}});
    if (Network<double>(json.dump()).parameter_count() == 0) add({{"type", "dense"}, {"units", 2}});
    for (const auto& layer : json["layers"]) result.types.insert(layer["type"].get<std::string>());
    return result;
}

Weights<double> random_weights(const Network<double>& network, Draw& draw) {
    Weights<double> weights{Column<double>(network.parameter_count()),
                            Column<double>(network.statistics_count())};
    for (const auto& entry : network.parameters()) {
        auto& to = entry.info.trained ? weights.trained : weights.statistics;
        for (Index i = 0; i < entry.info.size(); ++i) {
            double value = 0.3 * draw.normal();
            if (entry.info.role == Role::weight || entry.info.role == Role::recurrent)
                value = draw.normal() / std::sqrt(static_cast<double>(entry.info.fan_in));
            if (entry.info.role == Role::scale || entry.info.role == Role::shape) value += 1;
            if (entry.info.role == Role::variance) value = 0.5 + draw.uniform();
            to(entry.offset + i) = value;
        }
    }
    return weights;
}

struct Problem {
    Network<double> network;
    Weights<double> weights;
    Samples samples;
    Loss loss;
};

Problem make_problem(const std::string& architecture, Index count, Draw& draw,
                     std::vector<LossKind> kinds = {LossKind::softmax_cross_entropy, LossKind::mse,
                                                    LossKind::half_squared_error,
                                                    LossKind::sigmoid_cross_entropy}) {
    Problem p{Network<double>(architecture), {}, {}, {}};
    p.weights = random_weights(p.network, draw);
    p.samples.input_shape = p.network.input().shape;
    p.samples.inputs = draw.rows(count, p.network.input().size());
    p.loss.kind = draw.of(kinds);
    const Index outputs = p.network.output().size();
    if (outputs == 1 && p.loss.kind == LossKind::softmax_cross_entropy)
        p.loss.kind = LossKind::sigmoid_cross_entropy;
    if (p.loss.kind == LossKind::softmax_cross_entropy) {
        for (Index n = 0; n < count; ++n) p.samples.classes.push_back(draw.below(outputs));
    } else {
        p.samples.target_shape = p.network.output().shape;
        p.samples.values = draw.rows(count, outputs);
        if (p.loss.kind == LossKind::sigmoid_cross_entropy)
            p.samples.values = (p.samples.values.array() > 0).cast<double>();
    }
    return p;
}

double dot(const Rows<double>& a, const Rows<double>& b) {
    return a.cwiseProduct(b).sum();
}

void check_jacobian(const Problem& p, Draw& draw) {
    const Index samples = 3;
    const Rows<double> x = p.samples.inputs.topRows(samples);
    const Rows<double> dx = draw.rows(samples, x.cols());
    const Columns<double> v = draw.columns(p.network.parameter_count(), 1);
    Pass<double> pass(p.network);
    const Rows<double> y = pass.forward(p.weights, x, {});
    const Rows<double> jv = pass.tangent(v, 1, {{0, &dx}});
    const Rows<double> u = draw.rows(samples, y.cols());
    pass.backward(u, true);
    Column<double> gradient = Column<double>::Zero(v.rows());
    pass.add_gradient(gradient.data());
    Column<double> written =
        Column<double>::Constant(v.rows(), std::numeric_limits<double>::quiet_NaN());
    pass.write_gradient(written.data());
    CHECK(written == gradient);
    const double forward = dot(u, jv);
    const double backward = gradient.dot(v.col(0)) + dot(pass.cotangent(0), dx);
    const double scale = u.norm() * jv.norm() + gradient.norm() * v.norm();
    CHECK(std::abs(forward - backward) <= 1e-12 * scale);
    const double step = 1e-5;
    const auto at = [&](double t) {
        Weights<double> moved = p.weights;
        moved.trained += t * v.col(0);
        const Rows<double> moved_x = x + t * dx;
        Pass<double> other(p.network);
        return Rows<double>(other.forward(moved, moved_x, {}));
    };
    const Rows<double> difference = (at(step) - at(-step)) / (2 * step);
    CHECK((difference - jv).norm() <= 1e-6 * (jv.norm() + 1e-3 * y.norm()));
}

bool check_slopes(const Problem& p, Draw& draw) {
    const Rows<double> x = p.samples.inputs.topRows(3);
    Pass<double> pass(p.network);
    const Rows<double> u = draw.rows(3, pass.forward(p.weights, x, {}).cols());
    pass.backward(u, true);
    const Rows<double> input = pass.cotangent(0);
    const Index parameters = p.network.parameter_count();
    Column<double> gradient = Column<double>::Zero(parameters);
    pass.add_gradient(gradient.data());
    const Json json = Json::parse(p.network.architecture());
    std::vector<std::pair<Index, Rows<double>>> slopes;
    for (Index node = 1; node < p.network.nodes(); ++node) {
        const Json& layer = json["layers"][static_cast<std::size_t>(node - 1)];
        if (layer["type"] != "activation") continue;
        const std::string function = layer["function"];
        if (function == "softmax" || function == "log_softmax" || function == "parametric_softplus")
            continue;
        // The tangent of ones is the derivative.
        const Index from = p.network.node_inputs(node)[0];
        const Rows<double> ones = Rows<double>::Ones(3, p.network.node_tensor(from).size());
        pass.tangent(Columns<double>(), 1, {{from, &ones}});
        slopes.emplace_back(node, pass.tangent_of(node));
    }
    for (const auto& [node, slope] : slopes) pass.set_slopes(node, slope);
    pass.backward(u, true);
    Column<double> again = Column<double>::Zero(parameters);
    pass.add_gradient(again.data());
    CHECK(pass.cotangent(0) == input);
    CHECK(again == gradient);
    // Whether other slopes give another answer (not where a normalisation undoes them).
    for (auto& [node, slope] : slopes) pass.set_slopes(node, Rows<double>(slope * 2));
    pass.backward(u, true);
    again.setZero();
    pass.add_gradient(again.data());
    return pass.cotangent(0) != input || again != gradient;
}

void check_curvature(const Problem& p, Mode mode, Draw& draw) {
    ObjectiveOptions options;
    options.mode = mode;
    Objective<double> objective(p.network, p.samples, p.loss, options);
    objective.set_weights(p.weights);
    const Execution run{2, &silent_monitor()};
    const Index parameters = p.network.parameter_count();
    const Columns<double> v = draw.columns(parameters, 3);
    const Column<double> gradient = objective.gradient(run);
    const Columns<double> hv = objective.curvature_products(Curvature::hessian, v, run);
    const Columns<double> gv = objective.curvature_products(Curvature::gauss_newton, v, run);
    const Columns<double> rv = objective.curvature_products(Curvature::residual, v, run);
    const double scale = hv.norm() + gv.norm() + rv.norm();
    CHECK((hv - gv - rv).norm() <= 1e-12 * scale);
    CHECK(std::abs(v.col(0).dot(hv.col(1)) - v.col(1).dot(hv.col(0))) <= 1e-10 * v.norm() * scale);
    CHECK(std::abs(v.col(0).dot(gv.col(1)) - v.col(1).dot(gv.col(0))) <= 1e-10 * v.norm() * scale);
    for (Index k = 0; k < 3; ++k) {
        CHECK(v.col(k).dot(gv.col(k)) >= -1e-12 * v.norm() * gv.norm());
        for (const auto& [kind, all] :
             {std::pair{Curvature::hessian, &hv}, std::pair{Curvature::gauss_newton, &gv},
              std::pair{Curvature::residual, &rv}}) {
            const Columns<double> one = objective.curvature_products(kind, v.col(k), run);
            CHECK((one - all->col(k)).norm() <= 1e-12 * scale);
        }
    }
    // H v and the gradient against differences.
    const double step = 1e-5;
    const auto at = [&](double t) {
        Weights<double> moved = p.weights;
        moved.trained += t * v.col(0);
        objective.set_weights(moved);
        Objective<double>::Value value;
        Column<double> found = objective.gradient(run, &value);
        return std::pair{value.loss, found};
    };
    const auto ahead = at(step), behind = at(-step);
    const Column<double> difference = (ahead.second - behind.second) / (2 * step);
    CHECK((difference - hv.col(0)).norm() <=
          1e-6 * (hv.col(0).norm() + 1e-2 * v.col(0).norm() * gradient.norm()) + 1e-12);
    CHECK(std::abs((ahead.first - behind.first) / (2 * step) - gradient.dot(v.col(0))) <=
          1e-6 * (gradient.norm() * v.col(0).norm()) + 1e-10);
    // The same bits for any number of threads, whether or not activations are kept.
    for (const int threads : {1, 5}) {
        options.memory = threads == 1 ? 0 : 1e9;
        Objective<double> other(p.network, p.samples, p.loss, options);
        other.set_weights(p.weights);
        const Execution with{threads, &silent_monitor()};
        CHECK(other.gradient(with) == gradient);
        CHECK(other.curvature_products(Curvature::hessian, v, with) == hv);
        CHECK(other.curvature_products(Curvature::gauss_newton, v, with) == gv);
    }
    if (mode == Mode::training) return; // samples are coupled
    objective.set_weights(p.weights);
    Column<double> mean = Column<double>::Zero(parameters);
    objective.sample_gradients(
        3, run, [&](Index, const Columns<double>& block) { mean += block.rowwise().sum(); });
    mean /= static_cast<double>(p.samples.count());
    CHECK((mean - gradient).norm() <= 1e-12 * (gradient.norm() + 1));
}

} // namespace

TEST_CASE("derivatives of random networks fit together", "[network][property]") {
    std::set<std::string> types;
    int parameters = 0, hooked = 0;
    for (std::uint64_t seed = 0; seed < 240; ++seed) {
        Draw draw(seed, "network");
        const RandomNetwork random = random_network(draw);
        const std::string text = random.json.dump();
        CAPTURE(seed, text);
        types.insert(random.types.begin(), random.types.end());
        const Problem p = make_problem(text, 20, draw);
        parameters += p.network.parameter_count() > 0 ? 1 : 0;
        check_jacobian(p, draw);
        hooked += check_slopes(p, draw) ? 1 : 0;
        const bool trains = random.types.count("batch_norm") > 0 && draw.one_in(2);
        check_curvature(p, trains ? Mode::training : Mode::inference, draw);
    }
    CHECK(parameters >= 235);
    CHECK(hooked > 180);
    for (const char* type : {"dense",
                             "conv1d",
                             "conv2d",
                             "conv3d",
                             "conv1d_transpose",
                             "conv2d_transpose",
                             "conv3d_transpose",
                             "reverse",
                             "max_pool",
                             "average_pool",
                             "global_average_pool",
                             "global_max_pool",
                             "batch_norm",
                             "layer_norm",
                             "activation",
                             "flatten",
                             "reshape",
                             "permute",
                             "zero_padding",
                             "cropping",
                             "slice",
                             "upsample",
                             "add",
                             "subtract",
                             "multiply",
                             "average",
                             "maximum",
                             "concatenate",
                             "rnn",
                             "gru",
                             "lstm",
                             "ugrnn",
                             "janet",
                             "ctrnn",
                             "linear"}) {
        CAPTURE(type);
        CHECK(types.count(type) == 1);
    }
}

TEST_CASE("secant slopes account for the whole difference of outputs", "[network][property]") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        CAPTURE(seed);
        Draw draw(seed, "secants");
        // One path: affine layers with element-wise functions between them.
        const auto act = [&] {
            return Json{{"type", "activation"},
                        {"function", draw.of<std::string>(
                                         {"tanh", "softplus", "sigmoid", "gelu", "relu", "silu"})}};
        };
        const Json json{{"input", {{"shape", {2, 6}}}},
                        {"layers",
                         {{{"type", "conv1d"}, {"filters", 3}, {"kernel", 3}, {"padding", "same"}},
                          act(),
                          {{"type", "average_pool"}, {"kernel", {2}}},
                          {{"type", "batch_norm"}, {"epsilon", kEpsilon}},
                          act(),
                          {{"type", "flatten"}},
                          {{"type", "dense"}, {"units", 7}},
                          act(),
                          {{"type", "dense"}, {"units", 2}}}}};
        const Network<double> network(json.dump());
        const Weights<double> weights = random_weights(network, draw);
        const Rows<double> x0 = draw.rows(4, 12), x1 = draw.rows(4, 12);
        Pass<double> zero(network), one(network);
        const Rows<double> y0 = zero.forward(weights, x0, {}), y1 = one.forward(weights, x1, {});
        for (Index node = 1; node < network.nodes(); ++node) {
            if (network.node_type(node) != "activation") continue;
            const Index from = network.node_inputs(node)[0];
            const Rows<double> change = one.activation(node) - zero.activation(node);
            const Rows<double> moved = one.activation(from) - zero.activation(from);
            // Behind dead units nothing moves; any slope will do.
            one.set_slopes(node, (moved.array() == 0).select(0, change.cwiseQuotient(moved)));
        }
        for (Index unit = 0; unit < 2; ++unit) {
            Rows<double> cotangent = Rows<double>::Zero(4, 2);
            cotangent.col(unit).setOnes();
            one.backward(cotangent, true);
            const Column<double> sums = (x1 - x0).cwiseProduct(one.cotangent(0)).rowwise().sum();
            CHECK((sums - (y1 - y0).col(unit)).cwiseAbs().maxCoeff() < 1e-12);
        }
    }
}

TEST_CASE("the dense Hessian is that of differences", "[network][property]") {
    Draw draw(1, "dense");
    const Problem p = make_problem(
        R"({"input": {"shape": [3]}, "layers": [{"type": "dense", "units": 4},
            {"type": "activation", "function": "tanh"}, {"type": "dense", "units": 3}]})",
        7, draw, {LossKind::softmax_cross_entropy});
    Objective<double> objective(p.network, p.samples, p.loss);
    objective.set_weights(p.weights);
    const Index n = p.network.parameter_count();
    const Matrix hessian =
        objective.curvature_products(Curvature::hessian, Matrix::Identity(n, n), {});
    CHECK((hessian - hessian.transpose()).norm() < 1e-14 * hessian.norm());
    for (Index i = 0; i < n; ++i) {
        const auto at = [&](double t) {
            Weights<double> moved = p.weights;
            moved.trained(i) += t;
            objective.set_weights(moved);
            return objective.gradient({});
        };
        const double step = 1e-5;
        const Column<double> column = (at(step) - at(-step)) / (2 * step);
        CHECK((column - hessian.col(i)).norm() < 1e-8 * hessian.norm());
    }
}

TEST_CASE("relu networks are homogeneous: R theta = (L - 1) g", "[network][property]") {
    for (const Index layers : {1, 2, 3, 5}) {
        CAPTURE(layers);
        Draw draw(static_cast<std::uint64_t>(layers), "homogeneous");
        Json json{{"input", {{"shape", {6}}}}, {"layers", Json::array()}};
        for (Index layer = 0; layer < layers; ++layer) {
            if (layer > 0) json["layers"].push_back({{"type", "activation"}, {"function", "relu"}});
            json["layers"].push_back(
                {{"type", "dense"}, {"units", layer + 1 < layers ? 8 : 4}, {"bias", false}});
        }
        const Problem p = make_problem(json.dump(), 30, draw);
        Objective<double> objective(p.network, p.samples, p.loss);
        objective.set_weights(p.weights);
        const Column<double> gradient = objective.gradient({});
        const Column<double> product =
            objective.curvature_products(Curvature::residual, p.weights.trained, {});
        REQUIRE(gradient.norm() > 1e-3);
        CHECK((product - static_cast<double>(layers - 1) * gradient).norm() <
              1e-12 * gradient.norm());
        // A layer's own block of R is zero: a piecewise linear net is linear in each layer.
        for (const auto& entry : p.network.parameters()) {
            Column<double> direction = Column<double>::Zero(p.network.parameter_count());
            for (Index i = 0; i < entry.info.size(); ++i)
                direction(entry.offset + i) = draw.normal();
            const Column<double> moved =
                objective.curvature_products(Curvature::residual, direction, {});
            CHECK(moved.segment(entry.offset, entry.info.size()).norm() < 1e-14);
        }
    }
}

TEST_CASE("accuracy is of classes: NaN beside the loss of a regression", "[network]") {
    for (const auto& [kind, classifies] :
         {std::pair{LossKind::softmax_cross_entropy, true}, std::pair{LossKind::mse, false}}) {
        Draw draw(3, "accuracy");
        const Problem p =
            make_problem(R"({"input": {"shape": [3]}, "layers": [{"type": "dense", "units": 4}]})",
                         9, draw, {kind});
        Objective<double> objective(p.network, p.samples, p.loss);
        objective.set_weights(p.weights);
        Objective<double>::Value with_gradient;
        static_cast<void>(objective.gradient({}, &with_gradient));
        const auto alone = objective.value({});
        CHECK(with_gradient.loss == alone.loss);
        CHECK(std::isnan(with_gradient.accuracy) == !classifies);
        if (classifies) CHECK(with_gradient.accuracy == alone.accuracy);
    }
}

TEST_CASE("softplus far below zero has finite second derivatives", "[network]") {
    for (const char* function : {"softplus", "silu", "sigmoid", "gelu"}) {
        CAPTURE(function);
        const Json json{{"input", {{"shape", {1}}}},
                        {"layers",
                         {{{"type", "dense"}, {"units", 3}, {"bias", false}},
                          {{"type", "activation"}, {"function", function}},
                          {{"type", "dense"}, {"units", 1}, {"bias", false}}}}};
        const Network<float> network(json.dump());
        Weights<float> weights{Column<float>(6), Column<float>()};
        weights.trained << -87.5F, -200, 88, 1, 1, 1;
        Samples samples;
        samples.input_shape = {1};
        samples.inputs = RowMatrix::Ones(1, 1);
        samples.target_shape = {1};
        samples.values = RowMatrix::Ones(1, 1);
        Objective<float> objective(network, samples, Loss{LossKind::mse});
        objective.set_weights(weights);
        const Columns<float> v = Columns<float>::Constant(6, 1, 30);
        for (const Curvature kind : {Curvature::hessian, Curvature::residual})
            CHECK(objective.curvature_products(kind, v, {}).allFinite());
    }
}

TEST_CASE("mistakes in architectures are told with their path", "[network]") {
    const auto layers = [](const std::string& list, const std::string& shape = "[3]") {
        return R"({"input": {"shape": )" + shape + R"(}, "layers": [)" + list + "]}";
    };
    const std::string dense = R"({"name": "a", "type": "dense", "units": 2})";
    const std::vector<std::pair<std::string, std::string>> mistakes{
        {"", "not JSON"},
        {"[]", "expected an object"},
        {"{}", "input: missing"},
        {R"({"input": 3, "layers": []})", "input: expected an object, found 3"},
        {R"({"input": {"shape": []}, "layers": []})", "input.shape: expected at least one axis"},
        {R"({"input": {"shape": [0]}, "layers": []})", "input.shape: expected integers"},
        {R"({"input": {"shape": [2.5]}, "layers": []})", "input.shape: expected integers"},
        {R"({"input": {"shape": [1099511627776, 1099511627776]}, "layers": []})", "input.shape"},
        {R"({"input": {"shape": [2], "axes": ["a", "b"]}, "layers": []})",
         "input.axes: expected 1"},
        {R"({"input": {"shape": [2], "shap": 1}, "layers": []})", "input.shap: unknown key"},
        {R"({"input": {"shape": [2]}})", "layers: missing"},
        {R"({"input": {"shape": [2]}, "layers": []})", "layers: expected a list"},
        {R"({"input": {"shape": [2]}, "layers": {}})", "layers: expected a list"},
        {R"({"format": "x/2", "input": {"shape": [2]}, "layers": []})", "format: expected"},
        {layers("7"), "layers[0]: expected an object, found 7"},
        {layers(R"({"name": "a"})"), "layers[0].type: missing"},
        {layers(R"({"type": "dens", "units": 2})"), "layers[0].type: unknown layer type 'dens'"},
        {layers(R"({"type": "dense"})"), "layers[0].units: missing"},
        {layers(R"({"type": "dense", "units": -1})"), "layers[0].units: expected an integer"},
        {layers(R"({"type": "dense", "units": "2"})"), "layers[0].units: expected an integer"},
        {layers(R"({"type": "dense", "units": 2, "unit": 2})"), "layers[0].unit: unknown key"},
        {layers(R"({"type": "dense", "units": 2, "bias": 1})"),
         "layers[0].bias: expected true or false"},
        {layers(dense + "," + dense), "layers[1].name: 'a' is taken"},
        {layers(R"({"name": "a/b", "type": "dense", "units": 2})"), "layers[0].name: expected"},
        {layers(R"({"name": "input", "type": "dense", "units": 2})"), "layers[0].name"},
        {layers(dense + R"(, {"type": "add", "inputs": ["a", "b"]})"),
         "layers[1].inputs: there is no layer 'b'"},
        {layers(dense + R"(, {"type": "add", "inputs": "a"})"),
         "layers[1].inputs: expected a list"},
        {layers(dense + R"(, {"type": "subtract", "inputs": ["a"]})"),
         "layers[1].inputs: 'subtract' takes 2 inputs, found 1"},
        {layers(dense + R"(, {"type": "add", "inputs": ["a", "input"]})"), "layers[1]"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": [3, 3, 3]})", "[1, 8, 8]"),
         "layers[0].kernel: expected 2 integers, found 3"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": [9, 3]})", "[1, 8, 8]"),
         "layers[0].kernel: a window of 9 does not fit"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": 3, "groups": 2})", "[3, 8, 8]"),
         "layers[0].groups"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": 3, "padding": "full"})", "[1, 8, 8]"),
         "layers[0].padding: expected one of"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": 3, "padding": [[1, 1]]})",
                "[1, 8, 8]"),
         "layers[0].padding: expected 2 pairs"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": 3, "stride": 0})", "[1, 8, 8]"),
         "layers[0].stride: expected integers of at least 1"},
        {layers(R"({"type": "conv2d", "filters": 2, "kernel": 3})"), "layers[0]"},
        {layers(R"({"type": "conv2d_transpose", "filters": 3, "kernel": 2, "groups": 2})",
                "[4, 8, 8]"),
         "layers[0].groups: expected a divisor of 4 channels and 3 filters, found 2"},
        {layers(R"({"type": "conv1d_transpose", "filters": 2, "kernel": 3, "stride": 2,
                    "output_padding": 2})",
                "[1, 8]"),
         "layers[0].output_padding: expected less than the stride, 2; found 2"},
        {layers(R"({"type": "conv1d_transpose", "filters": 2, "kernel": 3, "stride": 2,
                    "padding": "same", "output_padding": 1})",
                "[1, 8]"),
         "layers[0].output_padding: \"same\" padding leaves none"},
        {layers(R"({"type": "conv1d_transpose", "filters": 2, "kernel": 3, "padding": [[3, 3]]})",
                "[1, 4]"),
         "layers[0].padding: nothing is left of axis 0"},
        {layers(R"({"type": "conv1d_transpose", "filters": 2, "kernel": 3,
                    "stride": 536870912})",
                "[1, 4]"),
         "layers[0].stride: 536870912 is more than this program handles"},
        // Grids, distances and kernels beyond memory.
        {layers(R"({"type": "conv2d_transpose", "filters": 1, "kernel": 2, "dilation": 536870912,
                    "padding": "same"})",
                "[1, 2, 2]"),
         "more than this program handles"},
        {layers(R"({"type": "conv3d", "filters": 1, "kernel": 2097152, "padding": "same"})",
                "[1, 1, 1, 1]"),
         "more than this program handles"},
        {layers(R"({"type": "conv1d", "filters": 1, "kernel": 1000000000000,
                    "dilation": 1000000000000, "padding": "same"})",
                "[1, 4]"),
         "more than this program handles"},
        {layers(R"({"type": "conv2d_transpose", "filters": 2, "kernel": 3})"), "layers[0]"},
        {layers(R"({"type": "reverse"})"), "layers[0]: 'reverse' expects a sequence"},
        {layers(R"({"type": "activation", "function": "rely"})"), "layers[0].function"},
        {layers(R"({"type": "activation", "function": "softplus", "beta": 0})"),
         "layers[0].beta: expected a number above 0"},
        {layers(R"({"type": "reshape", "shape": [2, 2]})"), "layers[0].shape"},
        {layers(R"({"type": "permute", "axes": [0, 0]})", "[2, 3]"), "layers[0].axes"},
        {layers(R"({"type": "cropping", "cropping": [[2, 2]]})", "[2, 3]"),
         "layers[0].cropping: nothing is left"},
        {layers(R"({"type": "slice", "axis": 1})"), "layers[0].axis"},
        {layers(R"({"type": "slice", "axis": 0, "start": 3})"), "layers[0].start"},
        {layers(R"({"type": "layer_norm", "epsilon": -1})"), "layers[0].epsilon"},
        {layers(R"({"type": "dropout", "rate": 1.5})"), "layers[0].rate"},
        {layers(R"({"type": "gru", "units": 2})"), "layers[0]: 'gru' expects a sequence"},
        {R"({"input": {"shape": [4, 2], "axes": ["time", "feature"]}, "layers": [)"
         R"({"type": "ctrnn", "units": 2, "alpha": [0.1, 0.2, 0.3]}]})",
         "layers[0].alpha: expected 1 or 2 numbers, found 3"},
        {R"({"input": {"shape": [4, 2], "axes": ["time", "feature"]}, "layers": [)"
         R"({"type": "ctrnn", "units": 2, "alpha": 2}]})",
         "layers[0].alpha: expected numbers in (0, 1]"},
        {R"({"input": {"shape": [4, 2], "axes": ["time", "feature"]}, "layers": [)"
         R"({"type": "gru", "units": 2, "recurrent_activation": "tanh"}]})",
         "layers[0].recurrent_activation"},
        {R"({"input": {"shape": [2]}, "layers": [)" + dense + R"(], "output": ["b"]})",
         "output: there is no layer 'b'"},
        {R"({"input": {"shape": [2]}, "layers": [)" + dense + R"(], "output": ["a", "a"]})",
         "output: 'a' stands there twice"},
        {R"({"input": {"shape": [2]}, "layers": [)" + dense + R"(], "outputs": ["a"]})",
         "outputs: unknown key; is 'output' meant?"},
        {R"({"input": {"shape": [2]}, "layers": [)" + dense + R"(], "dt": "x"})",
         "dt: expected a number"},
    };
    // Strides whose product is no number any more.
    const Network<double> sparse(
        layers(R"({"type": "conv3d_transpose", "filters": 1, "kernel": 1, "stride": 1073741824})",
               "[1, 1, 1, 1]"));
    CHECK(sparse.output().size() == 1);
    REQUIRE(mistakes.size() >= 25);
    for (const auto& [text, expected] : mistakes) {
        CAPTURE(text, expected);
        std::string message;
        try {
            const Network<double> network(text);
        } catch (const Error& e) {
            message = e.what();
        }
        CHECK_THAT(message, Catch::Matchers::Contains(expected));
        CHECK(message.rfind("architecture: ", 0) == 0);
        CHECK(message.find('\n') == std::string::npos);
    }
}
