#include <assay/training/run_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/hdf5/tree.hpp>
#include <assay/training/config_json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace assay::training {
namespace {

namespace fs = std::filesystem;

constexpr const char* kState = "state.h5";
constexpr const char* kOlderState = "state-1.h5";

template <class Value>
std::vector<double> metric_column(const std::vector<MetricRow>& rows, Value&& value) {
    std::vector<double> values;
    for (const auto& row : rows) values.push_back(value(row));
    return values;
}

void write_layers(hdf5::Group& group, const std::string& name, const std::vector<MetricRow>& rows,
                  std::vector<double> MetricRow::*member, const std::string& description) {
    std::vector<double> values;
    for (const auto& row : rows)
        values.insert(values.end(), (row.*member).begin(), (row.*member).end());
    const auto count = static_cast<Index>(rows.size());
    const Index layers = count == 0 ? 0 : static_cast<Index>(values.size()) / count;
    group.write(name, values.data(), {count, layers}, {"step,layer", "", description});
}

void write_metrics(hdf5::Group group, const std::vector<MetricRow>& rows) {
    std::vector<std::int64_t> steps;
    for (const auto& row : rows) steps.push_back(row.step);
    group.write("step", steps, {"step", "", "updates made when the row was logged"});
    const auto write = [&](const char* name, double MetricRow::*member, const char* description) {
        group.write(name, metric_column(rows, [&](const MetricRow& row) { return row.*member; }),
                    {"step", "", description});
    };
    write("loss", &MetricRow::loss, "of the batch, before the update");
    write("accuracy", &MetricRow::accuracy, "of the batch, before the update");
    write("eval_loss", &MetricRow::eval_loss, "of the evaluation split; NaN where not looked");
    write("eval_accuracy", &MetricRow::eval_accuracy,
          "of the evaluation split; NaN where not looked");
    write("learning_rate", &MetricRow::learning_rate, "of the step");
    write("rate_penalty", &MetricRow::rate_penalty, "of the batch, beside its loss");
    write("l2_penalty", &MetricRow::l2_penalty,
          "of the weights before the update, beside the loss");
    write("update_cosine", &MetricRow::update_cosine,
          "between the change of all weights and that of the step before; NaN where one is 0");
    write_layers(group, "weight_norm", rows, &MetricRow::weight_norm, "of each layer's parameters");
    write_layers(group, "gradient_norm", rows, &MetricRow::gradient_norm,
                 "of each layer's gradient, after clipping");
    write_layers(group, "update_norm", rows, &MetricRow::update_norm, "of each layer's change");
    write_layers(group, "silent", rows, &MetricRow::silent,
                 "share of each rectifying layer's units above 0 on no sample of the evaluation "
                 "split; NaN where not looked");
}

std::vector<double> read_numbers(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).expect_numeric().read<double>();
}

std::vector<MetricRow> read_metrics(const hdf5::Group& group) {
    const auto steps = group.dataset("step").read<std::int64_t>();
    std::vector<MetricRow> rows(steps.size());
    const auto read = [&](const char* name, double MetricRow::*member) {
        const auto values = read_numbers(group, name);
        if (values.size() != rows.size())
            throw Error(concat(group.where(), "/", name, ": ", values.size(), " numbers; ",
                               rows.size(), " are expected"));
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i].*member = values[i];
    };
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].step = steps[i];
    read("loss", &MetricRow::loss);
    read("accuracy", &MetricRow::accuracy);
    read("eval_loss", &MetricRow::eval_loss);
    read("eval_accuracy", &MetricRow::eval_accuracy);
    read("learning_rate", &MetricRow::learning_rate);
    read("rate_penalty", &MetricRow::rate_penalty);
    if (group.has_dataset("l2_penalty")) // not in runs of before
        read("l2_penalty", &MetricRow::l2_penalty);
    read("update_cosine", &MetricRow::update_cosine);
    const auto read_layers = [&](const char* name, std::vector<double> MetricRow::*member) {
        const auto values = read_numbers(group, name);
        const std::size_t layers = rows.empty() ? 0 : values.size() / rows.size();
        for (std::size_t i = 0; i < rows.size(); ++i)
            (rows[i].*member)
                .assign(values.begin() + static_cast<std::ptrdiff_t>(i * layers),
                        values.begin() + static_cast<std::ptrdiff_t>((i + 1) * layers));
    };
    read_layers("weight_norm", &MetricRow::weight_norm);
    read_layers("gradient_norm", &MetricRow::gradient_norm);
    read_layers("update_norm", &MetricRow::update_norm);
    if (group.has_dataset("silent")) // not in runs of before
        read_layers("silent", &MetricRow::silent);
    return rows;
}

