// The figures of `stability`.
#pragma once

#include "figures.hpp"

#include <vector>

namespace lindyn_app {

std::vector<FigureKind> stability_figures();

} // namespace lindyn_app
