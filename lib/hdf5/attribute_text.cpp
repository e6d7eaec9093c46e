#include <assay/hdf5/attribute_text.hpp>

#include <assay/core/text.hpp>

#include <vector>

namespace assay::hdf5 {

std::string attribute_text(const Object& object, const std::string& name) {
    if (const auto text = object.text_attribute(name)) return *text;
    std::vector<std::string> numbers;
    for (const double x : object.numbers_attribute(name)) numbers.push_back(shortest(x));
    if (numbers.empty())
        if (const auto number = object.number_attribute(name)) return shortest(*number);
    return join(numbers, ",");
}

} // namespace assay::hdf5
