#include <assay/fixedpoints/population_io.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/dataset_io.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>
#include <assay/fixedpoints/frequencies.hpp>
#include <assay/fixedpoints/graph_io.hpp>
#include <assay/fixedpoints/statistics.hpp>
#include <assay/hdf5/table.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace assay::fixedpoints {
namespace {

using hdf5::Group;
using nlohmann::json;

constexpr Index kMostNetworks = 100000000;
constexpr std::size_t kUnstableColumns = 4; // 0 ... 3, and one more for the rest

std::string required_text(const hdf5::Object& object, const std::string& name) {
    auto text = object.text_attribute(name);
    if (!text) throw Error(object.where() + ": attribute '" + name + "' is missing or no text");
    return *std::move(text);
}

Index required_count(const hdf5::Object& object, const std::string& name, Index least, Index most) {
    const auto number = object.number_attribute(name);
    if (!number ||
        !(*number >= static_cast<double>(least) && *number <= static_cast<double>(most)) ||
        *number != std::floor(*number))
        throw Error(concat(object.where(), ": attribute '", name,
                           "': ", number ? concat("found ", *number) : "missing",
                           "; a whole number from ", least, " to ", most, " is expected"));
    return static_cast<Index>(*number);
}

NetworkStatus status_of(const hdf5::Object& object) {
    const std::string word = required_text(object, "status");
    const auto words = split(kNetworkStatuses, ',');
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end())
        throw Error(object.where() + ": status '" + printable(word, 40) + "'; one of " +
                    kNetworkStatuses + " is expected");
    return static_cast<NetworkStatus>(found - words.begin());
}

std::map<std::string, std::string> stored_labels(const hdf5::Object& object) {
    const std::string place = object.where() + "@labels";
    const json labels = network::parse_json(required_text(object, "labels"), place);
    network::Keys keys(labels, place);
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : labels.items()) result[key] = keys.text(key);
    return result;
}

NetworkRecord record_of(const Group& network, const std::string& name) {
    NetworkRecord record;
    record.name = name;
    record.index = required_count(network, "index", 0, kMostNetworks - 1);
    record.labels = stored_labels(network);
    record.file = required_text(network, "file");
    record.step = required_text(network, "step");
    record.status = status_of(network);
    record.message = required_text(network, "message");
    record.loss = network.number_attribute("loss").value_or(kNaN);
    record.accuracy = network.number_attribute("accuracy").value_or(kNaN);
    record.model_digest = required_text(network, "model_digest");
    return record;
}

void write_floats(Group group, const std::string& name, const RowMatrix& values,
                  const hdf5::ArrayInfo& info) {
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> narrow =
        values.cast<float>();
    group.write(name, narrow.data(), {narrow.rows(), narrow.cols()}, info);
}

} // namespace

bool PopulationHeader::same_work(const PopulationHeader& other) const {
    return options_digest == other.options_digest && data_digest == other.data_digest &&
           manifest_digest == other.manifest_digest && networks == other.networks;
}

void write_population_header(Group population, const PopulationHeader& header) {
    population.write_text("options", header.options);
    population.set_attribute("options_digest", header.options_digest);
    population.set_attribute("data_digest", header.data_digest);
    population.set_attribute("manifest_digest", header.manifest_digest);
    population.set_attribute("networks", static_cast<std::int64_t>(header.networks));
    population.set_attribute("shard", static_cast<std::int64_t>(header.shard));
    population.set_attribute("shards", static_cast<std::int64_t>(header.shards));
    population.create_group("networks");
}

PopulationHeader read_population_header(const Group& population) {
    PopulationHeader header;
    const auto options = population.read_text("options");
    if (!options) throw Error(population.where() + ": holds no 'options': not a population");
    header.options = *options;
    header.options_digest = required_text(population, "options_digest");
    header.data_digest = required_text(population, "data_digest");
    header.manifest_digest = required_text(population, "manifest_digest");
    header.networks = required_count(population, "networks", 0, kMostNetworks);
    header.shards = required_count(population, "shards", 1, kMostNetworks);
    header.shard = required_count(population, "shard", 1, header.shards);
    return header;
}

