// The regularisers of the objective, their values, gradients, and how they become edits of matrix
// and right-hand side.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/core/export.hpp>

namespace assay::cnmf {

struct Penalties {
    double l1_motifs = 0, l2_motifs = 0, l1_activations = 0, l2_activations = 0;
    double x_ortho = 0; // cross-orthogonality, |transconv(W,X) S H^T| off the diagonal
    double events = 0;  // 1/2 |H S H^T| off the diagonal
    double parts = 0;   // 1/2 |F^T F| off the diagonal, F = sum of W over lags
    bool x_ortho_in_motifs = true;
    [[nodiscard]] bool any() const {
        return l1_motifs > 0 || l2_motifs > 0 || l1_activations > 0 || l2_activations > 0 ||
               x_ortho > 0 || events > 0 || parts > 0;
    }
};

// Sum over all columns but the own one: row sums minus the column itself. In place of an array that
// is moved in.
[[nodiscard]] ASSAY_API TimeMatrix sum_of_others(TimeMatrix rows);
// dR_x/dW (units x K L) from B_S = X unfold(H S)^T: for each lag, the sum over the other
// components.
[[nodiscard]] ASSAY_API Matrix cross_orthogonality_motif_gradient(const Matrix& smoothed_product,
                                                                  Index components);
// R_e and R_p.
[[nodiscard]] ASSAY_API double events_value(const TimeMatrix& activations, const TimeAxis& axis);
[[nodiscard]] ASSAY_API double parts_value(const Matrix& motifs, Index components);
// Adds l2 to the diagonal of A and `parts` to all entries of different components.
ASSAY_API void edit_gram(Matrix& gram, Index components, double l2, double parts);

// What each penalty adds to the objective, by its weight.
struct PenaltyValues {
    double l1_motifs = 0, l2_motifs = 0, l1_activations = 0, l2_activations = 0;
    double x_ortho = 0, events = 0, parts = 0;
};
// `cross_orthogonality`: R_x of the model.
[[nodiscard]] ASSAY_API PenaltyValues penalty_values(const Model& model, const Penalties& weights,
                                                     const TimeAxis& axis,
                                                     double cross_orthogonality);

} // namespace assay::cnmf
