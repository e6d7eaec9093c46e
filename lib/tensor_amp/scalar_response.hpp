// q(h) and psi(h) of scalar_channel.hpp as functions that cost next to nothing, for curves and
// phase diagrams: closed for Gaussian priors, else tabulated once over log h and interpolated by
// Hermite polynomials through values and exact derivatives (relative error of q about 1e-8).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/prior.hpp>

namespace assay::tensor_amp {

class ASSAY_API ScalarResponse {
  public:
    // Throws Error for rank above 1 and for an inexact prior.
    explicit ScalarResponse(const Prior& prior, const Execution& run = {});

    // (E x)^2; exactly 0 where the mean is rounding.
    [[nodiscard]] double mean_square() const { return mean_square_; }
    [[nodiscard]] double variance() const { return variance_; }
    [[nodiscard]] double second_moment() const { return mean_square_ + variance_; }

    struct Point {
        double h = 0;
        double q = 0;
        double elasticity = 0; // d log q / d log h
    };
    // At the only h with q(h) h = product; product > 0.
    [[nodiscard]] Point at_product(double product) const;
    [[nodiscard]] double psi(double h) const;
    // Below this h, q = m + v^2 h to 1e-5; above the largest it does not change to any purpose.
    // Sparse priors change on the scale of their large values, not of their variance.
    [[nodiscard]] double smallest_h() const { return smallest_h_; }
    [[nodiscard]] double largest_h() const { return largest_h_; }

  private:
    void find_series(const Prior& prior);
    void tabulate(const Prior& prior, const Execution& run);
    [[nodiscard]] Point gaussian_at_product(double product) const;
    [[nodiscard]] Point series_at_product(double product) const;
    [[nodiscard]] Point table_at_product(double log_product) const;
    [[nodiscard]] double table_psi(double log_h) const;

    bool gaussian_;
    double mean_square_ = 0;
    double variance_ = 0;
    double smallest_h_ = 0;
    double largest_h_ = 0;
    // Below the table q = m + v^2 h + curvature h^2. Nodes at log h = first_ + i step.
    double curvature_ = 0;
    double first_ = 0;
    VectorXd log_q_, elasticity_, psi_;
};

} // namespace assay::tensor_amp
