#include "grid_option.hpp"

#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

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

void declare_grid(cli::Command& c, std::vector<std::string>& grids) {
    tools::add_repeated(c, "--grid", grids, "NAME=GRID",
                        std::string("a key of the priors, aspect, scale or order over ") +
                            kGridWords);
}

ParameterAxes parse_grids(const std::vector<std::string>& grids) {
    ParameterAxes axes;
    for (const std::string& text : grids) {
        const auto equals = text.find('=');
        const std::string name = trim(text.substr(0, equals));
        if (equals == std::string::npos || name.empty() ||
            name.find_first_of("/,:") != std::string::npos)
            throw UsageError("option '--grid': found '" + printable(text, 60) +
                             "'; NAME=" + kGridWords + " is expected");
        add_axis(axes, {name, parse_values("--grid", text.substr(equals + 1))});
    }
    return axes;
}

namespace {

// Whether two names, KEY or KEY@MODES, set something twice.
bool clash(const std::string& one, const std::string& other) {
    const std::size_t here = one.find('@'), there = other.find('@');
    if (one.substr(0, here) != other.substr(0, there)) return false;
    return one == other || here == std::string::npos || there == std::string::npos;
}

} // namespace

void add_axis(ParameterAxes& axes, ParameterAxis axis) {
    for (const ParameterAxis& other : axes) {
        if (other.name == axis.name)
            throw UsageError("option '--grid': " + axis.name + " is given twice");
        if (clash(other.name, axis.name))
            throw UsageError("option '--grid': " + other.name + " and " + axis.name +
                             " set the same parameter");
    }
    axes.push_back(std::move(axis));
}

void check_grid(const ModelGrid& grid) {
    constexpr double most = 10000000;
    double points = 1;
    for (const ParameterAxis& axis : grid.axes) points *= static_cast<double>(axis.values.size());
    if (points > most) throw UsageError("option '--grid': more than 10 million points");
    if (grid.axes.empty()) return;
    at_place("option '--grid'", [&] { static_cast<void>(grid.model_at(0).parsed_priors()); });
}

} // namespace tensor_amp_app
