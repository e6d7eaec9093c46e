#include "development_input.hpp"

#include <assay/core/error.hpp>
#include <assay/lindyn/development_io.hpp>
#include <assay/training/run_io.hpp>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

Course recorded(cli::Context& context, const DevelopmentOptions& o) {
    const hdf5::Group root = context.input().root();
    if (!root.has_group("/run"))
        throw Error(context.input_address().name() +
                    ": no /run; a run with checkpoints is expected (--carry run)");
    const auto steps =
        training::choose_steps(training::run_steps(root.group("/run")), o.checkpoints);
    Course course;
    course.development = read_recorded(root, {steps.begin(), steps.end()});
    course.unit = "steps";
    if (root.has_group("/lindyn/modes") || !data_path(root).empty())
        course.problem = load_problem(context, o.problem);
    return course;
}

Course predicted(cli::Context& context, const DevelopmentOptions& o) {
    const hdf5::Group root = context.input().root();
    if (!root.has_group("/lindyn/modes") && data_path(root).empty())
        throw Error(context.input_address().name() +
                    ": no /lindyn/modes; a result of predict from one of modes is expected");
    Course course;
    course.problem = load_problem(context, o.problem);
    const hdf5::Group predict = root.group("/lindyn/predict");
    course.development = read_predicted(predict, *course.problem);
    course.unit = predict.dataset("time").text_attribute("units").value_or("tau");
    return course;
}

Course closed_form(cli::Context& context, const DevelopmentOptions& o) {
    Course course;
    const hdf5::Address address = context.input_address();
    const auto words =
        at_place(address.name(), [&] { return squared_error_run(context, address, o.clock); });
    course.problem = load_problem(context, o.problem);
    const Problem& problem = *course.problem;
    at_place(address.name(), [&] {
        const Clock clock = clock_of_run(context, o.clock, words, problem.statistics);
        const TimeScale scale = time_scale(o.time, clock);
        course.unit = scale.unit;
        PredictSettings settings = o.predict;
        set_steps(clock, settings);
        const TimeGrid times =
            time_grid(context, o.time, scale, [&] { return usual_times(problem, settings); });
        Prediction p = predict(problem, settings, times.tau, context.execution());
        course.development = std::make_unique<AlignedDevelopment>(
            times.told, p.strength, p.end, problem.modes.u, item_vectors(problem), settings.depth);
    });
    return course;
}

} // namespace

void declare_development(cli::Command& c, DevelopmentOptions& o) {
    o.predict.method = Method::aligned;
    declare_problem(c, o.problem, Whitening::offered);
    c.group("Course of learning");
    c.flag("--run", o.run, "of the networks that the input's /run recorded");
    c.option("--checkpoint", o.checkpoints, "STEPS", "of the run: all, LIST or log:N");
    c.option("--depth", o.predict.depth, "D", "weight matrices").range(1, 64);
    c.option("--hidden", o.predict.hidden, "N", "smallest hidden width").word("any", 0).range(1);
    c.option("--initial-strength", o.predict.initial_strength, "A", "of every mode, or one a mode");
    declare_times(c, o.time);
    c.group("Clock");
    declare_clock(c, o.clock);
    declare_weight_decay(c, o.clock);
}

Course load_course(cli::Context& context, const DevelopmentOptions& o) {
    const bool has_prediction =
        context.input_address().path.empty() && context.input().root().has_group("/lindyn/predict");
    if (!o.run && !has_prediction) return closed_form(context, o);
    const PredictSettings usual;
    if (o.time.grid != "auto" || o.time.unit != TimeUnit::tau || o.predict.depth != usual.depth ||
        o.predict.hidden != usual.hidden || o.predict.initial_strength != usual.initial_strength ||
        o.clock.weight_decay)
        throw UsageError(std::string(o.run ? "--run" : "a result of predict") +
                         " has its own course of learning; --time, --time-unit, --depth, "
                         "--hidden, --initial-strength and --weight-decay are for closed forms");
    return o.run ? recorded(context, o) : predicted(context, o);
}

} // namespace lindyn_app
