#include "linearization.hpp"

#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/fixedpoints/point_modes.hpp>
#include <assay/fixedpoints/slow_modes.hpp>

#include <algorithm>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

constexpr double kJacobianBytes = 256e6;
constexpr Index kBlock = 32;       // points in memory at once
constexpr double kBlockWork = 5e8; // their S^3 in all: some seconds between safe points

// Whether some eigenvalues are left out; as many as there are come from a whole decomposition.
bool takes_slowest(const LinearizeRequest& o, Index state) {
    return o.top_k > 0 && o.top_k < state;
}

Index values_of(const LinearizeRequest& o, Index state) {
    return takes_slowest(o, state) ? o.top_k : state;
}

Index modes_of(const LinearizeRequest& o, Index state) {
    return o.top_k > 0 ? values_of(o, state)
                       : std::min(state, o.modes.value_or(usual_modes(state)));
}

// Never fewer than keep all threads at work.
Index block_size(Index state, int threads) {
    const auto size = static_cast<double>(state);
    const auto some = static_cast<Index>(kBlockWork / (size * size * size));
    return std::clamp<Index>(some, std::min<Index>(threads, kBlock), kBlock);
}

} // namespace

void declare_linearize(cli::Command& c, LinearizeRequest& o) {
    auto modes = c.option("--modes", o.modes, "K", "eigenvectors a point").range(0);
    if (!o.modes) modes.default_text("all up to 256 units, else 20");
    c.option("--top-k", o.top_k, "K",
             "only the K eigenvalues nearest to 1, by inverse iteration (large networks); 0: all")
        .range(0);
    c.choice<EigenvalueOrder>("--sort", o.order,
                              {{"magnitude", EigenvalueOrder::magnitude},
                               {"real", EigenvalueOrder::real},
                               {"nearest-one", EigenvalueOrder::nearest_one}},
                              "order of eigenvalues");
    c.option("--marginal", o.marginal, "X", "so near the unit circle counts as on it").range(0, 1);
    c.choice<Keep>("--save-jacobians", o.jacobians,
                   {{"auto", Keep::automatic}, {"yes", Keep::yes}, {"no", Keep::no}},
                   "auto: up to 256 MB in all");
    c.conflicts("--top-k", "--modes");
    c.conflicts("--top-k", "--sort");
}

LinearisationWriter linearisation_writer(const LinearizeRequest& o, const Dynamics& dynamics,
                                         const Points& points, hdf5::Group group) {
    const Index state = dynamics.state_size(), count = points.count();
    const double bytes = 8.0 * static_cast<double>(count * state * (state + dynamics.inputs()));
    const bool keep =
        o.jacobians == Keep::yes || (o.jacobians == Keep::automatic && bytes <= kJacobianBytes);
    const auto& cells = dynamics.cells();
    const bool flow = std::all_of(cells.begin(), cells.end(), [](const Cell& cell) {
        const network::CellKind kind = cell.form().kind;
        return kind == network::CellKind::ctrnn_rate || kind == network::CellKind::ctrnn_current;
    });
    LinearisationWriter writer(
        std::move(group),
        {count, state, dynamics.inputs(), values_of(o, state), modes_of(o, state)}, keep,
        dynamics.dt(), flow ? LinearisationWriter::Step::flow : LinearisationWriter::Step::map);
    if (std::count(points.kind.begin(), points.kind.end(), PointKind::slow) > 0)
        writer.note_slow_points();
    return writer;
}

void LinearizedBlock::write(LinearisationWriter& writer, double marginal) const {
    for (std::size_t i = 0; i < jacobians.size(); ++i) {
        const Index point = first + static_cast<Index>(i);
        if (slow.empty())
            writer.write(point, systems[i], jacobians[i], input_jacobians[i], marginal);
        else
            writer.write_slow(point, slow[i], jacobians[i], input_jacobians[i]);
    }
}

double LinearizedBlock::longest_time_constant() const {
    double longest = 0;
    for (const EigenSystem& s : systems) longest = std::max(longest, time_constant(s.values(0)));
    for (const SlowModes& s : slow) longest = std::max(longest, time_constant(s.system.values(0)));
    return longest;
}

Index LinearizedBlock::unfinished() const {
    return std::count_if(slow.begin(), slow.end(), [](const auto& s) { return !s.converged; });
}

void linearize_points(const LinearizeRequest& o, const Dynamics& dynamics, const Points& points,
                      const Execution& execution, const std::function<void(LinearizedBlock)>& take,
                      Index first) {
    const Phase phase(*execution.monitor, "linearization");
    const Index modes = modes_of(o, dynamics.state_size()), count = points.count();
    const bool slowest = takes_slowest(o, dynamics.state_size());
    const EigenvalueOrder order = o.top_k > 0 ? EigenvalueOrder::nearest_one : o.order;
    const Index block = block_size(dynamics.state_size(), execution.threads);
    for (Index size = 0; first < count; first += size) {
        size = std::min(block, count - first);
        LinearizedBlock done;
        done.first = first;
        done.jacobians.resize(static_cast<std::size_t>(size));
        done.input_jacobians.resize(done.jacobians.size());
        (slowest ? done.slow.resize(done.jacobians.size())
                 : done.systems.resize(done.jacobians.size()));
        parallel_blocks(size, execution.threads, [&](Index i) {
            const auto at = static_cast<std::size_t>(i);
            const RowMatrix x = points.input.row(done.first + i),
                            h = points.state.row(done.first + i);
            done.jacobians[at] = dynamics.jacobian_state(x, h);
            done.input_jacobians[at] = dynamics.jacobian_input(x, h);
            if (slowest)
                done.slow[at] = slow_modes(done.jacobians[at], o.top_k);
            else
                done.systems[at] = eigen_system(done.jacobians[at], modes, order);
        });
        const auto reached = static_cast<double>(first + size);
        take(std::move(done));
        execution.monitor->progress({reached, static_cast<double>(count), "points", ""});
    }
}

} // namespace fixedpoints_app
