#include <assay/tensor_amp/parameter_grid.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace assay::tensor_amp {
namespace {

// Where the value of a key stands in "name:key=value,...": the commas of lists do not count.
struct Place {
    std::size_t begin, end;
};
std::optional<Place> place_of(const std::string& text, const std::string& key) {
    const auto colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    std::size_t begin = colon + 1;
    int depth = 0;
    for (std::size_t i = begin; i <= text.size(); ++i) {
        if (i < text.size()) depth += (text[i] == '[') - (text[i] == ']');
        if (i < text.size() && (text[i] != ',' || depth > 0)) continue;
        const auto equals = text.find('=', begin);
        if (equals < i && trim(text.substr(begin, equals - begin)) == key)
            return Place{equals + 1, i};
        begin = i + 1;
    }
    return std::nullopt;
}

std::string with_value(const std::string& text, const std::string& key, double value) {
    if (const auto place = place_of(text, key))
        return text.substr(0, place->begin) + shortest(value) + text.substr(place->end);
    return text + (text.find(':') == std::string::npos ? ":" : ",") + key + "=" + shortest(value);
}

void set_order(ModelDescription& model, double value) {
    const bool one_prior = std::all_of(model.priors.begin(), model.priors.end(),
                                       [&](const std::string& p) { return p == model.priors[0]; });
    if ((model.dimensions.array() != model.dimensions(0)).any() || !one_prior)
        throw UsageError("order: equal dimensions and one prior for all modes are expected");
    if (!(value >= 2 && value <= 8) || value != std::floor(value))
        throw UsageError(
            concat("order: found ", value, "; whole numbers from 2 to 8 are expected"));
    model.dimensions = VectorXd::Constant(static_cast<Index>(value), model.dimensions(0));
    model.priors.assign(static_cast<std::size_t>(value), model.priors[0]);
}

// The modes of "key@0+2"; all where none is named.
std::vector<Index> modes_of(const std::string& name, Index order) {
    std::vector<Index> modes;
    const auto sign = name.find('@');
    if (sign == std::string::npos) {
        for (Index a = 0; a < order; ++a) modes.push_back(a);
        return modes;
    }
    for (const std::string& part : split(name.substr(sign + 1), '+')) {
        const auto mode = parse_integer(part);
        if (!mode || *mode < 0 || *mode >= order)
            throw UsageError(concat(printable(name, 40), ": mode '", printable(part, 20),
                                    "'; 0 to ", order - 1, " are there"));
        if (std::find(modes.begin(), modes.end(), *mode) != modes.end())
            throw UsageError(concat(printable(name, 40), ": mode ", *mode, " is named twice"));
        modes.push_back(*mode);
    }
    return modes;
}

// Of a file's number, too, which may be anything.
Index as_order(double value) {
    return static_cast<Index>(
        std::clamp(value, static_cast<double>(kLeastOrder), static_cast<double>(kMostOrder)));
}

double checked_factor(const std::string& name, double value) {
    if (!(value > 0) || !std::isfinite(value))
        throw UsageError(concat(name, ": found ", value, "; numbers above 0 are expected"));
    return value;
}

} // namespace

std::vector<PriorPointer> ModelDescription::parsed_priors() const {
    std::vector<PriorPointer> parsed;
    for (const std::string& text : priors) parsed.push_back(parse_prior(text, rank, read_values));
    return parsed;
}

Ensemble ModelDescription::ensemble() const {
    return make_ensemble(dimensions, parsed_priors());
}

void set_parameter(ModelDescription& model, const std::string& name, double value) {
    if (name == "order") return set_order(model, value);
    if (name == "scale") {
        model.dimensions *= checked_factor(name, value);
        return;
    }
    if (name == "aspect") {
        model.dimensions(model.dimensions.size() - 1) *= checked_factor(name, value);
        return;
    }
    const std::string key = name.substr(0, name.find('@'));
    for (const Index a : modes_of(name, model.dimensions.size()))
        model.priors[at(a)] = with_value(model.priors[at(a)], key, value);
}

Index point_count(const ParameterAxes& axes) {
    constexpr Index most = 1000000000;
    Index count = 1;
    for (const ParameterAxis& axis : axes) {
        const Index values = axis.values.size();
        if (values > 0 && count > most / values) throw Error("the grid has more than 10^9 points");
        count *= values;
    }
    return count;
}

std::vector<double> values_at(const ParameterAxes& axes, Index point) {
    std::vector<double> values(axes.size());
    for (std::size_t i = axes.size(); i-- > 0;) {
        values[i] = axes[i].values(point % axes[i].values.size());
        point /= axes[i].values.size();
    }
    return values;
}

std::string point_words(const ParameterAxes& axes, Index point) {
    const std::vector<double> values = values_at(axes, point);
    std::vector<std::string> words;
    for (std::size_t i = 0; i < axes.size(); ++i)
        words.push_back(axes[i].name + " " + shortest(values[i]));
    return join(words, ", ");
}

Index order_at(const ParameterAxes& axes, Index point, Index order) {
    const std::vector<double> values = values_at(axes, point);
    for (std::size_t i = 0; i < axes.size(); ++i)
        if (axes[i].name == "order") order = as_order(values[i]);
    return order;
}

Index largest_order(const ParameterAxes& axes, Index order) {
    for (const ParameterAxis& axis : axes)
        if (axis.name == "order") order = as_order(axis.values.maxCoeff());
    return order;
}

ModelDescription ModelGrid::model_at(Index point) const {
    const std::vector<double> values = values_at(axes, point);
    // Orders first: the parameters of the other axes are then those of all modes.
    ModelDescription changed = model;
    for (const bool order : {true, false})
        for (std::size_t i = 0; i < axes.size(); ++i)
            if ((axes[i].name == "order") == order) set_parameter(changed, axes[i].name, values[i]);
    return changed;
}

} // namespace assay::tensor_amp
