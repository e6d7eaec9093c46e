// lindyn plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"

namespace lindyn_app {

assay::cli::Command plot() {
    return tools::figure_command({"draw modes, learning curves and losses",
                                  "/lindyn/...",
                                  figures(),
                                  {{"Learning curves", "lindyn plot curves.h5 -o curves.svg"}}});
}

} // namespace lindyn_app
