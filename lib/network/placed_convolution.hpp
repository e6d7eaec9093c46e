// The three maps of a convolution as products whose vectors run over filters or channels, and where
// a patch is read where it stands in the image, by tables of places (linalg/products.hpp,
// shifted_grid.hpp): no matrix of patches is made, and no position outside the output is computed.
// One group of channels at a time.
#pragma once

#include <assay/linalg/products.hpp>
#include <assay/network/shifted_convolution.hpp>

namespace assay::network {

template <class S>
class PlacedConvolution {
  public:
    PlacedConvolution(const Windows& windows, GroupSizes sizes);
    using Samples = typename ShiftedConvolution<S>::Samples;

    // The share of the arithmetic that counts: of product and weight_gradient, and of adjoint.
    [[nodiscard]] static double share(GroupSizes sizes);
    [[nodiscard]] double adjoint_share() const;

    void product(Samples samples, const S* images, const S* weight, S* outputs, bool add) const;
    void adjoint(Samples samples, const S* outputs, const S* weight, S* images, bool add) const;
    // Adds to weight.
    void weight_gradient(Samples samples, const S* outputs, const S* images, S* weight) const;

  private:
    struct Buffers;
    // What meets the outputs in the adjoint, cells whose coordinates agree modulo the stride.
    struct Phase {
        std::vector<Index> cells;  // of the image
        std::vector<Index> places; // theirs in the grid of outputs
        std::vector<Index> elements;
        std::vector<Index> terms; // places of (filter, element) relative to them
    };
    void find_phases();
    [[nodiscard]] Index patch() const { return sizes_.in * elements_; }
    [[nodiscard]] Index grid_size() const { return sizes_.in * grid_.phases() * grid_.cells(); }
    [[nodiscard]] Index outputs_length() const { return grid_.reach() + grid_.cells(); }
    void turn_weight(const S* weight, S* to, Index width) const;
    void put_back(const Phase& phase, const S* rows, Index width, linalg::Target target,
                  S* image) const;
    // An image as the tables have it: itself, or laid out in `room`.
    const S* laid_out(const S* image, S* room) const;

    ShiftedGrid grid_;
    GroupSizes sizes_;
    Index cells_, positions_, elements_; // of image, output, kernel
    bool plain_ = false;                 // the grid is the image
    bool covered_ = false;               // every cell of the image meets an element
    std::vector<Index> position_places_; // in the grid
    std::vector<Index> patch_places_;    // of (channel, element), relative to a position's
    std::vector<Phase> phases_;
};

} // namespace assay::network
