// Built-in tasks by name, and what they state of their data.
#pragma once

#include <assay/training/task.hpp>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace training_test {

using Values = std::map<std::string, std::string>;

inline std::unique_ptr<assay::training::Task>
task(const std::string& name, const Values& values = {}, const std::string& preset = "") {
    return assay::training::make_task({name, preset, values, 3});
}

inline assay::training::TruthArray truth(const assay::training::Task& made,
                                         const std::string& name) {
    for (const auto& array : made.truth())
        if (array.name == name) return array;
    throw std::logic_error("no truth " + name);
}

inline assay::RowMatrix truth_table(const assay::training::Task& made, const std::string& name) {
    const assay::training::TruthArray array = truth(made, name);
    return Eigen::Map<const assay::RowMatrix>(array.values.data(), array.shape[0],
                                              array.shape.size() > 1 ? array.shape[1] : 1);
}

} // namespace training_test
