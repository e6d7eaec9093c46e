#include <assay/fixedpoints/separatrix.hpp>

#include <assay/core/parallel.hpp>

#include <algorithm>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr double kNarrow = 1e-13; // width of a bracket relative to 1 + |h|
constexpr double kParted = 1e-5;  // width at which a pair no longer follows the border
constexpr double kReached = 1e-3; // distance in spacings at which a saddle has been reached
constexpr int kRounds = 8;
constexpr Index kLevels = 60;     // of bisection between parted states
constexpr Index kPairBlock = 128; // pairs that one thread follows together

double scale(const RowMatrix& states, Index row) {
    return 1 + states.row(row).norm();
}

Brackets chosen(const Brackets& brackets, const std::vector<Index>& rows) {
    Brackets result;
    const auto count = static_cast<Index>(rows.size());
    result.a.resize(count, brackets.a.cols());
    result.b.resize(count, brackets.b.cols());
    for (Index k = 0; k < count; ++k) {
        const Index row = rows[static_cast<std::size_t>(k)];
        const auto i = static_cast<std::size_t>(row);
        result.a.row(k) = brackets.a.row(row);
        result.b.row(k) = brackets.b.row(row);
        result.source.push_back(brackets.source[i]);
        result.to_a.push_back(brackets.to_a[i]);
        result.to_b.push_back(brackets.to_b[i]);
    }
    return result;
}

RowMatrix middle(const Brackets& brackets, Index k, const std::vector<Launch>* launches) {
    const RowMatrix state = (brackets.a.row(k) + brackets.b.row(k)) / 2;
    if (!launches) return state;
    const Launch& source =
        (*launches)[static_cast<std::size_t>(brackets.source[static_cast<std::size_t>(k)])];
    return source.states(source.direction(state));
}

// Steps a block of pairs together until each has parted, noting the distances on both sides.
void follow_block(const Surroundings& around, Brackets& brackets, Index first, Index count,
                  RowMatrix& closest, std::vector<Index>& when, std::vector<char>& parted) {
    const Landscape& land = around.landscape;
    std::vector<Index> active;
    for (Index k = first; k < first + count; ++k) active.push_back(k);
    for (Index step = 1; step <= around.rules.max_steps && !active.empty(); ++step) {
        const auto pairs = static_cast<Index>(active.size());
        RowMatrix states(2 * pairs, land.state.cols());
        for (Index i = 0; i < pairs; ++i) {
            states.row(i) = brackets.a.row(active[static_cast<std::size_t>(i)]);
            states.row(pairs + i) = brackets.b.row(active[static_cast<std::size_t>(i)]);
        }
        states = around.dynamics.step(land.input, states);
        const RowMatrix d = distances(states, land.state);
        std::vector<Index> together;
        for (Index i = 0; i < pairs; ++i) {
            const Index k = active[static_cast<std::size_t>(i)];
            brackets.a.row(k) = states.row(i);
            brackets.b.row(k) = states.row(pairs + i);
            for (Index node = 0; node < d.cols(); ++node) {
                const double distance = std::max(d(i, node), d(pairs + i, node));
                if (!(distance < closest(k, node))) continue;
                closest(k, node) = distance;
                when[static_cast<std::size_t>(k * d.cols() + node)] = step;
            }
            const double width = (states.row(i) - states.row(pairs + i)).norm();
            if (width <= kParted * scale(states, i))
                together.push_back(k);
            else
                parted[static_cast<std::size_t>(k)] = 1;
        }
        active = std::move(together);
    }
}

bool reached_saddle(const Landscape& land, const RowMatrix& closest, Index row, Index source) {
    for (Index node = 0; node < land.count(); ++node)
        if (node != source && land.unstable[static_cast<std::size_t>(node)] == 1 &&
            closest(row, node) <= kReached * land.spacing(node))
            return true;
    return false;
}

