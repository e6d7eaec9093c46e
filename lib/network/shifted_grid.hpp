// The cells of an image in an order in which a kernel element meets, at all output positions, one
// shifted view: the padding stands there as zeros, and cells whose coordinates agree modulo the
// stride (a phase) stand together. Then convolutions are products with rows by pointer.
#pragma once

#include <assay/network/windows.hpp>

#include <algorithm>
#include <vector>

namespace assay::network {

class ShiftedGrid {
  public:
    explicit ShiftedGrid(const Windows& windows);

    // Where a kernel element meets the output position that stands at grid cell p: cell p + shift
    // of a phase.
    struct Place {
        Index phase = 0, shift = 0;
    };
    [[nodiscard]] const std::vector<Place>& places() const { return places_; } // of elements
    [[nodiscard]] Index phases() const { return static_cast<Index>(stretches_.size()); }
    [[nodiscard]] Index cells() const { return cells_; } // of each phase
    [[nodiscard]] Index span() const { return span_; }   // output positions stand below it
    [[nodiscard]] Index reach() const { return reach_; } // the largest shift

    // An image into the grids of all phases, `step` apart; all their cells are written.
    template <class S>
    void lay_out(const S* image, S* grids, Index step) const {
        for (std::size_t phase = 0; phase < stretches_.size(); ++phase) {
            S* const grid = grids + static_cast<Index>(phase) * step;
            Index done = 0;
            for (const Stretch& one : stretches_[phase]) {
                std::fill(grid + done, grid + one.grid, S(0));
                if (stride_ == 1)
                    std::copy_n(image + one.other, one.length, grid + one.grid);
                else
                    for (Index i = 0; i < one.length; ++i)
                        grid[one.grid + i] = image[one.other + i * stride_];
                done = one.grid + one.length;
            }
            std::fill(grid + done, grid + cells_, S(0));
        }
    }
    // The adjoint, of one phase.
    template <class S>
    void add_back(Index phase, const S* grid, S* image) const {
        for (const Stretch& one : stretches_[static_cast<std::size_t>(phase)])
            for (Index i = 0; i < one.length; ++i)
                image[one.other + i * stride_] += grid[one.grid + i];
    }
    // Numbers of output positions into a grid that is zero elsewhere, and back.
    template <class S>
    void spread(const S* outputs, S* grid) const {
        for (const Stretch& one : outputs_)
            std::copy_n(outputs + one.other, one.length, grid + one.grid);
    }
    template <class S>
    void collect(const S* grid, S* outputs, bool add) const {
        for (const Stretch& one : outputs_)
            for (Index i = 0; i < one.length; ++i)
                outputs[one.other + i] =
                    add ? outputs[one.other + i] + grid[one.grid + i] : grid[one.grid + i];
    }

  private:
    // Neighbours in the grid, which are `stride` (1 for outputs) apart elsewhere.
    struct Stretch {
        Index grid, other, length;
    };
    void find_stretches(const Windows& windows, const Shape& extents, const Shape& phase);
    void find_outputs(const Windows& windows, const Shape& extents);
    std::vector<Place> places_;
    std::vector<std::vector<Stretch>> stretches_; // of each phase
    std::vector<Stretch> outputs_;
    Index cells_ = 1, span_ = 1, reach_ = 0, stride_ = 1;
};

} // namespace assay::network
