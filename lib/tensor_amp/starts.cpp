#include <assay/tensor_amp/starts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr const char* kPurpose = "tensor-amp/start";

std::uint64_t word(Index value) {
    return static_cast<std::uint64_t>(value);
}

void add_noise(MatrixXd& factor, const VectorXd& spread, const Random& random, Index mode,
               std::uint64_t replicate) {
    for (Index k = 0; k < factor.cols(); ++k)
        for (Index i = 0; i < factor.rows(); ++i)
            factor(i, k) += spread(k) * random.normal(word(i), {word(mode), word(k), replicate});
}

} // namespace

Factors prior_mean_start(const Shape& shape, const std::vector<PriorPointer>& priors,
                         std::uint64_t seed, std::uint64_t replicate) {
    constexpr double symmetry_breaking = 1e-3;
    const Random random(seed, kPurpose);
    Factors start;
    for (Index a = 0; a < static_cast<Index>(shape.size()); ++a) {
        const Prior& prior = *priors[static_cast<std::size_t>(a)];
        const VectorXd mean = prior.mean();
        start.emplace_back(mean.transpose().replicate(shape[static_cast<std::size_t>(a)], 1));
        if (prior.rank() > 1 || (mean.array() == 0).any())
            add_noise(start.back(),
                      symmetry_breaking * prior.second_moment().diagonal().cwiseSqrt(), random, a,
                      replicate);
    }
    return start;
}

Factors random_start(const Shape& shape, const std::vector<PriorPointer>& priors,
                     std::uint64_t seed, std::uint64_t replicate) {
    const Random random(seed, kPurpose);
    Factors start;
    for (Index a = 0; a < static_cast<Index>(shape.size()); ++a) {
        const Prior& prior = *priors[static_cast<std::size_t>(a)];
        MatrixXd factor(shape[static_cast<std::size_t>(a)], prior.rank());
        // Replicates draw from modes of their own.
        const std::uint64_t stream = word(a) + replicate * shape.size();
        for (Index i = 0; i < factor.rows(); ++i)
            factor.row(i) = prior.sample(random, word(i), stream).transpose();
        start.push_back(factor);
    }
    return start;
}

Factors informed_start(const Factors& truth, Index rank, double spread, std::uint64_t seed,
                       std::uint64_t replicate, const std::vector<Index>& exact_modes) {
    const Random random(seed, kPurpose);
    Factors start;
    for (Index a = 0; a < static_cast<Index>(truth.size()); ++a) {
        const MatrixXd& known = truth[static_cast<std::size_t>(a)];
        const auto rows = static_cast<double>(known.rows());
        const Index common = std::min(rank, known.cols());
        const bool exact =
            std::find(exact_modes.begin(), exact_modes.end(), a) != exact_modes.end();
        if (exact && common < rank)
            throw Error(concat("mode ", a, " is to stay as it is given, with ", known.cols(),
                               known.cols() == 1 ? " component; " : " components; ", rank,
                               " are expected"));
        MatrixXd factor = MatrixXd::Zero(known.rows(), rank);
        factor.leftCols(common) = known.leftCols(common);
        VectorXd size = VectorXd::Constant(
            rank, known.norm() / std::sqrt(rows * static_cast<double>(known.cols())));
        size.head(common) = known.leftCols(common).colwise().norm().transpose() / std::sqrt(rows);
        if (!exact) add_noise(factor, spread * size, random, a, replicate);
        start.push_back(factor);
    }
    return start;
}

} // namespace assay::tensor_amp
