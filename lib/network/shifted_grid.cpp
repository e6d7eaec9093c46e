#include <assay/network/shifted_grid.hpp>

#include <map>

namespace assay::network {
namespace {

// The last axis runs fastest.
Index place_of(const Shape& index, const Shape& extents) {
    Index place = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis)
        place = place * extents[axis] + index[axis];
    return place;
}

Index ceiling(Index number, Index divisor) {
    return number <= 0 ? 0 : (number + divisor - 1) / divisor;
}

} // namespace

ShiftedGrid::ShiftedGrid(const Windows& windows) {
    const auto& axes = windows.axes();
    Shape extents, last;
    for (const auto& axis : axes) {
        const Index reach = (axis.outputs - 1) * axis.stride + (axis.kernel - 1) * axis.dilation;
        extents.push_back(reach / axis.stride + 1);
        last.push_back(axis.outputs - 1);
    }
    cells_ = size_of(extents);
    span_ = place_of(last, extents) + 1;
    stride_ = axes.back().stride;
    std::map<Shape, Index> phases;
    for_indices(windows.kernel(), [&](const Shape& element) {
        Shape phase, shift;
        for (std::size_t a = 0; a < axes.size(); ++a) {
            phase.push_back(element[a] * axes[a].dilation % axes[a].stride);
            shift.push_back(element[a] * axes[a].dilation / axes[a].stride);
        }
        const auto [found, made] = phases.emplace(phase, this->phases());
        if (made) find_stretches(windows, extents, phase);
        places_.push_back({found->second, place_of(shift, extents)});
        reach_ = std::max(reach_, places_.back().shift);
    });
    find_outputs(windows, extents);
}

// Grid index i of an axis is the coordinate i stride + phase - padding.
void ShiftedGrid::find_stretches(const Windows& windows, const Shape& extents, const Shape& phase) {
    const auto& axes = windows.axes();
    auto& list = stretches_.emplace_back();
    const auto& inner = axes.back();
    const Index first = ceiling(inner.before - phase.back(), inner.stride);
    const Index end =
        std::min(extents.back(), ceiling(inner.cells + inner.before - phase.back(), inner.stride));
    Shape lines = extents;
    lines.back() = 1;
    for_indices(lines, [&](const Shape& index) {
        Index cell = 0;
        for (std::size_t a = 0; a + 1 < axes.size(); ++a) {
            const Index at = index[a] * axes[a].stride + phase[a] - axes[a].before;
            if (at < 0 || at >= axes[a].cells) return;
            cell = cell * axes[a].cells + at;
        }
        if (end <= first) return;
        cell = cell * inner.cells + first * inner.stride + phase.back() - inner.before;
        list.push_back({place_of(index, extents) + first, cell, end - first});
    });
}

void ShiftedGrid::find_outputs(const Windows& windows, const Shape& extents) {
    Shape lines = windows.output_space();
    const Index length = lines.back();
    lines.back() = 1;
    Index position = 0;
    for_indices(lines, [&](const Shape& index) {
        const Index grid = place_of(index, extents);
        if (!outputs_.empty() && outputs_.back().grid + outputs_.back().length == grid)
            outputs_.back().length += length;
        else
            outputs_.push_back({grid, position, length});
        position += length;
    });
}

} // namespace assay::network
