// Normal numbers for tests, by seed and stream.
#pragma once

#include <assay/core/random.hpp>
#include <assay/network/network.hpp>

#include <string>

namespace network_test {

inline assay::network::Rows<double> normal(std::uint64_t seed, const std::string& stream,
                                           assay::Index rows, assay::Index cols) {
    const assay::Random random(seed, stream);
    assay::network::Rows<double> values(rows, cols);
    for (assay::Index i = 0; i < values.size(); ++i)
        values.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return values;
}

} // namespace network_test
