// Linearised dynamics around points: Jacobians, eigen-systems, time constants, frequencies, and
// what kind of point it is. J = R Lambda L with L the inverse of R; eigenvalues by falling
// magnitude, ties by falling real, then imaginary part, so that of a conjugate pair the one above
// the real axis comes first. Right vectors have unit norm and their largest entry is real and
// positive.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <complex>
#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

using Complex = std::complex<double>;
using ComplexVector = Eigen::VectorXcd;
using ComplexMatrix = Eigen::MatrixXcd;

enum class EigenvalueOrder { magnitude, real, nearest_one };

// marginal: no eigenvalue beyond 1 + delta and some within delta of the unit circle.
enum class Stability : std::uint8_t { attractor, saddle, repeller, marginal };

struct EigenSystem {
    ComplexVector values;   // all of them
    ComplexMatrix right;    // state x k, columns
    ComplexMatrix left;     // k x state, rows: left * right = identity
    Vector condition;       // k: |left row| |right column|, at least 1
    bool defective = false; // a condition beyond 1e8: left vectors are those of J^T
};

// A condition of an eigenvalue beyond it flags a defective matrix.
inline constexpr double kDefectiveCondition = 1e8;
// To unit norm, the largest entry real and positive; a vector of zeros stays.
ASSAY_API void normalise_mode(Eigen::Ref<Eigen::VectorXcd> vector);

// The eigen-system of a real matrix (S x S), the first `modes` vectors of it in the given order;
// O(25 S^3). Throws Error where the iteration does not converge.
[[nodiscard]] ASSAY_API EigenSystem eigen_system(
    const Matrix& jacobian, Index modes, EigenvalueOrder order = EigenvalueOrder::magnitude);

// The least number of vectors that eigen-systems have; 0 for no system.
[[nodiscard]] ASSAY_API Index fewest_modes(const std::vector<EigenSystem>& systems);

// So many time constants of a point are listed: those of its slowest modes.
inline constexpr Index kSlowestModes = 3;
// |1 / ln|lambda|| in steps; infinite on the unit circle, 0 for lambda = 0.
[[nodiscard]] ASSAY_API double time_constant(std::complex<double> eigenvalue);
// |arg lambda| / (2 pi dt), cycles per unit of time.
[[nodiscard]] ASSAY_API double frequency(std::complex<double> eigenvalue, double dt);
[[nodiscard]] ASSAY_API Stability classify(const ComplexVector& eigenvalues, double marginal);
// How many are strictly beyond the unit circle.
[[nodiscard]] ASSAY_API Index count_unstable(const ComplexVector& eigenvalues);
// The same of a matrix (S x S), without its eigenvalues but where some lie within about 1e-4 of the
// circle; O(20 S^3).
[[nodiscard]] ASSAY_API Index unstable_dimensions(const Matrix& jacobian);
// Henrici's departure from normality, relative to the Frobenius norm of the matrix.
[[nodiscard]] ASSAY_API double henrici(const Matrix& jacobian, const ComplexVector& eigenvalues);
// The largest spectral norm of the powers 1 ... `steps` of a matrix; powers beyond 1e100 end it.
// Its eigen-system, where complete, bounds most powers, so that few are made.
[[nodiscard]] ASSAY_API double max_transient(const Matrix& jacobian, const EigenSystem& system,
                                             Index steps = 100);
// Real vectors that span the subspace of the eigenvalues beyond the unit circle: one column for a
// real eigenvalue, the real and the imaginary part of its vector for a pair.
struct UnstableVectors {
    Matrix columns;           // S x n
    Vector rate;              // n: ln |lambda|, growth a step
    std::vector<Index> pairs; // first columns of pairs
};
[[nodiscard]] ASSAY_API UnstableVectors unstable_vectors(const EigenSystem& system);
// An orthonormal basis (S x n) of the same subspace.
[[nodiscard]] ASSAY_API Matrix unstable_basis(const EigenSystem& system);

} // namespace assay::fixedpoints
