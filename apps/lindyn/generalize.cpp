// lindyn generalize: how training and test error run over time, and when to stop.
#include "clock.hpp"
#include "commands.hpp"
#include "model_input.hpp"
#include "noise_input.hpp"
#include "problem_input.hpp"
#include "study_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/generalization_io.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

enum class Students { automatic, aligned, random, both };

struct Options {
    ProblemOptions problem;
    std::string noise_unit = "auto";
    TimeOptions time;
    ClockOptions clock;
    bool from_data = false;
    std::vector<Index> sizes{100, 50, 50};
    std::vector<double> singular_values{6, 4, 2};
    Index hidden = 0;
    StudySettings study;
    std::vector<std::string> sweep;
    Students students = Students::automatic;
};

std::vector<StudentKind> kinds_of(const Options& o) {
    switch (o.students) {
    case Students::aligned:
        return {StudentKind::aligned};
    case Students::random:
        return {StudentKind::random};
    case Students::both:
        return {StudentKind::aligned, StudentKind::random};
    case Students::automatic:
        break;
    }
    // Random students of other depths take the integration of all weights.
    if (o.study.base.student.depth != 2) return {StudentKind::aligned};
    return {StudentKind::aligned, StudentKind::random};
}

StudySettings study_of(const Options& o, cli::Context& context) {
    check_sizes(o.sizes, "N1,N2,N3");
    StudySettings s = o.study;
    s.base.inputs = o.sizes[0];
    s.base.student.hidden = o.sizes[1];
    s.base.outputs = o.sizes[2];
    s.base.teacher = to_vector(o.singular_values);
    s.axes = parse_sweeps(o.sweep, sweep_names());
    s.students = kinds_of(o);
    s.scale = time_scale(o.time, theory_clock(o.clock, s.base.outputs, s.base.sample_count()));
    const bool varies = std::any_of(s.axes.begin(), s.axes.end(), [](const SweepAxis& axis) {
        return axis.name == "P" || axis.name == "A";
    });
    if (varies && o.time.unit != TimeUnit::tau && !o.clock.tau)
        throw UsageError("option '--time-unit': a step depends on the samples and outputs that are "
                         "swept; tau, or --tau STEPS, is expected");
    s.times = times_in_tau(context, o.time, s.scale);
    s.horizon /= s.scale.per_tau;
    return s;
}

std::string told(double tau, const TimeScale& scale) {
    return significant(scale.told(tau), 4) + " " + scale.unit;
}

void report_point(cli::Context& context, const StudyPoint& p, const TimeScale& scale) {
    context.report("least test error", p.optimum.value, "at " + told(p.optimum.at, scale));
    context.report("best time", scale.told(p.optimum.at), scale.unit);
    context.report("shrinkage", p.non_gradient,
                   concat("test error of the best strengths, ",
                          significant(100 * (1 - p.non_gradient / p.optimum.value), 3),
                          " % better"));
    const Index last = p.time.size() - 1;
    context.report("last test error", p.curves.test(last), "at " + told(p.time(last), scale));
    context.report("late test error", p.late, "at the end of learning");
    for (Index k = 0; k < std::min<Index>(p.observed.size(), 6); ++k)
        context.report(concat("mode ", k), p.observed(k),
                       concat("in the data, overlap ", significant(p.overlap(k), 4)));
}

void report_students(cli::Context& context, const Study& study) {
    const Index repeats = study.settings.repeats;
    for (const auto& [kind, runs] : study.runs) {
        const char* const name = kind == StudentKind::aligned ? "aligned" : "random";
        if (study.points.size() > 1 || study.part.count > 1) {
            context.report(std::string(name) + " students", static_cast<std::int64_t>(runs.size()));
            continue;
        }
        Matrix best(repeats, 1), time(repeats, 1);
        for (const auto& [r, record] : runs) {
            best(r, 0) = record.optimum.value;
            time(r, 0) = record.optimum.at;
        }
        const RepeatSummary error =
            summarise_repeats(best, Vector::Constant(1, study.points.at(0).optimum.value));
        context.report(std::string(name) + " students", error.mean(0),
                       concat("least test error, +- ", significant(error.sem(0), 2), ", z ",
                              significant(error.z(0), 2), ", at ",
                              told(time.mean(), study.settings.scale), " (", repeats,
                              " data sets)"));
        context.report(std::string(name) + " standard error", error.sem(0),
                       "of this mean over data sets");
        context.report(std::string(name) + " best time", study.settings.scale.told(time.mean()),
                       study.settings.scale.unit);
    }
}

void run_theory(const Options& o, cli::Context& context) {
    const cli::Shard shard = context.shard();
    const Study study =
        run_study(study_of(o, context), {shard.index, shard.count}, context.execution());
    write_study(context.output().create_group("/lindyn/generalize"), study);
    context.report("points", static_cast<std::int64_t>(study.points.size()));
    if (study.points.size() == 1)
        report_point(context, study.points.begin()->second, study.settings.scale);
    report_students(context, study);
    if (shard.count == 1)
        context.propose("lindyn plot " + context.output_target() + " -o errors.svg");
}

