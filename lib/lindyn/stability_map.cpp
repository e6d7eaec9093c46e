#include <assay/lindyn/stability_map.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace assay::lindyn {
namespace {

constexpr double kFar = 10;     // times its end or start that |B| stays within
constexpr double kNudge = 1e-3; // of a chain's weights away from its solution
constexpr double kGone = 1e6;   // errors beyond which a chain has left
constexpr Index kDeepest = 10000;

struct MapPoint {
    StabilitySettings alignment;
    std::optional<double> learning_rate;
    Index depth = 2;
};

Index counted(const std::string& name, double value, Index most) {
    const double rounded = std::round(value);
    if (!(rounded >= 1 && rounded <= static_cast<double>(most)))
        throw Error(concat("sweep of ", name, ": ", value, "; whole numbers from 1 to ", most,
                           " are expected"));
    return static_cast<Index>(rounded);
}

void set_value(const std::string& name, double value, MapPoint& point) {
    AlignmentSettings& a = point.alignment.alignment;
    if (name == "eta")
        a.rate = value;
    else if (name == "decay")
        a.coefficients.decay = value;
    else if (name == "amp")
        a.coefficients.amp = value;
    else if (name == "null")
        a.coefficients.null = value;
    else if (name == "sparse")
        a.coefficients.sparse = value;
    else if (name == "self")
        a.coefficients.self = value;
    else if (name == "stddev")
        a.stddev = value;
    else if (name == "batch")
        a.batch = counted(name, value, 1000000);
    else if (name == "learning-rate")
        point.learning_rate = value;
    else if (name == "depth")
        point.depth = counted(name, value, kDeepest);
    else
        throw Error("sweep of '" + printable(name, 40) + "'; " + join(stability_map_names(), ", ") +
                    " are known");
}

MapPoint point_at(const StabilityMapSettings& s, Index row, Index column) {
    MapPoint point{s.base, s.learning_rate, s.depth};
    set_value(s.axes[0].name, s.axes[0].values(row), point);
    set_value(s.axes[1].name, s.axes[1].values(column), point);
    AlignmentSettings& a = point.alignment.alignment;
    if (a.rule == AlignmentRule::kp && point.learning_rate) a.rate = *point.learning_rate;
    check_alignment(a);
    if (point.learning_rate && !(*point.learning_rate >= 0))
        throw Error(
            concat("learning rate ", *point.learning_rate, "; a number of 0 or more is expected"));
    return point;
}

double alignment_limit(const LayerStability& layer) {
    return std::isnan(layer.eta_critical_mean_square)
               ? layer.eta_critical
               : std::min(layer.eta_critical, layer.eta_critical_mean_square);
}

// Whether drawn run `repeat` of the alignment stays.
bool alignment_stays(const StabilityMapSettings& s, const MapPoint& point,
                     const LayerStability& end, Index repeat) {
    const StabilitySettings& a = point.alignment;
    const AlignmentTrace trace =
        simulate_alignment(s.layer.feedback, a.alignment, a.options,
                           {a.seed, 0, repeat, a.steps, a.start_ratio, nullptr});
    const double last = trace.norm_ratio(trace.norm_ratio.size() - 1);
    const double usual = std::isfinite(end.norm_ratio) ? end.norm_ratio : 0;
    return last <= kFar * std::max({usual, a.start_ratio, 1.0});
}

// Whether a chain of scalar layers, all weights near 1 and feedback `gain`, stays near its target 1
// under steps of the pseudo-gradient.
bool chain_stays(double gain, const MapPoint& point, double momentum, Index repeat) {
    const Random random(point.alignment.seed, "lindyn/stability/chain");
    Vector weight(point.depth), velocity = Vector::Zero(point.depth), before(point.depth);
    for (Index l = 0; l < point.depth; ++l)
        weight(l) = 1 + kNudge * random.normal(static_cast<std::uint64_t>(l),
                                               {static_cast<std::uint64_t>(repeat), 0, 0});
    const double first = std::abs(1 - weight.prod());
    double error = first;
    for (Index step = 0; step < point.alignment.steps && std::abs(error) < kGone; ++step) {
        error = 1 - weight.prod();
        double below = 1; // the layer's input
        for (Index l = 0; l < point.depth; ++l) {
            before(l) = below;
            below *= weight(l);
        }
        double back = error;
        for (Index l = point.depth - 1; l >= 0; --l, back *= gain)
            velocity(l) = momentum * velocity(l) + back * before(l);
        weight += *point.learning_rate * velocity;
    }
    return std::abs(1 - weight.prod()) <= first;
}

double share_that_stays(const StabilityMapSettings& s, const MapPoint& point,
                        const LayerStability& end, double gain) {
    Index stayed = 0;
    for (Index r = 0; r < s.base.repeats; ++r)
        stayed += alignment_stays(s, point, end, r) &&
                          (!point.learning_rate || chain_stays(gain, point, s.momentum, r))
                      ? 1
                      : 0;
    return static_cast<double>(stayed) / static_cast<double>(s.base.repeats);
}

// Settings that change something for a rule.
std::vector<std::string> used_names(AlignmentRule rule) {
    std::vector<std::string> names{"learning-rate", "depth"};
    const auto add = [&](std::initializer_list<const char*> more) {
        names.insert(names.end(), more.begin(), more.end());
    };
    switch (rule) {
    case AlignmentRule::wm:
        add({"eta", "amp", "decay", "stddev", "batch"});
        break;
    case AlignmentRule::ia:
        add({"eta", "amp", "decay", "null", "stddev", "batch"});
        break;
    case AlignmentRule::sa:
        add({"eta", "self", "decay"});
        break;
    case AlignmentRule::aa:
        add({"eta", "amp", "sparse", "stddev", "batch"});
        break;
    case AlignmentRule::kp: // aligns at the task's learning rate
        add({"decay"});
        break;
    case AlignmentRule::fa:
        break;
    }
    return names;
}

void check_map(const StabilityMapSettings& s) {
    if (s.layer.feedback.projection->positions() != 1 || s.base.engaged)
        throw Error("a map is of a dense layer on noise");
    if (s.base.alignment.rule == AlignmentRule::fa)
        throw Error("rule fa aligns nothing; a map is of another");
    const auto swept = [&](const char* name) {
        return s.axes[0].name == name || s.axes[1].name == name;
    };
    for (const SweepAxis& axis : s.axes) {
        const auto used = used_names(s.base.alignment.rule);
        if (std::count(used.begin(), used.end(), axis.name) == 0)
            throw Error(concat("sweep of ", axis.name, ": rule ", rule_name(s.base.alignment.rule),
                               " has ", join(used, ", ")));
        bool rises = axis.values.size() > 1;
        for (Index i = 0; i + 1 < axis.values.size(); ++i)
            rises = rises && axis.values(i) < axis.values(i + 1);
        if (!rises)
            throw Error(concat("sweep of ", axis.name, ": ", axis.values.size(),
                               " values; two or more that rise are expected"));
    }
    if (swept("depth") && !s.learning_rate && !swept("learning-rate"))
        throw Error("a depth is of the task, whose learning rate is not given");
    // Mistakes of any point, before the first is worked on.
    for (Index i = 0; i < s.axes[0].values.size(); ++i)
        for (Index j = 0; j < s.axes[1].values.size(); ++j) static_cast<void>(point_at(s, i, j));
}

} // namespace

