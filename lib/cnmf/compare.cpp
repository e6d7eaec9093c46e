#include <assay/cnmf/compare.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>

#include <algorithm>

namespace assay::cnmf {
namespace {

// Both models as one, lags padded with zeros to the longer.
Model joined(const Model& first, const Model& second) {
    Model both;
    both.components = first.components + second.components;
    both.lags = std::max(first.lags, second.lags);
    both.motifs = Matrix::Zero(first.units(), both.components * both.lags);
    both.activations.resize(both.components, first.activations.cols());
    both.activations << first.activations, second.activations;
    const auto place = [&](const Model& model, Index offset) {
        for (Index k = 0; k < model.components; ++k) {
            Matrix image = Matrix::Zero(model.units(), both.lags);
            image.leftCols(model.lags) = motif_image(model, k);
            set_motif_image(both, offset + k, image);
        }
    };
    place(first, 0);
    place(second, first.components);
    return both;
}

// Inner products of all component reconstructions: <H_i, C_ij * H_j>.
Matrix reconstruction_gram(const Model& model, const MotifCorrelation& correlation,
                           const TimeAxis& axis, const Execution& run) {
    const TimeMatrix h = axis.padded(model.activations);
    Matrix gram(model.components, model.components);
    for (Index j = 0; j < model.components; ++j) {
        TimeMatrix alone = TimeMatrix::Zero(h.rows(), h.cols());
        alone.col(j) = h.col(j);
        const TimeMatrix field = correlate(correlation, alone, axis, run);
        for (Index i = 0; i < model.components; ++i) gram(i, j) = h.col(i).dot(field.col(i));
    }
    return gram;
}

} // namespace

std::vector<std::int64_t> greedy_matching(const Matrix& similarity) {
    std::vector<std::int64_t> match(static_cast<std::size_t>(similarity.rows()), -1);
    Matrix left = similarity;
    for (Index round = 0; round < std::min(similarity.rows(), similarity.cols()); ++round) {
        Index i = 0, j = 0;
        if (!(left.maxCoeff(&i, &j) > 0)) break;
        match[static_cast<std::size_t>(i)] = j;
        left.row(i).setConstant(-1);
        left.col(j).setConstant(-1);
    }
    return match;
}

double dissimilarity(const Matrix& similarity) {
    const auto total = static_cast<double>(similarity.rows() + similarity.cols());
    return (total - similarity.rowwise().maxCoeff().sum() - similarity.colwise().maxCoeff().sum()) /
           total;
}

Comparison compare(const Model& first, const Model& second, const std::vector<Index>& segment_start,
                   const Execution& run) {
    if (first.units() != second.units() || first.activations.cols() != second.activations.cols())
        throw Error(concat("the models have ", first.units(), " and ", second.units(), " units, ",
                           first.activations.cols(), " and ", second.activations.cols(),
                           " bins; the same are expected"));
    const Phase phase(*run.monitor, "similarities");
    const Model both = joined(first, second);
    const TimeAxis axis(both.activations.cols(), segment_start, both.lags);
    const MotifCorrelation correlation(both.motifs, both.components);
    const Matrix gram = reconstruction_gram(both, correlation, axis, run);
    Comparison result;
    result.similarity = Matrix::Zero(first.components, second.components);
    for (Index i = 0; i < first.components; ++i)
        for (Index j = 0; j < second.components; ++j) {
            const Index other = first.components + j;
            const double scale = gram(i, i) * gram(other, other);
            if (scale > 0) result.similarity(i, j) = gram(i, other) / std::sqrt(scale);
        }
    result.match = greedy_matching(result.similarity);
    result.dissimilarity = dissimilarity(result.similarity);
    for (Index i = 0; i < first.components; ++i) {
        const auto partner = result.match[static_cast<std::size_t>(i)];
        Index best = 0;
        double largest = -1;
        for (Index d = 0; partner >= 0 && d < 2 * both.lags - 1; ++d) {
            // C[i,j,d] = sum_l W_i[l] W_j[l-d]: the partner stands -d bins later.
            const double value =
                correlation.full()(i, d * both.components + first.components + partner);
            if (value > largest) {
                largest = value;
                best = (both.lags - 1) - d;
            }
        }
        result.shift.push_back(best);
    }
    return result;
}

} // namespace assay::cnmf
