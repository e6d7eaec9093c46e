// Normal numbers for tests, by seed and stream.
#pragma once

#include <assay/core/random.hpp>
#include <assay/tensor_amp/model.hpp>

namespace tensor_amp_test {

inline Eigen::MatrixXd normal(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed,
                              std::uint64_t stream) {
    const assay::Random random(seed, "tensor-amp/test");
    Eigen::MatrixXd m(rows, cols);
    for (Eigen::Index i = 0; i < m.size(); ++i)
        m.data()[i] = random.normal(static_cast<std::uint64_t>(i), {stream, 0, 0});
    return m;
}

} // namespace tensor_amp_test
