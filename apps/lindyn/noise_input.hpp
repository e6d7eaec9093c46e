// --noise-unit: how large the noise in Syx is, sqrt(N1) times the standard deviation of an entry.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/spiked.hpp>

#include <string>

namespace lindyn_app {

// "median" (of all singular values, most of which are noise; 0 where inputs are not white or modes
// are missing), "rest" (from the power that modes which stand out leave; 0 where inputs are not
// white or no mode is left over), "auto" (the first of these where all modes are there, else the
// second), "none" (0), a number above 0, or "targets:X": noise of standard deviation X in every
// target, on inputs that must be white.
double noise_unit_of(const std::string& text, const assay::lindyn::Problem& problem);
// The same, where "auto" takes that of an input which is a result of `modes`.
double noise_unit_of(assay::cli::Context& context, const std::string& text,
                     const assay::lindyn::Problem& problem, std::size_t input);
// Why these give 0, and what to do: "the noise unit is not known (inputs are not white: ...)".
std::string why_noise_is_unknown(const std::string& text, const assay::lindyn::Problem& problem);
// The unit. Throws Error where it is not known, or inputs are not white.
double need_noise_unit(assay::cli::Context& context, const std::string& text,
                       const assay::lindyn::Problem& problem, std::size_t input);
// Warns where more than half of the modes stand out, so that the unit is no measure of noise, and
// where all that were found do, so that there may be more.
void warn_of_signals(assay::cli::Context& context, const assay::lindyn::NoiseReport& noise,
                     const assay::lindyn::Problem& problem);
void declare_noise(assay::cli::Command& c, std::string& text);

} // namespace lindyn_app
