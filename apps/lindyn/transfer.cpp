// lindyn transfer: does a second task help or hurt the first.
#include "clock.hpp"
#include "commands.hpp"
#include "model_input.hpp"
#include "noise_input.hpp"
#include "problem_input.hpp"
#include "study_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/transfer_io.hpp>

#include <cmath>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

const std::vector<std::string> kAxes{"q", "snr-a", "snr-b"};
constexpr double kUsualValue = 3; // of each teacher

struct Options {
    ProblemOptions problem;
    std::string noise_unit = "auto", alignment = "0";
    std::vector<Index> sizes;
    std::vector<double> a, b;
    TransferSetting setting;
    TimeOptions time;
    ClockOptions clock;
    std::vector<std::string> sweep;
    Index repeats = 0;
    std::uint64_t seed = 0;
};

Matrix parse_alignment(const Options& o, Index rank_a, Index rank_b, cli::Context& context) {
    if (const auto q = parse_double(o.alignment)) {
        if (!(std::abs(*q) <= 1))
            throw UsageError("option '--alignment': found '" + printable(o.alignment, 40) +
                             "'; a number from -1 to 1 is expected");
        return equal_alignment(rank_a, rank_b, *q);
    }
    const hdf5::Address address = hdf5::Address::parse(o.alignment);
    if (address.path.empty())
        throw UsageError("option '--alignment': found '" + printable(o.alignment, 60) +
                         "'; a number or FILE:/dataset (modes of A x modes of B) is expected");
    return context.open(address).root().dataset(address.path).expect_numeric().read_matrix();
}

TransferSetting theory_setting(const Options& o, cli::Context& context) {
    if (any_chosen(o.problem) || o.problem.statistics != Normalisation::mean ||
        o.noise_unit != "auto")
        throw UsageError("--whiten, --one-hot, --statistics, --modes, --degeneracy, --precision "
                         "and --noise-unit are for two data sets");
    TransferSetting s = o.setting;
    if (!o.sizes.empty()) {
        check_sizes(o.sizes, "N1,N3 of A,N3 of B");
        s.inputs = o.sizes[0];
        s.outputs_a = o.sizes[1];
        s.outputs_b = o.sizes[2];
    }
    s.a = o.a.empty() ? Vector::Constant(1, kUsualValue) : to_vector(o.a);
    s.b = o.b.empty() ? Vector::Constant(1, kUsualValue) : to_vector(o.b);
    s.alignment = parse_alignment(o, s.a.size(), s.b.size(), context);
    check_transfer(s);
    return s;
}

DetectedModes detected_modes(const Options& o, cli::Context& context, const Problem& p,
                             std::size_t input) {
    const double unit = need_noise_unit(context, o.noise_unit, p, input);
    return at_place(context.input_address(input).name(), [&] {
        const NoiseReport noise =
            judge_modes(p.modes.s, p.statistics.inputs(), p.statistics.outputs(), unit);
        warn_of_signals(context, noise, p);
        const Index count = noise.detections();
        if (count == 0)
            throw Error(concat("no mode of ", p.modes.s.size(), " stands out of the noise (unit ",
                               unit, ")"));
        return DetectedModes{noise.snr.head(count), noise.overlap_input.head(count),
                             p.modes.v.leftCols(count), p.modes.u.rows()};
    });
}

// Both tasks see the same inputs, so that their whitened coordinates are the same too.
void check_same_inputs(const Problem& a, const Problem& b, const cli::Context& context) {
    const bool same = a.root.rows() == b.root.rows() && a.root.cols() == b.root.cols() &&
                      (a.root - b.root).norm() <= 1e-8 * a.root.norm();
    if (!same)
        throw Error(context.input_address(1).name() + ": other inputs than " +
                    context.input_address(0).name() +
                    "; two tasks of the same inputs are expected");
}

