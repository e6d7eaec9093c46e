#include <assay/fixedpoints/separatrix.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <set>

namespace assay::fixedpoints {
namespace {

constexpr double kNarrow = 1e-13;     // relative width of starts that rounding in a step ends
constexpr double kTogether = 1e-7;    // relative width of a pair that moves as one
constexpr double kSaddleReach = 0.01; // distance in spacings at which a saddle has been reached
constexpr Index kStallLevels = 64;    // halvings within which an approach must gain
constexpr double kStallGain = 0.99;   // this
constexpr std::size_t kPairsEach = 4; // borders of a bracket, at most
constexpr Index kPairBlock = 128;     // pairs that one thread follows together

using State = Eigen::RowVectorXd;

struct StatePair {
    Border border;
    State a, b, start_a, start_b;
    Destination to_a, to_b;
    double jump = 0; // the largest so far
    double left = 0; // distance from the source
    // At the last look: the nearest approach to a saddle, and the distance from the source.
    double nearest_mark = kInfinity, left_mark = 0;
    Index steps = 0, halvings = 0;
    bool starts_open = true; // they are halved as well
    bool ended = false;
};

double relative_width(const State& a, const State& b) {
    return (a - b).norm() / (1 + a.norm());
}

class BorderWalk {
  public:
    BorderWalk(const Surroundings& around, const std::vector<Bracket>& brackets,
               const std::vector<Launch>& launches, const BorderRules& rules)
        : around_(around), land_(around.landscape), launches_(launches), rules_(rules),
          most_pairs_(kPairsEach * brackets.size()) {
        for (const Bracket& bracket : brackets) add(bracket);
    }

    std::vector<Border> operator()() {
        std::vector<std::size_t> open;
        for (std::size_t k = 0; k < pairs_.size(); ++k) open.push_back(k);
        while (!open.empty()) {
            around_.run.monitor->stop_if_interrupted();
            const Blocks blocks{static_cast<Index>(open.size()), kPairBlock};
            parallel_blocks(blocks.count(), around_.run.threads, [&](Index block) {
                const auto first = open.begin() + blocks.begin(block);
                advance({first, first + blocks.extent(block)});
            });
            note_reached(open);
            drop_ended(open);
            const std::size_t known = pairs_.size();
            halve(open);
            for (std::size_t k = known; k < pairs_.size(); ++k) open.push_back(k);
            drop_ended(open);
        }
        std::vector<Border> result;
        for (StatePair& pair : pairs_) {
            pair.border.start = std::move(pair.start_a);
            pair.border.a = std::move(pair.a);
            pair.border.b = std::move(pair.b);
            result.push_back(std::move(pair.border));
        }
        return result;
    }

  private:
    void add(const Bracket& bracket) {
        const State far = State::Constant(land_.count(), kInfinity);
        StatePair pair;
        pair.border.source = bracket.source;
        pair.border.distance = pair.border.start_distance = far;
        pair.border.start_when.assign(static_cast<std::size_t>(land_.count()), 0);
        pair.border.correction = State::Zero(land_.count());
        pair.a = pair.start_a = bracket.a;
        pair.b = pair.start_b = bracket.b;
        pair.to_a = bracket.to_a;
        pair.to_b = bracket.to_b;
        pairs_.push_back(std::move(pair));
    }

    void drop_ended(std::vector<std::size_t>& open) const {
        open.erase(std::remove_if(open.begin(), open.end(),
                                  [this](std::size_t k) { return pairs_[k].ended; }),
                   open.end());
    }

    [[nodiscard]] bool simple_saddle(const StatePair& pair, Index node) const {
        return node != pair.border.source && land_.unstable[static_cast<std::size_t>(node)] == 1;
    }
    [[nodiscard]] double approach(const StatePair& pair, Index node) const {
        return pair.border.distance(node) / land_.spacing(node);
    }

    // Steps pairs as long as they stay together.
    void advance(std::vector<std::size_t> active) {
        while (!active.empty()) {
            const auto count = static_cast<Index>(active.size());
            RowMatrix a(count, land_.state.cols()), b = a;
            for (Index i = 0; i < count; ++i) {
                a.row(i) = pairs_[active[static_cast<std::size_t>(i)]].a;
                b.row(i) = pairs_[active[static_cast<std::size_t>(i)]].b;
            }
            a = around_.dynamics.step(land_.input, a);
            b = around_.dynamics.step(land_.input, b);
            const RowMatrix from_a = distances(a, land_.state), from_b = distances(b, land_.state);
            std::vector<std::size_t> together;
            for (Index i = 0; i < count; ++i) {
                const std::size_t k = active[static_cast<std::size_t>(i)];
                StatePair& pair = pairs_[k];
                if (!(relative_width(a.row(i), b.row(i)) <= kTogether)) continue;
                pair.a = a.row(i);
                pair.b = b.row(i);
                note_approach(pair, from_a.row(i).cwiseMax(from_b.row(i)));
                if (!pair.ended) together.push_back(k);
            }
            active = std::move(together);
        }
    }

