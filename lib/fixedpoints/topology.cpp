#include <assay/fixedpoints/topology.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/connections.hpp>
#include <assay/fixedpoints/cycle_starts.hpp>
#include <assay/fixedpoints/graph_judgement.hpp>
#include <assay/fixedpoints/separatrix.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>

namespace assay::fixedpoints {
namespace {

constexpr std::size_t kGuesses = 6; // orbits from which a saddle is shot at
constexpr double kPromising = 1;    // spacings within which a guess must have passed
constexpr double kWideShare = 0.5;  // of the spacing: the wider ellipsoid

// The graph of one input, in numbers of its landscape.
class InputGraph {
  public:
    InputGraph(const Dynamics& dynamics, const Landscape& landscape,
               const std::vector<EigenSystem>& systems, const TopologyOptions& options,
               const Execution& run)
        : land_(landscape), systems_(systems),
          options_(options), rules_{options.arrival, options.max_steps, {}},
          fates_only_(rules_), around_{dynamics, land_, fates_only_, cycles_, run} {
        for (Index node = 0; node < land_.count(); ++node)
            launches_.push_back(launch_from_ellipsoid(land_.state.row(node), system(node),
                                                      options.epsilon, land_.spacing(node)));
        probability_.setZero(land_.count(), land_.count() + 3);
        probability_error_ = probability_;
        unexplained_.assign(static_cast<std::size_t>(land_.count()), 0);
    }

    void find() {
        std::vector<Index> sources;
        for (Index node = 0; node < land_.count(); ++node)
            if (dimensions(node) >= 2) sources.push_back(node);
        count_all_fates();
        explore(sources);
        // Where modes grow at very different rates, the fast ones may carry slow coordinates
        // farther than the ellipsoid reaches: what leads to a saddle then lies outside.
        sources = sources_with_gaps();
        for (const Index node : sources)
            launches_[static_cast<std::size_t>(node)] =
                launch_from_ellipsoid(land_.state.row(node), system(node), options_.epsilon,
                                      land_.spacing(node), kWideShare);
        explore(sources);
    }

    [[nodiscard]] const Cycles& cycles() const { return cycles_; }
    [[nodiscard]] const RowMatrix& probability() const { return probability_; }
    [[nodiscard]] const RowMatrix& probability_error() const { return probability_error_; }
    [[nodiscard]] const std::vector<std::int32_t>& unexplained() const { return unexplained_; }
    [[nodiscard]] std::vector<Edge> edges() const {
        std::vector<Edge> result;
        for (const auto& [ends, edge] : edges_) {
            result.push_back(edge);
            result.back().orbits = std::max<Index>(1, edge.orbits);
        }
        return result;
    }

  private:
    // An orbit that came near a saddle.
    using Guesses = std::map<std::array<Index, 2>, std::vector<Shot>>; // by source and saddle

    [[nodiscard]] const EigenSystem& system(Index node) const {
        return systems_[static_cast<std::size_t>(land_.point[static_cast<std::size_t>(node)])];
    }
    [[nodiscard]] Index dimensions(Index node) const {
        return land_.unstable[static_cast<std::size_t>(node)];
    }
    [[nodiscard]] const Launch& launch(Index node) const {
        return launches_[static_cast<std::size_t>(node)];
    }

    void add_edge(Edge edge) {
        if (edge.from == edge.to) return;
        edge.kind = land_.attracts(edge.to) ? EdgeKind::to_attractor : EdgeKind::heteroclinic;
        const auto [known, added] = edges_.try_emplace({edge.from, edge.to}, edge);
        if (added) return;
        edge.orbits += known->second.orbits;
        if (edge.distance < known->second.distance)
            known->second = edge;
        else
            known->second.orbits = edge.orbits;
    }

    [[nodiscard]] double departure(Index node, const RowMatrix& states, Index row) const {
        return (states.row(row) - land_.state.row(node)).norm();
    }

    // Edges of `count` flights of a node, from row `first` of their starts on.
    void add_edges(Index node, const RowMatrix& starts, const Flights& flights, Index first,
                   Index count) {
        for (Index i = first; i < first + count; ++i) {
            const Destination& to = flights.destination[static_cast<std::size_t>(i)];
            if (to.fate == Fate::node)
                add_edge({node, to.place, {}, flights.distance(i), departure(node, starts, i)});
        }
    }

