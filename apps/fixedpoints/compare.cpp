// fixedpoints compare: how alike networks are.
#include "commands.hpp"
#include "compare_files.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/population_io.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    std::vector<std::string> metrics{"svcca"}, topology{"label"}, labels, leave_out;
    ComparisonOptions comparison;
    SummaryOptions summary;
    NetworkOptions network;
    DataOptions data;
    std::uint64_t seed = 0;
};

const std::vector<std::pair<std::string, AnyMetric>>& known_metrics() {
    static const std::vector<std::pair<std::string, AnyMetric>> all = [] {
        std::vector<std::pair<std::string, AnyMetric>> named;
        const auto add = [&](const AnyMetric& metric) {
            named.emplace_back(metric_name(metric), metric);
        };
        for (const Metric m :
             {Metric::svcca, Metric::pwcca, Metric::cca, Metric::cka, Metric::cka_debiased,
              Metric::procrustes, Metric::procrustes_angular, Metric::shape})
            add(m);
        for (const DynamicsMetric m : {DynamicsMetric::dsa, DynamicsMetric::dsa_spectrum,
                                       DynamicsMetric::spectrum, DynamicsMetric::spectrum_curves})
            add(m);
        for (const TopologyMetric m :
             {TopologyMetric::label, TopologyMetric::spectral, TopologyMetric::census,
              TopologyMetric::match, TopologyMetric::chain})
            add(m);
        return named;
    }();
    return all;
}

AnyMetric metric_of(const std::string& name) {
    for (const auto& [word, metric] : known_metrics())
        if (word == name) return metric;
    throw UsageError("unknown metric '" + printable(name, 40) + "'");
}

// Those of --metric, each once; topology by all its --topology.
std::vector<AnyMetric> wanted_metrics(const Options& o) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const auto& name : o.metrics) {
        if (name != "topology") {
            add(name);
            continue;
        }
        for (const auto& how : o.topology) add("topology-" + how);
    }
    std::vector<AnyMetric> metrics;
    for (const auto& name : names) metrics.push_back(metric_of(name));
    return metrics;
}

// What is compared, and what is known of it beside its numbers.
struct Compared {
    std::unique_ptr<NetworkSet> networks;
    std::vector<std::string> names;
    std::vector<NetworkLabel> labels; // all that are known
    std::vector<hdf5::Group> results;
    Index left_out = 0;
};

bool any_activations(const std::vector<AnyMetric>& metrics) {
    return std::any_of(metrics.begin(), metrics.end(), needs_activations);
}

bool any_points(const std::vector<AnyMetric>& metrics) {
    return !std::all_of(metrics.begin(), metrics.end(), needs_activations);
}

bool needs_trials(const AnyMetric& metric) {
    return std::holds_alternative<DynamicsMetric>(metric) && needs_activations(metric);
}

bool left_out(const Options& o, const std::string& name) {
    return std::find(o.leave_out.begin(), o.leave_out.end(), name) != o.leave_out.end();
}

void check_left_out(const Options& o, const std::vector<std::string>& names) {
    for (const auto& name : o.leave_out)
        if (std::find(names.begin(), names.end(), name) == names.end())
            throw UsageError("option '--leave-out': there is no network '" + printable(name, 60) +
                             "'");
}

bool is_population(cli::Context& context, std::size_t input) {
    hdf5::Address address = context.input_address(input);
    if (!cli::Context::is_hdf5(address)) return false;
    return context.open(address).root().has_group(kPopulation);
}

Compared open_files(const Options& o, cli::Context& context,
                    const std::vector<AnyMetric>& metrics) {
    const auto names = file_names(context);
    check_left_out(o, names);
    Compared compared;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (left_out(o, names[i])) continue;
        indices.push_back(i);
        compared.names.push_back(names[i]);
    }
    compared.left_out = static_cast<Index>(names.size() - indices.size());
    auto files = std::make_unique<FileNetworks>(context, o.network, indices);
    if (any_activations(metrics)) files->load_data(o.data);
    for (const auto& name : split(kModelLabels, ',')) {
        NetworkLabel label{name, {}};
        for (Index i = 0; i < files->count(); ++i) label.values.push_back(files->label(i, name));
        compared.labels.push_back(std::move(label));
    }
    if (any_points(metrics)) compared.results = files->results();
    compared.networks = std::move(files);
    return compared;
}

