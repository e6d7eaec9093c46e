#include <assay/training/config.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/network/initialise.hpp>
#include <assay/network/keys.hpp>
#include <assay/network/loss.hpp>
#include <assay/training/rule.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

using network::Keys;

constexpr Index kMostTrainingSteps = Index{1} << 40;
constexpr Index kMostBatch = Index{1} << 30;

const std::vector<std::string> kOptimizers{"sgd", "rmsprop", "adagrad", "adam", "adamw", "radam"};
const std::vector<std::string> kSchedules{"constant", "multistep",  "exponential",     "cosine",
                                          "linear",   "polynomial", "residual-network"};

// The value of an override: JSON where it is JSON, else text.
Json override_value(const std::string& text) {
    const Json value = Json::parse(text, nullptr, false);
    return value.is_discarded() ? Json(text) : value;
}

// Layer names may hold dots: what follows "lr_scale." or "l2." is one name.
std::vector<std::string> keys_on_path(const std::string& path) {
    for (const std::string by_layer : {"lr_scale", "l2"})
        if (starts_with(path, by_layer + ".")) return {by_layer, path.substr(by_layer.size() + 1)};
    return split(path, '.');
}

void apply_override(Json& config, const Override& change) {
    Json* at = &config;
    const auto parts = keys_on_path(change.path);
    if (parts.empty()) throw UsageError("option '--set': a.b.c=value is expected");
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        Json& next = (*at)[parts[i]];
        if (next.is_null()) next = Json::object();
        // A rule or a task may be given by its name alone.
        if (next.is_string()) next = Json{{"name", next.get<std::string>()}};
        if (!next.is_object())
            throw UsageError("option '--set': " + change.path + ": " + parts[i] +
                             " is not an object");
        at = &next;
    }
    (*at)[parts.back()] = override_value(change.value);
}

double positive(Keys& keys, const std::string& key, double otherwise) {
    const double value = keys.number(key, otherwise);
    if (!(value > 0)) keys.refuse(key, concat("expected a number above 0, found ", value));
    return value;
}
double at_least_zero(Keys& keys, const std::string& key, double otherwise) {
    const double value = keys.number(key, otherwise);
    if (!(value >= 0)) keys.refuse(key, concat("expected a number of at least 0, found ", value));
    return value;
}
double below_one(Keys& keys, const std::string& key, double otherwise) {
    const double value = at_least_zero(keys, key, otherwise);
    if (value >= 1) keys.refuse(key, concat("expected a number below 1, found ", value));
    return value;
}

// The object under `key` ({} where there is none), read by `body`.
template <class Body>
void section(Keys& keys, const std::string& key, Body&& body) {
    const Json empty = Json::object();
    const std::string path = keys.path().empty() ? key : keys.path() + "." + key;
    const bool given = keys.has(key);
    const Json& object = given ? keys.value(key) : empty;
    if (!given) static_cast<void>(keys.text(key, ""));
    Keys inner(object, path);
    body(inner);
    inner.refuse_others();
}

// Globs of layers and their numbers; `otherwise` where none is told.
std::vector<std::pair<std::string, double>> numbers_by_glob(Keys& keys, const std::string& key,
                                                            double otherwise) {
    std::vector<std::pair<std::string, double>> list;
    section(keys, key, [&](Keys& inner) {
        if (!keys.has(key)) return;
        for (const auto& [glob, unused] : keys.value(key).items())
            list.emplace_back(glob, at_least_zero(inner, glob, otherwise));
    });
    return list;
}

// Refuses a setting that nobody would look at, unless it has one of the values that resolved
// configurations write all the same.
template <class Value>
void refuse_idle(Keys& keys, const std::string& key, const Value& value,
                 const std::vector<Value>& usual, const std::string& who, bool used) {
    if (!used && std::find(usual.begin(), usual.end(), value) == usual.end())
        keys.refuse(key, who + " does not take it");
}

