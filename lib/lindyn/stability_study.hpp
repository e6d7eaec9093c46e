// Everything that stability.hpp says of the layers of a network, real or drawn: limits, where the
// feedback ends, how it gets there, and drawn runs beside it.
#pragma once

#include <assay/lindyn/network_alignment.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::lindyn {

struct StabilitySettings {
    AlignmentSettings alignment;
    AlignmentOptions options;
    bool engaged = false; // on the layers' own inputs, else on noise
    Index steps = 200;    // of the curves
    double start_ratio = 1;
    Index repeats = 0; // drawn runs
    Index probe = 256; // rows of noise from which a convolution's C_yy is taken
    Index draws = 32;  // batches from which its sampling noise is taken
    std::uint64_t seed = 0;
};

// Mean and standard error over drawn runs, one a step from 0 on; empty without runs.
struct DrawnCurve {
    Vector mean, error;
};

struct LayerStability {
    std::string name;
    Index outputs = 0, inputs = 0, positions = 1;
    // Largest eigenvalues of the second moments of real inputs and outputs; NaN without data.
    double lambda_xx = 0, lambda_yy = 0;
    // Of aa with data: the smallest eigenvalue of the inputs' second moments that is not 0, the
    // pace of the slowest direction, and the directions without variance, which never align. NaN
    // and -1 for other rules, and above 2048 inputs.
    double lambda_xx_least = 0;
    Index silent_directions = -1;
    double curvature = 0; // of R: what limits the step
    double curvature_residual = 0;
    double eta_critical = 0;             // of the mean
    double eta_critical_mean_square = 0; // with every batch drawn anew (ia on noise), else NaN
    double angle = 0, structural_angle = 0, norm_ratio = 0; // in the steady state
    // Of what sampling adds to |B|^2/|W|^2, where it is estimated from drawn batches (ia on
    // convolutions); else NaN.
    double sampling_power = 0, sampling_error = 0;
    double rectified_angle = 0; // of a mirror through relu with the layer's biases; NaN without
    double taper_angle = 0;     // of raw padding; 0 where nothing is cut off
    Vector singular_values, feedback_values, loop_gain; // u^T B v, s u^T B v
    Matrix feedback;                                    // B in the end; empty for fa
    // Theory of the curves where there is one, else empty. difference: kp, |W - B| over its start.
    Vector angle_curve, norm_ratio_curve, difference_curve;
    DrawnCurve angle_drawn, norm_ratio_drawn, difference_drawn;
};

// `number` addresses the layer's random numbers. Convolutions are taken as not rectified. Throws
// Error.
[[nodiscard]] ASSAY_API LayerStability study_layer(const NetworkLayer& layer, Index number,
                                                   const StabilitySettings& settings,
                                                   const Execution& run);

// Dense layers without data: He-initialised (variance 2/inputs), widths from input to output; the
// first layer of three widths or more needs no feedback and is left out. One width: one square
// layer.
[[nodiscard]] ASSAY_API std::vector<NetworkLayer> drawn_layers(const std::vector<Index>& widths,
                                                               std::uint64_t seed);
// One square layer with these singular values (diagonal).
[[nodiscard]] ASSAY_API NetworkLayer diagonal_layer(const std::vector<double>& singular_values);

} // namespace assay::lindyn
