// Optimisers as one pass over the flat parameter vector, noise included: sgd (momentum, Nesterov),
// rmsprop, adagrad, adam and amsgrad (Kingma and Ba 2014, 1412.6980; Reddi et al. 2018), adamw
// (Loshchilov and Hutter 1711.05101), radam (Liu et al. 1908.03265). Also learning-rate schedules.
#pragma once

#include <assay/core/constants.hpp>
#include <assay/core/export.hpp>
#include <assay/core/random.hpp>
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
// What an optimiser remembers.
template <class S>
struct OptimizerState {
    std::vector<network::Column<S>> arrays; // each as long as the parameters
    Index updates = 0;
};

// What is told of an update.
template <class S>
struct UpdateTrace {
    std::vector<double> changes; // squared norm of each slice's, without noise
    // The whole change, with noise. Where `last` is given, it is the change before (empty: there is
    // none), and becomes this one.
    network::Column<S>* last = nullptr;
    double cosine = kNaN; // between the two; NaN where one is 0 or not there
};

template <class S>
class ASSAY_API Optimizer {
  public:
    // Where `noise` is for all arrays, it is added to what is not frozen: learning rate x lr_scale
    // x xi, Var xi = variance, xi by (seed; number of the update, the slice's name, index in it).
    Optimizer(const OptimizerSettings& settings, std::vector<ParameterSlice> slices,
              const NoiseSettings& noise = {}, std::uint64_t seed = 0);

    // Before the first update of so many parameters.
    [[nodiscard]] OptimizerState<S> start(Index parameters) const;
    // Throws Error for a state that is none of this optimiser's for so many parameters.
    void check(const OptimizerState<S>& state, Index parameters) const;
    // theta <- theta - update(gradient); the state advances once. Fills `trace` if given.
    void update(network::Column<S>& theta, const network::Column<S>& gradient, double learning_rate,
                OptimizerState<S>& state, UpdateTrace<S>* trace = nullptr) const;

  private:
    struct Factors; // what all parameters share in one update
    [[nodiscard]] Factors factors_at(Index update) const;
    template <class Weights, class Gradient>
    void advance(const Factors& factors, S lr, Weights& weights, const Gradient& gradient,
                 std::vector<network::Column<S>>& states, Index offset) const;
    template <class Weights>
    void add_noise(double rate, const ParameterSlice& slice, Index update, Index first,
                   Weights& weights) const;
    OptimizerSettings settings_;
    std::vector<ParameterSlice> slices_;
    NoiseSettings noise_;
    Random random_;
};

} // namespace assay::training