Group write_network(Group population, const NetworkRecord& record) {
    Group group = population.create_group("networks/" + record.name);
    group.set_attribute("index", static_cast<std::int64_t>(record.index));
    group.set_attribute("labels", json(record.labels).dump());
    group.set_attribute("file", record.file);
    group.set_attribute("step", record.step);
    group.set_attribute("status", word_of(record.status, kNetworkStatuses));
    group.set_attribute("message", record.message);
    group.set_attribute("loss", record.loss);
    group.set_attribute("accuracy", record.accuracy);
    group.set_attribute("model_digest", record.model_digest);
    return group;
}

Group network_group(const Group& population, const std::string& name) {
    return population.group("networks/" + name);
}

std::vector<NetworkRecord> list_networks(const Group& population) {
    const Group networks = population.group("networks");
    std::vector<NetworkRecord> records;
    for (const auto& name : networks.names())
        records.push_back(record_of(networks.group(name), name));
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return a.index < b.index; });
    for (std::size_t i = 1; i < records.size(); ++i)
        if (records[i].index == records[i - 1].index)
            throw Error(concat(networks.where(), ": '", records[i - 1].name, "' and '",
                               records[i].name, "' have the same index ", records[i].index));
    return records;
}

void write_activations(Group network, const ActivationBasis& basis, const RowMatrix& states) {
    Group group = network.create_group("activations");
    write_floats(group, "left", basis.left,
                 {"sample,direction", "", "left singular vectors of the centred activations"});
    group.write("singular_values", basis.singular_values, {"direction", "", "descending"});
    write_floats(group, "right", basis.right, {"unit,direction", "", "right singular vectors"});
    group.write("mean", basis.mean, {"unit", "", "subtracted from the activations"});
    if (states.rows() > 0)
        write_floats(group, "states", states,
                     {"sample,unit", "", "centred activations: valid steps, trial by trial"});
    group.set_attribute("threshold", basis.threshold);
    group.set_attribute("samples", static_cast<std::int64_t>(basis.left.rows()));
    group.set_attribute("units", static_cast<std::int64_t>(basis.right.rows()));
}

bool has_activations(const Group& network) {
    return network.has_group("activations");
}

bool has_full_activations(const Group& network) {
    return network.has_dataset("activations/states");
}

ActivationBasis read_activation_basis(const Group& network) {
    const Group group = network.group("activations");
    ActivationBasis basis;
    basis.left = read_rows(group, "left", -1);
    basis.right = read_rows(group, "right", -1);
    const Index k = basis.left.cols();
    basis.singular_values = vector_of(read_column<double>(group, "singular_values", k));
    basis.mean = vector_of(read_column<double>(group, "mean", basis.right.rows()));
    if (basis.right.cols() != k)
        throw Error(
            concat(group.where(), "/right: ", basis.right.cols(), " columns, left has ", k));
    basis.threshold = group.number_attribute("threshold").value_or(1);
    return basis;
}

RowMatrix read_activations(const Group& network) {
    if (has_full_activations(network)) return read_rows(network.group("activations"), "states", -1);
    if (!has_activations(network))
        throw Error(network.where() +
                    ": holds no activations; the population was run without data");
    return read_activation_basis(network).activations();
}

// ---- summary ----------------------------------------------------------------------------------

