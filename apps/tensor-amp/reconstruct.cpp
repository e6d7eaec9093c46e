// tensor-amp reconstruct: the tensor that a fit predicts, with error bars.
#include "commands.hpp"
#include "fit_input.hpp"
#include "model_input.hpp"
#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/reconstruction_io.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <algorithm>
#include <optional>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    std::vector<std::string> slices;
    bool missing_only = false, deviation = false;
    std::string data;
    MissingOptions missing;
    std::int64_t memory_bytes = 0;
};

[[noreturn]] void refuse_slices(const std::string& text) {
    throw UsageError("option '--slices': found '" + printable(text, 60) +
                     "'; MODE=LIST is expected, such as 2=0,5,10:20 (10 to before 20)");
}

// "0,5,10:20"
std::vector<Index> parse_indices(const std::string& text, const std::string& list, Index length) {
    std::vector<Index> indices;
    for (const std::string& part : split(list, ',')) {
        const auto colon = part.find(':');
        const auto first = parse_integer(part.substr(0, colon));
        const auto end = colon == std::string::npos ? first : parse_integer(part.substr(colon + 1));
        if (!first || !end) refuse_slices(text);
        const Index last = colon == std::string::npos ? *end : *end - 1;
        // Checked before anything is stored: a range may be of any length.
        if (*first < 0 || last < *first || last >= length)
            throw UsageError(concat("option '--slices': found '", printable(text, 60),
                                    "'; indices from 0 to ", length - 1, " are there"));
        for (Index i = *first; i <= last; ++i) indices.push_back(i);
    }
    return indices;
}

Selection parse_slices(const std::vector<std::string>& texts, const Shape& shape,
                       const std::vector<std::string>& names) {
    Selection selection(shape.size());
    for (const std::string& text : texts) {
        const auto equals = text.find('=');
        const auto name = std::find(names.begin(), names.end(), text.substr(0, equals));
        const auto mode = name != names.end() ? std::optional<std::int64_t>(name - names.begin())
                                              : parse_integer(text.substr(0, equals));
        if (equals == std::string::npos || !mode) refuse_slices(text);
        if (*mode < 0 || *mode >= static_cast<Index>(shape.size()))
            throw UsageError(concat("option '--slices': mode ", *mode, "; 0 to ", shape.size() - 1,
                                    " are there"));
        const auto at = static_cast<std::size_t>(*mode);
        if (!selection[at].empty())
            throw UsageError(concat("option '--slices': mode ", *mode, " is given twice"));
        selection[at] = parse_indices(text, text.substr(equals + 1), shape[at]);
    }
    return selection;
}

std::vector<std::uint8_t> read_observed(const Options& o, cli::Context& context,
                                        const Shape& shape) {
    if (o.data.empty())
        throw UsageError("option '--missing-only' needs --data, which says what is missing");
    const hdf5::Address address = hdf5::Address::parse(o.data);
    const double memory = allowed_memory(o.memory_bytes);
    auto foreign = foreign_tensor(context, o.missing, address, memory);
    DenseTensor tensor;
    std::string where = address.name();
    if (foreign) {
        tensor = std::move(*foreign);
    } else {
        TensorReading reading = reading_of(context, o.missing, address);
        reading.memory_bytes = memory;
        where += ":" + reading.path;
        tensor = read_tensor(context.open(address).root(), reading).tensor;
    }
    if (tensor.shape != shape)
        throw Error(concat(where, ": a tensor of ", shape_text(tensor.shape), "; the fit is of ",
                           shape_text(shape)));
    if (tensor.observed.empty())
        tensor.observed.assign(static_cast<std::size_t>(tensor.values.size()), 1);
    return std::move(tensor.observed);
}

void run(const Options& o, cli::Context& context) {
    const FitResult fit = input_fit(context);
    const Reconstruction reconstruction(fit, parse_slices(o.slices, fit.shape, fit.mode_names));
    if (o.deviation && !reconstruction.has_deviation())
        throw Error(context.input_address().name() + ": a fit by " + fit.algorithm +
                    " has no posterior; --std does not go with it");
    ReconstructionOutput output;
    output.deviation = o.deviation;
    output.mode_names = fit.mode_names;
    output.memory_bytes = allowed_memory(o.memory_bytes);
    output.block_bytes = std::min(64.0 * (1 << 20), output.memory_bytes / 4);
    if (o.missing_only) {
        const auto observed = read_observed(o, context, fit.shape);
        const Index count =
            write_missing_entries(context.output().create_group(kReconstructGroup), reconstruction,
                                  fit.shape, observed, output, context.execution());
        context.report("missing entries", static_cast<std::int64_t>(count));
        return;
    }
    const double deviation = write_reconstruction(context.output().create_group(kReconstructGroup),
                                                  reconstruction, output, context.execution());
    context.report("shape", shape_text(reconstruction.shape()));
    if (o.deviation) context.report("mean std", deviation, "posterior, without noise");
}

} // namespace

cli::Command reconstruct() {
    auto o = std::make_shared<Options>();
    cli::Command c("reconstruct", "the tensor that a fit predicts, with standard deviations");
    c.describe("Predicts every entry, or those of some slices, or those that were not observed, "
               "slab by slab. The standard deviation is the posterior's of the noiseless entry; a "
               "new measurement also has the noise (noise_var of the fit).");
    c.input("fit");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/reconstruct/mean, std", "of every entry chosen"},
              {"/tensor_amp/reconstruct/slices/modeK", "which indices of the tensor they are"},
              {"/tensor_amp/reconstruct/index", "with --missing-only: where each entry is"}});
    c.group("Which entries");
    tools::add_repeated(c, "--slices", o->slices, "K=LIST",
                        "of mode K (or its name) only these indices, such as 2=0,5,10:20");
    c.flag("--missing-only", o->missing_only, "only entries that --data has not observed");
    c.option("--data", o->data, "FILE[:/path]", "the tensor, for --missing-only");
    declare_missing(c, o->missing);
    c.group("Output");
    c.flag("--std", o->deviation, "also the posterior standard deviation");
    c.memory_limit(o->memory_bytes);
    c.example("Ten trials with error bars",
              "tensor-amp reconstruct fit.h5 --slices 2=0:10 --std -o trials.h5");
    c.example("What was not recorded",
              "tensor-amp reconstruct fit.h5 --missing-only --data tensor.h5 --std -o filled.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
