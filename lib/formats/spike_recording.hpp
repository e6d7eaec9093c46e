// Internal to lib/formats: spike times made the recording that is being opened, counts in bins.
#pragma once

#include <assay/formats/recording_file.hpp>
#include <assay/formats/spike_trains.hpp>

#include <vector>

namespace assay::formats {

// Bins of o.dt in `intervals`, or where there are none from o.start or the first spike to o.stop or
// the last; silent units as o.silent_units says. Throws Error where o.dt is not given.
void take_spikes(OpenedRecording& opened, SpikeTrains trains,
                 const std::vector<Interval>& intervals, const RecordingOptions& o);

} // namespace assay::formats
