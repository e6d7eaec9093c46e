// tensor-amp fit: low-rank components of a tensor, with error bars.
#include "commands.hpp"
#include "message_options.hpp"
#include "prior_options.hpp"
#include "resumable.hpp"
#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/dense_file.hpp>
#include <assay/tensor_amp/fit.hpp>
#include <assay/tensor_amp/fit_io.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <chrono>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    TensorOptions tensor;
    PriorOptions priors{"", {}};
    FitSettings fit;
    std::optional<Index> rank; // must be given
    MessageOptions messages;
    std::string noise = "auto", noise_mode = "none", truth;
    std::vector<std::string> learn{"auto"}, tie{"none"}, nonneg_modes, fixed_modes;
    std::string init = "auto", missing_method = "auto";
    std::optional<Index> restarts;
    std::optional<double> tolerance;
    bool trace = false;
    double save_every = 30;
};

// auto, a number, or FILE:/PATH with one number a slice of the noise mode.
void read_noise(Options& o, cli::Context& context, const Shape& shape) {
    if (o.noise == "auto") return;
    const auto value = parse_double(o.noise);
    if (value && *value > 0 && std::isfinite(*value)) {
        o.fit.noise_variance = *value;
        return;
    }
    const hdf5::Address address = hdf5::Address::parse(o.noise);
    if (value || address.path.empty() || !o.fit.noise_mode)
        refuse("--noise-var", o.noise,
               "auto or a number above 0 (or, with --noise-mode, FILE:/PATH)");
    const hdf5::Dataset dataset = context.open(address).root().dataset(address.path);
    const VectorXd noise = dataset.expect_numeric().expect_rank(1).read_vector();
    const Index slices = shape[static_cast<std::size_t>(*o.fit.noise_mode)];
    if (noise.size() != slices || !(noise.array() > 0).all() || !noise.allFinite())
        throw Error(concat(dataset.where(), ": ", noise.size(), " numbers; ", slices,
                           " above 0, one a slice of mode ", *o.fit.noise_mode, ", are expected"));
    o.fit.noise_of_slices = noise;
    o.fit.noise_variance = noise.mean();
}

// auto learns the noise unless it is given, the priors unless both are.
void read_learning(Options& o, bool prior_given) {
    for (const std::string& what : o.learn) {
        if (what == "auto") {
            // A noise variance that is given is the start of those of slices.
            o.fit.amp.learn_noise = !o.fit.noise_variance ||
                                    (o.noise_mode != "none" && o.fit.noise_of_slices.size() == 0);
            o.fit.amp.learn_priors = !prior_given || !o.fit.noise_variance;
        } else if (what == "noise") {
            o.fit.amp.learn_noise = true;
        } else if (what == "prior") {
            o.fit.amp.learn_priors = true;
        } else if (what != "none") {
            refuse("--learn", what, "auto, none, noise or prior (or noise,prior)");
        }
    }
    if (o.noise_mode != "none" && !o.fit.amp.learn_noise && o.fit.noise_of_slices.size() == 0)
        throw UsageError("option '--noise-mode': noise of slices is learned; --learn noise is "
                         "expected, or --noise-var FILE:/PATH that gives them");
    for (const std::string& what : o.tie) {
        if (what == "components")
            o.fit.amp.tie_components = true;
        else if (what == "modes")
            o.fit.amp.tie_modes = true;
        else if (what != "none")
            refuse("--tie", what, "none, components or modes");
    }
}

// FILE[:/group] with factors mode0, mode1, ...; `group` where none is named.
Factors read_group(cli::Context& context, const std::string& text, const std::string& group,
                   const Shape& shape, Index rank) {
    const hdf5::Address address = hdf5::Address::parse(text);
    const hdf5::Group root = context.open(address).root();
    return read_factors(root.group(address.path.empty() ? group : address.path), shape, rank);
}