    // Column of the shares.
    [[nodiscard]] Index column(Index node, const Destination& to) const {
        if (to.fate == Fate::node && to.place != node) return to.place;
        if (to.fate == Fate::cycle) return land_.count();
        return land_.count() + (to.fate == Fate::diverged ? 1 : 2);
    }

    // Shares of `count` flights of a node, from row `first` on.
    void count_fates(Index node, const Flights& flights, Index first, Index count) {
        auto share = probability_.row(node), error = probability_error_.row(node);
        const auto column_of = [&](Index i) {
            return column(node, flights.destination[static_cast<std::size_t>(first + i)]);
        };
        for (Index i = 0; i < count; ++i) share(column_of(i)) += 1;
        share /= static_cast<double>(count);
        if (dimensions(node) >= 3) error = share_error(share, count);
        if (dimensions(node) != 2) return;
        for (Index i = 0; i < count; ++i) {
            const Index here = column_of(i), next = column_of((i + 1) % count);
            if (here == next) continue;
            error(here) += 0.5 / static_cast<double>(count);
            error(next) += 0.5 / static_cast<double>(count);
        }
    }

    [[nodiscard]] bool on_border(const Destination& to) const {
        return to.fate == Fate::node && !land_.attracts(to.place);
    }

    void add_bracket(Index node, const Flights& flights, const RowMatrix& states, Index i,
                     Index j) {
        const Destination& a = flights.destination[static_cast<std::size_t>(i)];
        const Destination& b = flights.destination[static_cast<std::size_t>(j)];
        if (a == b || a.fate == Fate::none || b.fate == Fate::none) return;
        // A start that comes to rest at a saddle is on a border itself.
        if (on_border(a) || on_border(b)) return;
        brackets_.push_back({node, states.row(i), states.row(j), a, b});
    }

    [[nodiscard]] Launch sphere(Index node) const {
        return launch_from_sphere(land_.state.row(node), system(node), options_.epsilon);
    }
    [[nodiscard]] Matrix directions(Index node) const {
        if (dimensions(node) == 1) return axis_directions(launch(node));
        if (dimensions(node) == 2) return circle_directions(options_.angles);
        return random_directions(dimensions(node), options_.directions, options_.seed,
                                 land_.point[static_cast<std::size_t>(node)]);
    }

    // Starts of several nodes one after another, and whose they are.
    struct Starts {
        struct Part {
            Index node, first, count;
        };
        explicit Starts(Index size) : states(0, size) {}
        RowMatrix states;
        std::vector<Part> parts;
        void add(Index node, const RowMatrix& rows) {
            parts.push_back({node, states.rows(), rows.rows()});
            states.conservativeResize(states.rows() + rows.rows(), rows.cols());
            states.bottomRows(rows.rows()) = rows;
        }
    };
    [[nodiscard]] Flights flights_of(const Starts& starts, const FlightRules& rules,
                                     bool approaches = false) {
        around_.run.monitor->stop_if_interrupted();
        return fly(around_.dynamics, land_, starts.states, rules, cycles_, around_.run, approaches);
    }

    // Starts on spheres around all nodes, whose fates are counted.
    void count_all_fates() {
        Starts starts(land_.state.cols());
        for (Index node = 0; node < land_.count(); ++node) {
            if (land_.attracts(node))
                probability_(node, node) = 1;
            else
                starts.add(node, sphere(node).states(directions(node)));
        }
        const Flights flights = flights_of(starts, rules_, true);
        for (const auto& part : starts.parts) {
            count_fates(part.node, flights, part.first, part.count);
            add_edges(part.node, starts.states, flights, part.first, part.count);
        }
        learn_captures(flights);
    }

    // Half as near as any flight came to an attractor without falling to it. Edges that rely on
    // these radii are confirmed without them.
    void learn_captures(const Flights& flights) {
        constexpr double kMost = 0.25, kSafe = 0.5; // of the spacing, of the nearest passage
        fates_only_.capture.setZero(land_.count());
        for (Index node = 0; node < land_.count(); ++node) {
            if (!land_.attracts(node)) continue;
            double radius = kMost * land_.spacing(node);
            for (Index i = 0; i < flights.count(); ++i) {
                const Destination& to = flights.destination[static_cast<std::size_t>(i)];
                if (to.fate == Fate::node && to.place == node) continue;
                radius = std::min(radius, kSafe * flights.closest(i, node));
            }
            fates_only_.capture(node) = radius;
        }
    }

