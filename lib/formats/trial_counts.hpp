// Spikes of an NWB session counted about an event of every trial: unit x time x trial.
#pragma once

#include <assay/core/export.hpp>
#include <assay/formats/dense_file.hpp>
#include <assay/formats/spike_trains.hpp>

#include <string>

namespace assay::formats {

struct TrialWindow {
    double dt = 0;                    // seconds a bin
    Interval around;                  // seconds from the event
    std::string event = "start_time"; // a column of /intervals/trials
    bool gaps = false;                // whether trials may lack the event: NaN all through
};

// Counts as bin_spikes makes them, of the units at the address (/units where it names none); NaN in
// bins in which a unit was not observed (obs_intervals, where the file has them). Windows of
// neighbouring trials may overlap. Spikes are read and counted unit by unit as the array is. Throws
// Error for a file without units or trials, an event without a time (unless there may be gaps; that
// all lack it is an error too), and a window that is no whole number of bins.
[[nodiscard]] ASSAY_API DenseFile trial_counts(const hdf5::Address& address,
                                               const TrialWindow& window, const Opener& opener);

} // namespace assay::formats
