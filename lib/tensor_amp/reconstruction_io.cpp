#include <assay/tensor_amp/reconstruction_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <algorithm>
#include <functional>
#include <numeric>

namespace assay::tensor_amp {
namespace {

// Predicted slices of the first mode, as many as fit the block.
struct PredictedSlab {
    Index first = 0, count = 0;
    std::vector<double> mean, deviation;
};

void for_each_slab(const Reconstruction& reconstruction, const ReconstructionOutput& output,
                   const Execution& run, const std::function<void(const PredictedSlab&)>& body) {
    const Index slices = reconstruction.shape().front(), size = reconstruction.slice_size();
    const double bytes = static_cast<double>(size) * sizeof(double) * (output.deviation ? 2 : 1);
    const auto most = static_cast<Index>(
        std::max(1.0, std::min(output.block_bytes / bytes, static_cast<double>(slices))));
    check_memory(static_cast<double>(most) * bytes, output.memory_bytes,
                 concat("slices of ", size, " entries"));
    PredictedSlab slab;
    for (slab.first = 0; slab.first < slices; slab.first += most) {
        run.monitor->stop_if_interrupted();
        slab.count = std::min(most, slices - slab.first);
        slab.mean.resize(at(slab.count * size));
        if (output.deviation) slab.deviation.resize(slab.mean.size());
        reconstruction.predict(slab.first, slab.count, slab.mean.data(),
                               output.deviation ? slab.deviation.data() : nullptr, run);
        body(slab);
        run.monitor->progress({static_cast<double>(slab.first + slab.count),
                               static_cast<double>(slices), "slices", ""});
    }
}

void write_indices(hdf5::Group& group, const Reconstruction& reconstruction) {
    for (Index a = 0; a < static_cast<Index>(reconstruction.shape().size()); ++a) {
        const auto& indices = reconstruction.indices(a);
        group.create_group("slices").write(
            concat("mode", a), std::vector<std::int64_t>(indices.begin(), indices.end()),
            {"slice", "", "index in the whole tensor"});
    }
}

// The place in the whole tensor of entry `flat` of the slices chosen, mode by mode.
void locate(Index flat, const Reconstruction& reconstruction, std::int64_t* index) {
    const Shape& shape = reconstruction.shape();
    for (Index a = static_cast<Index>(shape.size()) - 1; a >= 0; --a) {
        index[a] = reconstruction.indices(a)[at(flat % shape[at(a)])];
        flat /= shape[at(a)];
    }
}

Index flat_index(const std::int64_t* index, const Shape& whole) {
    Index flat = 0;
    for (std::size_t a = 0; a < whole.size(); ++a) flat = flat * whole[a] + index[a];
    return flat;
}

} // namespace

double write_reconstruction(hdf5::Group group, const Reconstruction& reconstruction,
                            const ReconstructionOutput& output, const Execution& run) {
    const std::string axes = join(output.mode_names, ",");
    const Shape& shape = reconstruction.shape();
    std::vector<hdf5::Dataset> datasets{
        group.create<double>("mean", shape, {axes, "", "predicted tensor without noise"})};
    if (output.deviation)
        datasets.push_back(group.create<double>(
            "std", shape, {axes, "", "its posterior standard deviation, noise not included"}));
    double sum = 0;
    for_each_slab(reconstruction, output, run, [&](const PredictedSlab& slab) {
        hdf5::Shape offset(shape.size(), 0), count = shape;
        offset[0] = slab.first;
        count[0] = slab.count;
        datasets[0].write_box(offset, count, slab.mean.data());
        if (!output.deviation) return;
        datasets[1].write_box(offset, count, slab.deviation.data());
        sum = std::accumulate(slab.deviation.begin(), slab.deviation.end(), sum);
    });
    write_indices(group, reconstruction);
    return sum / entry_count(shape);
}

Index write_missing_entries(hdf5::Group group, const Reconstruction& reconstruction,
                            const Shape& whole, const std::vector<std::uint8_t>& observed,
                            const ReconstructionOutput& output, const Execution& run) {
    const std::size_t order = whole.size();
    std::vector<std::int64_t> places, index(order);
    std::vector<double> mean, deviation;
    const auto missing = std::count(observed.begin(), observed.end(), std::uint8_t{0});
    // Lists grow by doubling.
    check_memory(2 * static_cast<double>(missing) * sizeof(double) *
                     (static_cast<double>(order) + (output.deviation ? 2 : 1)),
                 output.memory_bytes, concat("lists of ", missing, " missing entries"));
    for_each_slab(reconstruction, output, run, [&](const PredictedSlab& slab) {
        const Index begin = slab.first * reconstruction.slice_size();
        for (Index i = 0; i < static_cast<Index>(slab.mean.size()); ++i) {
            locate(begin + i, reconstruction, index.data());
            if (observed[at(flat_index(index.data(), whole))] != 0) continue;
            places.insert(places.end(), index.begin(), index.end());
            mean.push_back(slab.mean[at(i)]);
            if (output.deviation) deviation.push_back(slab.deviation[at(i)]);
        }
    });
    const auto count = static_cast<Index>(mean.size());
    group.write("index", places.data(), {count, static_cast<Index>(order)},
                {"entry,mode", "", "where in the tensor"});
    group.write("mean", mean, {"entry", "", "predicted value without noise"});
    if (output.deviation)
        group.write("std", deviation,
                    {"entry", "", "its posterior standard deviation, noise not included"});
    return count;
}

} // namespace assay::tensor_amp
