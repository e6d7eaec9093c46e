// lindyn stability: whether feedback of its own will align with a network's weights, and how fast
// the task may then learn.
#include "../model_input.hpp"
#include "clock.hpp"
#include "commands.hpp"
#include "study_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/stability_io.hpp>
#include <assay/training/run_io.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr const char* kAuto = "auto";
constexpr double kLeastRatio = 0.3, kMostRatio = 3; // of |B|/|W|

struct Options {
    std::string rule = kAuto, input = kAuto;
    // None: the run's, else the rule's own.
    std::optional<bool> published, sum, compensate, use_bias, rectified;
    std::optional<double> amp, decay, null, sparse, self, noise;
    std::optional<double> alignment_rate, learning_rate, momentum, alignment_momentum, stddev;
    std::optional<Index> batch;
    double start_ratio = 1;
    std::vector<Index> sizes;
    std::vector<double> singular_values, student;
    Index depth = 0, steps = 200, repeats = 0, samples = 512;
    std::string model, data, split = "train", loss, checkpoint, training;
    tools::ModelFileOptions files;
    std::vector<std::string> sweep;
    std::uint64_t seed = 0;
};

// What the study is of.
struct Subject {
    std::vector<NetworkLayer> layers;
    std::optional<network::Model> model;
    network::Samples samples;
    std::vector<LayerFeedback> stored; // of fa
};

// ---- settings: options before the run's words before the rule's defaults

AlignmentRule rule_for(const Options& o, const TrainingWords& words, Monitor& monitor) {
    if (o.rule != kAuto) return rule_of(o.rule);
    if (!words.rule) return AlignmentRule::wm;
    if (*words.rule != "bp") return rule_of(*words.rule);
    monitor.info("the run was trained with bp; the theory is shown for wm (--rule names another)");
    return AlignmentRule::wm;
}

Coefficients coefficients_for(const Options& o, const TrainingWords& words, AlignmentRule rule) {
    // A table that is asked for takes the place of the run's coefficients.
    const bool same = words.rule == rule_name(rule) && !o.published;
    const bool published = o.published.value_or(same && words.published.value_or(false));
    Coefficients c = published ? published_coefficients(rule) : usual_coefficients(rule);
    const auto choose = [&](double& value, const std::optional<double>& option,
                            const std::optional<double>& word) {
        value = option.value_or(same ? word.value_or(value) : value);
    };
    choose(c.amp, o.amp, words.amp);
    choose(c.decay, o.decay, words.decay);
    choose(c.null, o.null, words.null);
    choose(c.sparse, o.sparse, words.sparse);
    choose(c.self, o.self, words.self);
    return c;
}

std::string input_for(const Options& o, const TrainingWords& words, AlignmentRule rule) {
    const std::string input = o.input != kAuto            ? o.input
                              : words.input               ? *words.input
                              : rule == AlignmentRule::aa ? "layer"
                                                          : "normal";
    if (input != "layer" && input != "normal" && input != "uniform")
        throw Error("the run's mirror input '" + printable(input, 60) +
                    "'; layer, normal or uniform (--align-input) is expected");
    return input;
}

bool is_rectified(const Options& o, const TrainingWords& words) {
    return o.rectified.value_or(words.rectified.value_or(false));
}

StabilitySettings settings_for(const Options& o, const TrainingWords& words, Monitor& monitor) {
    StabilitySettings s;
    AlignmentSettings& a = s.alignment;
    a.rule = rule_for(o, words, monitor);
    a.coefficients = coefficients_for(o, words, a.rule);
    const bool with_task = a.rule == AlignmentRule::kp;
    a.rate = with_task ? o.learning_rate.value_or(words.learning_rate.value_or(0.01))
                       : o.alignment_rate.value_or(words.alignment_learning_rate.value_or(0.05));
    a.momentum = with_task ? o.momentum.value_or(words.momentum.value_or(0))
                           : o.alignment_momentum.value_or(words.alignment_momentum.value_or(0));
    a.stddev = o.stddev.value_or(words.stddev.value_or(1));
    a.batch = o.batch.value_or(words.batch.value_or(64));
    a.noise = o.noise.value_or(words.noise_variance.value_or(0));
    const std::string input = input_for(o, words, a.rule);
    a.kurtosis = input == "uniform" ? -1.2 : 0;
    a.rectified = is_rectified(o, words) && a.rule == AlignmentRule::wm && input == "normal";
    s.engaged = input == "layer";
    const bool centred = words.batch_center.value_or(a.rule == AlignmentRule::aa);
    s.options = {!o.sum.value_or(words.spatial_sum.value_or(true)),
                 o.compensate.value_or(words.compensate.value_or(true)), s.engaged && centred};
    s.steps = o.steps;
    s.start_ratio = o.start_ratio;
    s.repeats = o.repeats;
    s.seed = o.seed;
    check_alignment(a);
    return s;
}

