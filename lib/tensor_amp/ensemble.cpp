#include <assay/tensor_amp/ensemble.hpp>

#include <assay/core/error.hpp>
#include <assay/tensor_amp/scalar_channel.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
Ensemble make_ensemble(const VectorXd& dimensions, std::vector<PriorPointer> priors) {
    if (dimensions.size() < kLeastOrder || dimensions.size() > kMostOrder)
        throw Error(concat("order ", dimensions.size(), "; ", kLeastOrder, " to ", kMostOrder,
                           " modes are expected"));
    for (const double dimension : dimensions)
        if (!(dimension > 0) || !std::isfinite(dimension))
            throw Error(concat("a dimension is ", dimension, "; it must be positive"));
    const double mean = std::exp(dimensions.array().log().mean());
    Ensemble ensemble{dimensions / mean, std::move(priors)};
    check_ensemble(ensemble);
    return ensemble;
}

void check_ensemble(const Ensemble& ensemble) {
    const auto given = static_cast<Index>(ensemble.priors.size());
    if (given != ensemble.order())
        throw Error(concat(given, " priors for ", ensemble.order(), " modes"));
    for (const PriorPointer& prior : ensemble.priors) {
        if (prior->rank() != ensemble.rank())
            throw Error(concat(prior->describe(), ": rank ", prior->rank(), " beside rank ",
                               ensemble.rank()));
        check_exact(*prior);
    }
}

void check_noise(double noise_var, const char* name) {
    if (!(noise_var > 0) || !std::isfinite(noise_var))
        throw Error(concat(name, " is ", noise_var, "; it must be positive"));
}

bool is_gaussian(const Ensemble& ensemble) {
    return std::all_of(ensemble.priors.begin(), ensemble.priors.end(),
                       [](const PriorPointer& prior) { return prior->gaussian(); });
}

bool is_cubic(const Ensemble& ensemble) {
    return ((ensemble.aspect.array() - 1).abs() < 1e-12).all();
}

} // namespace assay::tensor_amp