template <class S>
void write_column(hdf5::Group& group, const std::string& name, const network::Column<S>& values,
                  const std::string& description) {
    group.write(name, values.data(), {values.size()}, {"parameter", "", description});
}

template <class S>
network::Column<S> read_column(const hdf5::Group& group, const std::string& name) {
    const hdf5::Dataset dataset = group.dataset(name);
    const Index size = dataset.expect_numeric().expect_rank(1).size();
    network::Column<S> values(size);
    dataset.read_box({0}, {size}, values.data());
    return values;
}

void write_arrays(hdf5::Group&, std::monostate) {}

template <class S>
void write_arrays(hdf5::Group& group, const RunArrays<S>& a) {
    group.set_attribute("updates", static_cast<std::int64_t>(a.optimizer.updates));
    group.set_attribute("optimizer_arrays", static_cast<std::int64_t>(a.optimizer.arrays.size()));
    write_column(group, "trained", a.weights.trained, "parameters, flat");
    write_column(group, "statistics", a.weights.statistics, "running statistics, flat");
    if (a.last_update.size() > 0)
        write_column(group, "last_update", a.last_update, "the last change of trained");
    for (std::size_t i = 0; i < a.optimizer.arrays.size(); ++i)
        write_column(group, "optimizer_" + std::to_string(i), a.optimizer.arrays[i],
                     "state of the optimiser");
}

// A number that counts something.
Index read_count(const hdf5::Group& group, const char* name) {
    const auto value = group.number_attribute(name);
    if (!value || !(*value >= 0) || *value > 9e15)
        throw Error(group.where() + ": attribute '" + name + "' is missing or wrong");
    return static_cast<Index>(*value);
}

template <class S>
RunArrays<S> read_arrays(const hdf5::Group& group) {
    RunArrays<S> a;
    a.weights = {read_column<S>(group, "trained"), read_column<S>(group, "statistics")};
    if (group.has_dataset("last_update")) a.last_update = read_column<S>(group, "last_update");
    a.optimizer.updates = read_count(group, "updates");
    const Index arrays = read_count(group, "optimizer_arrays");
    for (Index i = 0; i < std::min<Index>(arrays, 8); ++i)
        a.optimizer.arrays.push_back(read_column<S>(group, "optimizer_" + std::to_string(i)));
    return a;
}

void write_state(hdf5::Group group, const RunState& s) {
    group.set_attribute("step", static_cast<std::int64_t>(s.step));
    group.set_attribute("rate_factor", s.rate_factor);
    group.set_attribute("halvings", static_cast<std::int64_t>(s.halvings));
    group.set_attribute("since_best", static_cast<std::int64_t>(s.since_best));
    group.set_attribute("best", std::isfinite(s.best) ? s.best : 1e308);
    std::visit([&](const auto& arrays) { write_arrays(group, arrays); }, s.arrays);
    group.write("checkpoints",
                std::vector<std::int64_t>(s.checkpoints.begin(), s.checkpoints.end()),
                {"checkpoint", "", "steps kept so far"});
}

RunState read_state(const hdf5::Group& group, const hdf5::Group& metrics) {
    RunState s;
    s.step = read_count(group, "step");
    s.halvings = read_count(group, "halvings");
    s.since_best = read_count(group, "since_best");
    s.rate_factor = group.number_attribute("rate_factor").value_or(1);
    s.best = group.number_attribute("best").value_or(1e308);
    if (group.dataset("trained").element_bytes() == sizeof(float))
        s.arrays = read_arrays<float>(group);
    else
        s.arrays = read_arrays<double>(group);
    const auto kept = group.dataset("checkpoints").read<std::int64_t>();
    s.checkpoints.assign(kept.begin(), kept.end());
    s.metrics = read_metrics(metrics);
    return s;
}

void write_preprocessing(hdf5::Group group, const Preprocessing& p) {
    group.set_attribute("scale", p.scale);
    group.set_attribute("standardize", p.standardize);
    group.set_attribute("inputs", static_cast<std::int64_t>(p.inputs));
    group.set_attribute("description",
                        "inputs x of the data became (scale x - mean) factor; mean and factor "
                        "stand for equal stretches of a sample's numbers, in order");
    if (!p.mean.empty()) {
        group.write("mean", p.mean, {"stretch", "", "of scaled inputs of the training split"});
        group.write("factor", p.factor, {"stretch", "", "1 / standard deviation, or 1"});
    }
    if (!p.held_out.empty())
        group.write("held_out", std::vector<std::int64_t>(p.held_out.begin(), p.held_out.end()),
                    {"sample", "", "rows of the training split that were held out"});
}

