// Built-in tasks: data sets made from a seed, with their ground truth. A task is an endless supply
// of samples, each a pure function of (seed, stream, index): sample i is the same however many are
// asked for, in whatever blocks and order. Tasks that are a finite set (SampleLayout::distinct)
// start again after its last element. A task stands in one place, the tasks_*.cpp of its family.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/samples.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace assay::training {

using network::Samples;
using network::Shape;

// Training and test samples come from random numbers of different purposes, "task/<name>" and
// "test/<name>"; what defines the task (a teacher's weights, centres of classes) they share.
enum class Stream { train, test };

enum class ParameterKind { integer, number, integers, numbers, word, flag };

// What can be set. Values are text, as they stand behind `--set key=`: "64", "0.2", "6,4,2" (lists;
// "" is an empty one), "one-hot", "true".
struct TaskParameter {
    std::string name; // "pulse_probability"; a hyphen may be written for an underscore
    ParameterKind kind = ParameterKind::number;
    std::string value;       // default
    std::string description; // with units
    // Of numbers, both allowed.
    double minimum = -std::numeric_limits<double>::infinity();
    double maximum = std::numeric_limits<double>::infinity();
    std::vector<std::string> words = {}; // what a word may be
};

// A preset only changes defaults; settings change them again.
struct TaskPreset {
    std::string name;
    std::string description;
    std::vector<std::pair<std::string, std::string>> values;
};

struct TaskDescription {
    std::string name;
    std::string summary;
    std::vector<TaskParameter> parameters;
    std::vector<TaskPreset> presets;
};

struct TaskSettings {
    std::string name;
    std::string preset; // empty: none
    std::map<std::string, std::string> values;
    std::uint64_t seed = 0;
};

// What a sample looks like; the fields of Samples that are filled follow from it.
struct SampleLayout {
    Shape input_shape;
    std::vector<std::string> input_axes;
    std::string sample_axis = "sample"; // "time" where successive samples are frames of one movie
    Index vocabulary = 0;               // inputs are token ids below it; 0: inputs are numbers
    Shape target_shape;                 // of values; empty: targets are classes
    std::vector<std::string> target_axes;
    Index classes = 0;     // how many; 0: targets are values
    Index class_steps = 1; // classes a sample: 1, or one a step
    bool has_lengths = false;
    bool has_mask = false;
    std::uint64_t distinct = 0; // samples repeat with this period; 0: never
    double rate_hz = 0;         // of successive samples; 0: they are not in time

    // Width of the output that a network for this task has: classes, or values of a step.
    [[nodiscard]] ASSAY_API Index outputs() const;
};

// One array of the ground truth, for /truth.
struct TruthArray {
    std::string name;
    Shape shape;                // empty: one number
    std::vector<double> values; // C order
    std::vector<std::string> axes;
    std::string description;
    std::string units = {};
    bool whole = false; // integers
};

class ASSAY_API Task {
  public:
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    Task(Task&&) = delete;
    Task& operator=(Task&&) = delete;
    virtual ~Task() = default;

    [[nodiscard]] virtual const SampleLayout& layout() const = 0;
    // Samples first ... first + count - 1. Throws UsageError where they are more than 2^32 numbers;
    // larger sets are made in blocks.
    [[nodiscard]] virtual Samples samples(std::uint64_t first, Index count,
                                          Stream stream) const = 0;
    // What is known exactly about the task.
    [[nodiscard]] virtual std::vector<TruthArray> truth() const = 0;
    // Recommended: "mse", "half_squared_error", "softmax_cross_entropy" or "poisson".
    [[nodiscard]] virtual const std::string& loss() const = 0;
    // Every parameter with the value in use, in the order of the catalogue.
    [[nodiscard]] virtual const std::vector<std::pair<std::string, std::string>>&
    parameters() const = 0;
};

// Throws UsageError for an unknown name, preset or key (with the nearest known one), a value of the
// wrong kind or out of range, and settings that do not go together.
[[nodiscard]] ASSAY_API std::unique_ptr<Task> make_task(const TaskSettings& settings);

// All tasks, by family.
[[nodiscard]] ASSAY_API std::vector<TaskDescription> task_catalogue();

} // namespace assay::training
