#include <assay/network/shifted_convolution.hpp>

#include <assay/linalg/products.hpp>

namespace assay::network {
namespace {

using linalg::padded;

// Rows of about so many output positions keep the tiles full.
constexpr Index kLeastRow = 192;
// What the gradient's sums run over at once stays in the second-level cache.
constexpr Index kGradientBytes = 256 << 10;

} // namespace

template <class S>
struct ShiftedConvolution<S>::Buffers {
    std::vector<S> images, outputs, weight;
    std::vector<const S*> pointers;
    std::vector<std::size_t> elements; // of one phase
    std::vector<Index> terms;          // of each phase
    static Buffers& of_thread() {
        thread_local Buffers buffers;
        return buffers;
    }
};

template <class S>
ShiftedConvolution<S>::ShiftedConvolution(const Windows& windows, GroupSizes sizes)
    : grid_(windows), sizes_(sizes), cells_(windows.cells()), positions_(windows.positions()),
      elements_(windows.elements()) {
    if (grid_.span() < kLeastRow) joined_ = (kLeastRow + grid_.cells() - 1) / grid_.cells();
}

template <class S>
std::optional<ShiftedConvolution<S>>
ShiftedConvolution<S>::make(const Windows& windows, GroupSizes sizes, double least_share) {
    ShiftedConvolution made(windows, sizes);
    const double share = static_cast<double>(made.joined_ * made.positions_) /
                         static_cast<double>(padded(made.width()));
    if (share < least_share) return std::nullopt;
    return made;
}

template <class S>
Index ShiftedConvolution<S>::width() const {
    return (joined_ - 1) * grid_.cells() + grid_.span();
}

template <class S>
Index ShiftedConvolution<S>::row_length() const {
    return padded(joined_ * grid_.cells()) + padded(grid_.reach());
}

// Rows (channel, phase), zero behind the last sample.
template <class S>
void ShiftedConvolution<S>::lay_out(const S* images, Index step, Index count, S* rows) const {
    const Index length = row_length(), used = count * grid_.cells();
    for (Index channel = 0; channel < sizes_.in; ++channel) {
        S* const to = rows + channel * grid_.phases() * length;
        for (Index i = 0; i < count; ++i)
            grid_.lay_out(images + i * step + channel * cells_, to + i * grid_.cells(), length);
        for (Index phase = 0; phase < grid_.phases(); ++phase)
            std::fill_n(to + phase * length + used, length - used, S(0));
    }
}

// What every (channel, element) meets.
template <class S>
void ShiftedConvolution<S>::point(const S* rows, std::vector<const S*>& pointers) const {
    pointers.clear();
    for (Index channel = 0; channel < sizes_.in; ++channel)
        for (const auto& place : grid_.places())
            pointers.push_back(rows + (channel * grid_.phases() + place.phase) * row_length() +
                               place.shift);
}

template <class S>
void ShiftedConvolution<S>::product(Samples samples, const S* images, const S* weight, S* outputs,
                                    bool add) const {
    Buffers& buffers = Buffers::of_thread();
    const Index stride = padded(width());
    buffers.images.resize(static_cast<std::size_t>(sizes_.in * grid_.phases() * row_length()));
    buffers.outputs.resize(static_cast<std::size_t>(sizes_.out * stride));
    point(buffers.images.data(), buffers.pointers);
    for (Index first = 0; first < samples.count; first += joined_) {
        const Index count = std::min(joined_, samples.count - first);
        lay_out(images + first * samples.image_step, samples.image_step, count,
                buffers.images.data());
        linalg::row_pointer_product(sizes_.out, (count - 1) * grid_.cells() + grid_.span(), patch(),
                                    weight, buffers.pointers.data(), buffers.outputs.data(),
                                    stride);
        for (Index i = 0; i < count; ++i)
            for (Index filter = 0; filter < sizes_.out; ++filter)
                grid_.collect(buffers.outputs.data() + filter * stride + i * grid_.cells(),
                              outputs + (first + i) * samples.output_step + filter * positions_,
                              add);
    }
}

// dx(c, q) = sum over filters o and elements e of the phase of w(o, c, e) d(o, q - shift(e)): a
// product with shifted views of the outputs, which have zeros in front.
template <class S>
void ShiftedConvolution<S>::adjoint(Samples samples, const S* outputs, const S* weight,
                                    S* images) const {
    Buffers& buffers = Buffers::of_thread();
    const Index lead = grid_.reach(), width = padded(joined_ * grid_.cells());
    const Index length = lead + width;
    buffers.outputs.resize(static_cast<std::size_t>(sizes_.out * length));
    buffers.images.resize(static_cast<std::size_t>(sizes_.in * width));
    buffers.weight.clear();
    buffers.pointers.clear();
    buffers.terms.clear();
    for (Index phase = 0; phase < grid_.phases(); ++phase) {
        auto& elements = buffers.elements;
        elements.clear();
        for (std::size_t e = 0; e < grid_.places().size(); ++e)
            if (grid_.places()[e].phase == phase) elements.push_back(e);
        for (Index filter = 0; filter < sizes_.out; ++filter)
            for (const std::size_t e : elements)
                buffers.pointers.push_back(buffers.outputs.data() + filter * length + lead -
                                           grid_.places()[e].shift);
        for (Index channel = 0; channel < sizes_.in; ++channel)
            for (Index filter = 0; filter < sizes_.out; ++filter)
                for (const std::size_t e : elements)
                    buffers.weight.push_back(
                        weight[filter * patch() + channel * elements_ + static_cast<Index>(e)]);
        buffers.terms.push_back(sizes_.out * static_cast<Index>(elements.size()));
    }
    for (Index first = 0; first < samples.count; first += joined_) {
        const Index count = std::min(joined_, samples.count - first);
        std::fill(buffers.outputs.begin(), buffers.outputs.end(), S(0));
        for (Index i = 0; i < count; ++i)
            for (Index filter = 0; filter < sizes_.out; ++filter)
                grid_.spread(outputs + (first + i) * samples.output_step + filter * positions_,
                             buffers.outputs.data() + filter * length + lead + i * grid_.cells());
        const S* factors = buffers.weight.data();
        const S* const* pointers = buffers.pointers.data();
        for (Index phase = 0; phase < grid_.phases(); ++phase) {
            const Index number = buffers.terms[static_cast<std::size_t>(phase)];
            linalg::row_pointer_product(sizes_.in, count * grid_.cells(), number, factors, pointers,
                                        buffers.images.data(), width);
            for (Index i = 0; i < count; ++i)
                for (Index channel = 0; channel < sizes_.in; ++channel)
                    grid_.add_back(phase,
                                   buffers.images.data() + channel * width + i * grid_.cells(),
                                   images + (first + i) * samples.image_step + channel * cells_);
            factors += sizes_.in * number;
            pointers += number;
        }
    }
}

template <class S>
void ShiftedConvolution<S>::weight_gradient(Samples samples, const S* outputs, const S* images,
                                            S* weight) const {
    Buffers& buffers = Buffers::of_thread();
    const Index length = padded(width());
    const Index of_images = sizes_.in * grid_.phases() * row_length();
    const Index of_outputs = sizes_.out * length;
    const Index most = std::clamp<Index>(
        kGradientBytes / ((of_images + of_outputs) * static_cast<Index>(sizeof(S))), 1, 64);
    buffers.images.resize(static_cast<std::size_t>(most * of_images));
    buffers.outputs.resize(static_cast<std::size_t>(most * of_outputs));
    point(buffers.images.data(), buffers.pointers);
    for (Index first = 0; first < samples.count;) {
        Index part = 0;
        for (; part < most && first < samples.count; ++part, first += joined_) {
            const Index count = std::min(joined_, samples.count - first);
            lay_out(images + first * samples.image_step, samples.image_step, count,
                    buffers.images.data() + part * of_images);
            S* const to = buffers.outputs.data() + part * of_outputs;
            std::fill_n(to, of_outputs, S(0));
            for (Index i = 0; i < count; ++i)
                for (Index filter = 0; filter < sizes_.out; ++filter)
                    grid_.spread(outputs + (first + i) * samples.output_step + filter * positions_,
                                 to + filter * length + i * grid_.cells());
        }
        linalg::add_row_dots(sizes_.out, patch(), {part, length}, buffers.outputs.data(), length,
                             of_outputs, buffers.pointers.data(), of_images, weight);
    }
}

template class ShiftedConvolution<double>;
template class ShiftedConvolution<float>;

} // namespace assay::network
