// A factorisation: K motifs over N units and L lags, and their activations in time; and what can be
// told of it without ever forming units x time.
#pragma once

#include <assay/cnmf/gram.hpp>
#include <assay/cnmf/mask.hpp>
#include <assay/cnmf/products.hpp>
#include <assay/core/export.hpp>

#include <cmath>
#include <vector>

namespace assay::cnmf {

struct Model {
    Index components = 0;
    Index lags = 0;
    Matrix motifs;      // units x K L, lag-descending columns (see time_axis.hpp)
    Matrix activations; // K x bins
    [[nodiscard]] Index units() const { return motifs.rows(); }
};

// Motif k as an image (units x lags, lag ascending).
[[nodiscard]] ASSAY_API Matrix motif_image(const Model& model, Index component);
ASSAY_API void set_motif_image(Model& model, Index component, const Matrix& image);
// Only the components named, in that order.
[[nodiscard]] ASSAY_API Model chosen_components(const Model& model,
                                                const std::vector<Index>& components);
// Xhat of bins first .. first + count - 1 (units x count).
[[nodiscard]] ASSAY_API Matrix reconstruct(const Model& model, const TimeAxis& axis,
                                           const TimeMatrix& activations, Index first_bin,
                                           Index count);

// Errors of a model on a recording, computed block by block from the data themselves.
struct Evaluation {
    double squared_error = 0; // seen entries
    double squared_norm = 0;
    double test_error = 0; // held-out entries
    double test_norm = 0;
    Vector unit_error; // seen entries of each unit
    Vector unit_norm;
    Vector bin_error; // seen entries of each bin
    [[nodiscard]] double relative_loss() const { return std::sqrt(squared_error / squared_norm); }
    [[nodiscard]] double test_loss() const { return std::sqrt(test_error / test_norm); }
};
// `data` holds 0 at excluded entries.
[[nodiscard]] ASSAY_API Evaluation evaluate(const Model& model, const Recording& data,
                                            const Unseen& unseen, const Execution& run);

// Loading of component k: (2 <H_k, G_k> - <H_k, C_kk * H_k>) / |X|^2, floored at 0: how much the
// component explains of the seen entries. `squared_norm` is that of the data in `products`.
[[nodiscard]] ASSAY_API Vector loadings(const Model& model, DataProducts& products,
                                        double squared_norm, const Unseen& unseen,
                                        const Execution& run);

// R_x of the model, unweighted, with the model's values at unseen entries, as a fit minimises it.
[[nodiscard]] ASSAY_API double cross_orthogonality(const Model& model, DataProducts& products,
                                                   const Unseen& unseen, const Execution& run);
// Squared norm of what each component reconstructs.
[[nodiscard]] ASSAY_API Vector component_powers(const Model& model, const TimeAxis& axis,
                                                const Execution& run);

// --- Arrangement: equal models, written so that people can read them. ---

enum class Normalization { none, h_l2, w_l2, w_max };
// Rescales each component; the product W H stays as it is.
ASSAY_API void normalize(Model& model, Normalization normalization);
// Components by descending `key`, ties by index; returns the old index of each.
ASSAY_API std::vector<Index> sort_components(Model& model, const Vector& key);
// Moves each motif so that its centre of mass stands in the middle of the window, and its
// activations against it. What leaves the window or the recording is lost; nothing wraps. Returns
// the shift of each component in bins.
ASSAY_API std::vector<Index> centre_motifs(Model& model, const TimeAxis& axis);

// How units line up: the component of largest weight, the lag of its peak, and the order
// (component, lag, index). Units of zero weight come last, with component and lag -1.
struct UnitOrder {
    std::vector<std::int64_t> component, peak_lag, order;
};
[[nodiscard]] ASSAY_API UnitOrder order_units(const Model& model);

} // namespace assay::cnmf
