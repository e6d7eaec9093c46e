// A Tucker compression from the spectra of the unfoldings: per mode the leading eigenvectors U_a of
// Y_(a) Y_(a)^T without its diagonal (which holds most of the noise), and the core
// Y x_1 U_1^T .. x_p U_p^T. The modes of the source's right group come first, from the data; those
// of the left group follow from the data compressed in the former (sequential truncation,
// Vannieuwenhoven, Vandebril, Meerbergen 2012, SIAM J. Sci. Comput. 34:A1027): what a mode's basis
// loses is lost to the core in any order.
#pragma once

#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/monitor.hpp>

#include <cstdint>
#include <vector>

namespace assay::tensor_amp {

struct TuckerCore {
    Factors bases; // N_a x min(rank, N_a), orthonormal columns
    DenseTensor core;
};

// Unobserved entries count as 0 and the core is divided by the observed fraction. Gram matrices are
// formed up to N_a = 1000; above, block Krylov iteration (Musco, Musco 2015, arXiv 1504.05477) from
// random vectors takes six passes more. Memory: prod_{a left} N_a rank^(p-s) numbers.
[[nodiscard]] ASSAY_API TuckerCore tucker_core(const TensorSource& source, Index rank,
                                               std::uint64_t seed, const Execution& run);

} // namespace assay::tensor_amp
