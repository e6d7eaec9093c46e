// Random low-rank tensors with a known truth, for tests.
#pragma once

#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <Eigen/Cholesky>

#include <memory>
#include <string>
#include <vector>

namespace tensor_test {

using namespace assay::tensor_amp;

struct Instance {
    Shape shape;
    std::vector<PriorPointer> priors;
    Factors truth;
    DenseTensor tensor;
};

// Sets the tensor: what the true factors make, and noise.
inline void make_tensor(Instance& instance, double noise_variance, std::uint64_t seed) {
    const Shape& shape = instance.shape;
    const Index rank = instance.truth.front().cols();
    const assay::Random noise(seed, "tensor-amp/test-noise");
    DenseTensor& tensor = instance.tensor;
    tensor.shape = shape;
    tensor.values.resize(static_cast<Index>(entry_count(shape)));
    const double scale = signal_scale(shape);
    // Rows of the first mode times the products of all others, the last index running fastest.
    MatrixXd others = MatrixXd::Ones(1, rank);
    for (std::size_t a = 1; a < shape.size(); ++a) {
        MatrixXd longer(others.rows() * shape[a], rank);
        for (Index j = 0; j < others.rows(); ++j)
            longer.middleRows(j * shape[a], shape[a]) =
                instance.truth[a] * others.row(j).asDiagonal();
        others = longer;
    }
    for (Index i = 0; i < shape[0]; ++i)
        tensor.values.segment(i * others.rows(), others.rows()) =
            scale * others * instance.truth[0].row(i).transpose();
    for (Index e = 0; e < tensor.values.size(); ++e)
        tensor.values(e) += std::sqrt(noise_variance) * noise.normal(static_cast<std::uint64_t>(e));
}

// Factors drawn from the priors; with `standardize` their first two sample moments are exactly the
// prior's (Gaussian priors), so that only the noise differs from theory.
inline Instance make_instance(const Shape& shape, const std::vector<std::string>& priors,
                              Index rank, double noise_variance, std::uint64_t seed,
                              bool standardize = false) {
    Instance instance;
    instance.shape = shape;
    const assay::Random random(seed, "tensor-amp/test-factors");
    for (std::size_t a = 0; a < shape.size(); ++a) {
        const PriorPointer prior = parse_prior(priors[priors.size() == 1 ? 0 : a], rank);
        MatrixXd factor(shape[a], rank);
        for (Index i = 0; i < shape[a]; ++i)
            factor.row(i) = prior->sample(random, static_cast<std::uint64_t>(i), a).transpose();
        if (standardize) {
            const MatrixXd centred = factor.rowwise() - factor.colwise().mean();
            const Eigen::LLT<MatrixXd> sample(centred.transpose() * centred /
                                              static_cast<double>(shape[a]));
            const VectorXd mean = prior->mean();
            const Eigen::LLT<MatrixXd> wanted(prior->second_moment() - mean * mean.transpose());
            factor = sample.matrixL().solve(centred.transpose()).transpose() *
                     MatrixXd(wanted.matrixL()).transpose();
            factor.rowwise() += mean.transpose();
        }
        instance.priors.push_back(prior);
        instance.truth.push_back(factor);
    }
    make_tensor(instance, noise_variance, seed);
    return instance;
}

// M_a = Xhat_a^T X_a / N_a.
inline MatrixXd overlap(const MatrixXd& mean, const MatrixXd& truth) {
    return mean.transpose() * truth / static_cast<double>(mean.rows());
}

// ||What - W||^2 / ||W||^2 from Gram matrices.
inline double signal_error(const Factors& mean, const Factors& truth) {
    std::vector<MatrixXd> between;
    for (std::size_t a = 0; a < mean.size(); ++a) between.push_back(mean[a].transpose() * truth[a]);
    const double whole = hadamard_total(gram_matrices(truth));
    return (hadamard_total(gram_matrices(mean)) - 2 * hadamard_total(between) + whole) / whole;
}

} // namespace tensor_test
