#include <assay/lindyn/stability_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <functional>

namespace assay::lindyn {
namespace {

using LayerLimits = std::vector<LayerStability>;

void write_layer_numbers(hdf5::Group& group, const std::string& name, const LayerLimits& layers,
                         const std::function<double(const LayerStability&)>& of,
                         const std::string& units, const std::string& what) {
    Vector values(static_cast<Index>(layers.size()));
    for (std::size_t i = 0; i < layers.size(); ++i) values(static_cast<Index>(i)) = of(layers[i]);
    group.write(name, values, {"layer", units, what});
}

void write_limits(hdf5::Group& group, const LayerLimits& layers) {
    const auto one = [&](const std::string& name, double LayerStability::*member,
                         const std::string& units, const std::string& what) {
        write_layer_numbers(
            group, name, layers, [member](const auto& l) { return l.*member; }, units, what);
    };
    one("eta_critical", &LayerStability::eta_critical, "",
        "alignment learning rate at which the mean stops converging");
    one("eta_critical_mean_square", &LayerStability::eta_critical_mean_square, "",
        "the same of E|B|^2, every batch drawn anew; NaN: not given");
    one("curvature", &LayerStability::curvature, "",
        "largest eigenvalue of the alignment's Hessian");
    one("curvature_residual", &LayerStability::curvature_residual, "", "of the power iteration");
    one("angle", &LayerStability::angle, "degrees", "between W and B in the steady state");
    one("structural_angle", &LayerStability::structural_angle, "degrees", "the same without noise");
    one("norm_ratio", &LayerStability::norm_ratio, "", "|B|/|W| in the steady state");
    one("sampling_power", &LayerStability::sampling_power, "",
        "what sampling adds to |B|^2/|W|^2, from drawn batches (ia on convolutions); else NaN");
    one("sampling_error", &LayerStability::sampling_error, "", "its standard error");
    one("taper_angle", &LayerStability::taper_angle, "degrees",
        "that zero padding alone gives a mirror; 0: none");
    one("rectified_angle", &LayerStability::rectified_angle, "degrees",
        "that relu and the biases alone give a mirror; NaN: no bias");
    one("lambda_xx", &LayerStability::lambda_xx, "",
        "largest eigenvalue of the second moments of the layer's inputs; NaN: no data");
    one("lambda_yy", &LayerStability::lambda_yy, "", "the same of its outputs");
    one("lambda_xx_least", &LayerStability::lambda_xx_least, "",
        "the smallest above 0, of the direction that aligns last (aa); NaN: not found");
    const auto count = [&](const std::string& name, Index LayerStability::*member,
                           const std::string& what) {
        std::vector<std::int64_t> values;
        for (const auto& l : layers) values.push_back(l.*member);
        group.write(name, values, {"layer", "", what});
    };
    count("outputs", &LayerStability::outputs, "units or filters");
    count("inputs", &LayerStability::inputs, "of one unit: channels x kernel");
    count("positions", &LayerStability::positions, "of a convolution's output");
    count("silent_directions", &LayerStability::silent_directions,
          "of the inputs, without variance: they never align (aa); -1: not counted");
}

void write_drawn(hdf5::Group& group, const std::string& name, const DrawnCurve& curve,
                 const std::string& units) {
    if (curve.mean.size() == 0) return;
    group.write(name + "_simulated", curve.mean, {"step", units, "mean over drawn runs"});
    group.write(name + "_simulated_error", curve.error, {"step", units, "its standard error"});
}

void write_layer(hdf5::Group group, const LayerStability& l) {
    group.write("singular_values", l.singular_values, {"mode", "", "s of W"});
    group.write("feedback_values", l.feedback_values, {"mode", "", "u^T B v in the end"});
    group.write("loop_gain", l.loop_gain, {"mode", "", "s u^T B v"});
    if (l.angle_curve.size() > 0) {
        group.write("angle_transient", l.angle_curve,
                    {"step", "degrees", "between W and B after each update"});
        group.write("norm_ratio_transient", l.norm_ratio_curve, {"step", "", "|B|/|W|"});
    }
    if (l.difference_curve.size() > 0)
        group.write("difference_transient", l.difference_curve,
                    {"step", "", "|W - B| over that of the start"});
    write_drawn(group, "angle", l.angle_drawn, "degrees");
    write_drawn(group, "norm_ratio", l.norm_ratio_drawn, "");
    write_drawn(group, "difference", l.difference_drawn, "");
}

void write_curvature(hdf5::Group& group, const std::string& name, const TaskCurvature& c,
                     double momentum, const std::string& what) {
    group.write_scalar("lr_critical" + name, critical_rate(c.value, momentum),
                       {"", "", "task learning rate that is stable " + what});
    group.set_attribute("task_curvature" + name, std::abs(c.value));
    group.set_attribute("task_curvature_residual" + name, c.residual);
}

void write_student(hdf5::Group group, const StudentStability& student) {
    group.set_attribute("w1", student.w1);
    group.set_attribute("w2", student.w2);
    group.set_attribute("feedback", student.feedback);
    group.write_scalar("rate", student.rate,
                       {"", "", "of the error's decay near zero error; 0 or below: unstable"});
    group.write_scalar("lr_critical", student.lr_critical,
                       {"", "", "task learning rate that is stable there; 0: none"});
}

void write_stability_settings(hdf5::Group& group, const StabilitySettings& s) {
    const AlignmentSettings& a = s.alignment;
    group.set_attribute("rule", rule_name(a.rule));
    group.set_attribute("activation", a.rectified ? "relu" : "none");
    group.set_attribute("input", s.engaged ? "layer" : a.kurtosis == 0 ? "normal" : "uniform");
    const Coefficients& c = a.coefficients;
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, double>>{{"amp", c.amp},
                                                     {"decay", c.decay},
                                                     {"null", c.null},
                                                     {"sparse", c.sparse},
                                                     {"self", c.self},
                                                     {"alignment_learning_rate", a.rate},
                                                     {"alignment_momentum", a.momentum},
                                                     {"stddev", a.stddev},
                                                     {"kurtosis", a.kurtosis},
                                                     {"noise_variance", a.noise},
                                                     {"start_ratio", s.start_ratio},
                                                     {"batch", static_cast<double>(a.batch)},
                                                     {"repeats", static_cast<double>(s.repeats)}})
        group.set_attribute(name, value);
}

// What only some rules have.
void write_rule(hdf5::Group& group, const AlignmentSettings& a) {
    const Coefficients& c = a.coefficients;
    if (c.decay > 0) group.set_attribute("updates_behind", updates_behind(a.rate, c.decay));
    if (a.rule == AlignmentRule::kp)
        group.set_attribute("spectral_radius", spectral_radius(a.rate * c.decay, a.momentum));
    if (a.noise > 0)
        group.set_attribute("estimation_variance",
                            estimation_variance(a.rate, c.decay, a.noise, a.momentum));
    if (a.rule == AlignmentRule::ia) {
        group.set_attribute("loop_gain_bound", gain_bounds(a).loop_gain);
        group.set_attribute("norm_bound", gain_bounds(a).norm);
    }
    if (a.rule == AlignmentRule::ia || a.rule == AlignmentRule::wm) {
        const JointState joint = joint_state(c, a.stddev * a.stddev);
        group.set_attribute("joint_value", joint.value);
        group.set_attribute("joint_eigenvalues", std::vector<double>{joint.slow, joint.fast});
    }
}

template <class T>
void take(const Json& json, const char* key, std::optional<T>& value) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return;
    if constexpr (std::is_same_v<T, std::string>) {
        if (found->is_string()) value = found->template get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
        if (found->is_boolean()) value = found->template get<bool>();
    } else {
        if (found->is_number()) value = found->template get<T>();
    }
}

