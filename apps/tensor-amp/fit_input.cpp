#include "fit_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/fit_io.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

FitResult bare_fit(const Factors& factors, const std::string& name) {
    FitResult fit;
    fit.algorithm = name;
    for (const MatrixXd& factor : factors) fit.shape.push_back(factor.rows());
    fit.rank = factors.front().cols();
    fit.factors = factors;
    set_unit_form(fit);
    return fit;
}

std::vector<double> numbers(const VectorXd& values) {
    return {values.begin(), values.end()};
}

} // namespace

FitResult input_fit(cli::Context& context, std::size_t index) {
    const hdf5::Address address = context.input_address(index);
    const hdf5::Group root = context.input(index).root();
    const std::string path = address.path.empty() ? kFitGroup : address.path;
    if (!root.has_group(path))
        throw Error(address.name() + ": has no fit (" + path +
                    "); a file of tensor-amp fit is "
                    "expected");
    return read_fit(root.group(path));
}

FitResult input_components(cli::Context& context, std::size_t index) {
    const hdf5::Address address = context.input_address(index);
    const hdf5::Group root = context.input(index).root();
    if (address.path.empty() && !root.has_group(kFitGroup)) {
        if (const auto truth = truth_in(root)) return bare_fit(truth->factors, "truth");
        throw Error(address.name() + ": has neither a fit (" + kFitGroup + ") nor a truth");
    }
    if (!address.path.empty() && root.has_group(address.path)) {
        const hdf5::Group group = root.group(address.path);
        if (group.has_dataset("mode0")) return bare_fit(read_factors(group), "factors");
        if (!group.has_attribute("algorithm") && group.has_group("factors"))
            return bare_fit(read_factors(group.group("factors")), "factors");
    }
    return input_fit(context, index);
}

std::optional<Truth> truth_in(const hdf5::Group& root) {
    if (!root.has_group(std::string(kTruthGroup) + "/factors")) return std::nullopt;
    return read_truth(root.group(kTruthGroup));
}

void declare_score(cli::Command& c, ScoreOptions& o) {
    c.choice<SimilarityScore>(
        "--score", o.score,
        {{"product", SimilarityScore::product}, {"mean", SimilarityScore::mean}},
        "similarity of two components: product or mean of |cos| over modes");
    c.choice<std::string>("--scales", o.scales,
                          {{"auto", "auto"}, {"keep", "keep"}, {"match", "match"}},
                          "match: compare after moving scale between the modes of each component, "
                          "as only priors fix it; auto: where priors were learned "
                          "or there are none");
}

ScaleGauge scale_gauge(const FitResult& fit, const ScoreOptions& o) {
    if (o.scales == "auto") return gauge_of(fit);
    return o.scales == "match" ? ScaleGauge::match : ScaleGauge::keep;
}

TruthComparison against_truth(const FitResult& fit, const Truth& truth, const ScoreOptions& o) {
    return at_place("truth", [&] {
        return compare_with_truth(fit, truth.factors, o.score, scale_gauge(fit, o));
    });
}

void report_truth(cli::Context& context, const TruthComparison& comparison) {
    context.report("signal error", comparison.signal_error, "|West - W|^2 / |W|^2");
    context.report("mse", numbers(comparison.mse), "of each mode");
    std::vector<double> overlaps;
    for (const MatrixXd& overlap : comparison.overlaps.with_reference)
        for (const double one : overlap.diagonal()) overlaps.push_back(one);
    context.report("overlap", overlaps, "with the truth: each mode, its components");
    if (comparison.calibration.empty()) return;
    VectorXd ratio(static_cast<Index>(comparison.calibration.size())), covered = ratio;
    for (Index a = 0; a < ratio.size(); ++a) {
        ratio(a) = comparison.calibration[static_cast<std::size_t>(a)].ratio();
        covered(a) = comparison.calibration[static_cast<std::size_t>(a)].coverage_90;
    }
    context.report("calibration", numbers(ratio), "claimed variance / squared error, each mode");
    context.report("coverage", numbers(covered), "of 90 % intervals, each mode");
}

} // namespace tensor_amp_app
