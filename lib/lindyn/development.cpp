#include <assay/lindyn/development.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/linalg/pca.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/passage.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::lindyn {
namespace {

constexpr double kExcursion = 1e-9; // of the largest output: excursions below are none

Matrix symmetric_root(const Matrix& gram) {
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram);
    return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0.0).cwiseSqrt().asDiagonal() *
           solver.eigenvectors().transpose();
}

Index group_count(const std::vector<std::int32_t>& group) {
    return group.empty() ? 0 : group.back() + 1;
}

Matrix centred(const Matrix& points) {
    return points.rowwise() - points.colwise().mean();
}

// Columns of zeros where there are fewer than `dims` directions.
RowMatrix padded(const RowMatrix& coordinates, Index dims) {
    RowMatrix all = RowMatrix::Zero(coordinates.rows(), dims);
    all.leftCols(coordinates.cols()) = coordinates;
    return all;
}

} // namespace

// ---- three kinds ------------------------------------------------------------------------------

AlignedDevelopment::AlignedDevelopment(Vector time, Matrix strengths, Vector end, Matrix u,
                                       Matrix v, int depth)
    : Development(std::move(time)), strengths_(std::move(strengths)), u_(std::move(u)),
      v_(std::move(v)), end_(std::move(end)), exponent_(1.0 / depth) {
    if (strengths_.rows() != this->time().size() || strengths_.cols() != end_.size() ||
        u_.cols() != end_.size() || v_.cols() != end_.size())
        throw Error(concat(strengths_.rows(), " x ", strengths_.cols(), " strengths do not fit ",
                           this->time().size(), " times and ", end_.size(), " modes"));
}

Vector AlignedDevelopment::strength(Index moment) const {
    return moment == end() ? end_ : Vector(strengths_.row(moment).transpose());
}

Matrix AlignedDevelopment::item_points(Index moment) const {
    return v_ * strength(moment).cwiseMax(0.0).array().pow(exponent_).matrix().asDiagonal();
}

Matrix AlignedDevelopment::feature_points(Index moment) const {
    return u_ * strength(moment).cwiseMax(0.0).array().pow(exponent_).matrix().asDiagonal();
}

Matrix AlignedDevelopment::outputs(Index moment) const {
    return u_ * strength(moment).asDiagonal() * v_.transpose();
}

RecordedDevelopment::RecordedDevelopment(Vector time, std::vector<Layers> layers)
    : Development(std::move(time)), layers_(std::move(layers)) {
    if (layers_.empty() || static_cast<Index>(layers_.size()) != this->time().size())
        throw Error(concat(layers_.size(), " networks at ", this->time().size(), " times"));
    for (const Layers& one : layers_) check_layers(one, items(), features());
}

const Layers& RecordedDevelopment::at(Index moment) const {
    return layers_[static_cast<std::size_t>(std::min(moment, end() - 1))];
}

Matrix RecordedDevelopment::item_points(Index moment) const {
    return at(moment).front().transpose();
}

Matrix RecordedDevelopment::feature_points(Index moment) const {
    return at(moment).back();
}

Matrix RecordedDevelopment::outputs(Index moment) const {
    return whole_map(at(moment));
}

GramDevelopment::GramDevelopment(Vector time, std::vector<Matrix> maps,
                                 std::vector<Matrix> item_grams, std::vector<Matrix> feature_grams)
    : Development(std::move(time)), maps_(std::move(maps)), item_grams_(std::move(item_grams)),
      feature_grams_(std::move(feature_grams)) {
    const auto moments = static_cast<std::size_t>(this->time().size());
    if (moments == 0 || maps_.size() != moments || item_grams_.size() != moments ||
        feature_grams_.size() != moments)
        throw Error(concat(maps_.size(), " maps and ", item_grams_.size(), " and ",
                           feature_grams_.size(), " similarities at ", moments, " times"));
}

std::size_t GramDevelopment::at(Index moment) const {
    return static_cast<std::size_t>(std::min(moment, end() - 1));
}

Matrix GramDevelopment::item_points(Index moment) const {
    return symmetric_root(item_grams_[at(moment)]);
}

Matrix GramDevelopment::feature_points(Index moment) const {
    return symmetric_root(feature_grams_[at(moment)]);
}

Matrix GramDevelopment::outputs(Index moment) const {
    return maps_[at(moment)];
}