// Whether a key's word is the first of two. Throws Error on a third.
std::optional<bool> take_word(const Json& json, const char* key, const std::string& yes,
                              const std::string& no, const std::string& place) {
    std::optional<std::string> word;
    take(json, key, word);
    if (!word) return std::nullopt;
    if (*word != yes && *word != no)
        throw Error(place + ": rule." + key + " '" + printable(*word, 40) + "'; " + yes + " or " +
                    no + " is expected");
    return *word == yes;
}

// Keys of a rule that change what it aligns to, and that no formula here holds.
std::vector<std::string> untreated_of(const Json& rule) {
    std::vector<std::string> found;
    std::optional<std::string> activation;
    take(rule, "activation", activation);
    if (activation && *activation != "none" && *activation != "linear" && *activation != "relu")
        found.push_back("activation " + printable(*activation, 40));
    for (const char* key : {"center_input", "normalize_input", "center_outputs",
                            "normalize_outputs", "update_forward"}) {
        std::optional<bool> on;
        take(rule, key, on);
        if (on.value_or(false)) found.emplace_back(key);
    }
    const auto schedule = rule.find("schedule");
    if (schedule != rule.end() && schedule->is_object() && !schedule->empty())
        found.emplace_back("schedule");
    return found;
}

bool is_sgd(const Json& optimizer) {
    std::optional<std::string> name;
    take(optimizer, "name", name);
    return !name || *name == "sgd";
}

} // namespace

void write_stability(hdf5::Group group, const StabilitySettings& settings,
                     const LayerLimits& layers, const TaskStability& task) {
    write_stability_settings(group, settings);
    write_rule(group, settings.alignment);
    std::string names;
    for (const auto& l : layers) names += (names.empty() ? "" : ",") + l.name;
    group.write_text("layers", names);
    write_limits(group, layers);
    std::vector<std::int64_t> steps;
    for (Index t = 0; t <= settings.steps; ++t) steps.push_back(t);
    group.write("step", steps, {"step", "", "updates of the feedback"});
    group.set_attribute("momentum", task.momentum);
    if (task.chain_lr_critical.size() > 0) {
        group.write(
            "chain_lr_critical", task.chain_lr_critical,
            {"depth", "", "critical task learning rate of 1, 2, ... scalar layers of weight 1"});
        group.set_attribute("chain_gain", task.chain_gain);
    }
    if (task.rule)
        write_curvature(group, "", *task.rule, task.momentum, "with this feedback, by theory");
    if (task.backprop)
        write_curvature(group, "_backprop", *task.backprop, task.momentum, "with backpropagation");
    if (task.student) write_student(group.create_group("student"), *task.student);
    for (const auto& l : layers) write_layer(group.create_group("layer/" + l.name), l);
}

