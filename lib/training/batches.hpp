// Which samples a step of training sees, and how they are varied: functions of (configuration,
// step) alone, so that any step can be made without those before.
#pragma once

#include <assay/network/layer.hpp>
#include <assay/network/loss.hpp>
#include <assay/training/config.hpp>

#include <vector>

namespace assay::training {

class BatchPlan {
  public:
    // Throws Error where a batch is larger than the data (unless they are made online).
    BatchPlan(const TrainingConfig& config, Index samples);
    [[nodiscard]] Index size() const { return size_; }
    [[nodiscard]] Index per_epoch() const { return per_epoch_; }
    // The samples of a step.
    void choose(Index step, std::vector<Index>& chosen);

  private:
    void shuffle(Index epoch);
    const TrainingConfig& config_;
    Index samples_, size_ = 1, per_epoch_ = 1, epoch_ = -1;
    std::vector<std::int64_t> order_;
};

// The steps of a run. Throws Error where the configuration tells neither steps nor epochs.
[[nodiscard]] Index total_steps(const TrainingConfig& config, Index per_epoch);

// Samples first ... first + count - 1 of a batch.
template <class S>
void copy_piece(const network::Batch<S>& batch, Index first, Index count, network::Batch<S>& piece);

// Shifts, flips and noise of images (channel, height, width) and noise of anything, in place.
// Throws Error for shifts and flips of other tensors.
template <class S>
void augment(network::Batch<S>& batch, const AugmentSettings& settings,
             const network::TensorInfo& input, std::uint64_t seed, Index step);

} // namespace assay::training
