// A tensor larger than memory, streamed from HDF5 in every pass over it.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/core/parallel.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/centering.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace assay::tensor_amp {

struct StreamedTensorSettings {
    Storage storage = Storage::float64;
    std::int64_t memory_bytes = std::int64_t{2} << 30; // for the two buffers together
    bool missing_nan = false;                          // NaN means unobserved
    std::optional<Centering> centering; // to be taken off; the survey finds the means
    bool symmetric = false; // equal under permutations; entries with repeated indices become 0
};

// A tensor in an HDF5 dataset, read anew in every pass: one thread reads the next block while the
// last one is worked on. One pass at a time. Of ranks that share the passes each reads its own
// groups of slabs, and keeps them where all of them fit into the memory.
class ASSAY_API StreamedTensor final : public TensorSource {
  public:
    // `mask` (1 = observed) has the shape of `values`. Throws Error where the shapes differ, a
    // dataset is not numeric, or two blocks do not fit into the memory.
    StreamedTensor(hdf5::Dataset values, std::optional<hdf5::Dataset> mask,
                   const StreamedTensorSettings& settings);
    ~StreamedTensor() override;
    [[nodiscard]] bool masked() const override { return mask_ || settings_.missing_nan || hidden_; }
    // With the same buffers: of the two, only one at a time may be passed through.
    [[nodiscard]] std::unique_ptr<TensorSource> without(const Hidden& hidden,
                                                        const Execution& run) const override;
    // Goes through both datasets once, before all passes, and throws Error as read_tensor does:
    // where a flag is neither 0 nor 1, nothing was observed, or a value is not finite (NaN may mean
    // unobserved; without any the sums are those of a whole tensor), or a symmetric tensor is none.
    // Throws Interrupted where the monitor asks for it: nothing is lost.
    void survey(Monitor& monitor);
    // Whether all observed values were equal in the survey.
    [[nodiscard]] bool constant() const { return constant_; }
    // As the survey found it.
    [[nodiscard]] const std::optional<Centering>& centering() const { return settings_.centering; }

  private:
    struct Buffers;
    // Rows that are read together. Of ranks that share, parts of one group.
    struct Step {
        RowBlock rows;
        Index place = 0; // of its first row in the buffer
    };
    [[nodiscard]] Index row_bytes() const;
    [[nodiscard]] Index rows_together(Index buffers) const;
    [[nodiscard]] std::vector<Step> steps() const;
    void expect_symmetry(double largest, Monitor& monitor) const;
    template <class Scalar>
    void read_values(Index begin, Index rows, std::uint8_t* observed, Scalar* out) const;
    void go_through(Content content, const Visitor& body) const override;
    template <class Scalar>
    void stream(Content content, const Visitor& body) const;
    template <class Scalar>
    void fill(const Step& step, std::size_t buffer, bool with_values) const;
    template <class Scalar>
    [[nodiscard]] RowBlock filled(const Step& step, std::size_t buffer, bool with_values) const;
    hdf5::Dataset values_;
    std::optional<hdf5::Dataset> mask_;
    StreamedTensorSettings settings_;
    Hidden hidden_;
    bool constant_ = false;
    std::shared_ptr<Buffers> buffers_;
};

} // namespace assay::tensor_amp
