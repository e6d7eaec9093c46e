// lindyn regress: the error of shallow regression over time.
#include "clock.hpp"
#include "commands.hpp"
#include "problem_input.hpp"
#include "study_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/generalization_io.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

struct Options {
    std::vector<double> loads{1};
    RegressionSetting setting;
    TimeOptions time;
    ClockOptions clock;
    Index repeats = 0, inputs = 200;
    std::uint64_t seed = 0;
};

RegressionSetting setting_at(const Options& o, double load) {
    RegressionSetting s = o.setting;
    s.load = load;
    check_regression(s);
    return s;
}

Vector times_of(const Options& o, const TimeScale& scale, cli::Context& context) {
    if (o.time.grid != "auto") return times_in_tau(context, o.time, scale);
    Vector latest;
    for (const double load : o.loads) {
        const Vector times = usual_times(setting_at(o, load));
        if (latest.size() == 0 || times(times.size() - 1) > latest(latest.size() - 1))
            latest = times;
    }
    return latest;
}

RegressionResult result_of(const Options& o, double load, const Vector& times,
                           const Execution& run) {
    RegressionResult r{setting_at(o, load), {}, {}, 0, {}};
    r.error = regression_error(r.setting, times);
    r.optimum = best_regression_time(r.setting);
    r.late = late_regression_error(r.setting);
    if (o.repeats == 0) return r;
    r.repeats.resize(o.repeats, times.size());
    parallel_blocks(o.repeats, run.threads, [&](Index repeat) {
        run.monitor->stop_if_interrupted();
        r.repeats.row(repeat) =
            simulate_regression(r.setting, o.inputs, times, o.seed, repeat).transpose();
    });
    return r;
}

void run(const Options& o, cli::Context& context) {
    if (o.time.unit != TimeUnit::tau && !o.clock.tau && o.loads.size() > 1)
        throw UsageError("option '--time-unit': a step depends on the samples, which the loads "
                         "vary; tau, or --tau STEPS, is expected");
    const TimeScale scale = time_scale(
        o.time, theory_clock(o.clock, 1,
                             std::max<Index>(1, std::llround(o.loads.front() *
                                                             static_cast<double>(o.inputs)))));
    const Vector times = times_of(o, scale, context);
    std::vector<RegressionResult> results;
    for (const double load : o.loads)
        results.push_back(result_of(o, load, times, context.execution()));
    write_regression(context.output().create_group("/lindyn/regress"), times, results, scale);
    for (const RegressionResult& r : results)
        context.report(concat("load ", significant(r.setting.load, 4)), r.optimum.value,
                       concat("least error beyond the noise, at ",
                              significant(scale.per_tau * r.optimum.at, 4), " ", scale.unit, "; ",
                              significant(r.late, 4), " at the end"));
    context.propose("lindyn plot " + context.output_target() + " -o regression.svg");
}

} // namespace

cli::Command regress() {
    auto o = std::make_shared<Options>();
    cli::Command c("regress", "test error of regression by gradient descent over time");
    c.describe("A network without hidden layer learns noisy targets from random inputs: its error "
               "on new samples beyond the noise, at every moment and number of samples, and the "
               "time at which it is least.");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/regress/generalization_error", "load x time"},
              {"/lindyn/regress/optimal_time, optimal_error, late_error", "of each load"}});
    c.group("Theory");
    c.option("--load", o->loads, "LIST", "samples an input, P/N");
    c.option("--noise", o->setting.noise, "X", "standard deviation of the noise");
    c.option("--weight", o->setting.weight, "X", "of the teacher's weights");
    c.option("--init", o->setting.start, "X", "of the student's first weights");
    c.group("Times");
    declare_times(c, o->time);
    declare_clock(c, o->clock);
    c.group("Simulation");
    c.option("--check", o->repeats, "R", "simulated data sets").range(0, 1e6);
    c.option("--inputs", o->inputs, "N", "inputs of a simulated data set").range(1, 1e5);
    c.seed(o->seed);
    c.example("Fewer, as many and more samples than inputs",
              "lindyn regress --load 0.5,1,2 --noise 0.5 --time 0:30:301 -o regression.h5");
    c.reference("advani2017");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
