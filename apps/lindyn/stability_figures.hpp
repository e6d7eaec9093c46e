// The figure of `stability`.
#pragma once

#include "figures.hpp"

namespace lindyn_app {

FigureKind stability_figure_kind();

} // namespace lindyn_app