OptimizerSettings read_optimizer(Keys& keys) {
    OptimizerSettings o;
    o.name = keys.word("name", kOptimizers, o.name);
    const bool adaptive = o.name != "sgd";
    o.learning_rate = at_least_zero(keys, "learning_rate", adaptive ? 1e-3 : 0.01);
    o.momentum = below_one(keys, "momentum", 0);
    o.nesterov = keys.flag("nesterov", false);
    o.weight_decay = at_least_zero(keys, "weight_decay", 0);
    o.decoupled = keys.word("decay_mode", {"l2", "decoupled"},
                            o.name == "adamw" ? "decoupled" : "l2") == "decoupled";
    o.decay_bias = keys.flag("decay_bias", true);
    o.beta1 = below_one(keys, "beta1", 0.9);
    o.beta2 = below_one(keys, "beta2", o.name == "rmsprop" ? 0.99 : 0.999);
    o.epsilon = at_least_zero(keys, "epsilon", o.name == "adagrad" ? 1e-10 : 1e-8);
    o.amsgrad = keys.flag("amsgrad", false);
    if (o.momentum > 0 && o.name != "sgd")
        keys.refuse("momentum", "only sgd takes it, found " + o.name);
    if (o.nesterov && o.momentum == 0) keys.refuse("nesterov", "needs a momentum above 0");
    const bool moments = o.name == "adam" || o.name == "adamw" || o.name == "radam";
    refuse_idle(keys, "beta1", o.beta1, {0.9}, o.name, moments);
    refuse_idle(keys, "beta2", o.beta2, {0.99, 0.999}, o.name, moments || o.name == "rmsprop");
    refuse_idle(keys, "epsilon", o.epsilon, {1e-8, 1e-10}, o.name, adaptive);
    refuse_idle(keys, "amsgrad", o.amsgrad, {false}, o.name, moments);
    return o;
}

ScheduleSettings read_schedule(Keys& keys) {
    ScheduleSettings s;
    s.name = keys.word("name", kSchedules, s.name);
    s.milestones = keys.integers("milestones", -1, 0, {});
    s.gamma = positive(keys, "gamma", s.gamma);
    s.rate = positive(keys, "rate", s.rate);
    s.minimum = at_least_zero(keys, "minimum", s.minimum);
    s.power = positive(keys, "power", s.power);
    s.period = keys.count("period", 0, kMostTrainingSteps, 0);
    s.warmup = keys.count("warmup", 0, kMostTrainingSteps, 0);
    if (s.name == "multistep" && s.milestones.empty()) keys.refuse("milestones", "missing");
    if (s.name == "exponential" && s.period == 0) keys.refuse("period", "missing");
    const ScheduleSettings usual;
    const bool multistep = s.name == "multistep", exponential = s.name == "exponential",
               polynomial = s.name == "polynomial", spans = falls(s);
    refuse_idle(keys, "milestones", s.milestones, {usual.milestones}, s.name, multistep);
    refuse_idle(keys, "gamma", s.gamma, {usual.gamma}, s.name, multistep);
    refuse_idle(keys, "rate", s.rate, {usual.rate}, s.name, exponential);
    refuse_idle(keys, "period", s.period, {usual.period}, s.name, exponential || spans);
    refuse_idle(keys, "minimum", s.minimum, {usual.minimum}, s.name, spans);
    refuse_idle(keys, "power", s.power, {usual.power}, s.name, polynomial);
    return s;
}

ClipSettings read_clip(Keys& keys) {
    ClipSettings c;
    const std::string mode =
        keys.word("mode", {"none", "global_norm", "layer_norm", "value"}, "none");
    c.mode = mode == "global_norm"  ? ClipMode::global_norm
             : mode == "layer_norm" ? ClipMode::layer_norm
             : mode == "value"      ? ClipMode::value
                                    : ClipMode::none;
    c.value = positive(keys, "value", 1);
    refuse_idle(keys, "value", c.value, {1.0}, "mode none", c.mode != ClipMode::none);
    return c;
}

