// Results of line attractors, input effects, mode responses and predictions in HDF5, and back.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/input_analysis.hpp>
#include <assay/fixedpoints/line.hpp>
#include <assay/fixedpoints/mode_response.hpp>
#include <assay/fixedpoints/mode_tracking.hpp>
#include <assay/fixedpoints/prediction.hpp>
#include <assay/hdf5/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// Words of enumerations in files, in the order of their numbers.
inline constexpr const char* kCoordinateMethods = "lle,pca,arc";
inline constexpr const char* kWordClasses = "none,positive,negative,neutral";

// /fixedpoints/attractor. Axis `line` counts constant inputs (rows of find/inputs); entries of
// inputs and points without a line are NaN.
struct AttractorFacts {
    Index inputs = 0;                        // searched constant inputs
    std::optional<Dimensionality> untrained; // states of the untrained network
    std::vector<EigenSystem> stations;       // at the stations, line after line
    std::string data_digest;
};
ASSAY_API void write_attractor(hdf5::Group group, const LineAttractors& lines, const Points& points,
                               const AttractorFacts& facts);
// Axes and theta, as they are written.
[[nodiscard]] ASSAY_API LineFrame line_frame(const LineAttractors& lines, Index inputs,
                                             Index points);
// Axes and theta as they were written. Throws Error that names the dataset where shapes are not
// those of `points`.
[[nodiscard]] ASSAY_API LineFrame read_line_frame(const hdf5::Group& group, Index inputs,
                                                  const Points& points);

// /fixedpoints/inputs.
struct InputFacts {
    std::vector<Index> tokens; // ids of the words; empty: probes
    RowMatrix probes;          // V x raw inputs, where there are no tokens
    std::optional<WordStatistics> statistics;
    Vector valences;             // V true valences; empty: not known
    Vector valence_correlation;  // P
    double network_accuracy = 0; // NaN: not known
    Index mode = 0;
};
ASSAY_API void write_inputs(hdf5::Group group, const InputEffects& effects,
                            const InputFacts& facts);

// /fixedpoints/modes.
struct ModeFacts {
    RowMatrix probes; // as they were given
    ProbeKind kind = ProbeKind::deviation;
    Index inputs = 0, horizon = 0, readout = 0;
};
// Modes followed along the line of one input.
struct TrackedLine {
    Index input = 0;
    std::vector<Index> points; // rows of all points; LineModes counts within them
    LineModes modes;
};
ASSAY_API void write_modes(hdf5::Group group, const std::vector<InputResponse>& responses,
                           const std::vector<TrackedLine>& tracked, const ModeFacts& facts);

// /fixedpoints/predict.
struct PredictFacts {
    LinearCenter center = LinearCenter::point;
    Index steps = 1;
    RowMatrix loop_quantiles;       // time x level; empty: no closed loop
    std::optional<ClosedLoop> loop; // its errors
    std::optional<Decisions> decisions;
    std::string data_digest;
};
ASSAY_API void write_prediction(hdf5::Group group, const Prediction& prediction,
                                const PredictFacts& facts);

} // namespace assay::fixedpoints
