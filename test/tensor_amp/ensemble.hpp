// Ensembles of tensors of a shape, from priors as text.
#pragma once

#include <assay/tensor_amp/ensemble.hpp>
#include <assay/tensor_amp/prior.hpp>

#include <string>
#include <utility>
#include <vector>

namespace tensor_amp_test {

inline assay::tensor_amp::Ensemble ensemble_of(const std::vector<double>& dimensions,
                                               const std::vector<std::string>& texts,
                                               assay::Index rank = 1) {
    using namespace assay::tensor_amp;
    std::vector<PriorPointer> priors;
    for (std::size_t a = 0; a < dimensions.size(); ++a)
        priors.push_back(parse_prior(texts.size() == 1 ? texts[0] : texts[a], rank));
    return make_ensemble(
        Eigen::Map<const VectorXd>(dimensions.data(), static_cast<assay::Index>(dimensions.size())),
        std::move(priors));
}

} // namespace tensor_amp_test
