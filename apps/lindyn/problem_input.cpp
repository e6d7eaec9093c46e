#include "problem_input.hpp"

#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/whitened_layers.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

constexpr Index kMostTimes = 10000000;

std::string path_of_data(const hdf5::Address& address, const hdf5::Group& root) {
    const std::string path = address.path.empty() ? data_path(root) : address.path;
    if (path.empty())
        throw Error(address.name() +
                    ": no /data/train/targets and no sigma_yx; samples, statistics or FILE:/table "
                    "(items x features) are expected");
    return path;
}

} // namespace

bool any_chosen(const ProblemOptions& o) {
    const ProblemOptions usual;
    return o.whiten || o.one_hot || o.modes.count != 0 ||
           o.modes.degeneracy != usual.modes.degeneracy || o.precision != usual.precision;
}

void declare_modes(cli::Command& c, ProblemOptions& o) {
    c.flag("--one-hot", o.one_hot, "the inputs are one-hot items; those of the file are not read");
    c.option("--modes", o.modes.count, "K", "only the first K modes").word("all", 0).range(1);
    c.option("--degeneracy", o.modes.degeneracy, "X",
             "relative gap below which singular values are one group")
        .range(0, 1);
    c.choice<BlockPrecision>(
        "--precision", o.precision,
        {{"float32", BlockPrecision::float32}, {"float64", BlockPrecision::float64}},
        "of samples and their products in blocks of rows; sums over blocks are float64");
}

void declare_problem(cli::Command& c, ProblemOptions& o, Whitening whitening) {
    c.group("Data");
    c.choice<Normalisation>("--statistics", o.statistics,
                            {{"mean", Normalisation::mean}, {"sum", Normalisation::sum}},
                            "correlations are means or sums over samples");
    if (whitening == Whitening::offered)
        c.flag("--whiten", o.whiten, "train on whitened inputs, Sx^{-1/2} x");
    declare_modes(c, o);
}

std::unique_ptr<SampleSource> sample_source(cli::Context& context, const ProblemOptions& o,
                                            const hdf5::Address& address) {
    const hdf5::Group root = context.open(address).root();
    return open_samples(root, path_of_data(address, root), o.one_hot);
}

namespace {

std::int64_t memory_limit(const ProblemOptions& o, const SampleSource& samples) {
    const Index width = samples.inputs() == 0 ? samples.samples() : samples.inputs();
    const bool few =
        o.modes.count > 0 && 4 * o.modes.count <= std::min(width, samples.outputs()) && !o.whiten;
    return o.memory > 0 || !few ? o.memory : o.memory_of_few;
}

Problem unformed_problem(cli::Context& context, const ProblemOptions& o,
                         const SampleSource& samples) {
    const std::string size =
        "the correlations take " + human_bytes(statistics_bytes(samples)) + " (--memory)";
    if (o.whiten) throw Error(size + "; --whiten needs them in memory");
    if (o.modes.count == 0)
        throw Error(size + "; without them only the first modes are found, --modes K is expected");
    context.monitor().info(size + "; every product is a pass through the samples");
    return make_problem(samples, o.statistics, o.modes, o.precision, context.execution());
}

Problem formed_problem(cli::Context& context, const ProblemOptions& o, Statistics s) {
    const Index modes = std::min(s.inputs(), s.outputs());
    if (o.modes.count == 0 && modes > kQuickModes)
        context.monitor().info(concat("all ", modes, " modes of a ", s.outputs(), " x ", s.inputs(),
                                      " matrix take a time that grows with the cube "
                                      "of its size; --modes K finds the first in a part of it"));
    return make_problem(std::move(s), o.whiten, o.modes);
}

} // namespace

Problem data_problem(cli::Context& context, const ProblemOptions& o, std::size_t input) {
    return data_problem(context, o, context.input_address(input));
}

Problem data_problem(cli::Context& context, const ProblemOptions& o, const hdf5::Address& address) {
    const hdf5::Group root = context.open(address).root();
    const std::string path = path_of_data(address, root);
    const Phase phase(context.monitor(), "statistics and modes");
    return at_place(hdf5::Address{address.file, path}.name(), [&] {
        if (has_statistics(root, path) && o.precision == BlockPrecision::float32)
            throw UsageError("statistics are given; --precision float32 is for samples");
        if (has_statistics(root, path))
            return formed_problem(context, o, read_statistics(root, path, o.statistics));
        const auto samples = sample_source(context, o, address);
        if (samples->inputs() == 0 && !o.one_hot)
            context.monitor().info("there are no inputs; rows of the targets are taken as one-hot "
                                   "items");
        const std::int64_t limit = memory_limit(o, *samples);
        if (limit > 0 && statistics_bytes(*samples) > static_cast<double>(limit))
            return unformed_problem(context, o, *samples);
        return formed_problem(context, o,
                              accumulate(*samples, o.statistics, context.execution(), o.precision));
    });
}

