#include <assay/fixedpoints/compare_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/seed.hpp>
#include <assay/fixedpoints/adjacency.hpp>
#include <assay/fixedpoints/dataset_io.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>
#include <assay/fixedpoints/graph_io.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::fixedpoints {
namespace {

using hdf5::Group;

Group part_of(const Group& results, const std::string& name) {
    if (!results.has_group(name))
        throw Error(concat(results.where(), ": there is no '", name, "'; fixedpoints ", name,
                           " makes it (of a population: --do ", name, ")"));
    return results.group(name);
}

// The nodes among the points, without their edges.
PointGraph nodes_of(const FoundPoints& found, const std::vector<Index>& nodes) {
    PointGraph graph;
    const Points points = found.points.chosen(nodes);
    graph.readout = found.output(nodes, Eigen::all);
    graph.n_unstable = points.n_unstable;
    graph.input_id = points.input_id;
    return graph;
}

[[noreturn]] void refuse_inputs(std::size_t a, std::size_t b) {
    throw Error(concat("compare: networks ", a, " and ", b, " saw different inputs (digest)"));
}

std::string lines(const std::vector<std::string>& texts) {
    return join(texts, "\n");
}

std::vector<std::string> read_lines(const Group& group, const std::string& name) {
    const auto text = group.read_text(name);
    if (!text) throw Error(group.where() + ": there is no '" + name + "': not a comparison");
    return text->empty() ? std::vector<std::string>{} : split(*text, '\n');
}

// Numbers of the sorted distinct values, which stand beside them.
void write_label(Group group, const NetworkLabel& label) {
    std::vector<std::string> words = label.values;
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    std::vector<std::int32_t> numbers;
    for (const auto& value : label.values)
        numbers.push_back(static_cast<std::int32_t>(
            std::lower_bound(words.begin(), words.end(), value) - words.begin()));
    group.write(label.name, numbers, {"network", "", "line of the attribute values"});
    group.dataset(label.name).set_attribute("values", lines(words));
}

NetworkLabel read_label(const Group& group, const std::string& name, Index networks) {
    const auto dataset = group.dataset(name);
    const auto words = split(dataset.text_attribute("values").value_or(""), '\n');
    NetworkLabel label{name, {}};
    for (const auto number : read_column<std::int64_t>(group, name, networks)) {
        if (number < 0 || number >= static_cast<std::int64_t>(words.size()))
            throw Error(concat(dataset.where(), ": found ", number, "; a number below ",
                               words.size(), " is expected"));
        label.values.push_back(words[static_cast<std::size_t>(number)]);
    }
    return label;
}

std::string description_of(const std::string& metric) {
    static const std::map<std::string, std::string> kDescriptions{
        {"svcca", "1 - mean canonical correlation of the kept directions"},
        {"cca", "1 - mean canonical correlation"},
        {"pwcca", "1 - canonical correlations weighted by what they say of the units"},
        {"cka", "arccos of the linear centred kernel alignment"},
        {"cka-debiased", "arccos of the alignment with the unbiased HSIC"},
        {"procrustes", "least Euclidean distance over rotations"},
        {"procrustes-angular", "least angle over rotations"},
        {"shape", "least angle over rotations after partial whitening"},
        {"dsa", "least angle between operators of delay-embedded states"},
        {"dsa-spectrum", "2-Wasserstein distance of the operators' eigenvalues"},
        {"spectrum", "2-Wasserstein distance of eigenvalues, mean over matched points"},
        {"spectrum-curves", "Euclidean distance of mean sorted moduli of eigenvalues"},
        {"topology-label", "Frobenius distance of graphs whose nodes bear readout signs"},
        {"topology-spectral", "Euclidean distance of the graphs' eigenvalues"},
        {"topology-census", "difference of the numbers of points by n_unstable"},
        {"topology-match", "least Frobenius distance over pairings of the nodes"},
        {"chain", "Frobenius distance of the chains over inputs"}};
    const auto found = kDescriptions.find(metric);
    return found == kDescriptions.end() ? "distance of every pair" : found->second;
}

std::string units_of(const std::string& metric) {
    static const std::vector<std::string> kAngles{"cka", "cka-debiased", "procrustes-angular",
                                                  "shape", "dsa"};
    return std::find(kAngles.begin(), kAngles.end(), metric) == kAngles.end() ? "" : "radians";
}

void write_scaling(Group group, const ComparisonSummary& summary) {
    write_rows(group, "coordinates", summary.scaling->coordinates,
               {"network,dimension", "", "on a page: distances there are like the given ones"});
    group.write_scalar("stress", summary.scaling->stress,
                       {"", "", "sum over pairs of (distance there - distance)^2"});
    group.write_scalar("normalised_stress", summary.scaling->normalised_stress,
                       {"", "", "sqrt(stress / sum of squared distances)"});
    group.write("eigenvalues", summary.classical->eigenvalues,
                {"eigenvalue", "", "of the classical scaling, falling; negative: not Euclidean"});
    group.write_scalar("negative_share", summary.classical->negative_share,
                       {"", "", "sum of the moduli of the negative ones / of all"});
}

void write_groups(Group group, const GroupStatistics& statistics) {
    group.write_text("names", lines(statistics.groups));
    const std::vector<std::int64_t> sizes(statistics.sizes.begin(), statistics.sizes.end());
    group.write("sizes", sizes, {"group", "", "networks in it"});
    group.write("mean_distance", statistics.mean_distance,
                {"group,group", "", "over pairs of networks; the diagonal: pairs within"});
    group.set_attribute("within", statistics.within);
    group.set_attribute("between", statistics.between);
    group.set_attribute("silhouette", statistics.silhouette);
    group.set_attribute("p_separation", statistics.p_separation);
    group.set_attribute("p_silhouette", statistics.p_silhouette);
}

Index whole_attribute(const Group& group, const std::string& name, Index least) {
    const double number = group.number_attribute(name).value_or(-1);
    if (!(number >= static_cast<double>(least)) || number > 1e9 || number != std::floor(number))
        throw Error(
            concat(group.where(), "@", name, ": a whole number from ", least, " is expected"));
    return static_cast<Index>(number);
}

bool same_labels(const std::vector<NetworkLabel>& a, const std::vector<NetworkLabel>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const NetworkLabel& x, const NetworkLabel& y) {
                          return x.name == y.name && x.values == y.values;
                      });
}

