// Internal to lib/formats: what the readers of single formats hand to recording_file.
#pragma once

#include <assay/formats/spike_trains.hpp>
#include <assay/formats/stored_array.hpp>
#include <assay/formats/zip_archive.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/hdf5/stream.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace assay::formats {

// A dense array as its file defines it: row-major in `shape`, the last index fastest.
struct DenseArray {
    hdf5::Shape shape;
    std::vector<double> values;
    std::string type{}; // of its numbers in the file, "float32"; empty for what was made here
};
[[nodiscard]] DenseArray collected(const StoredArray& array);

// Rows are units or bins as in the file.
using AnyArray = std::variant<DenseArray, SparseMatrix, SpikeTrains>;

// --- numbers that files state ---
[[nodiscard]] bool is_whole(double value); // and small enough to be exact
// Throw Error where a number is a fraction, or too large to be exact.
[[nodiscard]] std::vector<std::int64_t> whole_numbers(const std::vector<double>& values,
                                                      const std::string& where);
[[nodiscard]] std::vector<std::int64_t> whole_numbers(const hdf5::Dataset& dataset);
// The value; throws Error where it or its inverse is not positive and finite.
double positive_number(double value, const std::string& where);
// Empty where there is no such attribute; throws Error as above.
[[nodiscard]] std::optional<double> positive_attribute(const hdf5::Object& object,
                                                       const std::string& name);

// --- sparse matrices ---
// scipy's name of a compressed form: true for csr, false for csc; throws Error for any other.
[[nodiscard]] bool is_by_row(const std::string& format, const std::string& where);
using SparseEntry = Eigen::Triplet<double, std::int64_t>; // row, column, value
// Entries of equal place are added. Takes one column pointer a column and nothing a row.
[[nodiscard]] SparseMatrix summed_entries(std::vector<SparseEntry> entries, Index rows,
                                          Index columns);
// Checks indptr, indices and shape of a compressed matrix before building it. `by_row`: csr, else
// csc.
[[nodiscard]] SparseMatrix compressed_matrix(const std::vector<double>& data,
                                             const std::vector<std::int64_t>& indices,
                                             const std::vector<std::int64_t>& indptr, Index rows,
                                             Index columns, bool by_row, const std::string& where);

// --- what a file is, and what in it could be a recording ---
enum class FileKind { hdf5, matlab5, npy, npz, text };
// From the content; what cannot be looked into counts as hdf5, whose opening says what is wrong.
[[nodiscard]] FileKind file_kind(const hdf5::Address& address);
// NWB keeps a time series' numbers in <series>/data, time first: the series is what to read.
[[nodiscard]] bool is_time_series(const hdf5::Group& root, const std::string& path);
// The series where `path` is its data, else `path`.
[[nodiscard]] std::string series_of(const hdf5::Group& root, const std::string& path);
// Members that could be a recording, for messages and for files with a single one.
[[nodiscard]] std::vector<std::string> candidates(const hdf5::Group& root);

// --- numpy ---
// The array with its axes in another order: axis i of the result is axis axes[i].
[[nodiscard]] DenseArray permuted(const DenseArray& array, const std::vector<std::size_t>& axes);
// Of bytes that outlive it.
[[nodiscard]] StoredArray npy_array(std::string_view bytes, const std::string& where);
[[nodiscard]] DenseArray parse_npy(std::string_view bytes, const std::string& where);

