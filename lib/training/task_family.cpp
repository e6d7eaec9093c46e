#include <assay/training/task_family.hpp>

#include <assay/core/indices.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

Index row_length(const Shape& shape) {
    Index length = 1;
    for (std::size_t axis = shape.size() > 1 ? 1 : 0; axis < shape.size(); ++axis)
        length *= shape[axis];
    return length;
}

// Row i of a matrix of samples as the matrix that Row describes.
Eigen::Map<RowMatrix> row_map(RowMatrix& samples, Index i, const Shape& shape) {
    if (samples.size() == 0) return {nullptr, 0, 0};
    const Index columns = row_length(shape);
    return {samples.row(i).data(), samples.cols() / columns, columns};
}

Row row_of(Samples& samples, Index i, const SampleLayout& layout) {
    return {row_map(samples.inputs, i, layout.input_shape),
            row_map(samples.values, i, layout.target_shape),
            samples.classes.empty() ? nullptr : samples.classes.data() + i * layout.class_steps,
            samples.lengths.empty() ? nullptr : &samples.lengths[at(i)],
            samples.mask.size() == 0 ? nullptr : samples.mask.row(i).data()};
}

} // namespace

BlockWriter each_sample(const SampleLayout& layout, SampleWriter write) {
    return [layout, write = std::move(write)](const Random& random, std::uint64_t first,
                                              Samples& samples) {
        for (Index i = 0; i < samples.count(); ++i) {
            Row row = row_of(samples, i, layout);
            write(Draws(random, first + static_cast<std::uint64_t>(i)), row);
        }
    };
}

SampleLayout sequence_layout(Index steps, Index features, Index outputs) {
    SampleLayout layout;
    layout.input_shape = {steps, features};
    layout.input_axes = {"time", "feature"};
    layout.target_shape = {steps, outputs};
    layout.target_axes = {"time", "output"};
    return layout;
}

SampleLayout class_layout(Index features, Index classes) {
    SampleLayout layout;
    layout.input_shape = {features};
    layout.input_axes = {"feature"};
    layout.classes = classes;
    return layout;
}

SampleLayout value_layout(Index features, Index outputs) {
    SampleLayout layout;
    layout.input_shape = {features};
    layout.input_axes = {"feature"};
    layout.target_shape = {outputs};
    layout.target_axes = {"output"};
    return layout;
}

Index checked_size(const Shape& shape, const std::string& what) {
    if (shape.empty()) return 0;
    double size = 1;
    for (const Index extent : shape) size *= static_cast<double>(extent);
    if (size > kLargestArray) {
        std::vector<std::string> extents;
        for (const Index extent : shape) extents.push_back(std::to_string(extent));
        throw UsageError(what + ": found " + join(extents, " x ") +
                         " numbers; at most 2^28 are expected");
    }
    return static_cast<Index>(size);
}

TruthArray truth_matrix(std::string name, const RowMatrix& values, std::vector<std::string> axes,
                        std::string description) {
    return {std::move(name),
            {values.rows(), values.cols()},
            {values.data(), values.data() + values.size()},
            std::move(axes),
            std::move(description)};
}

TruthArray truth_vector(std::string name, std::vector<double> values, std::string axis,
                        std::string description) {
    const auto size = static_cast<Index>(values.size());
    return {std::move(name), {size}, std::move(values), {std::move(axis)}, std::move(description)};
}

TruthArray truth_number(std::string name, double value, std::string description) {
    return {std::move(name), {}, {value}, {}, std::move(description)};
}

TruthArray whole(TruthArray array) {
    array.whole = true;
    return array;
}

TruthArray in_units(TruthArray array, std::string units) {
    array.units = std::move(units);
    return array;
}

double shown_singular_value(double s, double noise, double aspect) {
    if (noise == 0) return s;
    const double q = s / noise, q2 = q * q;
    if (q2 * q2 <= aspect) return noise * (1 + std::sqrt(aspect));
    return noise * std::sqrt((1 + q2) * (aspect + q2)) / q;
}

std::vector<double> equally_spaced(double first, double last, Index count) {
    std::vector<double> points;
    for (Index i = 0; i < count; ++i)
        points.push_back(count == 1 ? first
                                    : first + (last - first) * static_cast<double>(i) /
                                                  static_cast<double>(count - 1));
    return points;
}

RowMatrix normal_matrix(const Random& random, Index rows, Index cols, double scale,
                        std::uint64_t word) {
    RowMatrix matrix(rows, cols);
    for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < cols; ++j)
            matrix(i, j) = scale * random.normal(static_cast<std::uint64_t>(j),
                                                 {static_cast<std::uint64_t>(i), word, 0});
    return matrix;
}

} // namespace assay::training
