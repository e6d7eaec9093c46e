// Optimisers as one pass over the flat parameter vector: sgd (momentum, Nesterov), rmsprop,
// adagrad, adam and amsgrad (Kingma and Ba 2014, 1412.6980; Reddi et al. 2018), adamw (Loshchilov
// and Hutter 1711.05101), radam (Liu et al. 1908.03265). Also learning-rate schedules.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/network.hpp>
#include <assay/training/config.hpp>

#include <string>
#include <vector>

namespace assay::training {

// lr(t) for step t of `total` (0-based); `per_epoch` steps an epoch, for residual-network.
[[nodiscard]] ASSAY_API double learning_rate_at(const ScheduleSettings& schedule, double base,
                                                Index step, Index total, Index per_epoch);

// What of the flat vector an update treats alike.
struct ParameterSlice {
    Index offset = 0, size = 0;
    double lr_scale = 1; // 0: frozen
    bool decays = true;
    std::size_t layer = 0; // to which it belongs; slices of one layer are neighbours
    std::string name{};    // "layer/array"
};

// Limits a gradient in place: its norm (over all that is not frozen), that of every layer, or every
// number.
template <class S>
void clip(network::Column<S>& gradient, const ClipSettings& settings,
          const std::vector<ParameterSlice>& slices);
// weights += learning_rate lr_scale xi, Var xi = variance, by (seed; step, the slice's name, index
// in it): what is frozen stays.
template <class S>
void add_noise(network::Column<S>& weights, const NoiseSettings& settings, double learning_rate,
               const std::vector<ParameterSlice>& slices, std::uint64_t seed, Index step);

template <class S>
class ASSAY_API Optimizer {
  public:
    Optimizer(const OptimizerSettings& settings, std::vector<ParameterSlice> slices, Index size);

    // theta <- theta - update(gradient); states advance once. Adds the square of the change of each
    // slice to `changes` (as long as the slices), if given.
    void update(network::Column<S>& theta, const network::Column<S>& gradient, double learning_rate,
                std::vector<double>* changes = nullptr);

    // For resuming: state arrays (each as long as the parameters) and the number of updates.
    [[nodiscard]] const std::vector<network::Column<S>>& states() const { return states_; }
    [[nodiscard]] Index updates() const { return updates_; }
    void restore(std::vector<network::Column<S>> states, Index updates);

  private:
    struct Factors; // what all parameters share in one update
    [[nodiscard]] Factors factors_at(Index update) const;
    template <class Weights, class Gradient>
    void advance(const Factors& factors, S lr, Weights& weights, const Gradient& gradient,
                 Index offset);
    OptimizerSettings settings_;
    std::vector<ParameterSlice> slices_;
    std::vector<network::Column<S>> states_;
    network::Column<S> before_; // of the block that changes
    Index updates_ = 0;
};

} // namespace assay::training
