#include <assay/fixedpoints/activations.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/pca.hpp>

#include <algorithm>

namespace assay::fixedpoints {
namespace {

constexpr double kVarianceRounding = 1e-15; // of the largest variance

// How many leading variances reach the share of their total.
Index needed(const Vector& variance, double total, double threshold) {
    double reached = 0;
    for (Index k = 0; k < variance.size(); ++k) {
        if (!(variance(k) > kVarianceRounding * variance(0))) return k;
        reached += variance(k);
        if (reached >= threshold * total) return k + 1;
    }
    return variance.size();
}

} // namespace

RowMatrix ActivationBasis::activations() const {
    return left * singular_values.asDiagonal() * right.transpose();
}

ActivationBasis activation_basis(const RowMatrix& activations, double threshold) {
    if (!(threshold > 0 && threshold <= 1))
        throw Error(concat("activations: a threshold of ", threshold, "; (0, 1] is expected"));
    const auto pca = linalg::principal_components(
        activations, std::max<Index>(1, std::min(activations.rows(), activations.cols())));
    const Index k = needed(pca.variance, pca.total_variance, threshold);
    ActivationBasis basis;
    basis.threshold = threshold;
    basis.mean = pca.mean;
    basis.right = pca.components.leftCols(k);
    basis.left = (activations.rowwise() - pca.mean.transpose()) * basis.right;
    basis.singular_values = basis.left.colwise().norm();
    basis.left *= basis.singular_values.cwiseInverse().asDiagonal();
    return basis;
}

} // namespace assay::fixedpoints