    // Borders between starts on ellipsoids around some nodes, and the saddles that they lead to.
    void explore(const std::vector<Index>& nodes) {
        if (nodes.empty()) return;
        brackets_.clear();
        guesses_.clear();
        Starts few(land_.state.cols());
        for (const Index node : nodes) {
            forget_borders(node);
            if (dimensions(node) >= 3)
                sample_many(node);
            else
                few.add(node, launch(node).states(directions(node)));
        }
        const Flights flights = flights_of(few, fates_only_);
        for (const auto& part : few.parts) {
            note_falls(part.node, few.states, flights, part.first, part.count);
            for (Index i = 0; i < part.count; ++i)
                add_bracket(part.node, flights, few.states, part.first + i,
                            part.first + (i + 1) % part.count);
        }
        confirm_falls();
        confirm_borders(follow_borders(around_, brackets_, launches_,
                                       {options_.bisections, options_.edge_distance}));
        shoot_saddles();
    }

    // A start of each edge to an attractor that is not known yet.
    void note_falls(Index node, const RowMatrix& starts, const Flights& flights, Index first,
                    Index count) {
        for (Index i = first; i < first + count; ++i) {
            const Destination& to = flights.destination[static_cast<std::size_t>(i)];
            if (to.fate == Fate::node && edges_.count({node, to.place}) == 0)
                falls_.try_emplace({node, to.place}, starts.row(i));
        }
    }

    void confirm_falls() {
        Starts starts(land_.state.cols());
        for (const auto& [ends, state] : falls_) starts.add(ends[0], state);
        falls_.clear();
        const Flights flights = flights_of(starts, rules_);
        for (const auto& part : starts.parts)
            add_edges(part.node, starts.states, flights, part.first, part.count);
    }

    // The nearest border of each edge must lie between two fates indeed, to which its source leads
    // as well.
    void confirm_borders(const std::vector<Border>& borders) {
        std::map<std::array<Index, 2>, const Border*> nearest;
        std::map<std::array<Index, 2>, std::int32_t> count;
        for (const Border& border : borders) {
            const Index saddle = saddle_of(border);
            note_guess(border.source, launch(border.source).direction(border.start),
                       border.start_distance, border.start_when, 0);
            if (saddle < 0) {
                ++unexplained_[static_cast<std::size_t>(border.source)];
                continue;
            }
            ++count[{border.source, saddle}];
            const Border*& best = nearest[{border.source, saddle}];
            if (!best || border.distance(saddle) < best->distance(saddle)) best = &border;
        }
        Starts pairs(land_.state.cols());
        for (const auto& [ends, border] : nearest) {
            RowMatrix pair(2, land_.state.cols());
            pair << border->a, border->b;
            pairs.add(ends[0], pair);
        }
        const Flights flights = flights_of(pairs, rules_);
        std::size_t row = 0;
        for (const auto& [ends, border] : nearest) {
            const bool parts = flights.destination[row] != flights.destination[row + 1];
            add_sides(*border, flights, static_cast<Index>(row));
            row += 2;
            if (parts)
                add_border(*border, ends[1], count.at(ends));
            else
                unexplained_[static_cast<std::size_t>(ends[0])] += count.at(ends);
        }
    }

    // They are counted anew. An edge stays one.
    void forget_borders(Index node) {
        unexplained_[static_cast<std::size_t>(node)] = 0;
        for (auto& [ends, edge] : edges_)
            if (ends[0] == node && !land_.attracts(ends[1])) edge.orbits = 0;
    }

    [[nodiscard]] std::vector<Index> sources_with_gaps() const {
        std::vector<char> lacks(static_cast<std::size_t>(land_.count()), 0);
        const GraphGaps gaps = find_gaps(edges(), land_.unstable);
        for (const auto* pairs : {&gaps.implied, &gaps.odd})
            for (const auto& ends : *pairs) lacks[static_cast<std::size_t>(ends[0])] = 1;
        std::vector<Index> nodes;
        for (Index node = 0; node < land_.count(); ++node)
            if (dimensions(node) >= 2 && (lacks[static_cast<std::size_t>(node)] != 0 ||
                                          unexplained_[static_cast<std::size_t>(node)] > 0))
                nodes.push_back(node);
        return nodes;
    }

