// A split of samples in an HDF5 group: `inputs`, and `targets`, `lengths`, `mask` where they are.
// Integer targets of one number a row are classes. Arrays stay in the type they are stored in; what
// exceeds the memory allowed stays on disk (hdf5/row_store.hpp).
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/row_store.hpp>
#include <assay/network/sample_source.hpp>

#include <limits>
#include <optional>
#include <string>

namespace assay::network {

class ASSAY_API SampleFile : public SampleSource {
  public:
    // As `memory`: all samples will be read at once, so that they must fit as float64 too.
    static constexpr double kWhole = std::numeric_limits<double>::infinity();
    // `memory`: bytes that the arrays may take together. `directory` is for temporary files. Throws
    // Error where arrays do not fit each other, or the machine.
    SampleFile(const hdf5::Group& group, double memory, const std::string& directory);
    [[nodiscard]] Index count() const override { return inputs_->rows(); }
    void read(const std::vector<Index>& chosen, Samples& into) const override;
    void announce(const std::vector<Index>& chosen) const override;
    // Whether arrays are read from disk.
    [[nodiscard]] bool on_disk() const { return place_ == hdf5::RowPlace::disk; }
    // What the arrays take of the memory allowed.
    [[nodiscard]] double memory() const { return bytes_; }

  private:
    Samples form_; // shapes
    hdf5::RowPlace place_ = hdf5::RowPlace::memory;
    double bytes_ = 0;
    std::optional<hdf5::RowStore> inputs_, targets_, mask_;
    bool classes_ = false;
    std::vector<Index> lengths_;
};

} // namespace assay::network
