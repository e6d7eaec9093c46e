#include <assay/training/optimizer.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

constexpr Index kBlock = 1024;

// The standard recipe for residual networks: warm-up over 5 of 90 epochs, then a tenth at 30,
// 60, 80.
double residual_network_rate(double base, double epoch) {
    if (epoch < 5) return base * (epoch + 1) / 5;
    double rate = base;
    for (const double milestone : {30.0, 60.0, 80.0})
        if (epoch >= milestone) rate *= 0.1;
    return rate;
}

// The squared norm of what is not frozen: of all at once where nothing is.
template <class SquareOf>
double moving_square(const std::vector<ParameterSlice>& slices, Index size, SquareOf&& square_of) {
    const auto frozen = [](const ParameterSlice& slice) { return slice.lr_scale == 0; };
    if (std::none_of(slices.begin(), slices.end(), frozen)) return square_of(0, size);
    double sum = 0;
    for (const auto& slice : slices)
        if (!frozen(slice)) sum += square_of(slice.offset, slice.size);
    return sum;
}

// Sums over two changes, of which the cosine between them is made.
struct ChangeSums {
    double product = 0, square = 0, last_square = 0;
    template <class Change, class Last>
    void add(const Change& change, const Last& last) {
        product += change.dot(last);
        square += change.squaredNorm();
        last_square += last.squaredNorm();
    }
    [[nodiscard]] double cosine() const {
        const double norms = std::sqrt(square * last_square);
        return norms > 0 ? product / norms : kNaN;
    }
};

std::size_t state_count(const OptimizerSettings& s) {
    if (s.name == "sgd") return s.momentum > 0 ? 1 : 0;
    if (s.name == "rmsprop" || s.name == "adagrad") return 1;
    return s.amsgrad ? 3 : 2;
}

} // namespace

double learning_rate_at(const ScheduleSettings& s, double base, Index step, Index total,
                        Index per_epoch) {
    const auto t = static_cast<double>(step);
    const double period = static_cast<double>(s.period > 0 ? s.period : std::max<Index>(1, total));
    const double share = std::min(1.0, t / period);
    double rate = base;
    if (s.name == "multistep")
        for (const Index milestone : s.milestones) rate *= step >= milestone ? s.gamma : 1.0;
    if (s.name == "exponential") rate = base * std::pow(s.rate, t / period);
    if (s.name == "cosine") rate = s.minimum + (base - s.minimum) * (1 + std::cos(kPi * share)) / 2;
    if (s.name == "linear") rate = s.minimum + (base - s.minimum) * (1 - share);
    if (s.name == "polynomial")
        rate = s.minimum + (base - s.minimum) * std::pow(1 - share, s.power);
    if (s.name == "residual-network")
        rate = residual_network_rate(
            base, std::floor(t / static_cast<double>(std::max<Index>(1, per_epoch))));
    if (step < s.warmup) rate *= (t + 1) / static_cast<double>(s.warmup);
    return rate;
}

template <class S>
Optimizer<S>::Optimizer(const OptimizerSettings& settings, std::vector<ParameterSlice> slices,
                        const NoiseSettings& noise, std::uint64_t seed)
    : settings_(settings), slices_(std::move(slices)), noise_(noise), random_(seed, "noise") {}

template <class S>
OptimizerState<S> Optimizer<S>::start(Index parameters) const {
    OptimizerState<S> state;
    for (std::size_t i = 0; i < state_count(settings_); ++i)
        state.arrays.emplace_back(network::Column<S>::Zero(parameters));
    return state;
}

template <class S>
void Optimizer<S>::check(const OptimizerState<S>& state, Index parameters) const {
    if (state.arrays.size() != state_count(settings_))
        throw Error("the saved state is of another optimiser");
    for (const auto& array : state.arrays)
        if (array.size() != parameters) throw Error("the saved state is of another network");
}

template <class S>
struct Optimizer<S>::Factors {
    S beta1, beta2, epsilon, momentum;
    S inverse1, root2; // 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t)
    S rectification;   // of radam; 0: the moving variance is not known well enough yet
};

template <class S>
typename Optimizer<S>::Factors Optimizer<S>::factors_at(Index update) const {
    const OptimizerSettings& o = settings_;
    const auto t = static_cast<double>(update);
    // 1 - beta^t without loss of digits.
    const double correction1 = o.beta1 > 0 ? -std::expm1(t * std::log(o.beta1)) : 1.0;
    const double correction2 = o.beta2 > 0 ? -std::expm1(t * std::log(o.beta2)) : 1.0;
    double rectification = 1;
    if (o.name == "radam") {
        // The length of the approximated average (Liu et al. 2019, eq. 5 and algorithm 2).
        const double most = 2 / (1 - o.beta2) - 1;
        const double rho = most - 2 * t * (1 - correction2) / correction2;
        rectification =
            rho > 5 ? std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
                    : 0.0;
    }
    return {static_cast<S>(o.beta1),         static_cast<S>(o.beta2),
            static_cast<S>(o.epsilon),       static_cast<S>(o.momentum),
            static_cast<S>(1 / correction1), static_cast<S>(1 / std::sqrt(correction2)),
            static_cast<S>(rectification)};
}

