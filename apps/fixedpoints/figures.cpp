#include "figures.hpp"

#include "compare_figures.hpp"
#include "graph_figures.hpp"
#include "line_figures.hpp"
#include "point_figures.hpp"

namespace fixedpoints_app {

using namespace assay;

std::vector<FigureKind> figures(std::shared_ptr<const FigureOptions> options) {
    return {
        {"space",
         {"/fixedpoints/find/points"},
         "points and trajectories in principal components",
         [options](const hdf5::Group& root) { return space_figure(root, options->components); }},
        {"spectrum",
         {"/fixedpoints/linearize/eigenvalues"},
         "eigenvalues and the unit circle",
         spectrum_figure},
        {"times",
         {"/fixedpoints/linearize/time_constants"},
         "the slowest time constants",
         times_figure},
        {"speed",
         {"/fixedpoints/find/starts"},
         "ends of the starts, hits, points by round",
         speed_figure},
        {"graph",
         {"/fixedpoints/topology/edges"},
         "what flows to what, on the readouts",
         graph_figure},
        {"frequency",
         {"/fixedpoints/cycles/inputs/linear_frequency"},
         "frequencies of points and cycles against the target",
         frequency_figure},
        {"branches",
         {"/fixedpoints/track/points"},
         "points over a path of inputs",
         [options](const hdf5::Group& root) { return branches_figure(root, options->readouts); }},
        {"alignment",
         {"/fixedpoints/attractor/null"},
         "slowest modes against the axis of the line, and random directions",
         alignment_figure},
        {"words", {"/fixedpoints/inputs/plane"}, "effects of words in their plane", words_figure},
        {"projections",
         {"/fixedpoints/inputs/mean_projection"},
         "input projections by class",
         projections_figure},
        {"modes",
         {"/fixedpoints/modes/retained_response"},
         "response against modes kept",
         modes_figure},
        {"error",
         {"/fixedpoints/predict/histogram"},
         "errors of linearised predictions",
         error_figure},
        {"scree",
         {"/fixedpoints/attractor/states", "/fixedpoints/simulate/variance_ratio"},
         "variance of states and points by component",
         scree_figure,
         has_scree},
        {"mds",
         {"/fixedpoints/compare"},
         "networks on a page, near where they are alike",
         mds_figure,
         has_places},
        {"distances",
         {"/fixedpoints/compare"},
         "distances between networks, by group",
         distances_figure},
        {"eigenvalues",
         {"/fixedpoints/compare/spectrum_curves"},
         "mean sorted |eigenvalue| by architecture",
         eigenvalues_figure}};
}

} // namespace fixedpoints_app