std::string text_of(const SummaryOptions& o) {
    return concat("--mds ", word_of(o.scaling, kScaled), " --dims ", o.dims, " --starts ", o.starts,
                  " --permutations ", o.permutations, " --seed ", o.seed);
}

void check_same_comparison(const ComparisonHeader& part, const ComparisonHeader& first) {
    const auto refuse = [&](const std::string& what, const std::string& found,
                            const std::string& expected) {
        throw Error(concat("merge: shard ", part.shard.index, " ", what, ": ", found, " against ",
                           expected));
    };
    if (part.names != first.names || part.left_out != first.left_out)
        refuse("compares other networks", concat(part.names.size(), " of them"),
               concat(first.names.size()));
    if (part.metrics != first.metrics)
        refuse("compares by other metrics", join(part.metrics, ","), join(first.metrics, ","));
    if (!same_labels(part.labels, first.labels)) {
        const auto names = [](const ComparisonHeader& header) {
            std::vector<std::string> all;
            for (const auto& label : header.labels) all.push_back(label.name);
            return join(all, ",");
        };
        refuse("has other labels", names(part), names(first));
    }
    if (text_of(part.summary) != text_of(first.summary))
        refuse("was run with other options", text_of(part.summary), text_of(first.summary));
}

} // namespace

PointSpectra read_spectra(const Group& results) {
    const FoundPoints found = read_find(part_of(results, "find"));
    const Group group = part_of(results, "linearize");
    const auto systems = read_linearisation(group).systems;
    if (static_cast<Index>(systems.size()) != found.points.count())
        throw Error(concat(group.where(), ": spectra of ", systems.size(), " points, expected ",
                           found.points.count()));
    const auto nodes = found.points.nodes();
    PointSpectra spectra;
    for (const Index p : nodes)
        spectra.eigenvalues.push_back(systems[static_cast<std::size_t>(p)].values);
    spectra.readout = found.output(nodes, Eigen::all);
    spectra.input_id = found.points.chosen(nodes).input_id;
    return spectra;
}

