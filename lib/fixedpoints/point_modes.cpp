#include <assay/fixedpoints/point_modes.hpp>

#include <assay/core/parallel.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr Index kAllModes = 256, kSomeModes = 20;
constexpr double kTraceTolerance = 1e-8; // times 1 + the sum of magnitudes

} // namespace

Index usual_modes(Index state_size) {
    return state_size <= kAllModes ? state_size : kSomeModes;
}

std::vector<EigenSystem> eigen_systems(const Dynamics& dynamics, const Points& points, Index modes,
                                       const Execution& run) {
    std::vector<EigenSystem> systems(static_cast<std::size_t>(points.count()));
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        systems[static_cast<std::size_t>(p)] =
            eigen_system(dynamics.jacobian_state(points.input.row(p), points.state.row(p)), modes);
    });
    return systems;
}

bool belong_to(const std::vector<EigenSystem>& systems, const Dynamics& dynamics,
               const Points& points, const Execution& run) {
    if (static_cast<Index>(systems.size()) != points.count()) return false;
    std::atomic<bool> all{true};
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        const ComplexVector& values = systems[static_cast<std::size_t>(p)].values;
        if (values.size() != dynamics.state_size()) {
            all = false;
            return;
        }
        const RowMatrix jacobian =
            dynamics.jacobian_state(points.input.row(p), points.state.row(p));
        const double off = std::abs(values.sum() - jacobian.trace());
        if (!(off <= kTraceTolerance * (1 + values.cwiseAbs().sum()))) all = false;
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
