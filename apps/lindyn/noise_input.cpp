#include "noise_input.hpp"

#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

const std::string kOfTargets = "targets:";

// Noise of standard deviation sigma in every target has sigma sqrt(d/P) in an entry of a mean Syx
// (sum: sigma sqrt d); the unit is sqrt(N1) times that.
double unit_of_targets(const std::string& text, const Problem& p) {
    const auto sigma = parse_double(text.substr(kOfTargets.size()));
    if (!sigma || !(*sigma > 0))
        throw UsageError("option '--noise-unit': found '" + printable(text, 40) +
                         "'; targets:X, X above 0, is expected");
    const auto d = white_scale(p.statistics);
    if (!d)
        throw Error(concat("inputs are not white (|Sx - d I| / |Sx| = ",
                           significant(p.whiteness, 3), "); --whiten makes them so"));
    const bool summed = p.statistics.normalisation == Normalisation::sum;
    if (!summed && p.statistics.samples == 0)
        throw Error("the number of samples is not known (attribute n_samples)");
    const double samples = summed ? 1 : static_cast<double>(p.statistics.samples);
    return *sigma * std::sqrt(static_cast<double>(p.statistics.inputs()) * *d / samples);
}

} // namespace

double noise_unit_of(const std::string& text, const Problem& p) {
    if (text == "none") return 0;
    if (text.rfind(kOfTargets, 0) == 0) return unit_of_targets(text, p);
    if (text == "auto") return usual_noise_unit(p);
    if (text == "rest") return rest_noise_unit(p);
    if (text != "median") {
        const auto value = parse_double(text);
        if (!value || !(*value > 0))
            throw UsageError(
                "option '--noise-unit': found '" + printable(text, 40) +
                "'; auto, median, rest, none, a number above 0 or targets:X is expected");
        return *value;
    }
    return p.whole ? usual_noise_unit(p) : 0; // the median is one of all modes
}

double noise_unit_of(cli::Context& context, const std::string& text, const Problem& p,
                     std::size_t input) {
    if (text == "auto" && is_modes_result(context, input)) {
        const double unit = context.input(input)
                                .root()
                                .group("/lindyn/modes")
                                .number_attribute("noise_unit")
                                .value_or(0);
        if (unit > 0) return unit;
    }
    return noise_unit_of(text, p);
}

std::string why_noise_is_unknown(const std::string& text, const Problem& p) {
    const auto why = [&]() -> std::string {
        if (text == "none") return "--noise-unit none";
        if (std::isnan(p.whiteness))
            return "whether inputs are white is not known without their correlations: --memory";
        if (!white_scale(p.statistics)) return "inputs are not white: --whiten";
        if (p.whole) return "half of the singular values are 0";
        if (text == "median") return "the median is one of all modes: --modes all";
        if (std::isnan(p.modes.power)) return "the power of all modes is not known: --modes all";
        return concat("all ", p.modes.count(), " modes that were found stand out: more --modes");
    };
    return "the noise unit is not known (" + why() + ", or --noise-unit X)";
}

double need_noise_unit(cli::Context& context, const std::string& text, const Problem& p,
                       std::size_t input) {
    return at_place(context.input_address(input).name(), [&] {
        static_cast<void>(need_white(p));
        const double unit = noise_unit_of(context, text, p, input);
        if (!(unit > 0)) throw Error(why_noise_is_unknown(text, p));
        return unit;
    });
}

void warn_of_signals(cli::Context& context, const NoiseReport& noise, const Problem& problem) {
    if (!(noise.unit > 0)) return;
    const Index modes = std::min(problem.statistics.inputs(), problem.statistics.outputs());
    if (!problem.whole && noise.detections() == problem.modes.count())
        context.monitor().warn(concat("all ", problem.modes.count(),
                                      " modes that were found stand out from the noise; there may "
                                      "be more (--modes)"));
    if (2 * noise.detections() > modes)
        context.monitor().warn(concat(noise.detections(), " of ", modes,
                                      " modes stand out from the noise unit ", noise.unit,
                                      ", which is then no measure of noise (--noise-unit)"));
}

void declare_noise(cli::Command& c, std::string& text) {
    c.group("Noise");
    c.option("--noise-unit", text, "auto|median|rest|X",
             "sqrt(N1) times the standard deviation of the noise in an entry of Syx; median: from "
             "that of all singular values; rest: from the power that modes which stand out leave; "
             "targets:X: noise of standard deviation X in the targets; auto: that of a result of "
             "modes, else median where all modes are there, else rest");
}

} // namespace lindyn_app
