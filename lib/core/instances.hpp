// Templates of other libraries that many sources use, compiled once (instances.cpp) and not in each
// of them. The library's precompiled header includes this (share/cmake/AssayLibrary.cmake); without
// it every source compiles its own, to the same end.
#pragma once

#include <nlohmann/json.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>

#ifndef ASSAY_INSTANCE
#define ASSAY_INSTANCE extern template
#endif

namespace Eigen {

ASSAY_INSTANCE class ColPivHouseholderQR<MatrixXd>;
ASSAY_INSTANCE class EigenSolver<MatrixXd>;
ASSAY_INSTANCE class HouseholderQR<MatrixXd>;
ASSAY_INSTANCE class HouseholderSequence<MatrixXd, VectorXd, OnTheLeft>;
ASSAY_INSTANCE class LLT<MatrixXd>;
ASSAY_INSTANCE class PartialPivLU<MatrixXd>;
ASSAY_INSTANCE class SelfAdjointEigenSolver<MatrixXd>;
ASSAY_INSTANCE EigenSolver<MatrixXd>& EigenSolver<MatrixXd>::compute(const EigenBase<MatrixXd>&,
                                                                     bool);
ASSAY_INSTANCE LLT<MatrixXd>& LLT<MatrixXd>::compute(const EigenBase<MatrixXd>&);
ASSAY_INSTANCE SelfAdjointEigenSolver<MatrixXd>&
SelfAdjointEigenSolver<MatrixXd>::compute(const EigenBase<MatrixXd>&, int);

namespace internal {

using RowMatrix = Matrix<double, Dynamic, Dynamic, RowMajor>;
using ConstRows = const_blas_data_mapper<double, Index, RowMajor>;
using ConstColumns = const_blas_data_mapper<double, Index, ColMajor>;
ASSAY_INSTANCE struct general_matrix_vector_product<Index, double, ConstRows, RowMajor, false,
                                                    double, ConstColumns, false, 0>;
ASSAY_INSTANCE struct general_matrix_vector_product<Index, double, ConstRows, RowMajor, false,
                                                    double, ConstRows, false, 1>;
ASSAY_INSTANCE struct general_matrix_vector_product<Index, double, ConstColumns, ColMajor, false,
                                                    double, ConstRows, false, 0>;
ASSAY_INSTANCE struct selfadjoint_matrix_vector_product<double, Index, ColMajor, Lower, false,
                                                        false>;
ASSAY_INSTANCE void apply_block_householder_on_the_left(Block<MatrixXd>&, const Block<MatrixXd>&,
                                                        const VectorBlock<const VectorXd>&, bool);
ASSAY_INSTANCE void
make_block_householder_triangular_factor(RowMatrix&, const Block<MatrixXd>&,
                                         const Block<const VectorXd, Dynamic, 1>&);
ASSAY_INSTANCE void make_block_householder_triangular_factor(RowMatrix&, const Block<MatrixXd>&,
                                                             const VectorBlock<const VectorXd>&);
ASSAY_INSTANCE void tridiagonalization_inplace(MatrixXd&, VectorXd&);

} // namespace internal
} // namespace Eigen

ASSAY_INSTANCE class nlohmann::basic_json<>;

namespace nlohmann::detail {

ASSAY_INSTANCE class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
ASSAY_INSTANCE class serializer<json>;

} // namespace nlohmann::detail
