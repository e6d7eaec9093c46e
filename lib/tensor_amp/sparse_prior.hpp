// Spike and slab: each component is 0 with probability 1 - rho, else Gaussian. Exact for any rank
// up to 10, by summing over the 2^r sets of non-zero components.
#pragma once

#include <assay/tensor_amp/prior.hpp>

namespace assay::tensor_amp {

inline constexpr Index kLargestSparseRank = 10;

class ASSAY_API GaussBernoulliPrior final : public Prior {
  public:
    // One set of non-zero components, with what does not depend on the field.
    struct Support {
        std::vector<Index> members;
        MatrixXd covariance; // of the members, given that they are the support
        double offset = 0;   // log-weight without the field's part
    };

    // Throws Error where rho is outside (0, 1), the variance is not positive, or the rank is above
    // kLargestSparseRank.
    GaussBernoulliPrior(Index rank, double density, double slab_mean, double slab_variance);

    [[nodiscard]] Index rank() const override { return rank_; }
    [[nodiscard]] std::string describe() const override;
    [[nodiscard]] VectorXd mean() const override;
    [[nodiscard]] MatrixXd second_moment() const override;
    [[nodiscard]] VectorXd sample(const Random& random, std::uint64_t row,
                                  std::uint64_t mode) const override;
    [[nodiscard]] RowBelief denoise(const MatrixXd& precision,
                                    const VectorXd& field) const override;
    [[nodiscard]] Belief denoise_rows(const MatrixXd& precision,
                                      const MatrixXd& fields) const override;
    [[nodiscard]] PriorPointer maximised(const Belief& belief, bool tie_components) const override;
    // All 2^r of them. At field B the log-weight of one gains J^T covariance J / 2 with
    // J = B + slab_pull() on its members, whose mean is covariance J.
    [[nodiscard]] std::vector<Support> supports(const MatrixXd& precision) const;
    [[nodiscard]] double slab_pull() const { return slab_mean_ / slab_variance_; }

  private:
    [[nodiscard]] RowBelief posterior(const std::vector<Support>& sets,
                                      const VectorXd& field) const;

    Index rank_;
    double density_;
    double slab_mean_;
    double slab_variance_;
};

} // namespace assay::tensor_amp
