// Results of lib/cnmf in HDF5, and back: fits and their states (cnmf_io.cpp), models
// (model_io.cpp), what is found with them (result_io.cpp), grids (select_io.cpp), recordings
// (recording_io.cpp).
#pragma once

#include <assay/cnmf/compare.hpp>
#include <assay/cnmf/events.hpp>
#include <assay/cnmf/extent.hpp>
#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/select.hpp>
#include <assay/cnmf/significance.hpp>
#include <assay/cnmf/synth.hpp>
#include <assay/core/export.hpp>
#include <assay/core/recording_facts.hpp>
#include <assay/hdf5/object.hpp>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace assay::cnmf {

// What stands beside a model in a file.
struct ModelFacts : RecordingFacts {
    Vector unit_scale; // empty: none
};

enum class Timing { keep, omit };

// W (K,N,L) and, where there are any, H (K,T), segment_start, segment_time, unit_id, dt,
// unit_scale. `precision` float32 stores W and H so.
ASSAY_API void write_model(hdf5::Group group, const Model& model, const ModelFacts& facts,
                           Precision precision = Precision::float64);
// Any group with W (K,N,L) and perhaps H (K,T); of a transform with time warps, W (warp,K,N,L) and
// H (warp,K,T), whose components are those of the first warp, then of the next. Throws Error that
// names shapes found and expected.
[[nodiscard]] ASSAY_API Model read_model(const hdf5::Group& group);
// What stands beside `model` in its group. Throws Error where the two contradict each other.
[[nodiscard]] ASSAY_API ModelFacts read_facts(const hdf5::Group& group, const Model& model);
// The group of the model that was made last: a result of fit, transform or align stands before what
// it was made from. "/cnmf/fit" where there is none.
[[nodiscard]] ASSAY_API std::string newest_model(const hdf5::Group& root);
// W and/or H of a start.
[[nodiscard]] ASSAY_API StartSpec read_start(const hdf5::Group& group);

struct FitWriting {
    ModelFacts facts;
    Precision precision = Precision::float64;
    Timing timing = Timing::keep;
    std::string warnings;
    std::string data_digest;
    Normalization normalization = Normalization::h_l2;
};
ASSAY_API void write_fit(hdf5::Group group, const FitResult& result, const FitOptions& options,
                         const FitWriting& writing);

// Attribute `warnings`, where there are any: those that the result's reader should know.
ASSAY_API void write_warnings(hdf5::Group group, const std::string& warnings);

// The resumable state.
ASSAY_API void write_state(hdf5::Group group, const FitState& state);
[[nodiscard]] ASSAY_API FitState read_state(const hdf5::Group& group);

// `model`: the motifs of all warps, with the activations found.
ASSAY_API void write_transform(hdf5::Group group, const Model& model, const TransformResult& result,
                               const std::vector<double>& warps, const ModelFacts& facts);
ASSAY_API void write_comparison(hdf5::Group group, const Comparison& comparison);
ASSAY_API void write_significance(hdf5::Group group, const Significance& result, double alpha);
// skewness, null and p. Throws Error where their lengths differ.
[[nodiscard]] ASSAY_API Significance read_significance(const hdf5::Group& group);
// Power explained of each unit, NaN for a silent one.
ASSAY_API void write_unit_r2(hdf5::Group group, const Evaluation& evaluation);
ASSAY_API void write_unit_r2(hdf5::Group group, const Vector& unit_r2);
// Throws Error where it has not one entry a unit of the model.
[[nodiscard]] ASSAY_API Vector read_unit_r2(const hdf5::Group& group, const Model& model);
ASSAY_API void write_events(hdf5::Group group, const Events& events, const ModelFacts& facts,
                            const std::optional<EventScore>& score);
[[nodiscard]] ASSAY_API Events read_truth_events(const hdf5::Group& truth);
ASSAY_API void write_extent(hdf5::Group group, const Extent& result, const RecordingFacts& facts);
ASSAY_API void write_sequenciness(hdf5::Group group, const Sequenciness& result);
ASSAY_API void write_unit_order(hdf5::Group group, const UnitOrder& order);

// Flat columns, one row a fit, in the order of points; `points` is the whole grid's size.
struct SelectTable {
    std::vector<SelectRow> rows;
    Index points = 0;
    int shard = 1, shards = 1;
    std::string digest;
    std::set<std::string> warnings{}; // of the data, the grid and the fits
};
ASSAY_API void write_select(hdf5::Group group, const SelectTable& table);
[[nodiscard]] ASSAY_API SelectTable read_select(const hdf5::Group& group);

// /data and /truth of a synthetic recording, written block by block.
enum class StoredValues { float64, float32, counts };
ASSAY_API void write_recording(hdf5::Group data, const Recording& recording,
                               const RecordingFacts& facts, StoredValues values,
                               const std::string& description, Monitor& monitor);
// Counts as uint16, or below 5 % density as a csc group (data, indices, indptr, shape); returns
// their sum.
ASSAY_API std::int64_t write_counts(hdf5::Group data, const Recording& recording,
                                    const RecordingFacts& facts, Monitor& monitor);
ASSAY_API void write_truth(hdf5::Group truth, const Synthetic& synthetic);
// Xhat of a model, block by block.
ASSAY_API void write_reconstruction(hdf5::Group data, const Model& model, const ModelFacts& facts,
                                    Monitor& monitor);

} // namespace assay::cnmf
