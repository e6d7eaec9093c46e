// Reads what test/reference/make_network_oracle.py computed.
#pragma once

#include <assay/hdf5/object.hpp>

#include <string>

namespace network_test {

inline const std::string kOracleFile = ASSAY_TEST_REFERENCE "/network_oracle.h5";

inline assay::RowMatrix rows_of(const assay::hdf5::Dataset& dataset, assay::Index rows) {
    const auto values = dataset.read<double>();
    return Eigen::Map<const assay::RowMatrix>(values.data(), rows,
                                              static_cast<assay::Index>(values.size()) / rows);
}

} // namespace network_test
