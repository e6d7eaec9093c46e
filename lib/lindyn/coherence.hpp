// Coherent categories (arXiv 1810.10531): K_o items that share K_f features, each with probability
// p where elsewhere it is q, among N_o items and N_f features. Without its mean q the table is a
// matrix of rank one under noise, so that the category has a mode of its own exactly where
//   SNR = (p - q)^2 K_o K_f / (q (1 - q) sqrt(N_o N_f)) > 1;
// how strong, and how near to the category, spiked.hpp says at aspect N_f / N_o.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <vector>

namespace assay::lindyn {

struct Category {
    double items = 0, features = 0; // K_o, K_f
    double probability = 0;         // p
};

struct Coherence {
    double snr = 0;
    double strength = 0;       // sbar = |p - q| sqrt(K_o K_f / (q (1 - q) N_o))
    double singular_value = 0; // of (table - q) / sqrt(q (1 - q) N_o); without a mode, the edge
    double overlap_feature = 0, overlap_item = 0; // squared, with the indicators of the category
};

// Preconditions: 0 < background < 1, items > 0, features > 0.
[[nodiscard]] ASSAY_API Coherence predict_coherence(const Category& category, double background,
                                                    double items, double features);

struct CoherenceReport {
    double background = 0;            // q, the mean outside all categories
    std::vector<Category> categories; // as estimated
    // Observed: of the mode nearest to each category among the first ones, 8 more than there are
    // categories; for a category that has no mode of its own that is the nearest by chance.
    std::vector<Coherence> predicted, observed;
    std::vector<std::int64_t> mode; // that mode's number, from 0
};

// Of a table (feature x item) with the category of each feature and item (-1: none). Throws Error
// on labels that do not fit, a category without items or features, and a background without
// variance. O(N_f N_o min(N_f, N_o)).
[[nodiscard]] ASSAY_API CoherenceReport
judge_categories(const Matrix& table, const std::vector<std::int64_t>& feature_category,
                 const std::vector<std::int64_t>& item_category);

} // namespace assay::lindyn