// The truth that --truth names, else the input's own, else none.
Factors read_known(const Options& o, cli::Context& context, const Shape& shape) {
    const std::string group = std::string(kTruthGroup) + "/factors";
    if (!o.truth.empty()) return read_group(context, o.truth, group, shape, 0);
    if (formats::is_foreign(context.input_address())) return {};
    const hdf5::Group root = context.input().root();
    return root.has_group(group) ? read_factors(root.group(group), shape, 0) : Factors{};
}

void read_start(Options& o, cli::Context& context, const Shape& shape) {
    static const std::vector<std::pair<std::string, Start>> words{{"prior-mean", Start::prior_mean},
                                                                  {"random", Start::random},
                                                                  {"spectral", Start::spectral},
                                                                  {"informed", Start::informed}};
    const auto word = std::find_if(words.begin(), words.end(),
                                   [&](const auto& entry) { return entry.first == o.init; });
    if (word != words.end()) {
        o.fit.start = word->second;
        if (o.fit.start != Start::informed) return;
        o.fit.given = read_known(o, context, shape);
        if (o.fit.given.empty())
            throw UsageError("option '--init': informed needs a truth, in the input or by --truth");
        if (const Index known = o.fit.given.front().cols();
            !o.fit.als.fixed_modes.empty() && known < o.fit.rank)
            throw UsageError(concat("option '--fixed-modes': the truth has ", known,
                                    " components; as many as --rank, ", o.fit.rank,
                                    ", are expected"));
        return;
    }
    if (!starts_with(o.init, "file:"))
        refuse("--init", o.init, "prior-mean, random, spectral, informed or file:PATH");
    o.fit.start = Start::given;
    o.fit.given = read_group(context, o.init.substr(5), std::string(kStartGroup) + "/factors",
                             shape, o.fit.rank);
}

void check_algorithm(const Options& o, bool prior_given) {
    const bool bayesian = o.fit.algorithm == Algorithm::amp || o.fit.algorithm == Algorithm::vb;
    if (!bayesian && (o.trace || o.fit.keep_fields || o.messages.damping != "auto" ||
                      o.messages.gauge != "auto" || o.fit.amp.schedule != Schedule::sequential ||
                      o.fit.amp.onsager_noise || o.learn != std::vector<std::string>{"auto"} ||
                      o.tie != std::vector<std::string>{"none"} || o.missing_method != "auto"))
        throw UsageError("--trace, --fields, --damping, --gauge, --schedule, --onsager-noise, "
                         "--learn, --tie and --missing-method are for --algorithm amp and vb");
    if (o.fit.algorithm == Algorithm::vb && o.fit.amp.schedule == Schedule::parallel)
        throw UsageError("option '--schedule': variational Bayes is sequential");
    if (!bayesian && (prior_given || o.fit.noise_variance || o.noise_mode != "none"))
        throw UsageError("--prior, --prior-mode, --noise-var and --noise-mode are for --algorithm "
                         "amp and vb");
    if (o.fit.symmetric &&
        (o.fit.algorithm != Algorithm::amp || o.noise_mode != "none" || !o.priors.modes.empty() ||
         o.trace || o.fit.keep_fields || o.missing_method != "auto" || o.fit.amp.onsager_noise))
        throw UsageError("option '--symmetric': for --algorithm amp, without --noise-mode, "
                         "--prior-mode, --missing-method, --onsager-noise, --trace and --fields");
    if (o.fit.algorithm == Algorithm::vb && o.fit.amp.onsager_noise)
        throw UsageError("option '--onsager-noise': variational Bayes has no reaction term");
    if (!o.truth.empty() && !o.trace && o.init != "informed")
        throw UsageError("option '--truth': for --trace or --init informed (tensor-amp compare "
                         "--truth compares a fit with a truth)");
    if (starts_with(o.init, "file:") && o.restarts.value_or(1) > 1)
        throw UsageError("option '--restarts': the start is that of --init file; 1 is expected");
    if (o.fit.amp.tie_modes && !o.priors.modes.empty())
        throw UsageError("option '--tie': modes that share their prior take no --prior-mode");
    if (bayesian && (o.fit.als.ridge > 0 || !o.nonneg_modes.empty() || !o.fixed_modes.empty()))
        throw UsageError("--ridge, --nonneg-modes and --fixed-modes are for --algorithm als and "
                         "hals");
    if (!o.fixed_modes.empty() && !starts_with(o.init, "file:") && o.init != "informed")
        throw UsageError("option '--fixed-modes': they stay as --init file:PATH or informed "
                         "gives them");
}

