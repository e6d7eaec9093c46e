#include <assay/network/windows.hpp>

#include <assay/core/error.hpp>

#include <nlohmann/json.hpp>

#include <limits>

namespace assay::network {
namespace {

// Cells of a grid with its padding, and of anything along one axis.
constexpr double kMostCells = 2147483648.0;

// "same" as TensorFlow pads: ceil(n / s) outputs, the smaller half in front.
Shape same_padding(Index extent, Index kernel, Index stride, Index dilation) {
    const Index outputs = (extent + stride - 1) / stride;
    const Index total =
        std::max<Index>((outputs - 1) * stride + (kernel - 1) * dilation + 1 - extent, 0);
    return {total / 2, total - total / 2};
}

std::vector<Shape> read_padding(Keys& keys, const Shape& space, const Shape& kernel,
                                const Shape& stride, const Shape& dilation) {
    std::vector<Shape> padding(space.size(), Shape{0, 0});
    if (!keys.has("padding")) {
        static_cast<void>(keys.text("padding", "valid"));
        return padding;
    }
    if (!keys.value("padding").is_string())
        return read_pairs(keys, "padding", static_cast<Index>(space.size()));
    if (keys.word("padding", {"valid", "same"}, "valid") == "same")
        for (std::size_t axis = 0; axis < space.size(); ++axis)
            padding[axis] = same_padding(space[axis], kernel[axis], stride[axis], dilation[axis]);
    return padding;
}

} // namespace

Shape space_of(const Shape& shape) {
    return Shape(shape.begin() + 1, shape.end());
}

std::vector<Shape> read_pairs(Keys& keys, const std::string& key, Index axes) {
    const auto& value = keys.value(key);
    if (!value.is_array() || static_cast<Index>(value.size()) != axes)
        keys.refuse(key, concat("expected ", axes, " pairs [before, after]"));
    std::vector<Shape> pairs;
    for (const auto& one : value) {
        if (!one.is_array() || one.size() != 2 || !one[0].is_number_unsigned() ||
            !one[1].is_number_unsigned() || one[0].get<double>() > 1e6 ||
            one[1].get<double>() > 1e6)
            keys.refuse(key,
                        concat("expected ", axes, " pairs [before, after] of integers from 0"));
        pairs.push_back({one[0].get<Index>(), one[1].get<Index>()});
    }
    return pairs;
}

Windows::Windows(Keys& keys, const Shape& space, bool default_stride_is_kernel) {
    const auto axes = static_cast<Index>(space.size());
    kernel_ = keys.integers("kernel", axes, 1);
    const Shape ones(space.size(), 1);
    const Shape stride =
        keys.integers("stride", axes, 1, default_stride_is_kernel ? kernel_ : ones);
    const Shape dilation = keys.integers("dilation", axes, 1, ones);
    for (std::size_t axis = 0; axis < space.size(); ++axis)
        if (static_cast<double>(kernel_[axis]) * static_cast<double>(dilation[axis]) > kMostCells)
            keys.refuse("kernel", concat("windows of ", kernel_[axis], " elements at distances of ",
                                         dilation[axis], " are more than this program handles"));
    const auto padding = read_padding(keys, space, kernel_, stride, dilation);
    double grid = 1;
    for (std::size_t axis = 0; axis < space.size(); ++axis) {
        const Index reach = (kernel_[axis] - 1) * dilation[axis] + 1;
        const Index padded = space[axis] + padding[axis][0] + padding[axis][1];
        if (reach > padded)
            keys.refuse("kernel", concat("a window of ", reach, " does not fit into ", padded,
                                         " cells of axis ", axis, " (padding included)"));
        grid *= static_cast<double>(padded);
        output_.push_back((padded - reach) / stride[axis] + 1);
        axes_.push_back({space[axis], kernel_[axis], stride[axis], dilation[axis], padding[axis][0],
                         output_[axis]});
    }
    if (grid > kMostCells)
        keys.refuse("kernel",
                    concat("a grid of ", grid,
                           " cells, padding included, is more than this program handles"));
    positions_ = size_of(output_);
    cells_ = size_of(space);
    elements_ = size_of(kernel_);
    step_ = stride.back();
    if (static_cast<double>(positions_) * static_cast<double>(elements_) > 2e8 ||
        cells_ > std::numeric_limits<std::int32_t>::max())
        keys.refuse("kernel", concat("windows of ", elements_, " elements at ", positions_,
                                     " positions are more than this program handles"));
    find_sources(space, padding, stride, dilation);
    find_runs();
}

void Windows::find_sources(const Shape& space, const std::vector<Shape>& padding,
                           const Shape& stride, const Shape& dilation) {
    source_.reserve(static_cast<std::size_t>(elements_ * positions_));
    for_indices(kernel_, [&](const Shape& element) {
        for_indices(output_, [&](const Shape& position) {
            Index cell = 0;
            for (std::size_t axis = 0; axis < space.size(); ++axis) {
                const Index at = position[axis] * stride[axis] + element[axis] * dilation[axis] -
                                 padding[axis][0];
                if (at < 0 || at >= space[axis]) {
                    cell = -1;
                    break;
                }
                cell = cell * space[axis] + at;
            }
            source_.push_back(static_cast<std::int32_t>(cell));
        });
    });
}

void Windows::find_runs() {
    runs_.resize(static_cast<std::size_t>(elements_));
    for (Index element = 0; element < elements_; ++element) {
        auto& runs = runs_[static_cast<std::size_t>(element)];
        for (Index position = 0; position < positions_; ++position) {
            const std::int32_t from = source(element, position);
            if (from < 0) continue;
            if (!runs.empty() && runs.back().position + runs.back().length == position &&
                runs.back().source + runs.back().length * step_ == from)
                ++runs.back().length;
            else
                runs.push_back({static_cast<std::int32_t>(position), from, 1});
        }
    }
}

template <class S>
void Windows::gather(const S* from, S* to, Index stride, S padding) const {
    for (Index element = 0; element < elements_; ++element, to += stride) {
        Index done = 0;
        for (const Run& run : runs_[static_cast<std::size_t>(element)]) {
            std::fill(to + done, to + run.position, padding);
            if (step_ == 1)
                std::copy_n(from + run.source, run.length, to + run.position);
            else
                for (Index i = 0; i < run.length; ++i)
                    to[run.position + i] = from[run.source + i * step_];
            done = run.position + run.length;
        }
        std::fill(to + done, to + positions_, padding);
    }
}

template <class S>
void Windows::scatter_add(S* from, const S* to, Index stride) const {
    for (Index element = 0; element < elements_; ++element, to += stride)
        for (const Run& run : runs_[static_cast<std::size_t>(element)])
            if (step_ == 1)
                for (Index i = 0; i < run.length; ++i) from[run.source + i] += to[run.position + i];
            else
                for (Index i = 0; i < run.length; ++i)
                    from[run.source + i * step_] += to[run.position + i];
}

template void Windows::gather(const double*, double*, Index, double) const;
template void Windows::gather(const float*, float*, Index, float) const;
template void Windows::scatter_add(double*, const double*, Index) const;
template void Windows::scatter_add(float*, const float*, Index) const;

} // namespace assay::network