    // A node with three or more unstable dimensions, also along its modes.
    void sample_many(Index node) {
        const Matrix random = directions(node), along = axis_directions(launch(node));
        Matrix u(random.rows(), random.cols() + along.cols());
        u << random, along;
        Starts starts(land_.state.cols());
        starts.add(node, launch(node).states(u));
        const Flights flights = flights_of(starts, fates_only_, true);
        note_falls(node, starts.states, flights, 0, u.cols());
        for (Index i = 0; i < u.cols(); ++i)
            note_guess(node, u.col(i), flights.closest.row(i), flights.when, i);
        choose_pairs(node, flights, starts.states);
    }

    void choose_pairs(Index node, const Flights& flights, const RowMatrix& states) {
        const Random random(options_.seed, "fixedpoints/topology/pair");
        const auto point = static_cast<std::uint64_t>(land_.point[static_cast<std::size_t>(node)]);
        const auto draws = static_cast<std::uint64_t>(options_.directions);
        const std::size_t enough = brackets_.size() + static_cast<std::size_t>(options_.pairs);
        // Where few directions differ, most pairs are drawn in vain.
        constexpr Index kAttempts = 16;
        for (Index n = 0; n < kAttempts * options_.pairs; ++n) {
            if (brackets_.size() == enough) return;
            const auto index = static_cast<std::uint64_t>(n);
            add_bracket(node, flights, states,
                        static_cast<Index>(random.below(draws, 2 * index, {point, 0, 0})),
                        static_cast<Index>(random.below(draws, 2 * index + 1, {point, 0, 0})));
        }
    }

    // Keeps the nearest passages at saddles that only shooting reaches.
    template <class Row>
    void note_guess(Index source, const Vector& u, const Row& closest,
                    const std::vector<Index>& when, Index row) {
        for (Index node = 0; node < land_.count(); ++node) {
            if (dimensions(node) < 2 || dimensions(node) >= dimensions(source)) continue;
            if (!(closest(node) < kPromising * land_.spacing(node))) continue;
            auto& best = guesses_[{source, node}];
            const Shot shot{u, when[static_cast<std::size_t>(row * land_.count() + node)],
                            closest(node)};
            best.insert(std::upper_bound(
                            best.begin(), best.end(), shot,
                            [](const Shot& a, const Shot& b) { return a.distance < b.distance; }),
                        shot);
            if (best.size() > kGuesses) best.pop_back();
        }
    }

    // The saddle that a border leads to: the relatively nearest one with one unstable dimension,
    // else the relatively nearest of all; -1: none.
    [[nodiscard]] Index saddle_of(const Border& border) const {
        const auto nearest = [&](bool simple) {
            Index best = -1;
            double least = options_.edge_distance;
            for (Index node = 0; node < land_.count(); ++node) {
                if (node == border.source || land_.attracts(node)) continue;
                if (simple && dimensions(node) != 1) continue;
                const double relative = border.distance(node) / land_.spacing(node);
                if (!(relative < least)) continue;
                best = node;
                least = relative;
            }
            return best;
        };
        const Index saddle = nearest(true);
        return saddle >= 0 ? saddle : nearest(false);
    }

    void add_border(const Border& border, Index saddle, Index orbits) {
        Edge edge;
        edge.from = border.source;
        edge.to = saddle;
        edge.distance = border.distance(saddle);
        edge.departure = (border.start - land_.state.row(border.source)).norm();
        edge.correction = border.correction(saddle);
        edge.orbits = orbits;
        add_edge(edge);
    }

    // Edges to where both sides of a border fall: rows `row` and `row` + 1 of the flights.
    void add_sides(const Border& border, const Flights& flights, Index row) {
        for (Index i = row; i < row + 2; ++i) {
            const Destination& to = flights.destination[static_cast<std::size_t>(i)];
            if (to.fate != Fate::node) continue;
            Edge edge;
            edge.from = border.source;
            edge.to = to.place;
            edge.distance = flights.distance(i);
            edge.departure = (border.start - land_.state.row(border.source)).norm();
            edge.correction = border.correction.maxCoeff();
            if (edges_.count({edge.from, edge.to}) == 0) add_edge(edge);
        }
    }

