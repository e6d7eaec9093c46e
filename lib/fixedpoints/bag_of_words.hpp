// Words that matter, from documents and labels alone: logistic regression on counts of words. Its
// coefficients say which words are positive, negative and neutral.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <Eigen/SparseCore>

#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

using WordCounts = Eigen::SparseMatrix<double, Eigen::RowMajor>; // documents x vocabulary

// Counts of token ids (row document * steps + t; the first lengths[document] are counted). Throws
// Error for an id outside the vocabulary.
[[nodiscard]] ASSAY_API WordCounts count_words(const std::vector<std::int32_t>& tokens, Index steps,
                                               const std::vector<Index>& lengths, Index vocabulary);

struct BagOfWordsOptions {
    double ridge = 1;         // of 1/2 ridge |w|^2; the intercept is not penalised
    double tolerance = 1e-10; // of the largest entry of the gradient, relative to that at w = 0
                              // where it is above 1
    int max_iterations = 100;
};

struct BagOfWords {
    Vector coefficients; // vocabulary
    double intercept = 0;
    double gradient = 0; // largest entry at the end
    int iterations = 0;
    bool converged = false;
};

// Minimises sum_i log(1 + exp(-s_i (w . c_i + b))) + 1/2 ridge |w|^2, s_i = +1 for label 1, -1 for
// label 0: iteratively reweighted least squares, each step's system solved by conjugate gradients
// (Komarek, Moore 2005), so that nothing of size vocabulary^2 is made. Throws Error where there
// are no labels, others than 0 and 1, or only one of them, and for ridge <= 0.
[[nodiscard]] ASSAY_API BagOfWords fit_bag_of_words(const WordCounts& counts,
                                                    const std::vector<std::int32_t>& labels,
                                                    const BagOfWordsOptions& options,
                                                    const Execution& run);

// Share of documents whose label it gives; a score of 0 is label 0.
[[nodiscard]] ASSAY_API double accuracy(const BagOfWords& model, const WordCounts& counts,
                                        const std::vector<std::int32_t>& labels);

struct WordClasses {
    std::vector<Index> positive;  // falling coefficients, all > 0
    std::vector<Index> negative;  // rising coefficients, all < 0
    std::vector<Index> neutral;   // rising |coefficients|, of words that occur often enough
    std::vector<Index> occurring; // all words that occur often enough
};

// Classes of at most `top` words, and at most a third of the words that occur `fewest` times or
// more, so that they do not overlap. `occurrences` (vocabulary) counts each word. Ties: lower id.
[[nodiscard]] ASSAY_API WordClasses classify_words(const Vector& coefficients,
                                                   const Vector& occurrences, Index top,
                                                   Index fewest = 5);
// How often each word occurs in all documents.
[[nodiscard]] ASSAY_API Vector occurrences(const WordCounts& counts);

} // namespace assay::fixedpoints
