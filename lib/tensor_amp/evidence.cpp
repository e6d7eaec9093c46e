#include <assay/tensor_amp/evidence.hpp>

#include <cmath>

namespace assay::tensor_amp {

double log_evidence(double free_entropy, double noise_variance, double squared_norm, double entries,
                    double mean_dimension) {
    return log_evidence(
        free_entropy,
        NoiseOfSlices{squared_norm / noise_variance, entries * std::log(noise_variance)},
        squared_norm, entries, mean_dimension);
}

double log_evidence(double free_entropy, const NoiseOfSlices& noise, double squared_norm,
                    double entries, double mean_dimension) {
    const double gain =
        entries * (1 + std::log(squared_norm / entries)) - noise.weighted_norm - noise.log_noise;
    return free_entropy + 0.5 * gain / mean_dimension;
}

} // namespace assay::tensor_amp