void settle(Options& o, cli::Context& context, const LoadedTensor& tensor) {
    const auto order = static_cast<Index>(tensor.shape().size());
    const bool prior_given = !o.priors.prior.empty() || !o.priors.modes.empty();
    o.fit.priors_given = parameters_given(o.priors, order, tensor.mode_names);
    if (o.priors.prior.empty()) o.priors.prior = PriorOptions().prior;
    at_place(context.input_address().name(), [&] { check_rank(tensor.shape(), o.fit.rank); });
    if (o.noise_mode != "none")
        o.fit.noise_mode = mode_of("--noise-mode", o.noise_mode, order, tensor.mode_names);
    read_noise(o, context, tensor.shape());
    read_learning(o, prior_given);
    check_algorithm(o, prior_given);
    read_messages(o.messages, o.fit);
    o.fit.priors = parse_priors(o.priors, order, o.fit.rank, tensor.mode_names);
    note_prior_files(context, prior_texts(o.priors, order, tensor.mode_names));
    if (o.missing_method != "auto")
        o.fit.missing = o.missing_method == "exact" ? MissingForm::exact : MissingForm::mean_field;
    for (const std::string& mode : o.nonneg_modes)
        o.fit.als.nonnegative_modes.push_back(
            mode_of("--nonneg-modes", mode, order, tensor.mode_names));
    for (const std::string& mode : o.fixed_modes)
        o.fit.als.fixed_modes.push_back(mode_of("--fixed-modes", mode, order, tensor.mode_names));
    const bool als = o.fit.algorithm == Algorithm::als || o.fit.algorithm == Algorithm::hals;
    if (o.init == "auto") o.init = als ? "random" : "spectral";
    o.fit.restarts = o.restarts;
    if (o.tolerance) o.fit.amp.tolerance = o.fit.als_tolerance = *o.tolerance;
    read_start(o, context, tensor.shape());
    if (!o.trace) return;
    o.fit.restarts = 1;
    o.fit.truth = read_known(o, context, tensor.shape());
    if (o.fit.truth.empty())
        throw UsageError("option '--trace': needs a truth, in the input or by --truth");
    if (o.restarts.value_or(1) > 1)
        throw UsageError("option '--trace': follows one start; leave out --restarts");
}

// Nonnegative priors on data that are negative on the whole cannot fit.
void warn_of_signs(const Execution& run, const FitSettings& fit, const LoadedTensor& tensor) {
    const bool nonnegative =
        std::all_of(fit.priors.begin(), fit.priors.end(),
                    [](const PriorPointer& prior) { return prior->nonnegative(); });
    if (nonnegative && mean_value(*tensor.source, run) < 0)
        run.monitor->warn("the data have a negative mean; under nonnegative priors no "
                          "component can explain it");
}

void report(cli::Context& context, const FitResult& fit) {
    context.report("status", fit.status);
    context.report("iterations", static_cast<std::int64_t>(fit.iterations));
    context.report("noise var", fit.noise_variance,
                   fit.noise_variance_learned ? "learned" : "given");
    if (fit.bethe_free_entropy) context.report("evidence", *fit.bethe_free_entropy, "Bethe, per N");
    if (fit.elbo) context.report("evidence", *fit.elbo, "lower bound, per N");
    context.report("explained variance", fit.explained_variance);
    context.report("weights", std::vector<double>(fit.weights.begin(), fit.weights.end()));
    if (fit.restarts.objective.size() > 1)
        context.report("similar restarts",
                       static_cast<std::int64_t>((fit.restarts.similarity.array() > 0.9).count()),
                       concat("of ", fit.restarts.objective.size(), ", similarity above 0.9"));
    if (fit.status == "collapsed")
        context.monitor().warn("collapsed: a component vanished; the noise may be above what any "
                               "method can see through, or the rank too high");
    if (fit.status == "diverged")
        context.monitor().warn("diverged: try --schedule sequential, --damping 0.5 or --init "
                               "spectral");
    if (!fit.denoiser_exact)
        context.monitor().warn("nonnegative priors of rank above 1 are treated component by "
                               "component; the posterior is approximate");
}

