// The tensor that a fit predicts, W = N^{-(p-1)/2} sum_rho prod_a x_a, and its posterior standard
// deviation. Rows of different modes are independent under the posterior, so
//     Var W = N^{-(p-1)} 1^T [ o_a (x x^T + S) - o_a x x^T ] 1,
// which is summed without the subtraction: small variances keep their digits. In a symmetric fit,
// modes of equal index are one row, whose posterior is taken as normal: with u = x_rho, v =
// x_sigma,
//     E u^m v^m = sum_{k=0}^m s_{rho sigma}^k / k! (m! / (m-k)!)^2 E u^{m-k} E v^{m-k}.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/fit_result.hpp>

#include <cstddef>
#include <vector>

namespace assay::tensor_amp {

// Indices of one mode; empty: all.
using Selection = std::vector<std::vector<Index>>;

// A fit cut to some slices of some modes (all modes, where `selection` is empty). Throws Error for
// an index that the mode has not, and for as many entries of `selection` as there are no modes.
class ASSAY_API Reconstruction {
  public:
    explicit Reconstruction(const FitResult& fit, const Selection& selection = {});

    // Of the slices chosen.
    [[nodiscard]] const Shape& shape() const { return shape_; }
    // Which index of the whole tensor each of a mode's slices is.
    [[nodiscard]] const std::vector<Index>& indices(Index mode) const {
        return indices_[static_cast<std::size_t>(mode)];
    }
    [[nodiscard]] bool has_deviation() const { return !covariances_.empty(); }
    // Entries of one slice of the first mode.
    [[nodiscard]] Index slice_size() const;

    // Slices first .. first + count - 1 of the first mode, C order. `deviation` may be null; throws
    // Error where it is asked for and the fit has no posterior covariances.
    void predict(Index first, Index count, double* mean, double* deviation,
                 const Execution& run) const;

  private:
    void predict_row(Index row, double* mean, double* deviation) const;
    // Which of the chosen rows of each mode an entry has.
    using Place = std::vector<Index>;
    void deviate_row(const Place& index, const VectorXd& product, double* deviation) const;
    [[nodiscard]] Index times_of(std::size_t mode, const Place& place) const;
    [[nodiscard]] bool has_equal_rows(const Place& place) const;
    struct Moments {
        double mean, variance;
    };
    [[nodiscard]] Moments symmetric_moments(const Place& place) const;
    Shape shape_;
    std::vector<std::vector<Index>> indices_;
    double scale_ = 1;
    Factors factors_;
    std::vector<MatrixXd> covariances_; // 1 or as many rows as slices
    VectorXd center_;                   // empty: nothing was taken off the data
    Index center_mode_ = -1;
    bool symmetric_ = false;
};

} // namespace assay::tensor_amp
