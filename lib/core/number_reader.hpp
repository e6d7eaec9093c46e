// Numbers that some file holds, handed over block by block: who reads them need not hold them all.
#pragma once

#include <Eigen/Core>

#include <functional>

namespace assay {

// Consecutive numbers of an array in C order, the first of which is entry `first`.
using NumberBlock =
    std::function<void(Eigen::Index first, const double* numbers, Eigen::Index count)>;
// Hands over all numbers of an array, the last index fastest. Throws Error for a damaged file.
using NumberReader = std::function<void(const NumberBlock&)>;

} // namespace assay