// A population keeps samples, not trials: these come from the data that it was run on.
void add_trials(const Options& o, cli::Context& context, const std::string& digest,
                PopulationNetworks& networks) {
    if (o.data.data.empty())
        throw UsageError("dsa: a population keeps no trials; give the --data that it was run on");
    const auto stored = load_samples(context, o.data);
    if (!digest.empty() && stored->digest != digest)
        throw Error(stored->where + ": the population was run on other inputs (digest)");
    const network::Samples& samples = stored->samples;
    networks.set_trials(samples.count(), samples.input_shape.at(0), samples.lengths);
}

Compared open_population(const Options& o, cli::Context& context,
                         const std::vector<AnyMetric>& metrics) {
    const hdf5::Group population = context.input().root().group(kPopulation);
    std::vector<std::string> names;
    for (const auto& record : list_networks(population)) names.push_back(record.name);
    check_left_out(o, names);
    auto networks = std::make_unique<PopulationNetworks>(population, o.leave_out);
    for (const AnyMetric& metric : metrics) networks->check_activations(metric, o.comparison);
    if (std::any_of(metrics.begin(), metrics.end(), needs_trials))
        add_trials(o, context, read_population_header(population).data_digest, *networks);
    Compared compared;
    for (const auto& record : networks->records()) compared.names.push_back(record.name);
    compared.labels = networks->labels();
    compared.left_out = networks->left_out();
    if (any_points(metrics))
        for (Index i = 0; i < networks->count(); ++i)
            compared.results.push_back(networks->results(i));
    compared.networks = std::move(networks);
    return compared;
}

Compared open_networks(const Options& o, cli::Context& context,
                       const std::vector<AnyMetric>& metrics) {
    const std::size_t count = context.input_count();
    std::size_t populations = 0;
    for (std::size_t i = 0; i < count; ++i) populations += is_population(context, i) ? 1 : 0;
    if (populations > 0 && count > 1)
        throw UsageError("one population, or several results of single networks are expected; "
                         "merge joins shards of a population");
    if (populations == 0 && count == 1)
        throw Error(context.input_address().name() +
                    ": is one network; a population or the results of two or more are expected");
    Compared compared =
        populations > 0 ? open_population(o, context, metrics) : open_files(o, context, metrics);
    if (compared.names.size() < 2)
        throw Error(concat("compare: ", compared.names.size(), " networks to compare, ",
                           compared.left_out, " left out: two or more are expected"));
    return compared;
}

// Those of --labels, and all together where there are several.
std::vector<NetworkLabel> wanted_labels(const Options& o, const Compared& compared) {
    std::vector<std::string> known;
    for (const auto& label : compared.labels) known.push_back(label.name);
    std::vector<NetworkLabel> wanted;
    const auto take = [&](const std::string& name) {
        const auto at = std::find(known.begin(), known.end(), name);
        if (at == known.end()) return false;
        wanted.push_back(compared.labels[static_cast<std::size_t>(at - known.begin())]);
        return true;
    };
    if (o.labels.empty())
        for (const auto& name : split(kModelLabels, ',')) static_cast<void>(take(name));
    for (const auto& name : o.labels)
        if (!take(name))
            throw UsageError("option '--labels': unknown label '" + printable(name, 40) +
                             "' (known: " + join(known, ", ") + ")");
    if (wanted.size() > 1) wanted.push_back(combined_label(wanted));
    return wanted;
}

