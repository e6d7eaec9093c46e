// What a search finds: points where a network rests (fixed) or nearly rests (slow), one row each,
// and what became of every start. Rows are ordered by (input, number of unstable dimensions, state
// rounded to 1e-6), so that they do not depend on threads.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::fixedpoints {

enum class PointKind : std::uint8_t { fixed, slow };

enum class StartStatus : std::uint8_t {
    converged,
    max_iterations,
    diverged,
    local_minimum,
    outlier,
    duplicate,
    artefact
};

// Newton-Kantorovich: a root exists within existence_radius of the point and no other within
// uniqueness_radius. Not certified: kappa above 1/2 (or infinite), radii NaN.
struct Certificate {
    double beta = 0;  // norm of the inverse of dR/dh - I
    double kappa = 0; // beta eta Lip
    double existence_radius = 0;
    double uniqueness_radius = 0;
    std::string reason; // why there is none; empty where there is one
    [[nodiscard]] bool holds() const { return reason.empty(); }
};

struct Points {
    RowMatrix state;                    // P x state size
    RowMatrix input;                    // P x inputs: the constant input of each point
    std::vector<std::int32_t> input_id; // which of the searched inputs
    std::vector<PointKind> kind;
    Vector q;                                  // speed objective, see `q_norm` of the search
    Vector residual_inf, reduced_residual_inf; // |F(h) - h|, |R(v) - v|, largest entry
    std::vector<std::int32_t> hits, found_in_round;
    std::vector<std::int32_t> poincare_index; // sign det(I - J); 0: degenerate
    std::vector<std::int32_t> n_unstable;     // eigenvalues beyond the unit circle
    std::vector<Certificate> certificates;    // of exact points; empty: not asked for
    RowMatrix drift;                          // P x state size: g inside the slow directions
    std::vector<std::int32_t> slow_dimension;

    [[nodiscard]] Index count() const { return state.rows(); }
    // The rows of some points, in that order.
    [[nodiscard]] ASSAY_API Points chosen(const std::vector<Index>& rows) const;
};

} // namespace assay::fixedpoints
