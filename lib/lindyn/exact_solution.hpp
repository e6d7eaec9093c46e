// Exact gradient flow of a two-layer linear network on white inputs, Sx = d I, from any balanced
// start (Fukumizu 1998; Braun, Domine, Fitzgerald, Saxe 2022; lambda-balanced: Domine et al. 2024,
// arXiv 2409.14623): tau dW_1/dt = W_2^T (Syx - d W_2 W_1), tau dW_2/dt = (Syx - d W_2 W_1) W_1^T
// with W_2^T W_2 - W_1 W_1^T = (lambda/d) I. In Q = sqrt(d) [W_1^T; W_2] this is the Riccati
// equation d(QQ^T)/dt = F QQ^T + QQ^T F - (QQ^T)^2, F = [[-lambda/2, Syx^T], [Syx, lambda/2]],
// whose solution from Q_0 = E B, F = E diag(f) E^T, is Q = E B' with
//   B' = diag(e^x) B R^{-1}, R^T R = I + B^T diag(g) B, x = f t, g = (e^{2x} - 1) / (2 f),
// a factor up to a rotation of the hidden units, so that the map restarts from itself. Time is cut
// into steps over which no mode grows by more than e^4: then I + B^T diag(g) B is well conditioned,
// a Cholesky factor serves, and nothing overflows for any t. Directions that carry no mode enter
// only through the span of the start within them. No inverse of a map, so that sizes and ranks are
// free.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::lindyn {

class ASSAY_API ExactSolution {
  public:
    // syx (N3 x N1), d > 0, first = W_1 (N2 x N1), second = W_2 (N3 x N2); `tau` scales times.
    // lambda is the mean of the diagonal of d (W_2^T W_2 - W_1 W_1^T); see `imbalance` for starts
    // that are not balanced. Throws Error on shapes that do not fit. O(N1 N3 min(N1, N3)).
    ExactSolution(const Matrix& syx, double d, const Matrix& first, const Matrix& second,
                  double tau = 1);

    [[nodiscard]] double lambda() const { return lambda_; }
    // About 0.1 |d (W_2^T W_2 - W_1 W_1^T) - lambda I|_2 / s_1: the relative error of the map to
    // expect of this start (measured ratio 0.04 to 0.1).
    [[nodiscard]] double expected_error() const { return expected_error_; }

    // Moves on to `time` >= the present one. O((N1 + N3) N2^2) a step of 4 / max|f|.
    void advance(double time);
    [[nodiscard]] double time() const { return time_; }

    [[nodiscard]] Matrix map() const;         // W_2 W_1, N3 x N1
    [[nodiscard]] Matrix input_gram() const;  // W_1^T W_1, N1 x N1
    [[nodiscard]] Matrix output_gram() const; // W_2 W_2^T, N3 x N3
    // u^T W v of each pair of columns of u (N3 x K) and v (N1 x K), in O((N1 + N3) K N2).
    [[nodiscard]] Vector strengths(const Matrix& u, const Matrix& v) const;

  private:
    void step(double duration);
    [[nodiscard]] Matrix first_factor() const;  // N1 x N2: sqrt(d) W_1^T up to a rotation
    [[nodiscard]] Matrix second_factor() const; // N3 x N2
    Matrix inputs_, outputs_;                   // halves of E: N1 x r and N3 x r
    Vector rates_;                              // f, r
    Matrix coordinates_;                        // B, r x hidden
    double d_, tau_, lambda_ = 0, expected_error_ = 0, time_ = 0, fastest_ = 0;
    Matrix scaled_, gram_; // workspaces
};

} // namespace assay::lindyn
