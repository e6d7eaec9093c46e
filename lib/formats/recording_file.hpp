// Recordings in whatever file a lab has them: HDF5 of any layout, NWB, MATLAB v7.3 and level 5, npy
// and npz, CSV of spike times. The kind of file is told from its content.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording_facts.hpp>
#include <assay/formats/spike_trains.hpp>
#include <assay/hdf5/stream.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::formats {

enum class TimeAxis { automatic, first, second };
enum class Negatives { error, clip, offset };
enum class Scale { none, l2, l1, max, max_p95 };
enum class Missing { error, nan };
enum class SilentUnits { keep, drop };

struct RecordingOptions {
    std::string dataset; // path in the file; empty: /data/X, or the only candidate
    TimeAxis time_axis = TimeAxis::automatic;
    std::string segments; // path of first bins; empty: beside the data, where there are any
    std::string mask;     // path of a 0/1 array, 1 = used
    Missing missing = Missing::error;
    Negatives negatives = Negatives::error;
    Scale scale = Scale::none;
    Vector unit_scale;        // factors given for the units, in place of `scale`; empty for none
    std::optional<double> dt; // seconds per bin; needed where the file states none
    std::optional<double> start, stop; // session time, seconds: only what starts in between
    std::string times, ids;            // paths of two vectors, instead of `dataset`
    bool trials = false;               // NWB: one segment a trial
    SilentUnits silent_units = SilentUnits::keep; // of spike times
    std::int64_t memory = 0; // a recording within a quarter of it is read at once
};

struct ASSAY_API OpenedRecording {
    std::unique_ptr<Recording> recording;
    std::vector<double> segment_seconds; // session time of each segment; empty as in RecordingFacts
    std::string name;                    // "rec.h5:/data/X"
    std::unique_ptr<Recording> mask;     // 0/1, where one was given
    Vector unit_scale;                   // what each unit was multiplied by; empty for none
    std::int64_t outside = 0;            // spikes outside the binned time
    Index silent = 0;                    // units of spike times without a spike in the binned time
    bool counts = false;                 // spike counts
    [[nodiscard]] RecordingFacts facts() const;
};

// How to get an HDF5 file open (and noted for provenance), and how to note another.
struct Opener {
    std::function<hdf5::InputFile&(const hdf5::Address&)> hdf5;
    std::function<void(const std::string& name)> foreign;
};

// Throws Error that names file, path, what was found and what was expected; candidates are listed.
[[nodiscard]] ASSAY_API OpenedRecording open_recording(const hdf5::Address& address,
                                                       const RecordingOptions& options,
                                                       const Opener& opener, Monitor& monitor);

// Spike times of a file: NWB units, MATLAB cells, two vectors, or CSV.
[[nodiscard]] ASSAY_API SpikeTrains open_spikes(const hdf5::Address& address,
                                                const RecordingOptions& options,
                                                const Opener& opener);

// Paths in a file that open_recording or open_spikes can read, for completion; empty for a file
// without paths (npy, text) and for one that cannot be read. Never throws.
[[nodiscard]] ASSAY_API std::vector<std::string> list_arrays(const std::string& file);

} // namespace assay::formats
