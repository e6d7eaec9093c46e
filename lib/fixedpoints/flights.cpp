#include <assay/fixedpoints/flights.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace assay::fixedpoints {
namespace {

constexpr Index kFlightBlock = 256;  // states that one thread follows together
constexpr Index kCheckEvery = 4;     // steps between two looks at the fates
constexpr Index kFirstWindow = 64;   // of time averages: [64, 128), [128, 256), ...
constexpr Index kDecisive = 256;     // windows from here on may tell a cycle
constexpr double kStationary = 0.02; // relative agreement of successive averages
constexpr double kSameCycle = 0.1;   // averages this near belong to one cycle
constexpr double kSpreadInArrivals = 10;
constexpr double kRest = 1e-13; // step relative to 1 + |h|: rounding

RowMatrix kept_rows(const RowMatrix& matrix, const std::vector<Index>& rows) {
    RowMatrix result(static_cast<Index>(rows.size()), matrix.cols());
    for (std::size_t i = 0; i < rows.size(); ++i)
        result.row(static_cast<Index>(i)) = matrix.row(rows[i]);
    return result;
}

// Time averages of each row over windows that double in length.
class Averages {
  public:
    Averages(Index rows, Index columns)
        : sum_(RowMatrix::Zero(rows, columns)), square_(sum_), mean_(sum_),
          spread_(RowMatrix::Constant(rows, 1, -1)) {}

    // After step `step` (from 1). True when a window of at least the decisive length has ended.
    bool add(Index step, const RowMatrix& state) {
        if (step < kFirstWindow) return false;
        if (step == begin_ + length_) {
            begin_ = step;
            length_ = step;
        }
        const double wave = std::sin(kPi * (static_cast<double>(step - begin_) + 0.5) /
                                     static_cast<double>(length_));
        const double weight = 2 * wave * wave / static_cast<double>(length_);
        sum_ += weight * state;
        square_ += weight * state.cwiseAbs2();
        return step + 1 == begin_ + length_;
    }

    // Ends a window: which rows recur, if it was long enough.
    std::vector<char> end_window(double least_spread) {
        std::vector<char> recurs(static_cast<std::size_t>(sum_.rows()), 0);
        for (Index i = 0; i < sum_.rows(); ++i) {
            const double spread =
                std::sqrt(std::max(0.0, square_.row(i).sum() - sum_.row(i).squaredNorm()));
            const double limit = kStationary * spread;
            recurs[static_cast<std::size_t>(i)] = length_ >= kDecisive && spread > least_spread &&
                                                  (sum_.row(i) - mean_.row(i)).norm() <= limit &&
                                                  std::abs(spread - spread_(i, 0)) <= limit;
            spread_(i, 0) = spread;
        }
        mean_ = sum_;
        sum_.setZero();
        square_.setZero();
        return recurs;
    }

    [[nodiscard]] auto mean(Index row) const { return mean_.row(row); }
    [[nodiscard]] double spread(Index row) const { return spread_(row, 0); }

    void keep(const std::vector<Index>& rows) {
        for (RowMatrix* part : {&sum_, &square_, &mean_, &spread_}) *part = kept_rows(*part, rows);
    }

  private:
    RowMatrix sum_, square_, mean_, spread_;
    Index begin_ = kFirstWindow, length_ = kFirstWindow;
};

// One block of flights, which writes its rows of the result.
class Formation {
  public:
    Formation(const Dynamics& dynamics, const Landscape& landscape, const FlightRules& rules,
              Flights& result, Index first, RowMatrix states)
        : dynamics_(dynamics), land_(landscape), rules_(rules), result_(result),
          state_(std::move(states)), averages_(state_.rows(), state_.cols()) {
        for (Index i = 0; i < state_.rows(); ++i) id_.push_back(first + i);
        for (Index node = 0; node < land_.count(); ++node)
            if (land_.attracts(node)) attractors_.push_back(node);
        attractor_states_ = kept_rows(land_.state, attractors_);
    }

    void fly() {
        for (Index step = 1; step <= rules_.max_steps && !id_.empty(); ++step) {
            const RowMatrix before = std::move(state_);
            state_ = dynamics_.step(land_.input, before);
            ended_.assign(id_.size(), 0);
            if (result_.closest.rows() > 0) note_approaches(step);
            if (averages_.add(step, state_)) find_cycles();
            if (step % kCheckEvery == 0 || step == rules_.max_steps) find_ends(before);
            if (std::find(ended_.begin(), ended_.end(), 1) != ended_.end()) release(step);
        }
        for (std::size_t i = 0; i < id_.size(); ++i) leave(i, rules_.max_steps);
    }

