#include <assay/tensor_amp/model.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {

double entry_count(const Shape& shape) {
    double count = 1;
    for (const Index length : shape) count *= static_cast<double>(length);
    return count;
}

double mean_dimension(const Shape& shape) {
    double logarithm = 0;
    for (const Index length : shape) logarithm += std::log(static_cast<double>(length));
    return std::exp(logarithm / static_cast<double>(shape.size()));
}

VectorXd aspect_ratios(const Shape& shape) {
    const double mean = mean_dimension(shape);
    VectorXd ratios(static_cast<Index>(shape.size()));
    for (Index a = 0; a < ratios.size(); ++a)
        ratios(a) = static_cast<double>(shape[static_cast<std::size_t>(a)]) / mean;
    return ratios;
}

double signal_scale(const Shape& shape) {
    return std::pow(mean_dimension(shape), -0.5 * (static_cast<double>(shape.size()) - 1));
}

double symmetric_unit(Index order) {
    const auto p = static_cast<double>(order);
    return std::exp(std::lgamma(p) / (2 * p));
}

std::vector<MatrixXd> gram_matrices(const Factors& factors) {
    std::vector<MatrixXd> grams;
    for (const MatrixXd& factor : factors) grams.emplace_back(factor.transpose() * factor);
    return grams;
}

MatrixXd hadamard_except(const std::vector<MatrixXd>& matrices,
                         std::initializer_list<Index> left_out) {
    MatrixXd product = MatrixXd::Ones(matrices.front().rows(), matrices.front().cols());
    for (Index a = 0; a < static_cast<Index>(matrices.size()); ++a)
        if (std::find(left_out.begin(), left_out.end(), a) == left_out.end())
            product.array() *= matrices[static_cast<std::size_t>(a)].array();
    return product;
}

double hadamard_total(const std::vector<MatrixXd>& matrices) {
    return hadamard_except(matrices, {}).sum();
}

} // namespace assay::tensor_amp
