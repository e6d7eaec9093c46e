#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/ranks.hpp>
#include <assay/tensor_amp/settle_entries.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {

namespace {

constexpr Index kMostSlabRows = 1024; // as many terms may be summed in float
constexpr Index kSlabEntries = Index{1} << 22;
constexpr Index kMostGroups = 64;
constexpr Index kWorthSharing = Index{1} << 20; // entries

// Few enough rows that there are some 32 slabs and a slab fits into memory; many enough that adding
// up the slabs' sums costs little.
[[nodiscard]] Index slab_rows(Index rows, Index columns) {
    const Index by_size =
        std::clamp(kSlabEntries / std::max(columns, Index{1}), Index{128}, kMostSlabRows);
    const Index by_count = std::max(Index{64}, (rows + 31) / 32);
    return rounded_up(std::min(by_size, by_count), 8);
}

[[nodiscard]] Index count_entries(const Shape& shape) {
    if (shape.size() < 2 || shape.size() > 8)
        throw Error(concat("the tensor has ", shape.size(), " modes; 2 to 8 are expected"));
    if (std::any_of(shape.begin(), shape.end(), [](Index length) { return length < 1; }))
        throw Error("the tensor has a mode of length 0; it is empty");
    constexpr double most = 4e18; // bytes of doubles still fit an index
    if (!(8 * entry_count(shape) < most))
        throw Error("the tensor has more entries than can be told");
    Index count = 1;
    for (const Index length : shape) count *= length;
    return count;
}

} // namespace

Unfolding unfolding(const Shape& shape) {
    const Index total = count_entries(shape);
    Index rows = shape.front();
    Unfolding best{1, rows, total / rows, 0, 1};
    for (Index modes = 2; modes < static_cast<Index>(shape.size()); ++modes) {
        rows *= shape[static_cast<std::size_t>(modes - 1)];
        if (rows + total / rows <= best.rows + best.columns)
            best = {modes, rows, total / rows, 0, 1};
    }
    best.slab_rows = slab_rows(best.rows, best.columns);
    best.group_slabs = (Blocks{best.rows, best.slab_rows}.count() + kMostGroups - 1) / kMostGroups;
    return best;
}

bool worth_sharing(const Shape& shape) {
    return count_entries(shape) >= kWorthSharing && unfolding(shape).groups() > 1;
}

TensorSource::TensorSource(Shape shape, Storage storage)
    : shape_(std::move(shape)), unfolding_(unfolding(shape_)), size_(count_entries(shape_)),
      storage_(storage) {
    if (ranks::team() > 1 && worth_sharing(shape_)) share_ = {ranks::team(), ranks::rank()};
}

RowBlock TensorSource::own_group(Index round) const {
    RowBlock block;
    block.round_first = round * share_.ranks;
    block.round_groups = std::min<Index>(share_.ranks, unfolding_.groups() - block.round_first);
    if (share_.rank >= block.round_groups) return block;
    block.first = (block.round_first + share_.rank) * unfolding_.group_rows();
    block.count = std::min(unfolding_.group_rows(), unfolding_.rows - block.first);
    return block;
}

void TensorSource::visit(Content content, const Visitor& body) const {
    ++passes_;
    go_through(content, body);
}

MemoryTensor::MemoryTensor(DenseTensor tensor, Storage storage)
    : TensorSource(std::move(tensor.shape), storage), doubles_(std::move(tensor.values)),
      observed_(std::move(tensor.observed)) {
    check_entries(doubles_);
    if (storage == Storage::float64) return;
    floats_.resize(size());
    prefer_large_pages(floats_.data(), sizeof(float) * at(size()));
    floats_ = doubles_.cast<float>();
    doubles_.resize(0);
    settle(floats_.data(), nullptr, size(), false, 0);
}

MemoryTensor::MemoryTensor(FloatTensor tensor)
    : TensorSource(std::move(tensor.shape), Storage::float32), floats_(std::move(tensor.values)),
      observed_(std::move(tensor.observed)) {
    check_entries(floats_);
}

template <class Scalar>
void MemoryTensor::check_entries(Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& values) {
    if (values.size() != size())
        throw Error(concat("the tensor has ", values.size(), " values; its shape has ", size()));
    if (masked() && static_cast<Index>(observed_.size()) != size())
        throw Error(concat("the mask has ", observed_.size(), " entries; the tensor has ", size()));
    if (masked() && std::all_of(observed_.begin(), observed_.end(),
                                [](std::uint8_t flag) { return flag == 0; }))
        throw Error("no entry of the tensor was observed");
    settle(values.data(), masked() ? observed_.data() : nullptr, size(), false, 0);
}

void TensorSource::in_pieces(const Execution& run,
                             const std::function<void(Index, Index)>& body) const {
    constexpr Index length = Index{1} << 16;
    const Blocks pieces{size(), length};
    const Index wave = Index{16} * run.threads;
    for (Index first = 0; first < pieces.count(); first += wave) {
        run.monitor->stop_if_interrupted();
        parallel_blocks(std::min(wave, pieces.count() - first), run.threads, [&](Index i) {
            const Index begin = pieces.begin(first + i);
            body(begin, begin + pieces.extent(first + i));
        });
    }
}

std::unique_ptr<TensorSource> MemoryTensor::without(const Hidden& hidden,
                                                    const Execution& run) const {
    std::vector<std::uint8_t> observed = observed_;
    if (!masked()) observed.assign(at(size()), 1);
    in_pieces(run, [&](Index begin, Index end) {
        for (Index e = begin; e < end; ++e)
            if (observed[at(e)] != 0 && hidden(e)) observed[at(e)] = 0;
    });
    if (storage() == Storage::float32)
        return std::make_unique<MemoryTensor>(FloatTensor{shape(), floats_, std::move(observed)});
    return std::make_unique<MemoryTensor>(DenseTensor{shape(), doubles_, std::move(observed)});
}

void MemoryTensor::go_through(Content /*content*/, const Visitor& body) const {
    const auto with_entries = [this](RowBlock block) {
        const Index first = block.first * unfolded().columns;
        (storage() == Storage::float32)
            ? static_cast<void>(block.floats = floats_.data() + first)
            : static_cast<void>(block.doubles = doubles_.data() + first);
        if (masked()) block.observed = observed_.data() + first;
        return block;
    };
    if (share().ranks == 1) {
        RowBlock all;
        all.count = unfolded().rows;
        body(with_entries(all));
        return;
    }
    for (Index round = 0; round < share().rounds(unfolded().groups()); ++round)
        body(with_entries(own_group(round)));
}

} // namespace assay::tensor_amp
