#include <assay/training/optimizer.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>

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
                        Index size)
    : settings_(settings), slices_(std::move(slices)),
      states_(state_count(settings), network::Column<S>::Zero(size)) {}

template <class S>
void Optimizer<S>::restore(std::vector<network::Column<S>> states, Index updates) {
    if (states.size() != states_.size()) throw Error("the saved state is of another optimiser");
    for (std::size_t i = 0; i < states.size(); ++i)
        if (states[i].size() != states_[i].size())
            throw Error("the saved state is of another network");
    states_ = std::move(states);
    updates_ = updates;
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
void Optimizer<S>::advance(const Factors& f, S lr, Weights& w, const Gradient& g, Index offset) {
    const OptimizerSettings& o = settings_;
    const auto state = [&](std::size_t k) { return states_[k].segment(offset, w.size()).array(); };
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

template <class S>
void Optimizer<S>::update(network::Column<S>& theta, const network::Column<S>& gradient,
                          double learning_rate, std::vector<double>* changes) {
    const OptimizerSettings& o = settings_;
    const Factors factors = factors_at(++updates_);
    for (std::size_t i = 0; i < slices_.size(); ++i) {
        const ParameterSlice& slice = slices_[i];
        if (slice.lr_scale == 0) continue;
        const auto lr = static_cast<S>(learning_rate * slice.lr_scale);
        const auto decay = static_cast<S>(slice.decays ? o.weight_decay : 0.0);
        const S l2 = o.decoupled ? S(0) : decay;
        // In blocks, so that all statements on one of them find it in the first-level cache.
        const Blocks blocks{slice.size, kBlock};
        const auto update_block = [&](Index block) {
            const Index offset = slice.offset + blocks.begin(block), size = blocks.extent(block);
            auto w = theta.segment(offset, size).array();
            const auto raw = gradient.segment(offset, size).array();
            if (changes) before_ = w.matrix();
            if (o.decoupled && decay > 0) w *= S(1) - lr * decay;
            advance(factors, lr, w, raw + l2 * w, offset);
            if (changes)
                (*changes)[i] += (w.matrix() - before_).template cast<double>().squaredNorm();
        };
        // Squares are added up in one order, on one thread.
        const double work = changes ? 0 : static_cast<double>(slice.size);
        share_out(blocks.count(), work, [&](Index first, Index count) {
            for (Index block = first; block < first + count; ++block) update_block(block);
        });
    }
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

template <class S>
void add_noise(network::Column<S>& weights, const NoiseSettings& settings, double learning_rate,
               const std::vector<ParameterSlice>& slices, std::uint64_t seed, Index step) {
    if (settings.variance == 0) return;
    const Random random(seed, "noise");
    const double deviation = std::sqrt(settings.variance);
    for (const auto& slice : slices) {
        if (slice.lr_scale == 0) continue;
        const double rate = learning_rate * slice.lr_scale;
        const StreamWords words{static_cast<std::uint64_t>(step), 1, purpose_key(slice.name)};
        for (Index i = 0; i < slice.size; ++i) {
            const auto at = static_cast<std::uint64_t>(i);
            const double xi = settings.uniform
                                  ? std::sqrt(3.0) * (2 * random.uniform(at, words) - 1)
                                  : random.normal(at, words);
            weights(slice.offset + i) += static_cast<S>(rate * deviation * xi);
        }
    }
}

template void clip(network::Column<double>&, const ClipSettings&,
                   const std::vector<ParameterSlice>&);
template void clip(network::Column<float>&, const ClipSettings&,
                   const std::vector<ParameterSlice>&);
template void add_noise(network::Column<double>&, const NoiseSettings&, double,
                        const std::vector<ParameterSlice>&, std::uint64_t, Index);
template void add_noise(network::Column<float>&, const NoiseSettings&, double,
                        const std::vector<ParameterSlice>&, std::uint64_t, Index);
template class Optimizer<double>;
template class Optimizer<float>;

} // namespace assay::training
