// The eigen-systems of all points of a search, and which points share a constant input.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <vector>

namespace assay::fixedpoints {

// All vectors up to 256 dimensions of the state, else 20: what is kept where nothing else is said.
[[nodiscard]] ASSAY_API Index usual_modes(Index state_size);

// Of dF/dh at every point, by falling magnitude, with the first `modes` vectors. O(25 P S^3), one
// point a thread.
[[nodiscard]] ASSAY_API std::vector<EigenSystem>
eigen_systems(const Dynamics& dynamics, const Points& points, Index modes, const Execution& run);

// All eigenvalues, and the vectors of the unstable ones.
[[nodiscard]] ASSAY_API std::vector<EigenSystem>
unstable_systems(const Dynamics& dynamics, const Points& points, const Execution& run);

// Whether stored eigen-systems are those of these points: as many, and the sum of each one's
// eigenvalues is the trace of dF/dh, or, where only some are kept, their vectors are vectors of it.
// O(P) Jacobians.
[[nodiscard]] ASSAY_API bool belong_to(const std::vector<EigenSystem>& systems,
                                       const Dynamics& dynamics, const Points& points,
                                       const Execution& run);
// Whether all eigenvalues are there (`linearize --top-k` keeps some).
[[nodiscard]] ASSAY_API bool are_whole(const std::vector<EigenSystem>& systems);
// And of every point `modes` vectors or more; false of no points.
[[nodiscard]] ASSAY_API bool hold_modes(const std::vector<EigenSystem>& systems, Index modes);
// And the vectors of all unstable ones.
[[nodiscard]] ASSAY_API bool hold_unstable_modes(const std::vector<EigenSystem>& systems);

// The rows of the points of one constant input, rising.
[[nodiscard]] ASSAY_API std::vector<Index> rows_of_input(const Points& points, Index input);
// One more than the largest input_id; 0 without points.
[[nodiscard]] ASSAY_API Index input_count(const Points& points);
// Those elements, in that order.
template <class T>
[[nodiscard]] std::vector<T> chosen(const std::vector<T>& all, const std::vector<Index>& rows) {
    std::vector<T> some;
    some.reserve(rows.size());
    for (const Index row : rows) some.push_back(all[static_cast<std::size_t>(row)]);
    return some;
}

} // namespace assay::fixedpoints