namespace {

struct Summary {
    std::int64_t points = -1, slow = -1, index_sum = -1, certified = -1, edges = -1, cycles = -1;
    std::array<std::int64_t, kUnstableColumns + 1> unstable{-1, -1, -1, -1, -1};
    std::string index_complete;
    double tau = kNaN, omega = kNaN;
    std::int64_t lines = -1;
    double first_pc = kNaN, alignment = kNaN, magnitude = kNaN; // of lines
    double retained_one = kNaN, retained_all = kNaN;            // of the first probe
};

void count_points(const Group& network, const FoundPoints& found, Summary& s) {
    const Points& p = found.points;
    s.points = p.count();
    s.slow = s.certified = s.index_sum = 0;
    s.unstable.fill(0);
    for (std::size_t i = 0; i < p.kind.size(); ++i) {
        if (p.kind[i] == PointKind::slow) {
            ++s.slow;
            continue;
        }
        if (p.certificates[i].holds()) ++s.certified;
        ++s.unstable[std::min(static_cast<std::size_t>(std::max(p.n_unstable[i], 0)),
                              kUnstableColumns)];
    }
    const Group find = network.group("find");
    for (const auto sum : find.dataset("index_sum").read<std::int64_t>()) s.index_sum += sum;
    s.index_complete = find.text_attribute("index_complete").value_or("");
}

double median_of_finite(const Vector& values) {
    std::vector<double> known;
    for (const double one : values)
        if (std::isfinite(one)) known.push_back(one);
    return known.empty() ? kNaN : quantiles(vector_of(known), Vector::Constant(1, 0.5))(0);
}

// Of the eigenvalues alone: the vectors stay in the file.
void measure_modes(const Group& linearize, const FoundPoints& found, Summary& s) {
    const Index count = found.points.count();
    const auto values = linearize.dataset("eigenvalues").expect_rank(2).read_complex();
    const auto times = linearize.dataset("time_constants").expect_rank(2).read<double>();
    if (times.size() != values.size())
        throw Error(concat(linearize.where(), "/time_constants: ", times.size(), " numbers for ",
                           values.size(), " eigenvalues"));
    for (std::size_t i = 0; i < times.size(); ++i)
        if ((std::abs(values[i]) <= 1 || std::isinf(times[i])) && !(times[i] <= s.tau))
            s.tau = times[i];
    const Index state = count > 0 ? static_cast<Index>(values.size()) / count : 0;
    if (state * count != static_cast<Index>(values.size()))
        throw Error(linearize.where() + "/eigenvalues: belong to other points than find");
    std::vector<EigenSystem> systems(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i)
        systems[static_cast<std::size_t>(i)].values =
            Eigen::Map<const ComplexVector>(values.data() + i * state, state);
    const Vector none = Vector::Constant(found.inputs.rows(), kNaN);
    const double dt = linearize.number_attribute("dt").value_or(1);
    const Vector omega = compare_frequencies(found.points, systems, {}, {}, none, dt).linear;
    s.omega = median_of_finite(omega);
}

// Of all lines: the least share of the points' variance along one, medians over points.
void measure_lines(const Group& attractor, Summary& s) {
    s.lines = 0;
    if (!attractor.has_dataset("points_variance_ratio")) return;
    const RowMatrix ratios = attractor.dataset("points_variance_ratio").read_matrix();
    for (const double share : ratios.col(0)) {
        if (std::isnan(share)) continue;
        ++s.lines;
        if (!(share >= s.first_pc)) s.first_pc = share;
    }
    s.alignment = median_of_finite(attractor.dataset("alignment").read_vector());
    s.magnitude = median_of_finite(attractor.dataset("magnitude").read_vector());
}

// At the first input: what one mode keeps of the first probe, and what all do.
void measure_responses(const Group& modes, Summary& s) {
    if (!modes.has_dataset("retained_response")) return;
    const auto dataset = modes.dataset("retained_response").expect_rank(3);
    const auto values = dataset.read<double>();
    if (values.empty()) return;
    const auto kept = static_cast<std::size_t>(dataset.shape()[1]),
               probes = static_cast<std::size_t>(dataset.shape()[2]);
    s.retained_one = values.front();
    s.retained_all = values.at((kept - 1) * probes);
}

Summary summary_of(const Group& network) {
    Summary s;
    if (!network.has_group("find")) return s;
    const FoundPoints found = read_find(network.group("find"));
    count_points(network, found, s);
    if (network.has_group("linearize")) measure_modes(network.group("linearize"), found, s);
    if (network.has_dataset("topology/edges"))
        s.edges = network.dataset("topology/edges").shape().at(0);
    if (network.has_dataset("cycles/motion"))
        for (const auto motion : read_words<Motion>(network.group("cycles"), "motion", kMotions)) {
            s.cycles = std::max<std::int64_t>(s.cycles, 0);
            if (motion == Motion::periodic || motion == Motion::quasi_periodic) ++s.cycles;
        }
    if (network.has_group("attractor")) measure_lines(network.group("attractor"), s);
    if (network.has_group("modes")) measure_responses(network.group("modes"), s);
    return s;
}

template <class T>
std::vector<T> column_of(const std::vector<Summary>& rows, T Summary::*member) {
    std::vector<T> values;
    for (const Summary& row : rows) values.push_back(row.*member);
    return values;
}

void add_results(hdf5::Table& table, const std::vector<Summary>& rows) {
    table.add("points", column_of(rows, &Summary::points));
    table.add("slow", column_of(rows, &Summary::slow));
    table.add("index_sum", column_of(rows, &Summary::index_sum));
    table.add("index_complete", column_of(rows, &Summary::index_complete));
    table.add("certified", column_of(rows, &Summary::certified));
    for (std::size_t k = 0; k <= kUnstableColumns; ++k) {
        std::vector<std::int64_t> counts;
        for (const Summary& row : rows) counts.push_back(row.unstable[k]);
        table.add(k < kUnstableColumns ? concat("unstable_", k) : "unstable_more",
                  std::move(counts));
    }
    table.add("tau_1", column_of(rows, &Summary::tau));
    table.add("omega_linear", column_of(rows, &Summary::omega));
    table.add("edges", column_of(rows, &Summary::edges));
    table.add("cycles", column_of(rows, &Summary::cycles));
    table.add("lines", column_of(rows, &Summary::lines));
    table.add("first_pc", column_of(rows, &Summary::first_pc));
    table.add("alignment", column_of(rows, &Summary::alignment));
    table.add("lambda_1", column_of(rows, &Summary::magnitude));
    table.add("retained_1", column_of(rows, &Summary::retained_one));
    table.add("retained_all", column_of(rows, &Summary::retained_all));
}

// Text columns of every label that some network has.
std::vector<hdf5::TableColumn> label_columns(const std::vector<NetworkRecord>& records,
                                             const std::set<std::string>& taken) {
    std::set<std::string> keys;
    for (const auto& record : records)
        for (const auto& [key, value] : record.labels) keys.insert(key);
    std::vector<hdf5::TableColumn> columns;
    for (const auto& key : keys) {
        std::vector<std::string> values;
        for (const auto& record : records) {
            const auto found = record.labels.find(key);
            values.push_back(found == record.labels.end() ? "" : found->second);
        }
        columns.push_back({(taken.count(key) != 0 ? "label_" : "") + key, std::move(values)});
    }
    return columns;
}

} // namespace

void write_population_summary(const Group& population) {
    const auto records = list_networks(population);
    std::vector<Summary> rows;
    std::vector<std::string> names, statuses;
    std::vector<double> loss, accuracy;
    for (const auto& record : records) {
        rows.push_back(summary_of(network_group(population, record.name)));
        names.push_back(record.name);
        statuses.push_back(word_of(record.status, kNetworkStatuses));
        loss.push_back(record.loss);
        accuracy.push_back(record.accuracy);
    }
    hdf5::Table table;
    table.add("name", std::move(names));
    table.add("status", std::move(statuses));
    table.add("loss", std::move(loss));
    table.add("accuracy", std::move(accuracy));
    add_results(table, rows);
    std::set<std::string> taken;
    for (const auto& column : table.columns) taken.insert(column.name);
    auto labels = label_columns(records, taken);
    table.columns.insert(table.columns.begin() + 1, std::make_move_iterator(labels.begin()),
                         std::make_move_iterator(labels.end()));
    hdf5::write_table(population, "summary", table,
                      {"network", "", "one row a network, in the manifest's order"});
}

} // namespace assay::fixedpoints