PointGraph read_point_graph(const Group& results) {
    const FoundPoints found = read_find(part_of(results, "find"));
    const auto nodes = found.points.nodes();
    PointGraph graph = nodes_of(found, nodes);
    graph.adjacency =
        adjacency(read_graph(part_of(results, "topology"), found.points.count()))(nodes, nodes);
    return graph;
}

PointGraph read_point_chain(const Group& results) {
    const FoundPoints found = read_find(part_of(results, "find"));
    const auto nodes = found.points.nodes();
    PointGraph graph = nodes_of(found, nodes);
    const Group topology = part_of(results, "topology");
    if (!topology.has_dataset("chain"))
        throw Error(topology.where() + ": there is no chain of points; fixedpoints topology makes "
                                       "it where find had several inputs (--inputs each)");
    const Index points = found.points.count();
    graph.adjacency = adjacency(read_chain(topology, points), points)(nodes, nodes);
    return graph;
}

PopulationNetworks::PopulationNetworks(Group population, const std::vector<std::string>& leave_out)
    : population_(std::move(population)) {
    for (NetworkRecord& record : list_networks(population_)) {
        const bool named =
            std::find(leave_out.begin(), leave_out.end(), record.name) != leave_out.end();
        if (named || record.status != NetworkStatus::done)
            ++left_out_;
        else
            records_.push_back(std::move(record));
    }
}

Group PopulationNetworks::results(Index network) const {
    return network_group(population_, records_[static_cast<std::size_t>(network)].name);
}

std::vector<NetworkLabel> PopulationNetworks::labels() const {
    std::map<std::string, std::vector<std::string>> all;
    for (std::size_t i = 0; i < records_.size(); ++i)
        for (const auto& [name, value] : records_[i].labels)
            all.try_emplace(name, records_.size(), "none").first->second[i] = value;
    std::vector<NetworkLabel> labels;
    for (auto& [name, values] : all) labels.push_back({name, std::move(values)});
    return labels;
}

void PopulationNetworks::check_activations(const AnyMetric& metric,
                                           const ComparisonOptions& options) const {
    if (!needs_activations(metric)) return;
    const auto* similarity = std::get_if<Metric>(&metric);
    double share = 0; // of the variance that is needed
    if (similarity && (*similarity == Metric::svcca || *similarity == Metric::pwcca))
        share = options.threshold;
    else if (similarity &&
             (*similarity == Metric::cca || (*similarity == Metric::shape && options.alpha < 1)))
        share = 1;
    for (Index i = 0; i < count(); ++i) {
        const Group network = results(i);
        if (has_full_activations(network)) continue;
        if (!has_activations(network))
            throw Error(network.where() +
                        ": holds no activations; run the population with data (inputs)");
        const double kept = network.group("activations").number_attribute("threshold").value_or(0);
        if (kept < share)
            throw Error(concat(metric_name(metric), ": ", network.where(), " keeps ", kept,
                               " of the variance, ", share,
                               " is needed: run the population with --save-activations"));
    }
}

void PopulationNetworks::set_trials(Index trials, Index steps, std::vector<Index> lengths) {
    trials_.trials = trials;
    trials_.steps = steps;
    trials_.lengths = std::move(lengths);
    Index valid = trials_.lengths.empty() ? trials * steps : 0;
    for (const Index length : trials_.lengths) valid += length;
    for (Index i = 0; i < count(); ++i) {
        const auto states =
            has_full_activations(results(i)) ? "activations/states" : "activations/left";
        const auto dataset = results(i).dataset(states).expect_rank(2);
        if (dataset.shape()[0] != valid)
            throw Error(concat(dataset.where(), ": ", dataset.shape()[0],
                               " samples, the trials have ", valid, " steps"));
    }
}

RowMatrix PopulationNetworks::activations(Index network, Coordinates coordinates) const {
    const Group group = results(network);
    if (coordinates == Coordinates::units || has_full_activations(group))
        return read_activations(group);
    const ActivationBasis basis = read_activation_basis(group);
    return basis.left * basis.singular_values.asDiagonal();
}

