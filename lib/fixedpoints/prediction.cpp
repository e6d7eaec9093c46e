#include <assay/fixedpoints/prediction.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr Index kStateBlock = 256; // rows of one product of distances
constexpr Index kGroupBlock = 512; // rows of one product with a Jacobian
constexpr Index kSlab = 65536;     // states predicted together

// Rows that share a point.
struct RowGroup {
    Index point;
    std::vector<Index> rows;
};

// By point, rows rising, at most kGroupBlock rows each.
std::vector<RowGroup> group_rows(const std::vector<Index>& around, Index points) {
    std::vector<std::vector<Index>> rows(static_cast<std::size_t>(points));
    for (std::size_t i = 0; i < around.size(); ++i)
        rows[static_cast<std::size_t>(around[i])].push_back(static_cast<Index>(i));
    std::vector<RowGroup> groups;
    for (Index p = 0; p < points; ++p) {
        const auto& all = rows[static_cast<std::size_t>(p)];
        const Blocks blocks{static_cast<Index>(all.size()), kGroupBlock};
        for (Index b = 0; b < blocks.count(); ++b) {
            const auto first = all.begin() + blocks.begin(b);
            groups.push_back({p, {first, first + blocks.extent(b)}});
        }
    }
    return groups;
}

double relative_error(double distance, double size) {
    if (size > 0) return distance / size;
    return distance > 0 ? std::numeric_limits<double>::infinity() : distance;
}

Index length_of(const Trajectories& trajectories, Index trial) {
    return trajectories.lengths[static_cast<std::size_t>(trial)];
}

// A state of the network before step t of a trial.
template <class Row>
void copy_state_before(const Trajectories& trajectories, const RowMatrix& initial, Index trial,
                       Index t, Row row) {
    if (t == 0)
        row = initial;
    else
        row = trajectories.states.row(trajectories.row(trial, t - 1));
}

// Predicts the states `first` ... `first + count - 1` of prediction.trial and .time.
void predict_slab(const LocalLinear& linear, const Trajectories& trajectories,
                  const RowMatrix& initial, Index steps, Index first, Index count,
                  Prediction& prediction) {
    const auto at = [&](Index i) { return static_cast<std::size_t>(first + i); };
    RowMatrix h(count, trajectories.states.cols()), x(count, trajectories.inputs.cols());
    for (Index i = 0; i < count; ++i)
        copy_state_before(trajectories, initial, prediction.trial[at(i)],
                          prediction.time[at(i)] - steps + 1, h.row(i));
    for (Index k = 0; k < steps; ++k) {
        for (Index i = 0; i < count; ++i)
            x.row(i) = trajectories.inputs.row(
                trajectories.row(prediction.trial[at(i)], prediction.time[at(i)] - steps + 1 + k));
        const auto nearest = linear.nearest(h);
        if (k == 0) prediction.point.insert(prediction.point.end(), nearest.begin(), nearest.end());
        h = linear.step(x, h, nearest);
    }
    for (Index i = 0; i < count; ++i) {
        const auto full = trajectories.states.row(
            trajectories.row(prediction.trial[at(i)], prediction.time[at(i)]));
        prediction.error(first + i) = relative_error((full - h.row(i)).norm(), full.norm());
        if (first + i >= prediction.shown.rows()) continue;
        prediction.shown.row(first + i) = h.row(i);
        prediction.shown_states.row(first + i) = full;
    }
}

} // namespace

LocalLinear::LocalLinear(const Dynamics& dynamics, const Points& points, LinearCenter center,
                         const Execution& run, double memory)
    : dynamics_(dynamics), run_(run), states_(points.state), inputs_(points.input) {
    if (points.count() == 0) throw Error("no points to linearise around");
    if (states_.cols() != dynamics.state_size() || inputs_.cols() != dynamics.inputs() ||
        inputs_.rows() != states_.rows())
        throw Error(concat("points of ", states_.rows(), " x ", states_.cols(), " with inputs of ",
                           inputs_.rows(), " x ", inputs_.cols(), ", the network has a state of ",
                           dynamics.state_size(), " and ", dynamics.inputs(), " inputs"));
    centers_ = center == LinearCenter::image ? dynamics.step(inputs_, states_) : states_;
    mean_ = states_.colwise().mean();
    shifted_ = states_.rowwise() - mean_;
    half_squares_ = 0.5 * shifted_.rowwise().squaredNorm();
    const double bytes = 8.0 * static_cast<double>(states_.rows()) *
                         static_cast<double>(states_.cols()) *
                         static_cast<double>(states_.cols() + inputs_.cols());
    if (bytes > memory) return;
    std::vector<Map> maps(static_cast<std::size_t>(count()));
    parallel_blocks(count(), run.threads,
                    [&](Index p) { maps[static_cast<std::size_t>(p)] = linearised(p); });
    maps_ = std::move(maps);
}

