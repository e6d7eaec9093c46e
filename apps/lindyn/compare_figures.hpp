// Figures of `lindyn compare`.
#pragma once

#include "figures.hpp"

namespace lindyn_app {

std::vector<FigureKind> compare_figures();

} // namespace lindyn_app
