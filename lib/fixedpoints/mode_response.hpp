// What one input leaves behind after some steps of the linearised dynamics, mode by mode
// (Maheswaranathan et al. 2019, arXiv:1907.08549, section 4.3 and Fig. 3f).
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <vector>

namespace assay::fixedpoints {

// The change of the end state (n x S) by inputs that differ from the point's by the rows of
// `deviations` (n x inputs), `steps` further steps before the end: sum over the first `modes` modes
// of lambda^steps r (l^T K dx), K = dF/dx (S x inputs). A complex pair counts as a whole from its
// first mode on. O(n k (inputs + S)). Throws Error for shapes that do not fit and more modes than
// there are.
[[nodiscard]] ASSAY_API RowMatrix end_effect(const EigenSystem& system,
                                             const RowMatrix& jacobian_input,
                                             const RowMatrix& deviations, Index steps, Index modes);

struct RetainedResponse {
    RowMatrix mean;      // k x probes: response with modes 1 .. row + 1, mean over points
    RowMatrix deviation; // its standard deviation over points
};

// The response of one output to probes (n x inputs: deviations of the input at one step) that is
// left `horizon` steps later: Re sum over modes a <= k of (w . r_a) lambda_a^horizon (l_a . K e),
// w the output's gradient at the point, averaged over points. k runs to the fewest modes of any
// system; a complex pair is added as a whole at its first mode. Throws Error for no points, an
// output that is not there, shapes that do not fit.
[[nodiscard]] ASSAY_API RetainedResponse retained_response(const Dynamics& dynamics,
                                                           const Points& points,
                                                           const std::vector<EigenSystem>& systems,
                                                           const RowMatrix& probes, Index output,
                                                           Index horizon, const Execution& run);

// What probes leave at the points of one constant input.
struct InputResponse {
    Index input = 0;
    std::vector<Index> points; // rows of all points
    RetainedResponse retained; // of one output
    RowMatrix end_effect;      // probes x S: of all kept modes, mean over points
};

// deviation: probes are added to the constant input; absolute: they stand in its place.
enum class ProbeKind { deviation, absolute };

// For every constant input that has points (`probes`: n x inputs). Throws Error as
// retained_response does.
[[nodiscard]] ASSAY_API std::vector<InputResponse>
input_responses(const Dynamics& dynamics, const Points& points,
                const std::vector<EigenSystem>& systems, const RowMatrix& probes, ProbeKind kind,
                Index output, Index horizon, const Execution& run);

} // namespace assay::fixedpoints
