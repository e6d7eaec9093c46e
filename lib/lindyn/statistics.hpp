// Second-order statistics of a data set, all that gradient descent on a deep linear network sees of
// it (Saxe, McClelland, Ganguli 2019, arXiv 1810.10531, section 1): Syx, the input-output
// correlations, Sx, those of the inputs, and tr Syy. Samples are rows of `inputs` (P x N1) and
// `targets` (P x N3); equations use columns: Syx = Y X^T / P is N3 x N1, Sx = X X^T / P is N1 x N1.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/recording.hpp>

#include <optional>
#include <string>

namespace assay::lindyn {

using RowMatrixF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// mean: sums over samples are divided by P; sum: they are not.
enum class Normalisation { mean, sum };

[[nodiscard]] ASSAY_API std::string normalisation_name(Normalisation normalisation);
[[nodiscard]] ASSAY_API Normalisation normalisation_of(const std::string& name); // mean: any other

// Samples that may be larger than memory. Implementations throw Error on numbers that are not
// finite, naming the place.
class ASSAY_API SampleSource {
  public:
    virtual ~SampleSource() = default;
    [[nodiscard]] virtual Index samples() const = 0;
    // 0: one-hot, the inputs are the P x P identity and are never read.
    [[nodiscard]] virtual Index inputs() const = 0;
    [[nodiscard]] virtual Index outputs() const = 0;
    // `count` rows from `first`.
    [[nodiscard]] virtual RowMatrix read_inputs(Index first, Index count) const = 0;
    [[nodiscard]] virtual RowMatrix read_targets(Index first, Index count) const = 0;
    // The same in single precision; by default converted.
    [[nodiscard]] virtual RowMatrixF read_inputs_float(Index first, Index count) const {
        return read_inputs(first, count).cast<float>();
    }
    [[nodiscard]] virtual RowMatrixF read_targets_float(Index first, Index count) const {
        return read_targets(first, count).cast<float>();
    }
};

// Of blocks of samples and the products within a block; sums over blocks are in double precision.
enum class BlockPrecision { float64, float32 };

struct Statistics {
    Matrix syx;              // N3 x N1; empty where it is too large to be formed
    Matrix sxx;              // N1 x N1; empty where Sx = input_scale I
    double input_scale = 0;  // 1/P (mean) or 1 (sum) for one-hot inputs, 1 for whitened ones
    double output_power = 0; // tr Syy
    Index samples = 0;       // P; 0: not known
    Normalisation normalisation = Normalisation::mean;
    Index unformed_inputs = 0, unformed_outputs = 0; // N1 and N3 where syx and sxx are not formed

    [[nodiscard]] bool formed() const { return unformed_inputs == 0; }
    [[nodiscard]] Index inputs() const { return formed() ? syx.cols() : unformed_inputs; }
    [[nodiscard]] Index outputs() const { return formed() ? syx.rows() : unformed_outputs; }
    [[nodiscard]] bool has_scalar_inputs() const {
        return sxx.size() == 0 && (formed() || input_scale > 0);
    }
    // Sx X for a block of columns (N1 x b).
    [[nodiscard]] ASSAY_API Matrix input_product(const Matrix& columns) const;
    // tr Sx.
    [[nodiscard]] ASSAY_API double input_power() const;
};

// One pass in blocks of rows of about 8 MiB; no more than two blocks and the results are in memory.
// O(P N1 (N1 + N3)); the bits do not depend on the number of threads. Products of float32 blocks
// have relative errors of about 1e-6. Throws Error where all targets are 0, there is no sample, or
// the results are larger than the machine's memory.
[[nodiscard]] ASSAY_API Statistics accumulate(const SampleSource& source,
                                              Normalisation normalisation, const Execution& run,
                                              BlockPrecision precision = BlockPrecision::float64);
// Bytes of what it returns.
[[nodiscard]] ASSAY_API double statistics_bytes(const SampleSource& source);
// Blocks of rows in which a source is read, and the divisor of sums over its samples.
[[nodiscard]] ASSAY_API Blocks sample_blocks(const SampleSource& source, BlockPrecision precision);
[[nodiscard]] ASSAY_API double sample_divisor(const SampleSource& source,
                                              Normalisation normalisation);
// Throws Error where the correlations are not formed.
ASSAY_API void need_formed(const Statistics& statistics);

// Checks given statistics: shapes, finite, Sx symmetric (1e-8 of its norm) with no eigenvalue below
// -1e-10 of the largest. Throws Error that says what was found.
ASSAY_API void check_statistics(const Statistics& statistics);

// Departure of Sx from a multiple of the identity, |Sx - (tr Sx / N1) I| / |Sx| (Frobenius).
[[nodiscard]] ASSAY_API double whiteness(const Statistics& statistics);
// |[Sx, Syx^T Syx]| / (|Sx| |Syx|^2) (Frobenius): 0 where the modes of Syx diagonalise Sx.
[[nodiscard]] ASSAY_API double commutation(const Statistics& statistics);
// The scale d of Sx = d I, where whiteness is below 1e-8; else nothing.
[[nodiscard]] ASSAY_API std::optional<double> white_scale(const Statistics& statistics);

// Whitened inputs z = root^T x in `rank` coordinates of the span of Sx, so that Sz = I; `basis` has
// the span's orthonormal directions, so that basis z = Sx^{-1/2} x. A map M of whitened inputs is
// M root^T of the original ones.
struct Whitened {
    Statistics statistics; // N3 x rank, input_scale 1
    Matrix basis;          // N1 x rank
    Matrix root;           // N1 x rank
};
// Eigenvalues of Sx below 1e-10 of the largest are dropped. O(N1^3).
[[nodiscard]] ASSAY_API Whitened whiten(const Statistics& statistics);

} // namespace assay::lindyn
