// Manifests of populations: their grammar, their mistakes, and how networks are dealt to shards.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/manifest.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <unistd.h>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct RunsFolder {
    fs::path path = fs::temp_directory_path() / ("assay-manifest [" + std::to_string(getpid()));
    RunsFolder() { fs::create_directories(path / "runs"); }
    ~RunsFolder() { fs::remove_all(path); }
    void touch(const std::string& name) const { std::ofstream(path / name) << "x"; }
};

std::string complaint(const std::string& text, const std::string& folder = "/nowhere") {
    try {
        static_cast<void>(parse_manifest(text, folder));
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

Manifest of_units(const std::vector<std::string>& units) {
    Manifest m;
    for (const auto& one : units) {
        ManifestNetwork network;
        network.name = std::to_string(m.networks.size());
        if (!one.empty()) network.labels["units"] = one;
        m.networks.push_back(network);
    }
    return m;
}

} // namespace

TEST_CASE("a manifest says what it says", "[fixedpoints][manifest]") {
    const Manifest m = parse_manifest(
        R"({"inputs": "probe.h5:/data/test", "networks": [
            {"file": "a.h5", "step": "last", "labels": {"arch": "gru", "units": 64, "gain": 1.5, "trained": true}},
            {"file": "../other/b.tar.h5", "step": 300, "name": "second"},
            {"file": "/abs/c.pt"}, {"file": "x/a.h5"}, {"file": "a.h5", "step": "100"}, {"file": "a.h5"}]})",
        "/data/pop");
    CHECK(m.inputs == "/data/pop/probe.h5:/data/test");
    REQUIRE(m.networks.size() == 6);
    CHECK(m.networks[0].path == "/data/pop/a.h5");
    CHECK(m.networks[0].file == "a.h5");
    CHECK(m.networks[0].labels ==
          std::map<std::string, std::string>{
              {"arch", "gru"}, {"gain", "1.5"}, {"trained", "true"}, {"units", "64"}});
    CHECK(m.networks[1].path == "/data/other/b.tar.h5");
    std::vector<std::string> names, steps;
    for (const auto& network : m.networks) {
        names.push_back(network.name);
        steps.push_back(network.step);
    }
    CHECK(names == std::vector<std::string>{"a.last", "second", "abs.c", "x.a", "a.100", "a"});
    CHECK(steps == std::vector<std::string>{"last", "300", "", "", "100", ""});
}

