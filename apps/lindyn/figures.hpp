// The figures of lindyn, in the order in which `plot` prefers them.
#pragma once

#include "figure_command.hpp"

namespace lindyn_app {

using tools::FigureKind;

const std::vector<FigureKind>& figures();

} // namespace lindyn_app
