#include <assay/training/batches.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::training {

BatchPlan::BatchPlan(const TrainingConfig& c, Index samples) : config_(c), samples_(samples) {
    size_ = c.full_batch ? samples : c.batch_size;
    if (!c.online && size_ > samples)
        throw Error(
            concat("--batch-size ", size_, ": the training split has ", samples, " samples"));
    per_epoch_ = c.last_batch == LastBatch::keep ? (samples + size_ - 1) / size_ : samples / size_;
    per_epoch_ = std::max<Index>(1, per_epoch_);
}

Index total_steps(const TrainingConfig& c, Index per_epoch) {
    const Index total =
        c.steps    ? *c.steps
        : c.epochs ? static_cast<Index>(std::llround(*c.epochs * static_cast<double>(per_epoch)))
                   : 0;
    if (total < 1) throw Error("neither 'steps' nor 'epochs' is given (--steps, --epochs)");
    return total;
}

void BatchPlan::choose(Index step, std::vector<Index>& chosen) {
    if (config_.full_batch) {
        chosen.resize(static_cast<std::size_t>(samples_));
        std::iota(chosen.begin(), chosen.end(), Index{0});
        return;
    }
    if (config_.sampling == Sampling::epoch) {
        const Index epoch = step / per_epoch_, first = step % per_epoch_ * size_;
        shuffle(epoch);
        const Index count = std::min(size_, samples_ - first);
        chosen.assign(order_.begin() + first, order_.begin() + first + count);
        return;
    }
    const Random random(config_.seed, "shuffle");
    chosen.clear();
    for (Index i = 0; i < size_; ++i)
        chosen.push_back(
            config_.sampling == Sampling::replacement
                ? static_cast<Index>(random.below(static_cast<std::uint64_t>(samples_),
                                                  static_cast<std::uint64_t>(i),
                                                  {static_cast<std::uint64_t>(step), 1, 0}))
                : (step * size_ + i) % samples_);
}

void BatchPlan::shuffle(Index epoch) {
    if (epoch == epoch_) return;
    epoch_ = epoch;
    order_ = Random(config_.seed, "shuffle")
                 .permutation(samples_, {static_cast<std::uint64_t>(epoch), 0, 0});
}

template <class S>
void augment(network::Batch<S>& batch, const AugmentSettings& a, const network::TensorInfo& input,
             std::uint64_t seed, Index step) {
    if (a.shift == 0 && !a.flip && a.noise == 0) return;
    const Random random(seed, "augment");
    const auto address = static_cast<std::uint64_t>(step);
    if (a.shift > 0 || a.flip) {
        if (input.shape.size() != 3)
            throw Error("augment: shift and flip expect images (channel, height, width)");
        const Index channels = input.shape[0], height = input.shape[1], width = input.shape[2];
        for (Index i = 0; i < batch.samples(); ++i) {
            const auto at = static_cast<std::uint64_t>(i);
            const auto draw = [&](std::uint64_t word) {
                return static_cast<Index>(random.below(static_cast<std::uint64_t>(2 * a.shift + 1),
                                                       at, {address, word, 0})) -
                       a.shift;
            };
            const Index dy = draw(1), dx = draw(2);
            const bool flip = a.flip && random.uniform(at, {address, 3, 0}) < 0.5;
            network::Rows<S> moved = network::Rows<S>::Zero(1, batch.inputs.cols());
            for (Index c = 0; c < channels; ++c)
                for (Index y = 0; y < height; ++y)
                    for (Index x = 0; x < width; ++x) {
                        const Index from_y = y + dy, from_x = (flip ? width - 1 - x : x) + dx;
                        if (from_y >= 0 && from_y < height && from_x >= 0 && from_x < width)
                            moved(0, (c * height + y) * width + x) =
                                batch.inputs(i, (c * height + from_y) * width + from_x);
                    }
            batch.inputs.row(i) = moved;
        }
    }
    for (Index i = 0; a.noise > 0 && i < batch.inputs.size(); ++i)
        batch.inputs.data()[i] +=
            static_cast<S>(a.noise * random.normal(static_cast<std::uint64_t>(i), {address, 4, 0}));
}

template <class S>
void copy_piece(const network::Batch<S>& batch, Index first, Index count,
                network::Batch<S>& piece) {
    const Index steps = batch.weights.size() / batch.samples();
    piece.inputs = batch.inputs.middleRows(first, count);
    const bool values = batch.values.size() > 0;
    piece.values = batch.values.middleRows(values ? first : 0, values ? count : 0);
    piece.classes.clear();
    if (!batch.classes.empty())
        piece.classes.assign(batch.classes.begin() + first * steps,
                             batch.classes.begin() + (first + count) * steps);
    piece.weights = batch.weights.segment(first * steps, count * steps);
    piece.lengths.clear();
    if (!batch.lengths.empty())
        piece.lengths.assign(batch.lengths.begin() + first, batch.lengths.begin() + first + count);
}

template void copy_piece(const network::Batch<double>&, Index, Index, network::Batch<double>&);
template void copy_piece(const network::Batch<float>&, Index, Index, network::Batch<float>&);
template void augment<double>(network::Batch<double>&, const AugmentSettings&,
                              const network::TensorInfo&, std::uint64_t, Index);
template void augment<float>(network::Batch<float>&, const AugmentSettings&,
                             const network::TensorInfo&, std::uint64_t, Index);

} // namespace assay::training
