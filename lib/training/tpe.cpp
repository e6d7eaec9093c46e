#include <assay/training/tpe.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace assay::training {
namespace {

constexpr double kSqrtTwo = 1.4142135623730950488;
constexpr double kSqrtTwoPi = 2.5066282746310005024;
constexpr std::uint64_t kCandidates = 24;
constexpr double kMostGood = 25;
constexpr double kMostParts = 100;

double normal_below(double z) {
    return 0.5 * std::erfc(-z / kSqrtTwo);
}

double normal_between(double mean, double sd, double from, double to) {
    return normal_below((to - mean) / sd) - normal_below((from - mean) / sd);
}

// ---- the split --------------------------------------------------------------------------------

bool better(const TrialResult& a, const TrialResult& b) {
    const bool a_finite = std::isfinite(a.loss), b_finite = std::isfinite(b.loss);
    if (a_finite != b_finite) return a_finite;
    if (a_finite && a.loss != b.loss) return a.loss < b.loss;
    return a.trial < b.trial;
}

std::size_t good_count(std::size_t n) {
    return static_cast<std::size_t>(
        std::min(std::ceil(0.25 * std::sqrt(static_cast<double>(n))), kMostGood));
}

struct Split {
    std::vector<double> good, bad; // values of one dimension
};

Split split_of(const std::vector<TrialResult>& ranked, std::size_t dimension) {
    Split split;
    for (std::size_t i = 0; i < ranked.size(); ++i)
        (i < good_count(ranked.size()) ? split.good : split.bad)
            .push_back(ranked[i].values[dimension]);
    return split;
}

// ---- candidates -------------------------------------------------------------------------------

// The candidate of largest l/g; the first of equal ones.
double best_candidate(const std::function<double(std::uint64_t)>& candidate,
                      const std::function<double(double)>& log_ratio) {
    double best = 0, highest = -std::numeric_limits<double>::infinity();
    for (std::uint64_t c = 0; c < kCandidates; ++c) {
        const double value = candidate(c), ratio = log_ratio(value);
        if (c == 0 || ratio > highest) {
            best = value;
            highest = ratio;
        }
    }
    return best;
}

// The narrowest component is 1 / min(100, n + 1) of the axis, n all trials: the bandwidth shrinks
// with what is known, not with the few good trials.
ParzenMixture mixture_of(const SearchDimension& d, const std::vector<double>& values, double n) {
    std::vector<double> positions;
    for (const double value : values) positions.push_back(axis_position(d, value));
    const AxisRange axis = axis_range(d);
    return {std::move(positions), axis.low, axis.high,
            (axis.high - axis.low) / std::min(kMostParts, n + 1)};
}

// Density of a real value, probability of a whole one.
double likelihood(const SearchDimension& d, const ParzenMixture& mixture, double value) {
    return d.kind == DimensionKind::integer ? mixture.mass(value - 0.5, value + 0.5)
                                            : mixture.density(axis_position(d, value));
}

double numeric_value(const SearchDimension& d, const Split& split, const Random& random,
                     std::uint64_t trial) {
    const auto n = static_cast<double>(split.good.size() + split.bad.size());
    const ParzenMixture l = mixture_of(d, split.good, n), g = mixture_of(d, split.bad, n);
    return best_candidate(
        [&](std::uint64_t c) {
            return value_at(d, l.draw(random, c, {trial, 0, 0}));
        },
        [&](double value) {
            return std::log(likelihood(d, l, value)) - std::log(likelihood(d, g, value));
        });
}

// Cumulative probabilities: the uniform prior counts as one observation.
std::vector<double> choice_weights(const std::vector<double>& values, std::size_t choices) {
    std::vector<double> weights(choices, 1 / static_cast<double>(choices));
    for (const double value : values) weights[static_cast<std::size_t>(value)] += 1;
    for (double& weight : weights) weight /= static_cast<double>(values.size() + 1);
    return weights;
}

double drawn_choice(const std::vector<double>& weights, double u) {
    std::size_t choice = 0;
    for (double below = weights[0]; u >= below && choice + 1 < weights.size();)
        below += weights[++choice];
    return static_cast<double>(choice);
}

double choice_value(const SearchDimension& d, const Split& split, const Random& random,
                    std::uint64_t trial) {
    const auto l = choice_weights(split.good, d.choices.size());
    const auto g = choice_weights(split.bad, d.choices.size());
    return best_candidate(
        [&](std::uint64_t c) {
            return drawn_choice(l, random.uniform(c, {trial, 0, 0}));
        },
        [&](double value) {
            const auto at = static_cast<std::size_t>(value);
            return std::log(l[at]) - std::log(g[at]);
        });
}

TrialPoint tpe_trial(const SearchSpace& space, std::vector<TrialResult> history, std::uint64_t seed,
                     std::uint64_t trial) {
    std::sort(history.begin(), history.end(), better);
    TrialPoint point;
    for (std::size_t d = 0; d < space.size(); ++d) {
        const Random random(seed, "sweep/tpe/" + space[d].path);
        const Split split = split_of(history, d);
        point.push_back(space[d].kind == DimensionKind::choice
                            ? choice_value(space[d], split, random, trial)
                            : numeric_value(space[d], split, random, trial));
    }
    return point;
}

double mean_finite_loss(const std::vector<TrialResult>& history) {
    double sum = 0, count = 0;
    for (const auto& result : history)
        if (std::isfinite(result.loss)) {
            sum += result.loss;
            ++count;
        }
    return count > 0 ? sum / count : 0;
}

} // namespace

