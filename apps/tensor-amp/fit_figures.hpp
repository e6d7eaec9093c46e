// Figures of what was found in data: fits, their iterations, comparisons, diagnoses, choices of
// rank, sweeps.
#pragma once

#include "figures.hpp"

#include <vector>

namespace tensor_amp_app {

std::vector<FigureKind> fit_figures();

} // namespace tensor_amp_app