Trajectories PopulationNetworks::trajectories(Index network) const {
    Trajectories trajectories = trials_;
    const RowMatrix samples = activations(network, Coordinates::any);
    trajectories.states = RowMatrix::Zero(trials_.trials * trials_.steps, samples.cols());
    Index at = 0;
    for (Index trial = 0; trial < trials_.trials; ++trial) {
        const Index length = trials_.lengths.empty()
                                 ? trials_.steps
                                 : trials_.lengths[static_cast<std::size_t>(trial)];
        trajectories.states.middleRows(trajectories.row(trial, 0), length) =
            samples.middleRows(at, length);
        at += length;
    }
    return principal_trajectories(trajectories);
}

PointSpectra PopulationNetworks::spectra(Index network) const {
    return read_spectra(results(network));
}

PointGraph PopulationNetworks::graph(Index network) const {
    return read_point_graph(results(network));
}

PointGraph PopulationNetworks::chain(Index network) const {
    return read_point_chain(results(network));
}

void check_searched_inputs(const std::vector<Group>& results) {
    RowMatrix first;
    std::string first_digest;
    for (std::size_t i = 0; i < results.size(); ++i) {
        const Group find = part_of(results[i], "find");
        RowMatrix inputs = read_rows(find, "inputs", -1);
        const std::string digest = find.text_attribute("data_digest").value_or("");
        if (i == 0) {
            first = std::move(inputs);
            first_digest = digest;
            continue;
        }
        const bool same_data = !digest.empty() && digest == first_digest;
        // Zero input is the same for any number of inputs.
        const bool same_values = (inputs.cols() == first.cols() && inputs == first) ||
                                 (inputs.isZero(0) && first.isZero(0));
        if (inputs.rows() != first.rows() || !(same_data || same_values)) refuse_inputs(0, i);
    }
}

void check_same_inputs(const std::vector<std::string>& digests) {
    std::size_t known = digests.size();
    for (std::size_t i = 0; i < digests.size(); ++i) {
        if (digests[i].empty()) continue;
        if (known == digests.size()) known = i;
        if (digests[i] != digests[known]) refuse_inputs(known, i);
    }
}

void write_comparison(Group group, const ComparisonHeader& header) {
    const SummaryOptions& o = header.summary;
    group.write_text("names", lines(header.names));
    group.set_attribute("networks", static_cast<std::int64_t>(header.names.size()));
    group.set_attribute("left_out", static_cast<std::int64_t>(header.left_out));
    group.set_attribute("metrics", lines(header.metrics));
    group.set_attribute("mds", word_of(o.scaling, kScaled));
    group.set_attribute("dims", static_cast<std::int64_t>(o.dims));
    group.set_attribute("starts", static_cast<std::int64_t>(o.starts));
    group.set_attribute("permutations", static_cast<std::int64_t>(o.permutations));
    group.set_attribute("seed", concat(o.seed));
    group.set_attribute("shard", static_cast<std::int64_t>(header.shard.index));
    group.set_attribute("shards", static_cast<std::int64_t>(header.shard.count));
    std::vector<std::string> names;
    for (const NetworkLabel& label : header.labels) names.push_back(label.name);
    group.set_attribute("labels", lines(names));
    Group labels = group.create_group("labels");
    for (const NetworkLabel& label : header.labels) write_label(labels, label);
}

ComparisonHeader read_comparison(const Group& group) {
    ComparisonHeader header;
    header.names = read_lines(group, "names");
    header.metrics = read_lines(group, "metrics");
    for (const auto& label : read_lines(group, "labels"))
        header.labels.push_back(
            read_label(group.group("labels"), label, static_cast<Index>(header.names.size())));
    header.left_out = whole_attribute(group, "left_out", 0);
    header.shard = {whole_attribute(group, "shard", 1), whole_attribute(group, "shards", 1)};
    SummaryOptions& o = header.summary;
    const auto words = split(kScaled, ',');
    const auto word =
        std::find(words.begin(), words.end(), group.text_attribute("mds").value_or(""));
    if (word == words.end())
        throw Error(group.where() + "@mds: one of " + kScaled + " is expected");
    o.scaling = static_cast<Scaled>(word - words.begin());
    o.dims = whole_attribute(group, "dims", 1);
    o.starts = whole_attribute(group, "starts", 1);
    o.permutations = whole_attribute(group, "permutations", 0);
    // As text: a number attribute has no room for all seeds.
    const auto seed = parse_seed(group.text_attribute("seed").value_or(""));
    if (!seed) throw Error(group.where() + "@seed: a whole number is expected");
    o.seed = *seed;
    return header;
}

