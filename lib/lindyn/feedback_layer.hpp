// The alignment of one layer's feedback array: its gradient on batches, what it tends to, how
// curved it is, and drawn runs of it (stability.hpp). Dense and convolutional layers alike, through
// products with W-shaped arrays; the matrix of a convolution is never formed.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/lindyn/stability.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace assay::lindyn {

// z = x . W at every output position; W is outputs x inputs, inputs one patch (channels x kernel).
// Rows are samples: x has input_size() columns, z outputs() positions().
class ASSAY_API Projection {
  public:
    virtual ~Projection();
    [[nodiscard]] virtual Index outputs() const = 0;
    [[nodiscard]] virtual Index inputs() const = 0;
    [[nodiscard]] virtual Index positions() const = 0;
    [[nodiscard]] virtual Index input_size() const = 0;
    // Adds `bias` (one an output) unless it is empty.
    [[nodiscard]] virtual RowMatrix forward(const RowMatrix& x, const Matrix& w,
                                            const Vector& bias) const = 0;
    // The adjoint in x, and in W (summed over samples and positions).
    [[nodiscard]] virtual RowMatrix backward(const RowMatrix& z, const Matrix& w) const = 0;
    [[nodiscard]] virtual Matrix gradient(const RowMatrix& z, const RowMatrix& x) const = 0;
};

// z = x W^T.
class ASSAY_API DenseProjection : public Projection {
  public:
    DenseProjection(Index outputs, Index inputs) : outputs_(outputs), inputs_(inputs) {}
    [[nodiscard]] Index outputs() const override { return outputs_; }
    [[nodiscard]] Index inputs() const override { return inputs_; }
    [[nodiscard]] Index positions() const override { return 1; }
    [[nodiscard]] Index input_size() const override { return inputs_; }
    [[nodiscard]] RowMatrix forward(const RowMatrix& x, const Matrix& w,
                                    const Vector& bias) const override;
    [[nodiscard]] RowMatrix backward(const RowMatrix& z, const Matrix& w) const override;
    [[nodiscard]] Matrix gradient(const RowMatrix& z, const RowMatrix& x) const override;

  private:
    Index outputs_, inputs_;
};

// An array of weights through whose transpose errors go down: a layer's weight, or the kernel or
// the recurrent matrix of a recurrent layer, of which each gate is a row of units.
struct FeedbackLayer {
    std::string name; // of the layer; of recurrent ones with the array's, "cell.kernel"
    std::shared_ptr<const Projection> projection;
    Matrix weight; // outputs x inputs
    Vector bias;   // empty: none, or not used
    Matrix taper;  // of a padded convolution, shape of weight: K; empty where nothing is cut off
    std::string array = "weight"; // of the layer in the network

    // The layer's own name in the network.
    [[nodiscard]] std::string layer() const {
        return array == "weight" ? name : name.substr(0, name.size() - array.size() - 1);
    }
};

struct AlignmentOptions {
    bool spatial_mean = false; // amp, null, sparse are divided by the positions
    bool compensate = true;    // mirror: the amp gradient is divided by K
    bool centre = false;       // x and y have their batch mean subtracted
};

// dR/dB = curvature(B) - drive.
struct AlignmentSystem {
    Matrix drive;
    std::function<Matrix(const Matrix&)> curvature;
};
// On given rows x (copied); sums in blocks of rows, the same for any number of threads.
[[nodiscard]] ASSAY_API AlignmentSystem sampled_system(const FeedbackLayer& layer,
                                                       const Coefficients& c, const RowMatrix& x,
                                                       const AlignmentOptions& options,
                                                       const Execution& run);
// Expected over white noise of standard deviation S; layers of one position.
[[nodiscard]] ASSAY_API AlignmentSystem white_system(const FeedbackLayer& layer,
                                                     const Coefficients& c, double stddev);

// The B at which the gradient is 0, in the span of the drive (conjugate gradients to a residual of
// 1e-10 of the drive, at most 2000 products). Throws Error where they do not suffice.
[[nodiscard]] ASSAY_API Matrix aligned_feedback(const AlignmentSystem& system);
// |B - end|^2 in the steady state where every batch of noise is drawn anew, to leading order in the
// fluctuations of the curvature A: the deviations g of the gradient at the end drive heavy-ball
// steps, so that it is eta (1 + mu)/(1 - mu) <g^T [A (2 (1 + mu) - eta A)]^-1 g>, a mean over
// `draws` batches (2 or more) with its standard error. Infinite from the convergence limit on.
struct SampledPower {
    double value = 0, error = 0;
};
struct AlignmentRun;
[[nodiscard]] ASSAY_API SampledPower sampling_power(
    const FeedbackLayer& layer, const AlignmentSettings& settings, const AlignmentOptions& options,
    const AlignmentSystem& system, const Matrix& end, Index draws, const AlignmentRun& run);
// Largest eigenvalue of the curvature by power iteration from a random start until its Rayleigh
// quotient moves by less than 1e-12, at most 1000 products; |A b - value b| beside it.
struct LargestCurvature {
    double value = 0, residual = 0;
};
[[nodiscard]] ASSAY_API LargestCurvature largest_curvature(const AlignmentSystem& system,
                                                           std::uint64_t seed);

// One run of the alignment alone, `steps` updates from an independent B_0 of norm `start_ratio`
// times W's. Batches are noise (wm, ia) or rows of `pool`; empty: noise of standard deviation S.
// kp: W moves too, both by the same random pseudo-gradients of standard deviation 1.
struct AlignmentRun {
    std::uint64_t seed = 0;
    Index layer = 0, repeat = 0; // address of its random numbers
    Index steps = 0;
    double start_ratio = 1;
    const RowMatrix* pool = nullptr;
};
struct AlignmentTrace {
    Vector angle;      // steps + 1, between W and B
    Vector norm_ratio; // |B|/|W|
    Vector difference; // |W - B| over that of the start
};
[[nodiscard]] ASSAY_API AlignmentTrace simulate_alignment(const FeedbackLayer& layer,
                                                          const AlignmentSettings& settings,
                                                          const AlignmentOptions& options,
                                                          const AlignmentRun& run);

// `count` rows of white noise for the layer, of the settings' law and standard deviation.
[[nodiscard]] ASSAY_API RowMatrix mirror_noise(const AlignmentSettings& settings, Index count,
                                               Index size, std::uint64_t seed, Index layer,
                                               Index repeat, Index step);

} // namespace assay::lindyn
