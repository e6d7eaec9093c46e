// Input-output modes: the singular value decomposition Syx = U S V^T of a data set's correlations
// (arXiv 1810.10531, section 1), with what the inputs do along each mode. The entry of v with the
// largest magnitude is positive (the first on ties), u follows. Modes whose singular values are
// equal form a group, in which single vectors mean nothing, only the plane they span.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/linalg/spectral_norm.hpp>
#include <assay/lindyn/statistics.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace assay::lindyn {

struct Modes {
    Vector s;                              // K, descending
    Matrix u;                              // N3 x K
    Matrix v;                              // N1 x K
    Vector input_variance;                 // d_a = v_a^T Sx v_a
    Vector asymptote;                      // q_a = s_a / d_a, the strength at the end of learning
    std::vector<std::int32_t> group;       // from 0, ascending
    double output_power = 0;               // tr Syy
    double power = kNotKnown.value;        // |Syx|^2, of all modes; NaN: not known
    Vector residual;                       // max(|Syx v - s u|, |Syx^T u - s v|); empty: not known
    linalg::Eigenvalue widest = kNotKnown; // the largest of Sx, whether or not a mode has it

    static constexpr linalg::Eigenvalue kNotKnown{std::numeric_limits<double>::quiet_NaN(),
                                                  std::numeric_limits<double>::quiet_NaN()};

    [[nodiscard]] Index count() const { return s.size(); }
    [[nodiscard]] ASSAY_API Index rank() const; // singular values above 1e-12 of the first
};

constexpr Index kQuickModes = 2000; // so many modes are all found in seconds

struct ModeOptions {
    Index count = 0;          // 0: all min(N1, N3)
    double degeneracy = 1e-6; // relative gap below which neighbours are one group
};

// All modes by divide and conquer; where count is at most a quarter of them, the leading ones by
// block Krylov iteration. O(N1 N3 min(N1, N3)), or O(N1 N3 count).
[[nodiscard]] ASSAY_API Modes find_modes(const Statistics& statistics, const ModeOptions& options);
// Modes of samples whose correlations are never formed: every product with a block of vectors is
// one pass through the samples, X^T (Y b)/P or Y^T (X b)/P. 10 to 30 passes, O(P (N1 + N3) count)
// each; `count` must be given. Triplets have residuals of 1e-10 s_1 (float32: 1e-5 s_1). The widest
// input direction takes 5 to 40 passes through the inputs more, X^T (X b)/P.
[[nodiscard]] ASSAY_API Modes find_modes(const SampleSource& source, Normalisation normalisation,
                                         const ModeOptions& options, BlockPrecision precision,
                                         const Execution& run);
// Modes of whitened inputs; v stands in the directions of Sx^{-1/2} x.
[[nodiscard]] ASSAY_API Modes find_modes(const Whitened& whitened, const ModeOptions& options);

// a_a = u_a^T W v_a of a map W (N3 x N1).
[[nodiscard]] ASSAY_API Vector strengths(const Modes& modes, const Matrix& map);

// Turns pairs of singular vectors so that the largest entry of each column of v is positive.
ASSAY_API void fix_signs(Matrix& u, Matrix& v);
// Group of each value of a descending list: a value joins the one before it where it is smaller by
// no more than that share of it. Values that are rounding beside the first are one group.
[[nodiscard]] ASSAY_API std::vector<std::int32_t> group_equal(const Vector& descending,
                                                              double degeneracy);
// Columns averaged over the members of each group (T x K to T x groups); of strengths, this is what
// does not depend on the basis within a group.
[[nodiscard]] ASSAY_API Matrix group_means(const Matrix& by_mode,
                                           const std::vector<std::int32_t>& group);

} // namespace assay::lindyn