void run_data(const Options& o, cli::Context& context) {
    if (!o.sweep.empty() || o.study.repeats > 0 || context.shard().count > 1)
        throw UsageError("--sweep, --check and --shard are for theory, without --from-data");
    const hdf5::Address address = context.input_address();
    const auto words =
        at_place(address.name(), [&] { return squared_error_run(context, address, o.clock); });
    const Problem problem = load_problem(context, o.problem);
    DataStudySettings s;
    s.student = o.study.base.student;
    s.student.hidden = o.hidden;
    s.noise_unit = need_noise_unit(context, o.noise_unit, problem, 0);
    const TimeScale scale = at_place(address.name(), [&] {
        return time_scale(o.time, clock_of_run(context, o.clock, words, problem.statistics));
    });
    s.times = times_in_tau(context, o.time, scale);
    s.horizon = scale.in_tau(o.study.horizon);
    const DataStudy study = at_place(address.name(), [&] {
        return study_data(problem, read_target_map(context.input().root()), s, context.execution());
    });
    warn_of_signals(context, study.data.noise, problem);
    write_data_study(context.output().create_group("/lindyn/generalize"), study, s.student, scale);
    context.report("noise unit", study.data.noise.unit);
    context.report("signals", static_cast<std::int64_t>(study.data.noise.detections()),
                   problem.whole ? concat("of ", study.data.s.size(), " modes")
                                 : concat("of ", study.data.s.size(),
                                          " modes that were found; the rest is taken by the law "
                                          "of noise"));
    if (!problem.whole && read_target_map(context.input().root()))
        context.monitor().info("errors against /truth/W take all modes (--modes all)");
    report_point(context, study.point, scale);
    if (study.exact)
        context.report("with /truth/W", study.exact->optimum.value,
                       "least test error, at " + told(study.exact->optimum.at, scale));
    context.propose("lindyn plot " + context.output_target() + " -o errors.svg");
}

void run(const Options& o, cli::Context& context) {
    if (o.from_data) return run_data(o, context);
    if (!context.input_address().is_stream())
        throw UsageError("an input needs --from-data; theory takes --sizes and --singular-values");
    if (any_chosen(o.problem) || o.problem.statistics != Normalisation::mean)
        throw UsageError("--whiten, --one-hot, --statistics, --modes, --degeneracy and --precision "
                         "are for data, with --from-data");
    if (o.hidden != 0 || o.noise_unit != "auto")
        throw UsageError("--hidden and --noise-unit are for data, with --from-data; theory takes "
                         "hidden units from --sizes and counts in units of the noise");
    run_theory(o, context);
}

void declare_theory(cli::Command& c, Options& o) {
    c.group("Theory");
    c.option("--sizes", o.sizes, "N1,N2,N3", "inputs, hidden units, outputs").range(1, 1e9);
    c.option("--singular-values", o.singular_values, "LIST",
             "of the teacher, in units of the noise");
    c.option("--samples", o.study.base.samples, "P", "samples").word("N1", 0).range(1, 1e9);
    c.flag("--randomize", o.study.base.randomized, "permute the entries of the targets");
    tools::add_repeated(c, "--sweep", o.sweep, "NAME=GRID",
                        "a parameter over a:b:n, log:a:b:n or a,b,c: " + join(sweep_names(), ", ") +
                            " (snr: of the first mode)");
    c.group("Simulation");
    c.option("--check", o.study.repeats, "R", "simulated data sets a point").range(0, 1e6);
    c.choice<Students>("--students", o.students,
                       {{"auto", Students::automatic},
                        {"aligned", Students::aligned},
                        {"random", Students::random},
                        {"both", Students::both}},
                       "what learns them: modes of the data; orthogonal weights in random "
                       "directions; auto: both for two layers, else aligned");
    c.seed(o.study.seed);
    for (const char* option :
         {"--sizes", "--singular-values", "--samples", "--randomize", "--students", "--seed"})
        c.conflicts("--from-data", option);
}

} // namespace

cli::Command generalize() {
    auto o = std::make_shared<Options>();
    cli::Command c("generalize", "training and test error over time, and when to stop");
    c.describe(
        "A linear network learns a low-rank teacher from noisy targets: its errors over time in "
        "theory, the least test error and its time, and what shrinking singular values would gain "
        "over stopping early. With --from-data, the same for a data set: modes that stand out of "
        "the noise count as signal. --check simulates students beside the theory.");
    c.input("with --from-data: result of modes, or data");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/generalize/train_error, test_error", "point x time"},
              {"/lindyn/generalize/optimal_time, optimal_error", "when to stop"},
              {"/lindyn/generalize/non_gradient_error", "with shrunk singular values"},
              {"/lindyn/generalize/check", "simulated students"}});
    c.sharded([o] { return !o->from_data; });
    declare_theory(c, *o);
    c.group("Network");
    c.option("--depth", o->study.base.student.depth, "D", "weight matrices").range(1, 64);
    c.option("--initial-strength", o->study.base.student.start, "X", "of every mode");
    c.option("--hidden", o->hidden, "N2", "hidden units, with --from-data")
        .word("any", 0)
        .range(1, 1e9);
    c.group("Times");
    declare_times(c, o->time);
    c.option("--horizon", o->study.horizon, "T", "the latest time to stop").range(0);
    declare_clock(c, o->clock);
    c.group("Data set");
    c.flag("--from-data", o->from_data, "the modes of a data set instead of a teacher's");
    declare_problem(c, o->problem, Whitening::offered);
    declare_noise(c, o->noise_unit);
    c.example("A teacher of three modes, 20 simulated students beside it",
              "lindyn generalize --singular-values 6,4,2 --check 20 -o errors.h5");
    c.example("When to stop on a data set",
              "lindyn modes samples.h5 --whiten | lindyn generalize --from-data -o stop.h5");
    c.example("Part 3 of an array job",
              "lindyn generalize --singular-values 1 --sweep snr=0.5:8:40 --check 20 --shard 3/16 "
              "-o part3.h5");
    c.reference("lampinen2019");
    c.reference("benaych2012");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
