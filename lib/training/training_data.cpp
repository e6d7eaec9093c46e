#include <assay/training/trainer.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

#include <cmath>

// The data of a run before it begins: splits, scales, standardisation, and the loss they call for.
namespace assay::training {
namespace {

void split_data(TrainingData& data, double fraction, std::uint64_t seed) {
    const Index count = data.train.count();
    const auto kept = static_cast<Index>(std::floor(fraction * static_cast<double>(count)));
    if (kept < 1 || kept >= count)
        throw Error(
            concat("train_fraction ", fraction, " of ", count, " samples leaves a split empty"));
    const auto order = Random(seed, "split").permutation(count);
    const auto pick = [&](Index first, Index number) {
        const network::Samples& all = data.train;
        network::Samples part = all;
        const auto per = static_cast<std::ptrdiff_t>(all.classes.size()) / count;
        part.inputs.resize(number, all.inputs.cols());
        part.values.resize(all.values.rows() > 0 ? number : 0, all.values.cols());
        part.mask.resize(all.mask.rows() > 0 ? number : 0, all.mask.cols());
        part.classes.clear();
        part.lengths.clear();
        for (Index i = 0; i < number; ++i) {
            const Index from = order[static_cast<std::size_t>(first + i)];
            part.inputs.row(i) = all.inputs.row(from);
            if (part.values.rows() > 0) part.values.row(i) = all.values.row(from);
            if (part.mask.rows() > 0) part.mask.row(i) = all.mask.row(from);
            part.classes.insert(part.classes.end(), all.classes.begin() + from * per,
                                all.classes.begin() + (from + 1) * per);
            if (!all.lengths.empty())
                part.lengths.push_back(all.lengths[static_cast<std::size_t>(from)]);
        }
        return part;
    };
    network::Samples train = pick(0, kept);
    data.held_out = pick(kept, count - kept);
    data.train = std::move(train);
}

// Mean and deviation of the training split: of every number, of every channel, or of all.
void standardize(TrainingData& data, const std::string& kind) {
    const RowMatrix& x = data.train.inputs;
    const Index groups = kind == "pixel" || kind == "pixel_mean" ? x.cols()
                         : kind == "channel"                     ? data.train.input_shape.at(0)
                                                                 : 1;
    const Index width = x.cols() / groups;
    for (Index g = 0; g < groups; ++g) {
        const auto block = x.middleCols(g * width, width);
        const double mean = block.mean();
        const double deviation = std::sqrt((block.array() - mean).square().mean());
        const double scale = deviation > 0 && kind != "pixel_mean" ? 1 / deviation : 1;
        const auto apply = [&](RowMatrix& inputs) {
            inputs.middleCols(g * width, width).array() -= mean;
            inputs.middleCols(g * width, width) *= scale;
        };
        if (data.held_out) apply(data.held_out->inputs);
        apply(data.train.inputs);
    }
}

} // namespace

void prepare(TrainingData& data, const DataSettings& settings, std::uint64_t seed) {
    if (settings.train_fraction > 0) split_data(data, settings.train_fraction, seed);
    if (settings.scale != 1) {
        data.train.inputs *= settings.scale;
        if (data.held_out) data.held_out->inputs *= settings.scale;
    }
    if (!settings.standardize.empty() && settings.standardize != "none")
        standardize(data, settings.standardize);
}

void resolve_loss(TrainingConfig& config, const TrainingData& data) {
    if (!config.loss.empty()) return;
    if (data.task)
        config.loss = data.task->loss();
    else
        config.loss = data.train.classes.empty() ? "mse" : "softmax_cross_entropy";
}

} // namespace assay::training
