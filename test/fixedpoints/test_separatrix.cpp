// Borders between basins of decoupled bits: the planes where one bit is 0.
#include "small_systems.hpp"

#include <assay/fixedpoints/separatrix.hpp>

#include <catch2/catch.hpp>

using namespace assay;
using namespace assay::fixedpoints;
using namespace assay::test;

namespace {

// Two bits h_i' = tanh(w_i h_i), whose point 0 is left on a sphere.
struct TwoBits {
    explicit TwoBits(const std::vector<double>& gains)
        : product(product_system(gains, 0)),
          dynamics(plain_network(product.recurrent, Matrix::Zero(2, 1))),
          system(system_at(dynamics, product.states, RowMatrix::Zero(1, 1))),
          land(landscapes(system.points, system.systems).front()) {
        for (Index node = 0; node < land.count(); ++node)
            launches.push_back(launch_from_sphere(
                land.state.row(node), system.systems[static_cast<std::size_t>(node)], 1e-3));
    }
    [[nodiscard]] Index node(int first, int second) const {
        for (std::size_t p = 0; p < product.signs.size(); ++p)
            if (product.signs[p] == std::vector<int>{first, second}) return static_cast<Index>(p);
        return -1;
    }
    [[nodiscard]] Eigen::RowVectorXd start(double angle) const {
        return 1e-3 * Eigen::RowVector2d(std::cos(angle), std::sin(angle));
    }
    std::vector<Border> borders(double a, double b, Destination to_a, Destination to_b) {
        return follow_borders({dynamics, land, rules, cycles, {}},
                              {{node(0, 0), start(a), start(b), to_a, to_b}}, launches, {});
    }
    Product product;
    Dynamics dynamics;
    System system;
    Landscape land;
    std::vector<Launch> launches;
    FlightRules rules;
    Cycles cycles;
};

} // namespace

TEST_CASE("a border is found and leads to its saddle", "[topology]") {
    TwoBits bits({1.6, 1.3});
    const auto borders =
        bits.borders(-0.1, 0.13, {Fate::node, bits.node(1, -1)}, {Fate::node, bits.node(1, 1)});
    REQUIRE(borders.size() == 1);
    const Border& border = borders.front();
    CHECK(border.source == bits.node(0, 0));
    CHECK(std::abs(border.start(1)) < 1e-8); // as well as the way to the saddle needs
    CHECK(border.start(0) == Approx(1e-3).epsilon(0.02));
    const Index saddle = bits.node(1, 0);
    CHECK(border.distance(saddle) <= 0.01 * bits.land.spacing(saddle));
    CHECK(border.correction(saddle) == 0);
    // As far as the start's own orbit: the distance after so many steps.
    double h = border.start(0);
    for (Index n = 0; n < border.start_when[static_cast<std::size_t>(saddle)]; ++n)
        h = std::tanh(1.6 * h);
    CHECK(border.start_distance(saddle) == Approx(upper_root(1.6) - h).epsilon(1e-6));
}

TEST_CASE("where the middle has a third fate there are two borders", "[topology]") {
    TwoBits bits({1.6, 1.3});
    const auto borders =
        bits.borders(0.8, 3.5, {Fate::node, bits.node(1, 1)}, {Fate::node, bits.node(-1, -1)});
    REQUIRE(borders.size() == 2);
    CHECK(std::abs(borders[0].start(0)) < 1e-8);
    CHECK(borders[0].start(1) > 0);
    CHECK(borders[0].distance(bits.node(0, 1)) <= 0.01 * bits.land.spacing(bits.node(0, 1)));
    CHECK(std::abs(borders[1].start(1)) < 1e-8);
    CHECK(borders[1].start(0) < 0);
    CHECK(borders[1].distance(bits.node(-1, 0)) <= 0.01 * bits.land.spacing(bits.node(-1, 0)));
}

TEST_CASE("a saddle that attracts slowly is reached by small jumps", "[topology]") {
    // Rounding grows by 3 a step, the distance to the saddle falls by 0.98: 1e16 against a half.
    TwoBits bits({3.0, 1.01});
    const auto borders =
        bits.borders(1.45, 1.7, {Fate::node, bits.node(1, 1)}, {Fate::node, bits.node(-1, 1)});
    REQUIRE(borders.size() == 1);
    const Index saddle = bits.node(0, 1);
    CHECK(borders[0].distance(saddle) <= 0.01 * bits.land.spacing(saddle));
    CHECK(borders[0].correction(saddle) > 0);
    CHECK(borders[0].correction(saddle) <= 1e-7);
    CHECK(borders[0].start_distance(saddle) > 0.5 * bits.land.spacing(saddle));
    CHECK(std::abs(borders[0].start(0)) < 2e-13); // rounding
    // The pair still lies on both sides.
    CHECK(borders[0].a(0) > 0);
    CHECK(borders[0].b(0) < 0);
}