    void note_approach(StatePair& pair, const State& distance) const {
        Border& border = pair.border;
        ++pair.steps;
        pair.left = distance(border.source);
        pair.ended = pair.steps >= around_.rules.max_steps;
        for (Index node = 0; node < land_.count(); ++node) {
            if (distance(node) < border.distance(node)) {
                border.distance(node) = distance(node);
                border.correction(node) = pair.jump;
            }
            if (pair.starts_open && distance(node) < border.start_distance(node)) {
                border.start_distance(node) = distance(node);
                border.start_when[static_cast<std::size_t>(node)] = pair.steps;
            }
            if (simple_saddle(pair, node) && approach(pair, node) <= kSaddleReach)
                pair.ended = true;
            if (land_.attracts(node) &&
                distance(node) <= arrival_radius(land_, node, around_.rules))
                pair.ended = true;
        }
    }

    // Saddles that borders have come to; others of the same source need not come as near.
    void note_reached(const std::vector<std::size_t>& open) {
        const auto each_near = [&](double limit, auto&& body) {
            for (const std::size_t k : open)
                for (Index node = 0; node < land_.count(); ++node)
                    if (simple_saddle(pairs_[k], node) && approach(pairs_[k], node) <= limit)
                        body(pairs_[k], std::make_pair(pairs_[k].border.source, node));
        };
        each_near(kSaddleReach, [&](StatePair&, const auto& ends) { reached_.insert(ends); });
        each_near(rules_.near_saddle, [&](StatePair& pair, const auto& ends) {
            if (reached_.count(ends) > 0) pair.ended = true;
        });
    }

    // Ends what neither comes nearer to a saddle nor goes farther from its source.
    void look_for_gain(StatePair& pair) const {
        double nearest = kInfinity;
        for (Index node = 0; node < land_.count(); ++node)
            if (node != pair.border.source && !land_.attracts(node))
                nearest = std::min(nearest, approach(pair, node));
        const bool gained =
            nearest < kStallGain * pair.nearest_mark || pair.left_mark < kStallGain * pair.left;
        if (!gained) pair.ended = true;
        pair.nearest_mark = nearest;
        pair.left_mark = pair.left;
    }

    [[nodiscard]] State middle_of_starts(const StatePair& pair, double width) const {
        const State state = (pair.start_a + pair.start_b) / 2;
        if (width <= kTogether) return state;
        const Launch& launch = launches_[static_cast<std::size_t>(pair.border.source)];
        return launch.states(launch.direction(state)).row(0);
    }

    // One level of all pairs.
    void halve(const std::vector<std::size_t>& open) {
        const auto count = static_cast<Index>(open.size());
        RowMatrix middles(count, land_.state.cols()), starts = middles;
        for (Index i = 0; i < count; ++i) {
            StatePair& pair = pairs_[open[static_cast<std::size_t>(i)]];
            const double width = relative_width(pair.start_a, pair.start_b);
            if (width <= kNarrow || pair.halvings >= rules_.bisections) pair.starts_open = false;
            starts.row(i) = middle_of_starts(pair, width);
            if (pair.starts_open && pair.steps == 0)
                middles.row(i) = starts.row(i);
            else
                middles.row(i) = (pair.a + pair.b) / 2;
            if (!pair.starts_open) pair.jump = std::max(pair.jump, relative_width(pair.a, pair.b));
        }
        const Flights flights =
            fly(around_.dynamics, land_, middles, around_.rules, around_.cycles, around_.run);
        for (Index i = 0; i < count; ++i) {
            const auto n = static_cast<std::size_t>(i);
            take_half(open[n], middles.row(i), starts.row(i), flights.destination[n]);
        }
    }

    void take_half(std::size_t k, const State& middle, const State& start, const Destination& to) {
        const bool on_border = to.fate == Fate::node && !land_.attracts(to.place);
        const bool third =
            to != pairs_[k].to_a && to != pairs_[k].to_b && !on_border && to.fate != Fate::none;
        if (third && pairs_[k].steps == 0 && pairs_.size() < most_pairs_)
            add({pairs_[k].border.source, middle, pairs_[k].b, to, pairs_[k].to_b});
        StatePair& pair = pairs_[k];
        const bool to_a = to == pair.to_a;
        (to_a ? pair.a : pair.b) = middle;
        if (pair.starts_open) (to_a ? pair.start_a : pair.start_b) = start;
        if (!to_a) pair.to_b = to;
        if (++pair.halvings % kStallLevels == 0) look_for_gain(pair);
    }

    const Surroundings& around_;
    const Landscape& land_;
    const std::vector<Launch>& launches_;
    const BorderRules& rules_;
    std::size_t most_pairs_;
    std::vector<StatePair> pairs_;
    std::set<std::pair<Index, Index>> reached_; // source and saddle
};

} // namespace

std::vector<Border> follow_borders(const Surroundings& around, const std::vector<Bracket>& brackets,
                                   const std::vector<Launch>& launches, const BorderRules& rules) {
    return BorderWalk(around, brackets, launches, rules)();
}

} // namespace assay::fixedpoints
