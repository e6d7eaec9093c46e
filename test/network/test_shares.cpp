// Shares that stand in for the choice of max pools and maxima: the secant of the maximum along a
// straight segment (upper envelope of lines).
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/network/network.hpp>

#include <catch2/catch.hpp>
#include <network/normal.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace assay;
using namespace assay::network;

namespace {

Rows<double> share_numbers(std::uint64_t seed, const std::string& name, Index rows, Index cols) {
    return network_test::normal(seed, "test/network/shares/" + name, rows, cols);
}

std::vector<RowsView<double>> inputs_of(const Network<double>& network, const Pass<double>& pass,
                                        Index node) {
    std::vector<RowsView<double>> values;
    for (const Index input : network.node_inputs(node)) values.emplace_back(pass.activation(input));
    return values;
}

bool chooses(const Network<double>& network, Index node) {
    const std::string& type = network.node_type(node);
    return type == "max_pool" || type == "global_max_pool" || type == "maximum";
}

// Shares among some numbers that go from `from` to `to`.
std::vector<double> shares_of(const std::vector<double>& from, const std::vector<double>& to) {
    const auto count = static_cast<Index>(from.size());
    const Network<double> network(concat(R"({"input": {"shape": [1, )", count,
                                         R"(]}, "layers": [{"type": "global_max_pool"}]})"));
    const auto row = [&](const std::vector<double>& values) {
        return Rows<double>(Eigen::Map<const Rows<double>>(values.data(), 1, count));
    };
    const Rows<double> a = row(from), b = row(to);
    const Rows<double> shares = network.envelope_shares(1, {a}, {b});
    return {shares.data(), shares.data() + shares.size()};
}

using List = std::vector<double>;

} // namespace

TEST_CASE("shares of an envelope that is known", "[network][shares]") {
    // 1 - a, a and 0.25: the third is never the largest.
    CHECK(shares_of({1, 0, 0.25}, {0, 1, 0.25}) == List{0.5, 0.5, 0});
    // 1 - a, 3a - 1 and 0.75: crossings at 1/4 and 7/12.
    const auto three = shares_of({1, -1, 0.75}, {0, 2, 0.75});
    CHECK(three[0] == Approx(1.0 / 4));
    CHECK(three[2] == Approx(7.0 / 12 - 1.0 / 4));
    CHECK(three[1] == Approx(5.0 / 12));
    // Ties: equal lines go to the first; lines that part at the start to the one that rises.
    CHECK(shares_of({1, 1, 0}, {2, 2, 0}) == List{1, 0, 0});
    CHECK(shares_of({1, 1}, {0, 2}) == List{0, 1});
    CHECK(shares_of({1, 1, 1}, {0, 2, 3}) == List{0, 0, 1});
    CHECK(shares_of({0, 1}, {1, 1}) == List{0, 1}); // they meet at the end
    CHECK(shares_of({0, 2, 2}, {0, 2, 2}) == List{0, 1, 0});
    CHECK(shares_of({3}, {-1}) == List{1});
}

TEST_CASE("shares are the parts of a segment on which each number is the largest",
          "[network][shares]") {
    const int points = 20000;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Rows<double> ends = share_numbers(seed, "ends", 2, 9);
        const auto shares = shares_of({ends.row(0).data(), ends.row(0).data() + 9},
                                      {ends.row(1).data(), ends.row(1).data() + 9});
        std::vector<double> counted(9, 0);
        for (int i = 0; i < points; ++i) {
            const double a = (i + 0.5) / points;
            Index largest = 0;
            ((1 - a) * ends.row(0) + a * ends.row(1)).maxCoeff(&largest);
            counted[static_cast<std::size_t>(largest)] += 1.0 / points;
        }
        for (std::size_t i = 0; i < 9; ++i) CHECK(std::abs(shares[i] - counted[i]) < 1e-3);
    }
}