// Members are read when they are asked for: what nobody needs may be of any kind.
class NpzArchive {
  public:
    explicit NpzArchive(const std::string& path); // throws Error where it is no zip archive
    [[nodiscard]] const std::string& path() const { return archive_.path(); }
    [[nodiscard]] bool has(const std::string& member) const {
        return archive_.has(member + ".npy");
    }
    [[nodiscard]] const std::vector<std::string>& members() const { return members_; }
    [[nodiscard]] DenseArray numbers(const std::string& member) const;
    // The same read later, while the archive lives; throws Error for what holds no numbers.
    [[nodiscard]] StoredArray array(const std::string& member) const;
    [[nodiscard]] std::string text(const std::string& member) const;
    // From the header; empty for a member that holds no numbers.
    [[nodiscard]] std::optional<hdf5::Shape> shape_of(const std::string& member) const;
    // Throws Error where the member does not agree with its checksum.
    void expect_intact(const std::string& member) const;
    // Two-dimensional members of numbers, by name.
    [[nodiscard]] std::vector<std::string> matrices() const;

  private:
    [[nodiscard]] std::string where(const std::string& member) const;
    [[nodiscard]] std::string bytes_of(const std::string& member) const;
    void expect(const std::string& member) const;
    ZipArchive archive_;
    std::vector<std::string> members_; // names without .npy, as in the file
};

// --- MATLAB level 5, through libmatio ---
[[nodiscard]] std::vector<std::string> matlab5_names(const std::string& path);
// Variables that are arrays of more than one number.
[[nodiscard]] std::vector<std::string> matlab5_tensors(const std::string& path);
// Paths of matrices, cells, and fields of structs that are such.
[[nodiscard]] std::vector<std::string> matlab5_arrays(const std::string& path);
[[nodiscard]] AnyArray read_matlab5(const std::string& path, const std::string& variable);
// Its shape is known before its numbers are read. Throws Error for what is no dense array of real
// numbers.
[[nodiscard]] StoredArray matlab5_array(const std::string& path, const std::string& variable);

// --- MATLAB v7.3 and NWB, inside an open HDF5 file ---
[[nodiscard]] bool is_matlab(const hdf5::Group& root, const std::string& path);
// At the top of the file: arrays of more than one number.
[[nodiscard]] std::vector<std::string> matlab73_tensors(const hdf5::Group& root);
[[nodiscard]] AnyArray read_matlab73(const hdf5::Group& root, const std::string& path);
// Throws Error for what is no dense array of numbers.
[[nodiscard]] StoredArray matlab73_array(const hdf5::Group& root, const std::string& path);
[[nodiscard]] SpikeTrains read_nwb_units(const hdf5::Group& units);
// The same, unit by unit. Throws Error where the ragged column or the ids do not fit.
class NwbUnits {
  public:
    explicit NwbUnits(const hdf5::Group& units);
    [[nodiscard]] Index count() const { return static_cast<Index>(ends_.size()); }
    [[nodiscard]] const std::vector<std::int64_t>& ids() const { return ids_; }
    // Of the unit with most.
    [[nodiscard]] Index most_spikes() const;
    // That are read at a time.
    [[nodiscard]] Index spikes_together() const;
    // Calls `take` with each unit and its times in turn.
    void for_each(const std::function<void(Index unit, std::vector<double> times)>& take) const;

  private:
    [[nodiscard]] Index begin(Index unit) const;
    hdf5::Dataset times_;
    std::vector<std::int64_t> ends_, ids_;
};
[[nodiscard]] std::vector<Interval> read_nwb_trials(const hdf5::Group& root);
// When each unit was observed, sorted and disjoint; empty where the file states none.
[[nodiscard]] std::vector<std::vector<Interval>>
read_nwb_observation_of_units(const hdf5::Group& units);
// Intervals in which every unit was observed; empty where the file states none. Throws Error where
// it states some that have no time in common.
[[nodiscard]] std::vector<Interval> read_nwb_observation(const hdf5::Group& units);
// Session time of the first sample and seconds between samples, from starting_time and its rate or
// from `samples` evenly spaced timestamps.
struct Sampling {
    double start = 0, step = 0;
};
[[nodiscard]] Sampling nwb_sampling(const hdf5::Group& series, Index samples);

// --- CSV of unit,time ---
[[nodiscard]] SpikeTrains read_spike_csv(const std::string& text, const std::string& where);

} // namespace assay::formats
