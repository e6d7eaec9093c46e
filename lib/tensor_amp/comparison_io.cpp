#include <assay/tensor_amp/comparison_io.hpp>

#include <assay/core/error.hpp>

namespace assay::tensor_amp {
namespace {

// Matrices of one size, mode by mode.
void write_by_mode(hdf5::Group& group, const char* name, const std::vector<MatrixXd>& matrices,
                   const char* description) {
    std::vector<double> values;
    for (const MatrixXd& matrix : matrices) {
        const RowMatrix rows = matrix;
        values.insert(values.end(), rows.data(), rows.data() + rows.size());
    }
    group.write(
        name, values.data(),
        {static_cast<Index>(matrices.size()), matrices.front().rows(), matrices.front().cols()},
        {"mode,component,component", "", description});
}

void write_calibration(hdf5::Group group, const std::vector<ModeCalibration>& modes) {
    const auto gathered = [&](double (*part)(const ModeCalibration&)) {
        VectorXd values(static_cast<Index>(modes.size()));
        for (Index a = 0; a < values.size(); ++a) values(a) = part(modes[at(a)]);
        return values;
    };
    using M = ModeCalibration;
    group.write("claimed", gathered([](const M& m) { return m.claimed; }),
                {"mode", "", "mean posterior variance of an entry"});
    group.write("squared_error", gathered([](const M& m) { return m.squared_error; }),
                {"mode", "", "mean squared error of an entry"});
    group.write("ratio", gathered([](const M& m) { return m.ratio(); }),
                {"mode", "", "claimed / squared_error; below 1: overconfident"});
    group.write("coverage_50", gathered([](const M& m) { return m.coverage_50; }),
                {"mode", "", "share of entries inside their 50 % interval"});
    group.write("coverage_90", gathered([](const M& m) { return m.coverage_90; }),
                {"mode", "", "share of entries inside their 90 % interval"});
    MatrixXd histogram(static_cast<Index>(modes.size()), kHistogramBins);
    for (Index a = 0; a < histogram.rows(); ++a)
        histogram.row(a) = modes[at(a)].histogram.transpose();
    group.write("histogram", histogram,
                {"mode,bin", "", "entries by (xhat - x) / sd; the outer bins hold the tails"});
    group.write(
        "edges",
        VectorXd(VectorXd::LinSpaced(kHistogramBins + 1, -kHistogramReach, kHistogramReach)),
        {"edge", "sd", "of the bins"});
}

} // namespace

void write_alignment(hdf5::Group group, const Alignment& alignment, SimilarityScore score) {
    group.set_attribute("score", score == SimilarityScore::product ? "product" : "mean");
    group.set_attribute("mean_similarity", alignment.mean_similarity());
    group.write("similarity", alignment.similarity,
                {"reference component,component", "", "of all pairs, from |cos| of every mode"});
    group.write("partner",
                std::vector<std::int64_t>(alignment.partner.begin(), alignment.partner.end()),
                {"reference component", "", "the component paired with it; -1: none"});
    group.write("pair_similarity", alignment.score, {"reference component", "", "of each pair"});
    group.write("cosines", alignment.cosines,
                {"mode,reference component", "", "of each pair, after the flips of signs"});
    group.write("signs", alignment.signs,
                {"mode,reference component", "", "by which the partner's columns are flipped"});
    const std::vector<Index> left = alignment.unmatched();
    group.write("unmatched", std::vector<std::int64_t>(left.begin(), left.end()),
                {"component", "", "components without a partner"});
}

void write_overlaps(hdf5::Group group, const PairedOverlaps& overlaps) {
    write_by_mode(group, "M", overlaps.with_reference,
                  "Xhat^T X / N_a with the factors X of the reference; rows are partners");
    write_by_mode(group, "Q", overlaps.own, "Xhat^T Xhat / N_a, partners of the reference");
}

void write_truth_comparison(hdf5::Group group, const TruthComparison& comparison,
                            SimilarityScore score) {
    write_alignment(group, comparison.alignment, score);
    write_overlaps(group, comparison.overlaps);
    group.write("mse", comparison.mse, {"mode", "", "mean over rows of |xhat - x|^2"});
    group.set_attribute("signal_error", comparison.signal_error);
    if (!comparison.calibration.empty())
        write_calibration(group.create_group("calibration"), comparison.calibration);
}

void write_diagnosis(hdf5::Group group, const Diagnosis& diagnosis,
                     const std::vector<std::string>& mode_names) {
    if (diagnosis.core_consistency)
        group.set_attribute("core_consistency", *diagnosis.core_consistency);
    group.set_attribute("explained_variance", diagnosis.explained_variance);
    group.set_attribute("residual_variance", diagnosis.residual_variance);
    group.set_attribute("observed", diagnosis.observed);
    group.write("share", diagnosis.share,
                {"component", "", "<W_component, W> / |W|^2 of the reconstruction W"});
    for (std::size_t a = 0; a < diagnosis.slices.size(); ++a) {
        const SliceResiduals& slices = diagnosis.slices[a];
        const std::string axis = mode_names.empty() ? "index" : mode_names.at(a);
        hdf5::Group mode = group.create_group(concat("slices/mode", a));
        mode.write("residual_variance", slices.variance,
                   {axis, "", "mean squared residual of observed entries"});
        mode.write("data_variance", slices.data,
                   {axis, "", "mean square of the data about their mean"});
        mode.write("observed", slices.count, {axis, "", "observed entries"});
    }
}

} // namespace assay::tensor_amp
