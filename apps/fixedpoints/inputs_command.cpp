// fixedpoints inputs: what words or probes do at the points of a line.
#include "commands.hpp"
#include "line_inputs.hpp"

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/fixedpoints/point_modes.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <cmath>
#include <numeric>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    TrialOptions trials;
    std::string words = "all", fit_data;
    Index mode = 0, readout = 0;
    WordOptions statistics;
};

// Words as the data have them: token ids in one column, or probes.
RowMatrix raw_words(const Options& o, cli::Context& context, const Dynamics& dynamics) {
    if (o.words != "all")
        return read_inputs(context, "--words", o.words, dynamics.raw_inputs(),
                           dynamics.vocabulary());
    if (dynamics.vocabulary() == 0)
        throw Error(
            concat("--words all: the network takes no tokens; FILE:/path of probes (rows of ",
                   dynamics.raw_inputs(), " numbers) is expected"));
    return Vector::LinSpaced(dynamics.vocabulary(), 0,
                             static_cast<double>(dynamics.vocabulary() - 1));
}

std::vector<Index> token_ids(const RowMatrix& raw) {
    std::vector<Index> ids;
    for (Index i = 0; i < raw.rows(); ++i) ids.push_back(static_cast<Index>(raw(i, 0)));
    return ids;
}

Documents documents_of(const network::Samples& samples, const std::string& where) {
    Documents documents;
    documents.labels = labels_of(samples);
    if (documents.labels.empty())
        throw Error(where + "/targets: word classes need labels (0 or 1 a document); without them, "
                            "give --top-words 0");
    documents.steps = samples.inputs.cols();
    documents.lengths = samples.lengths;
    if (documents.lengths.empty())
        documents.lengths.assign(static_cast<std::size_t>(samples.count()), documents.steps);
    documents.tokens.reserve(static_cast<std::size_t>(samples.inputs.size()));
    for (Index i = 0; i < samples.inputs.size(); ++i)
        documents.tokens.push_back(static_cast<std::int32_t>(samples.inputs.data()[i]));
    return documents;
}

WordStatistics statistics_of(const Options& o, cli::Context& context, const Dynamics& dynamics,
                             const InputEffects& effects, const std::vector<Index>& words) {
    const auto stored = load_samples(context, o.trials.data);
    if (!stored)
        throw Error(context.input_address().name() +
                    ": word classes need labels: give --data, or --top-words 0");
    const Documents scored = documents_of(stored->samples, stored->where);
    Documents fitted = scored;
    std::string where = stored->where;
    if (!o.fit_data.empty()) {
        const auto others = load_samples(context, {o.fit_data, ""});
        fitted = documents_of(others->samples, others->where);
        where = others->where;
    }
    return at_place(where, [&] {
        return word_statistics(effects.projections, words, fitted, scored, dynamics.vocabulary(),
                               o.statistics, context.execution());
    });
}

// The share of trials that the network itself decides as their labels say; NaN where it decides by
// other layers too.
double network_accuracy(const Options& o, cli::Context& context, const LoadedNetwork& network) {
    if (!network.dynamics.reads_output()) return kNaN;
    const Trials trials = need_trials(context, o.trials, network);
    const RowMatrix outputs =
        network.dynamics.readout(end_states(network.dynamics, trials.trajectories));
    return agreement(decide(outputs, decision_threshold(network.model)), labels_of(trials.samples));
}

// True valences of synthetic corpora (/truth of the input), of the words; empty where unknown.
Vector valences(cli::Context& context, const Dynamics& dynamics, const std::vector<Index>& words) {
    const hdf5::Group root = context.input().root();
    if (words.empty() || !root.has_dataset("/truth/valence")) return {};
    const auto dataset = root.dataset("/truth/valence");
    if (dataset.size() != dynamics.vocabulary()) return {};
    const auto all = dataset.read<double>();
    Vector chosen_ones(static_cast<Index>(words.size()));
    for (std::size_t v = 0; v < words.size(); ++v)
        chosen_ones(static_cast<Index>(v)) = all[static_cast<std::size_t>(words[v])];
    return chosen_ones;
}

double median(const Vector& values) {
    return quantiles(values, Vector::Constant(1, 0.5))(0);
}