CheckpointSettings read_checkpoints(Keys& keys, const Json& object) {
    CheckpointSettings c;
    if (object.size() > 1) keys.refuse("", "one of every, log, decade, pow2, list is expected");
    for (const char* kind : {"every", "log", "decade", "pow2"})
        if (keys.has(kind)) {
            c.kind = kind;
            c.number = keys.count(kind, c.kind == "pow2" ? 0 : 1, kMostTrainingSteps);
        } else {
            static_cast<void>(keys.count(kind, 0, 1, 0));
        }
    if (keys.has("list")) c.kind = "list";
    c.list = keys.integers("list", -1, 0, {});
    return c;
}

std::string setting_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return value.dump();
    std::vector<std::string> parts;
    for (const auto& one : value) parts.push_back(setting_text(one));
    return join(parts, ",");
}

// Any number of 64 bits without sign; numbers beyond 2^53 only where JSON writes them as integers.
std::uint64_t read_seed(Keys& keys, std::uint64_t otherwise) {
    if (keys.has("seed") && keys.value("seed").is_number_unsigned())
        return keys.value("seed").get<std::uint64_t>();
    const Index given = keys.count("seed", 0, Index{1} << 53, -1);
    return given < 0 ? otherwise : static_cast<std::uint64_t>(given);
}

TaskSettings read_task(const Json& value, std::uint64_t seed) {
    TaskSettings task;
    task.seed = seed;
    if (value.is_string()) {
        task.name = value.get<std::string>();
        return task;
    }
    Keys keys(value, "task");
    task.name = keys.text("name");
    task.preset = keys.text("preset", "");
    task.seed = read_seed(keys, seed);
    for (const auto& [key, setting] : value.items())
        if (key != "name" && key != "preset" && key != "seed")
            task.values[key] = setting_text(setting);
    return task;
}

void read_rule(Keys& keys, TrainingConfig& c) {
    if (!keys.has("rule")) {
        static_cast<void>(keys.text("rule", ""));
        return;
    }
    Json rule = keys.value("rule");
    if (rule.is_string()) {
        c.rule = rule.get<std::string>();
        return;
    }
    Keys inner(rule, "rule");
    c.rule = inner.text("name", "bp");
    rule.erase("name");
    if (rule.contains("noise")) {
        Keys noise(rule["noise"], "rule.noise");
        c.noise.uniform = noise.word("distribution", {"normal", "uniform"}, "normal") == "uniform";
        c.noise.variance = at_least_zero(noise, "variance", 0);
        c.noise.target = noise.word("target", {"feedback", "all"}, "feedback") == "all"
                             ? NoiseTarget::all
                             : NoiseTarget::feedback;
        // Backpropagation has no feedback arrays.
        if (c.rule == "bp" && c.noise.variance > 0 && c.noise.target == NoiseTarget::feedback)
            noise.refuse("target", "rule bp has no feedback for the noise; 'all' is expected");
        noise.refuse_others();
        rule.erase("noise");
    }
    c.rule_settings = rule.dump();
}

void read_model_and_data(Keys& keys, TrainingConfig& c) {
    if (keys.has("model") && keys.value("model").is_object()) {
        Keys model(keys.value("model"), "model");
        c.architecture = model.value("architecture").dump();
        c.model = model.text("file", "");
        model.refuse_others();
    } else {
        c.model = keys.text("model", "");
    }
    c.data = keys.text("data", "");
    if (keys.has("task")) {
        c.task = read_task(keys.value("task"), c.seed);
        static_cast<void>(make_task(*c.task)); // its mistakes are the configuration's
    }
    if (c.task && !c.data.empty()) keys.refuse("task", "given beside 'data'; one is expected");
}

void read_stop(Keys& keys, TrainingConfig& c) {
    section(keys, "stop", [&](Keys& stop) {
        c.stop.metric = stop.text("metric", "");
        if (!c.stop.metric.empty())
            static_cast<void>(
                stop.word("metric", {"loss", "eval_loss", "error", "eval_error"}, "loss"));
        c.stop.below = stop.number("below", 0);
        refuse_idle(stop, "below", c.stop.below, {0.0}, "a run without stop.metric",
                    !c.stop.metric.empty());
        c.stop.plateau = stop.count("plateau", 0, kMostTrainingSteps, 0);
    });
}

