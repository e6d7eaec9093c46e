#include <assay/fixedpoints/similarity.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/canonical.hpp>
#include <assay/linalg/singular_values.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

using ProductView = Eigen::Ref<const Matrix>;

constexpr double kSmallestEigenvalue = 1e-7; // of X'X when it is whitened (Williams et al. 2021)

double arccos(double cosine) {
    return std::acos(std::clamp(cosine, -1.0, 1.0));
}

Matrix centre(const RowMatrix& activations) {
    if (activations.size() == 0) throw Error("there are no activations");
    if (!activations.allFinite()) throw Error("the activations are not finite");
    return activations.rowwise() - activations.colwise().mean();
}

double checked_norm(double norm, double scale) {
    // Below this, what is left after centring is rounding.
    constexpr double kRounding = 1e-12;
    if (!(norm > kRounding * scale)) throw Error("the activations are constant");
    return norm;
}

Representation canonical_basis(const RowMatrix& activations, const SimilarityOptions& options) {
    const double share = options.metric == Metric::cca ? 1 : options.threshold;
    Representation made;
    made.features = linalg::left_basis(activations, share).vectors;
    made.dimensions = made.features.cols();
    // Centred data of T samples have T - 1 dimensions.
    if (activations.rows() <= made.dimensions + 1)
        throw Error(concat(metric_name(options.metric), ": ", activations.rows(), " samples, ",
                           made.dimensions, " kept dimensions: needs more samples"));
    // The basis has columns of mean 0: the activations need no centring.
    if (options.metric == Metric::pwcca) made.loadings = activations.transpose() * made.features;
    return made;
}

Representation centred_features(const RowMatrix& activations, const SimilarityOptions& options) {
    Representation made;
    made.features = centre(activations);
    made.dimensions = made.features.cols();
    made.norm = checked_norm(made.features.norm(), activations.norm());
    if (options.metric == Metric::cka)
        made.norm = (made.features.transpose() * made.features).norm();
    return made;
}

// The unbiased estimate of HSIC (Song et al. 2012, equation 5) of linear kernels of centred data.
// There K 1 = 0, so that with d = diag K the matrix without its diagonal has row sums -d, and all
// terms follow from |X'Y|^2, d_x . d_y and the sums of d; no T x T matrix is made. d is the last
// feature.
double unbiased_hsic(const Representation& a, const Representation& b, const ProductView& product) {
    const auto samples = static_cast<double>(a.samples);
    const Index k = product.rows() - 1, l = product.cols() - 1;
    const double both = product(k, l); // d_x . d_y
    const double trace = product.topLeftCorner(k, l).squaredNorm() - both;
    const double sums = a.trace * b.trace;
    return (trace + sums / ((samples - 1) * (samples - 2)) - 2 * both / (samples - 2)) /
           (samples * (samples - 3));
}

Representation debiased_features(const RowMatrix& activations) {
    if (activations.rows() < 4)
        throw Error(concat("cka-debiased: ", activations.rows(), " samples: needs at least 4"));
    const Matrix centred = centre(activations);
    checked_norm(centred.norm(), activations.norm());
    Representation made;
    made.dimensions = centred.cols();
    made.features.resize(centred.rows(), centred.cols() + 1);
    made.features.leftCols(centred.cols()) = centred;
    made.features.rightCols(1) = centred.rowwise().squaredNorm();
    made.trace = made.features.rightCols(1).sum();
    made.samples = activations.rows();
    const double own = unbiased_hsic(made, made, made.features.transpose() * made.features);
    if (!(own > 0))
        throw Error("cka-debiased: the unbiased HSIC of the activations with themselves is " +
                    significant(own, 3) + ", not above 0: needs more samples");
    made.norm = std::sqrt(own);
    return made;
}

