// Convolutions over one to three spatial axes, with groups, in one of three ways, by what share of
// the arithmetic counts: patches read where they stand (vectors over filters), shifted views of the
// images (vectors over positions), or blocks of patches (im2col) that fit the second-level cache.
// Threads share samples; gradients are sums of parts that are cut by shape only.
#include <assay/network/bilinear.hpp>
#include <assay/network/placed_convolution.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/core/error.hpp>
#include <assay/linalg/products.hpp>

namespace assay::network {
namespace {

constexpr Index kPatchBytes = 512 << 10;
// Below this share patches that are copied cost less.
constexpr double kLeastShare = 0.4, kLeastAdjointShare = 0.6;
// Parts of a gradient: so much work each, also for each weight that they must add up in the end.
constexpr double kPartFlops = 1 << 24, kPartFlopsPerWeight = 768;
constexpr Index kMostParts = 8;

template <class S>
class Convolution : public Bilinear<S> {
    using typename Bilinear<S>::ConstRows;
    using typename Bilinear<S>::MutableRows;

  public:
    explicit Convolution(const LayerRequest& request)
        : windows_(*request.keys, space_of(request.inputs[0].shape), false) {
        Keys& keys = *request.keys;
        const Shape& input = request.inputs[0].shape;
        filters_ = keys.count("filters", 1, Index{1} << 24);
        groups_ = keys.count("groups", 1, Index{1} << 24, 1);
        channels_ = input[0];
        if (channels_ % groups_ != 0 || filters_ % groups_ != 0)
            keys.refuse("groups", concat("expected a divisor of ", channels_, " channels and ",
                                         filters_, " filters, found ", groups_));
        in_ = channels_ / groups_;
        out_ = filters_ / groups_;
        patch_ = in_ * windows_.elements();
        this->output_.shape = windows_.output_space();
        this->output_.shape.insert(this->output_.shape.begin(), filters_);
        Shape weight = windows_.kernel();
        weight.insert(weight.begin(), {filters_, in_});
        const Index fan_out = out_ * windows_.elements();
        this->parameters_.push_back({"weight", weight, Role::weight, patch_, fan_out});
        if (keys.flag("bias", true))
            this->parameters_.push_back({"bias", {filters_}, Role::bias, patch_, fan_out});
        const Index bytes = patch_ * windows_.positions() * static_cast<Index>(sizeof(S));
        together_ = std::max<Index>(1, kPatchBytes / std::max<Index>(1, bytes));
        const double share = PlacedConvolution<S>::share({in_, out_});
        shifted_ = ShiftedConvolution<S>::make(windows_, {in_, out_}, std::max(share, kLeastShare));
        if (!shifted_ && share >= kLeastShare) placed_.emplace(windows_, GroupSizes{in_, out_});
    }
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(patch_) * static_cast<double>(this->output_.size());
    }

