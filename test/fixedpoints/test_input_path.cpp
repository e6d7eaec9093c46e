// Paths of inputs, linear against nonlinear frequency, starts of long runs, eigen-systems of many
// points: on systems whose points are written down.
#include "small_systems.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/cycle_starts.hpp>
#include <assay/fixedpoints/frequencies.hpp>
#include <assay/fixedpoints/input_path.hpp>
#include <assay/fixedpoints/point_modes.hpp>
#include <assay/fixedpoints/synth.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

using namespace assay;
using namespace assay::fixedpoints;
using namespace assay::test;

namespace {

constexpr double kGain = 2;

RowMatrix column(const std::vector<double>& values) {
    return Eigen::Map<const RowMatrix>(values.data(), static_cast<Index>(values.size()), 1);
}

// All points of h' = tanh(2 h + x) under each input, ascending: Newton's method from a grid.
Points points_of(const RowMatrix& inputs) {
    Points points;
    std::vector<double> states, of_input;
    for (Index k = 0; k < inputs.rows(); ++k) {
        std::vector<double> found;
        for (double start = -1; start <= 1; start += 0.05) {
            double h = start;
            for (int i = 0; i < 200; ++i) {
                const double y = std::tanh(kGain * h + inputs(k, 0));
                h += (y - h) / (1 - kGain * (1 - y * y));
            }
            const bool rests = std::abs(std::tanh(kGain * h + inputs(k, 0)) - h) < 1e-13;
            const bool known = std::any_of(found.begin(), found.end(),
                                           [&](double f) { return std::abs(f - h) < 1e-6; });
            if (rests && !known) found.push_back(h);
        }
        std::sort(found.begin(), found.end());
        for (const double h : found) {
            states.push_back(h);
            of_input.push_back(inputs(k, 0));
            points.input_id.push_back(static_cast<std::int32_t>(k));
            points.kind.push_back(PointKind::fixed);
        }
    }
    points.state = column(states);
    points.input = column(of_input);
    return points;
}

} // namespace

TEST_CASE("branches go on from input to input, and later points start their own", "[input-path]") {
    const Dynamics unit = plain_network(column({kGain}), column({1}));
    // The folds lie at +-0.533: one point at 1, three at 0.2 and at -0.2, one at -1.
    const RowMatrix path = column({1, 0.2, -0.2, -1});
    const Points points = points_of(path);
    REQUIRE(points.count() == 8);
    const auto branches = track_path(unit, points, path, {}, {});
    std::vector<Index> segment, before, point, arrives;
    for (const PathBranch& one : branches) {
        segment.push_back(one.segment);
        before.push_back(one.before);
        point.push_back(one.point);
        arrives.push_back(one.arrives);
        REQUIRE(one.input.rows() == one.branch.count());
        for (Index i = 0; i < one.branch.count(); ++i)
            CHECK(std::tanh(kGain * one.branch.state(i, 0) + one.input(i, 0)) ==
                  Approx(one.branch.state(i, 0)).margin(1e-10));
        CHECK(one.output == one.branch.state);
    }
    CHECK(segment == std::vector<Index>{0, 1, 1, 1, 2, 2, 2});
    CHECK(before == std::vector<Index>{-1, 0, -1, -1, 1, 2, 3});
    CHECK(point == std::vector<Index>{0, 3, 1, 2, 6, 4, 5});
    // On to -1 only the lowest arrives; the two others meet in the fold and turn back.
    CHECK(arrives == std::vector<Index>{3, 6, 4, 5, -1, 7, -1});
    CHECK(branches[4].branch.end == BranchEnd::to_start);
    CHECK(branches[4].branch.meets == 6);
    CHECK(branches[6].branch.meets == 4);
    CHECK_THROWS_AS(track_path(unit, points, path.topRows(1), {}, {}), Error);
    CHECK_THROWS_WITH(track_path(unit, points, column({5, 6}), {}, {}),
                      "no point is known at the first input of the path");
}

