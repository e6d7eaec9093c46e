#include "systems.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/point_modes.hpp>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

std::vector<EigenSystem> load_systems(cli::Context& context, const LoadedNetwork& network,
                                      const Points& points) {
    const hdf5::Group root = context.input().root();
    if (root.has_group("/fixedpoints/linearize")) {
        auto systems = read_linearisation(root.group("/fixedpoints/linearize")).systems;
        if (!belong_to(systems, network.dynamics, points, context.execution()))
            throw Error(context.input_address().name() +
                        ":/fixedpoints/linearize: belongs to other points than /fixedpoints/find; "
                        "run fixedpoints linearize again");
        if (hold_unstable_modes(systems)) return systems;
    }
    return unstable_systems(network.dynamics, points, context.execution());
}

} // namespace fixedpoints_app
