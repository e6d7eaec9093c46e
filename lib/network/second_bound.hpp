// How far the Jacobian of a recurrent cell can turn near one state: an upper bound of its second
// derivative over a ball, from which certificates of fixed points follow (Newton-Kantorovich).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/network/cell.hpp>

#include <memory>
#include <vector>

namespace assay::network {

// Weights, and the norms of the recurrent weight of each gate: of its rows, and the spectral one.
struct NormedWeights {
    CellArrays<double> arrays;
    std::vector<Vector> rows;
    std::vector<double> norm;
};
[[nodiscard]] NormedWeights normed(const CellForm& form, CellArrays<double> arrays);

// An upper bound of |D2F[u, v]| for unit vectors u, v (state directions; x stays), over all states
// within a distance of one state: a Lipschitz constant of the Jacobian there. Made by
// RecurrentCell::second_bound; cheap to ask for many radii.
//
// Derivation. Unit i of F is a function f_i of few scalars y_p (pre-activations, its own state)
// that are affine in h with gradients l_p: D2F[u, v]_i = sum_pq M_pq (l_p u)(l_q v), M = D2 f_i.
// Over the ball y_p stays in an interval of half width radius |l_p|, and interval arithmetic on the
// adjoint of the step, with exact ranges of the activations and of their first two derivatives,
// encloses M = M0 + E with M0 the value at the centre. The M0 part is at most the norm of its
// flattening, sqrt(lambda_max(sum_i H_i^2)) with H_i the Hessian of unit i. For the rest, |sum_pq
// E_pq (l_p u)(l_q v)| <= sum_q |b_q (L_q v)| with b_qi = sum_p |E_pq| |l_p|, and |diag(b) L| <=
// min(max b |L|_2, Frobenius norm). The smaller of that and of the same bound with M for E counts.
// gru with the reset before the product: W_n (r h) has a Jacobian that varies over the ball; its
// deviation is added to the rows, and |dF/da_n| |W_n| |D2(r h)| to the bound. ctrnn in current
// form: exactly max_j |phi''(h_j)| |column j of alpha W|. Rounding is allowed for by widened
// ranges, but not enclosed step by step.
class ASSAY_API SecondBound {
  public:
    // The state in the middle of the ball, and what the step holds there.
    struct Centre {
        Vector h, slots;
        Vector reset, reset_slope; // gru_before: r and h r', else empty
    };
    // `h` is of the full state or, with the reduced map, of the units alone.
    SecondBound(const CellForm& form, CellMap map, std::shared_ptr<const NormedWeights> weights,
                Centre centre);
    // Infinity where the ball may reach a kink, or a gate of 1 under R (or is too large to say).
    [[nodiscard]] double operator()(double radius) const;

  private:
    class Ball;
    std::shared_ptr<const Ball> ball_;
};

} // namespace assay::network
