#include <assay/tensor_amp/thresholds.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

// A stable family of fixed points over an interval of Delta: a falling branch of the curve, or P =
// 0.
struct SolutionFamily {
    const PhaseCurve::Branch* branch = nullptr; // null: P = 0
    double low = -kInfinity, high = kInfinity;  // log Delta
};

// All stable families, P = 0 first.
std::vector<SolutionFamily> families_of(const PhaseCurve& curve) {
    std::vector<SolutionFamily> families;
    if (curve.zero_means() >= 2) {
        const auto onset = bbp_threshold(curve);
        families.push_back({nullptr, onset ? std::log(*onset) : -kInfinity, kInfinity});
    }
    for (const PhaseCurve::Branch& branch : curve.branches()) {
        if (!branch.stable()) continue;
        const bool first = &branch == &curve.branches().front();
        const bool last = &branch == &curve.branches().back();
        // With fewer than two zero means the lowest branch goes on to any noise.
        families.push_back({&branch, last ? -kInfinity : branch.log_delta_high,
                            first && curve.zero_means() < 2 ? kInfinity : branch.log_delta_low});
    }
    return families;
}

struct Solution {
    double log_p = -kInfinity;
    double p = 0;
    double phi = 0;
};
Solution solution_of(const PhaseCurve& curve, const SolutionFamily& family, double log_delta) {
    if (family.branch == nullptr) return {};
    const PhaseCurve::Branch& branch = *family.branch;
    const double low = std::min(branch.log_delta_low, branch.log_delta_high),
                 high = std::max(branch.log_delta_low, branch.log_delta_high);
    const double log_p = curve.solve(branch, std::clamp(log_delta, low, high));
    return {log_p, std::exp(log_p), curve.free_entropy(log_p)};
}

// log Delta where the free entropies of two families agree, the second of larger P. The difference
// falls with log Delta at half the difference of P, so there is one such place at most.
std::optional<double> equal_free_entropy(const PhaseCurve& curve, const SolutionFamily& lower,
                                         const SolutionFamily& upper) {
    double low = std::max(lower.low, upper.low), high = std::min(lower.high, upper.high);
    // Where both families reach down to no noise, the informative one is the better.
    const double floor = curve.branches().back().log_delta_high;
    low = std::max(low, floor);
    if (!(low < high)) return std::nullopt;
    const auto difference = [&](double x, double* slope) {
        const Solution a = solution_of(curve, lower, x), b = solution_of(curve, upper, x);
        if (slope != nullptr) *slope = -0.5 * (b.p - a.p);
        return b.phi - a.phi;
    };
    if (difference(low, nullptr) < 0 || difference(high, nullptr) > 0) return std::nullopt;
    double x = 0.5 * (low + high);
    for (int step = 0; step < 100 && high - low > 1e-15 * std::max(1.0, std::abs(x)); ++step) {
        double slope = 0;
        const double value = difference(x, &slope);
        (value > 0 ? low : high) = x;
        const double next = x - value / slope;
        const double moved = next > low && next < high ? next : 0.5 * (low + high);
        if (std::abs(moved - x) < 1e-14) return moved;
        x = moved;
    }
    return x;
}

bool best_of_all(const PhaseCurve& curve, const std::vector<SolutionFamily>& families,
                 double log_delta, double phi) {
    return std::none_of(families.begin(), families.end(), [&](const SolutionFamily& family) {
        return family.low <= log_delta && log_delta <= family.high &&
               solution_of(curve, family, log_delta).phi > phi + 1e-12;
    });
}

} // namespace

std::optional<double> bbp_threshold(const PhaseCurve& curve) {
    if (curve.zero_means() != 2) return std::nullopt;
    double threshold = 1;
    for (Index a = 0; a < curve.order(); ++a) {
        const ScalarResponse& response = curve.response(a);
        threshold *= response.mean_square() > 0
                         ? response.mean_square()
                         : response.variance() / std::sqrt(curve.aspect()(a));
    }
    return threshold;
}

Thresholds thresholds(const PhaseCurve& curve) {
    Thresholds found;
    found.bbp = bbp_threshold(curve);
    // The onset is a jump where the curve rises from it.
    if (found.bbp && !curve.branches().front().stable()) found.algorithmic.push_back(*found.bbp);
    for (const PhaseCurve::Fold& fold : curve.folds())
        (fold.maximum ? found.dynamic : found.algorithmic).push_back(fold.delta);
    const std::vector<SolutionFamily> families = families_of(curve);
    for (std::size_t lower = 0; lower < families.size(); ++lower)
        for (std::size_t upper = lower + 1; upper < families.size(); ++upper) {
            // P = 0 goes over into a falling curve without a jump.
            const auto log_delta = equal_free_entropy(curve, families[lower], families[upper]);
            if (log_delta && best_of_all(curve, families, *log_delta,
                                         solution_of(curve, families[upper], *log_delta).phi))
                found.information.push_back(std::exp(*log_delta));
        }
    std::sort(found.information.begin(), found.information.end(), std::greater<>());
    return found;
}

double unfolding_threshold(double mean_dimension, const Ensemble& ensemble) {
    double power = 1;
    for (const PriorPointer& prior : ensemble.priors) power *= prior->second_moment()(0, 0);
    return power * std::pow(mean_dimension, 1 - 0.5 * static_cast<double>(ensemble.order()));
}

double unfolding_overlap(double noise_var, double threshold) {
    const double ratio = noise_var / threshold;
    return std::max(0.0, 1 - ratio * ratio);
}

Accuracy accuracy_at(const PhaseCurve& curve, double noise_var) {
    check_noise(noise_var);
    const double log_delta = std::log(noise_var);
    Accuracy accuracy;
    const auto overlaps = [&](const Solution& s) {
        return s.p > 0 ? curve.overlaps(s.log_p) : [&] {
            VectorXd q(curve.order());
            for (Index a = 0; a < q.size(); ++a) q(a) = curve.response(a).mean_square();
            return q;
        }();
    };
    Solution lowest, best;
    bool any = false, higher_dies = false;
    for (const SolutionFamily& family : families_of(curve)) {
        if (!(family.low <= log_delta && log_delta <= family.high)) {
            higher_dies = higher_dies || (any && log_delta > family.high);
            continue;
        }
        const Solution solution = solution_of(curve, family, log_delta);
        if (!any) lowest = best = solution;
        if (solution.phi > best.phi) best = solution;
        if (any) higher_dies = true;
        any = true;
    }
    accuracy.reached = overlaps(lowest);
    accuracy.best = overlaps(best);
    accuracy.best_free_entropy = best.phi;
    // A solution above the lowest that is worse, or has ceased to exist: this noise is too much for
    // it.
    accuracy.regime = best.p > lowest.p                ? Regime::hard
                      : higher_dies || !(lowest.p > 0) ? Regime::impossible
                                                       : Regime::easy;
    return accuracy;
}

} // namespace assay::tensor_amp