    void shoot_saddles() {
        std::vector<std::array<Index, 2>> ends;
        for (const auto& [pair, shots] : guesses_) ends.push_back(pair);
        std::vector<Edge> edges(ends.size());
        parallel_blocks(static_cast<Index>(ends.size()), around_.run.threads, [&](Index i) {
            const auto n = static_cast<std::size_t>(i);
            edges[n] = nearest_shot(ends[n][0], ends[n][1], guesses_.at(ends[n]));
        });
        for (const Edge& edge : edges)
            if (edge.distance < options_.edge_distance * land_.spacing(edge.to)) add_edge(edge);
    }

    // The nearest that orbits come to a saddle, from the nearest passages.
    [[nodiscard]] Edge nearest_shot(Index source, Index saddle,
                                    const std::vector<Shot>& guesses) const {
        constexpr double kReached = 1e-3; // in spacings: near enough
        constexpr double kHopeful = 0.5;  // worth to be aimed again on its way
        const double spacing = land_.spacing(saddle);
        ShootingTask task;
        task.source = launch(source);
        task.saddle = land_.state.row(saddle);
        task.saddle_left = unstable_left_basis(system(saddle));
        const double growth = system(saddle).values.cwiseAbs().maxCoeff();
        Edge best;
        best.from = source;
        best.to = saddle;
        best.distance = std::numeric_limits<double>::infinity();
        for (const Shot& guess : guesses) {
            const Shot shot = shoot(around_.dynamics, land_.input, task, guess);
            if (!(shot.distance < kHopeful * spacing)) continue;
            const Aimed aimed =
                aim_again(around_.dynamics, land_.input, task, shot, growth, kReached * spacing);
            if (!(aimed.distance < best.distance)) continue;
            best.distance = aimed.distance;
            best.departure = departure(source, task.source.states(shot.direction), 0);
            best.correction = aimed.correction;
            if (best.distance < kReached * spacing) break;
        }
        return best;
    }