void read_data_settings(Keys& keys, TrainingConfig& c) {
    section(keys, "preprocess", [&](Keys& p) {
        c.data_settings.scale = p.number("scale", 1);
        c.data_settings.standardize =
            p.word("standardize", {"none", "pixel", "pixel_mean", "channel", "global"}, "none");
        c.data_settings.train_fraction = below_one(p, "train_fraction", 0);
        section(p, "augment", [&](Keys& a) {
            c.data_settings.augment.shift = a.count("shift", 0, 1024, 0);
            c.data_settings.augment.flip = a.flag("flip", false);
            c.data_settings.augment.noise = at_least_zero(a, "noise", 0);
        });
    });
}

bool states_learning_rate(const Json& config) {
    return config.contains("optimizer") && config.at("optimizer").contains("learning_rate");
}

// Data that are made as training goes on are learnt from as they are, in their order.
void check_online(Keys& keys, const TrainingConfig& c) {
    if (!c.online) return;
    const auto& d = c.data_settings;
    if (d.scale != 1 || d.standardize != "none" || d.train_fraction > 0)
        keys.refuse("preprocess",
                    "scale, standardize and train_fraction are of data that are there "
                    "before training, not of 'online' ones");
    refuse_idle(keys, "sampling", c.sampling, {Sampling::epoch}, "online training", false);
    refuse_idle(keys, "full_batch", c.full_batch, {false}, "online training", false);
}

TrainingConfig parse(const Json& json) {
    Keys keys(json, "");
    TrainingConfig c;
    const std::string format = keys.text("format", "assay-training/1");
    if (format != "assay-training/1")
        keys.refuse("format", "expected 'assay-training/1', found '" + printable(format, 40) + "'");
    c.seed = read_seed(keys, 0);
    c.precision = keys.word("precision", {"float32", "float64"}, "float32") == "float64"
                      ? Precision::float64
                      : Precision::float32;
    read_model_and_data(keys, c);
    c.loss = keys.text("loss", "");
    if (!c.loss.empty()) static_cast<void>(network::loss_of(c.loss));
    c.epsilon = positive(keys, "epsilon", c.epsilon);
    c.truncate = keys.count("truncate", 0, kMostTrainingSteps, 0);
    c.rate_penalty = at_least_zero(keys, "rate_penalty", 0);
    c.l2 = numbers_by_glob(keys, "l2", 0);
    c.batch_size = keys.count("batch_size", 1, kMostBatch, c.batch_size);
    c.full_batch = keys.flag("full_batch", false);
    c.online = keys.flag("online", false);
    c.samples = keys.count("samples", 0, kMostBatch, 0);
    refuse_idle(keys, "samples", c.samples, {Index{0}}, "a run on data of its own",
                c.task.has_value());
    if (keys.has("steps")) c.steps = keys.count("steps", 1, kMostTrainingSteps);
    if (keys.has("epochs")) c.epochs = positive(keys, "epochs", 1);
    static_cast<void>(keys.has("steps") ? 0 : keys.count("steps", 0, 1, 0));
    static_cast<void>(keys.has("epochs") ? 0.0 : keys.number("epochs", 0));
    if (c.steps && c.epochs) keys.refuse("epochs", "given beside 'steps'; one is expected");
    c.horizon = keys.count("horizon", 0, kMostTrainingSteps, 0);
    const std::string sampling =
        keys.word("sampling", {"epoch", "replacement", "sequential"}, "epoch");
    c.sampling = sampling == "epoch"         ? Sampling::epoch
                 : sampling == "replacement" ? Sampling::replacement
                                             : Sampling::sequential;
    c.last_batch = keys.word("last_batch", {"drop", "keep"}, "drop") == "keep" ? LastBatch::keep
                                                                               : LastBatch::drop;
    read_rule(keys, c);
    check_rule(c.rule);
    section(keys, "optimizer", [&](Keys& k) { c.optimizer = read_optimizer(k); });
    section(keys, "schedule", [&](Keys& k) { c.schedule = read_schedule(k); });
    if (c.schedule.name == "residual-network" && !states_learning_rate(json)) {
        if (c.full_batch)
            keys.refuse("optimizer", "learning_rate: missing; the usual one of residual-network "
                                     "goes with a batch size");
        c.optimizer.learning_rate = 0.1 * static_cast<double>(c.batch_size) / 256;
    }
    section(keys, "clip", [&](Keys& k) { c.clip = read_clip(k); });
    if (keys.has("freeze")) c.freeze = keys.texts("freeze");
    c.lr_scale = numbers_by_glob(keys, "lr_scale", 1);
    c.init = keys.text("init", c.init);
    if (c.init != "file") {
        network::check_law(c.init);
        if (!c.architecture.empty() && !c.model.empty() && !keys.has("init"))
            keys.refuse("model", "file: holds weights to start from; init 'file' is expected");
        if (!c.architecture.empty()) c.model.clear();
    }
    const Json none = Json::object();
    section(keys, "checkpoints", [&](Keys& k) {
        c.checkpoints =
            read_checkpoints(k, json.contains("checkpoints") ? json.at("checkpoints") : none);
    });
    section(keys, "metrics", [&](Keys& k) {
        c.metrics_every = k.count("every", 1, kMostTrainingSteps, c.metrics_every);
        c.top_k = k.count("top_k", 1, kMostBatch, c.top_k);
    });
    section(keys, "evaluate", [&](Keys& k) {
        c.evaluate_every = k.count("every", 0, kMostTrainingSteps, c.evaluate_every);
        c.evaluate_split = k.text("split", c.evaluate_split);
    });
    c.write_gradients = keys.flag("write_gradients", false);
    read_stop(keys, c);
    c.on_nonfinite = keys.word("on_nonfinite", {"stop", "halve"}, "stop");
    read_data_settings(keys, c);
    check_online(keys, c);
    if (!keys.has("freeze")) static_cast<void>(keys.text("freeze", ""));
    keys.refuse_others();
    return c;
}