TEST_CASE("the leading pair of an input's points is set against its cycles", "[frequencies]") {
    Points points;
    points.state = RowMatrix::Zero(4, 2);
    points.input_id = {0, 0, 1, 2};
    points.kind = {PointKind::fixed, PointKind::fixed, PointKind::slow, PointKind::fixed};
    const auto pair = [](double modulus, double angle) {
        EigenSystem system;
        system.values.resize(2);
        system.values << std::polar(modulus, angle), std::polar(modulus, -angle);
        return system;
    };
    EigenSystem real;
    real.values = ComplexVector::Constant(2, 2.0);
    const std::vector<EigenSystem> systems{pair(0.9, 0.1), pair(1.2, 0.3), pair(0.8, 0.2), real};
    LongRun runs;
    runs.motion = {Motion::quasi_periodic, Motion::periodic, Motion::unresolved, Motion::chaotic};
    runs.frequency = (Vector(4) << 3, 5, std::numeric_limits<double>::quiet_NaN(), 4).finished();
    const Vector target =
        target_frequencies(column({1, 2, 3}), column({3, 1}), (Vector(2) << 30, 10).finished());
    const Frequencies f = compare_frequencies(points, systems, runs, {0, 0, 1, 2}, target, 0.1);
    CHECK(f.point == std::vector<std::int32_t>{1, 2, -1});
    CHECK(f.linear(0) == Approx(3));
    CHECK(f.linear(1) == Approx(2));
    CHECK(std::isnan(f.linear(2)));
    CHECK(f.modulus(0) == Approx(1.2));
    CHECK(f.cycle(0) == Approx(4));
    CHECK(std::isnan(f.cycle(1)));
    CHECK(std::isnan(f.cycle(2)));
    CHECK(f.target(0) == 10);
    CHECK(std::isnan(f.target(1)));
    CHECK(f.target(2) == 30);
    const Agreement both =
        agreement((Vector(4) << 1, 2, f.linear(2), 3.3).finished(), Vector::LinSpaced(4, 1, 4));
    CHECK(both.inputs == 3);
    CHECK(both.largest_error == Approx(0.175));
    // numpy.corrcoef([1, 2, 3.3], [1, 2, 4])
    CHECK(both.correlation == Approx(0.9933992678).margin(1e-9));
    CHECK_THROWS_AS(compare_frequencies(points, systems, runs, {0}, target, 1), Error);
}

TEST_CASE("long runs start from states under their input, or beside points", "[cycle-starts]") {
    Trajectories t;
    t.trials = 2;
    t.steps = 3;
    t.lengths = {3, 1};
    t.inputs = column({0, 1, 0, 1, 1, 1});
    t.states = column({10, 11, 12, 13, 14, 15});
    CHECK(steps_under(t, column({1})).states == column({11, 13}));
    CHECK(steps_under(t, column({0})).states == column({10, 12}));
    CHECK(steps_under(t, column({7})).states == column({10, 11, 12, 13}));

    Landscape land;
    land.point = {4, 9};
    land.state = (RowMatrix(2, 2) << 0, 0, 3, 4).finished();
    land.spacing = Vector::Constant(2, 5);
    const RowMatrix kicked = kicked_states(land, 2000, 0.1, 7);
    for (Index node = 0; node < 2; ++node) {
        const RowMatrix apart =
            kicked.middleRows(node * 2000, 2000).rowwise() - land.state.row(node);
        // Standard deviation 0.5; its error over 4000 numbers is 0.0056.
        CHECK(std::sqrt(apart.squaredNorm() / 4000) == Approx(0.5).margin(0.03));
        CHECK(apart.colwise().mean().norm() < 0.06);
    }
    const RowMatrix starts = kicked_starts(land, 3, 0.1, 7);
    CHECK(starts.row(0) == kicked_states(land, 2, 0.1, 7).row(0));
    CHECK(starts.row(1) == kicked_states(land, 2, 0.1, 7).row(2));
    CHECK(starts.row(2) == kicked_states(land, 2, 0.1, 7).row(1));
}

TEST_CASE("eigen-systems of many points keep their unstable modes", "[linearise-points]") {
    ProductSettings settings;
    settings.bits = 2;
    settings.pad = 3;
    const Synthetic made = make_product(settings);
    const Dynamics dynamics(made.model);
    Points points;
    points.state = made.truth.state;
    points.input = RowMatrix::Zero(9, 2);
    auto systems = unstable_systems(dynamics, points, {});
    REQUIRE(systems.size() == 9);
    for (std::size_t p = 0; p < 9; ++p) {
        const auto row = made.truth.eigenvalues.row(static_cast<Index>(p));
        CHECK((systems[p].values.transpose() - row).norm() < 1e-9);
        CHECK(systems[p].right.cols() == made.truth.n_unstable[p]);
        CHECK(systems[p].left.rows() == made.truth.n_unstable[p]);
    }
    CHECK(belong_to(systems, dynamics, points, {}));
    CHECK(hold_unstable_modes(systems));
    std::swap(systems[0], systems[8]);
    CHECK_FALSE(belong_to(systems, dynamics, points, {}));
    systems[0].right.resize(5, 0);
    CHECK_FALSE(hold_unstable_modes(systems));
    systems.pop_back();
    CHECK_FALSE(belong_to(systems, dynamics, points, {}));
}
