#include <assay/tensor_amp/fit_result.hpp>

#include <assay/core/error.hpp>

#include <algorithm>

namespace assay::tensor_amp {
namespace {

void check_matrix(const MatrixXd& matrix, Index rows, Index cols, const char* what, Index mode) {
    if (matrix.rows() != rows || matrix.cols() != cols)
        throw Error(concat(what, " of mode ", mode, " are ", matrix.rows(), " x ", matrix.cols(),
                           "; ", rows, " x ", cols, " are expected"));
}

// One row for all, or one for each of `rows`.
void check_rows(const MatrixXd& matrix, Index rows, Index cols, const char* what, Index mode) {
    check_matrix(matrix, matrix.rows() == 1 ? 1 : rows, cols, what, mode);
}

void check_modes(std::size_t found, const FitResult& fit, const char* what) {
    if (found != fit.shape.size())
        throw Error(concat(found, " modes with ", what, "; ", fit.shape.size(), " are expected"));
}

} // namespace

void set_unit_form(FitResult& fit) {
    fit.weights = VectorXd::Constant(fit.rank, signal_scale(fit.shape));
    fit.unit_factors = fit.factors;
    for (MatrixXd& factor : fit.unit_factors)
        for (Index rho = 0; rho < fit.rank; ++rho) {
            const double norm = factor.col(rho).stableNorm();
            fit.weights(rho) *= norm;
            if (norm > 0) factor.col(rho) /= norm;
        }
}

void check_fit(const FitResult& fit) {
    check_modes(fit.factors.size(), fit, "factors");
    if (!fit.covariances.empty()) check_modes(fit.covariances.size(), fit, "covariances");
    if (!fit.priors.empty()) check_modes(fit.priors.size(), fit, "priors");
    if (!fit.fields.field.empty()) {
        check_modes(fit.fields.field.size(), fit, "fields");
        check_modes(fit.fields.precision.size(), fit, "precisions");
    }
    const Index squared = fit.rank * fit.rank;
    for (Index a = 0; a < static_cast<Index>(fit.shape.size()); ++a) {
        const Index rows = fit.shape[at(a)];
        check_matrix(fit.factors[at(a)], rows, fit.rank, "factors", a);
        if (!fit.covariances.empty())
            check_rows(fit.covariances[at(a)], rows, squared, "covariances", a);
        if (fit.fields.field.empty()) continue;
        check_matrix(fit.fields.field[at(a)], rows, fit.rank, "fields", a);
        check_rows(fit.fields.precision[at(a)], rows, squared, "precisions", a);
    }
    for (const Index a : fit.signed_modes)
        if (a < 0 || a >= static_cast<Index>(fit.shape.size()))
            throw Error(concat("signed mode ", a, " of ", fit.shape.size()));
    if (fit.symmetric && std::any_of(fit.shape.begin(), fit.shape.end(),
                                     [&](Index length) { return length != fit.shape.front(); }))
        throw Error("a symmetric fit whose modes have different lengths");
    const bool one_mean = fit.center_mode < 0;
    if (fit.center_mode >= static_cast<Index>(fit.shape.size()) ||
        (fit.center.size() > 0 &&
         fit.center.size() != (one_mean ? 1 : fit.shape[at(fit.center_mode)])))
        throw Error(concat(fit.center.size(), " means for the slices of mode ", fit.center_mode));
    if (fit.noise_mode < 0) return;
    if (fit.noise_mode >= static_cast<Index>(fit.shape.size()) ||
        fit.slice_noise.size() != fit.shape[at(fit.noise_mode)])
        throw Error(concat("noise of ", fit.slice_noise.size(), " slices of mode ", fit.noise_mode,
                           " does not fit the shape"));
}

} // namespace assay::tensor_amp
