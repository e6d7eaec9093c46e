#include <assay/cnmf/model.hpp>

#include <assay/cnmf/penalties.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::cnmf {

Matrix motif_image(const Model& model, Index component) {
    Matrix image(model.units(), model.lags);
    for (Index l = 0; l < model.lags; ++l)
        image.col(l) = model.motifs.col(motif_column(component, l, model.components, model.lags));
    return image;
}

void set_motif_image(Model& model, Index component, const Matrix& image) {
    for (Index l = 0; l < model.lags; ++l)
        model.motifs.col(motif_column(component, l, model.components, model.lags)) = image.col(l);
}

Model chosen_components(const Model& model, const std::vector<Index>& components) {
    Model chosen;
    chosen.components = static_cast<Index>(components.size());
    chosen.lags = model.lags;
    chosen.motifs.resize(model.units(), chosen.components * chosen.lags);
    for (Index k = 0; k < chosen.components; ++k)
        set_motif_image(chosen, k, motif_image(model, components[static_cast<std::size_t>(k)]));
    if (model.activations.size() > 0)
        chosen.activations = model.activations(components, Eigen::all);
    return chosen;
}

Matrix reconstruct(const Model& model, const TimeAxis& axis, const TimeMatrix& activations,
                   Index first_bin, Index count) {
    Matrix data(model.units(), count);
    // A stretch may cross segments; rows are contiguous within one.
    for (Index done = 0; done < count;) {
        const auto after =
            std::upper_bound(axis.segments().begin(), axis.segments().end(), first_bin + done,
                             [](Index bin, const Segment& s) { return bin < s.first_bin; });
        const Segment& segment = *(after - 1);
        const Index inside = first_bin + done - segment.first_bin;
        const Index extent = std::min(count - done, segment.bins - inside);
        data.middleCols(done, extent).noalias() =
            model.motifs *
            unfolded(activations, axis.lags(), segment.first_row + inside, extent).transpose();
        done += extent;
    }
    return data;
}

Evaluation evaluate(const Model& model, const Recording& data, const Unseen& unseen,
                    const Execution& run) {
    const TimeAxis axis(data.bins(), data.segment_start, model.lags);
    const TimeMatrix h = axis.padded(model.activations);
    const auto pieces = axis.pieces(1024);
    struct PieceErrors {
        Vector unit_error, unit_norm;
        double test_error = 0, test_norm = 0;
    };
    Evaluation whole;
    whole.unit_error = whole.unit_norm = Vector::Zero(model.units());
    whole.bin_error = Vector::Zero(data.bins());
    // Groups bound how many partial results are alive; inside a group blocks run in parallel and
    // are added in order.
    constexpr std::size_t kGroup = 64;
    for (std::size_t first = 0; first < pieces.size(); first += kGroup) {
        const std::size_t count = std::min(kGroup, pieces.size() - first);
        std::vector<PieceErrors> parts(count);
        parallel_blocks(static_cast<Index>(count), run.threads, [&](Index i) {
            const auto& piece = pieces[first + static_cast<std::size_t>(i)];
            PieceErrors& part = parts[static_cast<std::size_t>(i)];
            Matrix x = data.read(piece.first_bin, piece.bins);
            Matrix residual = x;
            residual.noalias() -=
                model.motifs * unfolded(h, model.lags, piece.first_row, piece.bins).transpose();
            if (!unseen.mask.empty()) {
                const std::int32_t* const origin = unseen.mask.units_of(0).begin();
                for (Index t = 0; t < piece.bins; ++t) {
                    const Mask::Units masked = unseen.mask.units_of(piece.first_bin + t);
                    for (const std::int32_t* unit = masked.begin(); unit != masked.end(); ++unit) {
                        if (unseen.tested[static_cast<std::size_t>(unit - origin)]) {
                            part.test_error += std::pow(residual(*unit, t), 2);
                            part.test_norm += std::pow(x(*unit, t), 2);
                        }
                        residual(*unit, t) = 0;
                        x(*unit, t) = 0;
                    }
                }
            }
            part.unit_error = residual.rowwise().squaredNorm();
            part.unit_norm = x.rowwise().squaredNorm();
            whole.bin_error.segment(piece.first_bin, piece.bins) =
                residual.colwise().squaredNorm().transpose();
        });
        if (!data.in_memory()) release_free_memory();
        for (const PieceErrors& part : parts) {
            whole.unit_error += part.unit_error;
            whole.unit_norm += part.unit_norm;
            whole.test_error += part.test_error;
            whole.test_norm += part.test_norm;
        }
    }
    whole.squared_error = whole.unit_error.sum();
    whole.squared_norm = whole.unit_norm.sum();
    return whole;
}

