#include <assay/network/convolution_maps.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/linalg/products.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace assay::network {
namespace {

constexpr Index kPatchBytes = 512 << 10;
// Below this share patches that are copied cost less.
constexpr double kLeastShare = 0.4, kLeastAdjointShare = 0.6;
// Parts of a gradient: so much work each, also for each weight that they must add up in the end.
constexpr double kPartFlops = 1 << 24, kPartFlopsPerWeight = 768;
constexpr Index kMostParts = 8;

} // namespace

template <class S>
struct ConvolutionMaps<S>::Buffers {
    Rows<S> patches, outputs; // patch x (samples positions), out x (samples positions)
};

template <class S>
ConvolutionMaps<S>::ConvolutionMaps(Windows windows, GroupSizes sizes, Index groups)
    : windows_(std::move(windows)), groups_(groups), in_(sizes.in), out_(sizes.out),
      patch_(sizes.in * windows_.elements()) {
    const Index bytes = patch_ * windows_.positions() * static_cast<Index>(sizeof(S));
    together_ = std::max<Index>(1, kPatchBytes / std::max<Index>(1, bytes));
    const double share = PlacedConvolution<S>::share(sizes);
    shifted_ = ShiftedConvolution<S>::make(windows_, sizes, std::max(share, kLeastShare));
    if (!shifted_ && share >= kLeastShare) placed_.emplace(windows_, sizes);
}

template <class S>
double ConvolutionMaps<S>::flops() const {
    return 2.0 * static_cast<double>(patch_) * static_cast<double>(groups_ * out_ * positions());
}

template <class S>
void ConvolutionMaps<S>::product(const ConstRows& x, const S* w, MutableRows y, bool add) const {
    by_samples(x.rows(), together(placed_.has_value()), [&](Index first, Index count) {
        product_of(x.middleRows(first, count), w, y.middleRows(first, count), add);
    });
}

template <class S>
void ConvolutionMaps<S>::adjoint(const ConstRows& cotangent, const S* w, MutableRows dx,
                                 bool add) const {
    by_samples(dx.rows(), together(adjoint_placed()), [&](Index first, Index count) {
        adjoint_of(cotangent.middleRows(first, count), w, dx.middleRows(first, count), add);
    });
}

template <class S>
void ConvolutionMaps<S>::weight_gradient(const ConstRows& cotangent, const ConstRows& x,
                                         S* dw) const {
    const Index parts = gradient_parts(x.rows()), size = weights();
    if (parts < 2) return gradient_of(cotangent, x, dw);
    thread_local std::vector<S> room;
    room.resize(static_cast<std::size_t>(parts * size));
    S* const sums = room.data(); // of this thread, for all
    const Index units = x.rows() / together(placed_.has_value());
    const auto begin = [&](Index part) {
        return part == parts ? x.rows() : part * units / parts * together(placed_.has_value());
    };
    share_out(parts, work(x.rows()), [&](Index one, Index count) {
        for (Index part = one; part < one + count; ++part) {
            const Index first = begin(part), samples = begin(part + 1) - first;
            S* const to = sums + part * size;
            std::fill_n(to, size, S(0));
            gradient_of(cotangent.middleRows(first, samples), x.middleRows(first, samples), to);
        }
    });
    add_up(parts, size, sums, dw);
}

template <class S>
void ConvolutionMaps<S>::product_of(const ConstRows& x, const S* w, MutableRows y, bool add) const {
    if (placed_)
        return each_group([&](Index image, Index output, Index weight) {
            placed_->product(steps(x, y), x.data() + image, w + weight, y.data() + output, add);
        });
    if (shifted_)
        return each_group([&](Index image, Index output, Index weight) {
            shifted_->product(steps(x, y), x.data() + image, w + weight, y.data() + output, add);
        });
    each_block(x.rows(), [&](Index first, Index count, Index group, Buffers& buffers) {
        collect(x, first, count, group, buffers.patches);
        buffers.outputs.resize(out_, count * positions());
        linalg::multiply(out_, buffers.patches.cols(), patch_,
                         linalg::plain(w + group * out_ * patch_, patch_),
                         linalg::plain(buffers.patches.data(), buffers.patches.cols()),
                         linalg::Target::set, buffers.outputs.data(), buffers.outputs.cols());
        each_output(first, count, group, [&](Index sample, Index offset, Index i) {
            Eigen::Map<Rows<S>> to(y.row(sample).data() + offset, out_, positions());
            const auto from = buffers.outputs.middleCols(i * positions(), positions());
            if (add)
                to += from;
            else
                to = from;
        });
    });
}

template <class S>
void ConvolutionMaps<S>::adjoint_of(const ConstRows& cotangent, const S* w, MutableRows dx,
                                    bool add) const {
    if (adjoint_placed())
        return each_group([&](Index image, Index output, Index weight) {
            placed_->adjoint(steps(dx, cotangent), cotangent.data() + output, w + weight,
                             dx.data() + image, add);
        });
    if (!add) dx.setZero();
    if (shifted_)
        return each_group([&](Index image, Index output, Index weight) {
            shifted_->adjoint(steps(dx, cotangent), cotangent.data() + output, w + weight,
                              dx.data() + image);
        });
    each_block(cotangent.rows(), [&](Index first, Index count, Index group, Buffers& buffers) {
        collect_outputs(cotangent, first, count, group, buffers.outputs);
        buffers.patches.resize(patch_, count * positions());
        linalg::multiply(patch_, buffers.outputs.cols(), out_,
                         linalg::transposed(w + group * out_ * patch_, patch_),
                         linalg::plain(buffers.outputs.data(), buffers.outputs.cols()),
                         linalg::Target::set, buffers.patches.data(), buffers.patches.cols());
        each_channel(first, count, group, [&](Index sample, Index cell, Index row, Index i) {
            windows_.scatter_add(dx.row(sample).data() + cell,
                                 buffers.patches.row(row).data() + i * positions(),
                                 buffers.patches.cols());
        });
    });
}

