// Figures of generalize, transfer, regress, and the spectrum of a data set.
#pragma once

#include "figures.hpp"

#include <vector>

namespace lindyn_app {

std::vector<FigureKind> generalization_figures();
FigureKind spectrum_kind();

} // namespace lindyn_app
