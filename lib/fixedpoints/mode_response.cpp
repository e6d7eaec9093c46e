#include <assay/fixedpoints/mode_response.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/fixedpoints/point_modes.hpp>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

// How the real part of a mode's term counts: once, or for a complex pair twice at the mode above
// the real axis and not at its conjugate.
double share(const Complex& eigenvalue) {
    if (eigenvalue.imag() == 0) return 1;
    return eigenvalue.imag() > 0 ? 2 : 0;
}

// lambda^steps with its share, of the first modes; 0^0 = 1.
ComplexVector propagated(const EigenSystem& system, Index steps, Index modes) {
    ComplexVector factors(modes);
    for (Index a = 0; a < modes; ++a)
        factors(a) =
            share(system.values(a)) *
            (steps == 0 ? Complex(1) : std::pow(system.values(a), static_cast<int>(steps)));
    return factors;
}

void check_steps(Index steps) {
    if (steps < 0) throw Error(concat("--horizon ", steps, ": must be >= 0"));
}

// l_a^T K dx of the first modes (modes x n).
ComplexMatrix excited(const EigenSystem& system, const RowMatrix& jacobian_input,
                      const RowMatrix& deviations, Index modes) {
    if (jacobian_input.rows() != system.left.cols() || jacobian_input.cols() != deviations.cols())
        throw Error(concat("probes of ", deviations.cols(), " numbers, dF/dx of ",
                           jacobian_input.rows(), " x ", jacobian_input.cols(), ", modes of ",
                           system.left.cols()));
    const Matrix moved = jacobian_input * deviations.transpose();
    return system.left.topRows(modes) * moved;
}

// Responses with modes 1 .. k of one point (k x n).
Matrix responses(const EigenSystem& system, const RowMatrix& jacobian_input,
                 const RowMatrix& readout_row, const RowMatrix& probes, Index horizon,
                 Index modes) {
    const ComplexVector seen = (readout_row * system.right.leftCols(modes)).transpose();
    const ComplexVector factors = seen.cwiseProduct(propagated(system, horizon, modes));
    Matrix found = (factors.asDiagonal() * excited(system, jacobian_input, probes, modes)).real();
    for (Index a = 1; a < modes; ++a) found.row(a) += found.row(a - 1);
    return found;
}

RowMatrix mean_end_effect(const Dynamics& dynamics, const Points& points,
                          const std::vector<EigenSystem>& systems, const RowMatrix& probes,
                          Index horizon, const Execution& run) {
    const Index modes = fewest_modes(systems);
    std::vector<RowMatrix> each(systems.size());
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        const auto point = static_cast<std::size_t>(p);
        each[point] = end_effect(systems[point],
                                 dynamics.jacobian_input(points.input.row(p), points.state.row(p)),
                                 probes, horizon, modes);
    });
    const auto count = static_cast<double>(each.size());
    return tree_sum(std::move(each)) / count;
}

} // namespace

RowMatrix end_effect(const EigenSystem& system, const RowMatrix& jacobian_input,
                     const RowMatrix& deviations, Index steps, Index modes) {
    check_steps(steps);
    if (modes < 0 || modes > system.right.cols())
        throw Error(concat("--modes ", modes, ": the point has ", system.right.cols()));
    const ComplexMatrix amplitudes = propagated(system, steps, modes).asDiagonal() *
                                     excited(system, jacobian_input, deviations, modes);
    return (system.right.leftCols(modes) * amplitudes).real().transpose();
}

RetainedResponse retained_response(const Dynamics& dynamics, const Points& points,
                                   const std::vector<EigenSystem>& systems, const RowMatrix& probes,
                                   Index output, Index horizon, const Execution& run) {
    check_steps(horizon);
    if (systems.empty() || static_cast<Index>(systems.size()) != points.count())
        throw Error(concat(systems.size(), " eigen-systems for ", points.count(), " points"));
    if (output < 0 || output >= dynamics.outputs())
        throw Error(
            concat("readout ", output, ": the network has ", dynamics.outputs(), " outputs"));
    const Index modes = fewest_modes(systems);
    std::vector<Matrix> each(systems.size());
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        const RowMatrix x = points.input.row(p), h = points.state.row(p);
        const auto point = static_cast<std::size_t>(p);
        each[point] = responses(systems[point], dynamics.jacobian_input(x, h),
                                dynamics.readout_jacobian(h).row(output), probes, horizon, modes);
    });
    const auto count = static_cast<double>(each.size());
    RetainedResponse response;
    response.mean = tree_sum(each) / count;
    for (Matrix& one : each) one = (one - response.mean).cwiseAbs2();
    response.deviation = (tree_sum(std::move(each)) / count).cwiseSqrt();
    return response;
}

std::vector<InputResponse> input_responses(const Dynamics& dynamics, const Points& points,
                                           const std::vector<EigenSystem>& systems,
                                           const RowMatrix& probes, ProbeKind kind, Index output,
                                           Index horizon, const Execution& run) {
    if (static_cast<Index>(systems.size()) != points.count())
        throw Error(concat(systems.size(), " eigen-systems for ", points.count(), " points"));
    if (probes.cols() != dynamics.inputs())
        throw Error(
            concat("probes of ", probes.cols(), " numbers, the cell takes ", dynamics.inputs()));
    const Phase phase(*run.monitor, "responses");
    std::vector<InputResponse> found;
    for (Index input = 0; input < input_count(points); ++input) {
        InputResponse response;
        response.input = input;
        response.points = rows_of_input(points, input);
        if (response.points.empty()) continue;
        const Points own = points.chosen(response.points);
        const auto own_systems = chosen(systems, response.points);
        RowMatrix deviations = probes;
        if (kind == ProbeKind::absolute) deviations.rowwise() -= own.input.row(0);
        response.retained =
            retained_response(dynamics, own, own_systems, deviations, output, horizon, run);
        response.end_effect = mean_end_effect(dynamics, own, own_systems, deviations, horizon, run);
        found.push_back(std::move(response));
    }
    return found;
}

} // namespace assay::fixedpoints
