// The three maps of a convolution over one to three spatial axes, with groups, in one of three
// ways, by what share of the arithmetic counts: patches read where they stand (vectors over
// filters), shifted views of the images (vectors over positions), or blocks of patches (im2col)
// that fit the second-level cache. Threads share samples; gradients are sums of parts that are cut
// by shape only. Images are rows of (channel, cell), outputs rows of (filter, position), weights
// (filter, channel of the group, element).
#pragma once

#include <assay/network/placed_convolution.hpp>

#include <optional>

namespace assay::network {

template <class S>
class ConvolutionMaps {
  public:
    using ConstRows = Eigen::Ref<const Rows<S>>;
    using MutableRows = Eigen::Ref<Rows<S>>;

    // `sizes`: channels and filters of each of the groups.
    ConvolutionMaps(Windows windows, GroupSizes sizes, Index groups);

    // y (+)= x w.
    void product(const ConstRows& x, const S* w, MutableRows y, bool add) const;
    // dx (+)= D w^T.
    void adjoint(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const;
    // dw += D^T x.
    void weight_gradient(const ConstRows& cotangent, const ConstRows& x, S* dw) const;

    // Multiplications and additions of one sample's product.
    [[nodiscard]] double flops() const;

  private:
    struct Buffers;
    [[nodiscard]] Index weights() const { return groups_ * out_ * patch_; }
    [[nodiscard]] Index positions() const { return windows_.positions(); }
    void product_of(const ConstRows& x, const S* w, MutableRows y, bool add) const;
    void adjoint_of(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const;
    void gradient_of(const ConstRows& cotangent, const ConstRows& x, S* dw) const;
    [[nodiscard]] bool adjoint_placed() const;
    [[nodiscard]] Index together(bool placed) const;
    [[nodiscard]] double work(Index samples) const;
    [[nodiscard]] Index gradient_parts(Index samples) const;
    static void add_up(Index parts, Index size, S* sums, S* to);
    template <class Body>
    void by_samples(Index samples, Index unit, Body&& body) const;
    template <class Body>
    void each_group(Body&& body) const;
    template <class Body>
    void each_block(Index samples, Body&& body) const;
    template <class Body>
    void each_channel(Index first, Index count, Index group, Body&& body) const;
    template <class Body>
    void each_output(Index first, Index count, Index group, Body&& body) const;
    template <class Images, class Outputs>
    static typename ShiftedConvolution<S>::Samples steps(const Images& images,
                                                         const Outputs& outputs);
    void collect(const ConstRows& x, Index first, Index count, Index group, Rows<S>& to) const;
    void collect_outputs(const ConstRows& d, Index first, Index count, Index group,
                         Rows<S>& to) const;

    Windows windows_;
    std::optional<PlacedConvolution<S>> placed_;
    std::optional<ShiftedConvolution<S>> shifted_;
    Index groups_, in_, out_, patch_;
    Index together_ = 1; // samples a block
};

} // namespace assay::network
