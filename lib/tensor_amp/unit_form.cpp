#include <assay/tensor_amp/unit_form.hpp>

#include <cmath>

namespace assay::tensor_amp {

namespace {

[[nodiscard]] Shape shape_of(const Factors& factors) {
    Shape shape;
    for (const MatrixXd& factor : factors) shape.push_back(factor.rows());
    return shape;
}

} // namespace

UnitForm unit_form(const Factors& factors) {
    UnitForm form;
    form.columns = factors;
    form.weights = VectorXd::Constant(factors.front().cols(), signal_scale(shape_of(factors)));
    for (MatrixXd& factor : form.columns)
        for (Index c = 0; c < factor.cols(); ++c) {
            const double norm = factor.col(c).norm();
            form.weights(c) *= norm;
            if (norm > 0) factor.col(c) /= norm;
        }
    return form;
}

Factors balanced_factors(const UnitForm& form, const std::vector<bool>& as_they_are,
                         const MatrixXd& norms) {
    const double scale = 1 / signal_scale(shape_of(form.columns));
    const auto kept = [&](std::size_t a) { return a < as_they_are.size() && as_they_are[a]; };
    Factors factors = form.columns;
    for (Index c = 0; c < form.weights.size(); ++c) {
        // What the free modes must multiply to, beyond sqrt(N_a) each.
        double rest = std::abs(form.weights(c)) * scale;
        std::size_t free = 0, last_free = 0;
        for (std::size_t a = 0; a < factors.size(); ++a) {
            const auto mode = static_cast<Index>(a);
            const double norm =
                kept(a) ? norms(mode, c) : std::sqrt(static_cast<double>(factors[a].rows()));
            rest = norm > 0 ? rest / norm : 0;
            if (kept(a)) continue;
            ++free;
            last_free = a;
        }
        const double gain = std::pow(rest, 1 / static_cast<double>(free));
        for (std::size_t a = 0; a < factors.size(); ++a)
            factors[a].col(c) *= kept(a) ? norms(static_cast<Index>(a), c)
                                         : gain * std::sqrt(static_cast<double>(factors[a].rows()));
        if (form.weights(c) < 0) factors[last_free].col(c) *= -1;
    }
    return factors;
}

} // namespace assay::tensor_amp
