// lindyn regress: the error of shallow regression over time.
#include "clock.hpp"
#include "commands.hpp"
#include "problem_input.hpp"
#include "study_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/regression_io.hpp>

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

Vector times_of(const Options& o, const RegressionStudy& study, cli::Context& context) {
    if (o.time.grid != "auto") return times_in_tau(context, o.time, study.scale);
    Vector latest;
    for (Index i = 0; i < study.loads.size(); ++i) {
        const Vector times = usual_times(setting_at(study, i));
        if (latest.size() == 0 || times(times.size() - 1) > latest(latest.size() - 1))
            latest = times;
    }
    return latest;
}

TimeScale scale_of(const Options& o) {
    if (o.time.unit != TimeUnit::tau && !o.clock.tau && o.loads.size() > 1)
        throw UsageError("option '--time-unit': a step depends on the samples, which the loads "
                         "vary; tau, or --tau STEPS, is expected");
    const double samples = o.loads.front() * static_cast<double>(o.inputs);
    return time_scale(o.time, theory_clock(o.clock, 1, std::max<Index>(1, std::llround(samples))));
}

void report(cli::Context& context, const RegressionStudy& study) {
    for (Index i = 0; i < study.loads.size(); ++i) {
        const RegressionTheory& theory = study.theory[static_cast<std::size_t>(i)];
        context.report(concat("load ", significant(study.loads(i), 4)), theory.optimum.value,
                       concat("least error beyond the noise, at ",
                              significant(study.scale.per_tau * theory.optimum.at, 4), " ",
                              study.scale.unit, "; ", significant(theory.late, 4), " at the end"));
    }
}

void run(const Options& o, cli::Context& context) {
    const cli::Shard shard = context.shard();
    if (shard.count > 1 && o.repeats == 0)
        throw UsageError("--shard deals simulated data sets; --check R is expected");
    RegressionStudy study;
    study.setting = o.setting;
    study.loads = to_vector(o.loads);
    study.scale = scale_of(o);
    study.inputs = o.inputs;
    study.repeats = o.repeats;
    study.seed = o.seed;
    study.part = {shard.index, shard.count};
    study.time = times_of(o, study, context);
    find_theory(study);
    draw_regressions(study, context.execution());
    write_regression(context.output().create_group("/lindyn/regress"), study);
    report(context, study);
    if (shard.count == 1)
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
    c.sharded([o] { return o->repeats > 0; });
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
