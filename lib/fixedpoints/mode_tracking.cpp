#include <assay/fixedpoints/mode_tracking.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/linalg/assignment.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::fixedpoints {
namespace {

constexpr double kEqual = 1e-12;

// |l_a(i) . r_b(i + 1)| (k x k).
Matrix overlaps(const EigenSystem& here, const EigenSystem& next, Index modes) {
    const Matrix found = (here.left.topRows(modes) * next.right.leftCols(modes)).cwiseAbs();
    if (!found.allFinite()) throw Error("eigenvectors that are not finite cannot be tracked");
    return found;
}

// How the modes of a point go on in the next.
struct Match {
    Matrix overlap;
    std::vector<Index> next;
};

std::vector<Index> rising(const Vector& theta) {
    std::vector<Index> order(static_cast<std::size_t>(theta.size()));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return theta(a) < theta(b); });
    return order;
}

// Which mode every curve is at every point, and the overlaps on its way.
void follow(const std::vector<Match>& matches, Index curves, LineModes& modes) {
    std::vector<Index> mode(static_cast<std::size_t>(curves));
    std::iota(mode.begin(), mode.end(), Index{0});
    modes.overlaps.resize(static_cast<Index>(matches.size()), curves);
    if (!modes.order.empty()) modes.modes.push_back(mode);
    for (std::size_t i = 0; i < matches.size(); ++i) {
        for (std::size_t c = 0; c < mode.size(); ++c) {
            const Index next = matches[i].next[static_cast<std::size_t>(mode[c])];
            modes.overlaps(static_cast<Index>(i), static_cast<Index>(c)) =
                matches[i].overlap(mode[c], next);
            mode[c] = next;
        }
        modes.modes.push_back(mode);
    }
}

// The rank of each curve at a point; 0: largest magnitude.
std::vector<Index> magnitude_ranks(const Eigen::RowVectorXd& magnitudes) {
    std::vector<Index> order(static_cast<std::size_t>(magnitudes.size()));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return magnitudes(a) > magnitudes(b); });
    std::vector<Index> rank(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        rank[static_cast<std::size_t>(order[i])] = static_cast<Index>(i);
    return rank;
}

// Where the difference of two curves' magnitudes changes its sign along the line.
void append_crossings(const LineModes& modes, const RowMatrix& magnitudes,
                      const std::vector<std::vector<Index>>& rank, Index listed, Index a, Index b,
                      std::vector<Crossing>& crossings) {
    Index last = -1; // the last point where they differ
    double before = 0;
    for (Index i = 0; i < magnitudes.rows(); ++i) {
        const double difference = magnitudes(i, a) - magnitudes(i, b);
        if (!(std::abs(difference) > kEqual * std::max(magnitudes(i, a), magnitudes(i, b))))
            continue;
        const auto leads = [&](Index point) {
            const auto& of = rank[static_cast<std::size_t>(point)];
            return std::min(of[static_cast<std::size_t>(a)], of[static_cast<std::size_t>(b)]) <
                   listed;
        };
        if (last >= 0 && difference * before < 0 && (leads(last) || leads(i))) {
            const double fraction = before / (before - difference);
            crossings.push_back(
                {a, b, last, modes.theta(last) + fraction * (modes.theta(i) - modes.theta(last))});
        }
        last = i;
        before = difference;
    }
}

std::vector<Crossing> find_crossings(const LineModes& modes, Index listed) {
    const RowMatrix magnitudes = modes.eigenvalues.cwiseAbs();
    std::vector<std::vector<Index>> rank;
    for (Index i = 0; i < magnitudes.rows(); ++i)
        rank.push_back(magnitude_ranks(magnitudes.row(i)));
    std::vector<Crossing> crossings;
    for (Index a = 0; a < magnitudes.cols(); ++a)
        for (Index b = a + 1; b < magnitudes.cols(); ++b)
            append_crossings(modes, magnitudes, rank, listed, a, b, crossings);
    std::stable_sort(crossings.begin(), crossings.end(),
                     [](const Crossing& a, const Crossing& b) { return a.step < b.step; });
    return crossings;
}

} // namespace

LineModes track_modes(const std::vector<EigenSystem>& systems, const Vector& theta, Index listed,
                      const Execution& run) {
    const auto count = static_cast<Index>(systems.size());
    const Index kept = fewest_modes(systems);
    if (theta.size() != count)
        throw Error(concat(theta.size(), " coordinates for ", count, " points"));
    if (count > 0 && kept == 0) throw Error("eigen-systems without vectors cannot be tracked");
    LineModes found;
    found.order = rising(theta);
    const auto system = [&](Index i) -> const EigenSystem& {
        return systems[static_cast<std::size_t>(found.order[static_cast<std::size_t>(i)])];
    };
    std::vector<Match> matches(systems.empty() ? 0 : systems.size() - 1);
    parallel_blocks(static_cast<Index>(matches.size()), run.threads, [&](Index i) {
        run.monitor->stop_if_interrupted();
        Match& match = matches[static_cast<std::size_t>(i)];
        match.overlap = overlaps(system(i), system(i + 1), kept);
        match.next = linalg::assign(-match.overlap).column;
    });
    follow(matches, kept, found);
    found.theta.resize(count);
    found.slowest.resize(count, count > 0 ? std::min(kSlowestModes, system(0).values.size()) : 0);
    found.eigenvalues.resize(count, kept);
    for (Index i = 0; i < count; ++i) {
        found.theta(i) = theta(found.order[static_cast<std::size_t>(i)]);
        for (Index a = 0; a < found.slowest.cols(); ++a)
            found.slowest(i, a) = time_constant(system(i).values(a));
        for (Index c = 0; c < kept; ++c)
            found.eigenvalues(i, c) = system(i).values(
                found.modes[static_cast<std::size_t>(i)][static_cast<std::size_t>(c)]);
    }
    found.time_constants = found.eigenvalues.unaryExpr(&time_constant);
    found.crossings = find_crossings(found, listed);
    return found;
}

} // namespace assay::fixedpoints