template <class S>
void ConvolutionMaps<S>::gradient_of(const ConstRows& cotangent, const ConstRows& x, S* dw) const {
    if (placed_)
        return each_group([&](Index image, Index output, Index weight) {
            placed_->weight_gradient(steps(x, cotangent), cotangent.data() + output,
                                     x.data() + image, dw + weight);
        });
    if (shifted_)
        return each_group([&](Index image, Index output, Index weight) {
            shifted_->weight_gradient(steps(x, cotangent), cotangent.data() + output,
                                      x.data() + image, dw + weight);
        });
    each_block(x.rows(), [&](Index first, Index count, Index group, Buffers& buffers) {
        collect(x, first, count, group, buffers.patches);
        collect_outputs(cotangent, first, count, group, buffers.outputs);
        linalg::multiply(out_, patch_, buffers.outputs.cols(),
                         linalg::plain(buffers.outputs.data(), buffers.outputs.cols()),
                         linalg::transposed(buffers.patches.data(), buffers.patches.cols()),
                         linalg::Target::add, dw + group * out_ * patch_, patch_);
    });
}

template <class S>
bool ConvolutionMaps<S>::adjoint_placed() const {
    return placed_ && placed_->adjoint_share() >= kLeastAdjointShare;
}

// Samples that are best worked on at once, or whose bits could be others if they were not.
template <class S>
Index ConvolutionMaps<S>::together(bool placed) const {
    if (placed) return 1;
    return shifted_ ? shifted_->joined() : together_;
}

template <class S>
double ConvolutionMaps<S>::work(Index samples) const {
    return flops() / 2 * static_cast<double>(samples) / kProductsANumber;
}

// Calls body(first, count) for shares of the samples.
template <class S>
template <class Body>
void ConvolutionMaps<S>::by_samples(Index samples, Index unit, Body&& body) const {
    share_out((samples + unit - 1) / unit, work(samples), [&](Index first, Index count) {
        body(first * unit, std::min(samples - first * unit, count * unit));
    });
}

// By shape only. A power of two: equal shares for as many threads.
template <class S>
Index ConvolutionMaps<S>::gradient_parts(Index samples) const {
    const double all = flops() * static_cast<double>(samples);
    const double least = std::max(kPartFlops, kPartFlopsPerWeight * static_cast<double>(weights()));
    Index parts = 1;
    while (2 * parts <= std::min(kMostParts, samples / together(placed_.has_value())) &&
           all >= least * static_cast<double>(2 * parts))
        parts *= 2;
    return parts;
}

// Adds arrays of `size` one after the other to `to`, in a fixed tree.
template <class S>
void ConvolutionMaps<S>::add_up(Index parts, Index size, S* sums, S* to) {
    share_out(size, static_cast<double>(parts * size), [&](Index first, Index count) {
        const auto sum = [&](Index part) {
            return Eigen::Map<Column<S>>(sums + part * size + first, count);
        };
        for (Index stride = 1; stride < parts; stride *= 2)
            for (Index i = 0; i + stride < parts; i += 2 * stride) sum(i) += sum(i + stride);
        Eigen::Map<Column<S>>(to + first, count) += sum(0);
    });
}

// body(image, output, weight): where a group begins in each of them.
template <class S>
template <class Body>
void ConvolutionMaps<S>::each_group(Body&& body) const {
    for (Index group = 0; group < groups_; ++group)
        body(group * in_ * windows_.cells(), group * out_ * positions(), group * out_ * patch_);
}

template <class S>
template <class Images, class Outputs>
typename ShiftedConvolution<S>::Samples ConvolutionMaps<S>::steps(const Images& images,
                                                                  const Outputs& outputs) {
    return {images.rows(), images.outerStride(), outputs.outerStride()};
}

template <class S>
template <class Body>
void ConvolutionMaps<S>::each_block(Index samples, Body&& body) const {
    thread_local Buffers buffers;
    for (Index first = 0; first < samples; first += together_)
        for (Index group = 0; group < groups_; ++group)
            body(first, std::min(together_, samples - first), group, buffers);
}

template <class S>
template <class Body>
void ConvolutionMaps<S>::each_channel(Index first, Index count, Index group, Body&& body) const {
    for (Index i = 0; i < count; ++i)
        for (Index c = 0; c < in_; ++c)
            body(first + i, (group * in_ + c) * windows_.cells(), c * windows_.elements(), i);
}

template <class S>
template <class Body>
void ConvolutionMaps<S>::each_output(Index first, Index count, Index group, Body&& body) const {
    for (Index i = 0; i < count; ++i) body(first + i, group * out_ * positions(), i);
}

template <class S>
void ConvolutionMaps<S>::collect(const ConstRows& x, Index first, Index count, Index group,
                                 Rows<S>& to) const {
    to.resize(patch_, count * positions());
    each_channel(first, count, group, [&](Index sample, Index cell, Index row, Index i) {
        windows_.gather(x.row(sample).data() + cell, to.row(row).data() + i * positions(),
                        to.cols());
    });
}

template <class S>
void ConvolutionMaps<S>::collect_outputs(const ConstRows& d, Index first, Index count, Index group,
                                         Rows<S>& to) const {
    to.resize(out_, count * positions());
    each_output(first, count, group, [&](Index sample, Index offset, Index i) {
        to.middleCols(i * positions(), positions()) =
            Eigen::Map<const Rows<S>>(d.row(sample).data() + offset, out_, positions());
    });
}

template class ConvolutionMaps<double>;
template class ConvolutionMaps<float>;

} // namespace assay::network
