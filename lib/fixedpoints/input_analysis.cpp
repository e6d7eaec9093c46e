#include <assay/fixedpoints/input_analysis.hpp>

#include <assay/core/error.hpp>
#include <assay/fixedpoints/point_modes.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

// Modes of all points, those of an input along its line.
RealModes modes_along(const Points& points, const std::vector<EigenSystem>& systems,
                      const LineFrame& frame, const Vector& readout, Index mode) {
    RealModes all;
    all.right.resize(points.count(), readout.size());
    all.left.resize(points.count(), readout.size());
    all.pair.resize(systems.size());
    for (Index input = 0; input < frame.axes.rows(); ++input) {
        const Vector line = frame.axes.row(input).transpose();
        const auto rows = rows_of_input(points, input);
        const RealModes own =
            real_modes(chosen(systems, rows), line.allFinite() ? line : readout, mode);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            all.right.row(rows[i]) = own.right.row(static_cast<Index>(i));
            all.left.row(rows[i]) = own.left.row(static_cast<Index>(i));
            all.pair[static_cast<std::size_t>(rows[i])] = own.pair[i];
        }
    }
    return all;
}

// The point of each line nearest to its middle.
std::vector<Index> centres(const Points& points, const LineFrame& frame) {
    std::vector<Index> found;
    for (Index input = 0; input < frame.axes.rows(); ++input) {
        if (!frame.axes.row(input).allFinite()) continue;
        const auto rows = rows_of_input(points, input);
        const auto nearer = [&](Index a, Index b) {
            return std::abs(frame.theta(a)) < std::abs(frame.theta(b));
        };
        if (!rows.empty()) found.push_back(*std::min_element(rows.begin(), rows.end(), nearer));
    }
    return found;
}

WordCounts counts_of(const Documents& documents, Index vocabulary) {
    return count_words(documents.tokens, documents.steps, documents.lengths, vocabulary);
}

// Of each token its column among the words; -1: it is none of them.
std::vector<Index> columns_of(const std::vector<Index>& words, Index vocabulary) {
    std::vector<Index> columns(static_cast<std::size_t>(vocabulary), -1);
    for (std::size_t v = 0; v < words.size(); ++v) {
        if (words[v] < 0 || words[v] >= vocabulary)
            throw Error(concat("token id ", words[v], " outside the vocabulary of ", vocabulary));
        columns[static_cast<std::size_t>(words[v])] = static_cast<Index>(v);
    }
    return columns;
}

// Classes of the words that have a column: once by token id, once by column.
struct ChosenClasses {
    WordClasses tokens, columns;
};

ChosenClasses classes_among(const WordClasses& all, const std::vector<Index>& columns) {
    ChosenClasses chosen_classes;
    const auto keep = [&](const std::vector<Index>& from, std::vector<Index>& tokens,
                          std::vector<Index>& places) {
        for (const Index token : from) {
            const Index column = columns[static_cast<std::size_t>(token)];
            if (column < 0) continue;
            tokens.push_back(token);
            places.push_back(column);
        }
    };
    auto& [tokens, places] = chosen_classes;
    keep(all.positive, tokens.positive, places.positive);
    keep(all.negative, tokens.negative, places.negative);
    keep(all.neutral, tokens.neutral, places.neutral);
    keep(all.occurring, tokens.occurring, places.occurring);
    return chosen_classes;
}

} // namespace

InputEffects input_effects(const Dynamics& dynamics, const Points& points,
                           const std::vector<EigenSystem>& systems, const LineFrame& frame,
                           const Vector& readout, const RowMatrix& words, Index mode,
                           const Execution& run) {
    if (frame.axes.rows() != input_count(points) || frame.axes.cols() != readout.size() ||
        frame.theta.size() != points.count())
        throw Error(concat("lines of ", frame.axes.rows(), " inputs and ", frame.theta.size(),
                           " points, expected ", input_count(points), " and ", points.count()));
    InputEffects effects;
    effects.modes = modes_along(points, systems, frame, readout, mode);
    const RowMatrix gains = input_gains(dynamics, points, effects.modes.left, run);
    effects.projections = input_projections(gains, words, points.input, run);
    effects.mean_projection = effects.projections.colwise().mean().transpose();
    if (dynamics.state_size() < 2) return effects;
    effects.centres = centres(points, frame);
    for (const Index point : effects.centres)
        effects.planes.push_back(input_plane(dynamics, points, point, words, effects.modes, run));
    return effects;
}

WordStatistics word_statistics(const RowMatrix& projections, const std::vector<Index>& words,
                               const Documents& fitted, const Documents& scored, Index vocabulary,
                               const WordOptions& options, const Execution& run) {
    WordStatistics found;
    const auto columns = columns_of(words, vocabulary);
    const WordCounts counts = counts_of(fitted, vocabulary);
    found.bag = fit_bag_of_words(counts, fitted.labels, options.bag, run);
    found.accuracy = accuracy(found.bag, counts_of(scored, vocabulary), scored.labels);
    found.occurrences = occurrences(counts);
    const ChosenClasses classes = classes_among(
        classify_words(found.bag.coefficients, found.occurrences, options.top), columns);
    found.classes = classes.tokens;
    found.class_mean = class_means(projections, classes.columns);
    found.histogram = class_histogram(found.class_mean, options.bins);
    Vector coefficients(projections.cols());
    for (std::size_t v = 0; v < words.size(); ++v)
        coefficients(static_cast<Index>(v)) = found.bag.coefficients(words[v]);
    found.correlation =
        projection_correlations(projections, coefficients, classes.columns.occurring);
    return found;
}

} // namespace assay::fixedpoints
