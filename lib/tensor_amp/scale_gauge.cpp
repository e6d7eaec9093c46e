#include <assay/tensor_amp/scale_gauge.hpp>

#include <cmath>

namespace assay::tensor_amp {
namespace {

// Stationary in g_a with the constraint's multiplier: alpha g^2 - beta g = N_a + multiplier.
VectorXd stationary(const VectorXd& quadratic, const VectorXd& linear, const VectorXd& rows,
                    double multiplier) {
    const auto discriminant =
        linear.array().square() + 4 * quadratic.array() * (rows.array() + multiplier).max(0);
    return (linear.array() + discriminant.sqrt()) / (2 * quadratic.array());
}

double log_product(const VectorXd& scales) {
    return scales.cwiseMax(1e-300).array().log().sum();
}

VectorXd unit_product(const VectorXd& scales) {
    return scales / std::exp(log_product(scales) / static_cast<double>(scales.size()));
}

} // namespace

VectorXd equilibrium_scales(const VectorXd& quadratic, const VectorXd& linear,
                            const VectorXd& rows) {
    double low = -rows.minCoeff();
    double high = rows.maxCoeff();
    while (log_product(stationary(quadratic, linear, rows, high)) < 0 && high < 1e300) high *= 4;
    for (int step = 0; step < 200 && high - low > 1e-13 * std::abs(high); ++step) {
        const double middle = 0.5 * (low + high);
        (log_product(stationary(quadratic, linear, rows, middle)) < 0 ? low : high) = middle;
    }
    const VectorXd scales = unit_product(stationary(quadratic, linear, rows, high));
    return unit_product(scales.cwiseMax(0.5).cwiseMin(2.0));
}

} // namespace assay::tensor_amp
