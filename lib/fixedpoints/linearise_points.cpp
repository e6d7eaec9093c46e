#include <assay/fixedpoints/linearise_points.hpp>

#include <assay/core/parallel.hpp>

#include <cmath>

namespace assay::fixedpoints {

std::vector<EigenSystem> unstable_systems(const Dynamics& dynamics, const Points& points,
                                          const Execution& run) {
    std::vector<EigenSystem> systems(static_cast<std::size_t>(points.count()));
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        run.monitor->stop_if_interrupted();
        const Matrix jacobian = dynamics.jacobian_state(points.input.row(p), points.state.row(p));
        EigenSystem& system = systems[static_cast<std::size_t>(p)];
        system = eigen_system(jacobian, dynamics.state_size());
        // Of falling magnitude: the unstable ones come first.
        const Index kept = count_unstable(system.values);
        system.right = system.right.leftCols(kept).eval();
        system.left = system.left.topRows(kept).eval();
        system.condition = system.condition.head(kept).eval();
    });
    return systems;
}

bool are_systems_of(const std::vector<EigenSystem>& systems, const Dynamics& dynamics,
                    const Points& points) {
    constexpr double kAgreement = 1e-8;
    if (static_cast<Index>(systems.size()) != points.count()) return false;
    for (Index p = 0; p < points.count(); ++p) {
        const ComplexVector& values = systems[static_cast<std::size_t>(p)].values;
        if (values.size() != dynamics.state_size()) return false;
        const RowMatrix jacobian =
            dynamics.jacobian_state(points.input.row(p), points.state.row(p));
        if (!(std::abs(values.sum() - jacobian.trace()) <=
              kAgreement * (1 + values.cwiseAbs().sum())))
            return false;
    }
    return true;
}

bool hold_unstable_modes(const std::vector<EigenSystem>& systems) {
    for (const EigenSystem& system : systems)
        if (count_unstable(system.values.head(system.right.cols())) !=
            count_unstable(system.values))
            return false;
    return true;
}

} // namespace assay::fixedpoints
