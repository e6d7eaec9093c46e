// What words or probes do at all points of all lines, and how that goes with what a bag of words
// says of them (arXiv:1906.10720, section 4.3; the parts are in input_effect.hpp and
// bag_of_words.hpp).
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/bag_of_words.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/input_effect.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace assay::fixedpoints {

// Where the lines of attractor.hpp lie: one row an input, one entry a point; NaN where there is
// none.
struct LineFrame {
    RowMatrix axes; // inputs x S
    Vector theta;   // P
};

struct InputEffects {
    RealModes modes;            // P: along the line's axis, or the readout where there is no line
    RowMatrix projections;      // P x V
    Vector mean_projection;     // V: over points
    std::vector<Index> centres; // the point nearest theta = 0 of each line
    std::vector<InputPlane> planes; // there
};

// Effects of words (V x inputs, as the first cell sees them) on mode `mode` of every point.
// `readout` (S) orients modes where there is no line. Throws Error for shapes that do not fit and
// modes that a system does not have.
[[nodiscard]] ASSAY_API InputEffects input_effects(const Dynamics& dynamics, const Points& points,
                                                   const std::vector<EigenSystem>& systems,
                                                   const LineFrame& frame, const Vector& readout,
                                                   const RowMatrix& words, Index mode,
                                                   const Execution& run);

// Documents of token ids (row document * steps + t) with labels 0 and 1.
struct Documents {
    std::vector<std::int32_t> tokens;
    Index steps = 0;
    std::vector<Index> lengths;
    std::vector<std::int32_t> labels;
};

struct WordOptions {
    BagOfWordsOptions bag;
    Index top = 100; // words a class
    Index bins = 50; // of the histogram of class means
};

struct WordStatistics {
    BagOfWords bag;
    double accuracy = 0;  // of the bag of words on `scored`
    Vector occurrences;   // vocabulary, in `fitted`
    WordClasses classes;  // token ids, of the words asked for
    RowMatrix class_mean; // P x 3: projections of positive, negative, neutral words
    Histogram histogram;  // of class_mean over points
    Vector correlation;   // P: of projections with the coefficients, over words that occur
};

// Fits a bag of words to `fitted`, measures it on `scored`, and averages the projections (P x V) of
// words (V token ids) by its classes. Throws Error as fit_bag_of_words does.
[[nodiscard]] ASSAY_API WordStatistics word_statistics(
    const RowMatrix& projections, const std::vector<Index>& words, const Documents& fitted,
    const Documents& scored, Index vocabulary, const WordOptions& options, const Execution& run);

} // namespace assay::fixedpoints