LocalLinear::Map LocalLinear::linearised(Index point) const {
    const RowMatrix x = inputs_.row(point), h = states_.row(point);
    return {dynamics_.jacobian_state(x, h), dynamics_.jacobian_input(x, h)};
}

std::vector<Index> LocalLinear::nearest(const RowMatrix& states) const {
    std::vector<Index> found(static_cast<std::size_t>(states.rows()));
    const Blocks blocks{states.rows(), kStateBlock};
    parallel_blocks(blocks.count(), run_.threads, [&](Index block) {
        const Index first = blocks.begin(block), count = blocks.extent(block);
        const RowMatrix centred = states.middleRows(first, count).rowwise() - mean_;
        // |h - p|^2 / 2 without the part that all points share.
        RowMatrix distance = -centred * shifted_.transpose();
        distance.rowwise() += half_squares_.transpose();
        for (Index i = 0; i < count; ++i) {
            Index best = 0;
            for (Index p = 1; p < distance.cols(); ++p)
                if (distance(i, p) < distance(i, best)) best = p;
            found[static_cast<std::size_t>(first + i)] = best;
        }
    });
    return found;
}

RowMatrix LocalLinear::step(const RowMatrix& x, const RowMatrix& h,
                            const std::vector<Index>& around) const {
    const auto groups = group_rows(around, count());
    RowMatrix next(h.rows(), h.cols());
    parallel_blocks(static_cast<Index>(groups.size()), run_.threads, [&](Index g) {
        const RowGroup& group = groups[static_cast<std::size_t>(g)];
        const auto size = static_cast<Index>(group.rows.size());
        const Map made = maps_.empty() ? linearised(group.point) : Map();
        const Map& map = maps_.empty() ? made : maps_[static_cast<std::size_t>(group.point)];
        RowMatrix dh(size, h.cols()), dx(size, x.cols());
        for (Index i = 0; i < size; ++i) {
            const Index row = group.rows[static_cast<std::size_t>(i)];
            dh.row(i) = h.row(row) - states_.row(group.point);
            dx.row(i) = x.row(row) - inputs_.row(group.point);
        }
        RowMatrix moved = dh * map.state.transpose();
        moved.noalias() += dx * map.input.transpose();
        for (Index i = 0; i < size; ++i)
            next.row(group.rows[static_cast<std::size_t>(i)]) =
                centers_.row(group.point) + moved.row(i);
    });
    return next;
}

Prediction predict(const Dynamics& dynamics, const LocalLinear& linear,
                   const Trajectories& trajectories, const PredictionOptions& options,
                   const Execution& run) {
    if (options.steps < 1) throw Error(concat("--steps ", options.steps, ": must be >= 1"));
    const Phase phase(*run.monitor, "predictions");
    Prediction prediction;
    for (Index b = 0; b < trajectories.trials; ++b)
        for (Index t = options.steps - 1; t < length_of(trajectories, b); ++t) {
            prediction.trial.push_back(b);
            prediction.time.push_back(t);
        }
    const auto count = static_cast<Index>(prediction.trial.size());
    prediction.error.resize(count);
    const auto shown =
        std::lower_bound(prediction.trial.begin(), prediction.trial.end(), options.shown) -
        prediction.trial.begin();
    prediction.shown.resize(shown, trajectories.states.cols());
    prediction.shown_states.resize(shown, trajectories.states.cols());
    const RowMatrix initial = dynamics.initial_state();
    const Blocks slabs{count, kSlab};
    for (Index slab = 0; slab < slabs.count(); ++slab) {
        run.monitor->stop_if_interrupted();
        predict_slab(linear, trajectories, initial, options.steps, slabs.begin(slab),
                     slabs.extent(slab), prediction);
    }
    prediction.levels = options.levels;
    prediction.quantiles = quantiles(prediction.error, options.levels);
    prediction.histogram = histogram({prediction.error}, options.bins);
    return prediction;
}