TEST_CASE("with shares and secant slopes the difference of outputs is accounted for",
          "[network][shares]") {
    const Network<double> network(R"({"input": {"shape": [2, 7, 6]}, "layers": [
        {"name": "c", "type": "conv2d", "filters": 3, "kernel": [3, 3], "padding": "same"},
        {"type": "max_pool", "kernel": [3, 2], "stride": [2, 1], "padding": [[1, 0], [1, 1]]},
        {"name": "r", "type": "activation", "function": "relu"},
        {"name": "a", "type": "conv2d", "filters": 4, "kernel": [2, 2], "inputs": ["r"]},
        {"name": "b", "type": "conv2d", "filters": 4, "kernel": [2, 2], "inputs": ["r"]},
        {"name": "m", "type": "maximum", "inputs": ["a", "b", "a"]},
        {"name": "p", "type": "max_pool", "kernel": [2, 2], "dilation": [1, 2], "stride": [1, 2]},
        {"name": "g", "type": "global_max_pool", "inputs": ["p"]},
        {"name": "o", "type": "dense", "units": 2}]})");
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        CAPTURE(seed);
        const Weights<double> weights{share_numbers(seed, "weights", network.parameter_count(), 1),
                                      {}};
        const Rows<double> x0 = share_numbers(seed, "start", 3, 84),
                           x1 = share_numbers(seed, "end", 3, 84);
        Pass<double> zero(network), one(network);
        const Rows<double> y0 = zero.forward(weights, x0, {}), y1 = one.forward(weights, x1, {});
        for (Index node = 1; node < network.nodes(); ++node) {
            const auto from = inputs_of(network, zero, node), to = inputs_of(network, one, node);
            if (chooses(network, node)) {
                const Rows<double> shares = network.envelope_shares(node, from, to);
                CHECK(shares.minCoeff() >= 0);
                CHECK(shares.rowwise().sum().isApproxToConstant(
                    static_cast<double>(network.node_tensor(node).size()), 1e-12));
                one.set_slopes(node, shares);
            } else if (network.node_type(node) == "activation") {
                const Rows<double> moved = to[0] - from[0];
                one.set_slopes(node,
                               (one.activation(node) - zero.activation(node)).cwiseQuotient(moved));
            }
        }
        for (Index unit = 0; unit < 2; ++unit) {
            Rows<double> cotangent = Rows<double>::Zero(3, 2);
            cotangent.col(unit).setOnes();
            one.backward(cotangent, true);
            const Column<double> sums = (x1 - x0).cwiseProduct(one.cotangent(0)).rowwise().sum();
            CHECK((sums - (y1 - y0).col(unit)).cwiseAbs().maxCoeff() < 1e-11);
        }
    }
}

TEST_CASE("shares of a segment without length give the derivative", "[network][shares]") {
    const Network<double> network(R"({"input": {"shape": [2, 5, 5]}, "layers": [
        {"type": "max_pool", "kernel": [2, 2], "stride": [1, 1], "padding": [[1, 0], [0, 1]]},
        {"type": "flatten"}, {"type": "dense", "units": 3}]})");
    const Weights<double> weights{share_numbers(1, "weights", network.parameter_count(), 1), {}};
    const Rows<double> x = share_numbers(1, "x", 4, 50), d = share_numbers(1, "d", 4, 3);
    const Rows<double> moved = share_numbers(1, "moved", 8, 50);
    Pass<double> pass(network);
    static_cast<void>(pass.forward(weights, x, {}));
    pass.backward(d, true);
    const Rows<double> gradient = pass.cotangent(0);
    const Rows<double> tangent = pass.tangent(Columns<double>(), 2, {{0, &moved}});
    pass.set_slopes(1, network.envelope_shares(1, {x}, {x}));
    pass.backward(d, true);
    CHECK(pass.cotangent(0) == gradient);
    CHECK(pass.tangent(Columns<double>(), 2, {{0, &moved}}) == tangent);
    pass.set_slopes(1, {});
    pass.backward(d, true);
    CHECK(pass.cotangent(0) == gradient);
}

TEST_CASE("shares and slopes that do not fit are refused", "[network][shares]") {
    const Network<double> network(R"({"input": {"shape": [1, 4]}, "layers": [
        {"type": "max_pool", "kernel": [2]}, {"type": "activation", "function": "tanh"}]})");
    const Rows<double> x = Rows<double>::Zero(3, 4), y = Rows<double>::Zero(3, 2);
    Pass<double> pass(network);
    using Catch::Matchers::Contains;
    CHECK_THROWS_WITH(pass.set_slopes(1, y), Contains("2 numbers a sample, 4 are expected"));
    CHECK_THROWS_WITH(network.envelope_shares(1, {x}, {y}), Contains("of another size"));
    CHECK_THROWS_WITH(network.envelope_shares(1, {x, x}, {x, x}), Contains("of another size"));
    CHECK_THROWS_WITH(network.envelope_shares(2, {y}, {y}), Contains("does not choose"));
}
