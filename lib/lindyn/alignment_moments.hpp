// First and second moments of a feedback array B over training of the alignment alone, for frozen
// W = U diag(s) V^T and a new batch of white noise at every step (stability.hpp). Along the
// singular vectors the mean of B stays diagonal, and so does E[B B^T] from an isotropic start; with
// C = S^2 s^2, a = decay + null C, f = amp S^2 + self, n inputs, mode by mode
//   mean: b' = b + mu (b - p) - eta (a b - f s), p = b before, shifted by the noise added then,
//   power: M' = E[(mean step)^2] + eta^2 C S^2 (A_i + (1 + k/n) tr A)/m + eta^2 V n,
//   A_i = amp^2 - 2 amp null s b + null^2 s^2 M, the moments of K = amp - null W^T B (E[X^TX A
//   X^TX]
// of Gaussian rows). Exact for normal noise, and for wm for any noise; for ia under another
// kurtosis k exact on average over V.
#pragma once

#include <assay/lindyn/stability.hpp>

namespace assay::lindyn {

// Of a layer with this W.
struct AlignedLayer {
    Vector s; // its min(outputs, inputs) singular values
    Index outputs = 0, inputs = 0;
    double bias_power =
        0; // |b|^2 of a bias in y: its sampling noise counts, for rules without null
};

// E<B, W>/|W|^2 and E|B|^2/|W|^2.
struct ASSAY_API AlignmentMoments {
    double overlap = 0, power = 0;
    [[nodiscard]] double angle() const;      // arccos(overlap/sqrt(power)), degrees
    [[nodiscard]] double norm_ratio() const; // sqrt(power)
};

class ASSAY_API MomentRecursion {
  public:
    // B_0 is independent of W, isotropic, with |B_0| = start_ratio |W|. Rules wm, ia, sa; aa as
    // without sampling noise (it vanishes where p = y).
    MomentRecursion(const AlignmentSettings& settings, const AlignedLayer& layer,
                    double start_ratio);
    void step();
    [[nodiscard]] AlignmentMoments moments() const;
    [[nodiscard]] const Vector& mean() const { return mean_; } // of each mode, in place of s

  private:
    AlignmentSettings settings_;
    Vector s_;            // one an output, 0 beyond the singular values
    Eigen::ArrayXd gain_; // 1 + mu - eta a
    double drive_, free_inputs_, inputs_, weight_power_, added_, bias_noise_;
    Vector mean_, mean_before_;
    Eigen::ArrayXd power_, power_before_, cross_;
};

// The moments that the recursion tends to, in closed form; power infinite from the limit of
// mean-square stability on. O(outputs).
[[nodiscard]] ASSAY_API AlignmentMoments stationary_moments(const AlignmentSettings& settings,
                                                            const AlignedLayer& layer);

} // namespace assay::lindyn