ClosedLoop closed_loop(const Dynamics& dynamics, const LocalLinear& linear,
                       const Trajectories& trajectories) {
    ClosedLoop loop;
    loop.end_states = dynamics.initial_state().replicate(trajectories.trials, 1);
    loop.error.setConstant(trajectories.trials, trajectories.steps,
                           std::numeric_limits<double>::quiet_NaN());
    for (Index t = 0; t < trajectories.steps; ++t) {
        std::vector<Index> running; // trials that have such a step
        for (Index b = 0; b < trajectories.trials; ++b)
            if (t < length_of(trajectories, b)) running.push_back(b);
        const auto count = static_cast<Index>(running.size());
        RowMatrix h(count, loop.end_states.cols()), x(count, trajectories.inputs.cols());
        for (Index i = 0; i < count; ++i) {
            const Index b = running[static_cast<std::size_t>(i)];
            h.row(i) = loop.end_states.row(b);
            x.row(i) = trajectories.inputs.row(trajectories.row(b, t));
        }
        h = linear.step(x, h, linear.nearest(h));
        for (Index i = 0; i < count; ++i) {
            const Index b = running[static_cast<std::size_t>(i)];
            const auto full = trajectories.states.row(trajectories.row(b, t));
            loop.error(b, t) = relative_error((full - h.row(i)).norm(), full.norm());
            loop.end_states.row(b) = h.row(i);
        }
    }
    return loop;
}

RowMatrix closed_loop_quantiles(const ClosedLoop& loop, const Vector& levels) {
    RowMatrix found(loop.error.cols(), levels.size());
    for (Index t = 0; t < loop.error.cols(); ++t) {
        std::vector<double> valid;
        for (Index b = 0; b < loop.error.rows(); ++b)
            if (!std::isnan(loop.error(b, t))) valid.push_back(loop.error(b, t));
        const Vector errors =
            Eigen::Map<const Vector>(valid.data(), static_cast<Index>(valid.size()));
        found.row(t) = quantiles(errors, levels).transpose();
    }
    return found;
}

std::vector<std::int32_t> decide(const RowMatrix& outputs, double threshold) {
    std::vector<std::int32_t> decisions;
    for (Index b = 0; b < outputs.rows(); ++b) {
        Index best = 0;
        if (outputs.cols() > 1)
            outputs.row(b).maxCoeff(&best);
        else
            best = outputs(b, 0) > threshold ? 1 : 0;
        decisions.push_back(outputs.row(b).allFinite() ? static_cast<std::int32_t>(best) : -1);
    }
    return decisions;
}

double agreement(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
    if (a.empty() || a.size() != b.size())
        throw Error(concat(a.size(), " decisions against ", b.size()));
    Index equal = 0;
    for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
    return static_cast<double>(equal) / static_cast<double>(a.size());
}

RowMatrix end_states(const Dynamics& dynamics, const Trajectories& trajectories) {
    const RowMatrix initial = dynamics.initial_state();
    RowMatrix end(trajectories.trials, dynamics.state_size());
    for (Index b = 0; b < trajectories.trials; ++b)
        copy_state_before(trajectories, initial, b, length_of(trajectories, b), end.row(b));
    return end;
}

double decision_threshold(const network::Model& model) {
    const auto architecture = nlohmann::json::parse(model.architecture);
    const auto& layers = architecture.at("layers");
    auto last = architecture.value("output", nlohmann::json());
    if (last.is_array() && !last.empty()) last = nlohmann::json(last.front());
    if (!last.is_string()) last = layers.back().at("name");
    for (const auto& layer : layers) {
        if (layer.at("name") != last || layer.at("type") != "activation") continue;
        const std::string function = layer.value("function", "");
        if (function == "sigmoid" || function == "hard_sigmoid") return 0.5;
    }
    return 0;
}

Decisions compare_decisions(const Dynamics& dynamics, const Trajectories& trajectories,
                            const RowMatrix& linear_end_states,
                            const std::vector<std::int32_t>& labels, double threshold) {
    const Index trials = trajectories.trials;
    if (linear_end_states.rows() != trials)
        throw Error(concat(linear_end_states.rows(), " end states for ", trials, " trials"));
    const auto full = decide(dynamics.readout(end_states(dynamics, trajectories)), threshold);
    const auto linear = decide(dynamics.readout(linear_end_states), threshold);
    return {agreement(full, labels), agreement(linear, labels), agreement(full, linear)};
}

} // namespace assay::fixedpoints
