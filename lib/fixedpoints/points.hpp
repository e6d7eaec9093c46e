// What a search finds: points where a network rests (fixed) or nearly rests (slow), one row each,
// and what became of every start. Rows are ordered by (input, number of unstable dimensions, state
// rounded to 1e-6), so that they do not depend on threads.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
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
    artefact,
    left_out // a point as good as others, where no more are taken
};

// Whether a point is certified, or why it is not: near a fold the theorem's kappa exceeds 1/2 in
// every ball; dR/dh - I may have no inverse; a kink of the activation may lie at the point; slow
// points rest nowhere, so that nothing is to be proved.
enum class CertificateState : std::uint8_t {
    certified,
    near_fold,
    singular,
    kink,
    slow,
    not_asked
};

// Newton-Kantorovich: a root exists within existence_radius of the point and no other within
// uniqueness_radius. Not certified: kappa above 1/2 (or infinite), radii NaN.
struct Certificate {
    double beta = 0;  // norm of the inverse of dR/dh - I
    double kappa = 0; // beta eta Lip
    double existence_radius = 0;
    double uniqueness_radius = 0;
    CertificateState state = CertificateState::not_asked;
    [[nodiscard]] bool holds() const { return state == CertificateState::certified; }
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
    // Rows of what graphs and comparisons speak of: the exact points; where there is none, as of a
    // search for slow points alone, these.
    [[nodiscard]] ASSAY_API std::vector<Index> nodes() const;
};

} // namespace assay::fixedpoints
