#include "grid_option.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cmath>
#include <vector>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

constexpr std::int64_t kMostValues = 1000000;

[[noreturn]] void refuse(const std::string& option, const std::string& text) {
    throw UsageError("option '" + option + "': found '" + printable(text, 60) + "'; " + kGridWords +
                     " is expected");
}

VectorXd spaced(const std::string& option, const std::string& text) {
    constexpr const char* suffix = "@log";
    const bool logarithmic = ends_with(text, suffix);
    const auto parts = split(logarithmic ? text.substr(0, text.size() - 4) : text, ':');
    if (parts.size() != 3) refuse(option, text);
    const auto from = parse_double(parts[0]), to = parse_double(parts[1]);
    const auto count = parse_integer(parts[2]);
    if (!from || !to || !count || *count < 1 || *count > kMostValues || !std::isfinite(*from) ||
        !std::isfinite(*to) || (logarithmic && !(*from > 0 && *to > 0)))
        refuse(option, text);
    // One value is the first.
    VectorXd values(*count);
    for (Index i = 0; i < values.size(); ++i) {
        const double share =
            *count > 1 ? static_cast<double>(i) / static_cast<double>(*count - 1) : 0;
        values(i) =
            logarithmic ? *from * std::pow(*to / *from, share) : *from + share * (*to - *from);
    }
    return values;
}

} // namespace

VectorXd parse_values(const std::string& option, const std::string& text) {
    if (text.find(':') != std::string::npos || text.find('@') != std::string::npos)
        return spaced(option, text);
    std::vector<double> values;
    for (const std::string& part : split(text, ',')) {
        const auto value = parse_double(part);
        if (!value || !std::isfinite(*value)) refuse(option, text);
        values.push_back(*value);
    }
    return Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size()));
}

VectorXd parse_positive(const std::string& option, const std::string& text) {
    VectorXd values = parse_values(option, text);
    for (const double value : values)
        if (!(value > 0))
            throw UsageError(
                concat("option '", option, "': found ", value, "; numbers above 0 are expected"));
    return values;
}

} // namespace tensor_amp_app
