#include <assay/training/sweep.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/core/sobol.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::training {
namespace {

// ---- axes -------------------------------------------------------------------------------------

double choices_of(const SearchDimension& d) {
    return static_cast<double>(d.choices.size());
}

// How many values a dimension has; infinite where they are real numbers.
double values_of(const SearchDimension& d) {
    if (d.kind == DimensionKind::choice) return choices_of(d);
    return d.kind == DimensionKind::integer ? d.high - d.low + 1
                                            : std::numeric_limits<double>::infinity();
}

double value_of_unit(const SearchDimension& d, double unit) {
    const AxisRange axis = axis_range(d);
    return value_at(d, axis.low + unit * (axis.high - axis.low));
}

// ---- grid -------------------------------------------------------------------------------------

Index grid_count(const SearchDimension& d, Index m) {
    if (d.kind == DimensionKind::choice) return static_cast<Index>(d.choices.size());
    return static_cast<Index>(std::min(static_cast<double>(m), values_of(d)));
}

double grid_size(const SearchSpace& space, Index m) {
    double size = 1;
    for (const auto& d : space) size *= static_cast<double>(grid_count(d, m));
    return size;
}

double grid_value(const SearchDimension& d, Index i, Index count) {
    if (d.kind == DimensionKind::choice) return static_cast<double>(i);
    const double low = axis_position(d, d.low), high = axis_position(d, d.high);
    const double part = count == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(count - 1);
    return value_at(d, low + part * (high - low));
}

Index largest_grid(const SearchSpace& space, Index most) {
    Index m = 0;
    while (m < most && grid_size(space, m + 1) <= static_cast<double>(most)) ++m;
    if (m == 0)
        throw UsageError(concat("a grid of one value a dimension and every choice has ",
                                grid_size(space, 1), " trials; found ", most,
                                " trials, at least as many are expected"));
    return m;
}

TrialPoint grid_point(const SearchSpace& space, Index m, Index trial) {
    TrialPoint point(space.size());
    for (std::size_t d = space.size(); d-- > 0;) {
        const Index count = grid_count(space[d], m);
        point[d] = grid_value(space[d], trial % count, count);
        trial /= count;
    }
    return point;
}

// ---- results ----------------------------------------------------------------------------------

double best_of(const std::vector<double>& scores) {
    double best = -std::numeric_limits<double>::infinity();
    for (const double score : scores)
        if (std::isfinite(score)) best = std::max(best, score);
    return best;
}

MarginalCurve empty_curve(const SearchDimension& d, Index bins) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto count = static_cast<std::size_t>(bins);
    MarginalCurve curve{d.path,
                        {},
                        std::vector<Index>(count, 0),
                        std::vector<double>(count, nan),
                        std::vector<double>(count, nan)};
    for (Index bin = 0; bin < bins; ++bin)
        curve.centre.push_back(
            value_of_unit(d, (static_cast<double>(bin) + 0.5) / static_cast<double>(bins)));
    return curve;
}

Index bin_of(const SearchDimension& d, double value, Index bins) {
    const AxisRange axis = axis_range(d);
    const double unit = (axis_position(d, value) - axis.low) / (axis.high - axis.low);
    return std::clamp<Index>(static_cast<Index>(unit * static_cast<double>(bins)), 0, bins - 1);
}

void add_score(MarginalCurve& curve, Index bin, double score) {
    const auto b = static_cast<std::size_t>(bin);
    const Index count = ++curve.count[b];
    curve.mean[b] =
        count == 1 ? score : curve.mean[b] + (score - curve.mean[b]) / static_cast<double>(count);
    curve.best[b] = count == 1 ? score : std::max(curve.best[b], score);
}

} // namespace

double axis_position(const SearchDimension& d, double value) {
    return d.kind == DimensionKind::log_uniform ? std::log(value) : value;
}

AxisRange axis_range(const SearchDimension& d) {
    switch (d.kind) {
    case DimensionKind::log_uniform:
        return {std::log(d.low), std::log(d.high)};
    case DimensionKind::integer:
        return {d.low - 0.5, d.high + 0.5};
    case DimensionKind::choice:
        return {-0.5, choices_of(d) - 0.5};
    default:
        return {d.low, d.high};
    }
}

double value_at(const SearchDimension& d, double position) {
    switch (d.kind) {
    case DimensionKind::log_uniform:
        return std::clamp(std::exp(position), d.low, d.high);
    case DimensionKind::integer:
        return std::clamp(std::floor(position + 0.5), d.low, d.high);
    case DimensionKind::choice:
        return std::clamp(std::floor(position + 0.5), 0.0, choices_of(d) - 1);
    default:
        return std::clamp(position, d.low, d.high);
    }
}

TrialPoint random_trial(const SearchSpace& space, std::uint64_t seed, std::uint64_t trial) {
    TrialPoint point;
    for (const auto& d : space)
        point.push_back(value_of_unit(d, Random(seed, "sweep/random/" + d.path).uniform(trial)));
    return point;
}

TrialPoint sobol_trial(const SearchSpace& space, std::uint64_t trial) {
    if (space.empty() || space.size() > std::size_t{kSobolDimensions})
        throw UsageError(concat("sampler sobol: found ", space.size(), " dimensions; from 1 to ",
                                kSobolDimensions, " are expected (random has no limit)"));
    if (trial < 1 || trial > std::numeric_limits<std::uint32_t>::max())
        throw UsageError(concat("sampler sobol: found trial ", trial,
                                "; a number from 1 to 2^32 - 1 is expected"));
    const auto unit =
        sobol_point(static_cast<int>(space.size()), static_cast<std::uint32_t>(trial - 1));
    TrialPoint point;
    for (std::size_t d = 0; d < space.size(); ++d)
        point.push_back(value_of_unit(space[d], unit[d]));
    return point;
}

std::vector<TrialPoint> grid_trials(const SearchSpace& space, Index most) {
    const Index m = largest_grid(space, most);
    std::vector<TrialPoint> points;
    for (Index trial = 0; trial < static_cast<Index>(grid_size(space, m)); ++trial)
        points.push_back(grid_point(space, m, trial));
    return points;
}

double robustness(const std::vector<double>& scores, double margin) {
    if (scores.empty()) return 0;
    const double best = best_of(scores);
    const auto near = std::count_if(scores.begin(), scores.end(), [&](double score) {
        return std::isfinite(score) && score >= best - margin;
    });
    return static_cast<double>(near) / static_cast<double>(scores.size());
}

std::vector<MarginalCurve> marginal_curves(const SearchSpace& space,
                                           const std::vector<TrialPoint>& points,
                                           const std::vector<double>& scores, Index bins) {
    std::vector<MarginalCurve> curves;
    for (std::size_t d = 0; d < space.size(); ++d) {
        const bool each_value = space[d].kind == DimensionKind::choice ||
                                values_of(space[d]) <= static_cast<double>(bins);
        const Index parts = each_value ? static_cast<Index>(values_of(space[d])) : bins;
        curves.push_back(empty_curve(space[d], parts));
        for (std::size_t i = 0; i < points.size(); ++i)
            if (std::isfinite(scores[i]))
                add_score(curves.back(), bin_of(space[d], points[i][d], parts), scores[i]);
    }
    return curves;
}

} // namespace assay::training
