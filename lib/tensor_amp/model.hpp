// The low-rank model of tensor-amp (Kadmon, Ganguli 2018, arXiv 1810.10065), and the small matrix
// algebra that every part of it shares. A tensor of shape N_1 x ... x N_p is
//     Y = N^{-(p-1)/2} sum_rho prod_a X_a[i_a, rho] + sqrt(Delta) z,    N = (prod_a N_a)^{1/p},
// with factors X_a (N_a x r) in these "model units": then every threshold lies at Delta = O(1).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/indices.hpp>

#include <Eigen/Core>

#include <initializer_list>
#include <vector>

namespace assay::tensor_amp {

using assay::at;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

using Shape = std::vector<Index>;
// One N_a x r matrix per mode.
using Factors = std::vector<MatrixXd>;

// The number of entries, as a double: it may exceed any integer.
[[nodiscard]] ASSAY_API double entry_count(const Shape& shape);
// N, the geometric mean of the dimensions.
[[nodiscard]] ASSAY_API double mean_dimension(const Shape& shape);
// n_a = N_a / N; their product is 1.
[[nodiscard]] ASSAY_API VectorXd aspect_ratios(const Shape& shape);
// N^{-(p-1)/2}, which stands before the sum of products.
[[nodiscard]] ASSAY_API double signal_scale(const Shape& shape);

// ((p-1)!)^{1/(2p)}: a symmetric tensor sqrt((p-1)!) N^{-(p-1)/2} sum prod x (symmetric_amp.hpp) is
// one in model units with factors of so many times x.
[[nodiscard]] ASSAY_API double symmetric_unit(Index order);

// X_a^T X_a of every mode, r x r.
[[nodiscard]] ASSAY_API std::vector<MatrixXd> gram_matrices(const Factors& factors);
// The entrywise product of all matrices but those named; all ones where none is left.
[[nodiscard]] ASSAY_API MatrixXd hadamard_except(const std::vector<MatrixXd>& matrices,
                                                 std::initializer_list<Index> left_out);
// 1^T (o_a M_a) 1.
[[nodiscard]] ASSAY_API double hadamard_total(const std::vector<MatrixXd>& matrices);

} // namespace assay::tensor_amp
