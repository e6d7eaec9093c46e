#include "figures.hpp"

#include "point_figures.hpp"

namespace fixedpoints_app {

const std::vector<FigureKind>& figures() {
    static const std::vector<FigureKind> list{
        {"space", "/fixedpoints/find/points", "points and trajectories in principal components",
         space_figure},
        {"spectrum", "/fixedpoints/linearize/eigenvalues", "eigenvalues and the unit circle",
         spectrum_figure},
        {"times", "/fixedpoints/linearize/time_constants", "the slowest time constants",
         times_figure},
        {"speed", "/fixedpoints/find/starts", "ends of the starts, hits, points by round",
         speed_figure},
        {"scree", "/fixedpoints/simulate/variance_ratio", "variance of the states by component",
         scree_figure}};
    return list;
}

} // namespace fixedpoints_app