void write_checkpoint(hdf5::Group group, const RunCheckpoint& c) {
    group.set_attribute("step", static_cast<std::int64_t>(c.step));
    group.set_attribute("epoch", c.epoch);
    group.set_attribute("loss", c.loss);
    group.set_attribute("learning_rate", c.learning_rate);
    network::write_weights(group, *c.layout, c.trained, c.statistics);
    if (!c.gradient) return;
    hdf5::Group gradient = group.create_group("gradient");
    gradient.set_attribute("at_step", static_cast<std::int64_t>(c.step - 1));
    gradient.set_attribute("clipped", c.clipped ? 1 : 0);
    gradient.set_attribute("description",
                           "of the update from at_step to this step: at the weights of at_step, on "
                           "its batch; clipped 1: as the run's clipping left it");
    network::write_weights(gradient, *c.layout, *c.gradient, c.statistics);
}

// Whether there are any.
bool write_weights_of(std::monostate, const network::Layout&, hdf5::Group&) {
    return false;
}

template <class S>
bool write_weights_of(const RunArrays<S>& arrays, const network::Layout& layout,
                      hdf5::Group& group) {
    network::write_weights(group, layout, network::view_of(arrays.weights.trained),
                           network::view_of(arrays.weights.statistics));
    return true;
}

std::string checkpoint_path(Index step) {
    return "/run/checkpoints/" + step_name(step);
}

} // namespace

std::string step_name(Index step) {
    char text[32];
    std::snprintf(text, sizeof text, "%09lld", static_cast<long long>(step));
    return text;
}

RunFolder::RunFolder(std::string folder, RunDescription description)
    : folder_(std::move(folder)), run_(std::move(description)) {}

// `saved` holds the configuration and the data's digest beside a state.
void RunFolder::check_same(const hdf5::Group& saved, const std::string& where) const {
    const auto keys = differences(saved.read_text("training").value_or("{}"), run_.config);
    if (!keys.empty())
        throw Error(where + ": the saved state is of another configuration; these keys differ: " +
                    join(keys, ", "));
    const std::string digest = saved.text_attribute("data_digest").value_or("");
    if (!digest.empty() && !comparable(digest))
        throw Error(where + ": the saved state tells its training data in an earlier form, so that "
                            "they cannot be compared; without --resume the run starts anew");
    if (digest != run_.data_digest)
        throw Error(concat(where, ": the saved state learnt from training data of digest ", digest,
                           "; those of ", run_.data, " have changed to ", run_.data_digest));
}

std::string RunFolder::part(Index step) const {
    return folder_ + "/" + step_name(step) + ".h5";
}

std::optional<std::string> saved_configuration(const std::string& folder,
                                               const hdf5::Group* earlier) {
    for (const char* name : {kState, kOlderState}) {
        const std::string file = folder + "/" + name;
        if (folder.empty() || !fs::exists(file)) continue;
        try {
            return hdf5::File::open(file, file).root().read_text("training");
        } catch (const Error&) {
            continue; // damaged: the older generation
        }
    }
    if (!earlier || !earlier->has_group("/run/state")) return std::nullopt;
    return earlier->group("/run").read_text("training");
}

std::optional<RunState> RunFolder::resume(const hdf5::Group* earlier) {
    for (const char* name : {kState, kOlderState}) {
        const std::string file = folder_ + "/" + name;
        if (folder_.empty() || !fs::exists(file)) continue;
        std::optional<hdf5::File> opened;
        try {
            opened = hdf5::File::open(file, file);
        } catch (const Error&) {
            continue; // damaged: the older generation
        }
        const hdf5::Group root = opened->root();
        check_same(root, file);
        RunState state = read_state(root.group("state"), root.group("metrics"));
        bool whole = true;
        for (const Index step : state.checkpoints)
            whole &=
                fs::exists(part(step)) || (earlier && earlier->has_group(checkpoint_path(step)));
        if (whole) return state;
    }
    if (!earlier || !earlier->has_group("/run/state")) return std::nullopt;
    const hdf5::Group run = earlier->group("/run");
    check_same(run, run.where());
    return read_state(run.group("state"), run.group("metrics"));
}

void RunFolder::checkpoint(const RunCheckpoint& c) {
    if (folder_.empty()) {
        // A step may come again, after halving.
        kept_.erase(std::remove_if(kept_.begin(), kept_.end(),
                                   [&](const RunCheckpoint& k) { return k.step == c.step; }),
                    kept_.end());
        kept_.push_back(with_numbers(c));
        return;
    }
    fs::create_directories(folder_);
    hdf5::OutputFile file(part(c.step), hdf5::Existing::replace, hdf5::Compression::none, {});
    write_checkpoint(file.root().create_group(checkpoint_path(c.step)), c);
    file.commit();
}