    const Landscape& land_;
    const std::vector<EigenSystem>& systems_;
    const TopologyOptions& options_;
    FlightRules rules_, fates_only_;
    Cycles cycles_;
    Surroundings around_;
    std::vector<Launch> launches_;
    RowMatrix probability_, probability_error_;
    std::vector<std::int32_t> unexplained_;
    std::vector<Bracket> brackets_;
    Guesses guesses_;
    std::map<std::array<Index, 2>, Edge> edges_;
    std::map<std::array<Index, 2>, Eigen::RowVectorXd> falls_; // a start, by source and attractor
};

void check_options(const TopologyOptions& options) {
    const auto at_least_one = [](const char* name, Index value) {
        if (value < 1) throw Error(concat(name, " ", value, ": must be >= 1"));
    };
    const auto positive = [](const char* name, double value) {
        if (!(value > 0) || !std::isfinite(value))
            throw Error(concat(name, " ", value, ": must be > 0"));
    };
    at_least_one("angles", options.angles);
    at_least_one("directions", options.directions);
    at_least_one("max-steps", options.max_steps);
    positive("epsilon", options.epsilon);
    positive("arrival", options.arrival);
    positive("edge distance", options.edge_distance);
}

// Calls body(i, execution): over inputs in parallel where there are several, else within the one.
template <class Body>
void each_input(const std::vector<Landscape>& lands, const Execution& run, Body&& body) {
    const auto count = static_cast<Index>(lands.size());
    const Execution inner = count > 1 ? Execution{1, &silent_monitor()} : run;
    parallel_blocks(count, run.threads, [&](Index i) {
        run.monitor->stop_if_interrupted();
        body(static_cast<std::size_t>(i), inner);
    });
}

void merge(Graph& graph, const Landscape& land, const InputGraph& found,
           const std::map<Index, Index>& column) {
    const auto point = [&](Index node) { return land.point[static_cast<std::size_t>(node)]; };
    const auto attractors = static_cast<Index>(graph.attractors.size());
    for (Index node = 0; node < land.count(); ++node) {
        auto share = graph.probability.row(point(node));
        auto error = graph.probability_error.row(point(node));
        share.tail(3) = found.probability().row(node).tail(3);
        error.tail(3) = found.probability_error().row(node).tail(3);
        for (Index to = 0; to < land.count(); ++to) {
            // Rest at a saddle is an edge, but not where the state stays.
            const auto place = column.find(point(to));
            if (place != column.end()) {
                share(place->second) = found.probability()(node, to);
                error(place->second) = found.probability_error()(node, to);
            } else {
                share(attractors + 2) += found.probability()(node, to);
            }
        }
        graph.spacing(point(node)) = land.spacing(node);
        graph.unexplained[static_cast<std::size_t>(point(node))] =
            found.unexplained()[static_cast<std::size_t>(node)];
    }
    for (Edge edge : found.edges()) {
        edge.from = point(edge.from);
        edge.to = point(edge.to);
        graph.edges.push_back(edge);
    }
    const RowMatrix& states = found.cycles().state;
    graph.cycle_state.conservativeResize(graph.cycle_state.rows() + states.rows(),
                                         land.state.cols());
    if (states.rows() > 0) graph.cycle_state.bottomRows(states.rows()) = states;
    graph.cycle_input.insert(graph.cycle_input.end(), static_cast<std::size_t>(states.rows()),
                             land.input_id);
}

} // namespace

Graph find_graph(const Dynamics& dynamics, const Points& points,
                 const std::vector<EigenSystem>& systems, const TopologyOptions& options,
                 const Execution& run) {
    check_options(options);
    const Phase phase(*run.monitor, "graph");
    const auto lands = landscapes(points, systems);
    Graph graph;
    std::map<Index, Index> column;
    for (const Landscape& land : lands)
        for (Index node = 0; node < land.count(); ++node)
            if (land.attracts(node))
                graph.attractors.push_back(land.point[static_cast<std::size_t>(node)]);
    std::sort(graph.attractors.begin(), graph.attractors.end());
    for (std::size_t a = 0; a < graph.attractors.size(); ++a)
        column[graph.attractors[a]] = static_cast<Index>(a);
    graph.probability.setZero(points.count(), static_cast<Index>(graph.attractors.size()) + 3);
    graph.probability_error = graph.probability;
    graph.spacing = Vector::Constant(points.count(), std::numeric_limits<double>::quiet_NaN());
    graph.unexplained.assign(static_cast<std::size_t>(points.count()), 0);
    graph.cycle_state.resize(0, points.state.cols());

    std::vector<std::unique_ptr<InputGraph>> parts(lands.size());
    each_input(lands, run, [&](std::size_t i, const Execution& inner) {
        parts[i] = std::make_unique<InputGraph>(dynamics, lands[i], systems, options, inner);
        parts[i]->find();
    });
    for (std::size_t i = 0; i < lands.size(); ++i) merge(graph, lands[i], *parts[i], column);
    std::sort(graph.edges.begin(), graph.edges.end(), [](const Edge& a, const Edge& b) {
        return std::make_pair(a.from, a.to) < std::make_pair(b.from, b.to);
    });
    judge_graph(graph, lands);
    return graph;
}

RowMatrix share_error(const RowMatrix& share, Index draws) {
    // Of the beta distribution that uniform prior and draws leave.
    const auto n = static_cast<double>(draws);
    const RowMatrix mean = (n * share.array() + 1) / (n + 2);
    return (mean.array() * (1 - mean.array()) / (n + 3)).sqrt();
}

RowMatrix kick_probability(const Dynamics& dynamics, const Points& points,
                           const std::vector<EigenSystem>& systems, const KickOptions& options,
                           const Execution& run) {
    if (options.kicks < 1) throw Error(concat("kicks ", options.kicks, ": must be >= 1"));
    const Phase phase(*run.monitor, "kicks");
    const auto lands = landscapes(points, systems);
    RowMatrix probability = RowMatrix::Zero(points.count(), points.count());
    each_input(lands, run, [&](std::size_t which, const Execution& inner) {
        const Landscape& land = lands[which];
        const RowMatrix states = kicked_states(land, options.kicks, options.scale, options.seed);
        Cycles cycles;
        const Flights flights = fly(dynamics, land, states, options.rules, cycles, inner);
        const RowMatrix apart = distances(flights.end, land.state);
        for (Index row = 0; row < flights.count(); ++row) {
            const Destination& to = flights.destination[static_cast<std::size_t>(row)];
            if (to.fate == Fate::cycle || to.fate == Fate::diverged) continue;
            Index place = to.place;
            if (to.fate != Fate::node) apart.row(row).minCoeff(&place);
            probability(land.point[static_cast<std::size_t>(row / options.kicks)],
                        land.point[static_cast<std::size_t>(place)]) += 1;
        }
    });
    return probability / static_cast<double>(options.kicks);
}

} // namespace assay::fixedpoints