// Mean spectra by architecture, or by the first label there is.
void add_curves(const Compared& compared, const std::vector<NetworkLabel>& labels,
                const hdf5::Group& group) {
    if (labels.empty()) return;
    const auto arch = std::find_if(labels.begin(), labels.end(),
                                   [](const NetworkLabel& label) { return label.name == "arch"; });
    const NetworkLabel& label = arch == labels.end() ? labels.front() : *arch;
    std::vector<Vector> curves;
    for (Index i = 0; i < compared.networks->count(); ++i)
        curves.push_back(mean_modulus_curve(compared.networks->spectra(i)));
    write_spectrum_curves(group, label.name, spectrum_curves(curves, label.values));
}

bool looks_at_spectra(const AnyMetric& metric) {
    const auto* dynamics = std::get_if<DynamicsMetric>(&metric);
    return dynamics && !needs_activations(metric);
}

void run(const Options& given, cli::Context& context) {
    Options o = given;
    o.summary.seed = o.comparison.aligned.seed = o.comparison.topology.seed = o.seed;
    const auto metrics = wanted_metrics(o);
    context.need_input();
    const cli::Shard part = context.shard();
    const Compared compared = open_networks(o, context, metrics);
    check_searched_inputs(compared.results);
    ComparisonHeader header;
    header.names = compared.names;
    header.labels = wanted_labels(o, compared);
    for (const AnyMetric& metric : metrics) header.metrics.push_back(metric_name(metric));
    header.summary = o.summary;
    header.shard = {part.index, part.count};
    header.left_out = compared.left_out;
    std::vector<PairwiseDistances> distances;
    hdf5::Group group = context.output().create_group(kComparison);
    write_comparison(group, header);
    context.report("networks", compared.networks->count(),
                   compared.left_out > 0 ? concat(compared.left_out, " left out") : "");
    for (const AnyMetric& metric : metrics) {
        const std::string name = metric_name(metric);
        const PairwiseDistances pairs = compare_networks(*compared.networks, metric, o.comparison,
                                                         header.shard, context.execution());
        write_distances(group, name, pairs);
        if (part.count > 1) {
            const Index own = ((pairs.distance.array() == pairs.distance.array()).count() -
                               pairs.distance.rows()) /
                              2;
            context.report(name + " pairs", own, concat("of shard ", part.index));
            continue;
        }
        const ComparisonSummary summary =
            summarise(pairs.distance, header.labels, o.summary, context.execution());
        write_comparison_summary(group, name, summary, header.labels);
        report_comparison(context, name, summary, header.labels);
    }
    if (part.index == 1 && std::any_of(metrics.begin(), metrics.end(), looks_at_spectra))
        add_curves(compared, header.labels, group);
    if (part.count == 1)
        context.propose("fixedpoints plot " + context.output_target() + " --figure mds -o mds.svg");
}

void choose_from(cli::Command& c, std::vector<std::string> choices) {
    c.declaration().options.back().choices = std::move(choices);
}

void declare_metrics(cli::Command& c, Options& o) {
    std::vector<std::string> names;
    for (const auto& [name, metric] : known_metrics()) {
        const auto* graph = std::get_if<TopologyMetric>(&metric);
        if (!graph || *graph == TopologyMetric::chain)
            names.push_back(name);
        else if (*graph == TopologyMetric::label)
            names.emplace_back("topology"); // by its --topology
    }
    c.group("Distances");
    c.option("--metric", o.metrics, "LIST", "what networks are compared by");
    choose_from(c, names);
    c.option("--threshold", o.comparison.threshold, "X",
             "svcca, pwcca: share of the variance that is kept")
        .range(0, 1);
    c.option("--alpha", o.comparison.alpha, "X",
             "shape: 1 allows rotations only, 0 all linear maps")
        .range(0, 1);
    c.option("--topology", o.topology, "LIST", "topology: how graphs are compared");
    choose_from(c, {"label", "spectral", "census", "match"});
    c.choice<EdgeWeights>("--edge-weights", o.comparison.topology.weights,
                          {{"ignored", EdgeWeights::ignored}, {"kept", EdgeWeights::kept}},
                          "topology: whether edges count 1 or the share that falls along them");
    c.option("--match-starts", o.comparison.topology.starts, "N", "topology match: starts")
        .range(1);
    c.option("--delays", o.comparison.delays, "N", "dsa: states side by side").range(1);
    c.option("--rank", o.comparison.rank, "N", "dsa: size of the operators").range(1);
    c.option("--dsa-starts", o.comparison.aligned.starts, "N", "dsa: starts of the alignment")
        .range(1);
    c.bytes("--memory", o.comparison.memory, "for features of activations", "1 GiB");
    c.declaration().options.back().execution_only = true;
}