// ---- what is studied

TrainingWords words_of(const Options& o, cli::Context& context) {
    if (!o.training.empty()) {
        context.note_foreign(o.training);
        return read_training_words(tools::read_text_file(o.training), o.training);
    }
    if (o.model.empty()) return {};
    const auto address = hdf5::Address::parse(o.model);
    if (!cli::Context::is_hdf5(address)) return {};
    const hdf5::Group root = context.open(address).root();
    if (!root.has_group("/run")) return {};
    const auto text = root.group("/run").read_text("training");
    return text ? read_training_words(*text, root.where() + "/run") : TrainingWords{};
}

hdf5::Address data_address(const Options& o, const TrainingWords& words, cli::Context& context) {
    if (!o.data.empty()) return hdf5::Address::parse(o.data);
    const auto model = hdf5::Address::parse(o.model);
    if (cli::Context::is_hdf5(model) && context.open(model).root().has_group("/data"))
        return {model.file, ""};
    if (words.data && std::filesystem::exists(hdf5::Address::parse(*words.data).file))
        return hdf5::Address::parse(*words.data);
    throw Error(model.name() + ": its data are not at hand; --data FILE is expected");
}

// The first --samples of the split, as the run saw them.
network::Samples samples_of(const Options& o, const TrainingWords& words, cli::Context& context) {
    const auto address = data_address(o, words, context), model = hdf5::Address::parse(o.model);
    std::optional<tools::RunWords> run;
    if (cli::Context::is_hdf5(model) && context.open(model).root().has_group("/run")) {
        const hdf5::Group group = context.open(model).root().group("/run");
        run.emplace();
        run->config.evaluate_split = words.evaluate_split.value_or(run->config.evaluate_split);
        run->preprocessing = training::read_preprocessing(group);
        run->data_digest = group.text_attribute("data_digest").value_or("");
    }
    const network::Samples all = tools::run_samples(tools::data_group(context, address), o.split,
                                                    run ? &*run : nullptr, context.monitor());
    std::vector<Index> rows;
    for (Index i = 0; i < std::min(o.samples, all.count()); ++i) rows.push_back(i);
    return training::choose_rows(all, rows);
}

Subject network_subject(const Options& o, const TrainingWords& words, AlignmentRule rule,
                        cli::Context& context) {
    const auto address = hdf5::Address::parse(o.model);
    Subject subject;
    subject.model = tools::open_model(context, address, o.files, o.checkpoint).model;
    subject.samples = samples_of(o, words, context);
    NetworkLayers found = at_place(address.name(), [&] {
        return feedback_layers(*subject.model, subject.samples,
                               o.use_bias.value_or(words.use_bias.value_or(true)),
                               context.execution());
    });
    if (!found.left_out.empty())
        context.monitor().info("layers without a theory here: " + join(found.left_out, ", "));
    subject.layers = std::move(found.layers);
    if (rule == AlignmentRule::fa)
        subject.stored =
            read_feedback(context.open(address).root().group("/model"), subject.layers);
    return subject;
}

Subject subject_of(const Options& o, const TrainingWords& words, AlignmentRule rule,
                   cli::Context& context) {
    if (!o.model.empty()) return network_subject(o, words, rule, context);
    Subject subject;
    if (!o.singular_values.empty())
        subject.layers = {diagonal_layer(o.singular_values)};
    else
        subject.layers = drawn_layers(o.sizes.empty() ? std::vector<Index>{64} : o.sizes, o.seed);
    return subject;
}

// ---- the task

