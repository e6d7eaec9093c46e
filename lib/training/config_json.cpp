#include <assay/training/config_json.hpp>

#include <assay/core/json.hpp>

#include <nlohmann/json.hpp>

#include <set>

namespace assay::training {
namespace {

Json checkpoints_json(const CheckpointSettings& c) {
    if (c.kind == "list") return {{"list", c.list}};
    return {{c.kind, c.number}};
}

const char* clip_name(ClipMode mode) {
    switch (mode) {
    case ClipMode::global_norm:
        return "global_norm";
    case ClipMode::layer_norm:
        return "layer_norm";
    case ClipMode::value:
        return "value";
    case ClipMode::none:
        break;
    }
    return "none";
}

void collect_differences(const Json& one, const Json& other, const std::string& path,
                         std::vector<std::string>& found) {
    if (one.is_object() && other.is_object()) {
        std::set<std::string> names;
        for (const auto& [key, unused] : one.items()) names.insert(key);
        for (const auto& [key, unused] : other.items()) names.insert(key);
        for (const auto& key : names)
            collect_differences(one.value(key, Json()), other.value(key, Json()),
                                path.empty() ? key : path + "." + key, found);
        return;
    }
    if (one != other) found.push_back(path);
}

// Runs of before left the length of a falling schedule untold: it was their own (resolve_spans).
void forget_untold_period(Json& one, Json& two) {
    const auto untold = [](const Json& config) {
        return config.contains("schedule") && config["schedule"].value("period", 0) == 0;
    };
    if (!untold(one) && !untold(two)) return;
    for (Json* config : {&one, &two})
        if (config->contains("schedule")) (*config)["schedule"].erase("period");
}

} // namespace

std::string config_json(const TrainingConfig& c) {
    Json json{{"format", "assay-training/1"},
              {"seed", c.seed},
              {"precision", c.precision == Precision::float64 ? "float64" : "float32"},
              {"loss", c.loss},
              {"epsilon", c.epsilon},
              {"truncate", c.truncate},
              {"rate_penalty", c.rate_penalty},
              {"batch_size", c.batch_size},
              {"full_batch", c.full_batch},
              {"online", c.online},
              {"samples", c.samples},
              {"horizon", c.horizon},
              {"sampling", c.sampling == Sampling::epoch         ? "epoch"
                           : c.sampling == Sampling::replacement ? "replacement"
                                                                 : "sequential"},
              {"last_batch", c.last_batch == LastBatch::keep ? "keep" : "drop"},
              {"freeze", c.freeze},
              {"lr_scale", Json::object()},
              {"l2", Json::object()},
              {"init", c.init},
              {"checkpoints", checkpoints_json(c.checkpoints)},
              {"metrics", {{"every", c.metrics_every}, {"top_k", c.top_k}}},
              {"evaluate", {{"every", c.evaluate_every}, {"split", c.evaluate_split}}},
              {"write_gradients", c.write_gradients},
              {"on_nonfinite", c.on_nonfinite}};
    if (!c.architecture.empty()) {
        json["model"] = {{"architecture", Json::parse(c.architecture)}};
        if (!c.model.empty()) json["model"]["file"] = c.model;
    } else if (!c.model.empty()) {
        json["model"] = c.model;
    }
    if (!c.data.empty()) json["data"] = c.data;
    if (c.task) {
        Json task{{"name", c.task->name}, {"seed", c.task->seed}};
        if (!c.task->preset.empty()) task["preset"] = c.task->preset;
        for (const auto& [key, value] : c.task->values) task[key] = value;
        json["task"] = task;
    }
    if (c.steps) json["steps"] = *c.steps;
    if (c.epochs) json["epochs"] = *c.epochs;
    Json rule = Json::parse(c.rule_settings);
    rule["name"] = c.rule;
    rule["noise"] = {{"distribution", c.noise.uniform ? "uniform" : "normal"},
                     {"variance", c.noise.variance},
                     {"target", c.noise.target == NoiseTarget::all ? "all" : "feedback"}};
    json["rule"] = rule;
    const auto& o = c.optimizer;
    json["optimizer"] = {{"name", o.name},
                         {"learning_rate", o.learning_rate},
                         {"momentum", o.momentum},
                         {"nesterov", o.nesterov},
                         {"weight_decay", o.weight_decay},
                         {"decay_mode", o.decoupled ? "decoupled" : "l2"},
                         {"decay_bias", o.decay_bias},
                         {"beta1", o.beta1},
                         {"beta2", o.beta2},
                         {"epsilon", o.epsilon},
                         {"amsgrad", o.amsgrad}};
    const auto& s = c.schedule;
    json["schedule"] = {{"name", s.name},     {"milestones", s.milestones}, {"gamma", s.gamma},
                        {"rate", s.rate},     {"minimum", s.minimum},       {"power", s.power},
                        {"period", s.period}, {"warmup", s.warmup}};
    json["clip"] = {{"mode", clip_name(c.clip.mode)}, {"value", c.clip.value}};
    for (const auto& [glob, factor] : c.lr_scale) json["lr_scale"][glob] = factor;
    for (const auto& [glob, strength] : c.l2) json["l2"][glob] = strength;
    json["stop"] = {
        {"metric", c.stop.metric}, {"below", c.stop.below}, {"plateau", c.stop.plateau}};
    const auto& d = c.data_settings;
    json["preprocess"] = {
        {"scale", d.scale},
        {"standardize", d.standardize.empty() ? "none" : d.standardize},
        {"train_fraction", d.train_fraction},
        {"augment",
         {{"shift", d.augment.shift}, {"flip", d.augment.flip}, {"noise", d.augment.noise}}}};
    return json.dump(1);
}

std::vector<std::string> differences(const std::string& resolved, const std::string& other) {
    Json one = Json::parse(resolved), two = Json::parse(other);
    forget_untold_period(one, two);
    for (Json* config : {&one, &two}) {
        for (const char* key : {"steps", "epochs", "checkpoints", "horizon", "evaluate", "stop"})
            config->erase(key);
        // Not told by runs of before.
        if (config->value("samples", 0) == 0) config->erase("samples");
        if (config->value("l2", Json::object()).empty()) config->erase("l2");
        if (config->contains("metrics")) (*config)["metrics"].erase("every");
    }
    std::vector<std::string> found;
    collect_differences(one, two, "", found);
    return found;
}

} // namespace assay::training
