// What a person may choose about single figures.
#pragma once

#include <cstdint>
#include <vector>

namespace fixedpoints_app {

// Whose principal components are the axes of `space`; automatic: the states' where they are known.
enum class ComponentsOf { automatic, points, states };

struct FigureOptions {
    ComponentsOf components = ComponentsOf::automatic;
    std::vector<std::int64_t> readouts; // of `branches`; empty: the first ones
};

} // namespace fixedpoints_app
