#include <assay/fixedpoints/compare_io.hpp>

#include <assay/core/error.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>
#include <assay/fixedpoints/graph_io.hpp>
#include <assay/hdf5/stream.hpp>

#include "network_sets.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <unistd.h>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;

namespace {

struct Folder {
    std::string path =
        concat(std::filesystem::temp_directory_path().string(), "/assay-compare-", getpid());
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file(const std::string& name) const { return path + "/" + name; }
};

// Writes a file by `body` on its root.
template <class Body>
void write_file(const std::string& file, const Body& body) {
    hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::none, {});
    body(output.root());
    output.commit();
}

hdf5::Group root_of(const std::string& file) {
    return hdf5::File::open(file, file).root();
}

const std::vector<AnyMetric> kMetrics{Metric::svcca, DynamicsMetric::spectrum_curves,
                                      TopologyMetric::label};

ComparisonHeader header_of(Index networks, const Shard& shard) {
    ComparisonHeader header;
    NetworkLabel size{"units", {}}, turn{"turn", {}};
    for (Index i = 0; i < networks; ++i) {
        header.names.push_back(concat("net-", i));
        size.values.push_back(i % 2 == 0 ? "3" : "4");
        turn.values.push_back(concat(i % 3));
    }
    header.labels = {size, turn, combined_label({size, turn})};
    for (const AnyMetric& metric : kMetrics) header.metrics.push_back(metric_name(metric));
    header.summary.starts = 2;
    header.summary.permutations = 20;
    header.summary.seed = 5;
    header.shard = shard;
    return header;
}

// What `fixedpoints compare` writes.
void write_part(const hdf5::Group& root, const NetworkSet& networks, const Shard& shard) {
    hdf5::Group file = root;
    const hdf5::Group group = file.create_group("/fixedpoints/compare");
    const ComparisonHeader header = header_of(networks.count(), shard);
    const Execution run{2, &silent_monitor()};
    write_comparison(group, header);
    for (const AnyMetric& metric : kMetrics) {
        const auto pairs = compare_networks(networks, metric, {}, shard, run);
        write_distances(group, metric_name(metric), pairs);
        if (shard.count == 1)
            write_comparison_summary(group, metric_name(metric),
                                     summarise(pairs.distance, header.labels, header.summary, run),
                                     header.labels);
    }
    if (shard.index == 1)
        write_spectrum_curves(group, "units",
                              spectrum_curves({Vector::Ones(2), Vector::Ones(1)}, {"a", "b"}));
}

std::vector<hdf5::Group> parts_of(const std::vector<std::string>& files) {
    std::vector<hdf5::Group> groups;
    for (const auto& file : files) groups.push_back(root_of(file).group("/fixedpoints/compare"));
    return groups;
}

} // namespace

TEST_CASE("shards of a comparison merge to the whole", "[fixedpoints][compare]") {
    const Folder folder;
    const testing::RingNetworks networks(70); // two blocks
    for (Index s = 1; s <= 2; ++s)
        write_file(folder.file(concat(s)), [&](const hdf5::Group& root) {
            write_part(root, networks, {s, 2});
        });
    write_file(folder.file("whole"),
               [&](const hdf5::Group& root) { write_part(root, networks, {}); });
    write_file(folder.file("merged"), [&](hdf5::Group root) {
        const auto merged =
            merge_comparison(parts_of({folder.file("2"), folder.file("1")}),
                             root.create_group("/fixedpoints/compare"), Execution{});
        CHECK(merged.metrics.size() == 3);
        CHECK(merged.metrics[1].name == "spectrum-curves");
    });
    const hdf5::Group whole = root_of(folder.file("whole")),
                      merged = root_of(folder.file("merged")), part = root_of(folder.file("1"));
    const auto paths = whole.dataset_paths();
    CHECK(merged.dataset_paths().size() == paths.size());
    Index compared = 0;
    for (const auto& path : paths) {
        INFO(path);
        const auto a = whole.dataset(path), b = merged.dataset(path);
        REQUIRE(a.shape() == b.shape());
        const auto x = a.read<double>(), y = b.read<double>();
        bool equal = true;
        for (std::size_t i = 0; i < x.size(); ++i)
            equal = equal && (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i])));
        CHECK(equal);
        ++compared;
    }
    CHECK(compared > 30);
    const std::string groups = "/fixedpoints/compare/svcca/groups/units+turn";
    for (const char* name : {"within", "between", "silhouette", "p_separation", "p_silhouette"})
        CHECK(whole.group(groups).number_attribute(name) ==
              merged.group(groups).number_attribute(name));
    CHECK(merged.group("/fixedpoints/compare").number_attribute("shards") == 1.0);
    // A shard holds its part, and no summary.
    CHECK_FALSE(part.has("/fixedpoints/compare/svcca/mds"));
    const RowMatrix own =
        part.dataset("/fixedpoints/compare/topology-label/distance").read_matrix();
    CHECK((own.array() == own.array()).count() < own.size());
}

