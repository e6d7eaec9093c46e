// The figures of cnmf: results arranged into panels.
#pragma once

#include <assay/cnmf/cnmf_io.hpp>
#include <assay/plot/figure.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cnmf_app {

struct NamedFit {
    std::string name;
    std::vector<double> loss, test_loss, seconds;
};

// Where the overview looks for the image in its middle: data, or the model's reconstruction.
using ImageBlock = std::function<assay::Matrix(assay::Index first_bin, assay::Index count)>;

// Rows of a picture from the top: units sorted by component and lag, or as the source numbers them,
// the first at the bottom.
enum class RowOrder { component, source };
struct Rows {
    assay::cnmf::UnitOrder units;
    RowOrder order;
    [[nodiscard]] std::string label() const {
        return order == RowOrder::component ? "unit (sorted)" : "unit";
    }
};
Rows picture_rows(const assay::cnmf::Model& model, RowOrder order);

struct OverviewInput {
    assay::cnmf::Model model;
    assay::cnmf::ModelFacts facts;
    Rows rows;
    ImageBlock image;
    std::string image_title;
    assay::Index first_bin = 0, bins = 0; // the stretch shown
    bool diverging = false;               // the image has two signs
};

assay::plot::Figure overview(const OverviewInput& input);
assay::plot::Figure motif_images(const assay::cnmf::Model& model,
                                 const assay::cnmf::ModelFacts& facts, const Rows& rows);
assay::plot::Figure loss_curves(const std::vector<NamedFit>& fits);
// Means of each point with their errors, and single repetitions as points.
assay::plot::Figure select_curves(const std::vector<assay::cnmf::SelectRow>& rows);
assay::plot::Figure dissimilarity_curve(const std::vector<assay::cnmf::SelectRow>& rows);
// Cost and penalty against lambda for each (K, L), each scaled between its 10th and 90th
// percentile, and where they cross.
assay::plot::Figure penalty_curves(const std::vector<assay::cnmf::SelectRow>& rows);
assay::plot::Figure significance_figure(const assay::Matrix& null, const assay::Vector& observed,
                                        const assay::Vector& p);
assay::plot::Figure similarity_figure(const assay::Matrix& similarity, const std::string& of_what);
assay::plot::Figure unit_fit(const assay::Vector& r2, const Rows& rows);
// Data around the events of each component in the stretch shown: their mean, and below it the sum
// over units, weighted as in the motif, for every event (raster).
assay::plot::Figure triggered(const OverviewInput& input, const assay::cnmf::Events& events);
assay::plot::Figure warp_response(const std::vector<double>& warps, const assay::Matrix& loadings);

} // namespace cnmf_app
