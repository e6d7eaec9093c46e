// Nonnegative least squares in Gram form: min 1/2 x'Qx - r'x over x >= 0, for many right-hand sides
// of one matrix. Block principal pivoting (Kim and Park 2011, SIAM J. Sci. Comput. 33(6)),
// right-hand sides grouped by equal passive sets so that each Cholesky factor serves all that share
// it.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <memory>

namespace assay::linalg {

class ASSAY_API NnlsSolver {
  public:
    // `gram` (n x n) is symmetric positive semidefinite. Variables with a zero diagonal leave the
    // problem (x = 0). If a passive block is singular, 1e-12 trace / n is added to its diagonal.
    explicit NnlsSolver(Matrix gram);
    ~NnlsSolver();
    NnlsSolver(NnlsSolver&&) noexcept;

    // One solution per column of `right_sides` (n x m). `start` (n x m or empty): its positive
    // entries are the first passive sets. Complementarity holds to 1e-12 max(1, |r|_inf) of the
    // problem scaled to a unit diagonal.
    [[nodiscard]] Matrix solve(const Matrix& right_sides, const Matrix& start = {});
    // Columns for which 5 n exchanges did not suffice and coordinate descent finished the work.
    [[nodiscard]] Index fallbacks() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay::linalg