TEST_CASE("shards that do not belong together are refused by name", "[fixedpoints][compare]") {
    const Folder folder;
    const auto write = [&](const std::string& name, Index networks, const Shard& shard) {
        write_file(folder.file(name), [&](const hdf5::Group& root) {
            write_part(root, testing::RingNetworks(networks), shard);
        });
        return folder.file(name);
    };
    const auto merge = [&](const std::vector<std::string>& files) {
        write_file(folder.file("merged"), [&](hdf5::Group root) {
            static_cast<void>(merge_comparison(parts_of(files), root.create_group("/c"), {}));
        });
    };
    const std::string first = write("1", 5, {1, 2});
    CHECK_THROWS_WITH(merge({first}), Contains("shard 2 of 2 missing"));
    CHECK_THROWS_WITH(merge({first, first}),
                      Contains("shard 1 of 2 given twice") || Contains("shard 2 of 2 missing"));
    CHECK_THROWS_WITH(merge({first, write("other", 6, {2, 2})}), Contains("other networks"));
    const auto changed = [&](const char* name, const char* value) {
        const std::string file = folder.file("changed");
        write_file(file, [&](const hdf5::Group& root) {
            write_part(root, testing::RingNetworks(5), {2, 2});
            root.group("/fixedpoints/compare").set_attribute(name, value);
        });
        return file;
    };
    CHECK_THROWS_WITH(merge({first, changed("seed", "6")}), Contains("--seed 6"));
    CHECK_THROWS_WITH(merge({first, changed("mds", "none")}), Contains("--mds none"));
    CHECK_THROWS_WITH(merge({first, changed("metrics", "svcca")}), Contains("other metrics"));
    CHECK_THROWS_WITH(merge({first, changed("labels", "units")}), Contains("other labels"));
    CHECK_THROWS_WITH(merge({first, changed("mds", "page")}), Contains("@mds"));
    CHECK_THROWS_WITH(merge({first, changed("shard", "x")}), Contains("@shard"));
}

TEST_CASE("graphs and chains are read as they were written", "[fixedpoints][compare]") {
    const Folder folder;
    Graph graph;
    graph.attractors = {0, 1};
    graph.probability = RowMatrix::Random(3, 5);
    graph.probability_error = RowMatrix::Random(3, 5);
    graph.edges = {{2, 0, EdgeKind::to_attractor, 0.5, 0.125, 0},
                   {2, 1, EdgeKind::heteroclinic, 0.25, 0.75, 1e-8, 3}};
    graph.spacing = Vector::LinSpaced(3, 1, 3);
    graph.unexplained = {0, 0, 4};
    graph.gaps = {{{2, 1}}, {{2, 0}, {2, 1}}};
    graph.complete = Completeness::no;
    graph.cycle_state = RowMatrix::Random(1, 6);
    graph.cycle_input = {2};
    Chain chain;
    chain.edges = {{0, 2}};
    chain.distance = {0.125};
    chain.simple = true;
    write_file(folder.file("graph"), [&](hdf5::Group root) {
        write_graph(root.create_group("/t"), graph);
        write_chain(root.create_group("/t"), chain);
    });
    const hdf5::Group group = root_of(folder.file("graph")).group("/t");
    const Graph read = read_graph(group, 3);
    CHECK(read.attractors == graph.attractors);
    CHECK(read.probability == graph.probability);
    CHECK(read.probability_error == graph.probability_error);
    REQUIRE(read.edges.size() == 2);
    CHECK(read.edges[1].from == 2);
    CHECK(read.edges[1].to == 1);
    CHECK(read.edges[1].kind == EdgeKind::heteroclinic);
    CHECK(read.edges[0].distance == 0.5);
    CHECK(read.edges[1].departure == 0.75);
    CHECK(read.edges[1].correction == 1e-8);
    CHECK(read.edges[1].orbits == 3);
    CHECK(read.gaps.implied == graph.gaps.implied);
    CHECK(read.gaps.odd == graph.gaps.odd);
    CHECK(read.complete == Completeness::no);
    CHECK(read.spacing == graph.spacing);
    CHECK(read.unexplained == graph.unexplained);
    CHECK(read.cycle_state == graph.cycle_state);
    CHECK(read.cycle_input == graph.cycle_input);
    const Chain joined = read_chain(group, 3);
    CHECK(joined.edges == chain.edges);
    CHECK(joined.distance == chain.distance);
    CHECK(joined.simple);
    CHECK_THROWS_WITH(read_graph(group, 4), Contains("3 rows, expected 4"));
    CHECK_THROWS_WITH(read_graph(group, 1), Contains("/t/attractors: found 1"));
    CHECK_THROWS_WITH(read_chain(group, 2), Contains("/t/chain: found 2; a row of 2 points"));
}

