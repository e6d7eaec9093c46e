#include <assay/network/sample_source.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <numeric>

namespace assay::network {
namespace {

constexpr Index kBlockNumbers = 1 << 20;
constexpr Index kMostRows = 4096;

void check_counts(const Samples& samples) {
    const Index count = samples.count();
    const auto check = [&](const char* name, Index found) {
        if (found != 0 && found != count)
            throw Error(concat(name, ": ", found, " rows for ", count, " samples"));
    };
    check("values", samples.values.rows());
    check("mask", samples.mask.rows());
    check("lengths", static_cast<Index>(samples.lengths.size()));
    const auto classes = static_cast<Index>(samples.classes.size());
    if (classes % std::max<Index>(1, count) != 0) check("classes", classes);
}

} // namespace

SamplesInMemory::SamplesInMemory(Samples samples) : own_(std::move(samples)), samples_(&own_) {
    check_counts(own_);
}

SamplesInMemory::SamplesInMemory(const Samples* samples) : samples_(samples) {
    check_counts(*samples);
}

void SamplesInMemory::read(const std::vector<Index>& chosen, Samples& into) const {
    const Samples& from = *samples_;
    const auto number = static_cast<Index>(chosen.size());
    const auto per =
        static_cast<std::ptrdiff_t>(from.classes.size()) / std::max<Index>(1, from.count());
    into.input_shape = from.input_shape;
    into.input_axes = from.input_axes;
    into.target_shape = from.target_shape;
    into.inputs.resize(number, from.inputs.cols());
    into.values.resize(from.values.rows() > 0 ? number : 0, from.values.cols());
    into.mask.resize(from.mask.rows() > 0 ? number : 0, from.mask.cols());
    into.classes.clear();
    into.lengths.clear();
    for (Index i = 0; i < number; ++i) {
        const Index row = chosen[static_cast<std::size_t>(i)];
        into.inputs.row(i) = from.inputs.row(row);
        if (from.values.rows() > 0) into.values.row(i) = from.values.row(row);
        if (from.mask.rows() > 0) into.mask.row(i) = from.mask.row(row);
        into.classes.insert(into.classes.end(), from.classes.begin() + row * per,
                            from.classes.begin() + (row + 1) * per);
        if (!from.lengths.empty())
            into.lengths.push_back(from.lengths[static_cast<std::size_t>(row)]);
    }
}

std::vector<Index> consecutive(Index first, Index count) {
    std::vector<Index> rows(static_cast<std::size_t>(count));
    std::iota(rows.begin(), rows.end(), first);
    return rows;
}

Samples read_all(const SampleSource& source) {
    Samples all;
    source.read(consecutive(0, source.count()), all);
    return all;
}

Samples read_first(const SampleSource& source) {
    Samples one;
    source.read(consecutive(0, std::min<Index>(1, source.count())), one);
    return one;
}

void for_blocks(const SampleSource& source,
                const std::function<void(Index, const Samples&)>& body) {
    const Index width = std::max<Index>(1, read_first(source).inputs.cols());
    const Index rows = std::clamp<Index>(kBlockNumbers / width, 1, kMostRows);
    Samples block;
    for (Index first = 0; first < source.count(); first += rows) {
        const Index count = std::min(rows, source.count() - first);
        source.read(consecutive(first, count), block);
        if (first + count < source.count())
            source.announce(
                consecutive(first + count, std::min(rows, source.count() - first - count)));
        body(first, block);
    }
}

} // namespace assay::network