void report_whitening(cli::Context& context, const Problem& problem) {
    if (!problem.whitened()) return;
    context.report("whitened inputs", static_cast<std::int64_t>(problem.basis.cols()),
                   concat("directions of ", problem.basis.rows(),
                          "; modes and curves are of training on these"));
}

bool is_modes_result(cli::Context& context, std::size_t input) {
    return context.input_address(input).path.empty() &&
           context.input(input).root().has_group("/lindyn/modes");
}

Problem load_problem(cli::Context& context, const ProblemOptions& o, std::size_t input) {
    if (!is_modes_result(context, input)) return data_problem(context, o, input);
    const hdf5::Group root = context.input(input).root();
    Problem problem = read_modes(root.group("/lindyn/modes"));
    const bool other_sums =
        o.statistics != Normalisation::mean && o.statistics != problem.statistics.normalisation;
    if (any_chosen(o) || other_sums)
        throw UsageError(context.input_address(input).name() +
                         ": a result of modes; --whiten, --one-hot, --statistics, --modes, "
                         "--degeneracy and --precision were chosen there");
    // Modes do not keep inputs that are not white; data that came along do.
    if (!problem.has_inputs && problem.statistics.formed() && !data_path(root).empty())
        return data_problem(context, o, input);
    return problem;
}

Layers load_layers(cli::Context& context, const std::string& text) {
    const hdf5::Address address =
        text == "-" ? context.input_address() : hdf5::Address::parse(text);
    const tools::ModelFileOptions plain;
    const auto opened =
        tools::open_model(context, {address.file, text == "-" ? "" : address.path}, plain);
    return at_place(address.name(), [&] {
        try {
            return read_layers(opened.model);
        } catch (const NotLinear& error) {
            throw Error(error.what() + std::string("; lindyn compare fits maps to its outputs"));
        }
    });
}

Layers problem_layers(const Problem& problem, Layers layers) {
    if (problem.whitened() && layers.front().cols() == problem.basis.rows())
        layers.front() = on_whitened(layers.front(), problem.root);
    return layers;
}

std::optional<Vector> parse_spaced(const std::string& text) {
    auto parts = split(text, ':');
    const bool logarithmic = parts.front() == "log";
    if (logarithmic) parts.erase(parts.begin());
    if (parts.size() != 3) return std::nullopt;
    const auto from = parse_double(parts[0]), to = parse_double(parts[1]);
    const auto count = parse_integer(parts[2]);
    if (!from || !to || !count || *count < 1 || *count > kMostTimes || !(*from >= 0) ||
        !(*to >= *from) || !std::isfinite(*to) || (logarithmic && !(*from > 0)))
        return std::nullopt;
    if (!logarithmic) return Vector::LinSpaced(*count, *from, *to);
    return Vector(Vector::LinSpaced(*count, std::log(*from), std::log(*to)).unaryExpr([](double x) {
        return std::exp(x);
    }));
}

namespace {

Vector grid(cli::Context& context, const std::string& option, const std::string& text,
            const std::string& expected) {
    if (const auto spaced = parse_spaced(text)) return *spaced;
    const hdf5::Address address = hdf5::Address::parse(text);
    if (address.path.empty())
        throw UsageError("option '" + option + "': found '" + printable(text, 60) + "'; " +
                         expected + " is expected");
    const Vector values =
        context.open(address).root().dataset(address.path).expect_numeric().read_vector();
    if (values.size() == 0 || !values.allFinite())
        throw Error(address.name() + ":" + address.path +
                    ": one finite number or more is expected");
    return values;
}

} // namespace

Vector parse_grid(cli::Context& context, const std::string& option, const std::string& text) {
    return grid(context, option, text, "a:b:n, log:a:b:n or FILE:/dataset");
}

Vector parse_times(cli::Context& context, const std::string& text) {
    const Vector times = grid(context, "--time", text, "auto, a:b:n, log:a:b:n or FILE:/dataset");
    for (Index i = 0; i < times.size(); ++i)
        if (!(times(i) >= 0) || (i > 0 && !(times(i) > times(i - 1))))
            throw Error(concat("--time: ", times(i), " at ", i, " in ", printable(text, 60),
                               "; rising times from 0 are expected"));
    return times;
}

} // namespace lindyn_app