// Rounding may have carried both states of a pair to one side: those are given up.
std::vector<char> still_straddle(const Surroundings& around, Brackets& brackets) {
    RowMatrix states(2 * brackets.count(), brackets.a.cols());
    states << brackets.a, brackets.b;
    const Flights flights =
        fly(around.dynamics, around.landscape, states, around.rules, around.cycles, around.run);
    std::vector<char> good;
    for (std::size_t k = 0; k < brackets.source.size(); ++k) {
        brackets.to_a[k] = flights.destination[k];
        brackets.to_b[k] = flights.destination[brackets.source.size() + k];
        good.push_back(brackets.to_a[k] != brackets.to_b[k]);
    }
    return good;
}

} // namespace

void bisect(const Surroundings& around, Brackets& brackets, Index levels,
            const std::vector<Launch>* launches) {
    std::vector<Index> open;
    for (Index k = 0; k < brackets.count(); ++k) open.push_back(k);
    for (Index level = 0; level < levels; ++level) {
        std::vector<Index> wide;
        for (const Index k : open)
            if ((brackets.a.row(k) - brackets.b.row(k)).norm() > kNarrow * scale(brackets.a, k))
                wide.push_back(k);
        open = std::move(wide);
        if (open.empty()) return;
        around.run.monitor->stop_if_interrupted();
        RowMatrix middles(static_cast<Index>(open.size()), brackets.a.cols());
        for (std::size_t i = 0; i < open.size(); ++i)
            middles.row(static_cast<Index>(i)) = middle(brackets, open[i], launches);
        const Flights flights = fly(around.dynamics, around.landscape, middles, around.rules,
                                    around.cycles, around.run);
        for (std::size_t i = 0; i < open.size(); ++i) {
            const auto k = static_cast<std::size_t>(open[i]);
            if (flights.destination[i] == brackets.to_a[k]) {
                brackets.a.row(open[i]) = middles.row(static_cast<Index>(i));
            } else {
                brackets.b.row(open[i]) = middles.row(static_cast<Index>(i));
                brackets.to_b[k] = flights.destination[i];
            }
        }
    }
}

Approaches follow_border(const Surroundings& around, Brackets brackets) {
    const Landscape& land = around.landscape;
    const Index nodes = land.count();
    std::vector<Index> row; // of the result, for each bracket still followed
    for (Index k = 0; k < brackets.count(); ++k) row.push_back(k);
    Approaches result;
    result.distance =
        RowMatrix::Constant(brackets.count(), nodes, std::numeric_limits<double>::infinity());
    for (int round = 0; round < kRounds && brackets.count() > 0; ++round) {
        const Index count = brackets.count();
        RowMatrix closest =
            RowMatrix::Constant(count, nodes, std::numeric_limits<double>::infinity());
        std::vector<Index> when(static_cast<std::size_t>(count * nodes), 0);
        std::vector<char> parted(static_cast<std::size_t>(count), 0);
        const Blocks blocks{count, kPairBlock};
        parallel_blocks(blocks.count(), around.run.threads, [&](Index block) {
            follow_block(around, brackets, blocks.begin(block), blocks.extent(block), closest, when,
                         parted);
        });
        for (Index k = 0; k < count; ++k) {
            auto best = result.distance.row(row[static_cast<std::size_t>(k)]);
            best = best.cwiseMin(closest.row(k));
        }
        if (round == 0) {
            result.first_distance = closest;
            result.first_when = std::move(when);
        }
        if (round + 1 == kRounds) break;
        std::vector<Index> unfinished, rows;
        for (Index k = 0; k < count; ++k) {
            const auto i = static_cast<std::size_t>(k);
            if (!parted[i] || reached_saddle(land, result.distance, row[i], brackets.source[i]))
                continue;
            unfinished.push_back(k);
        }
        Brackets next = chosen(brackets, unfinished);
        const auto good = still_straddle(around, next);
        std::vector<Index> straddling;
        for (std::size_t i = 0; i < good.size(); ++i) {
            if (!good[i]) continue;
            straddling.push_back(static_cast<Index>(i));
            rows.push_back(row[static_cast<std::size_t>(unfinished[i])]);
        }
        brackets = chosen(next, straddling);
        row = std::move(rows);
        bisect(around, brackets, kLevels);
    }
    return result;
}

} // namespace assay::fixedpoints
