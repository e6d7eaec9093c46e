// Small tensors and factors for tests, and what is true of them by the definitions.
#pragma once

#include <assay/tensor_amp/tensor.hpp>

#include <assay/core/monitor.hpp>
#include <assay/core/random.hpp>

#include <cmath>
#include <limits>

namespace assay::tensor_amp::samples {

inline Execution with_threads(int threads) {
    Execution run;
    run.threads = threads;
    return run;
}

inline DenseTensor random_tensor(const Shape& shape, double missing, std::uint64_t seed) {
    const Random random(seed, "tensor-amp/test");
    DenseTensor tensor;
    tensor.shape = shape;
    tensor.values.resize(static_cast<Index>(entry_count(shape)));
    if (missing > 0) tensor.observed.assign(static_cast<std::size_t>(tensor.values.size()), 1);
    for (Index i = 0; i < tensor.values.size(); ++i) {
        const auto index = static_cast<std::uint64_t>(i);
        tensor.values(i) = random.normal(index);
        if (missing > 0 && random.uniform(index, {1}) < missing) {
            tensor.observed[static_cast<std::size_t>(i)] = 0;
            tensor.values(i) = std::numeric_limits<double>::quiet_NaN();
        }
    }
    return tensor;
}

inline Factors random_factors(const Shape& shape, Index columns, std::uint64_t seed) {
    const Random random(seed, "tensor-amp/test-factors");
    Factors factors;
    for (std::size_t a = 0; a < shape.size(); ++a) {
        MatrixXd x(shape[a], columns);
        for (Index i = 0; i < x.size(); ++i)
            x.data()[i] = random.normal(static_cast<std::uint64_t>(i), {a});
        factors.push_back(x);
    }
    return factors;
}

// Calls body(entry, index tuple) for all entries in C order.
template <class Body>
void for_each_entry(const Shape& shape, const Body& body) {
    std::vector<Index> index(shape.size(), 0);
    const auto count = static_cast<Index>(entry_count(shape));
    for (Index entry = 0; entry < count; ++entry) {
        body(entry, index);
        for (std::size_t a = shape.size(); a-- > 0 && ++index[a] == shape[a];) index[a] = 0;
    }
}

// The index tuple of an entry in C order.
inline std::vector<Index> indices(Index flat, const Shape& shape) {
    std::vector<Index> index(shape.size());
    for (std::size_t a = shape.size(); a-- > 0;) {
        index[a] = flat % shape[a];
        flat /= shape[a];
    }
    return index;
}

// prod_a X_a(i_a, c).
inline double product_at(const Factors& factors, const std::vector<Index>& index, Index c) {
    double product = 1;
    for (std::size_t a = 0; a < factors.size(); ++a) product *= factors[a](index[a], c);
    return product;
}

// N^{-(p-1)/2} sum_c prod_a X_a(i_a, c) of every entry.
inline VectorXd signal(const Shape& shape, const Factors& factors) {
    VectorXd values = VectorXd::Zero(static_cast<Index>(entry_count(shape)));
    for_each_entry(shape, [&](Index entry, const std::vector<Index>& index) {
        for (Index c = 0; c < factors.front().cols(); ++c)
            values(entry) += product_at(factors, index, c);
    });
    return values * signal_scale(shape);
}

} // namespace assay::tensor_amp::samples
