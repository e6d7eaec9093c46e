// The three maps of a convolution as products with shifted views of the image (linalg/products.hpp,
// shifted_grid.hpp): no matrix of patches is made. One group of channels at a time.
#pragma once

#include <assay/network/shifted_grid.hpp>

#include <optional>

namespace assay::network {

// Channels of a group, and filters.
struct GroupSizes {
    Index in = 1, out = 1;
};

template <class S>
class ShiftedConvolution {
  public:
    // None where less than a share of the grid would be output positions.
    static std::optional<ShiftedConvolution> make(const Windows& windows, GroupSizes sizes,
                                                  double least_share);

    // Samples that are worked on at once: counts that are no multiple leave room unused.
    [[nodiscard]] Index joined() const { return joined_; }

    // Images and outputs of `count` samples, `step` apart, from the group's first channel on;
    // weight (out x in x element).
    struct Samples {
        Index count = 0, image_step = 0, output_step = 0;
    };
    void product(Samples samples, const S* images, const S* weight, S* outputs, bool add) const;
    // Adds to images.
    void adjoint(Samples samples, const S* outputs, const S* weight, S* images) const;
    void weight_gradient(Samples samples, const S* outputs, const S* images, S* weight) const;

  private:
    ShiftedConvolution(const Windows& windows, GroupSizes sizes);
    struct Buffers;
    void lay_out(const S* images, Index step, Index count, S* rows) const;
    [[nodiscard]] Index row_length() const; // of a laid out channel
    [[nodiscard]] Index width() const;      // of the outputs of the samples in one row
    [[nodiscard]] Index patch() const { return sizes_.in * elements_; }
    void point(const S* rows, std::vector<const S*>& pointers) const;

    ShiftedGrid grid_;
    GroupSizes sizes_;
    Index cells_, positions_, elements_; // of image, output, kernel
    Index joined_ = 1;                   // samples side by side in a row
};

} // namespace assay::network