bool is_right(const Json& json) {
    try {
        static_cast<void>(parse(json));
        return true;
    } catch (const Error&) {
        return false;
    }
}

} // namespace

namespace {

// A run tells the period of a falling schedule, if only because it filled that in; another kind of
// schedule has no use for it.
void forget_filled_period(Json& json, const Json& base, const std::vector<Override>& overrides) {
    const auto falling = [](const Json& config) {
        const auto found = config.find("schedule");
        ScheduleSettings schedule;
        if (found != config.end() && found->is_object() && found->contains("name") &&
            (*found)["name"].is_string())
            schedule.name = (*found)["name"].get<std::string>();
        return falls(schedule);
    };
    const bool given = std::any_of(overrides.begin(), overrides.end(), [](const Override& one) {
        return one.path == "schedule" || one.path == "schedule.period";
    });
    if (!given && falling(base) && !falling(json)) json["schedule"].erase("period");
}

} // namespace

TrainingConfig read_config(const std::string& text, const std::vector<Override>& overrides,
                           const std::string& place) {
    const Json base = text.empty() ? Json::object() : network::parse_json(text, place);
    if (!base.is_object()) throw Error(place + ": expected a JSON object");
    Json json = base;
    for (const auto& change : overrides) {
        // Steps and epochs displace each other: the later word wins.
        if (change.path == "steps") json.erase("epochs");
        if (change.path == "epochs") json.erase("steps");
        if (change.path == "task") json.erase("data");
        if (change.path == "data") json.erase("task");
        apply_override(json, change);
    }
    forget_filled_period(json, base, overrides);
    try {
        return parse(json);
    } catch (const Error& e) {
        // What the file alone has not is a mistake of the command line.
        if (!overrides.empty() && is_right(base))
            throw UsageError(std::string("settings: ") + e.what());
        throw Error(place + ": " + e.what());
    }
}

bool falls(const ScheduleSettings& schedule) {
    return schedule.name == "cosine" || schedule.name == "linear" || schedule.name == "polynomial";
}

bool matches_glob(const std::string& pattern, const std::string& name) {
    std::size_t p = 0, n = 0, star = std::string::npos, mark = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == name[n] || pattern[p] == '?')) {
            ++p;
            ++n;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            mark = n;
        } else if (star != std::string::npos) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

} // namespace assay::training
