#include <assay/fixedpoints/topology.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/connections.hpp>
#include <assay/fixedpoints/cycle_starts.hpp>
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

// The graph of one input, in numbers of its landscape.
class InputGraph {
  public:
    InputGraph(const Dynamics& dynamics, const Landscape& landscape,
               const std::vector<EigenSystem>& systems, const TopologyOptions& options,
               const Execution& run)
        : land_(landscape), systems_(systems),
          options_(options), rules_{options.arrival, options.max_steps}, around_{dynamics, land_,
                                                                                 rules_, cycles_,
                                                                                 run} {
        for (Index node = 0; node < land_.count(); ++node)
            launches_.push_back(launch_from_ellipsoid(land_.state.row(node), system(node),
                                                      options.epsilon, land_.spacing(node)));
        probability_.setZero(land_.count(), land_.count() + 3);
        unexplained_.assign(static_cast<std::size_t>(land_.count()), 0);
    }

    void find() {
        sample_few();
        for (Index node = 0; node < land_.count(); ++node)
            if (dimensions(node) >= 3) sample_many(node);
        bisect(around_, brackets_, options_.bisections, &launches_);
        around_.run.monitor->stop_if_interrupted();
        const Approaches approaches = follow_border(around_, brackets_);
        for (Index k = 0; k < brackets_.count(); ++k) read_border(approaches, k);
        shoot_saddles();
    }

