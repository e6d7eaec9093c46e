#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#include <cmath>

namespace assay::formats {

bool is_whole(double value) {
    return std::abs(value) < 9e15 && value == std::floor(value);
}

std::vector<std::int64_t> whole_numbers(const std::vector<double>& values,
                                        const std::string& where) {
    std::vector<std::int64_t> whole;
    whole.reserve(values.size());
    for (const double v : values) {
        if (!is_whole(v))
            throw Error(where + ": holds " + shortest(v) + "; whole numbers are expected");
        whole.push_back(static_cast<std::int64_t>(v));
    }
    return whole;
}

std::vector<std::int64_t> whole_numbers(const hdf5::Dataset& dataset) {
    dataset.expect_numeric();
    // Integers of 64 bits do not all fit a double; the library's own conversion would truncate
    // fractions.
    if (dataset.kind() != hdf5::Kind::floating) return dataset.read<std::int64_t>();
    return whole_numbers(dataset.read<double>(), dataset.where());
}

double positive_number(double value, const std::string& where) {
    // Normal, so that its inverse is finite too.
    if (!(value > 0) || !std::isnormal(value))
        throw Error(where + ": is " + shortest(value) + "; a positive finite number is expected");
    return value;
}

std::optional<double> positive_attribute(const hdf5::Object& object, const std::string& name) {
    const auto value = object.number_attribute(name);
    if (value) positive_number(*value, object.where() + ": attribute '" + name + "'");
    return value;
}

} // namespace assay::formats
