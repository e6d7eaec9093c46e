// The configuration of a training run: JSON in (format assay-training/1), a struct inside; back to
// JSON in config_json.hpp. Keys that are left out take their defaults; unknown ones
// are errors with their path and the nearest known key.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/model.hpp>
#include <assay/training/checkpoint_schedule.hpp>
#include <assay/training/task.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::training {

enum class Precision { float32, float64 };
enum class Sampling { epoch, replacement, sequential };
enum class LastBatch { drop, keep };

// sgd, rmsprop, adagrad, adam, adamw, radam. Defaults of beta and epsilon depend on the name.
struct OptimizerSettings {
    std::string name = "sgd";
    double learning_rate = 0.01;
    double momentum = 0;
    bool nesterov = false;
    double weight_decay = 0;
    bool decoupled = false; // decay_mode: l2 or decoupled
    bool decay_bias = true; // whether biases and normalisation parameters decay
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    bool amsgrad = false;
};

// lr(t); see schedule.hpp for the formulas.
struct ScheduleSettings {
    std::string name = "constant";
    std::vector<Index> milestones;
    double gamma = 0.1, rate = 1, minimum = 0, power = 1;
    Index period = 0; // steps; 0: the whole run
    Index warmup = 0;
};

enum class ClipMode { none, global_norm, layer_norm, value };
struct ClipSettings {
    ClipMode mode = ClipMode::none;
    double value = 1;
};

enum class NoiseTarget { feedback, all };
struct NoiseSettings {
    bool uniform = false;
    double variance = 0;
    NoiseTarget target = NoiseTarget::feedback;
};

// METRIC < V, or no improvement of eval_loss (else loss) over K looks.
struct StopSettings {
    std::string metric;
    double below = 0;
    Index plateau = 0; // 0: off
};

struct AugmentSettings {
    Index shift = 0;
    bool flip = false;
    double noise = 0;
};

struct DataSettings {
    double scale = 1;          // inputs are multiplied by it
    std::string standardize;   // "", "pixel", "pixel_mean" (no division), "channel",
                               // "global"; statistics of the training split
    double train_fraction = 0; // 0: the file's splits
    AugmentSettings augment;
};

struct TrainingConfig {
    std::uint64_t seed = 0;
    Precision precision = Precision::float32;
    std::string architecture; // JSON; empty where `model` alone tells it
    std::string model; // FILE[:/group]: architecture, and weights with init "file"; or a word
    std::string data;  // FILE[:/group]
    std::optional<TaskSettings> task;
    std::string loss;      // empty: the task's, or by the targets
    double epsilon = 1e-8; // poisson
    Index truncate = 0;    // recurrent layers: gradients end at its multiples; 0: at the start
    // + 1/2 rate_penalty times the mean square of each recurrent layer's rates: mean over samples
    // of the mean over a sample's valid steps and units.
    double rate_penalty = 0;
    // + 1/2 l2 |theta|^2 of arrays that a glob names (penalty_groups.hpp); those that match add up.
    std::vector<std::pair<std::string, double>> l2;
    Index batch_size = 64;
    bool full_batch = false, online = false;
    Index samples = 0; // a built-in task's training split; 0: 1024, or a batch
    std::optional<Index> steps;
    std::optional<double> epochs;
    Index horizon = 0; // steps over which log checkpoints are spread, going on beyond; 0: all
    Sampling sampling = Sampling::epoch;
    LastBatch last_batch = LastBatch::drop;
    std::string rule = "bp";
    std::string rule_settings = "{}"; // the rule's own keys, JSON
    OptimizerSettings optimizer;
    ScheduleSettings schedule;
    ClipSettings clip;
    NoiseSettings noise;
    std::vector<std::string> freeze;                      // globs of layers
    std::vector<std::pair<std::string, double>> lr_scale; // glob, factor
    std::string init = "auto";
    CheckpointSettings checkpoints;
    Index metrics_every = 10, evaluate_every = 100;
    Index top_k = 1; // accuracy: classes among so many largest outputs are right
    std::string evaluate_split = "test";
    bool write_gradients = false;
    StopSettings stop;
    std::string on_nonfinite = "stop"; // or "halve"
    DataSettings data_settings;
};

// One change of a configuration: a dotted path and a value (JSON, else text). What follows
// "lr_scale." or "l2." is one name, dots and all.
struct Override {
    std::string path; // "optimizer.learning_rate"
    std::string value;
};

// Throws Error (the file's mistakes) or UsageError (an override's), with the JSON path.
[[nodiscard]] ASSAY_API TrainingConfig read_config(const std::string& json,
                                                   const std::vector<Override>& overrides,
                                                   const std::string& place);
// Whether the rate falls over the period to its minimum, and stays there.
[[nodiscard]] ASSAY_API bool falls(const ScheduleSettings& schedule);
// `*` stands for any text.
[[nodiscard]] ASSAY_API bool matches_glob(const std::string& pattern, const std::string& name);

} // namespace assay::training