Matrix strengths_over_time(const Development& development, const Matrix& u, const Matrix& v) {
    Matrix strengths(development.time().size(), u.cols());
    for (Index t = 0; t < strengths.rows(); ++t)
        strengths.row(t) = (development.outputs(t) * v).cwiseProduct(u).colwise().sum();
    return strengths;
}

// ---- distances, projection --------------------------------------------------------------------

Matrix distances(const Matrix& points) {
    const Matrix gram = points * points.transpose();
    const Vector squares = gram.diagonal();
    Matrix d = -2 * gram;
    d.colwise() += squares;
    d.rowwise() += squares.transpose();
    d.diagonal().setZero();
    return d.cwiseMax(0.0).cwiseSqrt();
}

Matrix projection(const Matrix& points) {
    const Matrix gram = points * points.transpose();
    const Vector scale =
        gram.diagonal().unaryExpr([](double square) { return square > 0 ? 1 / square : kNaN; });
    return scale.asDiagonal() * gram;
}

// ---- multidimensional scaling -----------------------------------------------------------------

Embedding embed_jointly(const Development& development, Index dims) {
    const Index moments = development.end(), width = development.item_points(0).cols();
    Matrix scatter = Matrix::Zero(width, width);
    for (Index t = 0; t < moments; ++t)
        scatter.selfadjointView<Eigen::Lower>().rankUpdate(
            centred(development.item_points(t)).transpose());
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(scatter);
    const Index kept = std::min(dims, width);
    Matrix directions = solver.eigenvectors().rowwise().reverse().leftCols(kept);
    Matrix unused = directions;
    fix_signs(unused, directions);
    Embedding embedding;
    for (Index t = 0; t < moments; ++t)
        embedding.coordinates.push_back(
            padded(centred(development.item_points(t)) * directions, dims));
    const double total = solver.eigenvalues().sum();
    embedding.variance_kept =
        Vector::Constant(1, total > 0 ? solver.eigenvalues().tail(kept).sum() / total : 0.0);
    return embedding;
}

Embedding embed_each(const Development& development, Index dims) {
    const Index moments = development.end();
    Embedding embedding;
    embedding.variance_kept = Vector::Zero(moments);
    for (Index t = 0; t < moments; ++t) {
        const RowMatrix points = development.item_points(t);
        const linalg::Pca pca =
            linalg::principal_components(points, std::min({dims, points.rows(), points.cols()}));
        embedding.variance_kept(t) = pca.variance_ratio.sum();
        RowMatrix here = padded(pca.project(points), dims);
        if (t > 0) {
            const linalg::Svd svd =
                linalg::thin_svd(here.transpose() * embedding.coordinates.back());
            here = here * (svd.u * svd.v.transpose());
        }
        embedding.coordinates.push_back(std::move(here));
    }
    return embedding;
}

// ---- illusory correlations --------------------------------------------------------------------

Illusions illusory_correlations(const Development& development) {
    const Matrix start = development.outputs(0), end = development.outputs(development.end());
    const Matrix low = start.cwiseMin(end), high = start.cwiseMax(end);
    const Index rows = start.rows(), cols = start.cols();
    Illusions found;
    found.excursion = Matrix::Zero(rows, cols);
    found.peak = found.peak_time = Matrix::Constant(rows, cols, kNaN);
    double scale = high.cwiseAbs().cwiseMax(low.cwiseAbs()).maxCoeff();
    for (Index t = 1; t < development.end(); ++t) {
        const Matrix outputs = development.outputs(t);
        scale = std::max(scale, outputs.cwiseAbs().maxCoeff());
        const Matrix beyond = (outputs - high).cwiseMax(low - outputs);
        for (Index k = 0; k < beyond.size(); ++k) {
            if (!(beyond.data()[k] > found.excursion.data()[k])) continue;
            found.excursion.data()[k] = beyond.data()[k];
            found.peak.data()[k] = outputs.data()[k];
            found.peak_time.data()[k] = development.time()(t);
        }
    }
    for (Index k = 0; k < found.excursion.size(); ++k)
        if (found.excursion.data()[k] <= kExcursion * scale) {
            found.excursion.data()[k] = 0;
            found.peak.data()[k] = found.peak_time.data()[k] = kNaN;
        }
    found.excursion.maxCoeff(&found.feature, &found.item);
    found.curve.resize(development.end());
    for (Index t = 0; t < found.curve.size(); ++t)
        found.curve(t) = development.outputs(t)(found.feature, found.item);
    return found;
}