TEST_CASE("exact points are compared, slow ones only where there are no others",
          "[fixedpoints][compare]") {
    const Folder folder;
    const auto results = [&](const std::string& name, PointKind other) {
        write_file(folder.file(name), [&](hdf5::Group root) {
            FindResult found;
            Points& p = found.points;
            p.state = p.drift = RowMatrix::Zero(3, 2);
            p.input = RowMatrix::Zero(3, 1);
            p.input_id = {0, 1, 1};
            p.kind = {other, PointKind::slow, other};
            p.q = p.residual_inf = p.reduced_residual_inf = Vector::Zero(3);
            p.hits = p.found_in_round = p.slow_dimension = p.poincare_index = {0, 0, 0};
            p.n_unstable = {0, 7, 1};
            p.certificates.resize(3);
            found.inputs = RowMatrix::Zero(2, 1);
            FindFacts facts;
            facts.start_states = RowMatrix(0, 2);
            facts.outputs = (RowMatrix(3, 1) << 10, 11, 12).finished();
            write_find(root.create_group("/r/find"), found, facts);
            LinearisationWriter writer(root.create_group("/r/linearize"), {3, 2, 1, 2, 0}, false,
                                       1);
            for (Index i = 0; i < 3; ++i) {
                EigenSystem system;
                system.values = ComplexVector::Constant(2, static_cast<double>(i));
                writer.write(i, system, RowMatrix::Identity(2, 2), RowMatrix(2, 1), 0);
            }
            writer.finish();
            Graph graph;
            graph.attractors = {0};
            graph.probability = graph.probability_error = RowMatrix::Zero(3, 4);
            graph.probability(2, 0) = 0.5;
            graph.edges = {{2, 0, EdgeKind::to_attractor, 0, 0, 0}};
            graph.spacing = Vector::Ones(3);
            graph.unexplained = {0, 0, 0};
            graph.cycle_state.resize(0, 2);
            write_graph(root.create_group("/r/topology"), graph);
            Chain chain;
            chain.edges = {{0, 1}, {0, 2}};
            chain.distance = {1, 1};
            write_chain(root.group("/r/topology"), chain);
        });
        return root_of(folder.file(name)).group("/r");
    };
    const hdf5::Group exact = results("exact", PointKind::fixed);
    const PointSpectra spectra = read_spectra(exact);
    REQUIRE(spectra.eigenvalues.size() == 2);
    CHECK(spectra.eigenvalues[1](0) == 2.0);
    CHECK(spectra.readout == (RowMatrix(2, 1) << 10, 12).finished());
    CHECK(spectra.input_id == std::vector<std::int32_t>{0, 1});
    const PointGraph graph = read_point_graph(exact);
    CHECK(graph.n_unstable == std::vector<std::int32_t>{0, 1});
    CHECK(graph.adjacency == (Matrix(2, 2) << 0, 0, 0.5, 0).finished());
    CHECK(read_point_chain(exact).adjacency == (Matrix(2, 2) << 0, 1, 0, 0).finished());
    const hdf5::Group slow = results("slow", PointKind::slow);
    CHECK(read_spectra(slow).eigenvalues.size() == 3);
    CHECK(read_point_graph(slow).n_unstable == std::vector<std::int32_t>{0, 7, 1});
}

TEST_CASE("inputs must be the same", "[fixedpoints][compare]") {
    CHECK_NOTHROW(check_same_inputs({"", "a", "", "a"}));
    CHECK_THROWS_WITH(check_same_inputs({"", "a", "", "b"}),
                      Contains("networks 1 and 3 saw different inputs (digest)"));
    const Folder folder;
    const auto results = [&](const std::string& name, double value, const std::string& digest) {
        write_file(folder.file(name), [&](hdf5::Group root) {
            hdf5::Group find = root.create_group("/fixedpoints/find");
            find.write("inputs", Matrix(Matrix::Constant(1, 2, value)), {});
            find.set_attribute("data_digest", digest);
        });
        return root_of(folder.file(name)).group("/fixedpoints");
    };
    const auto a = results("a", 0, "x"), b = results("b", 0, "y"), c = results("c", 1, "x"),
               d = results("d", 1, "z");
    CHECK_NOTHROW(check_searched_inputs({a, b, c}));
    CHECK_THROWS_WITH(check_searched_inputs({a, b, d}),
                      Contains("networks 0 and 2 saw different inputs (digest)"));
    CHECK_THROWS_WITH(read_spectra(a), Contains("find"));
    CHECK_THROWS_WITH(read_point_graph(root_of(folder.file("a"))),
                      Contains("there is no 'find'; fixedpoints find makes it"));
}

