// A deep linear network y = W_D ... W_1 x by its weight matrices, and the gradient of its squared
// error in the second-order statistics of the data:
//   -dL/dW_l = (W_D ... W_{l+1})^T (Syx - W Sx) (W_{l-1} ... W_1)^T.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/lindyn/statistics.hpp>

#include <vector>

namespace assay::lindyn {

// W_1 ... W_D, each units_l x units_{l-1}.
using Layers = std::vector<Matrix>;

// Throws Error naming the layers (by number) where sizes do not chain or do not fit the data.
ASSAY_API void check_layers(const Layers& layers, Index inputs, Index outputs);
[[nodiscard]] ASSAY_API Matrix whole_map(const Layers& layers);
// 1/2 (tr Syy - 2 tr W Syx^T + tr W Sx W^T).
[[nodiscard]] ASSAY_API double loss_of_map(const Statistics& statistics, const Matrix& map);
// Largest entry of |W_{l+1}^T W_{l+1} - W_l W_l^T - (the same of `reference`)| over l: what the
// flow conserves.
[[nodiscard]] ASSAY_API double conservation_gap(const Layers& layers, const Layers& reference);
// |W_{l+1}^T W_{l+1} - W_l W_l^T| over |W_l|^2, the largest over l (Frobenius): 0 where balanced.
[[nodiscard]] ASSAY_API double relative_imbalance(const Layers& layers);

// Gradient descent, in arrays that are made once. No transposed copies; white inputs cost three
// products of the sizes of the layers for two layers, 3D - 3 in general.
class ASSAY_API Descent {
  public:
    // `statistics` must outlive this.
    Descent(const Statistics& statistics, const Layers& shapes);
    // direction[l] = -dL/dW_l - decay W_l.
    void direction(const Layers& layers, double decay, Layers& direction);
    // W_l <- W_l + rate (-dL/dW_l - decay W_l), with the products added where they belong.
    void step(double rate, double decay, Layers& layers);

  private:
    // What layer l sees.
    [[nodiscard]] const Matrix& input(const Layers& layers, std::size_t l) const {
        return l == 1 ? layers[0] : below_[l - 1];
    }
    void find_error(const Layers& layers);
    const Statistics& statistics_;
    std::vector<Matrix> below_; // W_l ... W_1, of hidden layers; the map where inputs are not white
    std::vector<Matrix> errors_; // the error carried back to the output of layer l
};

} // namespace assay::lindyn
