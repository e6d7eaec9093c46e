// Rows of a dataset (along its first axis) for data that are read in any order, again and again:
// whole in memory in the type they are stored in, or on disk, where a plain contiguous dataset is
// read in place and any other is unpacked once into a temporary file without a name. Once made it
// calls HDF5 no more, so that threads may read at the same time.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <memory>
#include <string>

namespace assay::hdf5 {

enum class RowPlace { memory, disk };

class ASSAY_API RowStore {
  public:
    // `dataset` has at least one axis and was opened for reading by rows; `directory` is for the
    // temporary file. Throws Error where numbers cannot be read, or the folder has no room for
    // them.
    RowStore(const Dataset& dataset, RowPlace place, const std::string& directory);
    ~RowStore();
    RowStore(RowStore&&) noexcept;
    RowStore& operator=(RowStore&&) noexcept;

    [[nodiscard]] Index rows() const;
    [[nodiscard]] Index row_size() const; // numbers
    [[nodiscard]] const std::string& where() const;
    // Rows `first` ... `first + count - 1`, converted to T (double, or int64 for datasets of
    // integers). Throws Error where reading fails, or an integer leaves 63 bits.
    template <class T>
    void read(Index first, Index count, T* out) const;
    // The rows are needed soon: on disk the system begins to fetch them.
    void announce(Index first, Index count) const;
    // Bytes that a dataset takes in memory.
    [[nodiscard]] static double bytes(const Dataset& dataset);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay::hdf5