// Its feedback as given, else where the rule ends for one weight w2 (as for a singular value).
std::optional<StudentStability> student_of(const Options& o, const AlignmentSettings& a,
                                           double momentum) {
    if (o.student.empty()) return std::nullopt;
    StudentStability student{o.student[0], o.student[1], 0, 0, 0};
    if (o.student.size() == 3)
        student.feedback = o.student[2];
    else if (a.rule == AlignmentRule::fa)
        throw UsageError("option '--student': feedback of fa is fixed; W1,W2,B is expected");
    else
        student.feedback = aligned_values(a, Vector::Constant(1, student.w2))(0);
    student.rate = student_rate(student.w1, student.w2, student.feedback);
    student.lr_critical = critical_rate(student.rate, momentum);
    return student;
}

// Layers of the scalar chain: as many as the drawn network has.
Index chain_depth(const Options& o) {
    return o.depth > 0 ? o.depth : static_cast<Index>(std::max<std::size_t>(o.sizes.size(), 2)) - 1;
}

TaskStability task_of(const Options& o, const TrainingWords& words, const Subject& subject,
                      const StabilitySettings& s, const std::vector<LayerStability>& layers,
                      const Execution& run) {
    const Phase phase(*run.monitor, "curvature");
    TaskStability task;
    task.momentum = o.momentum.value_or(words.momentum.value_or(0));
    task.student = student_of(o, s.alignment, task.momentum);
    if (!subject.model) {
        if (s.alignment.rule == AlignmentRule::fa) return task;
        task.chain_gain = aligned_values(s.alignment, Vector::Ones(1))(0);
        task.chain_lr_critical.resize(chain_depth(o));
        for (Index d = 0; d < task.chain_lr_critical.size(); ++d)
            task.chain_lr_critical(d) =
                critical_rate(chain_curvature(task.chain_gain, d + 1), task.momentum);
        return task;
    }
    const network::Samples& samples = subject.samples;
    if (samples.classes.empty() && samples.values.size() == 0) return task;
    const std::string usual = network::usual_loss(
        samples, network::Network<double>(subject.model->architecture).output());
    const network::Loss loss = network::loss_of(!o.loss.empty()                      ? o.loss
                                                : words.loss && !words.loss->empty() ? *words.loss
                                                                                     : usual);
    std::vector<LayerFeedback> feedback = subject.stored;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const FeedbackLayer& layer = subject.layers[i].feedback;
        if (layers[i].feedback.size() > 0)
            feedback.push_back({layer.layer(), layers[i].feedback, layer.array});
    }
    task.rule = task_curvature(*subject.model, samples, loss, feedback, o.seed, run);
    task.backprop = task_curvature(*subject.model, samples, loss, {}, o.seed, run);
    return task;
}

// The critical learning rate of the task, the deepest chain's where there is no network.
std::optional<double> lr_critical(const TaskStability& task) {
    if (task.rule) return critical_rate(task.rule->value, task.momentum);
    if (task.chain_lr_critical.size() == 0) return std::nullopt;
    return task.chain_lr_critical(task.chain_lr_critical.size() - 1);
}

// ---- words

void warn_of_layer(const LayerStability& layer, const AlignmentSettings& a, Monitor& monitor) {
    const std::string rate = concat("layer '", layer.name, "': alignment learning rate ",
                                    significant(a.rate, 4), " is beyond its limit ");
    if (a.rate >= layer.eta_critical)
        monitor.warn(rate + significant(layer.eta_critical, 4));
    else if (a.rate >= layer.eta_critical_mean_square)
        monitor.warn(concat(rate, significant(layer.eta_critical_mean_square, 4),
                            " for batches of ", a.batch));
    if (layer.norm_ratio < kLeastRatio || layer.norm_ratio > kMostRatio)
        monitor.warn(concat("layer '", layer.name, "': |B| is ", significant(layer.norm_ratio, 3),
                            " |W| in the end; within ", kLeastRatio, " to ", kMostRatio,
                            " learning is known to work"));
}

void warn_of_student(const StudentStability& student, std::optional<double> rate,
                     Monitor& monitor) {
    if (student.rate <= 0)
        monitor.warn(concat("the student leaves zero error at any learning rate: w1^2 + b w2 is ",
                            significant(student.rate, 4)));
    else if (rate && *rate >= student.lr_critical)
        monitor.warn(concat("learning rate ", significant(*rate, 4),
                            " is beyond the student's limit ",
                            significant(student.lr_critical, 4)));
}

