// Priors on the rows of a factor and their denoisers: with
//     Z(A, B) = Int dP(x) exp(B^T x - x^T A x / 2),
// the posterior mean is f = grad_B log Z and the covariance grad_B f. AMP, variational Bayes and
// state evolution all see a prior through this interface alone. Everything is computed in the
// logarithmic domain. A (r x r, symmetric, positive semidefinite) is the precision that the data
// add, B the field of a row.
#pragma once

#include <assay/tensor_amp/model.hpp>

#include <assay/core/random.hpp>

#include <memory>
#include <string>
#include <vector>

namespace assay::tensor_amp {

// What is believed about one row.
struct RowBelief {
    VectorXd mean;
    MatrixXd covariance;
    double log_partition = 0;
    VectorXd active; // probability of being non-zero, of spike-and-slab priors only
};

// What is believed about all rows of a factor.
struct Belief {
    MatrixXd mean;              // rows x r
    MatrixXd covariance;        // r*r columns; one row where it is common to all, else one per row
    MatrixXd summed_covariance; // V = sum over rows, r x r
    double log_partition = 0;   // summed over rows
    VectorXd active;            // as above, summed over rows

    // Room for so many rows, each with its own covariance; sums are 0.
    static Belief of_rows(Index rows, Index rank);
    void set_row(Index row, const RowBelief& belief);
};

class Prior;
using PriorPointer = std::shared_ptr<const Prior>;

class ASSAY_API Prior {
  public:
    virtual ~Prior() = default;

    [[nodiscard]] virtual Index rank() const = 0;
    // As `parse_prior` reads it: "gauss:mean=0,var=1".
    [[nodiscard]] virtual std::string describe() const = 0;
    // False where the denoiser is an approximation (nonnegative priors of rank above 1): no theory
    // holds then.
    [[nodiscard]] virtual bool exact() const { return true; }
    // True where every value is nonnegative: signs of components cannot be flipped.
    [[nodiscard]] virtual bool nonnegative() const { return false; }
    // E x and E x x^T.
    [[nodiscard]] virtual VectorXd mean() const = 0;
    [[nodiscard]] virtual MatrixXd second_moment() const = 0;
    [[nodiscard]] virtual VectorXd sample(const Random& random, std::uint64_t row,
                                          std::uint64_t mode) const = 0;

    [[nodiscard]] virtual RowBelief denoise(const MatrixXd& precision,
                                            const VectorXd& field) const = 0;
    // The rows of `fields` share `precision`. Deterministic; the default goes row by row.
    [[nodiscard]] virtual Belief denoise_rows(const MatrixXd& precision,
                                              const MatrixXd& fields) const;
    // The prior whose parameters maximise the expected log-density of the beliefs (one EM step);
    // `tie_components` shares the variance over components. Priors without parameters return
    // themselves.
    [[nodiscard]] virtual PriorPointer maximised(const Belief& belief,
                                                 bool tie_components) const = 0;
    // Whether its parameters hold a scale, which `maximised` finds from values alone.
    [[nodiscard]] virtual bool has_scale() const { return false; }
    // Whether scales of components can be exchanged between modes (Gaussian priors).
    [[nodiscard]] virtual bool gaussian() const { return false; }
};

class ASSAY_API GaussianPrior final : public Prior {
  public:
    // Throws Error where the covariance is not positive definite or the sizes differ.
    GaussianPrior(VectorXd mean, MatrixXd covariance);

    [[nodiscard]] Index rank() const override { return mean_.size(); }
    [[nodiscard]] std::string describe() const override;
    [[nodiscard]] VectorXd mean() const override { return mean_; }
    [[nodiscard]] MatrixXd second_moment() const override;
    [[nodiscard]] VectorXd sample(const Random& random, std::uint64_t row,
                                  std::uint64_t mode) const override;
    [[nodiscard]] RowBelief denoise(const MatrixXd& precision,
                                    const VectorXd& field) const override;
    [[nodiscard]] Belief denoise_rows(const MatrixXd& precision,
                                      const MatrixXd& fields) const override;
    [[nodiscard]] PriorPointer maximised(const Belief& belief, bool tie_components) const override;
    [[nodiscard]] bool gaussian() const override { return true; }
    [[nodiscard]] bool has_scale() const override { return true; }

    [[nodiscard]] const MatrixXd& covariance() const { return covariance_; }
    [[nodiscard]] const MatrixXd& precision() const { return precision_; } // cov^-1

  private:
    VectorXd mean_;
    MatrixXd covariance_;
    MatrixXd precision_;
    MatrixXd cholesky_; // lower factor of the covariance
    double log_determinant_;
};

// Reads "name:key=value,..." (names and keys: tensor-amp's manual; vectors and matrices as JSON
// lists) for `rank` components. `read_values` serves `discrete:file=...`: it returns K x (r + 1),
// the last column the weights. Throws UsageError that names what is wrong.
using ValueReader = MatrixXd (*)(const std::string& path);
[[nodiscard]] ASSAY_API PriorPointer parse_prior(const std::string& text, Index rank,
                                                 ValueReader read_values = nullptr);

} // namespace assay::tensor_amp
