#include <assay/lindyn/comparison_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/lindyn/lindyn_io.hpp>
#include <assay/lindyn/study_records_io.hpp>
#include <assay/network/evaluation.hpp>

#include <cstdint>
#include <set>

namespace assay::lindyn {
namespace {

void need_rising(const std::vector<Index>& steps, const std::string& where) {
    for (std::size_t i = 1; i < steps.size(); ++i)
        if (steps[i] <= steps[i - 1])
            throw Error(concat(where, ": step ", steps[i], " after ", steps[i - 1],
                               "; rising steps are expected"));
}

void check_tasks(const KnownMap& known, const std::string& where) {
    std::set<std::int32_t> numbers(known.task.begin(), known.task.end());
    if (known.task.size() != at(known.map.rows()) || *numbers.begin() != 0 ||
        *numbers.rbegin() + 1 != static_cast<std::int32_t>(numbers.size()))
        throw Error(concat(where, "/truth/output_task: ", known.task.size(),
                           " numbers; one an output (", known.map.rows(),
                           "), counted from 0 without gaps, are expected"));
}

// The outputs of one task.
KnownMap one_task(const KnownMap& all, std::int32_t task) {
    std::vector<Index> rows;
    for (Index i = 0; i < all.map.rows(); ++i)
        if (all.task[at(i)] == task) rows.push_back(i);
    return {all.map(rows, Eigen::all), std::vector<std::int32_t>(rows.size(), 0)};
}

int weighted_layers(const network::Model& model) {
    std::set<std::string> names;
    for (const auto& array : model.parameters)
        if (array.name == "weight") names.insert(array.layer);
    return std::max(1, static_cast<int>(names.size()));
}

} // namespace

HeldSamples::HeldSamples(const network::Samples& samples) : samples_(samples) {
    if (samples.values.rows() != samples.count())
        throw Error("targets are classes; the theory is of squared errors, values are expected");
    if (!samples.lengths.empty() || samples.mask.size() > 0)
        throw Error("samples are sequences with lengths or masks; the theory is of single inputs");
}

ModelRun::ModelRun(std::vector<Index> steps, std::function<network::Model(Index)> open,
                   const std::function<network::Samples()>& samples,
                   std::optional<network::Samples> held, const Execution& execution)
    : steps_(std::move(steps)), open_(std::move(open)), held_(std::move(held)),
      execution_(execution) {
    need_rising(steps_, "checkpoints");
    const network::Model first = open_(0);
    depth_ = weighted_layers(first);
    try {
        depth_ = static_cast<int>(read_layers(first).size());
    } catch (const Error& error) {
        why_fitted_ = error.what();
        samples_ = samples();
        static_cast<void>(HeldSamples(*samples_));
    }
}

RunState ModelRun::fitted(const network::Model& model) const {
    const network::Loss loss{network::LossKind::half_squared_error};
    const auto result = network::evaluate<double>(model, *samples_, loss, execution_);
    const FittedMap fit = fit_map(samples_->inputs, result.outputs);
    RunState state;
    state.map = fit.map;
    state.loss = result.loss;
    state.nonlinear_share = fit.residual_share;
    if (held_) state.held_loss = network::evaluate<double>(model, *held_, loss, execution_).loss;
    return state;
}

RunState ModelRun::state(Index checkpoint) const {
    const network::Model model = open_(checkpoint);
    if (samples_) return fitted(model);
    RunState state;
    state.layers = read_layers(model);
    state.map = whole_map(*state.layers);
    return state;
}

StoredMaps::StoredMaps(const hdf5::Group& trajectory)
    : maps_(trajectory.dataset("map").expect_rank(3).expect_numeric()) {
    const Index times = maps_.shape()[0];
    if (!trajectory.has_dataset("step"))
        throw Error(trajectory.where() + ": maps without their steps (step: updates, rising)");
    const auto steps = trajectory.dataset("step").expect_numeric().read<std::int64_t>();
    steps_.assign(steps.begin(), steps.end());
    if (static_cast<Index>(steps_.size()) != times)
        throw Error(concat(trajectory.where(), "/step: ", steps_.size(), " steps; ", times,
                           " maps are in the file"));
    need_rising(steps_, trajectory.where() + "/step");
}

RunState StoredMaps::state(Index checkpoint) const {
    RowMatrix map(maps_.shape()[1], maps_.shape()[2]);
    maps_.read_box<double>({checkpoint, 0, 0}, {1, map.rows(), map.cols()}, map.data());
    if (!map.allFinite())
        throw Error(
            concat(maps_.where(), ": map ", checkpoint, " has numbers that are not finite"));
    RunState state;
    state.map = map;
    return state;
}

std::optional<KnownMap> read_known_map(const hdf5::Group& root, const std::string& path,
                                       const Problem& problem) {
    const auto whole_map = read_target_map(root);
    if (!whole_map) return std::nullopt;
    KnownMap known{*whole_map, std::vector<std::int32_t>(at(whole_map->rows()), 0)};
    if (root.has_dataset("/truth/output_task")) {
        known.task = root.dataset("/truth/output_task").expect_numeric().read<std::int32_t>();
        check_tasks(known, root.where());
    }
    // The data of one task of several.
    const auto own =
        root.has_group(path) ? root.group(path).number_attribute("output_task") : std::nullopt;
    if (own) known = one_task(known, static_cast<std::int32_t>(*own));
    if (known.map.rows() != problem.statistics.outputs() || known.map.cols() != problem.inputs())
        return std::nullopt;
    return known;
}

namespace {

void write_groups(hdf5::Group& group, const GroupComparison& g) {
    group.write("observed_group", g.observed,
                {"time,group", "", "mean over each group of equal modes"});
    group.write("predicted_group", g.predicted, {"time,group", "", "the same in theory"});
    group.write("half_step_observed_group", g.half_observed,
                {"group", "steps", "half of the mean end; NaN: not reached"});
    group.write("half_step_predicted_group", g.half_predicted,
                {"group", "steps", "the same in theory"});
    group.write("lag_group", g.lag, {"group", "steps", "half step observed less predicted"});
    group.write("step_lag_group", g.step_lag,
                {"group", "steps", "what of it the size of steps explains; NaN: not known"});
    group.write("relative_rmse_group", g.relative_rmse,
                {"group", "", "root mean square of observed less predicted, over the end"});
    group.write("r2_group", g.r2,
                {"group", "", "share of the observed curve's variance explained"});
}

} // namespace

void write_comparison(hdf5::Group group, const RunComparison& c) {
    group.write("step", whole_numbers(c.steps), {"time", "", "updates made at each checkpoint"});
    group.write("observed", c.observed, {"time,mode", "", "a = u^T W v of the network"});
    group.write("predicted", c.predicted,
                {"time,mode", "", "the same in theory; NaN before the prediction starts"});
    const auto steps_of = [&](const std::string& name, const Vector& values,
                              const std::string& what) {
        group.write(name, values, {"mode", "steps", what + "; NaN: not reached"});
    };
    steps_of("half_step_observed", c.half_observed, "half of the end");
    steps_of("half_step_predicted", c.half_predicted, "half of the end");
    steps_of("step_10_observed", c.ten_observed, "10 % of the end");
    steps_of("step_10_predicted", c.ten_predicted, "10 % of the end");
    steps_of("step_90_observed", c.ninety_observed, "90 % of the end");
    steps_of("step_90_predicted", c.ninety_predicted, "90 % of the end");
    steps_of("lag", c.lag, "half step observed less predicted");
    group.write("step_lag", c.step_lag,
                {"mode", "steps", "what of it the size of steps explains; NaN: not known"});
    group.write("relative_rmse", c.relative_rmse,
                {"mode", "", "root mean square of observed less predicted, over the end"});
    group.write("r2", c.r2, {"mode", "", "share of the observed curve's variance explained"});
    write_groups(group, c.groups);
    group.write("alignment_input", c.alignment_input,
                {"time,mode", "", "|v.v'| with the network's own input singular vector"});
    group.write("alignment_output", c.alignment_output,
                {"time,mode", "", "|u.u'| with the network's own output singular vector"});
    group.write("off_diagonal_energy", c.off_diagonal,
                {"time", "", "share of |U^T W V|^2 outside the modes"});
    group.write("nonlinear_share", c.nonlinear_share,
                {"time", "", "share of the outputs' power that no linear map of the inputs has"});
    group.write("loss_observed", c.loss_observed, {"time", "", "half the squared error"});
    group.write("loss_predicted", c.loss_predicted, {"time", "", "the same in theory"});
    if (c.held_loss.size() > 0)
        group.write("test_loss_observed", c.held_loss,
                    {"time", "", "half the squared error of held-out samples"});
    if (c.stop) {
        group.set_attribute("theory_stop_step", c.stop->step);
        group.set_attribute("theory_stop_error", c.stop->error);
    }
    if (c.test_error.size() > 0)
        group.write(
            "test_error", c.test_error,
            {"time,task", "",
             "|W - W*|^2 / |W*|^2 of /truth/W, over each task's outputs; NaN: W* is 0 there"});
    group.set_attribute("method", method_name(c.method));
    group.set_attribute("regime", regime_name(c.regime));
    group.set_attribute("loss_r2", c.loss_r2);
    group.set_attribute("stage_likeness", c.stage);
    group.set_attribute("representation_change", c.representation_change);
    group.set_attribute("whiteness", c.conditions.whiteness);
    group.set_attribute("commutation", c.conditions.commutation);
    group.set_attribute("imbalance", c.conditions.imbalance);
    group.set_attribute("misalignment", c.conditions.misalignment);
    group.set_attribute("expected_relative_error", c.conditions.expected_error);
    group.set_attribute("learning_rate_bound", c.conditions.stable_rate);
    group.set_attribute("first_step", c.conditions.first_step); // learning rate times s_1
    group.set_attribute("conservation_error", c.conditions.conservation);
    if (c.fitted_tau) group.set_attribute("fitted_tau", *c.fitted_tau); // steps
}

} // namespace assay::lindyn