void warn(const Options& o, const TrainingWords& words, const StabilitySettings& s,
          const std::vector<LayerStability>& layers, const TaskStability& task, Monitor& monitor) {
    const AlignmentSettings& a = s.alignment;
    const bool convolves = std::any_of(layers.begin(), layers.end(),
                                       [](const LayerStability& l) { return l.positions > 1; });
    std::vector<std::string> untreated = words.untreated;
    if (is_rectified(o, words) && (!a.rectified || convolves))
        untreated.insert(untreated.begin(),
                         a.rectified ? "activation relu in convolutions" : "activation relu");
    if (!untreated.empty())
        monitor.warn("no theory here of the rule's " + join(untreated, ", ") +
                     "; what is shown is without");
    if (a.rule == AlignmentRule::kp && a.coefficients.decay == 0)
        monitor.warn("kp with decay 0: feedback aligns only as the weights grow");
    if (words.alignment_is_sgd || o.alignment_rate)
        for (const LayerStability& layer : layers) warn_of_layer(layer, a, monitor);
    const auto limit = lr_critical(task);
    const auto rate = o.learning_rate ? o.learning_rate : words.learning_rate;
    if (task.student) warn_of_student(*task.student, rate, monitor);
    if (rate && limit && *rate >= *limit && (words.task_is_sgd || o.learning_rate))
        monitor.warn(concat("learning rate ", significant(*rate, 4), " is beyond its limit ",
                            significant(*limit, 4)));
}

void report(cli::Context& context, const StabilitySettings& s,
            const std::vector<LayerStability>& layers, const TaskStability& task) {
    context.report("rule", rule_name(s.alignment.rule));
    for (const LayerStability& l : layers)
        context.report(l.name, l.angle,
                       concat("degrees between W and B in the end; |B|/|W| ",
                              significant(l.norm_ratio, 4), ", critical alignment rate ",
                              significant(l.eta_critical, 4)));
    if (const auto limit = lr_critical(task))
        context.report(
            "critical rate", *limit,
            task.rule ? concat("of the task; with backpropagation ",
                               significant(critical_rate(task.backprop->value, task.momentum), 4))
                      : concat("of a chain of ", task.chain_lr_critical.size(),
                               " scalar layers of weight 1"));
    if (task.student)
        context.report("student", task.student->rate,
                       "w1^2 + b w2 of the two-layer scalar student; critical rate " +
                           significant(task.student->lr_critical, 4));
}

void check_options(const Options& o) {
    if (!o.student.empty() && o.student.size() != 2 && o.student.size() != 3)
        throw UsageError(concat("option '--student': found ", o.student.size(),
                                " numbers; W1,W2 or W1,W2,B is expected"));
    for (const double weight : o.student)
        if (!std::isfinite(weight))
            throw UsageError("option '--student': a number that is not finite");
    if (!o.model.empty() && (!o.sizes.empty() || !o.singular_values.empty()))
        throw UsageError("option '--model': given beside --sizes or --singular-values");
    if (!o.sizes.empty() && !o.singular_values.empty())
        throw UsageError("option '--sizes': given beside --singular-values");
    for (const double s : o.singular_values)
        if (!(s >= 0) || !std::isfinite(s))
            throw UsageError(concat("option '--singular-values': found ", s,
                                    "; numbers of 0 or more are expected"));
}

// Two settings over a grid, of the first drawn layer.
void write_map(const Options& o, const TrainingWords& words, const Subject& subject,
               const StabilitySettings& s, cli::Context& context) {
    if (o.sweep.empty()) return;
    auto axes = parse_sweeps(o.sweep, stability_map_names());
    if (axes.size() != 2)
        throw UsageError(concat("option '--sweep': found ", axes.size(),
                                "; a map has two settings (--sweep eta=log:0.01:10:20 --sweep "
                                "decay=log:0.1:10:20)"));
    if (subject.model)
        throw UsageError("option '--sweep': given beside --model; a map is of drawn layers");
    const StabilityMapSettings settings{s,
                                        subject.layers.front(),
                                        o.learning_rate ? o.learning_rate : words.learning_rate,
                                        o.momentum.value_or(words.momentum.value_or(0)),
                                        chain_depth(o),
                                        {std::move(axes[0]), std::move(axes[1])}};
    const StabilityMap map = map_stability(settings, context.execution());
    write_stability_map(context.output().create_group("/lindyn/stability/map"), settings, map);
    const auto stable = (map.margin.array() > 1).cast<double>();
    context.report("stable", stable.mean(), "share of the map's points, by theory");
    if (map.stayed.size() > 0)
        context.report("agreement",
                       1 - (stable - (map.stayed.array() > 0.5).cast<double>()).abs().mean(),
                       "share of them at which most drawn runs do as theory says");
}