TEST_CASE("patterns give files in order", "[fixedpoints][manifest]") {
    const RunsFolder folder; // whose name holds a bracket
    for (const char* name : {"runs/b.h5", "runs/a.h5", "runs/a10.h5", "runs/c.txt", "odd[1].h5"})
        folder.touch(name);
    const Manifest m = parse_manifest(
        R"({"networks": [{"file": "runs/*.h5", "labels": {"arch": "gru"}}, {"file": "odd[1].h5"}]})",
        folder.path.string());
    std::vector<std::string> files;
    for (const auto& network : m.networks) files.push_back(network.file);
    CHECK(files == std::vector<std::string>{"runs/a.h5", "runs/a10.h5", "runs/b.h5", "odd[1].h5"});
    CHECK(m.networks[2].labels.at("arch") == "gru");
    CHECK(fs::exists(m.networks[2].path));
    const std::string at = folder.path.string();
    CHECK_THAT(complaint(R"({"networks": [{"file": "runs/*.pt"}]})", at),
               Contains("networks[0].file: no file matches 'runs/*.pt'"));
    CHECK_THAT(complaint(R"({"networks": [{"file": "runs/*.h5", "name": "x"}]})", at),
               Contains("networks[0].name: one name for 3 files"));
    CHECK_THAT(
        complaint(R"({"networks": [{"file": "runs/*.h5"}, {"file": "./runs/../runs/b.h5"}]})", at),
        Contains("networks[3].file: './runs/../runs/b.h5' stands twice, first as networks[2]"));
}

TEST_CASE("mistakes of a manifest are named with their place", "[fixedpoints][manifest]") {
    const auto [text, expected] = GENERATE(table<std::string, std::string>({
        {"{", "not JSON"},
        {"[]", "expected an object"},
        {"{}", "networks: missing"},
        {R"({"networks": []})", "networks: there is none"},
        {R"({"networks": {"file": "a"}})", "networks: expected a list"},
        {R"({"networks": [3]})", "networks[0]: expected an object, found 3"},
        {R"({"networks": [{}]})", "networks[0].file: missing"},
        {R"({"networks": [{"file": 3}]})", "networks[0].file: expected text, found 3"},
        {R"({"networks": [{"file": ""}]})", "networks[0].file: expected a file"},
        {R"({"network": [], "networks": [{"file": "a"}]})",
         "network: unknown key; is 'networks' meant?"},
        {R"({"networks": [{"file": "a", "lables": {}}]})",
         "networks[0].lables: unknown key; is 'labels' meant?"},
        {R"({"networks": [{"file": "a", "labels": {"units": [64]}}]})",
         "networks[0].labels.units: expected text, a number"},
        {R"({"networks": [{"file": "a", "labels": 3}]})", "networks[0].labels: expected an object"},
        {R"({"networks": [{"file": "a", "step": "first"}]})",
         "networks[0].step: expected a number, a list of them, last, all or log:N"},
        {R"({"networks": [{"file": "a", "step": -1}]})", "networks[0].step: expected an integer"},
        {R"({"networks": [{"file": "a"}, {"file": "b", "name": "a"}]})",
         "networks[1]: has the name 'a' of networks[0]"},
        {R"({"networks": [{"file": "a", "name": "x/y"}]})", "networks[0].name: 'x/y'"},
        {R"({"networks": [{"file": "a"}, {"file": "./a"}]})",
         "networks[1].file: './a' stands twice"},
        {R"({"inputs": 3, "networks": [{"file": "a"}]})", "inputs: expected text"},
        {R"({"networks": [{"file": "a", "file": "b"}]})", "'file' stands twice"},
    }));
    CAPTURE(text);
    CHECK_THAT(complaint(text), Contains(expected));
}

TEST_CASE("the digest sees what networks are, not where they stand", "[fixedpoints][manifest]") {
    const std::string text = R"({"networks": [{"file": "a.h5", "labels": {"seed": 1}}]})";
    const std::string digest = parse_manifest(text, "/one").digest();
    CHECK(parse_manifest(text, "/two").digest() == digest);
    CHECK(parse_manifest(R"({"networks": [{"file": "a.h5", "labels": {"seed": 2}}]})", "/one")
              .digest() != digest);
    CHECK(parse_manifest(R"({"networks": [{"file": "b.h5", "labels": {"seed": 1}}]})", "/one")
              .digest() != digest);
}

TEST_CASE("networks are dealt in turn, or by size where sizes differ", "[fixedpoints][manifest]") {
    using Deal = std::vector<std::vector<Index>>;
    CHECK(deal_networks(of_units({"", "", "", "", ""}), 2) == Deal{{0, 2, 4}, {1, 3}});
    CHECK(deal_networks(of_units({"8", "8", "8"}), 2) == Deal{{0, 2}, {1}});
    CHECK(deal_networks(of_units({"8", "many", "16"}), 2) == Deal{{0, 2}, {1}});
    CHECK(deal_networks(of_units({"8", "16"}), 3) == Deal{{1}, {0}, {}});
    // 64 takes all of one shard; the rest (1000 + 1000 + 512 ...) the other.
    CHECK(deal_networks(of_units({"10", "64", "10", "8"}), 2) == Deal{{1}, {0, 2, 3}});
    // 3 x 343 is about 1000: by size alone the last would go to the first shard.
    CHECK(deal_networks(of_units({"10", "7", "7", "7"}), 2) == Deal{{0}, {1, 2, 3}});
}

TEST_CASE("every network goes to one shard, and no shard to excess", "[fixedpoints][manifest]") {
    const Index shards = GENERATE(1, 2, 3, 7, 40);
    std::vector<std::string> units;
    for (Index j = 0; j < 30; ++j) units.push_back(std::to_string(8 + (j * 37) % 57));
    const auto dealt = deal_networks(of_units(units), shards);
    REQUIRE(static_cast<Index>(dealt.size()) == shards);
    std::multiset<Index> all;
    double total = 0, most = 0, largest = 0;
    for (const auto& shard : dealt) {
        CHECK(std::is_sorted(shard.begin(), shard.end()));
        double load = 0;
        for (const Index j : shard) {
            all.insert(j);
            const double n = std::stod(units[static_cast<std::size_t>(j)]);
            load += n * n * n;
            largest = std::max(largest, n * n * n);
        }
        total += load;
        most = std::max(most, load);
    }
    CHECK(all.size() == 30);
    CHECK(std::set<Index>(all.begin(), all.end()).size() == 30);
    // Graham 1969: the longest first is within 4/3 of the best, which is at least these two.
    CHECK(most <= 4.0 / 3.0 * std::max(total / static_cast<double>(shards), largest) + largest / 3);
}

TEST_CASE("the schema has the reader's keys of a manifest", "[fixedpoints][manifest][schema]") {
    std::ifstream in(std::string(ASSAY_SOURCE_DIR) + "/share/schemas/population.json");
    REQUIRE(in);
    const Json schema = Json::parse(in);
    const Json& entry = schema["properties"]["networks"]["items"];
    std::set<std::string> keys{"no_such_key"};
    for (const Json& part : {schema, entry})
        for (const auto& [key, unused] : part["properties"].items()) keys.insert(key);
    const Json of_no_kind = Json::array({Json::array()});
    for (const auto& key : keys) {
        CAPTURE(key);
        Json top = {{"networks", {{{"file", "a"}}}}}, inner = top;
        top[key] = of_no_kind;
        inner["networks"][0][key] = of_no_kind;
        const auto known = [](const Json& manifest) {
            return complaint(manifest.dump()).find("unknown key") == std::string::npos;
        };
        CHECK(known(top) == schema["properties"].contains(key));
        CHECK(known(inner) == entry["properties"].contains(key));
    }
    for (const auto& key : schema["required"])
        CHECK_THAT(complaint("{}"), Contains(key.get<std::string>() + ": missing"));
    for (const auto& key : entry["required"])
        CHECK_THAT(complaint(R"({"networks": [{}]})"),
                   Contains(key.get<std::string>() + ": missing"));
}

TEST_CASE("several steps of a run are several networks", "[fixedpoints][manifest]") {
    const auto steps_of = [](const std::string& file, const std::string& steps) {
        CHECK(file == "/here/run.h5");
        CHECK(steps == "all");
        return std::vector<Index>{0, 10, 100};
    };
    const Manifest m = parse_manifest(
        R"({"networks": [{"file": "run.h5", "step": "all", "labels": {"arch": "gru"}}]})", "/here",
        steps_of);
    REQUIRE(m.networks.size() == 3);
    CHECK(m.networks[1].step == "10");
    CHECK(m.networks[1].name == "run.10");
    CHECK(m.networks[2].labels ==
          std::map<std::string, std::string>{{"arch", "gru"}, {"step", "100"}});
    CHECK_THROWS(
        parse_manifest(R"({"networks": [{"file": "run.h5", "step": "all"}]})", "/here", {}));
    CHECK_THROWS(
        parse_manifest(R"({"networks": [{"file": "run.h5", "step": "some"}]})", "/here", steps_of));
}
