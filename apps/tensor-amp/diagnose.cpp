// tensor-amp diagnose: what a fit leaves unexplained, and whether its rank can be defended.
#include "commands.hpp"
#include "fit_input.hpp"
#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/formats/dense_file.hpp>
#include <assay/tensor_amp/comparison_io.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/streamed_tensor_io.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <memory>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    std::string data;
    MissingOptions missing;
    std::int64_t memory_bytes = 0;
    ScoreOptions score;
};

hdf5::Address data_address(const Options& o, const cli::Context& context) {
    return o.data.empty() ? hdf5::Address{context.input_address().file, ""}
                          : hdf5::Address::parse(o.data);
}

[[noreturn]] void refuse_shape(const Shape& shape, const FitResult& fit, const std::string& where) {
    throw Error(concat(where, ": a tensor of ", shape_text(shape), "; the fit is of ",
                       shape_text(fit.shape)));
}

// In memory where it fits, else streamed.
std::unique_ptr<TensorSource> read_data(const Options& o, cli::Context& context,
                                        const FitResult& fit) {
    hdf5::Address address = data_address(o, context);
    const double memory = allowed_memory(o.memory_bytes);
    if (auto foreign = foreign_tensor(context, o.missing, address, memory)) {
        if (foreign->shape != fit.shape) refuse_shape(foreign->shape, fit, address.name());
        return std::make_unique<MemoryTensor>(std::move(*foreign));
    }
    if (address.path.empty()) address.path = kTensorPath;
    const hdf5::Group root = context.open(address).root();
    if (o.data.empty() && !root.has_dataset(address.path))
        throw UsageError("option '--data' is missing: the fit's file does not hold the tensor");
    const hdf5::Dataset values = root.dataset(address.path).expect_numeric();
    check_shape(values.shape(), values.where());
    if (values.shape() != fit.shape) refuse_shape(values.shape(), fit, values.where());
    const TensorReading reading = reading_of(context, o.missing, address);
    if (entry_count(values.shape()) * sizeof(double) <= memory)
        return std::make_unique<MemoryTensor>(read_tensor(root, reading).tensor);
    StreamedTensorSettings settings;
    settings.missing_nan = o.missing.nan;
    settings.memory_bytes = static_cast<std::int64_t>(memory);
    auto source = std::make_unique<StreamedTensor>(values, mask_beside(root, reading), settings);
    source->survey(context.monitor());
    return source;
}

void report(cli::Context& context, const Diagnosis& diagnosis, const FitResult& fit) {
    if (diagnosis.core_consistency)
        context.report("core consistency", *diagnosis.core_consistency, "of 100");
    context.report("explained variance", diagnosis.explained_variance);
    context.report("residual variance", diagnosis.residual_variance,
                   concat("noise variance of the fit ", fit.noise_variance));
    context.report("shares", std::vector<double>(diagnosis.share.begin(), diagnosis.share.end()),
                   "of the components");
    if (diagnosis.constant)
        context.monitor().warn("all values are equal; the explained variance is taken as 0");
}

void run(const Options& o, cli::Context& context) {
    const FitResult fit = input_fit(context);
    const auto source = read_data(o, context, fit);
    const Diagnosis diagnosis =
        tensor_amp::diagnose(*source, fit.factors, context.execution(),
                             {fit.center, fit.center_mode}, {true, fit.symmetric});
    hdf5::Group group = context.output().create_group(kDiagnoseGroup);
    write_diagnosis(group, diagnosis, fit.mode_names);
    report(context, diagnosis, fit);
    auto truth = truth_in(context.input().root());
    const hdf5::Address data = data_address(o, context);
    if (!truth && !formats::is_foreign(data)) truth = truth_in(context.open(data).root());
    if (truth) {
        const TruthComparison comparison = against_truth(fit, *truth, o.score);
        write_truth_comparison(group.create_group("truth"), comparison, o.score.score);
        report_truth(context, comparison);
    }
    context.propose("tensor-amp plot " + context.output_target() +
                    " --figure residuals -o residuals.svg");
}

} // namespace

cli::Command diagnose() {
    auto o = std::make_shared<Options>();
    cli::Command c("diagnose", "core consistency, residuals by slices, calibration");
    c.describe("Goes once through the data. Core consistency is 100 where the tensor, seen through "
               "the factors, is a sum of components and no more; it falls, also below 0, where the "
               "rank is too high. Residual variance by slices shows neurons, times or trials that "
               "the fit does not describe. With a truth in either file, errors and calibration as "
               "of compare --truth.");
    c.input("fit");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/diagnose", "core_consistency, explained_variance, residual_variance"},
              {"/tensor_amp/diagnose/share", "of each component"},
              {"/tensor_amp/diagnose/slices/modeK", "residual and data variance of every slice"},
              {"/tensor_amp/diagnose/truth", "as of compare --truth"}});
    c.group("Data");
    c.option("--data", o->data, "FILE[:/path]", "the tensor that was fitted")
        .default_text("the fit's own file");
    declare_missing(c, o->missing);
    c.memory_limit(o->memory_bytes);
    c.group("Comparison with a truth");
    declare_score(c, o->score);
    c.example("What the fit leaves", "tensor-amp diagnose fit.h5 --data tensor.h5 -o report.h5");
    c.reference("bro2003");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
