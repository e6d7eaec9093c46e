// A layer of an architecture as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace training_test {

inline nlohmann::json layer(const std::string& name, const std::string& type,
                            nlohmann::json keys = nlohmann::json::object()) {
    keys["name"] = name;
    keys["type"] = type;
    return keys;
}

} // namespace training_test
