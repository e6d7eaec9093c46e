#include <assay/cnmf/model_io.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::cnmf {
namespace {

constexpr Index kWrittenBins = 4096;

// Writes units x bins in blocks of bins from `block(first, count)`.
template <class Scalar, class Block>
void write_blocks(hdf5::Group& group, const std::string& name, Index units, Index bins,
                  const hdf5::ArrayInfo& info, const Block& block, Monitor& monitor) {
    constexpr Index kChunkNumbers = Index{1} << 16;
    const Index chunk_bins = std::min(kWrittenBins, bins),
                chunk_units = std::clamp<Index>(kChunkNumbers / chunk_bins, 1, units);
    std::optional<hdf5::Dataset> dataset;
    for (Index first = 0; first < bins; first += kWrittenBins) {
        monitor.stop_if_interrupted();
        const Index count = std::min(kWrittenBins, bins - first);
        const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows =
            block(first, count).template cast<Scalar>();
        if (!dataset)
            dataset = group.create<Scalar>(name, {units, bins}, info, {chunk_units, chunk_bins},
                                           rows.data(), rows.size());
        dataset->write_box({0, first}, {units, count}, rows.data());
        monitor.progress(
            {static_cast<double>(first + count), static_cast<double>(bins), "bins", ""});
    }
}

} // namespace

void write_recording(hdf5::Group data, const Recording& r, const RecordingFacts& facts,
                     StoredValues values, const std::string& description, Monitor& monitor) {
    const hdf5::ArrayInfo info{"unit,time", values == StoredValues::counts ? "count" : "",
                               description};
    const auto block = [&](Index first, Index count) { return r.read(first, count); };
    if (values == StoredValues::counts)
        write_blocks<std::uint16_t>(data, "X", r.units(), r.bins(), info, block, monitor);
    else if (values == StoredValues::float32)
        write_blocks<float>(data, "X", r.units(), r.bins(), info, block, monitor);
    else
        write_blocks<double>(data, "X", r.units(), r.bins(), info, block, monitor);
    if (facts.bin_seconds) data.dataset("X").set_attribute("dt", *facts.bin_seconds);
    write_neighbours(data, facts);
}

std::int64_t write_counts(hdf5::Group data, const Recording& r, const RecordingFacts& facts,
                          Monitor& monitor) {
    const SparseMatrix counts = r.read_sparse(0, r.bins());
    const auto total = static_cast<std::int64_t>(counts.sum());
    double largest = 0;
    for (Index i = 0; i < counts.nonZeros(); ++i) largest = std::max(largest, counts.valuePtr()[i]);
    if (largest > 65535)
        throw Error(concat("a bin holds ", largest,
                           " spikes; at most 65535 can be stored (a smaller --dt is expected)"));
    constexpr double kSparse = 0.05;
    if (static_cast<double>(counts.nonZeros()) >= kSparse * static_cast<double>(counts.size())) {
        write_recording(data, r, facts, StoredValues::counts, "spike counts", monitor);
        return total;
    }
    hdf5::Group group = data.create_group("X");
    group.set_attribute("format", "csc");
    group.set_attribute("axes", "unit,time");
    group.set_attribute("description", "spike counts, non-zeros by time bin");
    if (facts.bin_seconds) group.set_attribute("dt", *facts.bin_seconds);
    const auto stored = static_cast<std::size_t>(counts.nonZeros());
    const std::vector<std::uint16_t> values(counts.valuePtr(), counts.valuePtr() + stored);
    const std::vector<std::int32_t> units(counts.innerIndexPtr(), counts.innerIndexPtr() + stored);
    const std::vector<std::int64_t> starts(counts.outerIndexPtr(),
                                           counts.outerIndexPtr() + counts.outerSize() + 1);
    group.write("data", values, {"entry", "count", "spikes"});
    group.write("indices", units, {"entry", "", "unit of each entry"});
    group.write("indptr", starts, {"bin", "", "first entry of each bin"});
    group.write("shape", std::vector<std::int64_t>{counts.rows(), counts.cols()},
                {"axis", "", "units and bins"});
    write_neighbours(data, facts);
    return total;
}

void write_truth(hdf5::Group truth, const Synthetic& s) {
    ModelFacts facts;
    static_cast<RecordingFacts&>(facts) = facts_of(*s.recording);
    write_model(truth, s.truth, facts);
    truth.write("unit_component", s.unit_component,
                {"unit", "", "component that a unit belongs to; -1: none"});
    if (s.event_bin.empty()) return;
    truth.write("event_bin", s.event_bin, {"event", "bin", "when a sequence starts"});
    truth.write("event_component", s.event_component, {"event", "", "which sequence"});
}

void write_reconstruction(hdf5::Group data, const Model& model, const ModelFacts& facts,
                          Monitor& monitor) {
    const TimeAxis axis(model.activations.cols(), facts.segment_start, model.lags);
    const TimeMatrix h = axis.padded(model.activations);
    const bool scaled = facts.unit_scale.size() == model.units();
    write_blocks<double>(
        data, "Xhat", model.units(), axis.bins(),
        {"unit,time", "", "reconstruction by the model, in the units of the data"},
        [&](Index first, Index count) -> Matrix {
            Matrix block = reconstruct(model, axis, h, first, count);
            if (scaled) block = facts.unit_scale.cwiseInverse().asDiagonal() * block;
            return block;
        },
        monitor);
    if (facts.bin_seconds) data.dataset("Xhat").set_attribute("dt", *facts.bin_seconds);
    write_neighbours(data, facts);
}

} // namespace assay::cnmf