  protected:
    void product(const ConstRows& x, const S* w, MutableRows y, bool add) const override {
        by_samples(x.rows(), together(placed_.has_value()), [&](Index first, Index count) {
            product_of(x.middleRows(first, count), w, y.middleRows(first, count), add);
        });
    }
    void adjoint(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const override {
        by_samples(dx.rows(), together(adjoint_placed()), [&](Index first, Index count) {
            adjoint_of(cotangent.middleRows(first, count), w, dx.middleRows(first, count), add);
        });
    }
    void weight_gradient(const ConstRows& cotangent, const ConstRows& x, S* dw) const override {
        const Index parts = gradient_parts(x.rows()), size = this->weights();
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
    void add_bias(const S* bias, MutableRows y) const override {
        share_out(y.rows(), static_cast<double>(y.size()), [&](Index first, Index count) {
            for (Index sample = first; sample < first + count; ++sample)
                Eigen::Map<Rows<S>>(y.row(sample).data(), filters_, positions()).colwise() +=
                    Eigen::Map<const Column<S>>(bias, filters_);
        });
    }
    void bias_gradient(const ConstRows& cotangent, S* db) const override {
        share_out(filters_, static_cast<double>(cotangent.size()), [&](Index first, Index count) {
            for (Index filter = first; filter < first + count; ++filter) {
                S sum = db[filter];
                for (Index sample = 0; sample < cotangent.rows(); ++sample)
                    sum += Eigen::Map<const Column<S>>(
                               cotangent.row(sample).data() + filter * positions(), positions())
                               .sum();
                db[filter] = sum;
            }
        });
    }

  private:
    void product_of(const ConstRows& x, const S* w, MutableRows y, bool add) const {
        if (placed_)
            return each_group([&](Index image, Index output, Index weight) {
                placed_->product(steps(x, y), x.data() + image, w + weight, y.data() + output, add);
            });
        if (shifted_)
            return each_group([&](Index image, Index output, Index weight) {
                shifted_->product(steps(x, y), x.data() + image, w + weight, y.data() + output,
                                  add);
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
    void adjoint_of(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const {
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
    void gradient_of(const ConstRows& cotangent, const ConstRows& x, S* dw) const {
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
    [[nodiscard]] bool adjoint_placed() const {
        return placed_ && placed_->adjoint_share() >= kLeastAdjointShare;
    }
    // Samples that are best worked on at once, or whose bits could be others if they were not.
    [[nodiscard]] Index together(bool placed) const {
        if (placed) return 1;
        return shifted_ ? shifted_->joined() : together_;
    }
    [[nodiscard]] double work(Index samples) const {
        return flops() / 2 * static_cast<double>(samples) / kProductsANumber;
    }
    // Calls body(first, count) for shares of the samples.
    template <class Body>
    void by_samples(Index samples, Index unit, Body&& body) const {
        share_out((samples + unit - 1) / unit, work(samples), [&](Index first, Index count) {
            body(first * unit, std::min(samples - first * unit, count * unit));
        });
    }
    // By shape only. A power of two: equal shares for as many threads.
    [[nodiscard]] Index gradient_parts(Index samples) const {
        const double flops = this->flops() * static_cast<double>(samples);
        const double least =
            std::max(kPartFlops, kPartFlopsPerWeight * static_cast<double>(this->weights()));
        Index parts = 1;
        while (2 * parts <= std::min(kMostParts, samples / together(placed_.has_value())) &&
               flops >= least * static_cast<double>(2 * parts))
            parts *= 2;
        return parts;
    }
    // Adds arrays of `size` one after the other to `to`, in a fixed tree.
    static void add_up(Index parts, Index size, S* sums, S* to) {
        share_out(size, static_cast<double>(parts * size), [&](Index first, Index count) {
            const auto sum = [&](Index part) {
                return Eigen::Map<Column<S>>(sums + part * size + first, count);
            };
            for (Index stride = 1; stride < parts; stride *= 2)
                for (Index i = 0; i + stride < parts; i += 2 * stride) sum(i) += sum(i + stride);
            Eigen::Map<Column<S>>(to + first, count) += sum(0);
        });
    }
    struct Buffers {
        Rows<S> patches, outputs; // patch x (samples positions), out x (samples positions)
    };
    [[nodiscard]] Index positions() const { return windows_.positions(); }
    // body(image, output, weight): where a group begins in each of them.
    template <class Body>
    void each_group(Body&& body) const {
        for (Index group = 0; group < groups_; ++group)
            body(group * in_ * windows_.cells(), group * out_ * positions(), group * out_ * patch_);
    }
    template <class Images, class Outputs>
    static typename ShiftedConvolution<S>::Samples steps(const Images& images,
                                                         const Outputs& outputs) {
        return {images.rows(), images.outerStride(), outputs.outerStride()};
    }
    template <class Body>
    void each_block(Index samples, Body&& body) const {
        thread_local Buffers buffers;
        for (Index first = 0; first < samples; first += together_)
            for (Index group = 0; group < groups_; ++group)
                body(first, std::min(together_, samples - first), group, buffers);
    }
    template <class Body>
    void each_channel(Index first, Index count, Index group, Body&& body) const {
        for (Index i = 0; i < count; ++i)
            for (Index c = 0; c < in_; ++c)
                body(first + i, (group * in_ + c) * windows_.cells(), c * windows_.elements(), i);
    }
    template <class Body>
    void each_output(Index first, Index count, Index group, Body&& body) const {
        for (Index i = 0; i < count; ++i) body(first + i, group * out_ * positions(), i);
    }
    void collect(const ConstRows& x, Index first, Index count, Index group, Rows<S>& to) const {
        to.resize(patch_, count * positions());
        each_channel(first, count, group, [&](Index sample, Index cell, Index row, Index i) {
            windows_.gather(x.row(sample).data() + cell, to.row(row).data() + i * positions(),
                            to.cols());
        });
    }
    void collect_outputs(const ConstRows& d, Index first, Index count, Index group,
                         Rows<S>& to) const {
        to.resize(out_, count * positions());
        each_output(first, count, group, [&](Index sample, Index offset, Index i) {
            to.middleCols(i * positions(), positions()) =
                Eigen::Map<const Rows<S>>(d.row(sample).data() + offset, out_, positions());
        });
    }
    Windows windows_;
    std::optional<PlacedConvolution<S>> placed_;
    std::optional<ShiftedConvolution<S>> shifted_;
    Index filters_ = 0, channels_ = 0, groups_ = 1, in_ = 0, out_ = 0, patch_ = 0;
    Index together_ = 1; // samples a block
};

template <class S, Index kAxes>
std::unique_ptr<Layer<S>> make_convolution(const LayerRequest& request) {
    expect_rank(request, kAxes + 1, kAxes + 1);
    return std::make_unique<Convolution<S>>(request);
}

const LayerRegistration kConv1("conv1d", make_convolution<double, 1>, make_convolution<float, 1>);
const LayerRegistration kConv2("conv2d", make_convolution<double, 2>, make_convolution<float, 2>);
const LayerRegistration kConv3("conv3d", make_convolution<double, 3>, make_convolution<float, 3>);

} // namespace
} // namespace assay::network
