// Where a command's learning problem comes from: samples, given statistics, or a result of `modes`;
// and its times.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/lindyn/lindyn_io.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lindyn_app {

struct ProblemOptions {
    assay::lindyn::Normalisation statistics = assay::lindyn::Normalisation::mean;
    bool one_hot = false, whiten = false;
    assay::lindyn::ModeOptions modes;
    assay::lindyn::BlockPrecision precision = assay::lindyn::BlockPrecision::float64;
    // Correlations larger than this are not formed; 0: any are, but for those of which at most a
    // quarter of the modes is wanted, where the second number counts (0: any).
    std::int64_t memory = 0, memory_of_few = 0;
};

// Whether anything is asked for that is decided where modes are found: all but --statistics.
bool any_chosen(const ProblemOptions& o);

// --modes, --degeneracy, --one-hot, --precision.
void declare_modes(assay::cli::Command& c, ProblemOptions& o);
enum class Whitening { offered, none };
void declare_problem(assay::cli::Command& c, ProblemOptions& o, Whitening whitening);
// From data of an input, or those at an address; throws Error where there are none.
assay::lindyn::Problem data_problem(assay::cli::Context& context, const ProblemOptions& o,
                                    std::size_t input = 0);
assay::lindyn::Problem data_problem(assay::cli::Context& context, const ProblemOptions& o,
                                    const assay::hdf5::Address& address);
// Its samples alone.
std::unique_ptr<assay::lindyn::SampleSource> sample_source(assay::cli::Context& context,
                                                           const ProblemOptions& o,
                                                           const assay::hdf5::Address& address);
// From /lindyn/modes where the input holds it and no path is given, else from data.
assay::lindyn::Problem load_problem(assay::cli::Context& context, const ProblemOptions& o,
                                    std::size_t input = 0);
// Says so where modes are those of whitened inputs.
void report_whitening(assay::cli::Context& context, const assay::lindyn::Problem& problem);
bool is_modes_result(assay::cli::Context& context, std::size_t input = 0);
// A network that takes the problem's inputs: where these are whitened and it takes the original
// ones, the one on whitened inputs that answers alike (as far as no input is dropped).
assay::lindyn::Layers problem_layers(const assay::lindyn::Problem& problem,
                                     assay::lindyn::Layers layers);
// A linear network from /model of a file ("-": of the input).
assay::lindyn::Layers load_layers(assay::cli::Context& context, const std::string& address);

// "a:b:n" or "log:a:b:n", n numbers from a to b, of 0 or more; empty where it is none of them.
std::optional<assay::Vector> parse_spaced(const std::string& text);
// "a:b:n", "log:a:b:n", or "FILE:/dataset", given for an option.
assay::Vector parse_grid(assay::cli::Context& context, const std::string& option,
                         const std::string& text);
// The same for --time.
assay::Vector parse_times(assay::cli::Context& context, const std::string& text);

} // namespace lindyn_app
