#include <assay/formats/segmentation.hpp>

#include <assay/core/error.hpp>
#include <assay/formats/arrays.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace assay::formats {
namespace {

void adopt_segment_times(OpenedRecording& opened, const std::vector<double>& seconds,
                         const std::string& where) {
    const std::size_t segments = opened.recording->segment_start.size();
    if (seconds.size() != segments)
        throw Error(concat(where, ": has ", seconds.size(), " entries; one a segment, ", segments,
                           ", is expected"));
    if (!std::all_of(seconds.begin(), seconds.end(), [](double s) { return std::isfinite(s); }))
        throw Error(where + ": finite times are expected");
    opened.segment_seconds = seconds;
}

} // namespace

void adopt_segments(OpenedRecording& opened, const std::vector<std::int64_t>& starts,
                    const std::string& where) {
    if (starts.empty() || starts.front() != 0)
        throw Error(concat(where, ": its first entry is ",
                           starts.empty() ? std::string("missing") : std::to_string(starts.front()),
                           "; 0 is expected"));
    for (std::size_t i = 0; i < starts.size(); ++i) {
        if (i > 0 && starts[i] <= starts[i - 1])
            throw Error(concat(where, ": entry ", i, " is ", starts[i], " after ", starts[i - 1],
                               "; ascending first bins are expected"));
        if (starts[i] >= opened.recording->bins())
            throw Error(concat(where, ": entry ", i, " is ", starts[i],
                               ", outside the recording's ", opened.recording->bins(), " bins"));
    }
    const RecordingFacts before = opened.facts();
    opened.recording->segment_start.assign(starts.begin(), starts.end());
    if (before.segment_seconds.empty()) return;
    opened.segment_seconds.clear();
    for (const Index start : starts) opened.segment_seconds.push_back(before.seconds_of(start));
}

void adopt_segments_at(OpenedRecording& opened, const Neighbours& file, const std::string& path) {
    const std::vector<double> starts = file.numbers(path);
    const std::string where = file.place(path);
    adopt_segments(opened, whole_numbers(starts, where), where);
}

void adopt_segmentation(OpenedRecording& opened, const Neighbours& file, const std::string& folder,
                        const RecordingOptions& o) {
    const std::string starts = folder + "segment_start", times = folder + "segment_time";
    std::optional<double>& dt = opened.recording->bin_seconds;
    if (!dt) dt = o.dt;
    const bool cut_anew = !o.segments.empty();
    // What new cuts have for times is known where the bins' width is.
    const bool timed = file.has(times) && (!cut_anew || dt);
    const std::vector<double> seconds = timed ? file.numbers(times) : std::vector<double>{};
    if (file.has(starts) && (timed || !cut_anew)) adopt_segments_at(opened, file, starts);
    const auto cuts = opened.recording->segment_start.size();
    if (timed && (!cut_anew || seconds.size() == cuts))
        adopt_segment_times(opened, seconds, file.place(times));
    if (cut_anew) adopt_segments_at(opened, file, o.segments);
}

} // namespace assay::formats
