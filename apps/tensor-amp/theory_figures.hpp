// Figures of se and phase.
#pragma once

#include "figures.hpp"

#include <vector>

namespace tensor_amp_app {

std::vector<FigureKind> theory_figures();

} // namespace tensor_amp_app
