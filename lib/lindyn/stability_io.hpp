// Stability of alignment in HDF5 (/lindyn/stability), and what a run's words say of its rule.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/lindyn/stability_map.hpp>
#include <assay/lindyn/stability_study.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::lindyn {

// Of the two-layer scalar student y = w2 w1 x near zero error (student_rate()).
struct StudentStability {
    double w1 = 0, w2 = 0;
    double feedback = 0;    // in place of w2
    double rate = 0;        // of the error's decay; of 0 or below: unstable whatever the step
    double lr_critical = 0; // 0 where no step is stable
};

// Of the task: what bounds its learning rate.
struct TaskStability {
    double momentum = 0;
    Vector chain_lr_critical;                    // of scalar chains of 1, 2, ... layers, all w = 1
    double chain_gain = 0;                       // feedback a layer there
    std::optional<TaskCurvature> rule, backprop; // of a network on data
    std::optional<StudentStability> student;
};
ASSAY_API void write_stability(hdf5::Group group, const StabilitySettings& settings,
                               const std::vector<LayerStability>& layers,
                               const TaskStability& task);

// The map, /lindyn/stability/map, of these settings.
ASSAY_API void write_stability_map(hdf5::Group group, const StabilityMapSettings& settings,
                                   const StabilityMap& map);

// What the configuration of a run (attribute `training` of /run, or a file for `checkpoint train`)
// says; absent keys are empty.
struct TrainingWords {
    std::optional<std::string> rule, loss, input, data, evaluate_split;
    std::optional<double> amp, decay, null, sparse, self, stddev, noise_variance;
    std::optional<bool> published;   // coefficients that the rule leaves out
    std::optional<bool> spatial_sum; // convolutions: over positions, else their mean
    std::optional<bool> compensate;  // the taper of zero padding
    std::optional<bool> use_bias, batch_center;
    std::optional<bool> rectified; // the mirror's outputs, by relu
    std::optional<Index> batch;
    std::optional<double> learning_rate, momentum;                     // of the task
    std::optional<double> alignment_learning_rate, alignment_momentum; // of the feedback
    bool task_is_sgd = true, alignment_is_sgd = true;
    std::vector<std::string> untreated; // what the rule does beyond the theory: "activation tanh"
};
// Throws Error naming `place` where the text is no such configuration.
[[nodiscard]] ASSAY_API TrainingWords read_training_words(const std::string& json,
                                                          const std::string& place);
// Stored feedback arrays, /model/feedback/<layer>/weight, of these layers. Throws Error where one
// is missing or of another shape.
[[nodiscard]] ASSAY_API std::vector<LayerFeedback>
read_feedback(const hdf5::Group& model, const std::vector<NetworkLayer>& layers);

} // namespace assay::lindyn
