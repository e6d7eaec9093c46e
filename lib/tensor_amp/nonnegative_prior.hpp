// Priors on x >= 0: a Gaussian cut at zero, and the exponential. Exact at rank 1. Above, components
// are decoupled: each sees the means of the others in its field (mean-field), and covariances are
// diagonal; `exact()` is false then.
#pragma once

#include <assay/tensor_amp/prior.hpp>

namespace assay::tensor_amp {

// One component's posterior.
struct ScalarBelief {
    double mean = 0;
    double variance = 0;
    double log_partition = 0;
};

class ASSAY_API NonnegativePrior : public Prior {
  public:
    explicit NonnegativePrior(Index rank) : rank_(rank) {}
    [[nodiscard]] Index rank() const override { return rank_; }
    [[nodiscard]] bool exact() const override { return rank_ == 1; }
    [[nodiscard]] bool nonnegative() const override { return true; }
    [[nodiscard]] bool has_scale() const override { return true; }
    [[nodiscard]] VectorXd mean() const override;
    [[nodiscard]] MatrixXd second_moment() const override;
    [[nodiscard]] RowBelief denoise(const MatrixXd& precision,
                                    const VectorXd& field) const override;

  protected:
    // Int_0^inf dP_k(x) exp(field x - precision x^2 / 2) and its moments.
    [[nodiscard]] virtual ScalarBelief scalar(Index component, double precision,
                                              double field) const = 0;

  private:
    Index rank_;
};

// A Gaussian of the given mean and variance per component, restricted to x >= 0.
class ASSAY_API TruncatedGaussianPrior final : public NonnegativePrior {
  public:
    TruncatedGaussianPrior(VectorXd location, VectorXd variance);
    [[nodiscard]] std::string describe() const override;
    [[nodiscard]] VectorXd sample(const Random& random, std::uint64_t row,
                                  std::uint64_t mode) const override;
    [[nodiscard]] PriorPointer maximised(const Belief& belief, bool tie_components) const override;

  protected:
    [[nodiscard]] ScalarBelief scalar(Index component, double precision,
                                      double field) const override;

  private:
    VectorXd location_; // before the cut
    VectorXd variance_;
};

// Exponential of the given rate per component.
class ASSAY_API ExponentialPrior final : public NonnegativePrior {
  public:
    explicit ExponentialPrior(VectorXd rate);
    [[nodiscard]] std::string describe() const override;
    [[nodiscard]] VectorXd sample(const Random& random, std::uint64_t row,
                                  std::uint64_t mode) const override;
    [[nodiscard]] PriorPointer maximised(const Belief& belief, bool tie_components) const override;

  protected:
    [[nodiscard]] ScalarBelief scalar(Index component, double precision,
                                      double field) const override;

  private:
    VectorXd rate_;
};

} // namespace assay::tensor_amp
