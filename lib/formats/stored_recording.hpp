// Internal to lib/formats: recordings whose numbers stay in their file and are read block by block.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>
#include <assay/formats/mapped_file.hpp>
#include <assay/formats/npy.hpp>
#include <assay/hdf5/object.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace assay::formats {

enum class Major { unit, time }; // what the first index of an array in C order counts

// A dataset of rank 2, or of rank 1: a single unit.
class DatasetRecording : public Recording {
  public:
    // Numbers times `factor` plus `offset`.
    DatasetRecording(hdf5::Dataset dataset, Major major, double factor = 1, double offset = 0);
    // Where chunks last so long that those of all units do not fit into the dataset's cache, each
    // would be unpacked for many a block. A stretch of time is then read at once, as long as a
    // twelfth of `memory` holds, or a quarter of what the whole recording leaves of it. Says so
    // where chunks are read many times all the same.
    void read_stretches(std::int64_t memory, Monitor& monitor);
    [[nodiscard]] Index units() const override;
    [[nodiscard]] Index bins() const override;
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override;

  private:
    struct Stretch {
        Index number = -1;
        Matrix values;
    };
    [[nodiscard]] Matrix stored(Index first_bin, Index count) const;
    [[nodiscard]] Matrix from_stretches(Index first_bin, Index count) const;
    [[nodiscard]] const Matrix& stretch(Index number) const;
    hdf5::Dataset dataset_;
    Major major_;
    double factor_, offset_;
    Index stretch_bins_ = 0; // 0: blocks are read as they are asked for
    // The two read last: threads ask for blocks about in the order of time.
    mutable std::mutex mutex_;
    mutable std::array<Stretch, 2> stretches_;
    mutable std::size_t older_ = 0;
};

// The shape of a dense array of numbers in a MATLAB v7.3 file as MATLAB states it, reversed; empty
// for what is sparse or a cell.
[[nodiscard]] std::optional<hdf5::Shape> matlab73_shape(const hdf5::Group& root,
                                                        const std::string& path);

// An array of rank 2 in a .npy file, mapped into memory.
class NpyRecording : public Recording {
  public:
    NpyRecording(std::shared_ptr<const MappedFile> file, NpyNumbers numbers, Major major);
    [[nodiscard]] Index units() const override { return numbers_.shape[unit_axis_]; }
    [[nodiscard]] Index bins() const override { return numbers_.shape[1 - unit_axis_]; }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override;

  private:
    std::shared_ptr<const MappedFile> file_;
    NpyNumbers numbers_;
    std::size_t unit_axis_;
};

} // namespace assay::formats
