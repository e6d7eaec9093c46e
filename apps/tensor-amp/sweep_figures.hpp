// Figures of sweeps.
#pragma once

#include "figures.hpp"

#include <vector>

namespace tensor_amp_app {

std::vector<FigureKind> sweep_figures();

} // namespace tensor_amp_app
