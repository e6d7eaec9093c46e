#include <assay/fixedpoints/cycle_starts.hpp>

#include <assay/core/random.hpp>

namespace assay::fixedpoints {

Trajectories steps_under(const Trajectories& trajectories, const RowMatrix& input) {
    constexpr double kSame = 1e-6;
    std::vector<Index> valid, under;
    for (Index trial = 0; trial < trajectories.trials; ++trial)
        for (Index t = 0; t < trajectories.lengths[static_cast<std::size_t>(trial)]; ++t) {
            const Index row = trajectories.row(trial, t);
            valid.push_back(row);
            if ((trajectories.inputs.row(row) - input).norm() <= kSame * (1 + input.norm()))
                under.push_back(row);
        }
    const std::vector<Index>& rows = under.empty() ? valid : under;
    Trajectories steps;
    steps.trials = static_cast<Index>(rows.size());
    steps.steps = 1;
    steps.lengths.assign(rows.size(), 1);
    steps.inputs.resize(steps.trials, trajectories.inputs.cols());
    steps.states.resize(steps.trials, trajectories.states.cols());
    for (Index i = 0; i < steps.trials; ++i) {
        const Index row = rows[static_cast<std::size_t>(i)];
        steps.inputs.row(i) = trajectories.inputs.row(row);
        steps.states.row(i) = trajectories.states.row(row);
    }
    return steps;
}

RowMatrix kicked_states(const Landscape& landscape, Index kicks, double scale, std::uint64_t seed) {
    const Random random(seed, "fixedpoints/topology/kick");
    RowMatrix states(landscape.count() * kicks, landscape.state.cols());
    for (Index row = 0; row < states.rows(); ++row) {
        const Index node = row / kicks;
        const double deviation = scale * landscape.spacing(node);
        const StreamWords stream{
            static_cast<std::uint64_t>(landscape.point[static_cast<std::size_t>(node)]),
            static_cast<std::uint64_t>(row % kicks), 0};
        for (Index i = 0; i < states.cols(); ++i)
            states(row, i) = landscape.state(node, i) +
                             deviation * random.normal(static_cast<std::uint64_t>(i), stream);
    }
    return states;
}

RowMatrix kicked_starts(const Landscape& landscape, Index count, double scale, std::uint64_t seed) {
    const Index nodes = landscape.count(), kicks = (count + nodes - 1) / nodes;
    const RowMatrix all = kicked_states(landscape, kicks, scale, seed);
    RowMatrix starts(count, all.cols());
    for (Index i = 0; i < count; ++i) starts.row(i) = all.row(i % nodes * kicks + i / nodes);
    return starts;
}

} // namespace assay::fixedpoints
