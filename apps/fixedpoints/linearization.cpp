#include "linearization.hpp"

#include <assay/core/parallel.hpp>

#include <algorithm>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

constexpr double kJacobianBytes = 256e6;
constexpr Index kAllModes = 256, kSomeModes = 20;
constexpr Index kBlock = 32; // points in memory at once

Index modes_of(const LinearizeRequest& o, Index state) {
    return std::min(state, o.modes.value_or(state <= kAllModes ? state : kSomeModes));
}

} // namespace

void declare_linearize(cli::Command& c, LinearizeRequest& o) {
    auto modes = c.option("--modes", o.modes, "K", "eigenvectors a point").range(0);
    if (!o.modes) modes.default_text("all up to 256 units, else 20");
    c.choice<EigenvalueOrder>("--sort", o.order,
                              {{"magnitude", EigenvalueOrder::magnitude},
                               {"real", EigenvalueOrder::real},
                               {"nearest-one", EigenvalueOrder::nearest_one}},
                              "order of eigenvalues");
    c.option("--marginal", o.marginal, "X", "so near the unit circle counts as on it").range(0, 1);
    c.choice<Keep>("--save-jacobians", o.jacobians,
                   {{"auto", Keep::automatic}, {"yes", Keep::yes}, {"no", Keep::no}},
                   "auto: up to 256 MB in all");
}

LinearisationWriter linearisation_writer(const LinearizeRequest& o, const Dynamics& dynamics,
                                         Index points, hdf5::Group group) {
    const Index state = dynamics.state_size();
    const double bytes = 8.0 * static_cast<double>(points * state * (state + dynamics.inputs()));
    const bool keep =
        o.jacobians == Keep::yes || (o.jacobians == Keep::automatic && bytes <= kJacobianBytes);
    return {std::move(group),   points, state,        dynamics.inputs(),
            modes_of(o, state), keep,   dynamics.dt()};
}

void LinearizedBlock::write(LinearisationWriter& writer, double marginal) const {
    for (std::size_t i = 0; i < systems.size(); ++i)
        writer.write(first + static_cast<Index>(i), systems[i], jacobians[i], input_jacobians[i],
                     marginal);
}

void linearize_points(const LinearizeRequest& o, const Dynamics& dynamics, const Points& points,
                      const Execution& execution,
                      const std::function<void(LinearizedBlock)>& take) {
    const Index modes = modes_of(o, dynamics.state_size()), count = points.count();
    const Blocks blocks{count, kBlock};
    for (Index block = 0; block < blocks.count(); ++block) {
        const Index size = blocks.extent(block);
        LinearizedBlock done;
        done.first = blocks.begin(block);
        done.systems.resize(static_cast<std::size_t>(size));
        done.jacobians.resize(done.systems.size());
        done.input_jacobians.resize(done.systems.size());
        parallel_blocks(size, execution.threads, [&](Index i) {
            const auto at = static_cast<std::size_t>(i);
            const RowMatrix x = points.input.row(done.first + i),
                            h = points.state.row(done.first + i);
            done.jacobians[at] = dynamics.jacobian_state(x, h);
            done.input_jacobians[at] = dynamics.jacobian_input(x, h);
            done.systems[at] = eigen_system(done.jacobians[at], modes, o.order);
        });
        const auto reached = static_cast<double>(done.first + size);
        take(std::move(done));
        execution.monitor->stop_if_interrupted();
        execution.monitor->progress({reached, static_cast<double>(count), "points", ""});
    }
}

} // namespace fixedpoints_app