// Some parameters from `offset` on: w by g, both arrays.
template <class S>
template <class Weights, class Gradient>
void Optimizer<S>::advance(const Factors& f, S lr, Weights& w, const Gradient& g,
                           std::vector<network::Column<S>>& states, Index offset) const {
    const OptimizerSettings& o = settings_;
    const auto state = [&](std::size_t k) { return states[k].segment(offset, w.size()).array(); };
    if (o.name == "sgd" && o.momentum == 0) {
        w -= lr * g;
    } else if (o.name == "sgd") {
        auto v = state(0);
        v = f.momentum * v + g;
        if (o.nesterov)
            w -= lr * (g + f.momentum * v);
        else
            w -= lr * v;
    } else if (o.name == "rmsprop") {
        auto s = state(0);
        s = f.beta2 * s + (S(1) - f.beta2) * g.square();
        w -= lr * g / (s.sqrt() + f.epsilon);
    } else if (o.name == "adagrad") {
        auto s = state(0);
        s += g.square();
        w -= lr * g / (s.sqrt() + f.epsilon);
    } else {
        auto m = state(0), s = state(1);
        m = f.beta1 * m + (S(1) - f.beta1) * g;
        s = f.beta2 * s + (S(1) - f.beta2) * g.square();
        if (o.amsgrad) {
            auto most = state(2);
            most = most.max(s);
        }
        const S gain = lr * f.inverse1 * f.rectification;
        if (f.rectification == S(0))
            w -= lr * f.inverse1 * m;
        else if (o.amsgrad)
            w -= gain * m / (state(2).sqrt() * f.root2 + f.epsilon);
        else
            w -= gain * m / (s.sqrt() * f.root2 + f.epsilon);
    }
}

// Noise of an update on some parameters of a slice, from its number `first` on.
template <class S>
template <class Weights>
void Optimizer<S>::add_noise(double rate, const ParameterSlice& slice, Index update, Index first,
                             Weights& weights) const {
    const double deviation = std::sqrt(noise_.variance);
    const StreamWords words{static_cast<std::uint64_t>(update), 1, purpose_key(slice.name)};
    for (Index i = 0; i < weights.size(); ++i) {
        const auto at = static_cast<std::uint64_t>(first + i);
        const double xi = noise_.uniform ? std::sqrt(3.0) * (2 * random_.uniform(at, words) - 1)
                                         : random_.normal(at, words);
        weights(i) += static_cast<S>(rate * deviation * xi);
    }
}

template <class S>
void Optimizer<S>::update(network::Column<S>& theta, const network::Column<S>& gradient,
                          double learning_rate, OptimizerState<S>& state,
                          UpdateTrace<S>* trace) const {
    const OptimizerSettings& o = settings_;
    const bool noisy = noise_.target == NoiseTarget::all && noise_.variance > 0;
    const Index number = state.updates++;
    const Factors factors = factors_at(state.updates);
    network::Column<S>* const last = trace ? trace->last : nullptr;
    const bool had_last = last && last->size() > 0;
    if (trace) trace->changes.assign(slices_.size(), 0.0);
    if (last && !had_last) last->setZero(theta.size());
    ChangeSums sums;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
        const ParameterSlice& slice = slices_[i];
        if (slice.lr_scale == 0) continue;
        const double rate = learning_rate * slice.lr_scale;
        const auto lr = static_cast<S>(rate);
        const auto decay = static_cast<S>(slice.decays ? o.weight_decay : 0.0);
        const S l2 = o.decoupled ? S(0) : decay;
        // In blocks, so that all statements on one of them find it in the first-level cache.
        const Blocks blocks{slice.size, kBlock};
        const auto update_block = [&](Index block) {
            const Index offset = slice.offset + blocks.begin(block), size = blocks.extent(block);
            auto w = theta.segment(offset, size).array();
            const auto raw = gradient.segment(offset, size).array();
            Eigen::Matrix<S, Eigen::Dynamic, 1, Eigen::ColMajor, kBlock, 1> before;
            const auto change = [&] { return w.matrix() - before; };
            if (trace) before = w.matrix();
            if (o.decoupled && decay > 0) w *= S(1) - lr * decay;
            advance(factors, lr, w, raw + l2 * w, state.arrays, offset);
            if (trace) trace->changes[i] += change().template cast<double>().squaredNorm();
            if (noisy) add_noise(rate, slice, number, blocks.begin(block), w);
            if (!last) return;
            auto change_before = last->segment(offset, size);
            sums.add(change().template cast<double>(), change_before.template cast<double>());
            change_before = change();
        };
        // Squares are added up in one order, on one thread.
        const double work = trace ? 0 : static_cast<double>(slice.size);
        share_out(blocks.count(), work, [&](Index first, Index count) {
            for (Index block = first; block < first + count; ++block) update_block(block);
        });
    }
    if (trace) trace->cosine = sums.cosine();
}

template <class S>
void clip(network::Column<S>& g, const ClipSettings& settings,
          const std::vector<ParameterSlice>& slices) {
    const double limit = settings.value;
    const auto square_of = [&](Index offset, Index size) {
        return g.segment(offset, size).template cast<double>().squaredNorm();
    };
    const auto shrink = [&](Index offset, Index size, double square) {
        const double norm = std::sqrt(square);
        if (norm > limit) g.segment(offset, size) *= static_cast<S>(limit / norm);
    };
    switch (settings.mode) {
    case ClipMode::none:
        return;
    case ClipMode::global_norm:
        shrink(0, g.size(), moving_square(slices, g.size(), square_of));
        return;
    case ClipMode::layer_norm:
        for (std::size_t i = 0; i < slices.size();) {
            std::size_t end = i;
            Index size = 0;
            while (end < slices.size() && slices[end].layer == slices[i].layer)
                size += slices[end++].size;
            shrink(slices[i].offset, size, square_of(slices[i].offset, size));
            i = end;
        }
        return;
    case ClipMode::value:
        g = g.cwiseMax(static_cast<S>(-limit)).cwiseMin(static_cast<S>(limit));
        return;
    }
}

template void clip(network::Column<double>&, const ClipSettings&,
                   const std::vector<ParameterSlice>&);
template void clip(network::Column<float>&, const ClipSettings&,
                   const std::vector<ParameterSlice>&);
template class Optimizer<double>;
template class Optimizer<float>;

} // namespace assay::training
