// Root finding for a batch of starts at once: residuals come from matrix products of the whole
// batch, each start has its own step rule. An internal of the searches.
#pragma once

#include <assay/fixedpoints/rest_map.hpp>

#include <vector>

namespace assay::fixedpoints {

// Roots that are known already, in the map's arguments. Newton's method started within a third of
// a root's uniqueness radius converges to it (there beta Lip t <= 2/3, so the error shrinks:
// Kantorovich), so a start that gets there has hit it.
struct KnownRoots {
    RowMatrix arguments; // K x size
    Vector capture;      // K: the radius of certain capture; 0 where there is no certificate
    // The root that has captured a point, or -1.
    [[nodiscard]] Index captures(const Eigen::Ref<const Eigen::RowVectorXd>& point) const;
    void add(const RowMatrix& argument, double radius);
};

struct Root {
    Eigen::RowVectorXd argument;
    StartStatus status = StartStatus::max_iterations;
    std::int32_t iterations = 0;
    double q = 0;           // |g|^2 / 2
    Index captured_by = -1; // of the known roots
};

// How many starts a batch should hold, by shape only: their normal equations stay in cache.
[[nodiscard]] Index batch_size(Index dimension);

// Runs every row of `starts` to its end.
[[nodiscard]] std::vector<Root> solve_batch(const RestMap& map, const RowMatrix& starts,
                                            const KnownRoots& known, const SearchOptions& options);

// Up to `steps` undamped Newton steps, each kept only if the residual falls (1 x size).
[[nodiscard]] RowMatrix polish(const RestMap& map, RowMatrix point, int steps);

} // namespace assay::fixedpoints
