// The figures of fixedpoints, in the order in which `plot` prefers them.
#pragma once

#include "figure_command.hpp"

namespace fixedpoints_app {

using tools::FigureKind;

const std::vector<FigureKind>& figures();

} // namespace fixedpoints_app
