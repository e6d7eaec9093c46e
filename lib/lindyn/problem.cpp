#include <assay/lindyn/problem.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/spiked.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace assay::lindyn {

double Problem::unlearnable() const {
    if (!whole || !(statistics.output_power > 0)) return std::numeric_limits<double>::quiet_NaN();
    return std::max(0.0, 1 - modes.s.dot(modes.asymptote) / statistics.output_power);
}

Problem make_problem(Statistics statistics, bool whitened, const ModeOptions& options) {
    Problem p;
    p.whiteness = whiteness(statistics);
    p.commutation = commutation(statistics);
    if (whitened) {
        Whitened w = whiten(statistics);
        p.modes = find_modes(w, options);
        p.modes.v = w.basis.transpose() * p.modes.v;
        p.statistics = std::move(w.statistics);
        p.basis = std::move(w.basis);
        p.root = std::move(w.root);
    } else {
        p.modes = find_modes(statistics, options);
        p.statistics = std::move(statistics);
    }
    p.whole = p.modes.count() == std::min(p.statistics.inputs(), p.statistics.outputs());
    return p;
}

Problem make_problem(const SampleSource& source, Normalisation normalisation,
                     const ModeOptions& options, BlockPrecision precision, const Execution& run) {
    const bool one_hot = source.inputs() == 0;
    Problem p;
    p.modes = find_modes(source, normalisation, options, precision, run);
    Statistics& s = p.statistics;
    s.unformed_inputs = p.modes.v.rows();
    s.unformed_outputs = p.modes.u.rows();
    s.input_scale = one_hot ? 1 / sample_divisor(source, normalisation) : 0;
    s.output_power = p.modes.output_power;
    s.samples = source.samples();
    s.normalisation = normalisation;
    p.whole = p.modes.count() == std::min(s.inputs(), s.outputs());
    p.has_inputs = one_hot;
    p.whiteness = p.commutation = one_hot ? 0 : std::numeric_limits<double>::quiet_NaN();
    return p;
}

double need_white(const Problem& p) {
    if (std::isnan(p.whiteness) && !p.statistics.has_scalar_inputs())
        throw Error("whether inputs are white is not known without their correlations (--memory)");
    const auto d = white_scale(p.statistics);
    if (!d)
        throw Error(concat("inputs are not white (|Sx - d I| / |Sx| = ",
                           significant(p.whiteness, 3), "); --whiten makes them so"));
    return *d;
}

double usual_noise_unit(const Problem& p) {
    if (!p.whole) return rest_noise_unit(p);
    return white_scale(p.statistics)
               ? noise_unit(p.modes.s, p.statistics.inputs(), p.statistics.outputs())
               : 0;
}

double rest_noise_unit(const Problem& p) {
    if (!white_scale(p.statistics) || std::isnan(p.modes.power)) return 0;
    return noise_unit_of_rest(p.modes.s, p.modes.power, p.statistics.inputs(),
                              p.statistics.outputs());
}

} // namespace assay::lindyn
