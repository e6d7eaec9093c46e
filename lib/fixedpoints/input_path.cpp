#include <assay/fixedpoints/input_path.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>

#include <algorithm>

namespace assay::fixedpoints {
namespace {

constexpr double kSame = 1e-6; // of inputs, and of states

bool coincide(const RowMatrix& a, const RowMatrix& b) {
    return (a - b).norm() <= kSame * (1 + b.norm());
}

// Rows of the exact points of an input.
std::vector<Index> points_under(const Points& points, const RowMatrix& input) {
    std::vector<Index> rows;
    for (Index p = 0; p < points.count(); ++p)
        if (points.kind[static_cast<std::size_t>(p)] == PointKind::fixed &&
            coincide(points.input.row(p), input))
            rows.push_back(p);
    return rows;
}

Index point_at(const Points& points, const std::vector<Index>& rows, const RowMatrix& state) {
    for (const Index p : rows)
        if (coincide(points.state.row(p), state)) return p;
    return -1;
}

struct Start {
    RowMatrix state;
    Index before, point;
};

// The ends of the branches from `first` on that arrived, then the points that none of them reached.
std::vector<Start> starts_of(const std::vector<PathBranch>& branches, std::size_t first,
                             const Points& points, const std::vector<Index>& rows) {
    std::vector<Start> starts;
    std::vector<Index> reached;
    for (std::size_t b = first; b < branches.size(); ++b) {
        const PathBranch& one = branches[b];
        if (one.branch.end != BranchEnd::to_end) continue;
        starts.push_back({one.branch.state.bottomRows(1), static_cast<Index>(b), one.arrives});
        reached.push_back(one.arrives);
    }
    for (const Index p : rows)
        if (std::find(reached.begin(), reached.end(), p) == reached.end())
            starts.push_back({points.state.row(p), -1, p});
    return starts;
}

RowMatrix states_of(const std::vector<Start>& starts, Index size) {
    RowMatrix states(static_cast<Index>(starts.size()), size);
    for (std::size_t i = 0; i < starts.size(); ++i)
        states.row(static_cast<Index>(i)) = starts[i].state;
    return states;
}

} // namespace

std::vector<PathBranch> track_path(const Dynamics& dynamics, const Points& points,
                                   const RowMatrix& path, const TrackOptions& options,
                                   const Execution& run) {
    if (path.rows() < 2)
        throw Error(concat("a path of ", path.rows(), " inputs; at least 2 are expected"));
    std::vector<Index> here = points_under(points, path.row(0));
    if (here.empty()) throw Error("no point is known at the first input of the path");
    const Phase phase(*run.monitor, "branches");
    std::vector<PathBranch> branches;
    std::size_t first = 0; // branch of the segment before
    for (Index segment = 0; segment + 1 < path.rows(); ++segment) {
        const RowMatrix from = path.row(segment), to = path.row(segment + 1);
        const auto starts = starts_of(branches, first, points, here);
        auto tracked = track_points(dynamics, states_of(starts, dynamics.state_size()), from, to,
                                    options, run);
        here = points_under(points, to);
        first = branches.size();
        for (std::size_t i = 0; i < tracked.size(); ++i) {
            PathBranch one{segment, starts[i].before, starts[i].point, std::move(tracked[i]), {},
                           {}};
            Branch& branch = one.branch;
            if (branch.meets >= 0) branch.meets += static_cast<Index>(first);
            one.input = (Vector::Ones(branch.count()) - branch.s) * from + branch.s * to;
            one.output = branch.count() > 0 ? dynamics.readout(branch.state)
                                            : RowMatrix(0, dynamics.outputs());
            if (branch.end == BranchEnd::to_end)
                one.arrives = point_at(points, here, branch.state.bottomRows(1));
            branches.push_back(std::move(one));
        }
        run.monitor->stop_if_interrupted();
        run.monitor->progress({static_cast<double>(segment + 1),
                               static_cast<double>(path.rows() - 1), "segments", ""});
    }
    return branches;
}

} // namespace assay::fixedpoints