// Rank 0's number at every rank: with the same threads and memory they stop and exchange at the
// same places.
std::int64_t of_first(std::int64_t number) {
    return *parse_integer(ranks::from_first([&] { return std::to_string(number); }));
}

void run(Options& o, cli::Context& context) {
    if (!o.rank)
        throw UsageError("option '--rank' is missing; the number of components is expected (see "
                         "tensor-amp rank)");
    o.fit.rank = *o.rank;
    o.tensor.memory = of_first(static_cast<std::int64_t>(allowed_memory(o.tensor.memory)));
    o.tensor.symmetric = o.fit.symmetric;
    if (o.fit.symmetric && o.tensor.center != "none")
        throw UsageError("option '--symmetric': takes no --center (entries with repeated indices "
                         "are not observed)");
    const ranks::Together together;
    LoadedTensor tensor =
        timed(context.monitor(), "read the tensor", [&] { return load_tensor(context, o.tensor); });
    settle(o, context, tensor);
    cli::StateFile state = state_file(context, "fit");
    Keeping<FitState> keeping = keeping_in<FitState>(state, o.save_every);
    // Of ranks that share the products one keeps the state.
    if (keeping.save && !context.keeps_state()) keeping.save = [](const FitState&) {};
    ranks::AgreedMonitor agreed(context.monitor());
    const Execution run{static_cast<int>(of_first(context.execution().threads)), &agreed};
    survey(tensor, keeping, agreed);
    warn_of_signs(run, o.fit, tensor);
    const auto begin = std::chrono::steady_clock::now();
    FitResult fit = at_place(context.input_address().name(),
                             [&] { return fit_tensor(*tensor.source, o.fit, run, keeping); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    fit.mode_names = tensor.mode_names;
    if (tensor.centering) {
        fit.center_mode = tensor.centering->mode.value_or(-1);
        fit.center = tensor.centering->means;
    }
    report(context, fit);
    write_fit(context.output().create_group(kFitGroup), fit);
    context.report("seconds", seconds.count());
    context.report("seconds per sweep", fit.seconds_per_sweep);
    context.report("passes over data", static_cast<std::int64_t>(tensor.source->passes()));
    context.propose("tensor-amp plot " + context.output_target() + " -o components.svg");
}

void declare_model(cli::Command& c, Options& o) {
    c.group("Model");
    c.option("-r,--rank", o.rank, "R", "number of components, to be given (tensor-amp rank helps)")
        .range(1, 1e6);
    c.choice<Algorithm>("--algorithm", o.fit.algorithm,
                        {{"amp", Algorithm::amp},
                         {"vb", Algorithm::vb},
                         {"als", Algorithm::als},
                         {"hals", Algorithm::hals}},
                        "approximate message passing; variational Bayes; alternating least "
                        "squares, free or nonnegative");
    declare_priors(c, o.priors);
    c.flag("--symmetric", o.fit.symmetric,
           "one factor for all modes; entries with equal indices are ignored");
    c.option("--noise-var", o.noise, "X",
             "noise variance; auto: from the residual of least squares, then learned; "
             "FILE:/PATH: of every slice of --noise-mode");
    c.option("--learn", o.learn, "LIST",
             "noise, prior, none; auto: the noise unless it is given, the parameters of the priors "
             "unless noise and priors are; parameters that are given are where learning begins");
    c.option("--tie", o.tie, "LIST",
             "learned variances shared over components (those of gauss-bernoulli always are), "
             "learned priors over modes");
    c.option("--noise-mode", o.noise_mode, "MODE",
             "a mode whose slices have noise of their own, such as neurons");
}

void declare_algorithm(cli::Command& c, Options& o) {
    c.group("Algorithm");
    c.option("--init", o.init, "WORD",
             "prior-mean, random, spectral, informed or file:PATH; auto: spectral, of als random");
    c.option("--init-noise", o.fit.start_noise, "X", "of an informed start, in column sizes")
        .range(0);
    c.option("--restarts", o.restarts, "K", "starts, all at once; the best is kept")
        .range(1, 100000)
        .default_text("1; 5 where entries are missing unevenly; als: 10; from a file: 1");
    declare_messages(c, o.messages, o.fit);
    c.option("--onsager-noise", o.fit.amp.onsager_noise, "X",
             "true noise variance in the reaction term, where another is assumed")
        .range(0);
    c.option("--max-iterations", o.fit.amp.max_iterations, "N", "sweeps").range(1, 1e7);
    c.option("--tolerance", o.tolerance, "X", "relative change that counts as converged")
        .range(0)
        .default_text("1e-6 of the factors; als: 1e-8 of the error");
    c.choice<std::string>("--missing-method", o.missing_method,
                          {{"auto", "auto"}, {"exact", "exact"}, {"mean-field", "mean-field"}},
                          "sums over what was observed; or as if missing at random; auto: exact "
                          "unless slices are alike and the signal is far below the noise");
    c.option("--ridge", o.fit.als.ridge, "X", "penalty on squared weights, als and hals").range(0);
    c.option("--nonneg-modes", o.nonneg_modes, "LIST", "hals: which modes (default all)");
    c.option("--fixed-modes", o.fixed_modes, "LIST",
             "als, hals: which modes stay as --init file:PATH or informed gives them");
    c.seed(o.fit.seed);
    cli::declare_save_every(c, o.save_every);
}

} // namespace

cli::Command fit() {
    auto o = std::make_shared<Options>();
    cli::Command c("fit", "low-rank components of a tensor, with error bars");
    c.describe("Finds R outer-product components in noise by approximate message passing, with "
               "posterior means and variances of every entry of every factor; or by variational "
               "Bayes or alternating least squares. Any order from 2 to 8, any shape; missing "
               "entries are treated exactly. The noise is learned unless given, the priors "
               "unless both are.");
    c.input(
        "array of 2 to 8 dimensions: HDF5 (/data/tensor unless named), npy, npz, MATLAB; or spikes "
        "and trials of NWB");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/fit/factors/modeK", "posterior means (row x component)"},
              {"/tensor_amp/fit/posterior/cov_modeK", "their covariances"},
              {"/tensor_amp/fit/weights, unit_factors", "Y ~ sum of weights x unit columns"},
              {"/tensor_amp/fit/trace", "change, evidence, noise after every sweep"}});
    c.resumable();
    c.together();
    declare_model(c, *o);
    declare_algorithm(c, *o);
    declare_tensor(c, o->tensor);
    c.group("Truth");
    c.option("--truth", o->truth, "FILE[:/GROUP]", "factors for --init informed and --trace")
        .default_text("/truth/factors of the input");
    c.flag("--trace", o->trace, "overlaps with the truth after every sweep");
    c.flag("--fields", o->fit.keep_fields, "write the local fields A and B");
    c.example("Six components of trials", "tensor-amp fit trials.h5 --rank 6 -o fit.h5");
    c.example("Neurons with noise of their own, nonnegative factors",
              "tensor-amp fit trials.h5 --rank 6 --prior exponential --noise-mode 0 -o fit.h5");
    c.example("Spikes of an NWB session about the start of every trial",
              "tensor-amp fit session.nwb --dt 0.02 --window=-0.5:1 --rank 6 -o fit.h5");
    c.example("The best of ten runs of alternating least squares",
              "tensor-amp fit trials.h5 --rank 6 --algorithm als -o als.h5");
    c.reference("kadmon2018");
    c.reference("lesieur2017b");
    c.reference("kolda2009");
    c.memory("8 N1 ... Np (4 with --precision float32, then 12 with --center) + 80 r K (N1 + ... + "
             "Np) bytes, K restarts");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
