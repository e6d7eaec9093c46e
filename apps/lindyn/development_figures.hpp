// The figures of `develop`, `coherence` and `induct`.
#pragma once

#include "figures.hpp"

namespace lindyn_app {

// In the order in which `plot` prefers them.
std::vector<FigureKind> development_figures();

} // namespace lindyn_app
