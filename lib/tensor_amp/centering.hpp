// Taking means off a tensor before it is decomposed, so that no component is spent on them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <cstdint>
#include <optional>

namespace assay::tensor_amp {

// The mean of all observed entries, or of each slice of one mode.
struct Centering {
    std::optional<Index> mode; // none: one mean for all
    VectorXd means;            // one, or one a slice; slices without observed entries have 0
};

// The slices of one mode, or all entries as one.
struct Slices {
    Index count = 1, inner = 1;
    [[nodiscard]] Index of(Index entry) const { return entry / inner % count; }
};
// Throws Error for a mode that the shape has not.
[[nodiscard]] ASSAY_API Slices slices_of(const Shape& shape, std::optional<Index> mode);

// Sums over the observed entries, one after the other; where they come from does not matter.
class MeansOfSlices {
  public:
    MeansOfSlices(const Shape& shape, std::optional<Index> mode)
        : slices_(slices_of(shape, mode)), mode_(mode), sums_(VectorXd::Zero(slices_.count)),
          counts_(sums_) {}
    void add(Index entry, double value) {
        const Index slice = slices_.of(entry);
        sums_(slice) += value;
        counts_(slice) += 1;
    }
    [[nodiscard]] Centering centering() const {
        return {mode_, sums_.cwiseQuotient(counts_.cwiseMax(1))};
    }

  private:
    Slices slices_;
    std::optional<Index> mode_;
    VectorXd sums_, counts_;
};

// Subtracts the means from the observed ones of `count` entries from `first` on (flags may be
// null).
template <class Scalar>
ASSAY_API void subtract(const Centering& centering, const Shape& shape, Scalar* values,
                        const std::uint8_t* observed, Index first, Index count);
// Subtracts the means and returns them. Throws Error for a mode that the tensor has not.
template <class Scalar>
ASSAY_API Centering subtract_means(TensorOf<Scalar>& tensor, std::optional<Index> mode);

// The mean of all observed entries; one pass.
[[nodiscard]] ASSAY_API double mean_value(const TensorSource& source, const Execution& run);

} // namespace assay::tensor_amp
