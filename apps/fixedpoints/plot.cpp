// fixedpoints plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"

#include <assay/core/error.hpp>

#include <memory>
#include <string>

namespace fixedpoints_app {

assay::cli::Command plot() {
    const auto o = std::make_shared<FigureOptions>();
    return tools::figure_command(
        {"draw points, spectra, graphs and lines",
         "/fixedpoints/...",
         figures(o),
         {{"Where the network can rest", "fixedpoints plot fp.h5 -o points.svg"}},
         [o](assay::cli::Command& c) {
             c.choice<ComponentsOf>(
                 "--components", o->components,
                 {{"auto", ComponentsOf::automatic},
                  {"points", ComponentsOf::points},
                  {"states", ComponentsOf::states}},
                 "of space: principal components of the points, or of the states that simulate or "
                 "attractor has run; auto: of the states where the file knows them");
             c.option("--readout", o->readouts, "K,...",
                      "of branches: which readouts, numbered from 0")
                 .range(0)
                 .default_text("the first three");
         },
         [o](const std::string& figure) {
             if (o->components != ComponentsOf::automatic && figure != "space")
                 throw assay::UsageError("option '--components': it is of space; " + figure +
                                         " is drawn");
             if (!o->readouts.empty() && figure != "branches")
                 throw assay::UsageError("option '--readout': it is of branches; " + figure +
                                         " is drawn");
         }});
}

} // namespace fixedpoints_app
