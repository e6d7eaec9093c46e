// The figures of tensor-amp, in the order in which `plot` prefers them.
#pragma once

#include "figure_command.hpp"

namespace tensor_amp_app {

using tools::FigureKind;

const std::vector<FigureKind>& figures();

} // namespace tensor_amp_app
