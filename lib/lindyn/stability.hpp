// When learning with feedback arrays of their own is stable: closed forms of the alignment of B
// with W, W frozen unless said (Kunin et al. 2020, arXiv 2003.01513; Akrout et al. 2019,
// 1904.05391). The feedback descends
//   R(B) = -amp <p.y> + decay/2 |B|^2 + null/2 <|y B|^2> + sparse/2 <|p|^2> - self sum(B * W),
//   y = x W^T + b, p = x B^T, x the layer's input or noise of standard deviation S, <.> the mean
// over a batch of m rows; W and B are outputs x inputs. eta: its learning rate, rho: the scale that
// B has of W in the end. Angles are in degrees.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <complex>
#include <string>
#include <vector>

namespace assay::lindyn {

// Weight mirror, information alignment, symmetric alignment, activation alignment, Kolen-Pollack,
// feedback alignment (fixed B).
enum class AlignmentRule { wm, ia, sa, aa, kp, fa };
[[nodiscard]] ASSAY_API std::string rule_name(AlignmentRule rule);
// Throws Error for a name that is none of these.
[[nodiscard]] ASSAY_API AlignmentRule rule_of(const std::string& name);

struct Coefficients {
    double amp = 0, decay = 0, null = 0, sparse = 0, self = 0;
};
// Those that suit small problems.
[[nodiscard]] ASSAY_API Coefficients usual_coefficients(AlignmentRule rule);
// Those of the published code, in our convention of halves on the squares.
[[nodiscard]] ASSAY_API Coefficients published_coefficients(AlignmentRule rule);

struct AlignmentSettings {
    AlignmentRule rule = AlignmentRule::wm;
    Coefficients coefficients;
    double rate = 0.05;     // eta; of kp: the task's learning rate
    double momentum = 0;    // heavy ball, of the alignment's updates
    double stddev = 1;      // S
    double kurtosis = 0;    // excess, of an entry of the noise: normal 0, uniform -1.2
    Index batch = 64;       // m
    double noise = 0;       // variance V of noise that every update adds, times eta
    bool rectified = false; // the mirror's y goes through relu: wm on normal noise, dense layers
};
// Throws Error on numbers that are negative or not finite, a momentum of 1 or more, batch 0, a
// kurtosis below -2, and for wm, ia, sa without decay, aa without sparse: B grows without bound.
ASSAY_API void check_alignment(const AlignmentSettings& settings);

// ---- convergence (exact)

// Largest modulus of the roots of z^2 - (1 + momentum - rate) z + momentum: what a heavy-ball step
// leaves of a deviation, where rate = learning rate x eigenvalue. kp: of W - B, rate = lr decay.
[[nodiscard]] ASSAY_API double spectral_radius(std::complex<double> rate, double momentum);
// The learning rate at which it is 1: 2 (1 + momentum)/curvature for a real one; 0 for one that no
// step makes stable (real part <= 0), infinite for 0.
[[nodiscard]] ASSAY_API double critical_rate(std::complex<double> curvature, double momentum = 0);
// The largest eigenvalue of the Hessian of R: decay + null lambda_yy + sparse lambda_xx, the
// largest eigenvalues of the second moments of y and x (white noise: those of S^2 W W^T + b b^T,
// S^2).
[[nodiscard]] ASSAY_API double alignment_curvature(const Coefficients& c, double lambda_xx,
                                                   double lambda_yy);

// ---- the mirror's noise

// rho: (amp S^2 + self)/decay of wm and sa, amp/sparse of aa, 1 of kp; ia: that of small singular
// values, without null. NaN for fa.
[[nodiscard]] ASSAY_API double feedback_scale(const AlignmentSettings& settings);
// |B - rho W| / |rho W| of the mirror in its steady state:
//   NSR^2 = eta decay (1 + mu) / ((1 - mu) (2 (1 + mu) - eta decay)) (n + 1 + k + n beta)/m,
// n the inputs (channels x kernel), m the rows (x positions), beta = |b|^2/(S^2 |W|^2) of a bias
// that y holds. Without momentum and bias eta decay/(2 - eta decay) (n + 1 + k)/m; exact. Infinite
// from the convergence limit on.
[[nodiscard]] ASSAY_API double noise_floor(const AlignmentSettings& settings, double inputs,
                                           double bias_share = 0);
// The angle between W and B from independent B_0 of norm ratio r_0, after t updates, no momentum:
//   tan^2 = [q^2t r_0^2 + (eta amp S^2)^2 (n + 1 + k)/m (1 - q^2t)/(1 - q^2)] / (rho (1 - q^t))^2.
[[nodiscard]] ASSAY_API double mirror_angle_after(const AlignmentSettings& settings, double inputs,
                                                  double start_ratio, double updates);
// Updates that B/rho lags behind a W that moves steadily: |W - B/rho| = |Delta W| (1 - eta decay)/
// (eta decay).
[[nodiscard]] ASSAY_API double updates_behind(double rate, double decay);
// Variance of an entry of B (sa), or of W - B (kp), where every update adds eta times noise of
// variance V: eta V / (decay (2 - eta decay)), without momentum; with it times ((1 - mu)^2 +
// 2 mu eta decay/(1 + mu)) (1 + mu)/(1 - mu), and 2 (1 + mu) in place of 2. Infinite beyond the
// convergence limit.
[[nodiscard]] ASSAY_API double estimation_variance(double rate, double decay, double noise,
                                                   double momentum = 0);

// ---- convolutions: zero padding tapers the mirror

// One axis of a convolution.
struct WindowAxis {
    Index input = 1, kernel = 1, stride = 1, before = 0, after = 0, dilation = 1;
};
// Over the elements of a kernel (C order): the share of output positions at which an element lies
// inside the input, K, and the same weighted by the share of the kernel inside there.
struct Taper {
    Vector kept, noise;
};
// Throws Error where the kernel does not fit the padded input.
[[nodiscard]] ASSAY_API Taper taper_of(const std::vector<WindowAxis>& axes);
// arccos of |W|^2-weighted mean K over root mean K^2; one weight an element (empty: equal ones).
[[nodiscard]] ASSAY_API double taper_angle(const Vector& kept, const Vector& weight = {});
// Angle and norm ratio of the mirror of a convolution whose noise floor without padding is `nsr`
// (m = batch x positions): raw, tan^2 = (<K^2> - <K>^2 + nsr^2 <noise>)/<K>^2; compensated (the amp
// gradient is divided by K), nsr^2 <noise/K^2>. Patches count as independent. Ratio over rho |W|.
struct Alignment {
    double angle = 0, norm_ratio = 0;
};
[[nodiscard]] ASSAY_API Alignment tapered_alignment(const Taper& taper, double nsr,
                                                    bool compensated);

// ---- rectified mirror

// y = relu(W x + b): E[y x^T] = diag(scale) S^2 W, scale_i = Phi(b_i/(S |w_i|)), 1/2 without bias
// (empty); where w_i is 0, by the sign of b_i 0, 1/2 or 1.
[[nodiscard]] ASSAY_API Vector rectified_scales(const Matrix& weight, const Vector& bias,
                                                double stddev);
// |B - E B|^2 of that mirror in its steady state, as for noise_floor, from the variance of a row's
// relu(y) x: with z normal, c = S |w_i| and y = c z + b_i, S^2 [E y_+^2 (z^2 + n - 1) -
// c^2 scale_i^2]. No bias: empty.
[[nodiscard]] ASSAY_API double rectified_noise_power(const AlignmentSettings& settings,
                                                     const Matrix& weight, const Vector& bias);
// Angle between two arrays of one shape; NaN where one is 0.
[[nodiscard]] ASSAY_API double angle_between(const Matrix& one, const Matrix& other);

// ---- gain and depth

// The eigenvalue, not 0, of the Jacobian of the pseudo-gradient of a chain of scalar linear units
// y = w_L ... w_1 x (mean x^2 = 1) at a solution; feedback b_2 ... b_L stands behind b_1, which is
// not used. All w = 1, all b = rho: sum_{j<L} rho^j; the task's critical rate is 2 over it.
[[nodiscard]] ASSAY_API double chain_curvature(const Vector& weight, const Vector& feedback);
[[nodiscard]] ASSAY_API double chain_curvature(double gain, Index depth);

// ---- information alignment

// b = (amp S^2 + self) s/(decay + null S^2 s^2 + sparse S^2) in place of each singular value s, of
// every rule under white noise; the loop's gain is s b.
[[nodiscard]] ASSAY_API Vector aligned_values(const AlignmentSettings& settings, const Vector& s);
// The limits that ia keeps whatever W and S: s b < amp/null, |B|_2 <= amp S/(2 sqrt(decay null)).
struct GainBounds {
    double loop_gain = 0, norm = 0;
};
[[nodiscard]] ASSAY_API GainBounds gain_bounds(const AlignmentSettings& settings);
// Angle and norm ratio |B|/|W| of matrices whose singular values are s and b.
[[nodiscard]] ASSAY_API Alignment alignment_of(const Vector& s, const Vector& b);
// The same for a large He-initialised W (variance 2/inputs an entry) and its fixed point B, by
// quadrature over the Marchenko-Pastur law; aspect = outputs/inputs.
[[nodiscard]] ASSAY_API Alignment he_alignment(const AlignmentSettings& settings, double aspect);

// The learning rate below which E|B|^2 stays finite when every batch is drawn anew (Gaussian x):
// below it, D_i > 0 for all eigenvalues c_i of C_yy and sum_i (eta null c_i)^2/(m D_i) < 1,
//   D_i = (1 - mu)/(1 + mu) ((1 + mu)^2 - (1 + mu - eta a_i)^2) - (eta null c_i)^2/m,
// a_i = decay + null c_i. One value, no momentum: 2 a/(a^2 + 2 null^2 c^2/m). Bisection to 1e-14.
[[nodiscard]] ASSAY_API double mean_square_critical_rate(const AlignmentSettings& settings,
                                                         const Vector& eigenvalues);

// ---- joint systems (the alignment moves W too; scalars w, b, input variance v; gradient flow)

struct JointState {
    double value = 0;          // w = b
    double slow = 0, fast = 0; // eigenvalues of the flow there, slow > fast; stable if slow < 0
};
// The state that is stable, if any: 0, or for ia with amp v > decay sqrt((amp v - decay)/(null v)).
[[nodiscard]] ASSAY_API JointState joint_state(const Coefficients& c, double variance);

// ---- two-layer scalar student

// Rate w1^2 + b w2 at which y = w2 w1 x, feedback b, approaches its target near zero error:
// learning is stable there iff it is above 0 and lr times it is below 2.
[[nodiscard]] ASSAY_API double student_rate(double w1, double w2, double feedback);

} // namespace assay::lindyn