TransferSetting data_setting(const Options& o, cli::Context& context) {
    if (!o.sizes.empty() || !o.a.empty() || !o.b.empty() || o.alignment != "0")
        throw UsageError("--sizes, --singular-values-a, --singular-values-b and --alignment are "
                         "for theory; two data sets have their own");
    const Problem a = load_problem(context, o.problem, 0), b = load_problem(context, o.problem, 1);
    check_same_inputs(a, b, context);
    TransferSetting s =
        estimated_transfer(detected_modes(o, context, a, 0), detected_modes(o, context, b, 1));
    s.student = o.setting.student;
    s.horizon = o.setting.horizon;
    return s;
}

// Means of the simulated pairs of a single point.
void report_check(cli::Context& context, const TransferStudy& study, double theory) {
    if (study.draws.empty() || study.part.count > 1) return;
    Matrix benefit(static_cast<Index>(study.draws.size()), 1), alone = benefit, shrunk = benefit;
    for (const auto& [number, draw] : study.draws) {
        benefit(number, 0) = draw.benefit;
        alone(number, 0) = draw.alone;
        shrunk(number, 0) = draw.shrunk;
    }
    const RepeatSummary summary = summarise_repeats(benefit, Vector::Constant(1, theory));
    context.report("simulated benefit", summary.mean(0),
                   concat("+- ", significant(summary.sem(0), 2), ", z ",
                          significant(summary.z(0), 2), " (", benefit.rows(), " pairs)"));
    context.report("simulated error alone", alone.mean());
    context.report("simulated error shrunk", shrunk.mean());
}

// Of the network that learns both.
TimeScale scale_of(const Options& o, const TransferSetting& s) {
    return time_scale(o.time, theory_clock(o.clock, s.outputs_a + s.outputs_b, s.inputs));
}

void report_one(cli::Context& context, const TransferStudy& study) {
    const auto at = [&](const Minimum& m) {
        return concat("at ", significant(study.scale.per_tau * m.at, 4), " ", study.scale.unit);
    };
    const Transfer t = transfer(study.setting);
    context.report("benefit", t.benefit(), "for A: error alone - error with B");
    context.report("error alone", t.alone.value, at(t.alone));
    context.report("error with B", t.joint.value, at(t.joint));
    context.report("benefit of shrinkage", t.shrunk_benefit(), "with the best strengths instead");
    context.report("error with shrinkage", t.shrunk_joint, "of A with B");
    report_check(context, study, t.benefit());
}

TransferGrid grid_of(const Options& o, cli::Context& context, const TransferSetting& s) {
    Vector q, a = Vector::Constant(1, s.a(0)), b = Vector::Constant(1, s.b(0));
    for (const SweepAxis& axis : parse_sweeps(o.sweep, kAxes))
        (axis.name == "q" ? q : axis.name == "snr-a" ? a : b) = axis.values;
    const bool fits = q.size() == 0 || q.cwiseAbs().maxCoeff() <= 1;
    if (!fits || !(a.minCoeff() > 0) || !(b.minCoeff() > 0))
        throw UsageError("option '--sweep': q from -1 to 1 and snr above 0 are expected");
    if (q.size() > 0 && !parse_double(o.alignment))
        throw UsageError("option '--alignment': a matrix beside --sweep q, which aligns each mode "
                         "with its like; one of both is expected");
    for (Index i = 1; i < q.size(); ++i)
        if (!(q(i) > q(i - 1))) throw UsageError("option '--sweep': rising q are expected");
    return transfer_grid(s, q, a, b, context.execution());
}

void report_grid(cli::Context& context, const TransferGrid& grid) {
    Vector benefit = grid.best_benefit;
    if (grid.q.size() == 0) {
        benefit.resize(static_cast<Index>(grid.points.size()));
        for (Index i = 0; i < benefit.size(); ++i)
            benefit(i) = grid.points[static_cast<std::size_t>(i)].benefit();
    }
    Index best = 0;
    const double largest = benefit.maxCoeff(&best);
    const std::string alignment =
        grid.q.size() > 0 ? concat("q = ", significant(grid.best_q(best), 4), ", ") : "";
    context.report("points", static_cast<std::int64_t>(grid.points.size()));
    context.report("largest benefit", largest,
                   concat("at ", alignment, "snr ", significant(grid.a(best / grid.b.size()), 4),
                          " of A and ", significant(grid.b(best % grid.b.size()), 4), " of B"));
}

