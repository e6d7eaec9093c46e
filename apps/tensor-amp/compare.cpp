// tensor-amp compare: which component of one decomposition is which of another.
#include "commands.hpp"
#include "fit_input.hpp"

#include <assay/core/error.hpp>
#include <assay/tensor_amp/comparison_io.hpp>

#include <algorithm>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    bool truth = false;
    ScoreOptions score;
};

void report_alignment(cli::Context& context, const Alignment& alignment) {
    context.report("similarity", alignment.mean_similarity(), "mean over pairs");
    context.report("pairs", std::vector<double>(alignment.score.begin(), alignment.score.end()));
    const auto alone = std::count(alignment.partner.begin(), alignment.partner.end(), -1);
    const auto left = static_cast<std::int64_t>(alignment.unmatched().size());
    if (alone + left > 0)
        context.report("unmatched", static_cast<std::int64_t>(alone) + left, "components");
}

void compare_pair(const Options& o, cli::Context& context, hdf5::Group group) {
    const FitResult first = input_components(context, 0), second = input_components(context, 1);
    const Alignment alignment = at_place(context.input_address(1).name(), [&] {
        return align(first.factors, second.factors, o.score.score,
                     common_signs(free_signs(first), free_signs(second)));
    });
    write_alignment(group, alignment, o.score.score);
    // Scales that one of them leaves open stand in no relation to the other's.
    const ScaleGauge gauge = scale_gauge(first, o.score) == ScaleGauge::match
                                 ? ScaleGauge::match
                                 : scale_gauge(second, o.score);
    write_overlaps(group, paired_overlaps(first.factors, second.factors, alignment, gauge));
    group.set_attribute("reference", "first input");
    const double difference = signal_error(second.factors, first.factors);
    group.set_attribute("signal_difference", difference);
    report_alignment(context, alignment);
    context.report("signal difference", difference, "|W2 - W1|^2 / |W1|^2");
}

// The truth is the last input's.
void compare_truth(const Options& o, cli::Context& context, hdf5::Group group) {
    const FitResult fit = input_components(context, 0);
    const std::size_t last = context.input_count() == 2 ? 1 : 0;
    const auto truth = truth_in(context.input(last).root());
    if (!truth) throw Error(context.input_address(last).name() + ": has no truth (/truth/factors)");
    const TruthComparison comparison = against_truth(fit, *truth, o.score);
    write_truth_comparison(group, comparison, o.score.score);
    group.set_attribute("reference", "truth");
    report_alignment(context, comparison.alignment);
    report_truth(context, comparison);
}

void run(const Options& o, cli::Context& context) {
    context.need_input();
    const std::size_t inputs = context.input_count();
    if (inputs > 2 || (inputs < 2 && !o.truth))
        throw UsageError(concat(inputs, inputs == 1 ? " input" : " inputs",
                                "; FILE_A FILE_B, or one FILE with --truth, are expected"));
    hdf5::Group group = context.output().create_group(kCompareGroup);
    if (o.truth)
        compare_truth(o, context, group);
    else
        compare_pair(o, context, group);
    context.propose("tensor-amp plot " + context.output_target() + " -o compare.svg");
}

} // namespace

cli::Command compare() {
    auto o = std::make_shared<Options>();
    cli::Command c("compare", "align the components of two decompositions, or with the truth");
    c.describe("Pairs components so that the sum of their similarities is largest (Hungarian "
               "assignment) and flips signs in pairs. A file is represented by its fit, without "
               "one by its truth; FILE:/group names any group with factors. Overlaps are those of "
               "the second with the first, with --truth those of the fit with the truth; then also "
               "errors, and whether the posterior variances are as large as the errors.");
    c.inputs("FILE_A FILE_B");
    c.output(
        cli::OutputKind::hdf5,
        {{"/tensor_amp/compare/similarity", "of all pairs of components"},
         {"/tensor_amp/compare/partner", "which belong together; cosines, signs"},
         {"/tensor_amp/compare/M, Q", "overlaps with the first input or the truth, of its own"},
         {"/tensor_amp/compare/mse", "errors, with --truth"},
         {"/tensor_amp/compare/calibration", "claimed variances against errors, coverage"}});
    c.group("Comparison");
    c.flag("--truth", o->truth, "compare the first file's fit with the truth in the last file");
    declare_score(c, o->score);
    c.example("Do two random starts agree?", "tensor-amp compare fit1.h5 fit2.h5 -o pairs.h5");
    c.example("How good is a fit?", "tensor-amp compare fit.h5 --truth -o quality.h5");
    c.reference("kadmon2018");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