namespace {

// 40 samples (4 trials of 10 steps) of 6 units in 3 directions, others in every network.
RowMatrix low_rank(Index network) {
    const auto wave = [&](Index i, Index j, double shift) {
        return std::sin(static_cast<double>((i + 1) * (j + 2)) * 0.37 +
                        shift * static_cast<double>(network + 1) * static_cast<double>(j + 1));
    };
    const Matrix signals =
        Matrix::NullaryExpr(40, 3, [&](Index i, Index j) { return wave(i, j, 0.3); });
    const Matrix mix = Matrix::NullaryExpr(3, 6, [&](Index i, Index j) { return wave(i, j, 1.7); });
    return signals * mix;
}

class LowRankNetworks : public testing::RingNetworks {
  public:
    using RingNetworks::RingNetworks;
    [[nodiscard]] RowMatrix activations(Index network, Coordinates) const override {
        return low_rank(network);
    }
    [[nodiscard]] Trajectories trajectories(Index network) const override {
        Trajectories t;
        t.trials = 4;
        t.steps = 10;
        t.states = low_rank(network);
        return principal_trajectories(t);
    }
};

} // namespace

TEST_CASE("networks of a population are compared as in full", "[fixedpoints][compare]") {
    const Folder folder;
    const auto write = [&](const std::string& name, bool full) {
        write_file(folder.file(name), [&](hdf5::Group root) {
            hdf5::Group population = root.create_group(kPopulation);
            PopulationHeader header;
            header.networks = 5;
            header.options = "{}";
            header.options_digest = header.data_digest = header.manifest_digest = "0";
            write_population_header(population, header);
            for (Index i = 0; i < 5; ++i) {
                NetworkRecord record;
                record.name = concat("n", i);
                record.index = i;
                record.labels["seed"] = concat(i);
                if (i < 2) record.labels["arch"] = "gru";
                record.status = i == 3 ? NetworkStatus::failed : NetworkStatus::done;
                const hdf5::Group group = write_network(population, record);
                const RowMatrix states = low_rank(i);
                if (i != 3)
                    write_activations(group, activation_basis(states, 0.999),
                                      full ? states : RowMatrix());
            }
        });
        return root_of(folder.file(name)).group(kPopulation);
    };
    PopulationNetworks networks(write("short", false), {"n4"});
    CHECK(networks.count() == 3);
    CHECK(networks.left_out() == 2);
    REQUIRE(networks.labels().size() == 2);
    CHECK(networks.labels()[0].values == std::vector<std::string>{"gru", "gru", "none"});
    networks.set_trials(4, 10, {});
    const LowRankNetworks in_memory(3);
    ComparisonOptions options;
    options.delays = 2;
    options.rank = 4;
    for (const AnyMetric metric :
         {AnyMetric(Metric::svcca), AnyMetric(Metric::pwcca), AnyMetric(Metric::cka),
          AnyMetric(Metric::cka_debiased), AnyMetric(Metric::procrustes), AnyMetric(Metric::shape),
          AnyMetric(DynamicsMetric::dsa_spectrum)}) {
        INFO(metric_name(metric));
        CHECK_NOTHROW(networks.check_activations(metric, options));
        const Matrix kept = compare_networks(networks, metric, options, {}, {}).distance;
        const Matrix all = compare_networks(in_memory, metric, options, {}, {}).distance;
        CHECK(all(0, 1) > 1e-3);
        CHECK((kept - all).cwiseAbs().maxCoeff() < 1e-4 * all.maxCoeff());
    }
    // What the kept directions cannot say is refused, unless the states are there.
    ComparisonOptions loose = options;
    loose.alpha = 0.5;
    loose.threshold = 0.9999;
    const PopulationNetworks full(write("full", true), {"n4"});
    for (const Metric metric : {Metric::cca, Metric::shape, Metric::svcca, Metric::pwcca}) {
        CHECK_THROWS_WITH(networks.check_activations(metric, loose),
                          Contains("networks/n0 keeps 0.999") && Contains("--save-activations"));
        CHECK_NOTHROW(full.check_activations(metric, loose));
    }
    CHECK_THROWS_WITH(networks.set_trials(4, 10, {10, 10, 10, 9}),
                      Contains("40 samples, the trials have 39 steps"));
    CHECK_THROWS_WITH(networks.spectra(1), Contains("networks/n1: there is no 'find'"));
}