void run(const Options& o, cli::Context& context) {
    check_options(o);
    const TrainingWords words = words_of(o, context);
    const StabilitySettings s = settings_for(o, words, context.monitor());
    const Subject subject = subject_of(o, words, s.alignment.rule, context);
    std::vector<LayerStability> layers;
    for (std::size_t i = 0; i < subject.layers.size(); ++i)
        layers.push_back(
            study_layer(subject.layers[i], static_cast<Index>(i), s, context.execution()));
    const TaskStability task = task_of(o, words, subject, s, layers, context.execution());
    write_stability(context.output().create_group("/lindyn/stability"), s, layers, task);
    write_map(o, words, subject, s, context);
    warn(o, words, s, layers, task, context.monitor());
    report(context, s, layers, task);
    context.propose("lindyn plot " + context.output_target() + " -o stability.svg");
}

// One of two words, or neither: the run's.
void declare_either(cli::Command& c, const std::string& name, std::optional<bool>& value,
                    const std::string& yes, const std::string& no, const std::string& what) {
    c.choice<std::optional<bool>>(name, value, {{kAuto, std::nullopt}, {yes, true}, {no, false}},
                                  what);
}

void declare_rule(cli::Command& c, Options& o) {
    c.group("Rule");
    c.choice<std::string>("--rule", o.rule,
                          {{kAuto, kAuto},
                           {"wm", "wm"},
                           {"ia", "ia"},
                           {"sa", "sa"},
                           {"aa", "aa"},
                           {"kp", "kp"},
                           {"fa", "fa"}},
                          "weight mirror, information, symmetric or activation alignment, "
                          "Kolen-Pollack, fixed feedback; auto: the run's, else wm");
    declare_either(c, "--coefficients", o.published, "published", "small",
                   "defaults: for small problems, or those of the published code; auto: the "
                   "run's, else small");
    const auto coefficient = [&](const char* name, std::optional<double>& value, const char* what) {
        c.option(name, value, "X", what).default_text("the run's, else the rule's").range(0);
    };
    coefficient("--amp", o.amp, "of -<p.y>");
    coefficient("--decay", o.decay, "of |B|^2/2");
    coefficient("--null", o.null, "of <|y B|^2>/2");
    coefficient("--sparse", o.sparse, "of <|p|^2>/2");
    coefficient("--self", o.self, "of -sum(B * W)");
    c.choice<std::string>(
        "--align-input", o.input,
        {{kAuto, kAuto}, {"layer", "layer"}, {"normal", "normal"}, {"uniform", "uniform"}},
        "the layers' inputs, or noise; auto: the run's, else the rule's (layer for aa)");
    declare_either(c, "--align-activation", o.rectified, "relu", "none",
                   "what the mirror's outputs go through (theory: wm, normal noise, dense layers); "
                   "auto: the run's, else none");
    c.option("--align-stddev", o.stddev, "S", "standard deviation of the noise")
        .default_text("the run's, else 1")
        .range(0);
    c.option("--align-batch", o.batch, "M", "rows of an alignment step")
        .default_text("the run's, else 64")
        .range(1, 1e6);
    declare_either(c, "--align-spatial", o.sum, "sum", "mean",
                   "convolutions: over output positions; auto: the run's, else sum");
    declare_either(c, "--align-padding", o.compensate, "compensate", "raw",
                   "convolutions in mirror mode: undo the taper of zero padding; auto: the run's, "
                   "else compensate");
    declare_either(c, "--use-bias", o.use_bias, "both", "none",
                   "biases of the layers in their projections; auto: the run's, else both");
    c.option("--noise-variance", o.noise, "V", "of noise that every update adds, times eta")
        .default_text("the run's, else 0")
        .range(0);
}

