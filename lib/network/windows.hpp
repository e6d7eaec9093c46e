// Sliding windows over one to three spatial axes: which input cell each element of a kernel meets
// at each output position, with stride, dilation and padding. Convolution and pooling share it.
#pragma once

#include <assay/network/layer.hpp>

#include <cstdint>
#include <vector>

namespace assay::network {

class Windows {
  public:
    // Reads kernel, stride, dilation, padding ("valid", "same" as TensorFlow defines it, or
    // [[before, after], ...]). `default_stride_is_kernel` for pooling. Throws Error where a window
    // does not fit.
    Windows(Keys& keys, const Shape& space, bool default_stride_is_kernel);

    // One spatial axis.
    struct Axis {
        Index cells, kernel, stride, dilation, before, outputs; // before: padding in front
    };
    [[nodiscard]] const std::vector<Axis>& axes() const { return axes_; }
    [[nodiscard]] const Shape& output_space() const { return output_; }
    [[nodiscard]] const Shape& kernel() const { return kernel_; }
    [[nodiscard]] Index positions() const { return positions_; }
    [[nodiscard]] Index cells() const { return cells_; }       // of the input's space
    [[nodiscard]] Index elements() const { return elements_; } // of the kernel

    // Input cell under kernel element `element` at `position`, -1 in the padding.
    [[nodiscard]] std::int32_t source(Index element, Index position) const {
        return source_[static_cast<std::size_t>(element * positions_ + position)];
    }

    // Rows of a patch matrix: to(element, position) = from(source), `padding` where there is none.
    // `stride` is the distance between rows of `to`.
    template <class S>
    void gather(const S* from, S* to, Index stride, S padding = S(0)) const;
    // Its adjoint: from(source) += to(element, position).
    template <class S>
    void scatter_add(S* from, const S* to, Index stride) const;

  private:
    // A stretch of positions whose sources are evenly spaced.
    struct Run {
        std::int32_t position, source, length;
    };
    void find_sources(const Shape& space, const std::vector<Shape>& padding, const Shape& stride,
                      const Shape& dilation);
    void find_runs();

    std::vector<Axis> axes_;
    Shape kernel_, output_;
    Index positions_ = 1, cells_ = 1, elements_ = 1, step_ = 1;
    std::vector<std::int32_t> source_;
    std::vector<std::vector<Run>> runs_; // one list per kernel element
};

// Calls body(index) for all multi-indices below `extents`, the last running fastest.
template <class Body>
void for_indices(const Shape& extents, Body&& body) {
    Shape index(extents.size(), 0);
    Index count = 1;
    for (const Index extent : extents) count *= extent;
    for (Index i = 0; i < count; ++i) {
        body(index);
        for (std::size_t axis = extents.size(); axis-- > 0;) {
            if (++index[axis] < extents[axis]) break;
            index[axis] = 0;
        }
    }
}

// [[before, after], ...], one pair an axis, of key `key`; throws Error.
[[nodiscard]] std::vector<Shape> read_pairs(Keys& keys, const std::string& key, Index axes);
// Where the spatial axes of (channel, space...) are.
[[nodiscard]] Shape space_of(const Shape& shape);

} // namespace assay::network
