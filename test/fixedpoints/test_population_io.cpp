// Populations in HDF5: records and activations come back, the summary says what the results say.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>
#include <assay/fixedpoints/population_io.hpp>
#include <assay/fixedpoints/synth.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/hdf5/table.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <unistd.h>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;

namespace {

RowMatrix normal(Index rows, Index columns, std::uint64_t seed) {
    RowMatrix x(rows, columns);
    for (Index i = 0; i < x.size(); ++i)
        x.data()[i] = Random(seed, "population").normal(static_cast<std::uint64_t>(i));
    return x;
}

// An HDF5 file that exists as long as it is looked at.
struct Scratch {
    std::string name = (std::filesystem::temp_directory_path() /
                        ("assay-population-" + std::to_string(getpid()) + ".h5"))
                           .string();
    hdf5::OutputFile out{name, hdf5::Existing::replace, hdf5::Compression::none, {}};
    hdf5::Group group = out.root().create_group(kPopulation);
};

NetworkRecord record(const std::string& name, Index index) {
    NetworkRecord r;
    r.name = name;
    r.index = index;
    r.labels = {{"arch", "gru"}, {"units", "64"}};
    r.file = "nets/" + name + ".h5";
    r.step = "last";
    r.status = NetworkStatus::done;
    r.loss = 0.25;
    r.model_digest = std::string(32, 'a');
    return r;
}

} // namespace

TEST_CASE("few directions hold the variance that was asked for", "[fixedpoints][population]") {
    // Columns of known scale: singular values are known up to the noise of the sample.
    RowMatrix x = normal(400, 6, 1);
    const double scale[] = {10, 5, 1, 0.1, 0.01, 0};
    for (Index j = 0; j < 6; ++j)
        x.col(j) = x.col(j) * scale[j] + Vector::Constant(400, double(3 + j));
    const RowMatrix centred = x.rowwise() - x.colwise().mean();
    const double total = centred.squaredNorm(), threshold = GENERATE(0.5, 0.9, 0.999, 1.0);
    const ActivationBasis basis = activation_basis(x, threshold);
    const Index k = basis.singular_values.size();
    CHECK((basis.left.transpose() * basis.left - Matrix::Identity(k, k)).norm() < 1e-9);
    CHECK((basis.right.transpose() * basis.right - Matrix::Identity(k, k)).norm() < 1e-12);
    CHECK((basis.mean.transpose() - x.colwise().mean()).norm() < 1e-12);
    // What is left out is what the threshold allows, and one direction fewer would be too few.
    const double missing = (centred - basis.activations()).squaredNorm();
    CHECK(missing <= (1 - threshold + 1e-12) * total);
    const double last = basis.singular_values(k - 1);
    CHECK(missing + last * last > (1 - threshold) * total);
    CHECK(missing == Approx(total - basis.singular_values.squaredNorm()).margin(1e-9 * total));
}

TEST_CASE("constant activations have no direction", "[fixedpoints][population]") {
    const ActivationBasis basis = activation_basis(RowMatrix::Constant(5, 3, 2.0), 0.999);
    CHECK(basis.singular_values.size() == 0);
    CHECK(basis.activations() == RowMatrix::Zero(5, 3));
    CHECK_THROWS_WITH(activation_basis(RowMatrix::Zero(5, 3), 0), Contains("(0, 1]"));
}

TEST_CASE("a population comes back", "[fixedpoints][population]") {
    Scratch file;
    PopulationHeader header;
    header.options = R"({"noise":0.5})";
    header.options_digest = "o";
    header.data_digest = "d";
    header.manifest_digest = "m";
    header.networks = 3;
    header.shard = 2;
    header.shards = 4;
    write_population_header(file.group, header);
    const PopulationHeader again = read_population_header(file.group);
    CHECK(again.options == header.options);
    CHECK(again.shard == 2);
    CHECK(again.shards == 4);
    CHECK(again.networks == 3);
    CHECK(again.same_work(header));
    // Written in any order, listed by index.
    NetworkRecord failed = record("c", 2);
    failed.status = NetworkStatus::failed;
    failed.message = "c.h5: cannot be opened";
    failed.loss = std::nan("");
    failed.model_digest = "";
    static_cast<void>(write_network(file.group, failed));
    const RowMatrix x = normal(30, 4, 2);
    const RowMatrix centred = x.rowwise() - x.colwise().mean();
    const ActivationBasis basis = activation_basis(x, 1);
    write_activations(write_network(file.group, record("a.b", 0)), basis, {});
    write_activations(write_network(file.group, record("full", 1)), basis, centred);
    const auto records = list_networks(file.group);
    REQUIRE(records.size() == 3);
    CHECK(records[0].name == "a.b");
    CHECK(records[0].labels ==
          std::map<std::string, std::string>{{"arch", "gru"}, {"units", "64"}});
    CHECK(records[0].file == "nets/a.b.h5");
    CHECK(records[0].step == "last");
    CHECK(records[0].loss == 0.25);
    CHECK(std::isnan(records[0].accuracy));
    CHECK(records[2].status == NetworkStatus::failed);
    CHECK(records[2].message == failed.message);
    for (const char* name : {"a.b", "full"}) {
        const hdf5::Group group = network_group(file.group, name);
        CHECK(has_activations(group));
        CHECK(has_full_activations(group) == (std::string(name) == "full"));
        CHECK((read_activations(group) - centred).norm() < 1e-6 * centred.norm()); // float32
    }
    CHECK_THROWS_WITH(read_activations(network_group(file.group, "c")),
                      Contains("holds no activations"));
}

