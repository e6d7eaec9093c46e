#include <assay/tensor_amp/evidence.hpp>

#include <cmath>

namespace assay::tensor_amp {

double log_evidence(double free_entropy, double noise_variance, double squared_norm, double entries,
                    double mean_dimension) {
    const double gain = entries * (1 + std::log(squared_norm / entries)) -
                        squared_norm / noise_variance - entries * std::log(noise_variance);
    return free_entropy + 0.5 * gain / mean_dimension;
}

} // namespace assay::tensor_amp
