// What a family of tasks is written with: resolved parameters, the random numbers of one sample,
// and the rows that a sample fills. For lib/training only; users of tasks include task.hpp.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/training/task.hpp>

#include <functional>
#include <string_view>

namespace assay::training {

// Most numbers that one sample, one weight matrix or one table of the truth may hold.
inline constexpr double kLargestArray = 0x1p28;

// The parameters of one task after defaults, preset and settings; values are checked when made.
class Parameters {
  public:
    // Throws UsageError as make_task does.
    Parameters(const TaskDescription& description, const TaskSettings& settings);

    [[nodiscard]] Index integer(std::string_view name) const;
    [[nodiscard]] double number(std::string_view name) const;
    [[nodiscard]] std::vector<Index> integers(std::string_view name) const;
    [[nodiscard]] std::vector<double> numbers(std::string_view name) const;
    [[nodiscard]] const std::string& word(std::string_view name) const;
    [[nodiscard]] bool flag(std::string_view name) const;

    // Random numbers of the task itself, the same for every sample; `what` such as "weights".
    [[nodiscard]] Random random(const std::string& what) const;
    // Random numbers of the samples of one stream.
    [[nodiscard]] Random sample_random(Stream stream) const;

    // Throws UsageError: "task 'NAME': parameter 'KEY': found 'VALUE'; EXPECTED is expected".
    [[noreturn]] void refuse(std::string_view name, const std::string& expected) const;

    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& values() const {
        return values_;
    }

  private:
    std::string task_;
    std::uint64_t seed_;
    std::vector<std::pair<std::string, std::string>> values_;
};

// The random numbers of one sample. `what` tells apart the quantities of a task, `position` the
// draws of one quantity.
class Draws {
  public:
    Draws(const Random& random, std::uint64_t sample) : random_(random), sample_(sample) {}

    [[nodiscard]] std::uint64_t sample() const { return sample_; }
    // Of the sample with this one's index modulo `count`.
    [[nodiscard]] Draws folded(std::uint64_t count) const { return {random_, sample_ % count}; }
    [[nodiscard]] double uniform(std::uint64_t what, Index position = 0) const {
        return random_.uniform(index(position), words(what));
    }
    [[nodiscard]] double normal(std::uint64_t what, Index position = 0) const {
        return random_.normal(index(position), words(what));
    }
    [[nodiscard]] Index below(Index bound, std::uint64_t what, Index position = 0) const {
        return static_cast<Index>(random_.below(index(bound), index(position), words(what)));
    }
    // -1 or 1.
    [[nodiscard]] double sign(std::uint64_t what, Index position = 0) const {
        return below(2, what, position) == 0 ? -1.0 : 1.0;
    }
    [[nodiscard]] double poisson(double rate, std::uint64_t what, Index position = 0) const {
        return static_cast<double>(random_.poisson(rate, index(position), words(what)));
    }

  private:
    [[nodiscard]] static std::uint64_t index(Index i) { return static_cast<std::uint64_t>(i); }
    [[nodiscard]] StreamWords words(std::uint64_t what) const { return {sample_, what, 0}; }

    const Random& random_;
    std::uint64_t sample_;
};

// Where one sample is written; everything is 0 before. Arrays of shape {a, b, ...} are matrices
// a x (b ...), arrays of shape {a} are 1 x a.
struct Row {
    Eigen::Map<RowMatrix> input;
    Eigen::Map<RowMatrix> value;
    std::int64_t* classes; // class_steps of them
    Index* length;
    double* mask; // one a step
};

using SampleWriter = std::function<void(const Draws&, Row&)>;
// Fills all samples, of which the first has the index `first`, from the stream's random numbers.
using BlockWriter = std::function<void(const Random&, std::uint64_t first, Samples&)>;

// What a family's function returns.
struct TaskParts {
    SampleLayout layout;
    std::string loss;
    BlockWriter write;
    std::function<std::vector<TruthArray>()> truth = [] { return std::vector<TruthArray>{}; };
};

struct TaskEntry {
    TaskDescription description;
    TaskParts (*make)(const Parameters&);
};

[[nodiscard]] BlockWriter each_sample(const SampleLayout& layout, SampleWriter write);

// ---- layouts ----------------------------------------------------------------------------------

// Inputs {steps, features}; targets {steps, outputs}, in the mask the steps that count.
[[nodiscard]] SampleLayout sequence_layout(Index steps, Index features, Index outputs);
// Inputs {features}; one class a sample.
[[nodiscard]] SampleLayout class_layout(Index features, Index classes);
// Inputs {features}; targets {outputs}.
[[nodiscard]] SampleLayout value_layout(Index features, Index outputs);

// ---- parts of parameters and truths -----------------------------------------------------------

// The product of a shape; throws UsageError ("the task's WHAT") where it exceeds kLargestArray.
Index checked_size(const Shape& shape, const std::string& what);

[[nodiscard]] TruthArray truth_matrix(std::string name, const RowMatrix& values,
                                      std::vector<std::string> axes, std::string description);
[[nodiscard]] TruthArray truth_vector(std::string name, std::vector<double> values,
                                      std::string axis, std::string description);
[[nodiscard]] TruthArray truth_number(std::string name, double value, std::string description);
[[nodiscard]] TruthArray whole(TruthArray array);
[[nodiscard]] TruthArray in_units(TruthArray array, std::string units);

// `count` numbers from first to last; first alone where count is 1.
[[nodiscard]] std::vector<double> equally_spaced(double first, double last, Index count);
// A matrix of standard normals times `scale`.
[[nodiscard]] RowMatrix normal_matrix(const Random& random, Index rows, Index cols, double scale,
                                      std::uint64_t word = 0);

// Where a singular value s of a large matrix shows under noise of standard deviation noise/sqrt(n)
// an entry (Benaych-Georges, Nadakuditi 2012; aspect = rows / n columns); the edge of the noise
// where it is lost in it.
[[nodiscard]] double shown_singular_value(double s, double noise, double aspect);

// Declarations of parameters.
[[nodiscard]] TaskParameter integer(std::string name, Index value, double minimum, double maximum,
                                    std::string description);
[[nodiscard]] TaskParameter number(std::string name, double value, double minimum, double maximum,
                                   std::string description);
[[nodiscard]] TaskParameter integers(std::string name, std::string value, double minimum,
                                     double maximum, std::string description);
[[nodiscard]] TaskParameter numbers(std::string name, std::string value, double minimum,
                                    double maximum, std::string description);
[[nodiscard]] TaskParameter word(std::string name, std::vector<std::string> words,
                                 std::string description); // the first is the default
[[nodiscard]] TaskParameter flag(std::string name, std::string description); // off

inline constexpr double kMostSteps = 1e6;
inline constexpr double kAnyNumber = 1e15;

// ---- families ---------------------------------------------------------------------------------

[[nodiscard]] std::vector<TaskEntry> sequence_tasks();
[[nodiscard]] std::vector<TaskEntry> integration_tasks();
[[nodiscard]] std::vector<TaskEntry> sentiment_tasks();
[[nodiscard]] std::vector<TaskEntry> classification_tasks();
[[nodiscard]] std::vector<TaskEntry> teacher_tasks();
[[nodiscard]] std::vector<TaskEntry> linear_tasks();
[[nodiscard]] std::vector<TaskEntry> hierarchy_tasks();
[[nodiscard]] std::vector<TaskEntry> structure_tasks();
[[nodiscard]] std::vector<TaskEntry> retina_tasks();

} // namespace assay::training
