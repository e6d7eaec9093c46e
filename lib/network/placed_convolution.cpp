#include <assay/network/placed_convolution.hpp>

#include <numeric>

namespace assay::network {
namespace {

using linalg::Placed;
using linalg::Target;
using linalg::whole_vectors;

// Images and outputs over which one sum of the gradient runs stay in the second-level cache.
constexpr Index kTogetherBytes = 128 << 10;
constexpr Index kMostTogether = 64;

Target target(bool add) {
    return add ? Target::add : Target::set;
}

std::size_t length_of(Index count) {
    return static_cast<std::size_t>(count);
}

} // namespace

template <class S>
struct PlacedConvolution<S>::Buffers {
    std::vector<S> images, outputs, weight, result;
    std::vector<Index> steps;
    static Buffers& of_thread() {
        thread_local Buffers buffers;
        return buffers;
    }
};

template <class S>
PlacedConvolution<S>::PlacedConvolution(const Windows& windows, GroupSizes sizes)
    : grid_(windows), sizes_(sizes), cells_(windows.cells()), positions_(windows.positions()),
      elements_(windows.elements()) {
    std::vector<Index> numbers(length_of(grid_.cells()));
    std::iota(numbers.begin(), numbers.end(), Index{0});
    position_places_.resize(length_of(positions_));
    grid_.collect(numbers.data(), position_places_.data(), false);
    for (Index channel = 0; channel < sizes_.in; ++channel)
        for (const auto& place : grid_.places())
            patch_places_.push_back((channel * grid_.phases() + place.phase) * grid_.cells() +
                                    place.shift);
    find_phases();
    plain_ = phases_.size() == 1 && grid_.cells() == cells_ &&
             static_cast<Index>(phases_[0].cells.size()) == cells_;
}

template <class S>
void PlacedConvolution<S>::find_phases() {
    std::vector<Index> cells(length_of(cells_)), grids(length_of(grid_.phases() * grid_.cells()));
    std::iota(cells.begin(), cells.end(), Index{1}); // the grid has 0 where there is none
    grid_.lay_out(cells.data(), grids.data(), grid_.cells());
    for (Index number = 0; number < grid_.phases(); ++number) {
        Phase phase;
        for (Index place = 0; place < grid_.cells(); ++place) {
            const Index cell = grids[length_of(number * grid_.cells() + place)] - 1;
            if (cell < 0) continue;
            phase.cells.push_back(cell);
            phase.places.push_back(grid_.reach() + place);
        }
        for (Index element = 0; element < elements_; ++element)
            if (grid_.places()[length_of(element)].phase == number)
                phase.elements.push_back(element);
        for (Index filter = 0; filter < sizes_.out; ++filter)
            for (const Index element : phase.elements)
                phase.terms.push_back(filter * outputs_length() -
                                      grid_.places()[length_of(element)].shift);
        phases_.push_back(std::move(phase));
    }
    std::size_t met = 0;
    for (const auto& phase : phases_) met += phase.cells.size();
    covered_ = met == cells.size();
}

template <class S>
double PlacedConvolution<S>::share(GroupSizes sizes) {
    return static_cast<double>(sizes.out) / static_cast<double>(whole_vectors<S>(sizes.out));
}

template <class S>
double PlacedConvolution<S>::adjoint_share() const {
    double done = 0;
    for (const auto& phase : phases_)
        done +=
            static_cast<double>(phase.cells.size()) * static_cast<double>(phase.elements.size());
    return static_cast<double>(positions_ * elements_) / done * static_cast<double>(sizes_.in) /
           static_cast<double>(whole_vectors<S>(sizes_.in));
}

template <class S>
const S* PlacedConvolution<S>::laid_out(const S* image, S* room) const {
    if (plain_) return image;
    const Index size = grid_.phases() * grid_.cells();
    for (Index channel = 0; channel < sizes_.in; ++channel)
        grid_.lay_out(image + channel * cells_, room + channel * size, grid_.cells());
    return room;
}

template <class S>
void PlacedConvolution<S>::product(Samples samples, const S* images, const S* weight, S* outputs,
                                   bool add) const {
    Buffers& buffers = Buffers::of_thread();
    const Index width = whole_vectors<S>(sizes_.out);
    buffers.images.resize(length_of(grid_size()));
    buffers.result.resize(length_of(positions_ * width));
    buffers.weight.assign(length_of(patch() * width), S(0));
    linalg::transpose(sizes_.out, patch(), weight, patch(), Target::set, buffers.weight.data(),
                      width);
    for (Index i = 0; i < samples.count; ++i) {
        const S* image = laid_out(images + i * samples.image_step, buffers.images.data());
        linalg::placed_product(positions_, sizes_.out, patch(),
                               Placed<S>{image, position_places_.data(), patch_places_.data()},
                               buffers.weight.data(), width, Target::set, buffers.result.data(),
                               width);
        linalg::transpose(positions_, sizes_.out, buffers.result.data(), width, target(add),
                          outputs + i * samples.output_step, positions_);
    }
}

// Rows (phase, filter, element) of channels.
template <class S>
void PlacedConvolution<S>::turn_weight(const S* weight, S* to, Index width) const {
    for (const auto& phase : phases_)
        for (Index filter = 0; filter < sizes_.out; ++filter)
            for (const Index element : phase.elements) {
                for (Index channel = 0; channel < sizes_.in; ++channel)
                    to[channel] = weight[filter * patch() + channel * elements_ + element];
                to += width;
            }
}

// Rows of channels, a row a cell of the phase.
template <class S>
void PlacedConvolution<S>::put_back(const Phase& phase, const S* rows, Index width,
                                    linalg::Target target, S* image) const {
    const auto count = static_cast<Index>(phase.cells.size());
    if (count == cells_)
        return linalg::transpose(cells_, sizes_.in, rows, width, target, image, cells_);
    for (Index channel = 0; channel < sizes_.in; ++channel)
        for (Index n = 0; n < count; ++n) {
            S& cell = image[channel * cells_ + phase.cells[length_of(n)]];
            cell = (target == Target::add ? cell : S(0)) + rows[n * width + channel];
        }
}

// dx(c, q) = sum over filters o and elements e of the phase of w(o, c, e) d(o, q - shift(e)); the
// grid of outputs has zeros in front and where no position is.
template <class S>
void PlacedConvolution<S>::adjoint(Samples samples, const S* outputs, const S* weight, S* images,
                                   bool add) const {
    Buffers& buffers = Buffers::of_thread();
    const Index width = whole_vectors<S>(sizes_.in), length = outputs_length();
    buffers.outputs.assign(length_of(sizes_.out * length), S(0));
    buffers.result.resize(length_of(cells_ * width));
    buffers.weight.assign(length_of(sizes_.out * elements_ * width), S(0));
    turn_weight(weight, buffers.weight.data(), width);
    for (Index i = 0; i < samples.count; ++i) {
        for (Index filter = 0; filter < sizes_.out; ++filter)
            grid_.spread(outputs + i * samples.output_step + filter * positions_,
                         buffers.outputs.data() + filter * length + grid_.reach());
        S* const image = images + i * samples.image_step;
        if (!add && !covered_) std::fill_n(image, sizes_.in * cells_, S(0));
        const S* factors = buffers.weight.data();
        for (const auto& phase : phases_) {
            const auto terms = static_cast<Index>(phase.terms.size());
            const auto count = static_cast<Index>(phase.cells.size());
            linalg::placed_product(
                count, sizes_.in, terms,
                Placed<S>{buffers.outputs.data(), phase.places.data(), phase.terms.data()}, factors,
                width, Target::set, buffers.result.data(), width);
            factors += terms * width;
            put_back(phase, buffers.result.data(), width, target(add || !covered_), image);
        }
    }
}

template <class S>
void PlacedConvolution<S>::weight_gradient(Samples samples, const S* outputs, const S* images,
                                           S* weight) const {
    if (samples.count == 0) return;
    Buffers& buffers = Buffers::of_thread();
    const Index width = whole_vectors<S>(sizes_.out);
    const Index bytes = (grid_size() + positions_ * width) * static_cast<Index>(sizeof(S));
    const Index most =
        std::clamp<Index>(kTogetherBytes / bytes, 1, std::min(kMostTogether, samples.count));
    const Index image_step = plain_ ? samples.image_step : grid_size();
    buffers.images.resize(length_of(plain_ ? 0 : most * grid_size()));
    buffers.outputs.assign(length_of(most * positions_ * width), S(0));
    buffers.result.assign(length_of(patch() * width), S(0));
    buffers.steps.clear();
    for (Index i = 0; i < most; ++i)
        for (const Index place : position_places_) buffers.steps.push_back(i * image_step + place);
    for (Index first = 0; first < samples.count; first += most) {
        const Index count = std::min(most, samples.count - first);
        const S* image = images + first * samples.image_step;
        for (Index i = 0; i < count; ++i) {
            if (!plain_)
                laid_out(image + i * samples.image_step, buffers.images.data() + i * image_step);
            linalg::transpose(sizes_.out, positions_, outputs + (first + i) * samples.output_step,
                              positions_, Target::set,
                              buffers.outputs.data() + i * positions_ * width, width);
        }
        linalg::placed_product(patch(), sizes_.out, count * positions_,
                               Placed<S>{plain_ ? image : buffers.images.data(),
                                         patch_places_.data(), buffers.steps.data()},
                               buffers.outputs.data(), width, Target::add, buffers.result.data(),
                               width);
    }
    linalg::transpose(patch(), sizes_.out, buffers.result.data(), width, Target::add, weight,
                      patch());
}

template class PlacedConvolution<double>;
template class PlacedConvolution<float>;

} // namespace assay::network