void run(const Options& o, cli::Context& context) {
    const std::size_t inputs = context.input_count();
    if (inputs != 0 && inputs != 2)
        throw UsageError(concat(inputs, " inputs; two data sets, or none are expected"));
    TransferSetting s = inputs == 2 ? data_setting(o, context) : theory_setting(o, context);
    s.horizon /= scale_of(o, s).per_tau;
    if (inputs == 2) {
        context.report("modes of A", static_cast<std::int64_t>(s.a.size()),
                       concat("detected, the first of snr ", significant(s.a(0), 4)));
        context.report("modes of B", static_cast<std::int64_t>(s.b.size()),
                       concat("detected, the first of snr ", significant(s.b(0), 4)));
    }
    const cli::Shard shard = context.shard();
    if (shard.count > 1 && o.repeats == 0)
        throw UsageError("--shard deals simulated pairs; --check R is expected");
    TransferStudy study{s, {}, scale_of(o, s), o.repeats, o.seed, {shard.index, shard.count}, {}};
    if (!o.sweep.empty()) study.grid = grid_of(o, context, s);
    draw_transfers(study, context.execution());
    write_transfer(context.output().create_group("/lindyn/transfer"), study);
    if (study.grid)
        report_grid(context, *study.grid);
    else
        report_one(context, study);
    if (shard.count == 1)
        context.propose("lindyn plot " + context.output_target() + " -o transfer.svg");
}

} // namespace

cli::Command transfer() {
    auto o = std::make_shared<Options>();
    cli::Command c("transfer", "whether a second task helps or hurts the first");
    c.describe(
        "One linear network that learns tasks A and B from the same inputs, against one that "
        "learns A alone: the difference of their least test errors on A. Depends on how strong "
        "both are against the noise and how far their input modes agree. From two data sets, "
        "both are estimated; tasks count in units of their own noise.");
    c.inputs("two data sets or results of modes with the same inputs; none: theory");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/transfer/benefit", "error alone - error with B; snr of A x snr of B (x q)"},
              {"/lindyn/transfer/best_q, sign_change", "of sweeps over q"},
              {"/lindyn/transfer/joint_singular_values, head_weight", "of both teachers stacked"}});
    c.sharded([o] { return o->repeats > 0; });
    c.group("Tasks");
    c.option("--sizes", o->sizes, "N1,N3,N3", "inputs, outputs of A, outputs of B")
        .default_text("100,50,50")
        .range(1, 1e9);
    c.option("--singular-values-a", o->a, "LIST", "of teacher A, in units of the noise")
        .default_text("3");
    c.option("--singular-values-b", o->b, "LIST", "of teacher B").default_text("3");
    c.option("--alignment", o->alignment, "Q",
             "of each input mode of A with its like in B, or FILE:/dataset, V_A^T V_B");
    tools::add_repeated(c, "--sweep", o->sweep, "NAME=GRID",
                        "a parameter over a:b:n, log:a:b:n or a,b,c: " + join(kAxes, ", ") +
                            " (of the first mode; q: of each mode of A with its like in B)");
    c.group("Network");
    c.option("--depth", o->setting.student.depth, "D", "weight matrices").range(1, 64);
    c.option("--initial-strength", o->setting.student.start, "X", "of every mode");
    c.option("--hidden", o->setting.student.hidden, "N2", "hidden units")
        .word("any", 0)
        .range(1, 1e9);
    c.group("Times");
    declare_time_unit(c, o->time);
    c.option("--horizon", o->setting.horizon, "T", "the latest time to stop").range(0);
    declare_clock(c, o->clock);
    c.group("Simulation");
    c.option("--check", o->repeats, "R", "simulated pairs of tasks a point").range(0, 1e6);
    c.seed(o->seed);
    declare_problem(c, o->problem, Whitening::offered);
    declare_noise(c, o->noise_unit);
    c.example("A strong task beside a weak one",
              "lindyn transfer --singular-values-a 0.84 --singular-values-b 100 --sweep "
              "q=0:1:11 -o transfer.h5");
    c.example("Two data sets", "lindyn transfer taskA.h5 taskB.h5 --whiten -o transfer.h5");
    c.reference("lampinen2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
