#include <assay/fixedpoints/starts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>

#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr Index kMostNodes = 1000000;
constexpr Index kStartBlock = 256; // starts that one thread draws

// Calls body(start) for every start.
template <class Body>
void each_start(Index count, int threads, Body&& body) {
    const Blocks blocks{count, kStartBlock};
    parallel_blocks(blocks.count(), threads, [&](Index block) {
        const Index first = blocks.begin(block);
        for (Index b = first; b < first + blocks.extent(block); ++b) body(b);
    });
}

// At least one.
std::vector<Index> steps_to_start_from(const Trajectories& trajectories, Index skip) {
    auto rows = valid_steps(trajectories, skip);
    if (rows.empty())
        throw Error(concat("no valid step is left in ", trajectories.trials, " trials of ",
                           trajectories.steps, " steps after the first ", skip));
    return rows;
}

Eigen::RowVectorXd deviations(const RowMatrix& states) {
    const Eigen::RowVectorXd mean = states.colwise().mean();
    return ((states.rowwise() - mean).colwise().squaredNorm() / static_cast<double>(states.rows()))
        .cwiseSqrt();
}

} // namespace

std::vector<Index> valid_steps(const Trajectories& trajectories, Index skip_steps) {
    std::vector<Index> rows;
    for (Index trial = 0; trial < trajectories.trials; ++trial)
        for (Index t = skip_steps; t < trajectories.lengths[static_cast<std::size_t>(trial)]; ++t)
            rows.push_back(trajectories.row(trial, t));
    return rows;
}

RowMatrix valid_states(const Trajectories& trajectories, Index skip_steps) {
    const auto rows = steps_to_start_from(trajectories, skip_steps);
    RowMatrix states(static_cast<Index>(rows.size()), trajectories.states.cols());
    for (std::size_t i = 0; i < rows.size(); ++i)
        states.row(static_cast<Index>(i)) = trajectories.states.row(rows[i]);
    return states;
}

RowMatrix sample_states(const Trajectories& trajectories, const TrajectorySampling& sampling,
                        int threads) {
    const auto rows = steps_to_start_from(trajectories, sampling.skip_steps);
    const Index size = trajectories.states.cols();
    Eigen::RowVectorXd scale = Eigen::RowVectorXd::Constant(size, sampling.noise);
    if (sampling.noise_relative >= 0)
        scale =
            sampling.noise_relative * deviations(valid_states(trajectories, sampling.skip_steps));
    const Random where(sampling.seed, "fixedpoints/start/step"),
        noise(sampling.seed, "fixedpoints/start/noise");
    RowMatrix states(sampling.count, size);
    each_start(sampling.count, threads, [&](Index b) {
        const auto start = static_cast<std::uint64_t>(b);
        states.row(b) = trajectories.states.row(rows[where.below(rows.size(), start)]);
        for (Index i = 0; i < size; ++i)
            if (scale(i) > 0)
                states(b, i) +=
                    scale(i) * noise.normal(static_cast<std::uint64_t>(i), {start, 0, 0});
    });
    return states;
}

RowMatrix uniform_states(Index count, Index size, double low, double high, std::uint64_t seed,
                         int threads) {
    const Random random(seed, "fixedpoints/start/uniform");
    RowMatrix states(count, size);
    each_start(count, threads, [&](Index b) {
        for (Index i = 0; i < size; ++i)
            states(b, i) =
                low + (high - low) * random.uniform(static_cast<std::uint64_t>(i),
                                                    {static_cast<std::uint64_t>(b), 0, 0});
    });
    return states;
}

RowMatrix grid_states(Index nodes, Index size, double low, double high) {
    Index count = 1;
    for (Index i = 0; i < size; ++i) {
        count *= nodes;
        if (count > kMostNodes)
            throw Error(concat("--grid ", nodes, ": ", nodes, "^", size, " starts refused (limit ",
                               kMostNodes, ")"));
    }
    RowMatrix states(count, size);
    const double step = nodes > 1 ? (high - low) / static_cast<double>(nodes - 1) : 0;
    for (Index b = 0; b < count; ++b) {
        Index rest = b;
        for (Index i = size - 1; i >= 0; --i, rest /= nodes)
            states(b, i) = low + step * static_cast<double>(rest % nodes);
    }
    return states;
}

} // namespace assay::fixedpoints
