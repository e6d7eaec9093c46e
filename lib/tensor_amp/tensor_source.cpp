#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/tensor_amp/settle_entries.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::tensor_amp {

namespace {

constexpr Index kMostSlabRows = 1024; // as many terms may be summed in float
constexpr Index kSlabEntries = Index{1} << 22;

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

template <class Scalar>
[[nodiscard]] double sum_of_squares(const Scalar* values, Index count) {
    std::array<double, 8> lanes{};
    const Index whole = count / 8 * 8;
    for (Index i = 0; i < whole; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane) {
            const auto value = static_cast<double>(values[i + static_cast<Index>(lane)]);
            lanes[lane] += value * value;
        }
    for (Index i = whole; i < count; ++i)
        lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    return sum;
}

} // namespace

Unfolding unfolding(const Shape& shape) {
    const Index total = count_entries(shape);
    Index rows = shape.front();
    Unfolding best{1, rows, total / rows, 0};
    for (Index modes = 2; modes < static_cast<Index>(shape.size()); ++modes) {
        rows *= shape[static_cast<std::size_t>(modes - 1)];
        if (rows + total / rows <= best.rows + best.columns) best = {modes, rows, total / rows, 0};
    }
    best.slab_rows = slab_rows(best.rows, best.columns);
    return best;
}

TensorSource::TensorSource(Shape shape, Storage storage)
    : shape_(std::move(shape)), unfolding_(unfolding(shape_)), size_(count_entries(shape_)),
      storage_(storage) {}

void TensorSource::visit(Content content, const Visitor& body) const {
    ++passes_;
    go_through(content, body);
}

double squared_norm(const TensorSource& source, const Execution& run) {
    const Index columns = source.unfolded().columns;
    double sum = 0;
    source.visit(Content::values, [&](const RowBlock& block) {
        run.monitor->stop_if_interrupted();
        const Blocks slabs{block.count, source.unfolded().slab_rows};
        std::vector<double> parts(static_cast<std::size_t>(slabs.count()));
        parallel_blocks(slabs.count(), run.threads, [&](Index slab) {
            const Index begin = slabs.begin(slab) * columns, count = slabs.extent(slab) * columns;
            parts[static_cast<std::size_t>(slab)] =
                source.storage() == Storage::float32 ? sum_of_squares(block.floats + begin, count)
                                                     : sum_of_squares(block.doubles + begin, count);
        });
        for (const double part : parts) sum += part;
    });
    return sum;
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

std::unique_ptr<TensorSource> MemoryTensor::without(const Hidden& hidden) const {
    std::vector<std::uint8_t> observed = observed_;
    if (!masked()) observed.assign(at(size()), 1);
    for (Index e = 0; e < size(); ++e)
        if (observed[at(e)] != 0 && hidden(e)) observed[at(e)] = 0;
    if (storage() == Storage::float32)
        return std::make_unique<MemoryTensor>(FloatTensor{shape(), floats_, std::move(observed)});
    return std::make_unique<MemoryTensor>(DenseTensor{shape(), doubles_, std::move(observed)});
}

void MemoryTensor::go_through(Content /*content*/, const Visitor& body) const {
    RowBlock block;
    block.count = unfolded().rows;
    (storage() == Storage::float32) ? static_cast<void>(block.floats = floats_.data())
                                    : static_cast<void>(block.doubles = doubles_.data());
    if (masked()) block.observed = observed_.data();
    body(block);
}

} // namespace assay::tensor_amp
