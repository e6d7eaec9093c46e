#include <assay/fixedpoints/point_modes.hpp>

#include <assay/core/parallel.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr Index kAllModes = 256, kSomeModes = 20;
constexpr double kTraceTolerance = 1e-8;    // times 1 + the sum of magnitudes
constexpr double kResidualTolerance = 1e-6; // times 1 + the norm of the Jacobian

// All eigenvalues sum to the trace; a few are told by their vectors.
bool is_system_of(const EigenSystem& system, const Matrix& jacobian) {
    const ComplexVector& values = system.values;
    if (values.size() == jacobian.rows())
        return std::abs(values.sum() - jacobian.trace()) <=
               kTraceTolerance * (1 + values.cwiseAbs().sum());
    if (system.right.rows() != jacobian.rows() || system.right.cols() != values.size())
        return false;
    return (jacobian * system.right - system.right * values.asDiagonal()).norm() <=
           kResidualTolerance * (1 + jacobian.norm());
}

} // namespace

Index usual_modes(Index state_size) {
    return state_size <= kAllModes ? state_size : kSomeModes;
}

std::vector<EigenSystem> eigen_systems(const Dynamics& dynamics, const Points& points, Index modes,
                                       const Execution& run) {
    std::vector<EigenSystem> systems(static_cast<std::size_t>(points.count()));
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        run.monitor->stop_if_interrupted();
        systems[static_cast<std::size_t>(p)] =
            eigen_system(dynamics.jacobian_state(points.input.row(p), points.state.row(p)), modes);
    });
    return systems;
}

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

bool are_whole(const std::vector<EigenSystem>& systems) {
    return std::all_of(systems.begin(), systems.end(), [](const EigenSystem& s) {
        return s.right.cols() == 0 || s.values.size() == s.right.rows();
    });
}

bool hold_modes(const std::vector<EigenSystem>& systems, Index modes) {
    return are_whole(systems) && !systems.empty() && systems.front().right.cols() >= modes;
}

bool hold_unstable_modes(const std::vector<EigenSystem>& systems) {
    return are_whole(systems) &&
           std::all_of(systems.begin(), systems.end(), [](const EigenSystem& s) {
               return count_unstable(s.values.head(s.right.cols())) == count_unstable(s.values);
           });
}

bool belong_to(const std::vector<EigenSystem>& systems, const Dynamics& dynamics,
               const Points& points, const Execution& run) {
    if (static_cast<Index>(systems.size()) != points.count()) return false;
    std::atomic<bool> all{true};
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        const EigenSystem& system = systems[static_cast<std::size_t>(p)];
        if (!is_system_of(system,
                          dynamics.jacobian_state(points.input.row(p), points.state.row(p))))
            all = false;
    });
    return all;
}

std::vector<Index> rows_of_input(const Points& points, Index input) {
    std::vector<Index> rows;
    for (std::size_t p = 0; p < points.input_id.size(); ++p)
        if (points.input_id[p] == input) rows.push_back(static_cast<Index>(p));
    return rows;
}

Index input_count(const Points& points) {
    if (points.input_id.empty()) return 0;
    return 1 + *std::max_element(points.input_id.begin(), points.input_id.end());
}

} // namespace assay::fixedpoints
