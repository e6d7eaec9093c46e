#include <assay/formats/stored_recording.hpp>

#include <assay/core/error.hpp>
#include <assay/hdf5/chunks.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::formats {
namespace {

constexpr Index kLeastStretch = 4096;       // bins: the blocks in which recordings are read
constexpr double kShareOfMemory = 1.0 / 12; // two stretches are kept while a third is read
constexpr double kShareOfRest = 1.0 / 4;    // of what all numbers leave of it
constexpr Index kFewReads = 8;              // of a chunk in one pass

} // namespace

DatasetRecording::DatasetRecording(hdf5::Dataset dataset, Major major, double factor, double offset)
    : dataset_(std::move(dataset)), major_(major), factor_(factor), offset_(offset) {}

Index DatasetRecording::units() const {
    if (dataset_.rank() == 1) return 1;
    return dataset_.shape()[major_ == Major::time ? 1 : 0];
}

Index DatasetRecording::bins() const {
    if (dataset_.rank() == 1) return dataset_.shape()[0];
    return dataset_.shape()[major_ == Major::time ? 0 : 1];
}

void DatasetRecording::read_stretches(std::int64_t memory, Monitor& monitor) {
    const hdf5::Shape chunk = hdf5::chunk_shape(dataset_);
    if (chunk.size() != 2) return;
    const Index across = chunk[major_ == Major::time ? 1 : 0],
                along = std::min(chunk[major_ == Major::time ? 0 : 1], bins());
    if (along <= kLeastStretch) return;
    const double chunks = std::ceil(static_cast<double>(units()) / static_cast<double>(across));
    const double bytes = chunks * static_cast<double>(chunk[0]) * static_cast<double>(chunk[1]) *
                         dataset_.element_bytes();
    if (bytes <= static_cast<double>(hdf5::chunk_cache(dataset_))) return;
    const double left = static_cast<double>(memory) -
                        8.0 * static_cast<double>(units()) * static_cast<double>(bins());
    const double room = std::max(kShareOfMemory * static_cast<double>(memory), kShareOfRest * left);
    stretch_bins_ = std::clamp(static_cast<Index>(room / (8.0 * static_cast<double>(units()))),
                               kLeastStretch, along);
    if (const Index reads = along / stretch_bins_; reads > kFewReads)
        monitor.info(concat( // no warning: what is stored with a result does not know of memory
            dataset_.where(), ": its chunks of ", chunk[0], " x ", chunk[1],
            " numbers are read about ", reads,
            " times in every pass; more --memory, or a copy by h5repack -l ", dataset_.path(),
            ":CHUNK=", major_ == Major::time ? "4096x64" : "64x4096", ", reads faster"));
}

Matrix DatasetRecording::stored(Index first_bin, Index count) const {
    Matrix block(units(), count);
    if (dataset_.rank() == 1)
        dataset_.read_box<double>({first_bin}, {count}, block.data());
    else if (major_ == Major::time)
        dataset_.read_box<double>({first_bin, 0}, {count, units()}, block.data());
    else {
        RowMatrix rows(units(), count);
        dataset_.read_box<double>({0, first_bin}, {units(), count}, rows.data());
        block = rows;
    }
    if (factor_ != 1 || offset_ != 0) block = (block.array() * factor_ + offset_).matrix();
    return block;
}

const Matrix& DatasetRecording::stretch(Index number) const {
    for (std::size_t i = 0; i < stretches_.size(); ++i)
        if (stretches_[i].number == number) {
            older_ = 1 - i;
            return stretches_[i].values;
        }
    Stretch& replaced = stretches_[older_];
    replaced = {}; // before the new one is made
    const Index first = number * stretch_bins_;
    replaced.values = stored(first, std::min(stretch_bins_, bins() - first));
    replaced.number = number;
    older_ = 1 - older_;
    return replaced.values;
}

Matrix DatasetRecording::from_stretches(Index first_bin, Index count) const {
    Matrix block(units(), count);
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Index done = 0; done < count;) {
        const Index number = (first_bin + done) / stretch_bins_;
        const Matrix& values = stretch(number);
        const Index inside = first_bin + done - number * stretch_bins_,
                    extent = std::min(count - done, values.cols() - inside);
        block.middleCols(done, extent) = values.middleCols(inside, extent);
        done += extent;
    }
    return block;
}

Matrix DatasetRecording::read(Index first_bin, Index count) const {
    return stretch_bins_ > 0 ? from_stretches(first_bin, count) : stored(first_bin, count);
}

NpyRecording::NpyRecording(std::shared_ptr<const MappedFile> file, NpyNumbers numbers, Major major)
    : file_(std::move(file)), numbers_(std::move(numbers)),
      unit_axis_(major == Major::time ? 1 : 0) {}

Matrix NpyRecording::read(Index first_bin, Index count) const {
    // How far apart neighbours along each axis stand in the file.
    std::array<Index, 2> steps{1, 1};
    const bool first_fastest = numbers_.fastest == Fastest::first_index;
    steps[first_fastest ? 1 : 0] = numbers_.shape[first_fastest ? 0 : 1];
    const Index by_unit = steps[unit_axis_], by_bin = steps[1 - unit_axis_];
    Matrix block(units(), count);
    // Along the file.
    if (by_unit == 1)
        for (Index t = 0; t < count; ++t)
            for (Index n = 0; n < block.rows(); ++n)
                block(n, t) = numbers_(n + (first_bin + t) * by_bin);
    else
        for (Index n = 0; n < block.rows(); ++n)
            for (Index t = 0; t < count; ++t) block(n, t) = numbers_(n * by_unit + first_bin + t);
    return block;
}

} // namespace assay::formats
