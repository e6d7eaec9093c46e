// Convolutions against their definition, cell by cell: each of the ways in which layers compute
// them, by sizes that choose it.
#include <assay/core/random.hpp>
#include <assay/network/network.hpp>

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

using namespace assay;
using namespace assay::network;
using Json = nlohmann::json;

namespace {

// One axis of a convolution.
struct Axis {
    Index cells, kernel, stride, dilation, before, after;
    [[nodiscard]] Index outputs() const {
        return (cells + before + after - (kernel - 1) * dilation - 1) / stride + 1;
    }
};

struct Study {
    std::vector<Axis> axes;
    Index in, out, groups;
};

// Calls body(index) for all multi-indices, the last running fastest.
template <class Body>
void each(const std::vector<Index>& extents, Body&& body) {
    std::vector<Index> index(extents.size(), 0);
    Index count = 1;
    for (const Index extent : extents) count *= extent;
    for (Index i = 0; i < count; ++i) {
        body(index, i);
        for (std::size_t axis = extents.size(); axis-- > 0;) {
            if (++index[axis] < extents[axis]) break;
            index[axis] = 0;
        }
    }
}

template <class S>
Rows<S> random_rows(Index rows, Index columns, const char* purpose) {
    Rows<S> made(rows, columns);
    const Random random(3, purpose);
    for (Index i = 0; i < made.size(); ++i)
        made.data()[i] = static_cast<S>(random.normal(static_cast<std::uint64_t>(i)));
    return made;
}

Json layer_of(const Study& study, const std::string& name) {
    Json kernel, stride, dilation, padding;
    for (const Axis& axis : study.axes) {
        kernel.push_back(axis.kernel);
        stride.push_back(axis.stride);
        dilation.push_back(axis.dilation);
        padding.push_back({axis.before, axis.after});
    }
    return {{"name", name},          {"type", "conv" + std::to_string(study.axes.size()) + "d"},
            {"inputs", {"input"}},   {"filters", study.out},
            {"kernel", kernel},      {"stride", stride},
            {"dilation", dilation},  {"padding", padding},
            {"groups", study.groups}};
}

std::string architecture_of(const Study& study, const Json& layers) {
    Json input = {study.in};
    for (const Axis& axis : study.axes) input.push_back(axis.cells);
    return Json{{"input", {{"shape", input}}}, {"layers", layers}}.dump();
}

// A network with its pass over some samples, forward and backward.
template <class S>
struct Worked {
    Network<S> network;
    Weights<S> weights;
    Rows<S> x;
    Pass<S> pass{network};
    Rows<S> y;
    Worked(const std::string& architecture, const Column<S>& theta, const Rows<S>& inputs)
        : network(architecture), weights{theta, {}}, x(inputs), y(pass.forward(weights, x, {})) {}
    // The cotangent of the input.
    const Rows<S>& back(const Rows<S>& cotangent) {
        pass.backward(cotangent, true);
        return pass.cotangent(0);
    }
    Column<S> gradient() {
        Column<S> made(network.parameter_count());
        made.setConstant(std::numeric_limits<S>::quiet_NaN());
        pass.write_gradient(made.data());
        return made;
    }
};

template <class Found, class Expected>
double distance(const Found& found, const Expected& expected) {
    return (found.template cast<double>() - expected.template cast<double>()).cwiseAbs().maxCoeff();
}

// What follows from the map and its adjoint, which are linear in the input and in the weight.
template <class S>
void check_derivatives(const Study& study, double bound) {
    const std::string architecture = architecture_of(study, Json::array({layer_of(study, "c")}));
    const Network<S> network(architecture);
    constexpr Index kSamples = 3;
    const Index size = network.input().size(), outputs = network.output().size();
    const auto x = random_rows<S>(kSamples, size, "x"), dx = random_rows<S>(kSamples, size, "dx"),
               d = random_rows<S>(kSamples, outputs, "d"),
               rd = random_rows<S>(kSamples, outputs, "rd");
    const Column<S> w = random_rows<S>(network.parameter_count(), 1, "w").col(0),
                    v = random_rows<S>(network.parameter_count(), 1, "v").col(0);
    Worked<S> at(architecture, w, x);
    const Rows<S> tangent = at.pass.tangent(Columns<S>(v), 1, {{0, &dx}});
    // w * dx + v * x, each without the bias of the other.
    Column<S> w_only = w;
    w_only.tail(study.out).setZero();
    const Rows<S> expected =
        Worked<S>(architecture, w_only, dx).y + Worked<S>(architecture, v, x).y;
    CHECK(distance(tangent, expected) <= bound);
    at.back(d);
    at.pass.backward_tangent(rd);
    Worked<S> by_v(architecture, v, x), by_dx(architecture, w, dx), by_rd(architecture, w, x);
    const Rows<S> back = by_rd.back(rd) + by_v.back(d);
    CHECK(distance(at.pass.cotangent_tangent(0), back) <= bound);
    Columns<S> moved = Columns<S>::Zero(w.size(), 1);
    at.pass.add_gradient_tangent(moved);
    by_dx.back(d);
    Column<S> gradient = by_rd.gradient() + by_dx.gradient();
    gradient.tail(study.out) = by_rd.gradient().tail(study.out); // the bias meets no input
    CHECK(distance(moved.col(0), gradient) <= bound);
    // Two consumers of one input.
    const Json both = {layer_of(study, "c"),
                       layer_of(study, "e"),
                       {{"name", "s"}, {"type", "add"}, {"inputs", {"c", "e"}}}};
    Column<S> theta(w.size() + v.size());
    theta << w, v;
    Worked<S> sum(architecture_of(study, both), theta, x);
    Worked<S> one(architecture, w, x);
    const Rows<S> cotangents = one.back(d) + by_v.back(d);
    CHECK(distance(sum.back(d), cotangents) <= bound);
}

// The transposed convolution by the same weight is the adjoint: its output is the cotangent that
// its input, as a cotangent, leads back to.
template <class S>
void check_transposed(const Study& study, const Column<S>& weight, const Rows<S>& d,
                      const RowMatrix& expected, double bound) {
    Json layer = layer_of(study, "c"), input = {study.out};
    layer["type"] = layer["type"].get<std::string>() + "_transpose";
    layer["filters"] = study.in;
    layer["bias"] = false;
    for (const Axis& axis : study.axes) {
        input.push_back(axis.outputs());
        layer["output_padding"].push_back(axis.cells + axis.before + axis.after -
                                          (axis.outputs() - 1) * axis.stride -
                                          (axis.kernel - 1) * axis.dilation - 1);
    }
    const Json architecture{{"input", {{"shape", input}}}, {"layers", {layer}}};
    const Worked<S> worked(architecture.dump(), weight, d);
    CHECK(distance(worked.y, expected) <= bound);
}

template <class S>
void check_convolution(const Study& study) {
    std::vector<Index> elements, outputs;
    Index cells = 1, positions = 1;
    for (const Axis& axis : study.axes) {
        elements.push_back(axis.kernel);
        outputs.push_back(axis.outputs());
        cells *= axis.cells;
        positions *= axis.outputs();
    }
    INFO(layer_of(study, "c").dump());
    const std::string architecture = architecture_of(study, Json::array({layer_of(study, "c")}));
    const Network<S> network(architecture);
    constexpr Index kSamples = 5;
    const auto x = random_rows<S>(kSamples, network.input().size(), "x");
    const auto d = random_rows<S>(kSamples, network.output().size(), "d");
    const Weights<S> weights{random_rows<S>(network.parameter_count(), 1, "w").col(0), {}};
    Worked<S> worked(architecture, weights.trained, x);
    const Rows<S> back = worked.back(d);
    const Column<S> gradient = worked.gradient();

    const Index in = study.in / study.groups, out = study.out / study.groups;
    Index patch = in;
    for (const Index count : elements) patch *= count;
    RowMatrix y_expected(kSamples, d.cols()), dx = RowMatrix::Zero(kSamples, x.cols());
    Eigen::VectorXd dw = Eigen::VectorXd::Zero(gradient.size());
    const Index biases = study.out * patch;
    for (Index n = 0; n < kSamples; ++n)
        for (Index filter = 0; filter < study.out; ++filter)
            each(outputs, [&](const auto& position, Index p) {
                const double at = static_cast<double>(d(n, filter * positions + p));
                double sum = static_cast<double>(weights.trained(biases + filter));
                dw(biases + filter) += at;
                for (Index channel = 0; channel < in; ++channel)
                    each(elements, [&](const auto& element, Index e) {
                        Index cell = 0;
                        for (std::size_t a = 0; a < study.axes.size(); ++a) {
                            const Axis& axis = study.axes[a];
                            const Index c = position[a] * axis.stride + element[a] * axis.dilation -
                                            axis.before;
                            if (c < 0 || c >= axis.cells) return;
                            cell = cell * axis.cells + c;
                        }
                        const Index from = (filter / out * in + channel) * cells + cell;
                        const Index w = filter * patch + channel * (patch / in) + e;
                        const auto weight = static_cast<double>(weights.trained(w));
                        const auto value = static_cast<double>(x(n, from));
                        sum += weight * value;
                        dx(n, from) += weight * at;
                        dw(w) += at * value;
                    });
                y_expected(n, filter * positions + p) = sum;
            });
    const double bound = 200 * static_cast<double>(Eigen::NumTraits<S>::epsilon()) *
                         std::sqrt(static_cast<double>(patch * study.out + kSamples * positions));
    CHECK(distance(worked.y, y_expected) <= bound);
    CHECK(distance(back, dx) <= bound);
    CHECK(distance(gradient, dw) <= bound);
    check_transposed<S>(study, weights.trained.head(biases), d, dx, bound);
    check_derivatives<S>(study, bound);
}

} // namespace

TEMPLATE_TEST_CASE("convolutions are what they are defined as", "[network][convolution]", float,
                   double) {
    const Index in = GENERATE(1, 3, 8, 14), out = GENERATE(1, 5, 8, 20);
    const Axis plain{7, 3, 1, 1, 0, 0}, same{6, 3, 1, 1, 1, 1}, strided{9, 3, 2, 1, 0, 1},
        apart{9, 2, 1, 3, 2, 0}, sparse{8, 1, 2, 1, 0, 0}, left{10, 3, 4, 1, 0, 0};
    for (const auto& axes : std::vector<std::vector<Axis>>{{plain},
                                                           {left},
                                                           {same, same},
                                                           {strided, strided},
                                                           {sparse, sparse},
                                                           {apart, plain},
                                                           {same, strided, left}})
        check_convolution<TestType>({axes, in, out, 1});
    if (in == out) check_convolution<TestType>({{same, strided}, 2 * in, 2 * out, 2});
}