// X V diag(d), d = alpha + (1 - alpha) lambda^(-1/2): the rotation back by V' does not matter.
Representation whitened_features(const RowMatrix& activations, double alpha) {
    if (!(alpha >= 0 && alpha <= 1))
        throw Error("shape: alpha " + shortest(alpha) + ": must be between 0 and 1");
    Representation made;
    made.features = centre(activations);
    made.dimensions = made.features.cols();
    const double before = checked_norm(made.features.norm(), activations.norm());
    if (alpha < 1) {
        const Eigen::SelfAdjointEigenSolver<Matrix> solver(made.features.transpose() *
                                                           made.features);
        const Vector scale =
            alpha + (1 - alpha) * solver.eigenvalues().array().max(kSmallestEigenvalue).rsqrt();
        made.features = made.features * (solver.eigenvectors() * scale.asDiagonal());
        made.features *= before / made.features.norm();
    }
    made.norm = made.features.norm();
    return made;
}

double weighted_correlation(const Representation& fewer, const Matrix& product) {
    const auto canonical = linalg::canonical_directions(product);
    const Vector weights =
        (fewer.loadings * canonical.directions).cwiseAbs().colwise().sum().transpose();
    return weights.dot(canonical.correlations) / weights.sum();
}

double projection_weighted(const Representation& a, const Representation& b,
                           const ProductView& product) {
    if (a.dimensions < b.dimensions) return 1 - weighted_correlation(a, product);
    if (b.dimensions < a.dimensions) return 1 - weighted_correlation(b, product.transpose());
    return 1 -
           (weighted_correlation(a, product) + weighted_correlation(b, product.transpose())) / 2;
}

double alignment_of(const Representation& a, const Representation& b, const ProductView& product,
                    Metric metric) {
    const double both =
        metric == Metric::cka_debiased ? unbiased_hsic(a, b, product) : product.squaredNorm();
    return both / (a.norm * b.norm);
}

Matrix product_of(const Representation& a, const Representation& b) {
    if (a.samples != b.samples)
        throw Error(concat("compare: ", a.samples, " samples against ", b.samples,
                           ": networks must see the same inputs"));
    return a.features.transpose() * b.features;
}

Representation features_of(const RowMatrix& activations, const SimilarityOptions& options) {
    switch (options.metric) {
    case Metric::svcca:
    case Metric::cca:
    case Metric::pwcca:
        return canonical_basis(activations, options);
    case Metric::cka_debiased:
        return debiased_features(activations);
    case Metric::shape:
        return whitened_features(activations, options.alpha);
    default:
        return centred_features(activations, options);
    }
}

} // namespace

std::string metric_name(Metric metric) {
    switch (metric) {
    case Metric::svcca:
        return "svcca";
    case Metric::cca:
        return "cca";
    case Metric::pwcca:
        return "pwcca";
    case Metric::cka:
        return "cka";
    case Metric::cka_debiased:
        return "cka-debiased";
    case Metric::procrustes:
        return "procrustes";
    case Metric::procrustes_angular:
        return "procrustes-angular";
    case Metric::shape:
        return "shape";
    }
    throw Error("unknown metric");
}

Representation represent(const RowMatrix& activations, const SimilarityOptions& options) {
    Representation made = features_of(activations, options);
    made.samples = activations.rows();
    return made;
}

double distance(const Representation& a, const Representation& b,
                const Eigen::Ref<const Matrix>& product, const SimilarityOptions& options) {
    switch (options.metric) {
    case Metric::svcca:
    case Metric::cca:
        return 1 - linalg::canonical_correlations(product).mean();
    case Metric::pwcca:
        return projection_weighted(a, b, product);
    case Metric::cka:
    case Metric::cka_debiased:
        return arccos(alignment_of(a, b, product, options.metric));
    case Metric::procrustes:
        return std::sqrt(
            std::max(0.0, a.norm * a.norm + b.norm * b.norm - 2 * linalg::nuclear_norm(product)));
    case Metric::procrustes_angular:
    case Metric::shape:
        return arccos(linalg::nuclear_norm(product) / (a.norm * b.norm));
    }
    throw Error("unknown metric");
}

double distance(const Representation& a, const Representation& b,
                const SimilarityOptions& options) {
    return distance(a, b, product_of(a, b), options);
}

double alignment(const Representation& a, const Representation& b,
                 const SimilarityOptions& options) {
    return alignment_of(a, b, product_of(a, b), options.metric);
}

} // namespace assay::fixedpoints