void declare_learning(cli::Command& c, Options& o) {
    c.group("Learning rates");
    c.option("--alignment-learning-rate", o.alignment_rate, "ETA", "of the feedback")
        .default_text("the run's, else 0.05")
        .range(0);
    c.option("--alignment-momentum", o.alignment_momentum, "MU", "heavy ball, of the feedback")
        .default_text("the run's, else 0")
        .range(0, 0.999999);
    declare_rates(c, o.learning_rate, o.momentum, "of the task; kp: of the feedback too");
    c.option("--training", o.training, "FILE.json",
             "configuration of a run to come, in place of the model's own")
        .default_text("none");
}

void declare_subject(cli::Command& c, Options& o) {
    c.group("Layers");
    c.option("--sizes", o.sizes, "LIST",
             "widths of a He-initialised network from input to output; one: a square layer")
        .default_text("64")
        .range(1, 8192);
    c.option("--singular-values", o.singular_values, "LIST", "of one square layer")
        .default_text("none");
    c.option("--depth", o.depth, "L", "layers of the scalar chain").word("auto", 0).range(1, 10000);
    c.option("--student", o.student, "W1,W2[,B]",
             "two-layer scalar student near zero error; B: the rule's for W2")
        .default_text("none");
    c.group("A network on data");
    c.option("--model", o.model, "FILE[:/model]", "a run or a model, layer by layer")
        .default_text("none");
    c.option("--checkpoint", o.checkpoint, "STEP", "which of a run's").default_text("the last");
    c.option("--data", o.data, "FILE[:/group]", "its data")
        .default_text("what the model's file carries or names");
    c.option("--split", o.split, "NAME", "which split");
    c.option("--samples", o.samples, "N", "the first so many").range(1, 1e6);
    c.option("--loss", o.loss, "NAME", "of the task")
        .default_text("the run's, else by the targets");
    tools::declare_model_file(c, o.files);
}

} // namespace

cli::Command stability() {
    auto o = std::make_shared<Options>();
    cli::Command c("stability", "when learning with separate feedback arrays is stable");
    c.describe("Rules without weight transport send errors down through arrays B of their own and "
               "align B with the weights W as they learn. Theory of where B ends, how far noise "
               "keeps it from W, the learning rates beyond which B or the task diverges, and the "
               "way there; for drawn weights, given singular values, or the layers of a network on "
               "its data, with a warning where a configuration is beyond a limit. Of a recurrent "
               "layer, the kernel and the recurrent matrix are arrays of their own, on inputs x_t "
               "and h_(t-1) of every step; errors go back through time by them.");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/stability/eta_critical, angle, norm_ratio", "of each layer"},
              {"/lindyn/stability/lr_critical, chain_lr_critical",
               "of the task, on a network or a chain of scalar layers"},
              {"/lindyn/stability/student/rate, lr_critical", "of the scalar student"},
              {"/lindyn/stability/layer/<name>/loop_gain", "of each singular value"},
              {"/lindyn/stability/map/margin, stayed",
               "over two settings: the limits over the rates, and drawn runs that stayed"},
              {"/lindyn/stability/layer/<name>/angle_transient, norm_ratio_transient",
               "after each update, drawn runs beside them"}});
    declare_rule(c, *o);
    declare_learning(c, *o);
    declare_subject(c, *o);
    c.group("Curves");
    c.option("--steps", o->steps, "T", "updates of the curves").range(1, 1e6);
    c.option("--start-ratio", o->start_ratio, "R", "|B|/|W| of the start").range(0);
    c.option("--simulate", o->repeats, "N", "drawn runs of the alignment")
        .word("none", 0)
        .range(2, 1e6);
    c.group("Map");
    tools::add_repeated(
        c, "--sweep", o->sweep, "NAME=GRID",
        "two settings over a:b:n, log:a:b:n or a,b,c, for the first drawn layer and, where "
        "--learning-rate is given, the scalar chain: " +
            join(stability_map_names(), ", ") + "; with --simulate, drawn runs at every point");
    c.seed(o->seed);
    c.example("A mirror of width 256, drawn beside the theory",
              "lindyn stability --rule wm --sizes 256 --simulate 4 --steps 100 -o mirror.h5");
    c.example("Where a mirror is stable, by theory and drawn",
              "lindyn stability --rule wm --sizes 16 --sweep eta=log:0.05:20:12 --sweep "
              "decay=log:0.05:5:12 --simulate 2 -o map.h5");
    c.reference("kunin2020");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
