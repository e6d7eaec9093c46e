#include <assay/lindyn/denoise.hpp>

#include <assay/core/error.hpp>

#include <cmath>
#include <limits>

namespace assay::lindyn {

Denoised denoise(const Problem& p, double unit, ShrinkageLoss loss) {
    const double d = need_white(p);
    const Index inputs = p.statistics.inputs(), outputs = p.statistics.outputs();
    Denoised result;
    result.s = p.modes.s / d;
    result.noise = judge_modes(p.modes.s, inputs, outputs, unit);
    if (!(unit > 0))
        throw Error("the noise unit is not known (--noise-unit); nothing can be told from noise");
    const double aspect = static_cast<double>(outputs) / static_cast<double>(inputs);
    result.shrunk = p.modes.s.unaryExpr(
        [&](double s) { return unit / d * shrunk_value(s / unit, aspect, loss); });
    result.map = p.original_map(p.modes.u * result.shrunk.asDiagonal() * p.modes.v.transpose());
    // |W - W*|^2 = sum of strength^2 - 2 strength s* O + s*^2.
    double error = 0, power = 0;
    for (Index a = 0; a < p.modes.s.size(); ++a) {
        const double teacher = unit / d * teacher_value(p.modes.s(a) / unit, aspect);
        const Overlaps o = squared_overlaps(d / unit * teacher, aspect);
        const double strength = result.shrunk(a);
        error += strength * (strength - 2 * teacher * std::sqrt(o.output * o.input));
        power += teacher * teacher;
    }
    if (!p.whole && result.noise.detections() == p.modes.count())
        power += missing_power(p.modes.s, p.modes.power, inputs, outputs, unit) / (d * d);
    result.expected_error =
        power > 0 ? 1 + error / power : std::numeric_limits<double>::quiet_NaN();
    return result;
}

} // namespace assay::lindyn
