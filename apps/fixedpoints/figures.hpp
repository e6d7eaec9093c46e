// The figures of fixedpoints, in the order in which `plot` prefers them.
#pragma once

#include "figure_command.hpp"
#include "figure_options.hpp"

#include <memory>
#include <vector>

namespace fixedpoints_app {

using tools::FigureKind;

// They read what `options` holds when they draw.
std::vector<FigureKind> figures(std::shared_ptr<const FigureOptions> options);

} // namespace fixedpoints_app
