#include <assay/fixedpoints/input_effect.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/fixedpoints/principal.hpp>

#include <array>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr Index kWordBlock = 512; // columns of one product

void check_words(const RowMatrix& words, Index inputs) {
    if (words.cols() != inputs)
        throw Error(concat("words of ", words.cols(), " numbers, the cell takes ", inputs));
}

void check_word(Index word, Index words) {
    if (word < 0 || word >= words) throw Error(concat("word ", word, " of ", words));
}

} // namespace

RowMatrix input_gains(const Dynamics& dynamics, const Points& points, const RowMatrix& left,
                      const Execution& run) {
    if (left.rows() != points.count() || left.cols() != dynamics.state_size())
        throw Error(concat("left vectors of ", left.rows(), " x ", left.cols(), ", expected ",
                           points.count(), " x ", dynamics.state_size()));
    RowMatrix gains(points.count(), dynamics.inputs());
    parallel_blocks(points.count(), run.threads, [&](Index p) {
        gains.row(p) =
            left.row(p) * dynamics.jacobian_input(points.input.row(p), points.state.row(p));
    });
    return gains;
}

RowMatrix input_projections(const RowMatrix& gains, const RowMatrix& words,
                            const RowMatrix& point_inputs, const Execution& run) {
    check_words(words, gains.cols());
    if (point_inputs.rows() != gains.rows() || point_inputs.cols() != gains.cols())
        throw Error(
            concat("inputs of ", point_inputs.rows(), " points for gains of ", gains.rows()));
    const Vector at_rest = gains.cwiseProduct(point_inputs).rowwise().sum();
    RowMatrix projections(gains.rows(), words.rows());
    const Blocks blocks{words.rows(), kWordBlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        const Index first = blocks.begin(block), count = blocks.extent(block);
        auto columns = projections.middleCols(first, count);
        columns.noalias() = gains * words.middleRows(first, count).transpose();
        columns.colwise() -= at_rest;
    });
    return projections;
}

InputPlane input_plane(const Dynamics& dynamics, const Points& points, Index point,
                       const RowMatrix& words, const RealModes& modes, const Execution& run) {
    check_words(words, dynamics.inputs());
    if (point < 0 || point >= points.count() || modes.count() != points.count())
        throw Error(concat("point ", point, " of ", points.count(), ", modes of ", modes.count()));
    if (dynamics.state_size() < 2) throw Error("a state of one dimension has no plane");
    const RowMatrix jacobian =
        dynamics.jacobian_input(points.input.row(point), points.state.row(point));
    const RowMatrix effects =
        (words.rowwise() - points.input.row(point)) * jacobian.transpose(); // V x S
    const PrincipalComponents components = principal_components(effects, run);
    const double variance = components.variances.sum();
    InputPlane plane;
    plane.directions = components.axes.leftCols(2);
    plane.ratios = components.variances / (variance > 0 ? variance : 1.0);
    plane.coordinates = effects * plane.directions;
    plane.left = modes.left.row(point) * plane.directions;
    plane.right = modes.right.row(point) * plane.directions;
    return plane;
}

RowMatrix class_means(const RowMatrix& values, const WordClasses& classes) {
    const std::array<const std::vector<Index>*, 3> lists{&classes.positive, &classes.negative,
                                                         &classes.neutral};
    RowMatrix means(values.rows(), 3);
    for (Index c = 0; c < 3; ++c) {
        const auto& words = *lists.at(static_cast<std::size_t>(c));
        Vector sum = Vector::Zero(values.rows());
        for (const Index word : words) {
            check_word(word, values.cols());
            sum += values.col(word);
        }
        if (words.empty()) sum.setConstant(std::numeric_limits<double>::quiet_NaN());
        means.col(c) = sum / static_cast<double>(std::max<std::size_t>(words.size(), 1));
    }
    return means;
}

Histogram class_histogram(const RowMatrix& means, Index bins) {
    std::vector<Vector> groups;
    for (Index c = 0; c < means.cols(); ++c) groups.emplace_back(means.col(c));
    return histogram(groups, bins);
}

Vector projection_correlations(const RowMatrix& projections, const Vector& values,
                               const std::vector<Index>& words) {
    if (values.size() != projections.cols())
        throw Error(concat(values.size(), " values for ", projections.cols(), " words"));
    Vector found(projections.rows()), x(static_cast<Index>(words.size())), y(x.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        check_word(words[i], values.size());
        y(static_cast<Index>(i)) = values(words[i]);
    }
    for (Index p = 0; p < projections.rows(); ++p) {
        for (std::size_t i = 0; i < words.size(); ++i)
            x(static_cast<Index>(i)) = projections(p, words[i]);
        found(p) = correlation(x, y);
    }
    return found;
}

} // namespace assay::fixedpoints