void RunFolder::state(const RunState& state) {
    if (folder_.empty()) return;
    fs::create_directories(folder_);
    const std::string file = folder_ + "/" + kState;
    std::error_code ignored;
    if (fs::exists(file)) fs::rename(file, folder_ + "/" + kOlderState, ignored);
    hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::none, {});
    output.root().write_text("training", run_.config);
    output.root().set_attribute("data_digest", run_.data_digest);
    write_state(output.root().create_group("state"), state);
    write_metrics(output.root().create_group("metrics"), state.metrics);
    output.commit();
}

const RunCheckpoint* RunFolder::kept(Index step) const {
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const RunCheckpoint& c) { return c.step == step; });
    return found == kept_.end() ? nullptr : &*found;
}

hdf5::Group RunFolder::holder(Index step, const hdf5::Group* earlier) const {
    if (!folder_.empty() && fs::exists(part(step)))
        return hdf5::File::open(part(step), part(step)).root();
    if (!earlier) throw Error(concat("checkpoint ", step, " is lost"));
    return *earlier;
}

// The last weights; of a run that diverged those of its last checkpoint.
void RunFolder::write_model(hdf5::Group group, const RunResult& result,
                            const hdf5::Group* earlier) const {
    group.write_text("architecture", result.layout->architecture);
    const auto write = [&](const auto& arrays) {
        return write_weights_of(arrays, *result.layout, group);
    };
    if (std::visit(write, result.state.arrays)) return;
    if (const RunCheckpoint* checkpoint = kept(result.last_kept))
        return network::write_weights(group, *result.layout, checkpoint->trained,
                                      checkpoint->statistics);
    const hdf5::Group found = holder(result.last_kept, earlier);
    static_cast<void>(hdf5::copy_tree(found.group(checkpoint_path(result.last_kept)), "weights",
                                      group, hdf5::Timings::keep));
}

void RunFolder::assemble(hdf5::Group root, const RunResult& result, const hdf5::Group* earlier,
                         bool with_timing) const {
    write_model(root.create_group("/model"), result, earlier);
    hdf5::Group run = root.create_group("/run");
    run.write_text("training", run_.config);
    run.set_attribute("data_digest", run_.data_digest);
    if (run_.preprocessing.does_something())
        write_preprocessing(run.create_group("preprocessing"), run_.preprocessing);
    run.set_attribute("finished", result.finished ? 1 : 0);
    run.set_attribute("stop_reason", result.stop_reason);
    run.set_attribute("parameters", static_cast<std::int64_t>(result.parameters));
    run.set_attribute("steps_per_epoch", static_cast<std::int64_t>(result.steps_per_epoch));
    run.set_attribute("layers", join(result.layers, ","));
    run.set_attribute("rectifying_layers", join(result.rectifying, ","));
    run.create_group("checkpoints");
    for (const Index step : result.state.checkpoints) {
        const std::string path = checkpoint_path(step);
        if (const RunCheckpoint* checkpoint = kept(step))
            write_checkpoint(root.create_group(path), *checkpoint);
        else
            static_cast<void>(
                hdf5::copy_tree(holder(step, earlier), path, root, hdf5::Timings::keep));
    }
    run.write(
        "steps",
        std::vector<std::int64_t>(result.state.checkpoints.begin(), result.state.checkpoints.end()),
        {"checkpoint", "", "steps of the checkpoints"});
    write_metrics(run.create_group("metrics"), result.state.metrics);
    if (result.state.arrays.index() != 0) write_state(run.create_group("state"), result.state);
    if (!with_timing) return;
    hdf5::Group timing = run.create_group("timing");
    timing.write_scalar("seconds", result.seconds, {"", "s", "wall clock of this call"});
    timing.write_scalar("samples_per_second", result.samples_per_second,
                        {"", "1/s", "of this call"});
}

std::vector<std::string> RunFolder::files() const {
    std::vector<std::string> list;
    if (folder_.empty() || !fs::exists(folder_)) return list;
    for (const auto& entry : fs::directory_iterator(folder_)) {
        const std::string name = entry.path().filename().string();
        const bool ours = name == kState || name == kOlderState || name == kDivergedRun ||
                          (name.size() == 12 && ends_with(name, ".h5") &&
                           name.find_first_not_of("0123456789") == 9);
        if (ours) list.push_back(entry.path().string());
    }
    std::sort(list.begin(), list.end());
    return list;
}

