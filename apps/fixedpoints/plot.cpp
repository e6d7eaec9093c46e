// fixedpoints plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"

namespace fixedpoints_app {

assay::cli::Command plot() {
    return tools::figure_command(
        {"draw points, spectra, graphs and lines",
         "/fixedpoints/...",
         figures(),
         {{"Where the network can rest", "fixedpoints plot fp.h5 -o points.svg"}}});
}

} // namespace fixedpoints_app
