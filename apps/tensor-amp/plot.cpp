// tensor-amp plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"

namespace tensor_amp_app {

assay::cli::Command plot() {
    return tools::figure_command(
        {"draw components, their errors, and theory",
         "/tensor_amp/...",
         figures(),
         {{"The components of a fit", "tensor-amp plot fit.h5 -o components.svg"},
          {"How a fit converged", "tensor-amp plot fit.h5 --figure iterations -o sweeps.png"}}});
}

} // namespace tensor_amp_app
