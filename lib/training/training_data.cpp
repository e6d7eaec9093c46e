#include <assay/training/trainer.hpp>

#include <assay/network/loss.hpp>
#include <assay/training/batches.hpp>

#include <nlohmann/json.hpp>

// The data of a run before it begins: splits, scales, standardisation, and the loss they call for.
namespace assay::training {

void prepare(TrainingData& data, const DataSettings& settings, std::uint64_t seed,
             const std::string& place) {
    data.survey = survey(*data.train, place);
    const auto raw = data.train;
    std::vector<Index> held_out;
    std::optional<std::vector<Index>> kept;
    if (settings.train_fraction > 0) {
        held_out = held_out_rows(raw->count(), settings.train_fraction, seed);
        kept = other_rows(raw->count(), held_out);
        data.held_out = std::make_shared<PreparedSamples>(raw, held_out, Preprocessing{});
        data.train = std::make_shared<PreparedSamples>(raw, kept, Preprocessing{});
    }
    data.preprocessing = measure_inputs(*data.train, settings);
    data.preprocessing.held_out = std::move(held_out);
    if (!data.preprocessing.changes_inputs()) return;
    data.train = std::make_shared<PreparedSamples>(raw, kept, data.preprocessing);
    if (data.held_out)
        data.held_out =
            std::make_shared<PreparedSamples>(data.held_out, std::nullopt, data.preprocessing);
}

void warn_of_doubled_output(const std::string& architecture, network::LossKind loss,
                            Monitor& monitor) {
    const char* const doubled = loss == network::LossKind::softmax_cross_entropy   ? "softmax"
                                : loss == network::LossKind::sigmoid_cross_entropy ? "sigmoid"
                                                                                   : nullptr;
    if (doubled == nullptr) return;
    const network::Network<float> network(architecture);
    const std::string last = network.node_name(network.output_node());
    const auto json = nlohmann::json::parse(architecture);
    for (const auto& layer : json.at("layers"))
        if (layer.value("name", "") == last && layer.value("function", "") == doubled)
            monitor.warn("layer '" + last + "' is a " + doubled + ", which " +
                         network::loss_name(loss) + " applies once more; without the layer the " +
                         "loss is as meant");
}

void resolve_spans(TrainingConfig& config, const TrainingData& data,
                   const std::optional<std::string>& begun) {
    if (!config.steps && !config.epochs) return; // refused later, after other mistakes
    const auto length = [&](const TrainingConfig& c) {
        return total_steps(c, BatchPlan(c, data.train->count()).per_epoch());
    };
    const TrainingConfig first = begun ? read_config(*begun, {}, "saved run") : config;
    // Spans that the first run had; runs of before do not tell them: they are their lengths.
    const auto fill = [&](Index& span, bool has, Index of_first) {
        if (span == 0) span = !has ? length(config) : of_first > 0 ? of_first : length(first);
    };
    if (config.checkpoints.kind == "log")
        fill(config.horizon, first.checkpoints.kind == "log", first.horizon);
    if (falls(config.schedule))
        fill(config.schedule.period, falls(first.schedule), first.schedule.period);
}

void resolve_loss(TrainingConfig& config, const TrainingData& data) {
    if (!config.loss.empty()) return;
    const network::Samples one = network::read_first(*data.train);
    // A task knows better only what kind of numbers its values are.
    config.loss =
        data.task && one.classes.empty()
            ? data.task->loss()
            : network::usual_loss(one, network::Network<double>(config.architecture).output());
}

} // namespace assay::training