  private:
    void end(std::size_t i, Fate fate, Index place, double distance) {
        ended_[i] = 1;
        result_.destination[static_cast<std::size_t>(id_[i])] = {fate, place};
        result_.distance(id_[i]) = distance;
    }

    [[nodiscard]] double radius(Index node) const { return arrival_radius(land_, node, rules_); }

    void note_approaches(Index step) {
        const RowMatrix d = distances(state_, land_.state);
        for (Index i = 0; i < d.rows(); ++i) {
            const Index row = id_[static_cast<std::size_t>(i)];
            for (Index node = 0; node < d.cols(); ++node)
                if (d(i, node) < result_.closest(row, node)) {
                    result_.closest(row, node) = d(i, node);
                    result_.when[static_cast<std::size_t>(row * d.cols() + node)] = step;
                }
        }
    }

    void find_cycles() {
        const auto recurs = averages_.end_window(kSpreadInArrivals * rules_.arrival);
        for (std::size_t i = 0; i < recurs.size(); ++i) {
            if (!recurs[i]) continue;
            end(i, Fate::cycle, -1, std::numeric_limits<double>::quiet_NaN());
            result_.mean.row(id_[i]) = averages_.mean(static_cast<Index>(i));
            result_.spread(id_[i]) = averages_.spread(static_cast<Index>(i));
        }
    }

    void find_ends(const RowMatrix& before) {
        constexpr double kNowhere = std::numeric_limits<double>::quiet_NaN();
        const RowMatrix d = distances(state_, attractor_states_);
        for (std::size_t i = 0; i < id_.size(); ++i) {
            const auto row = state_.row(static_cast<Index>(i));
            const double norm = row.norm();
            if (!(norm <= kDivergedNorm)) {
                end(i, Fate::diverged, -1, kNowhere);
                continue;
            }
            Index nearest = 0;
            if (d.cols() > 0) {
                const double distance = d.row(static_cast<Index>(i)).minCoeff(&nearest);
                const Index node = attractors_[static_cast<std::size_t>(nearest)];
                if (distance <= radius(node)) {
                    end(i, Fate::node, node, distance);
                    continue;
                }
            }
            const double speed = (row - before.row(static_cast<Index>(i))).norm();
            if (speed <= kRest * (1 + norm)) rest(i);
        }
    }

    // At rest away from all attractors: at a saddle, or at a point that nobody knows.
    void rest(std::size_t i) {
        Index nearest = 0;
        const double distance = (land_.state.rowwise() - state_.row(static_cast<Index>(i)))
                                    .rowwise()
                                    .norm()
                                    .minCoeff(&nearest);
        if (distance <= radius(nearest))
            end(i, Fate::node, nearest, distance);
        else
            end(i, Fate::rest, -1, std::numeric_limits<double>::quiet_NaN());
    }

    void leave(std::size_t i, Index step) {
        result_.end.row(id_[i]) = state_.row(static_cast<Index>(i));
        result_.steps[static_cast<std::size_t>(id_[i])] = step;
    }

    void release(Index step) {
        std::vector<Index> rows, ids;
        for (std::size_t i = 0; i < id_.size(); ++i) {
            if (ended_[i]) {
                leave(i, step);
                continue;
            }
            rows.push_back(static_cast<Index>(i));
            ids.push_back(id_[i]);
        }
        state_ = kept_rows(state_, rows);
        averages_.keep(rows);
        id_ = std::move(ids);
    }