ParzenMixture::ParzenMixture(std::vector<double> observations, double low, double high,
                             double narrowest)
    : low_(low), high_(high) {
    std::sort(observations.begin(), observations.end());
    const double width = high - low;
    for (std::size_t i = 0; i < observations.size(); ++i) {
        const double mean = observations[i];
        const double left = i > 0 ? observations[i - 1] : low;
        const double right = i + 1 < observations.size() ? observations[i + 1] : high;
        const double sd = std::clamp(std::max(mean - left, right - mean), narrowest, width);
        components_.push_back({mean, sd, normal_between(mean, sd, low, high)});
    }
}

double ParzenMixture::density(double x) const {
    if (x < low_ || x > high_) return 0;
    double sum = 1 / (high_ - low_);
    for (const auto& c : components_) {
        const double z = (x - c.mean) / c.sd;
        sum += std::exp(-0.5 * z * z) / (kSqrtTwoPi * c.sd * c.inside);
    }
    return sum / static_cast<double>(components_.size() + 1);
}

double ParzenMixture::mass(double from, double to) const {
    const double a = std::clamp(from, low_, high_), b = std::clamp(to, low_, high_);
    double sum = (b - a) / (high_ - low_);
    for (const auto& c : components_) sum += normal_between(c.mean, c.sd, a, b) / c.inside;
    return sum / static_cast<double>(components_.size() + 1);
}

double ParzenMixture::draw(const Random& random, std::uint64_t index, StreamWords stream) const {
    const std::uint64_t component =
        random.below(components_.size() + 1, index, {stream[0], stream[1], 0});
    if (component == components_.size())
        return low_ + (high_ - low_) * random.uniform(index, {stream[0], stream[1], 1});
    const Component& c = components_[component];
    // At least a third of the attempts fall inside: the mean does, and the sd is at most the width.
    for (std::uint64_t attempt = 1;; ++attempt) {
        const double x = c.mean + c.sd * random.normal(index, {stream[0], stream[1], attempt});
        if (x >= low_ && x <= high_) return x;
    }
}

std::vector<TrialPoint> suggest_trials(const SearchSpace& space, std::vector<TrialResult> history,
                                       std::uint64_t first_trial, Index count, std::uint64_t seed) {
    const bool enough = history.size() >= kRandomTrials;
    const double lie = mean_finite_loss(history);
    std::vector<TrialPoint> points;
    for (std::uint64_t trial = first_trial; static_cast<Index>(points.size()) < count; ++trial) {
        points.push_back(enough ? tpe_trial(space, history, seed, trial)
                                : random_trial(space, seed, trial));
        history.push_back({trial, points.back(), lie});
    }
    return points;
}

} // namespace assay::training