Matrix contributions(const Matrix& strengths, const Matrix& u, const Matrix& v,
                     const std::vector<std::int32_t>& group, Index feature, Index item) {
    Matrix parts = Matrix::Zero(strengths.rows(), group_count(group));
    for (Index a = 0; a < strengths.cols(); ++a)
        parts.col(group[at(a)]) += strengths.col(a) * (u(feature, a) * v(item, a));
    return parts;
}

std::vector<Matrix> peak_contributions(const Illusions& illusions, const Vector& time,
                                       const Matrix& strengths, const Matrix& u, const Matrix& v,
                                       const std::vector<std::int32_t>& group) {
    const Index rows = illusions.peak.rows(), cols = illusions.peak.cols();
    std::vector<Matrix> parts(at(group_count(group)), Matrix::Zero(rows, cols));
    for (Index i = 0; i < cols; ++i)
        for (Index m = 0; m < rows; ++m) {
            const double when = illusions.peak_time(m, i);
            if (std::isnan(when)) {
                for (Matrix& part : parts) part(m, i) = kNaN;
                continue;
            }
            const auto moment = std::lower_bound(time.begin(), time.end(), when) - time.begin();
            for (Index a = 0; a < u.cols(); ++a)
                parts[at(group[at(a)])](m, i) += strengths(moment, a) * u(m, a) * v(i, a);
        }
    return parts;
}

// ---- typicality -------------------------------------------------------------------------------

namespace {

void append_order(const Vector& value, std::vector<std::int64_t>& to) {
    std::vector<std::int64_t> order(at(value.size()));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](Index i, Index j) { return value(i) > value(j); });
    to.insert(to.end(), order.begin(), order.end());
}

// The first of the largest, up to rounding.
Index first_of_largest(const Vector& values) {
    const double largest = values.maxCoeff();
    Index first = 0;
    while (values(first) < largest - 1e-9 * std::abs(largest)) ++first;
    return first;
}

// When each item's output on each of `features` passes the threshold: features x n.
Matrix answer_times(const Development& development, const std::vector<std::int64_t>& features,
                    double threshold) {
    const Index moments = development.end(), items = development.items();
    std::vector<Matrix> answers(features.size(), Matrix(moments, items));
    for (Index moment = 0; moment < moments; ++moment) {
        const Matrix outputs = development.outputs(moment);
        for (std::size_t k = 0; k < features.size(); ++k)
            answers[k].row(moment) = outputs.row(features[k]);
    }
    Matrix times(static_cast<Index>(features.size()), items);
    for (Index k = 0; k < times.rows(); ++k)
        for (Index i = 0; i < items; ++i)
            times(k, i) = first_passage(development.time(), answers[at(k)].col(i), threshold);
    return times;
}

} // namespace

Typicality typicality(const Development& development, const Matrix& u, const Matrix& v,
                      const std::vector<std::int32_t>& group, double threshold) {
    const Index modes = v.cols(), items = v.rows();
    Typicality t;
    t.value = v.transpose();
    t.group_value = Matrix::Zero(group_count(group), items);
    for (Index a = 0; a < modes; ++a) {
        t.group_value.row(group[at(a)]) += v.col(a).cwiseAbs2().transpose();
        append_order(v.col(a), t.order);
        Index feature = 0;
        u.col(a).maxCoeff(&feature);
        t.category_feature.push_back(feature);
    }
    t.group_value = t.group_value.cwiseSqrt();
    for (Index first = 0, last = 0; first < modes; first = last) {
        while (last < modes && group[at(last)] == group[at(first)]) ++last;
        const Matrix plane = u.middleCols(first, last - first);
        const Index feature = plane.cols() == 1 ? t.category_feature[at(first)]
                                                : first_of_largest(plane.rowwise().norm());
        t.group_feature.push_back(feature);
        append_order(v.middleCols(first, last - first) * plane.row(feature).transpose(),
                     t.group_order);
    }
    t.answer_time = answer_times(development, t.category_feature, threshold);
    t.group_answer_time = answer_times(development, t.group_feature, threshold);
    return t;
}

} // namespace assay::lindyn
