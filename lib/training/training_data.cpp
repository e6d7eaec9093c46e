#include <assay/training/trainer.hpp>

// The data of a run before it begins: splits, scales, standardisation, and the loss they call for.
namespace assay::training {

void prepare(TrainingData& data, const DataSettings& settings, std::uint64_t seed) {
    data.digest = digest_of_samples(data.train);
    std::vector<Index> held_out;
    if (settings.train_fraction > 0) {
        const Index count = data.train.count();
        held_out = held_out_rows(count, settings.train_fraction, seed);
        data.held_out = choose_rows(data.train, held_out);
        data.train = choose_rows(data.train, other_rows(count, held_out));
    }
    data.preprocessing = measure_inputs(data.train, settings);
    data.preprocessing.held_out = std::move(held_out);
    apply(data.preprocessing, data.train);
    if (data.held_out) apply(data.preprocessing, *data.held_out);
}

void resolve_loss(TrainingConfig& config, const TrainingData& data) {
    if (!config.loss.empty()) return;
    if (data.task)
        config.loss = data.task->loss();
    else
        config.loss = data.train.classes.empty() ? "mse" : "softmax_cross_entropy";
}

} // namespace assay::training