Preprocessing read_preprocessing(const hdf5::Group& run) {
    Preprocessing p;
    if (!run.has_group("preprocessing")) return p;
    const hdf5::Group group = run.group("preprocessing");
    const auto inputs = group.number_attribute("inputs");
    const auto scale = group.number_attribute("scale");
    if (!inputs || !(*inputs >= 1) || !(*inputs <= 1e12) || !scale || !std::isfinite(*scale))
        throw Error(group.where() + ": attribute 'inputs' or 'scale' is missing or wrong");
    p.inputs = static_cast<Index>(*inputs);
    p.scale = *scale;
    p.standardize = group.text_attribute("standardize").value_or("none");
    if (group.has_dataset("mean")) {
        p.mean = read_numbers(group, "mean");
        p.factor = read_numbers(group, "factor");
        const auto stretches = static_cast<Index>(p.mean.size());
        if (p.factor.size() != p.mean.size() || stretches == 0 || p.inputs % stretches != 0)
            throw Error(concat(group.where(), ": mean of ", p.mean.size(),
                               " numbers and factor of ", p.factor.size(),
                               "; both the same part of ", p.inputs, " are expected"));
    }
    if (group.has_dataset("held_out")) {
        const auto rows = group.dataset("held_out").expect_numeric().read<std::int64_t>();
        p.held_out.assign(rows.begin(), rows.end());
    }
    return p;
}

std::vector<Index> run_steps(const hdf5::Group& run) {
    if (!run.has_dataset("steps")) throw Error(run.where() + ": holds no steps");
    const auto steps = run.dataset("steps").expect_numeric().read<std::int64_t>();
    if (steps.empty()) throw Error(run.where() + ": holds no checkpoint");
    return {steps.begin(), steps.end()};
}

std::vector<Index> choose_steps(const std::vector<Index>& steps, const std::string& specification) {
    if (specification == "last") return {steps.back()};
    if (specification == "all") return steps;
    const auto refuse = [&](const std::string& found) {
        throw UsageError("option '--checkpoint': found '" + printable(found, 40) +
                         "'; last, all, log:N or steps that are there are expected (" +
                         std::to_string(steps.size()) + " from " + std::to_string(steps.front()) +
                         " to " + std::to_string(steps.back()) + ")");
    };
    std::vector<Index> chosen;
    if (starts_with(specification, "log:")) {
        const auto count = parse_integer(specification.substr(4));
        if (!count || *count < 1) refuse(specification);
        // Nearest kept step to each of N evenly spaced in the logarithm.
        const double last = std::log10(std::max<double>(1, static_cast<double>(steps.back())));
        for (Index i = 0; i < *count; ++i) {
            const double wanted = std::pow(10.0, *count == 1 ? last
                                                             : last * static_cast<double>(i) /
                                                                   static_cast<double>(*count - 1));
            const auto nearest =
                std::min_element(steps.begin(), steps.end(), [&](Index a, Index b) {
                    return std::abs(static_cast<double>(a) - wanted) <
                           std::abs(static_cast<double>(b) - wanted);
                });
            if (chosen.empty() || chosen.back() != *nearest) chosen.push_back(*nearest);
        }
        return chosen;
    }
    for (const auto& one : split(specification, ',')) {
        const auto step = parse_integer(one);
        if (!step || std::find(steps.begin(), steps.end(), *step) == steps.end()) refuse(one);
        chosen.push_back(*step);
    }
    if (chosen.empty()) refuse(specification);
    return chosen;
}

network::Model read_checkpoint(const hdf5::Group& root, Index step) {
    network::Model model = network::read_model(root.group(checkpoint_path(step)));
    model.architecture = root.group("/model").read_text("architecture").value_or("");
    return model;
}

void write_truth(hdf5::Group group, const Task& task) {
    for (const auto& array : task.truth()) {
        const hdf5::ArrayInfo info{join(array.axes, ","), array.units, array.description};
        if (array.shape.empty())
            group.write_scalar(array.name, array.values.at(0), info);
        else if (array.whole)
            group.write(array.name,
                        std::vector<std::int64_t>(array.values.begin(), array.values.end()).data(),
                        array.shape, info);
        else
            group.write(array.name, array.values.data(), array.shape, info);
    }
}

void write_task_samples(hdf5::Group data, const Task& task, const std::string& split_name,
                        Index count, Stream stream, network::Storage storage) {
    network::write_samples(data.create_group(split_name), task.samples(0, count, stream), storage);
}

} // namespace assay::training