void write_distances(Group group, const std::string& metric, const PairwiseDistances& distances) {
    Group own = group.create_group(metric);
    own.set_attribute("options", distances.description);
    own.write("distance", distances.distance,
              {"network,network", units_of(metric), description_of(metric)});
    const std::vector<std::int64_t> dimensions(distances.dimensions.begin(),
                                               distances.dimensions.end());
    if (std::any_of(dimensions.begin(), dimensions.end(), [](auto d) { return d > 0; }))
        own.write("dimensions", dimensions,
                  {"network", "", "directions of the activations that count; 0: unknown here"});
}

PairwiseDistances read_distances(const Group& group, const std::string& metric,
                                 const ComparisonHeader& header) {
    const auto networks = static_cast<Index>(header.names.size());
    const Group own = group.group(metric);
    const auto dataset = own.dataset("distance").expect_rank(2);
    if (dataset.shape() != hdf5::Shape{networks, networks})
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()), ", expected ",
                           networks, " x ", networks));
    PairwiseDistances distances =
        no_distances(networks, header.shard, own.text_attribute("options").value_or(""));
    distances.distance = dataset.read_matrix();
    if (own.has_dataset("dimensions")) {
        const auto dimensions = read_column<std::int64_t>(own, "dimensions", networks);
        distances.dimensions.assign(dimensions.begin(), dimensions.end());
    }
    return distances;
}

void write_comparison_summary(Group group, const std::string& metric,
                              const ComparisonSummary& summary,
                              const std::vector<NetworkLabel>& labels) {
    Group own = group.create_group(metric);
    own.set_attribute("mean_distance", summary.mean);
    if (summary.scaling) write_scaling(own.create_group("mds"), summary);
    for (std::size_t l = 0; l < labels.size(); ++l)
        write_groups(own.create_group("groups/" + labels[l].name), summary.groups[l]);
}

void write_spectrum_curves(Group group, const std::string& label, const SpectrumCurves& curves) {
    Group own = group.create_group("spectrum_curves");
    own.set_attribute("label", label);
    own.write_text("names", lines(curves.groups));
    own.write("mean", curves.mean, {"group,rank", "", "mean of the sorted |lambda| of networks"});
    own.write("standard_error", curves.standard_error,
              {"group,rank", "", "over networks; NaN: fewer than two"});
    own.write("networks", curves.networks, {"group,rank", "", "that have so many eigenvalues"});
}

MergedComparison merge_comparison(const std::vector<Group>& shards, Group output,
                                  const Execution& run) {
    if (shards.empty()) throw Error("merge: no shards given");
    std::vector<ComparisonHeader> headers;
    for (const Group& shard : shards) {
        headers.push_back(read_comparison(shard));
        check_same_comparison(headers.back(), headers.front());
    }
    MergedComparison merged{headers.front(), {}};
    merged.header.shard = Shard{};
    write_comparison(output, merged.header);
    for (const std::string& metric : merged.header.metrics) {
        std::vector<PairwiseDistances> parts;
        for (std::size_t s = 0; s < shards.size(); ++s)
            parts.push_back(read_distances(shards[s], metric, headers[s]));
        const PairwiseDistances whole = merge_distances(parts);
        parts.clear();
        write_distances(output, metric, whole);
        merged.metrics.push_back(
            {metric, summarise(whole.distance, merged.header.labels, merged.header.summary, run)});
        write_comparison_summary(output, metric, merged.metrics.back().summary,
                                 merged.header.labels);
    }
    for (const Group& shard : shards)
        if (shard.has_group("spectrum_curves") && !output.has("spectrum_curves"))
            output.copy_from(shard, "spectrum_curves");
    return merged;
}

} // namespace assay::fixedpoints