    const Dynamics& dynamics_;
    const Landscape& land_;
    const FlightRules& rules_;
    Flights& result_;
    RowMatrix state_, attractor_states_;
    Averages averages_;
    std::vector<Index> id_, attractors_;
    std::vector<char> ended_;
};

Index find_or_add(Cycles& cycles, const Flights& flights, Index row) {
    const double spread = flights.spread(row);
    for (Index k = 0; k < cycles.mean.rows(); ++k)
        if ((cycles.mean.row(k) - flights.mean.row(row)).norm() <= kSameCycle * spread &&
            std::abs(cycles.spread(k) - spread) <= kSameCycle * spread)
            return k;
    const Index count = cycles.mean.rows();
    cycles.mean.conservativeResize(count + 1, flights.mean.cols());
    cycles.state.conservativeResize(count + 1, flights.end.cols());
    cycles.spread.conservativeResize(count + 1);
    cycles.mean.row(count) = flights.mean.row(row);
    cycles.state.row(count) = flights.end.row(row);
    cycles.spread(count) = spread;
    return count;
}

Vector nearest_spacing(const RowMatrix& states) {
    Vector spacing = Vector::Ones(states.rows());
    if (states.rows() < 2) return spacing;
    for (Index i = 0; i < states.rows(); ++i) {
        Vector distance = (states.rowwise() - states.row(i)).rowwise().norm();
        distance(i) = std::numeric_limits<double>::infinity();
        spacing(i) = distance.minCoeff();
    }
    return spacing;
}

} // namespace

double arrival_radius(const Landscape& landscape, Index node, const FlightRules& rules) {
    const double near = std::min(rules.arrival, 0.1 * landscape.spacing(node));
    return rules.capture.size() > 0 ? std::max(near, rules.capture(node)) : near;
}

std::vector<Landscape> landscapes(const Points& points, const std::vector<EigenSystem>& systems) {
    if (static_cast<Index>(systems.size()) != points.count())
        throw Error(concat(systems.size(), " eigen-systems for ", points.count(), " points"));
    std::map<std::int32_t, std::vector<Index>> by_input;
    for (Index p = 0; p < points.count(); ++p)
        if (points.kind[static_cast<std::size_t>(p)] == PointKind::fixed)
            by_input[points.input_id[static_cast<std::size_t>(p)]].push_back(p);
    std::vector<Landscape> result;
    for (auto& [id, rows] : by_input) {
        Landscape land;
        land.input_id = id;
        land.input = points.input.row(rows.front());
        land.state = kept_rows(points.state, rows);
        for (const Index p : rows)
            land.unstable.push_back(count_unstable(systems[static_cast<std::size_t>(p)].values));
        land.spacing = nearest_spacing(land.state);
        land.point = std::move(rows);
        result.push_back(std::move(land));
    }
    return result;
}

RowMatrix distances(const RowMatrix& states, const RowMatrix& nodes) {
    RowMatrix d = -2 * states * nodes.transpose();
    const Vector state_norms = states.rowwise().squaredNorm();
    const Eigen::RowVectorXd node_norms = nodes.rowwise().squaredNorm().transpose();
    // Differences of large squares lose small distances: those are computed as they stand.
    constexpr double kCancelled = 1e-6;
    for (Index i = 0; i < d.rows(); ++i)
        for (Index k = 0; k < d.cols(); ++k) {
            const double scale = state_norms(i) + node_norms(k), square = d(i, k) + scale;
            d(i, k) = square > kCancelled * scale ? std::sqrt(square)
                                                  : (states.row(i) - nodes.row(k)).norm();
        }
    return d;
}

Flights fly(const Dynamics& dynamics, const Landscape& landscape, const RowMatrix& starts,
            const FlightRules& rules, Cycles& cycles, const Execution& run, bool approaches) {
    const Index count = starts.rows();
    Flights result;
    result.destination.resize(static_cast<std::size_t>(count));
    result.end = starts;
    result.steps.assign(static_cast<std::size_t>(count), 0);
    result.distance = Vector::Constant(count, std::numeric_limits<double>::quiet_NaN());
    result.mean.setZero(count, starts.cols());
    result.spread = Vector::Zero(count);
    if (approaches) {
        result.closest = distances(starts, landscape.state);
        result.when.assign(static_cast<std::size_t>(count * landscape.count()), 0);
    }
    const Blocks blocks{count, kFlightBlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        const Index first = blocks.begin(block);
        Formation(dynamics, landscape, rules, result, first,
                  starts.middleRows(first, blocks.extent(block)))
            .fly();
    });
    // In the order of the flights, so that numbers of cycles do not depend on threads.
    for (Index i = 0; i < count; ++i) {
        Destination& to = result.destination[static_cast<std::size_t>(i)];
        if (to.fate == Fate::cycle) to.place = find_or_add(cycles, result, i);
    }
    return result;
}

} // namespace assay::fixedpoints