void report(cli::Context& context, const InputEffects& effects, const InputFacts& facts,
            bool fitted_elsewhere) {
    context.report("words", static_cast<std::int64_t>(effects.projections.cols()));
    context.report("points", static_cast<std::int64_t>(effects.projections.rows()));
    std::int64_t pairs = 0;
    for (const auto pair : effects.modes.pair) pairs += pair;
    if (pairs > 0) context.report("complex pairs", pairs, "points whose mode is a plane");
    if (facts.statistics) {
        const WordStatistics& s = *facts.statistics;
        const Eigen::RowVectorXd means = s.class_mean.colwise().mean();
        context.report("mean projection positive", means(0));
        context.report("mean projection negative", means(1));
        context.report("mean projection neutral", means(2));
        context.report("coefficient correlation", median(s.correlation), "median over points");
        context.report("bag of words accuracy", s.accuracy,
                       fitted_elsewhere ? "" : "on the documents it was fitted to");
        if (std::isfinite(facts.network_accuracy))
            context.report("network accuracy", facts.network_accuracy);
    }
    if (facts.valences.size() > 0)
        context.report("valence correlation", median(facts.valence_correlation),
                       "median over points");
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const Dynamics& dynamics = network.dynamics;
    const FoundPoints found = need_points(context, network);
    const LineFrame frame = load_lines(context, found);
    const RowMatrix raw = raw_words(o, context, dynamics);
    const auto systems = load_systems(context, network, found, o.mode + 1);
    const InputEffects effects = at_place(context.input_address().name(), [&] {
        return input_effects(dynamics, found.points, systems, frame,
                             readout_direction(dynamics, found.points.state, o.readout),
                             dynamics.drive(raw), o.mode, context.execution());
    });
    InputFacts facts;
    facts.mode = o.mode;
    facts.network_accuracy = kNaN;
    if (dynamics.vocabulary() > 0)
        facts.tokens = token_ids(raw);
    else
        facts.probes = raw;
    if (dynamics.vocabulary() > 0 && o.statistics.top > 0) {
        facts.statistics = statistics_of(o, context, dynamics, effects, facts.tokens);
        facts.network_accuracy = network_accuracy(o, context, network);
    }
    facts.valences = valences(context, dynamics, facts.tokens);
    if (facts.valences.size() > 0) {
        std::vector<Index> all(facts.tokens.size());
        std::iota(all.begin(), all.end(), Index{0});
        facts.valence_correlation =
            projection_correlations(effects.projections, facts.valences, all);
    }
    write_inputs(context.output().create_group("/fixedpoints/inputs"), effects, facts);
    report(context, effects, facts, !o.fit_data.empty());
}

} // namespace

cli::Command inputs() {
    auto o = std::make_shared<Options>();
    cli::Command c("inputs", "what words or probes do at the points of a line");
    c.describe("Input projections l^T K (x - x*) of every word at every point: what it adds along "
               "a slow mode. Words are classed by a logistic regression on counts of words "
               "(positive, negative, neutral), which needs documents with labels.");
    c.input("result of attractor");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/inputs/projection", "of every word at every point"},
              {"/fixedpoints/inputs/plane", "effects in their first two components, mid-line"},
              {"/fixedpoints/inputs/class_mean", "of positive, negative, neutral words"},
              {"/fixedpoints/inputs/coefficient", "of the bag of words"}});
    c.group("What");
    c.option("--words", o->words, "all|FILE:/path",
             "every token, some token ids, or rows of probes");
    c.option("--mode", o->mode, "K", "which mode, from 0, in the order of linearize").range(0);
    c.option("--readout", o->readout, "OUTPUT", "orients modes of inputs without a line").range(0);
    c.group("Word classes");
    c.option("--top-words", o->statistics.top, "N", "words a class; 0: no classes").range(0);
    c.option("--ridge", o->statistics.bag.ridge, "X", "of the bag of words, > 0").range(1e-12);
    c.option("--fit-data", o->fit_data, "FILE:/group",
             "documents that the bag of words is fitted to")
        .default_text("those of --data");
    declare_trials(c, o->trials);
    declare_network(c, o->network);
    c.example("Which words move the state along the line",
              "fixedpoints inputs line.h5 --data reviews.h5:/data/test -o words.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
