// The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kegl 2011, NIPS 24): of trials
// drawn where good ones lie, the one that is most typical of good and least of bad trials.
// Dimensions are independent given the split. After 20 random trials: good are the best
// min(ceil(0.25 sqrt(n)), 25) of n; per dimension 24 candidates from the good ones' mixture l, of
// which the one of largest l/g is taken.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/random.hpp>
#include <assay/training/sweep.hpp>

#include <cstdint>
#include <vector>

namespace assay::training {

// Density on [low, high]: equal parts of the uniform prior and, for each observation, a normal
// around it, truncated to the interval. Its sd is the larger of the distances to the neighbours
// (the interval's ends are neighbours too), at least `narrowest`, at most the interval's width.
class ASSAY_API ParzenMixture {
  public:
    // Observations lie in [low, high]; there may be none.
    ParzenMixture(std::vector<double> observations, double low, double high, double narrowest);

    [[nodiscard]] double density(double x) const;
    // Probability between `from` and `to`.
    [[nodiscard]] double mass(double from, double to) const;
    // A draw; stream[2] is used for its numbers.
    [[nodiscard]] double draw(const Random& random, std::uint64_t index, StreamWords stream) const;

  private:
    struct Component {
        double mean, sd;
        double inside; // probability of the interval before truncation
    };
    double low_, high_;
    std::vector<Component> components_;
};

struct TrialResult {
    std::uint64_t trial = 0;
    TrialPoint values;
    double loss = 0; // lower is better; not finite: diverged, worse than all others
};

inline constexpr std::size_t kRandomTrials = 20;

// Points for trials first_trial ... first_trial + count - 1; random ones while fewer than 20
// results are known. Each but the last enters the next ones' history with the mean finite loss as
// if it were its result (constant liar, section 5 of the paper), so that they differ.
[[nodiscard]] ASSAY_API std::vector<TrialPoint> suggest_trials(const SearchSpace& space,
                                                               std::vector<TrialResult> history,
                                                               std::uint64_t first_trial,
                                                               Index count, std::uint64_t seed);

} // namespace assay::training
