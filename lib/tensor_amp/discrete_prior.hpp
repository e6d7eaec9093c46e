// Priors with finitely many values: signs, zeros and ones, clusters, or any list of a user's. All
// are exact: the denoiser sums over the states.
#pragma once

#include <assay/tensor_amp/prior.hpp>

namespace assay::tensor_amp {

// The longest enumeration of states.
inline constexpr Index kMostStates = 65536;

// Values (K x r) with log-weights: Rademacher, Bernoulli, one-hot and any other finite prior.
class ASSAY_API DiscretePrior final : public Prior {
  public:
    // What EM may fit: nothing, or the probability of a non-zero value of each component.
    enum class Family { fixed, rademacher, bernoulli, sparse_rademacher, one_hot };
    // Throws Error for weights that are negative or sum to 0, and above 65536 states.
    DiscretePrior(MatrixXd values, const VectorXd& weights, std::string description,
                  Family family = Family::fixed);

    [[nodiscard]] Index rank() const override { return values_.cols(); }
    [[nodiscard]] std::string describe() const override { return description_; }
    [[nodiscard]] bool nonnegative() const override { return values_.minCoeff() >= 0; }
    [[nodiscard]] VectorXd mean() const override;
    [[nodiscard]] MatrixXd second_moment() const override;
    [[nodiscard]] VectorXd sample(const Random& random, std::uint64_t row,
                                  std::uint64_t mode) const override;
    [[nodiscard]] RowBelief denoise(const MatrixXd& precision,
                                    const VectorXd& field) const override;
    [[nodiscard]] Belief denoise_rows(const MatrixXd& precision,
                                      const MatrixXd& fields) const override;
    [[nodiscard]] PriorPointer maximised(const Belief& belief, bool tie_components) const override;
    [[nodiscard]] const MatrixXd& values() const { return values_; }
    [[nodiscard]] const VectorXd& log_weights() const { return log_weights_; }

  private:
    // The belief whose log-weights, not normalised, are `exponents`.
    [[nodiscard]] RowBelief weigh(const VectorXd& exponents) const;

    MatrixXd values_;
    VectorXd log_weights_;
    std::string description_;
    Family family_;
};

// Each component is +1 with the given probability, else -1.
[[nodiscard]] ASSAY_API PriorPointer rademacher_prior(Index rank, double probability);
// Each component is 1 with probability `density`, else 0.
[[nodiscard]] ASSAY_API PriorPointer bernoulli_prior(Index rank, double density);
// Each component is +-1 with probability `density`, else 0.
[[nodiscard]] ASSAY_API PriorPointer sparse_rademacher_prior(Index rank, double density);
// Rows are unit vectors: clusters.
[[nodiscard]] ASSAY_API PriorPointer one_hot_prior(const VectorXd& probabilities);

} // namespace assay::tensor_amp