TEST_CASE("damaged populations are errors that name the place", "[fixedpoints][population]") {
    Scratch file;
    CHECK_THROWS_WITH(read_population_header(file.group), Contains("not a population"));
    write_population_header(file.group, {"{}", "o", "d", "m", 2, 1, 1});
    file.group.set_attribute("shard", 3);
    CHECK_THROWS_WITH(read_population_header(file.group), Contains("'shard': found 3"));
    hdf5::Group a = write_network(file.group, record("a", 0));
    static_cast<void>(write_network(file.group, record("b", 0)));
    CHECK_THROWS_WITH(list_networks(file.group), Contains("same index 0"));
    a.set_attribute("index", -1);
    CHECK_THROWS_WITH(list_networks(file.group), Contains("networks/a: attribute 'index'"));
    a.set_attribute("index", 1);
    a.set_attribute("status", "fine");
    CHECK_THROWS_WITH(list_networks(file.group), Contains("status 'fine'; one of done"));
    a.set_attribute("status", "done");
    a.set_attribute("labels", "[1]");
    CHECK_THROWS(list_networks(file.group));
}

TEST_CASE("the summary counts points, modes and edges", "[fixedpoints][population]") {
    Scratch file;
    write_population_header(file.group, {"{}", "o", "d", "m", 2, 1, 1});
    NetworkRecord second = record("only-labels", 1);
    second.labels = {{"seed", "3"}, {"loss", "low"}};
    static_cast<void>(write_network(file.group, second));
    hdf5::Group network = write_network(file.group, record("rotation", 0));
    // h' = 0.9 rotation(0.3) h around 0 and a saddle, as a search and linearisation give them.
    FindResult found;
    Points& p = found.points;
    p.state = RowMatrix::Zero(2, 2);
    p.state(1, 0) = 1;
    p.input = RowMatrix::Zero(2, 1);
    p.input_id = {0, 0};
    p.kind = {PointKind::fixed, PointKind::fixed};
    p.q = p.residual_inf = p.reduced_residual_inf = Vector::Zero(2);
    p.hits = p.found_in_round = p.slow_dimension = {0, 0};
    p.poincare_index = {1, -1};
    p.n_unstable = {0, 5};
    p.drift = RowMatrix::Zero(2, 2);
    p.certificates = {{1, 1e-9, 1e-12, 0.1, CertificateState::certified},
                      {1, 1, std::nan(""), std::nan(""), CertificateState::near_fold}};
    found.inputs = RowMatrix::Zero(1, 1);
    found.index_sum = {0};
    found.complete = {Completeness::no};
    FindFacts facts;
    facts.start_states = RowMatrix(0, 2);
    facts.outputs = RowMatrix::Zero(2, 1);
    write_find(network.create_group("find"), found, facts);
    LinearisationWriter writer(network.create_group("linearize"), {2, 2, 1, 2, 0}, false, 0.5);
    const auto system = [](std::complex<double> a, std::complex<double> b) {
        EigenSystem s;
        s.values = ComplexVector(2);
        s.values << a, b;
        return s;
    };
    const auto pair = std::polar(0.9, 0.3);
    writer.write(0, system(pair, std::conj(pair)), RowMatrix::Identity(2, 2), RowMatrix(2, 1), 0);
    // What grows has no time constant to be compared, however slowly it does.
    writer.write(1, system(1.001, 0.5), RowMatrix::Identity(2, 2), RowMatrix(2, 1), 0);
    writer.finish();
    hdf5::Group line = write_network(file.group, record("line", 2));
    write_find(line.create_group("find"), found, facts);
    LinearisationWriter rests(line.create_group("linearize"), {2, 2, 1, 2, 0}, false, 0.5);
    rests.write(0, system(pair, std::conj(pair)), RowMatrix::Identity(2, 2), RowMatrix(2, 1), 0);
    rests.write(1, system(1, 0.5), RowMatrix::Identity(2, 2), RowMatrix(2, 1), 0);
    rests.finish();
    write_population_summary(file.group);
    const auto table = hdf5::read_table(file.group.dataset("summary"));
    const auto at = [&](const char* name) { return table.column<std::int64_t>(name).at(0); };
    CHECK(table.column<std::string>("name") ==
          std::vector<std::string>{"rotation", "only-labels", "line"});
    CHECK(table.column<std::string>("arch") == std::vector<std::string>{"gru", "", "gru"});
    CHECK(table.column<std::string>("seed") == std::vector<std::string>{"", "3", ""});
    CHECK(table.column<std::string>("label_loss") == std::vector<std::string>{"", "low", ""});
    CHECK(at("points") == 2);
    CHECK(at("slow") == 0);
    CHECK(at("index_sum") == 0);
    CHECK(at("certified") == 1);
    CHECK(at("unstable_0") == 1);
    CHECK(at("unstable_1") == 0);
    CHECK(at("unstable_more") == 1);
    CHECK(table.column<std::string>("index_complete").at(0) == "no");
    CHECK(table.column<double>("tau_1").at(0) == Approx(-1 / std::log(0.9)).epsilon(1e-12));
    CHECK(table.column<double>("omega_linear").at(0) == Approx(0.3 / 0.5).epsilon(1e-12));
    CHECK(at("edges") == -1);
    CHECK(table.column<std::int64_t>("points").at(1) == -1);
    CHECK(std::isnan(table.column<double>("tau_1").at(1)));
    CHECK(std::isinf(table.column<double>("tau_1").at(2)));
}