const std::vector<std::string>& stability_map_names() {
    static const std::vector<std::string> names{"eta",    "decay",        "amp",    "null",
                                                "sparse", "self",         "stddev", "batch",
                                                "depth",  "learning-rate"};
    return names;
}

StabilityMap map_stability(const StabilityMapSettings& s, const Execution& run) {
    check_map(s);
    const Phase phase(*run.monitor, "map");
    const Index rows = s.axes[0].values.size(), columns = s.axes[1].values.size();
    StabilityMap map;
    for (Matrix* m :
         {&map.margin, &map.eta_critical, &map.lr_critical, &map.angle, &map.norm_ratio})
        *m = Matrix::Constant(rows, columns, kNaN);
    if (s.base.repeats > 0) map.stayed.resize(rows, columns);
    WithoutPhases quiet(*run.monitor);
    const Execution inside{1, &quiet};
    parallel_blocks(rows * columns, run.threads, [&](Index p) {
        run.monitor->stop_if_interrupted();
        const Index i = p / columns, j = p % columns;
        const MapPoint point = point_at(s, i, j);
        StabilitySettings one = point.alignment;
        one.repeats = 0;
        one.steps = 1;
        const LayerStability layer = study_layer(s.layer, 0, one, inside);
        const double gain = aligned_values(one.alignment, Vector::Ones(1))(0);
        map.eta_critical(i, j) = alignment_limit(layer);
        map.margin(i, j) = map.eta_critical(i, j) / one.alignment.rate;
        map.angle(i, j) = layer.angle;
        map.norm_ratio(i, j) = layer.norm_ratio;
        if (point.learning_rate) {
            map.lr_critical(i, j) = critical_rate(chain_curvature(gain, point.depth), s.momentum);
            map.margin(i, j) =
                std::min(map.margin(i, j), map.lr_critical(i, j) / *point.learning_rate);
        }
        if (s.base.repeats > 0) map.stayed(i, j) = share_that_stays(s, point, layer, gain);
    });
    return map;
}

} // namespace assay::lindyn