Vector loadings(const Model& model, DataProducts& products, double squared_norm,
                const Unseen& unseen, const Execution& run) {
    const TimeAxis& axis = products.axis();
    const TimeMatrix g = products.with_motifs(model.motifs, run);
    const Vector powers = component_powers(model, axis, run);
    Imputation at_unseen(unseen, axis);
    Vector result(model.components);
    for (Index k = 0; k < model.components; ++k) {
        const Model one = chosen_components(model, {k});
        const TimeMatrix h = axis.padded(one.activations);
        double explained = 2 * inner_product(h, g.col(k)) - powers(k);
        at_unseen.evaluate(one.motifs, h, run);
        for (std::size_t i = 0; i < unseen.stored.size(); ++i) {
            const double value = at_unseen.values()[i];
            explained -= (2 * unseen.stored[i] - value) * value;
        }
        result(k) = std::max(0.0, explained / (squared_norm - unseen.stored_power));
    }
    return result;
}

double cross_orthogonality(const Model& model, DataProducts& products, const Unseen& unseen,
                           const Execution& run) {
    const TimeAxis& axis = products.axis();
    const TimeMatrix h = axis.padded(model.activations);
    Imputation imputation(unseen, axis);
    imputation.evaluate(model.motifs, h, run);
    TimeMatrix g = products.with_motifs(model.motifs, run);
    imputation.add_to(g, model.motifs, run);
    return inner_product(h, sum_of_others(window_sums(g, axis)));
}

Vector component_powers(const Model& model, const TimeAxis& axis, const Execution& run) {
    Vector powers(model.components);
    for (Index k = 0; k < model.components; ++k) {
        const Model one = chosen_components(model, {k});
        const TimeMatrix h = axis.padded(one.activations);
        powers(k) = inner_product(h, correlate(MotifCorrelation(one.motifs, 1), h, axis, run));
    }
    return powers;
}

void normalize(Model& model, Normalization normalization) {
    if (normalization == Normalization::none) return;
    for (Index k = 0; k < model.components; ++k) {
        Matrix image = motif_image(model, k);
        const double scale = normalization == Normalization::h_l2
                                 ? 1 / model.activations.row(k).norm()
                             : normalization == Normalization::w_l2 ? image.norm()
                                                                    : image.maxCoeff();
        if (!std::isfinite(scale) || scale <= 0) continue;
        set_motif_image(model, k, image / scale);
        model.activations.row(k) *= scale;
    }
}

std::vector<Index> sort_components(Model& model, const Vector& key) {
    std::vector<Index> order(static_cast<std::size_t>(model.components));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return key(a) > key(b); });
    model = chosen_components(model, order);
    return order;
}

std::vector<Index> centre_motifs(Model& model, const TimeAxis& axis) {
    const Index lags = model.lags;
    std::vector<Index> shifts;
    for (Index k = 0; k < model.components; ++k) {
        const Matrix image = motif_image(model, k);
        const Vector mass = image.colwise().sum();
        const double total = mass.sum();
        Index shift = 0;
        if (total > 0) {
            const double moment = mass.dot(Vector::LinSpaced(lags, 1.0, static_cast<double>(lags)));
            shift = std::max<Index>(1, lags / 2) - static_cast<Index>(std::floor(moment / total));
        }
        shifts.push_back(shift);
        if (shift == 0) continue;
        Matrix moved = Matrix::Zero(image.rows(), lags);
        for (Index l = 0; l < lags; ++l)
            if (l - shift >= 0 && l - shift < lags) moved.col(l) = image.col(l - shift);
        set_motif_image(model, k, moved);
        for (const auto& segment : axis.segments()) {
            const Eigen::RowVectorXd old =
                model.activations.row(k).segment(segment.first_bin, segment.bins);
            for (Index t = 0; t < segment.bins; ++t)
                model.activations(k, segment.first_bin + t) =
                    t + shift >= 0 && t + shift < segment.bins ? old(t + shift) : 0.0;
        }
    }
    return shifts;
}

UnitOrder order_units(const Model& model) {
    const Index units = model.units();
    Matrix weight(units, model.components);
    std::vector<Matrix> images;
    for (Index k = 0; k < model.components; ++k) {
        images.push_back(motif_image(model, k));
        weight.col(k) = images.back().rowwise().sum();
    }
    UnitOrder result;
    for (Index n = 0; n < units; ++n) {
        Index component = -1, lag = -1;
        if (model.components > 0 && weight.row(n).maxCoeff(&component) > 0)
            images[static_cast<std::size_t>(component)].row(n).maxCoeff(&lag);
        else
            component = -1;
        result.component.push_back(component);
        result.peak_lag.push_back(lag);
        result.order.push_back(n);
    }
    const auto rank = [&](std::int64_t n) {
        const auto component = result.component[static_cast<std::size_t>(n)];
        return std::make_tuple(component < 0 ? model.components : component,
                               result.peak_lag[static_cast<std::size_t>(n)], n);
    };
    std::sort(result.order.begin(), result.order.end(),
              [&](std::int64_t a, std::int64_t b) { return rank(a) < rank(b); });
    return result;
}

} // namespace assay::cnmf
