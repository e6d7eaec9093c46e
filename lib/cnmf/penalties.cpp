#include <assay/cnmf/penalties.hpp>

namespace assay::cnmf {

TimeMatrix sum_of_others(TimeMatrix rows) {
    const Vector sums = rows.rowwise().sum();
    rows = -rows;
    rows.colwise() += sums;
    // A single component has no others; rounding must not invent a gradient, nor a negative one.
    if (rows.cols() == 1) rows.setZero();
    rows = rows.cwiseMax(0.0);
    return rows;
}

Matrix cross_orthogonality_motif_gradient(const Matrix& smoothed_product, Index components) {
    Matrix gradient(smoothed_product.rows(), smoothed_product.cols());
    for (Index first = 0; first < gradient.cols(); first += components)
        gradient.middleCols(first, components) =
            sum_of_others(smoothed_product.middleCols(first, components));
    return gradient;
}

double events_value(const TimeMatrix& activations, const TimeAxis& axis) {
    return 0.5 * inner_product(activations, sum_of_others(window_sums(activations, axis)));
}

double parts_value(const Matrix& motifs, Index components) {
    RowMatrix sums = RowMatrix::Zero(motifs.rows(), components);
    for (Index first = 0; first < motifs.cols(); first += components)
        sums += motifs.middleCols(first, components);
    return 0.5 * sums.cwiseProduct(sum_of_others(sums)).sum();
}

PenaltyValues penalty_values(const Model& model, const Penalties& weights, const TimeAxis& axis,
                             double cross_orthogonality) {
    PenaltyValues values;
    values.l1_motifs = weights.l1_motifs * model.motifs.sum();
    values.l2_motifs = 0.5 * weights.l2_motifs * model.motifs.squaredNorm();
    values.l1_activations = weights.l1_activations * model.activations.sum();
    values.l2_activations = 0.5 * weights.l2_activations * model.activations.squaredNorm();
    values.x_ortho = weights.x_ortho * cross_orthogonality;
    if (weights.events > 0)
        values.events = weights.events * events_value(axis.padded(model.activations), axis);
    if (weights.parts > 0)
        values.parts = weights.parts * parts_value(model.motifs, model.components);
    return values;
}

void edit_gram(Matrix& gram, Index components, double l2, double parts) {
    if (parts > 0)
        for (Index j = 0; j < gram.cols(); ++j)
            for (Index i = 0; i < gram.rows(); ++i)
                if (i % components != j % components) gram(i, j) += parts;
    if (l2 > 0) gram.diagonal().array() += l2;
}

} // namespace assay::cnmf
