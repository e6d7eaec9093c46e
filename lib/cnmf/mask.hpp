// Entries of a recording that a fit must not see: missing values, a user's mask, or a random
// hold-out. They are kept as a list, never as an array. Fits treat them by majorisation: before
// each half-step the model's own values stand in.
#pragma once

#include <assay/cnmf/time_axis.hpp>
#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace assay::cnmf {

struct HoldOut {
    double share = 0; // probability of an entry (or run of entries) to be held out
    Index block = 1;  // bins of one unit held out together: neighbours of smooth data leak
    std::uint64_t seed = 0;
    std::uint64_t repetition = 0;
};

class ASSAY_API Mask {
  public:
    // Nothing masked.
    Mask() = default;
    // Entries with used(unit, bin) == false, asked bin by bin, are masked.
    Mask(Index units, Index bins, const std::function<bool(Index unit, Index bin)>& used);
    // A counter-based hash of (seed, repetition, unit, bin / block) decides: the same entries for
    // every model.
    static Mask held_out(Index units, Index bins, const HoldOut& hold_out);
    // Masked by either.
    [[nodiscard]] Mask united(const Mask& other) const;

    [[nodiscard]] bool empty() const { return units_.empty(); }
    [[nodiscard]] Index count() const { return static_cast<Index>(units_.size()); }
    [[nodiscard]] Index bins() const { return static_cast<Index>(bin_start_.size()) - 1; }
    // Masked units of a bin, ascending.
    struct Units {
        const std::int32_t* first;
        const std::int32_t* last;
        [[nodiscard]] const std::int32_t* begin() const { return first; }
        [[nodiscard]] const std::int32_t* end() const { return last; }
    };
    [[nodiscard]] Units units_of(Index bin) const;

    // Errors and warnings of section 10: everything masked throws Error; units and stretches of
    // `lags` bins that are masked throughout, and more than half masked, warn.
    void check(Index units, Index bins, Index lags, Monitor& monitor) const;

  private:
    std::vector<std::int64_t> bin_start_; // bins + 1 offsets into units_
    std::vector<std::int32_t> units_;
};

// Asks `used` of the values of a recording, for the constructor of Mask: bins must be asked in
// ascending order, so that every block is read once.
[[nodiscard]] ASSAY_API std::function<bool(Index unit, Index bin)>
by_value(const Recording& recording, std::function<bool(double)> used);

// A recording with its masked entries read as 0: what the data products see. `recording` must
// outlive it.
class ASSAY_API MaskedRecording : public Recording {
  public:
    MaskedRecording(const Recording& recording, const Mask& mask);
    [[nodiscard]] Index units() const override { return recording_->units(); }
    [[nodiscard]] Index bins() const override { return recording_->bins(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override;
    [[nodiscard]] SparseMatrix read_sparse(Index first_bin, Index count) const override;
    [[nodiscard]] bool in_memory() const override { return recording_->in_memory(); }

  private:
    const Recording* recording_;
    const Mask* mask_;
};

// What a fit must not see, beside the data that the products hold there: held-out entries stay in
// the data and are taken out of every product, excluded ones (missing values, a user's mask) are 0
// in the data already.
struct ASSAY_API Unseen {
    Mask mask;                  // excluded and held out
    std::vector<double> stored; // the data's value at each masked entry, 0 where excluded
    std::vector<bool> tested;   // where held out: the entry has a true value to predict
    double stored_power = 0;    // sum of stored^2

    Unseen() = default;
    // `data` is the recording with excluded entries read as 0.
    Unseen(const Recording& data, const Mask& excluded, const Mask& held_out);
};

// The model's values at the unseen entries, in the order of the mask, and what they add to the data
// products.
class ASSAY_API Imputation {
  public:
    Imputation(const Unseen& unseen, const TimeAxis& axis) : unseen_(&unseen), axis_(&axis) {}
    // Xhat at every masked entry: dots of two contiguous stretches of K L numbers.
    void evaluate(const Matrix& motifs, const TimeMatrix& activations, const Execution& run);
    [[nodiscard]] const std::vector<double>& values() const { return values_; }
    // Adds (Xhat - stored) U^T of `activations` to `sum` (units x K L): afterwards Xhat stands in
    // for the data.
    void add_to(Matrix& sum, const TimeMatrix& activations, const Execution& run) const;
    // The same for transconv with the motifs (rows x K).
    void add_to(TimeMatrix& sum, const Matrix& motifs, const Execution& run) const;
    // Squared error over the tested entries.
    [[nodiscard]] double test_error() const;

  private:
    const Unseen* unseen_;
    const TimeAxis* axis_;
    std::vector<double> values_;
};

} // namespace assay::cnmf