    [[nodiscard]] const Cycles& cycles() const { return cycles_; }
    [[nodiscard]] const RowMatrix& probability() const { return probability_; }
    [[nodiscard]] const std::vector<std::int32_t>& unexplained() const { return unexplained_; }
    [[nodiscard]] std::vector<Edge> edges() const {
        std::vector<Edge> result;
        for (const auto& [ends, edge] : edges_) result.push_back(edge);
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

    void add_edge(Index from, Index to, double distance) {
        if (from == to) return;
        const Edge edge{from, to,
                        land_.attracts(to) ? EdgeKind::to_attractor : EdgeKind::heteroclinic,
                        distance};
        const auto [known, added] = edges_.try_emplace({from, to}, edge);
        if (!added && distance < known->second.distance) known->second = edge;
    }

    void add_edges(Index node, const Flights& flights, Index first, Index count) {
        for (Index i = first; i < first + count; ++i) {
            const Destination& to = flights.destination[static_cast<std::size_t>(i)];
            if (to.fate == Fate::node) add_edge(node, to.place, flights.distance(i));
        }
    }

    // Counts `count` flights of a node from row `first` on, as fractions of all its starts.
    void count_fates(Index node, const Flights& flights, Index first, Index count) {
        for (Index i = first; i < first + count; ++i) {
            const Destination& to = flights.destination[static_cast<std::size_t>(i)];
            const Index nodes = land_.count();
            Index column = nodes + 2;
            if (to.fate == Fate::node && to.place != node) column = to.place;
            if (to.fate == Fate::cycle) column = nodes;
            if (to.fate == Fate::diverged) column = nodes + 1;
            probability_(node, column) += 1;
        }
        probability_.row(node) /= static_cast<double>(count);
        add_edges(node, flights, first, count);
    }

    void add_bracket(Index node, const Flights& flights, const RowMatrix& states, Index i,
                     Index j) {
        const Destination& a = flights.destination[static_cast<std::size_t>(i)];
        const Destination& b = flights.destination[static_cast<std::size_t>(j)];
        if (a == b || a.fate == Fate::none || b.fate == Fate::none) return;
        const Index row = brackets_.count();
        brackets_.a.conservativeResize(row + 1, states.cols());
        brackets_.b.conservativeResize(row + 1, states.cols());
        brackets_.a.row(row) = states.row(i);
        brackets_.b.row(row) = states.row(j);
        brackets_.source.push_back(node);
        brackets_.to_a.push_back(a);
        brackets_.to_b.push_back(b);
    }

    // Attractors, and all nodes with one or two unstable dimensions in one batch: for each node the
    // starts on a sphere, whose fates are counted, then those on an ellipsoid, between which
    // borders are looked for.
    void sample_few() {
        struct Rows {
            Index node, sphere, ellipsoid, end;
        };
        std::vector<Rows> nodes;
        RowMatrix states(0, land_.state.cols());
        const auto append = [&](const RowMatrix& rows) {
            const Index first = states.rows();
            states.conservativeResize(first + rows.rows(), states.cols());
            states.bottomRows(rows.rows()) = rows;
            return first;
        };
        for (Index node = 0; node < land_.count(); ++node) {
            if (land_.attracts(node)) probability_(node, node) = 1;
            if (dimensions(node) != 1 && dimensions(node) != 2) continue;
            const Matrix u = dimensions(node) == 1 ? axis_directions(launch(node))
                                                   : circle_directions(options_.angles);
            Rows rows{node, append(sphere(node).states(u)), states.rows(), states.rows()};
            if (dimensions(node) == 2) append(launch(node).states(u));
            rows.end = states.rows();
            nodes.push_back(rows);
        }
        const Flights flights = fly(around_.dynamics, land_, states, rules_, cycles_, around_.run);
        for (const Rows& rows : nodes) {
            count_fates(rows.node, flights, rows.sphere, rows.ellipsoid - rows.sphere);
            const Index count = rows.end - rows.ellipsoid;
            add_edges(rows.node, flights, rows.ellipsoid, count);
            for (Index i = 0; i < count; ++i)
                add_bracket(rows.node, flights, states, rows.ellipsoid + i,
                            rows.ellipsoid + (i + 1) % count);
        }
    }

    [[nodiscard]] Launch sphere(Index node) const {
        return launch_from_sphere(land_.state.row(node), system(node), options_.epsilon);
    }

    // A node with three or more unstable dimensions.
    void sample_many(Index node) {
        around_.run.monitor->stop_if_interrupted();
        const Index point = land_.point[static_cast<std::size_t>(node)];
        const Matrix random =
            random_directions(dimensions(node), options_.directions, options_.seed, point);
        count_fates(
            node,
            fly(around_.dynamics, land_, sphere(node).states(random), rules_, cycles_, around_.run),
            0, random.cols());
        const Matrix along = axis_directions(launch(node));
        Matrix u(random.rows(), random.cols() + along.cols());
        u << random, along;
        const RowMatrix states = launch(node).states(u);
        const Flights flights =
            fly(around_.dynamics, land_, states, rules_, cycles_, around_.run, true);
        add_edges(node, flights, 0, u.cols());
        for (Index i = 0; i < u.cols(); ++i)
            note_guess(node, u.col(i), flights.closest.row(i), flights.when, i);
        choose_pairs(node, flights, states);
    }

    void choose_pairs(Index node, const Flights& flights, const RowMatrix& states) {
        const Random random(options_.seed, "fixedpoints/topology/pair");
        const auto point = static_cast<std::uint64_t>(land_.point[static_cast<std::size_t>(node)]);
        const auto draws = static_cast<std::uint64_t>(options_.directions);
        const Index known = brackets_.count();
        // Where few directions differ, most pairs are drawn in vain.
        constexpr Index kAttempts = 16;
        for (Index n = 0; n < kAttempts * options_.pairs; ++n) {
            if (brackets_.count() - known == options_.pairs) return;
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
    // else the relatively nearest of all.
    void read_border(const Approaches& approaches, Index k) {
        const Index source = brackets_.source[static_cast<std::size_t>(k)];
        const auto nearest = [&](bool simple) {
            Index best = -1;
            double least = options_.edge_distance;
            for (Index node = 0; node < land_.count(); ++node) {
                if (node == source || land_.attracts(node)) continue;
                if (simple && dimensions(node) != 1) continue;
                const double relative = approaches.distance(k, node) / land_.spacing(node);
                if (!(relative < least)) continue;
                best = node;
                least = relative;
            }
            return best;
        };
        Index saddle = nearest(true);
        if (saddle < 0) saddle = nearest(false);
        if (saddle < 0)
            ++unexplained_[static_cast<std::size_t>(source)];
        else
            add_edge(source, saddle, approaches.distance(k, saddle));
        note_guess(source, launch(source).direction(brackets_.a.row(k)),
                   approaches.first_distance.row(k), approaches.first_when, k);
    }

    void shoot_saddles() {
        std::vector<std::array<Index, 2>> ends;
        for (const auto& [pair, shots] : guesses_) ends.push_back(pair);
        std::vector<double> distance(ends.size());
        parallel_blocks(static_cast<Index>(ends.size()), around_.run.threads, [&](Index i) {
            const auto n = static_cast<std::size_t>(i);
            distance[n] = nearest_shot(ends[n][0], ends[n][1], guesses_.at(ends[n]));
        });
        for (std::size_t n = 0; n < ends.size(); ++n)
            if (distance[n] < options_.edge_distance * land_.spacing(ends[n][1]))
                add_edge(ends[n][0], ends[n][1], distance[n]);
    }

    [[nodiscard]] double nearest_shot(Index source, Index saddle,
                                      const std::vector<Shot>& guesses) const {
        // In spacings: a shot this near needs no other guess, nor to be aimed again.
        constexpr double kHit = 1e-4, kReached = 1e-3;
        const double spacing = land_.spacing(saddle);
        ShootingTask task;
        task.source = launch(source);
        task.saddle = land_.state.row(saddle);
        task.saddle_left = unstable_left_basis(system(saddle));
        Shot best;
        best.distance = std::numeric_limits<double>::infinity();
        for (const Shot& guess : guesses) {
            Shot shot = shoot(around_.dynamics, land_.input, task, guess);
            if (shot.distance < best.distance) best = std::move(shot);
            if (best.distance < kHit * spacing) return best.distance;
        }
        const double growth = system(saddle).values.cwiseAbs().maxCoeff();
        return aim_again(around_.dynamics, land_.input, task, best, growth, kReached * spacing);
    }

    const Landscape& land_;
    const std::vector<EigenSystem>& systems_;
    const TopologyOptions& options_;
    FlightRules rules_;
    Cycles cycles_;
    Surroundings around_;
    std::vector<Launch> launches_;
    RowMatrix probability_;
    std::vector<std::int32_t> unexplained_;
    Brackets brackets_;
    Guesses guesses_;
    std::map<std::array<Index, 2>, Edge> edges_;
};

void check(const TopologyOptions& options) {
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
        auto row = graph.probability.row(point(node));
        row.tail(3) = found.probability().row(node).tail(3);
        for (Index to = 0; to < land.count(); ++to) {
            const auto place = column.find(point(to));
            // Rest at a saddle is an edge, but not where the state stays.
            row(place == column.end() ? attractors + 2 : place->second) +=
                found.probability()(node, to);
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
    check(options);
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
    return graph;
}

RowMatrix kick_probability(const Dynamics& dynamics, const Points& points,
                           const std::vector<EigenSystem>& systems, const KickOptions& options,
                           const Execution& run) {
    if (options.kicks < 1) throw Error(concat("kicks ", options.kicks, ": must be >= 1"));
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

Chain chain_graph(const Points& points) {
    std::map<std::int32_t, std::vector<Index>> by_input;
    for (Index p = 0; p < points.count(); ++p)
        by_input[points.input_id[static_cast<std::size_t>(p)]].push_back(p);
    const auto distance = [&](Index p, Index r) {
        return (points.state.row(p) - points.state.row(r)).norm();
    };
    const auto nearest = [&](Index p, const std::vector<Index>& rows) {
        return *std::min_element(rows.begin(), rows.end(),
                                 [&](Index a, Index b) { return distance(p, a) < distance(p, b); });
    };
    std::map<std::array<Index, 2>, double> edges;
    bool single = !by_input.empty();
    for (auto here = by_input.begin(); here != by_input.end(); ++here) {
        single = single && here->second.size() == 1;
        const auto next = std::next(here);
        if (next == by_input.end()) break;
        for (const Index p : here->second) {
            const Index r = nearest(p, next->second);
            edges[{p, r}] = distance(p, r);
        }
        for (const Index r : next->second) {
            const Index p = nearest(r, here->second);
            edges[{p, r}] = distance(p, r);
        }
    }
    Chain chain;
    chain.simple = single;
    for (const auto& [ends, length] : edges) {
        chain.edges.push_back(ends);
        chain.distance.push_back(length);
    }
    return chain;
}

Matrix adjacency(const Graph& graph) {
    constexpr double kLeast = 1e-9; // an edge stays an edge
    const Index points = graph.probability.rows();
    Matrix weights = Matrix::Zero(points, points);
    for (const Edge& edge : graph.edges) {
        double weight = 1;
        if (edge.kind == EdgeKind::to_attractor) {
            const auto at = std::find(graph.attractors.begin(), graph.attractors.end(), edge.to);
            if (at == graph.attractors.end())
                throw Error(concat("an edge leads to the attractor ", edge.to, ", which is none"));
            weight = std::max(
                kLeast,
                graph.probability(edge.from, static_cast<Index>(at - graph.attractors.begin())));
        }
        weights(edge.from, edge.to) = std::max(weights(edge.from, edge.to), weight);
    }
    return weights;
}

Matrix adjacency(const Chain& chain, Index points) {
    Matrix weights = Matrix::Zero(points, points);
    for (const auto& edge : chain.edges) weights(edge[0], edge[1]) = 1;
    return weights;
}

} // namespace assay::fixedpoints
