// tensor-amp phase: where inference is easy, hard and impossible.
#include "commands.hpp"
#include "grid_option.hpp"
#include "prior_options.hpp"
#include "resumable.hpp"
#include "threshold_report.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/theory_io.hpp>

#include <algorithm>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    std::vector<Index> shape{1, 1, 1};
    PriorOptions priors;
    std::string aspect, noise, products = "1e-6:1e4:2001@log";
    std::vector<std::string> grids;
    PhaseSettings settings;
    double save_every = 30;
};

PhaseSettings settings_of(const Options& o) {
    check_order(o.shape);
    PhaseSettings s = o.settings;
    s.model = describe_model(o.priors, o.shape, s.model.rank);
    s.axes = parse_grids(o.grids);
    if (!o.aspect.empty()) add_axis(s.axes, {"aspect", parse_positive("--aspect", o.aspect)});
    check_grid(s);
    if (s.quantity == PhaseQuantity::mse_map) {
        if (o.noise.empty()) throw UsageError("an mse-map needs --noise-var");
        s.noise_var = parse_positive("--noise-var", o.noise);
    } else if (!o.noise.empty()) {
        throw UsageError("--noise-var is for --quantity mse-map");
    }
    if (s.quantity == PhaseQuantity::curve) s.products = parse_positive("--products", o.products);
    return s;
}

void report_point(cli::Context& context, const PhaseSettings& s, const PhasePoint& point) {
    if (s.quantity == PhaseQuantity::specialisation) {
        if (point.specialisation)
            context.report("delta spec", *point.specialisation, "components separate below");
        else
            context.report("delta spec", "never", "components do not separate");
        return;
    }
    if (s.model.rank > 1) return;
    report_thresholds(context, point.thresholds);
    if (point.unfolding)
        context.report("delta unf", *point.unfolding, "an unfolding knows the factors below");
}

void run(const Options& o, cli::Context& context) {
    const cli::Shard shard = context.shard();
    const PhaseSettings settings = settings_of(o);
    note_prior_files(context, settings.model.priors);
    cli::StateFile state = state_file(context, "phase");
    const PhaseStudy study =
        run_phase_study(settings, {shard.index, shard.count}, context.execution(),
                        keeping_in<PhasePoints>(state, o.save_every));
    write_phase(context.output().create_group("/tensor_amp/phase"), study);
    context.report("points", static_cast<std::int64_t>(study.points.size()));
    if (study.points.size() == 1)
        report_point(context, study.settings, study.points.begin()->second);
    if (shard.count == 1 &&
        (!study.settings.axes.empty() || study.settings.quantity == PhaseQuantity::curve))
        context.propose("tensor-amp plot " + context.output_target() + " -o phase.svg");
}

} // namespace

cli::Command phase() {
    auto o = std::make_shared<Options>();
    cli::Command c("phase", "where inference is easy, hard and impossible");
    c.describe(
        "Thresholds of the noise, from all fixed points of state evolution: delta_alg, below which "
        "the prior's mean leads to the best solution; delta_it, below which that solution is "
        "better "
        "than the uninformed one; delta_dyn, below which it exists; delta_bbp, where two modes of "
        "zero mean set in continuously; delta_unf, below which singular vectors of unfoldings know "
        "the factors. --grid runs over any key of the priors (mean; mean@0 for mode 0 alone), "
        "aspect (a factor of the last dimension), scale (of all) or order; two grids make a "
        "diagram.");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/phase/delta_alg, delta_it, delta_dyn", "[grid x] fold"},
              {"/tensor_amp/phase/delta_bbp, delta_unf, delta_spec", "[grid x] 0 or 1 number"},
              {"/tensor_amp/phase/curve", "P, q, delta, phi of all fixed points"},
              {"/tensor_amp/phase/mse_map", "errors over [grid x] noise_var x mode"}});
    c.resumable();
    c.sharded();
    c.group("Model");
    c.option("--shape", o->shape, "N1,N2,..", "dimensions").range(1, 1e9);
    c.option("--aspect", o->aspect, "GRID", "the last dimension is multiplied by these");
    c.option("-r,--rank", o->settings.model.rank, "R", "components").range(1, 64);
    declare_priors(c, o->priors);
    c.group("Diagram");
    c.choice<PhaseQuantity>("--quantity", o->settings.quantity,
                            {{"thresholds", PhaseQuantity::thresholds},
                             {"curve", PhaseQuantity::curve},
                             {"specialisation", PhaseQuantity::specialisation},
                             {"mse-map", PhaseQuantity::mse_map}},
                            "thresholds; all fixed points as a curve; the noise below which "
                            "components of equal means separate (rank above 1); errors over noise");
    declare_grid(c, o->grids);
    c.option("--noise-var", o->noise, "GRID", "of an mse-map");
    c.option("--products", o->products, "GRID", "P = prod_a q_a / Delta along a curve");
    cli::declare_save_every(c, o->save_every);
    c.example("Thresholds against the mean", "tensor-amp phase --grid mean=0:0.4:81 -o mean.h5");
    c.example("A diagram over mean and aspect",
              "tensor-amp phase --grid mean=0:0.5:51 --grid aspect=1:16:51@log -o diagram.h5");
    c.example("All fixed points of one model",
              "tensor-amp phase --quantity curve --prior gauss:mean=0.2 | tensor-amp plot - -o "
              "curve.svg");
    c.reference("kadmon2018");
    c.reference("lesieur2017");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
