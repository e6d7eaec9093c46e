// Internal to lib/formats: what the readers of single formats hand to recording_file.
#pragma once

#include <assay/formats/spike_trains.hpp>
#include <assay/hdf5/object.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace assay::formats {

// A dense array as its file defines it: row-major in `shape`, the last index fastest.
struct DenseArray {
    hdf5::Shape shape;
    std::vector<double> values;
};

// Rows are units or bins as in the file.
using AnyArray = std::variant<DenseArray, SparseMatrix, SpikeTrains>;

// Checks indptr, indices and shape of a compressed matrix before building it. `by_row`: csr, else
// csc.
[[nodiscard]] SparseMatrix compressed_matrix(const std::vector<double>& data,
                                             const std::vector<std::int64_t>& indices,
                                             const std::vector<std::int64_t>& indptr, Index rows,
                                             Index columns, bool by_row, const std::string& where);

// --- numpy ---
struct NumpyArray {
    DenseArray array;
    std::string text; // of a string array
};
[[nodiscard]] NumpyArray parse_npy(const std::string& bytes, const std::string& where);
[[nodiscard]] std::map<std::string, NumpyArray> read_npz(const std::string& path);

// --- MATLAB level 5, through libmatio ---
[[nodiscard]] std::vector<std::string> matlab5_names(const std::string& path);
[[nodiscard]] AnyArray read_matlab5(const std::string& path, const std::string& variable);

// --- MATLAB v7.3 and NWB, inside an open HDF5 file ---
[[nodiscard]] bool is_matlab(const hdf5::Group& root, const std::string& path);
[[nodiscard]] AnyArray read_matlab73(const hdf5::Group& root, const std::string& path);
[[nodiscard]] SpikeTrains read_nwb_units(const hdf5::Group& units);
[[nodiscard]] std::vector<Interval> read_nwb_trials(const hdf5::Group& root);
// Intervals in which every unit was observed; empty where the file states none.
[[nodiscard]] std::vector<Interval> read_nwb_observation(const hdf5::Group& units);
// Seconds between samples, from starting_time's rate or from evenly spaced timestamps.
[[nodiscard]] double nwb_sample_interval(const hdf5::Group& series);

// --- CSV of unit,time ---
[[nodiscard]] SpikeTrains read_spike_csv(const std::string& text, const std::string& where);

} // namespace assay::formats
