// lindyn modes: which input-output modes a data set holds.
#include "commands.hpp"
#include "noise_input.hpp"
#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cmath>
#include <cstdint>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

// About two arrays of 2000 x 2000.
constexpr std::int64_t kMemory = std::int64_t{64} << 20;

struct Options {
    ProblemOptions problem;
    std::string noise_unit = "auto";
    Options() { problem.memory_of_few = kMemory; }
};

std::string listed(const Vector& values) {
    std::vector<std::string> texts;
    for (Index a = 0; a < std::min<Index>(values.size(), 8); ++a)
        texts.push_back(significant(values(a), 5));
    if (values.size() > 8) texts.emplace_back("...");
    return join(texts, " ");
}

void report(cli::Context& context, const Problem& p, const NoiseReport& noise) {
    context.report("modes", static_cast<std::int64_t>(p.modes.count()),
                   concat("rank ", p.modes.rank(), ", ", p.modes.group.back() + 1,
                          " different singular values"));
    context.report("singular values", listed(p.modes.s));
    context.report("asymptotes", listed(p.modes.asymptote));
    context.report("residual", p.modes.residual.maxCoeff() / p.modes.s(0),
                   "largest of the singular triplets, over the first singular value");
    context.report("widest variance", p.modes.widest.value,
                   concat("of the inputs in any direction, residual ",
                          significant(p.modes.widest.residual, 2)));
    if (std::isfinite(p.whiteness)) {
        context.report("whiteness", p.whiteness, "|Sx - d I| / |Sx|, 0: white");
        context.report("commutation", p.commutation, "0: the modes diagonalise the inputs");
    }
    report_whitening(context, p);
    if (p.whole) context.report("unlearnable", p.unlearnable(), "of the targets' power");
    if (noise.unit > 0)
        context.report("detected", static_cast<std::int64_t>(noise.detections()),
                       concat("above noise of unit ", significant(noise.unit, 4)));
}

// How far the modes are from those that a generator put into the data, where the file knows them.
void report_known(cli::Context& context, const Problem& p) {
    if (p.whitened()) return;
    std::optional<KnownModes> known;
    try {
        known = read_known_modes(context.input().root());
    } catch (const Error& error) { // the modes are found all the same
        context.monitor().warn(error.what());
    }
    if (!known || known->vectors.rows() != p.modes.v.rows()) return;
    const double angle = largest_angle(p.modes.v, *known);
    if (std::isfinite(angle))
        context.report(
            "angle to known modes", angle,
            "radians, the largest between planes of equal modes and those of /truth/mode");
}

void run(const Options& o, cli::Context& context) {
    const Problem problem = data_problem(context, o.problem);
    const NoiseReport noise =
        judge_modes(problem.modes.s, problem.statistics.inputs(), problem.statistics.outputs(),
                    noise_unit_of(o.noise_unit, problem));
    if (o.noise_unit != "none" && !(noise.unit > 0))
        context.monitor().warn(why_noise_is_unknown(o.noise_unit, problem) +
                               ": every mode counts as detected");
    warn_of_signals(context, noise, problem);
    write_modes(context.output().create_group("/lindyn/modes"), problem, noise);
    report(context, problem, noise);
    report_known(context, problem);
    context.propose("lindyn predict " + context.output_target() + " -o curves.h5");
}

} // namespace

cli::Command modes() {
    auto o = std::make_shared<Options>();
    cli::Command c("modes", "which input-output modes a data set holds");
    c.describe("The singular value decomposition of the input-output correlations, which is all "
               "that a deep linear network learns: each mode is an input direction, an output "
               "direction and a strength. Says too how far the inputs are from white, and which "
               "modes stand out from noise.");
    c.input("samples (/data/train or /data: inputs P x N1, targets P x N3), statistics (sigma_yx, "
            "sigma_xx), or FILE:/table, items x features");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/modes/singular_values", "of Syx, descending"},
              {"/lindyn/modes/U, V", "output and input singular vectors"},
              {"/lindyn/modes/asymptote", "strength of each mode at the end of learning"},
              {"/lindyn/modes/group", "modes of equal singular values"},
              {"/lindyn/modes/residual", "of each singular triplet"},
              {"/lindyn/modes/detected, snr, shrunk", "what is more than noise"}});
    declare_problem(c, o->problem, Whitening::offered);
    c.bytes("--memory", o->problem.memory,
            "of the correlations; larger ones are not formed, and --modes K are found by passes "
            "through the samples",
            "64MiB for at most a quarter of the modes, else any");
    c.group("Noise");
    c.option("--noise-unit", o->noise_unit, "auto|median|rest|none|X",
             "sqrt(N1) times the standard deviation of the noise in an entry of Syx; median: from "
             "that of all singular values; rest: from the power that modes which stand out leave; "
             "auto: median where all modes are there, else rest; targets:X: noise of standard "
             "deviation X in the targets");
    c.example("What a table of items and features holds", "lindyn modes animals.h5 -o modes.h5");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