void write_stability_map(hdf5::Group group, const StabilityMapSettings& settings,
                         const StabilityMap& map) {
    const SweepAxis &rows = settings.axes[0], &columns = settings.axes[1];
    group.set_attribute("axes", rows.name + "," + columns.name);
    if (settings.learning_rate) group.set_attribute("learning_rate", *settings.learning_rate);
    group.set_attribute("momentum", settings.momentum);
    group.set_attribute("depth", static_cast<std::int64_t>(settings.depth));
    for (const SweepAxis& axis : settings.axes)
        group.write(axis.name, axis.values, {axis.name, "", "of the map"});
    const std::string axes = rows.name + "," + columns.name;
    group.write("margin", map.margin,
                {axes, "", "least limit of a learning rate over that rate; stable above 1"});
    group.write("eta_critical", map.eta_critical,
                {axes, "", "alignment learning rate that is stable, in the mean square if known"});
    group.write("lr_critical", map.lr_critical,
                {axes, "", "task learning rate that is stable; NaN: none is given"});
    group.write("angle", map.angle, {axes, "degrees", "between W and B in the steady state"});
    group.write("norm_ratio", map.norm_ratio, {axes, "", "|B|/|W| in the steady state"});
    if (map.stayed.size() > 0)
        group.write("stayed", map.stayed, {axes, "", "share of the drawn runs that stayed"});
}

TrainingWords read_training_words(const std::string& text, const std::string& place) {
    const Json json = network::parse_json(text, place);
    if (!json.is_object()) throw Error(place + ": expected a JSON object");
    const auto section = [&](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_object() ? *found : Json::object();
    };
    TrainingWords words;
    take(json, "loss", words.loss);
    take(json, "data", words.data);
    take(section("evaluate"), "split", words.evaluate_split);
    take(json, "rule", words.rule); // a name alone
    const Json rule = section("rule"), task = section("optimizer"),
               alignment = section("alignment_optimizer");
    take(rule, "name", words.rule);
    take(rule, "amp", words.amp);
    take(rule, "decay", words.decay);
    take(rule, "null", words.null);
    take(rule, "sparse", words.sparse);
    take(rule, "self", words.self);
    take(rule, "input", words.input);
    take(rule, "stddev", words.stddev);
    take(rule, "batch", words.batch);
    if (!words.batch) take(json, "batch_size", words.batch);
    words.published = take_word(rule, "coefficients", "published", "small", place);
    words.spatial_sum = take_word(rule, "spatial", "sum", "mean", place);
    words.compensate = take_word(rule, "padding", "compensate", "raw", place);
    std::optional<std::string> use_bias;
    take(rule, "use_bias", use_bias); // forward differs from both only where p is used: sparse
    if (use_bias) words.use_bias = *use_bias != "none";
    take(rule, "batch_center", words.batch_center);
    std::optional<std::string> activation;
    take(rule, "activation", activation);
    if (activation) words.rectified = *activation == "relu";
    const auto noise = rule.find("noise");
    if (noise != rule.end()) take(*noise, "variance", words.noise_variance);
    words.untreated = untreated_of(rule);
    take(task, "learning_rate", words.learning_rate);
    take(task, "momentum", words.momentum);
    take(alignment, "learning_rate", words.alignment_learning_rate);
    take(alignment, "momentum", words.alignment_momentum);
    words.task_is_sgd = is_sgd(task);
    words.alignment_is_sgd = is_sgd(alignment);
    return words;
}

std::vector<LayerFeedback> read_feedback(const hdf5::Group& model,
                                         const std::vector<NetworkLayer>& layers) {
    std::vector<LayerFeedback> found;
    for (const NetworkLayer& layer : layers) {
        const FeedbackLayer& f = layer.feedback;
        const std::string path = "feedback/" + f.layer() + "/" + f.array;
        if (!model.has_dataset(path))
            throw Error(model.where() + "/" + path +
                        ": missing; a rule with fixed feedback needs it");
        const hdf5::Dataset dataset = model.dataset(path).expect_numeric();
        const Matrix& w = f.weight;
        if (dataset.size() != w.size() || dataset.shape().empty() || dataset.shape()[0] != w.rows())
            throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                               "; the weight's shape is expected"));
        const auto values = dataset.read<double>();
        found.push_back(
            {f.layer(), Eigen::Map<const RowMatrix>(values.data(), w.rows(), w.cols()), f.array});
    }
    return found;
}

} // namespace assay::lindyn
