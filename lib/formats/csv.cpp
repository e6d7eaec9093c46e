#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

namespace assay::formats {

SpikeTrains read_spike_csv(const std::string& text, const std::string& where) {
    std::vector<double> times;
    std::vector<std::int64_t> ids;
    std::size_t line_number = 0;
    const std::string body = starts_with(text, "\xEF\xBB\xBF") ? text.substr(3) : text;
    for (const auto& raw : split(body, '\n')) {
        ++line_number;
        const std::string line = trim(raw);
        if (line.empty() || line.front() == '#') continue;
        const char separator = line.find(';') != std::string::npos    ? ';'
                               : line.find('\t') != std::string::npos ? '\t'
                                                                      : ',';
        const auto fields = split(line, separator);
        const auto unit = fields.size() == 2 ? parse_double(trim(fields[0])) : std::nullopt;
        const auto time = fields.size() == 2 ? parse_double(trim(fields[1])) : std::nullopt;
        if (!unit || !is_whole(*unit) || !time) {
            const bool header = ids.empty() && fields.size() == 2 && !unit && !time;
            if (header && line_number == 1) continue;
            throw Error(concat(where, ": line ", line_number, ": found \"", printable(line, 40),
                               "\"; unit,time is expected"));
        }
        ids.push_back(static_cast<std::int64_t>(*unit));
        times.push_back(*time);
    }
    if (ids.empty()) throw Error(where + ": holds no spikes; lines of unit,time are expected");
    return group_spikes(times, ids);
}

} // namespace assay::formats
