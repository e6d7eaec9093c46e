#include <assay/lindyn/coherence.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/linalg/assignment.hpp>
#include <assay/lindyn/modes.hpp>
#include <assay/lindyn/spiked.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kModes = 8; // more modes than categories that are looked at

// Columns: unit vectors, constant on the members of each category.
Matrix indicators(const std::vector<std::int64_t>& category, Index categories) {
    Matrix columns = Matrix::Zero(static_cast<Index>(category.size()), categories);
    for (std::size_t i = 0; i < category.size(); ++i)
        if (category[i] >= 0) columns(static_cast<Index>(i), category[i]) = 1;
    for (Index c = 0; c < categories; ++c) {
        const double size = columns.col(c).sum();
        if (size == 0) throw Error(concat("category ", c, " has no items or no features"));
        columns.col(c) /= std::sqrt(size);
    }
    return columns;
}

Index category_count(const std::vector<std::int64_t>& category, Index expected, const char* what) {
    if (static_cast<Index>(category.size()) != expected)
        throw Error(
            concat(category.size(), " categories of ", what, "; ", expected, " are expected"));
    const std::int64_t most = *std::max_element(category.begin(), category.end());
    if (most >= expected || *std::min_element(category.begin(), category.end()) < -1)
        throw Error(
            concat("categories of ", what, ": numbers from 0, or -1 for none, are expected"));
    return most + 1;
}

void estimate(CoherenceReport& report, const Matrix& table,
              const std::vector<std::int64_t>& feature_category,
              const std::vector<std::int64_t>& item_category) {
    double outside = 0, cells = 0;
    std::vector<double> inside(report.categories.size(), 0.0);
    for (const std::int64_t c : item_category)
        if (c >= 0) report.categories[static_cast<std::size_t>(c)].items += 1;
    for (const std::int64_t c : feature_category)
        if (c >= 0) report.categories[static_cast<std::size_t>(c)].features += 1;
    for (Index i = 0; i < table.cols(); ++i)
        for (Index m = 0; m < table.rows(); ++m) {
            const std::int64_t c = item_category[at(i)];
            if (c >= 0 && c == feature_category[at(m)]) {
                inside[static_cast<std::size_t>(c)] += table(m, i);
            } else {
                outside += table(m, i);
                cells += 1;
            }
        }
    report.background = outside / cells;
    for (std::size_t c = 0; c < inside.size(); ++c)
        report.categories[c].probability =
            inside[c] / (report.categories[c].items * report.categories[c].features);
}

} // namespace

Coherence predict_coherence(const Category& category, double background, double items,
                            double features) {
    const double variance = background * (1 - background), aspect = features / items,
                 contrast = std::abs(category.probability - background) *
                            std::sqrt(category.items * category.features);
    Coherence c;
    c.snr = contrast * contrast / (variance * std::sqrt(items * features));
    c.strength = contrast / std::sqrt(variance * items);
    c.singular_value = observed_value(c.strength, aspect);
    const Overlaps overlaps = squared_overlaps(c.strength, aspect);
    c.overlap_feature = overlaps.output;
    c.overlap_item = overlaps.input;
    return c;
}

CoherenceReport judge_categories(const Matrix& table,
                                 const std::vector<std::int64_t>& feature_category,
                                 const std::vector<std::int64_t>& item_category) {
    const Index features = table.rows(), items = table.cols();
    const Index categories = std::max(category_count(feature_category, features, "features"),
                                      category_count(item_category, items, "items"));
    if (categories == 0) throw Error("no category; numbers from 0 are expected");
    const Matrix feature_indicators = indicators(feature_category, categories),
                 item_indicators = indicators(item_category, categories);
    CoherenceReport report;
    report.categories.resize(at(categories));
    estimate(report, table, feature_category, item_category);
    const double variance = report.background * (1 - report.background);
    if (!(variance > 0))
        throw Error(concat("the mean outside the categories is ", report.background,
                           "; features 0 or 1 with a probability between are expected"));
    Statistics standard;
    standard.syx =
        (table.array() - report.background) / std::sqrt(variance * static_cast<double>(items));
    standard.input_scale = 1;
    ModeOptions options;
    options.count = std::min({categories + kModes, items, features});
    const Modes modes = find_modes(standard, options);
    const Matrix of_features = (feature_indicators.transpose() * modes.u).cwiseAbs2(),
                 of_items = (item_indicators.transpose() * modes.v).cwiseAbs2();
    const linalg::Assignment nearest = linalg::assign(-of_features.cwiseProduct(of_items));
    for (Index c = 0; c < categories; ++c) {
        const Index mode = nearest.column[at(c)];
        const Coherence predicted =
            predict_coherence(report.categories[at(c)], report.background,
                              static_cast<double>(items), static_cast<double>(features));
        Coherence seen = predicted;
        seen.singular_value = modes.s(mode);
        seen.overlap_feature = of_features(c, mode);
        seen.overlap_item = of_items(c, mode);
        report.predicted.push_back(predicted);
        report.observed.push_back(seen);
        report.mode.push_back(mode);
    }
    return report;
}

} // namespace assay::lindyn
