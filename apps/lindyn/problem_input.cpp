#include "problem_input.hpp"

#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cmath>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

constexpr Index kMostTimes = 10000000;

std::string path_of_data(cli::Context& context, const hdf5::Group& root) {
    const std::string given = context.input_address().path;
    const std::string path = given.empty() ? data_path(root) : given;
    if (path.empty())
        throw Error(context.input_address().name() +
                    ": no /data/train/targets and no sigma_yx; samples, statistics or FILE:/table "
                    "(items x features) are expected");
    return path;
}

} // namespace

void declare_problem(cli::Command& c, ProblemOptions& o, Whitening whitening) {
    c.group("Data");
    c.choice<Normalisation>("--statistics", o.statistics,
                            {{"mean", Normalisation::mean}, {"sum", Normalisation::sum}},
                            "correlations are means or sums over samples");
    c.flag("--one-hot", o.one_hot, "the inputs are one-hot items; those of the file are not read");
    if (whitening == Whitening::offered)
        c.flag("--whiten", o.whiten, "train on whitened inputs, Sx^{-1/2} x");
    c.option("--modes", o.modes.count, "K", "only the first K modes").word("all", 0).range(1);
    c.option("--degeneracy", o.modes.degeneracy, "X",
             "relative gap below which singular values are one group")
        .range(0, 1);
}

Problem data_problem(cli::Context& context, const ProblemOptions& o) {
    const hdf5::Group root = context.input().root();
    const std::string path = path_of_data(context, root);
    return at_place(context.input_address().name() + ":" + path, [&] {
        if (has_statistics(root, path))
            return make_problem(read_statistics(root, path, o.statistics), o.whiten, o.modes);
        const auto samples = open_samples(root, path, o.one_hot);
        if (samples->inputs() == 0 && !o.one_hot)
            context.monitor().info("there are no inputs; rows of the targets are taken as one-hot "
                                   "items");
        return make_problem(accumulate(*samples, o.statistics, context.execution()), o.whiten,
                            o.modes);
    });
}

Problem load_problem(cli::Context& context, const ProblemOptions& o) {
    const hdf5::Group root = context.input().root();
    if (context.input_address().path.empty() && root.has_group("/lindyn/modes"))
        return read_modes(root.group("/lindyn/modes"));
    return data_problem(context, o);
}

Layers load_layers(cli::Context& context, const std::string& text) {
    const hdf5::Address address =
        text == "-" ? context.input_address() : hdf5::Address::parse(text);
    const tools::ModelFileOptions plain;
    const auto opened =
        tools::open_model(context, {address.file, text == "-" ? "" : address.path}, plain);
    return at_place(address.name(), [&] { return read_layers(opened.model); });
}

Vector parse_grid(cli::Context& context, const std::string& option, const std::string& text) {
    const auto refuse = [&] {
        throw UsageError("option '" + option + "': found '" + printable(text, 60) +
                         "'; a:b:n, log:a:b:n or FILE:/dataset is expected");
    };
    const hdf5::Address address = hdf5::Address::parse(text);
    if (!address.path.empty())
        return context.open(address).root().dataset(address.path).expect_numeric().read_vector();
    auto parts = split(text, ':');
    const bool logarithmic = parts.front() == "log";
    if (logarithmic) parts.erase(parts.begin());
    if (parts.size() != 3) refuse();
    const auto from = parse_double(parts[0]), to = parse_double(parts[1]);
    const auto count = parse_integer(parts[2]);
    if (!from || !to || !count || *count < 1 || *count > kMostTimes || !(*from >= 0) ||
        !(*to >= *from) || !std::isfinite(*to) || (logarithmic && !(*from > 0)))
        refuse();
    if (!logarithmic) return Vector::LinSpaced(*count, *from, *to);
    return Vector::LinSpaced(*count, std::log(*from), std::log(*to)).unaryExpr([](double x) {
        return std::exp(x);
    });
}

Vector parse_times(cli::Context& context, const std::string& text) {
    return parse_grid(context, "--time", text);
}

} // namespace lindyn_app
