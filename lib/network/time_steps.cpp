#include <assay/network/time_steps.hpp>

#include <assay/core/error.hpp>
#include <assay/network/network.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::network {
namespace {

bool differ_in_steps_alone(const TensorInfo& own, const Shape& input) {
    return own.sequence && own.shape.size() == input.size() && own.shape[0] != input[0] &&
           std::equal(input.begin() + 1, input.end(), own.shape.begin() + 1);
}

bool same_parameters(const Network<float>& one, const Network<float>& other) {
    return std::equal(one.parameters().begin(), one.parameters().end(), other.parameters().begin(),
                      other.parameters().end(), [](const auto& a, const auto& b) {
                          return a.layer == b.layer && a.info.shape == b.info.shape;
                      });
}

} // namespace

std::string with_steps_of(const std::string& architecture, const Shape& input) {
    const Network<float> network(architecture);
    if (!differ_in_steps_alone(network.input(), input)) return architecture;
    auto json = nlohmann::ordered_json::parse(architecture);
    json["input"]["shape"] = input;
    const std::string changed = json.dump();
    try {
        return same_parameters(network, Network<float>(changed)) ? changed : architecture;
    } catch (const Error&) {
        return architecture; // a layer that needs its own number of steps
    }
}

} // namespace assay::network