void declare_summary(cli::Command& c, Options& o) {
    c.group("Summaries");
    c.choice<Scaled>(
        "--mds", o.summary.scaling,
        {{"smacof", Scaled::smacof}, {"classical", Scaled::classical}, {"none", Scaled::none}},
        "places of the networks on a page");
    c.option("--dims", o.summary.dims, "N", "dimensions of the page").range(1);
    c.option("--starts", o.summary.starts, "N", "smacof: starts, the first classical").range(1);
    c.option("--labels", o.labels, "LIST", "groups of networks, each label and all together")
        .default_text("arch, activation and units, as far as known");
    c.option("--permutations", o.summary.permutations, "N", "of labels, for p values").range(0);
    c.option("--leave-out", o.leave_out, "NAMES", "networks that are not compared");
    c.seed(o.seed);
}

} // namespace

void report_comparison(cli::Context& context, const std::string& metric,
                       const ComparisonSummary& summary, const std::vector<NetworkLabel>& labels) {
    context.report(metric + " mean distance", summary.mean);
    if (summary.scaling)
        context.report(metric + " stress", summary.scaling->normalised_stress, "of the page");
    for (std::size_t l = 0; l < labels.size(); ++l) {
        const GroupStatistics& groups = summary.groups[l];
        if (std::isnan(groups.silhouette)) continue;
        context.report(metric + " silhouette by " + labels[l].name, groups.silhouette);
        context.report(metric + " p by " + labels[l].name, groups.p_silhouette);
    }
}

cli::Command compare() {
    auto o = std::make_shared<Options>();
    cli::Command c("compare", "distances between networks, and what groups them");
    c.describe(
        "Compares all pairs of the networks of a population, or of several result files: by "
        "activations on the same inputs (svcca, pwcca, cca, cka, procrustes, shape, dsa), by the "
        "spectra at points of like readout (spectrum), or by what flows to what (topology, chain). "
        "Networks may differ in size. A matrix of distances becomes places on a page and "
        "statistics of groups. Shards of an array job each hold a part of the pairs; merge joins "
        "them.");
    c.inputs("a population, or results of two or more networks");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/compare/METRIC/distance", "network x network"},
              {"/fixedpoints/compare/METRIC/mds/coordinates", "network x dimension"},
              {"/fixedpoints/compare/METRIC/groups/LABEL", "mean distances, silhouette, p"},
              {"/fixedpoints/compare/spectrum_curves", "spectrum: mean sorted |lambda|"},
              {"/fixedpoints/compare/labels", "of each network"}});
    c.sharded();
    c.carries_nothing();
    declare_metrics(c, *o);
    declare_summary(c, *o);
    declare_data(c, o->data);
    declare_network(c, o->network);
    c.example("Four networks on the same trials",
              "fixedpoints compare a.h5 b.h5 c.h5 d.h5 --data trials.h5 -o alike.h5");
    c.example("A population by geometry, spectra and graphs",
              "fixedpoints compare pop.h5 --metric svcca,spectrum,topology --labels "
              "arch,activation -o alike.h5");
    c.example("Part 3 of an array job",
              "fixedpoints compare pop.h5 --metric svcca --shard 3/8 -o part3.h5");
    for (const char* key : {"raghu2017", "morcos2018", "kornblith2019", "williams2021",
                            "ostrow2023", "maheswaranathan2019b"})
        c.reference(key);
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
