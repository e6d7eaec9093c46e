#include <assay/training/task.hpp>

#include <assay/core/text.hpp>
#include <assay/training/task_family.hpp>

#include <algorithm>

namespace assay::training {
namespace {

constexpr double kLargestBlock = 0x1p32;

std::vector<TaskEntry> all_tasks() {
    std::vector<TaskEntry> tasks;
    for (const auto family :
         {sequence_tasks, integration_tasks, sentiment_tasks, classification_tasks, teacher_tasks,
          linear_tasks, hierarchy_tasks, structure_tasks, retina_tasks})
        for (auto& entry : family()) tasks.push_back(std::move(entry));
    return tasks;
}

const TaskEntry& find_task(const std::vector<TaskEntry>& tasks, const std::string& name) {
    std::vector<std::string> known;
    for (const auto& task : tasks) {
        if (task.description.name == name) return task;
        known.push_back(task.description.name);
    }
    const auto near = nearest_name(name, known, 3);
    throw UsageError(
        "unknown task '" + printable(name, 60) + "'" +
        (near ? "; did you mean '" + *near + "'?" : "; known are " + join(known, ", ")));
}

Index steps_of(const SampleLayout& layout) {
    return layout.input_shape.front();
}

// Numbers of one sample, everything together.
double sample_size(const SampleLayout& layout) {
    const Index inputs = checked_size(layout.input_shape, "inputs of one sample");
    const Index values = checked_size(layout.target_shape, "targets of one sample");
    return static_cast<double>(inputs + values + layout.class_steps +
                               (layout.has_mask ? steps_of(layout) : 0));
}

Samples empty_samples(const SampleLayout& layout, Index count) {
    Samples made;
    made.input_shape = layout.input_shape;
    made.input_axes = layout.input_axes;
    made.inputs = RowMatrix::Zero(count, checked_size(layout.input_shape, "inputs"));
    if (layout.classes > 0)
        made.classes.assign(static_cast<std::size_t>(count * layout.class_steps), 0);
    else {
        made.target_shape = layout.target_shape;
        made.values = RowMatrix::Zero(count, checked_size(layout.target_shape, "targets"));
    }
    if (layout.has_lengths) made.lengths.assign(static_cast<std::size_t>(count), steps_of(layout));
    if (layout.has_mask) made.mask = RowMatrix::Zero(count, steps_of(layout));
    return made;
}

class BuiltInTask : public Task {
  public:
    BuiltInTask(Parameters parameters, TaskParts parts)
        : parameters_(std::move(parameters)), parts_(std::move(parts)),
          sample_size_(sample_size(parts_.layout)) {}

    [[nodiscard]] const SampleLayout& layout() const override { return parts_.layout; }
    [[nodiscard]] const std::string& loss() const override { return parts_.loss; }
    [[nodiscard]] std::vector<TruthArray> truth() const override { return parts_.truth(); }
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>&
    parameters() const override {
        return parameters_.values();
    }
    [[nodiscard]] Samples samples(std::uint64_t first, Index count, Stream stream) const override {
        if (count < 0 || static_cast<double>(count) * sample_size_ > kLargestBlock)
            throw UsageError(concat("samples: found ", count, " of ", sample_size_,
                                    " numbers each; from 0 to 2^32 numbers together are expected"));
        Samples made = empty_samples(parts_.layout, count);
        parts_.write(parameters_.sample_random(stream), first, made);
        return made;
    }

  private:
    Parameters parameters_;
    TaskParts parts_;
    double sample_size_;
};

} // namespace

Index SampleLayout::outputs() const {
    return classes > 0 ? classes : target_shape.empty() ? 0 : target_shape.back();
}

std::unique_ptr<Task> make_task(const TaskSettings& settings) {
    const auto tasks = all_tasks();
    const TaskEntry& entry = find_task(tasks, settings.name);
    return at_place("task '" + settings.name + "'", [&] {
        const Parameters parameters(entry.description, settings);
        return std::make_unique<BuiltInTask>(parameters, entry.make(parameters));
    });
}

std::vector<TaskDescription> task_catalogue() {
    std::vector<TaskDescription> descriptions;
    for (auto& entry : all_tasks()) descriptions.push_back(std::move(entry.description));
    return descriptions;
}

} // namespace assay::training
