// Internal to lib/formats: the segments of a recording that is being opened, and when in the
// session they lie, from arrays beside its data.
#pragma once

#include <assay/formats/recording_file.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace assay::formats {

// Arrays beside the data, by their paths in the file.
struct Neighbours {
    std::function<bool(const std::string&)> has;
    std::function<std::vector<double>(const std::string&)> numbers;
    std::function<std::string(const std::string&)> place; // in messages
};

// First bins of segments, ascending from 0. Times that are known stay those of the session. Throws
// Error, with `where`, for others.
void adopt_segments(OpenedRecording& opened, const std::vector<std::int64_t>& starts,
                    const std::string& where);
void adopt_segments_at(OpenedRecording& opened, const Neighbours& file, const std::string& path);

// segment_start and segment_time in `folder`; --segments cuts anew, in the time that the file
// tells. A file without a width of bins has that of --dt.
void adopt_segmentation(OpenedRecording& opened, const Neighbours& file, const std::string& folder,
                        const RecordingOptions& o);

} // namespace assay::formats
