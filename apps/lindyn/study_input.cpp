#include "study_input.hpp"

#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

Vector parse_values(const std::string& text, const std::string& whole) {
    if (const auto spaced = parse_spaced(text)) return *spaced;
    std::vector<double> values;
    for (const std::string& part : split(text, ',')) {
        const auto value = parse_double(part);
        if (!value || !std::isfinite(*value))
            throw UsageError("option '--sweep': found '" + printable(whole, 60) +
                             "'; NAME=a:b:n, NAME=log:a:b:n or NAME=a,b,c is expected");
        values.push_back(*value);
    }
    return to_vector(values);
}

} // namespace

std::vector<SweepAxis> parse_sweeps(const std::vector<std::string>& texts,
                                    const std::vector<std::string>& known) {
    std::vector<SweepAxis> axes;
    for (const std::string& text : texts) {
        const auto equals = text.find('=');
        const std::string name = text.substr(0, equals);
        if (std::count(known.begin(), known.end(), name) == 0)
            throw UsageError("option '--sweep': found '" + printable(text, 60) + "'; " +
                             join(known, ", ") + " can be swept");
        if (std::any_of(axes.begin(), axes.end(),
                        [&](const SweepAxis& axis) { return axis.name == name; }))
            throw UsageError("option '--sweep': " + name + " is given twice");
        axes.push_back(
            {name, parse_values(equals == std::string::npos ? "" : text.substr(equals + 1), text)});
    }
    try {
        static_cast<void>(count_points(axes));
    } catch (const Error& error) {
        throw UsageError(concat("option '--sweep': ", error.what()));
    }
    return axes;
}

void check_sizes(const std::vector<Index>& sizes, const std::string& names) {
    if (sizes.size() != 3)
        throw UsageError(concat("option '--sizes': ", sizes.size(), " numbers; three (", names,
                                ") are expected"));
}

Vector to_vector(const std::vector<double>& values) {
    return Eigen::Map<const Vector>(values.data(), static_cast<Index>(values.size()));
}

} // namespace lindyn_app
