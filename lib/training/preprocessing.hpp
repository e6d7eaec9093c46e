// What is done to the data of a run before it learns from them: a part is held out, inputs are
// scaled and standardised by statistics of the training split. The run keeps it, so that whoever
// reads raw data later can do the same again.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/training/config.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::training {

// Inputs x become (scale x - mean) factor. `mean` and `factor` have one number for every stretch of
// inputs / groups consecutive numbers of a sample: for every number, every channel, or one for all.
struct Preprocessing {
    double scale = 1;
    std::string standardize = "none"; // the kind of DataSettings
    std::vector<double> mean, factor; // as long as each other; empty: not standardised
    Index inputs = 0;                 // numbers of a sample
    std::vector<Index> held_out; // rows of the training split, in the order of the held-out part

    [[nodiscard]] bool changes_inputs() const { return scale != 1 || !mean.empty(); }
    [[nodiscard]] bool does_something() const { return changes_inputs() || !held_out.empty(); }
};

// Scale and statistics of `train` (as it is before scaling), by population variance; where a
// deviation is 0 the factor is 1. Cost: one pass over the inputs.
[[nodiscard]] ASSAY_API Preprocessing measure_inputs(const network::SampleSource& train,
                                                     const DataSettings& settings);
// Scales and standardises in place. Throws Error where a sample has other than `inputs` numbers.
ASSAY_API void apply(const Preprocessing& preprocessing, network::Samples& samples);

// Some samples of another source, prepared as they are read.
class ASSAY_API PreparedSamples : public network::SampleSource {
  public:
    // `rows`: which samples of `base`; none: all.
    PreparedSamples(std::shared_ptr<const network::SampleSource> base,
                    std::optional<std::vector<Index>> rows, Preprocessing preprocessing);
    [[nodiscard]] Index count() const override;
    void read(const std::vector<Index>& chosen, network::Samples& into) const override;
    void announce(const std::vector<Index>& chosen) const override;

  private:
    [[nodiscard]] std::vector<Index> in_base(const std::vector<Index>& chosen) const;
    std::shared_ptr<const network::SampleSource> base_;
    std::optional<std::vector<Index>> rows_;
    Preprocessing preprocessing_;
};

// Which rows of `count` samples are held out where `fraction` stay for training, by seed. Throws
// Error where one of the two parts is empty.
[[nodiscard]] ASSAY_API std::vector<Index> held_out_rows(Index count, double fraction,
                                                         std::uint64_t seed);
// Some rows of samples, in the order given.
[[nodiscard]] ASSAY_API network::Samples choose_rows(const network::Samples& samples,
                                                     const std::vector<Index>& rows);
// The rows below `count` that are not held out, ascending.
[[nodiscard]] ASSAY_API std::vector<Index> other_rows(Index count,
                                                      const std::vector<Index>& held_out);

// What one pass over raw data tells of them.
struct Survey {
    std::string digest; // of inputs, targets, lengths and mask: tells whether data are the same
    std::int64_t largest_class = -1;
    double largest_input = 0;
};
// Throws Error where an input is not finite; `place` is the split's, for the message.
[[nodiscard]] ASSAY_API Survey survey(const network::SampleSource& samples,
                                      const std::string& place);
// Whether a digest that a file holds was made as `survey` makes them; one of an earlier form tells
// nothing.
[[nodiscard]] ASSAY_API bool comparable(const std::string& digest);

} // namespace assay::training
