// tensor-amp se: what approximate message passing reaches, sweep by sweep, in theory.
#include "commands.hpp"
#include "grid_option.hpp"
#include "prior_options.hpp"
#include "threshold_report.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/discrete_io.hpp>
#include <assay/tensor_amp/theory_io.hpp>

#include <algorithm>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    std::vector<Index> shape{1, 1, 1};
    PriorOptions priors;
    std::string noise = "1";
    std::vector<std::string> starts{"prior-mean", "informed"};
    std::string assumed_prior;
    EvolutionSettings settings;
};

EvolutionStart start_of(const std::string& text, const Options& o, cli::Context& context) {
    EvolutionStart start;
    start.name = text;
    if (text == "prior-mean") return start;
    if (text == "informed") {
        start.kind = EvolutionStart::Kind::informed;
        return start;
    }
    if (const auto share = parse_double(text)) {
        if (!(*share >= 0 && *share <= 1))
            throw UsageError("option '--start': found '" + printable(text, 40) +
                             "'; a share from 0 to 1 is expected");
        start.kind = EvolutionStart::Kind::share;
        start.share = *share;
        return start;
    }
    const hdf5::Address address = hdf5::Address::parse(text);
    if (address.path.empty())
        throw UsageError("option '--start': found '" + printable(text, 60) +
                         "'; prior-mean, informed, a share of E x x^T or FILE:/overlaps is "
                         "expected");
    start.kind = EvolutionStart::Kind::given;
    start.given = read_overlaps(context.open(address).root().dataset(address.path),
                                static_cast<Index>(o.shape.size()), o.settings.model.rank);
    return start;
}

EvolutionSettings settings_of(const Options& o, cli::Context& context) {
    check_order(o.shape);
    EvolutionSettings s = o.settings;
    s.model = describe_model(o.priors, o.shape, s.model.rank);
    note_prior_files(context, s.model.priors);
    s.noise_var = parse_positive("--noise-var", o.noise);
    for (const std::string& text : o.starts) s.starts.push_back(start_of(text, o, context));
    if (s.assumed_noise && !(*s.assumed_noise > 0))
        throw UsageError(concat("option '--assumed-noise': found ", *s.assumed_noise,
                                "; a number above 0 is expected"));
    if (o.assumed_prior.empty()) return s;
    s.assumed_priors.assign(o.shape.size(), o.assumed_prior);
    static_cast<void>(at_place("option '--assumed-prior'", [&] {
        return parse_prior(o.assumed_prior, s.assumed_rank.value_or(s.model.rank),
                           read_discrete_values);
    }));
    return s;
}

void report_run(cli::Context& context, const std::string& start, const StateEvolution& run) {
    std::vector<double> overlaps;
    for (const MatrixXd& q : (run.m.empty() ? run.q : run.m).back())
        overlaps.push_back(q.diagonal().sum());
    context.report(start + " overlap", overlaps,
                   concat("per mode, after ", run.sweeps(), " sweeps"));
    if (run.overlap_error > 0)
        context.report(start + " overlap error", run.overlap_error, "of the averages in a sweep");
    context.report(start + " signal error", run.signal_error);
    if (run.m.empty()) context.report(start + " free entropy", run.free_entropy, "per N");
}

void warn_of_status(cli::Context& context, const EvolutionStudy& study) {
    for (const EvolutionStatus status :
         {EvolutionStatus::max_iterations, EvolutionStatus::diverged}) {
        const auto count =
            std::count_if(study.runs.begin(), study.runs.end(),
                          [&](const StateEvolution& r) { return r.status == status; });
        if (count > 0)
            context.monitor().warn(
                concat(count, " of ", study.runs.size(), " runs ended with ", status_word(status)));
    }
}

void run(const Options& o, cli::Context& context) {
    // Opened files are carried into the output.
    if (!context.input_address().is_stream()) context.input();
    const EvolutionStudy study = run_evolution_study(settings_of(o, context), context.execution());
    write_evolution(context.output().create_group("/tensor_amp/se"), study);
    warn_of_status(context, study);
    context.report("runs", static_cast<std::int64_t>(study.runs.size()));
    if (study.settings.noise_var.size() == 1)
        for (std::size_t i = 0; i < study.runs.size(); ++i)
            report_run(context, study.settings.starts[i].name, study.runs[i]);
    if (study.thresholds) report_thresholds(context, *study.thresholds);
    context.propose("tensor-amp plot " + context.output_target() + " -o overlap.svg");
}

void declare_model(cli::Command& c, Options& o) {
    c.group("Model");
    c.option("--shape", o.shape, "N1,N2,..", "dimensions; only their ratios matter").range(1, 1e9);
    c.option("-r,--rank", o.settings.model.rank, "R", "components").range(1, 64);
    declare_priors(c, o.priors);
    c.option("--noise-var", o.noise, "GRID", std::string("noise in model units: ") + kGridWords);
}

} // namespace

cli::Command se() {
    auto o = std::make_shared<Options>();
    cli::Command c("se", "state evolution: the accuracy that theory predicts, sweep by sweep");
    c.describe(
        "Follows the overlaps of estimate and truth that approximate message passing has after "
        "each "
        "sweep in the limit of large tensors, from the prior's mean and from the truth, for every "
        "noise; gives mean squared errors, the error of the signal and the free entropy at the "
        "end, "
        "and at rank 1 the noise at which solutions come and go. With --assumed-noise, "
        "--assumed-prior or --assumed-rank the algorithm believes something else than the truth.");
    c.input("optional: result of fit, to be drawn over the theory");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/se/Q, M", "[noise_var x start x] sweep x mode x component x component"},
              {"/tensor_amp/se/mse, signal_error, free_entropy", "at the end"},
              {"/tensor_amp/se/delta_alg, delta_it, delta_dyn", "thresholds, at rank 1"}});
    declare_model(c, *o);
    c.group("Evolution");
    c.choice<Schedule>("--schedule", o->settings.schedule,
                       {{"sequential", Schedule::sequential}, {"parallel", Schedule::parallel}},
                       "modes in turn, or all from the values before");
    c.option("--start", o->starts, "LIST",
             "prior-mean, informed, a share of E x x^T, or FILE:/overlaps (mode x component x "
             "component)");
    c.option("--max-iterations", o->settings.max_iterations, "N", "sweeps").range(1, 1e6);
    c.option("--tolerance", o->settings.tolerance, "X", "relative change that ends it").range(0);
    c.group("Assumptions that differ from the truth");
    c.option("--assumed-noise", o->settings.assumed_noise, "X", "noise_var of the algorithm")
        .default_text("the true one");
    c.option("--assumed-prior", o->assumed_prior, "PRIOR", "of all modes")
        .default_text("the true ones");
    c.option("--assumed-rank", o->settings.assumed_rank, "R", "components of the algorithm")
        .range(1, 64)
        .default_text("the true one");
    c.example("Overlaps against noise, with thresholds",
              "tensor-amp se --prior gauss:mean=0.2 --noise-var 0.02:0.4:60 -o se.h5");
    c.example("Sweep by sweep, for three shapes and means",
              "tensor-amp se --shape 80,250,600 --prior-mode 0=gauss:mean=0.7 --prior-mode "
              "1=gauss:mean=0.5 --prior-mode 2=gauss:mean=0.3 --noise-var 0.4 -o sweeps.h5");
    c.example("A fit over its theory",
              "tensor-amp se fit.h5 --shape 250,250,250 --prior gauss:mean=0.6 --noise-var 0.6 -o "
              "both.h5");
    c.reference("kadmon2018");
    c.reference("lesieur2017");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
