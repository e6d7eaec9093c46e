// A network's layers as the theory of feedback alignment sees them, on real data (stability.hpp),
// and how steep the task is when errors go down through feedback arrays.
#pragma once

#include <assay/lindyn/feedback_layer.hpp>
#include <assay/network/loss.hpp>
#include <assay/network/model.hpp>
#include <assay/network/samples.hpp>

#include <complex>
#include <vector>

namespace assay::lindyn {

// A dense or convolutional layer with trained layers before it, or an array of a recurrent layer
// (the kernel where there are trained layers before it, the recurrent matrix always): it has a
// feedback array.
struct NetworkLayer {
    FeedbackLayer feedback;
    // Its activations, samples x input size; of recurrent layers a row a step of a sample, x_t for
    // the kernel and h_{t-1} for the recurrent matrix.
    RowMatrix inputs;
    Vector noise_share; // of a padded convolution: Taper::noise, one an entry of W; else empty
};
struct NetworkLayers {
    std::vector<NetworkLayer> layers;
    std::vector<std::string> left_out; // weighted layers that the theory does not treat
};
// `use_bias`: layers keep their biases in the forward projection. Throws Error where samples do not
// fit, activations are not finite, and where there is no such layer.
[[nodiscard]] ASSAY_API NetworkLayers feedback_layers(const network::Model& model,
                                                      const network::Samples& samples,
                                                      bool use_bias, const Execution& run);

// What stands in the place of a layer's transposed array; outputs x inputs.
struct LayerFeedback {
    std::string layer;
    Matrix weight;
    std::string array = "weight"; // of recurrent layers kernel or recurrent
};
// The eigenvalue of largest modulus of J = J_B^T H J_W, the Jacobian of the pseudo-gradient field
// where the loss has no residual (its Gauss-Newton part elsewhere): J_W that of the outputs in the
// parameters, H the loss's Hessian, J_B^T the backward pass through the feedback, of recurrent
// layers through time (arrays without keep their own). All parameters; restarted Arnoldi iteration
// of 40 products to a residual of 1e-8 or 10 restarts. Learning is locally stable below
// critical_rate(value).
struct TaskCurvature {
    std::complex<double> value;
    double residual = 0; // |J v - value v| over |value|
};
[[nodiscard]] ASSAY_API TaskCurvature task_curvature(const network::Model& model,
                                                     const network::Samples& samples,
                                                     const network::Loss& loss,
                                                     const std::vector<LayerFeedback>& feedback,
                                                     std::uint64_t seed, const Execution& run);

} // namespace assay::lindyn
