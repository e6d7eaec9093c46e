#include <assay/fixedpoints/manifest.hpp>

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <glob.h>
#include <numeric>
#include <optional>
#include <set>

namespace assay::fixedpoints {
namespace {

namespace fs = std::filesystem;
using network::Keys;
using nlohmann::json;

constexpr std::size_t kLongestManifest = 1000000, kLongestName = 200;

std::string under(const std::string& folder, const std::string& file) {
    return (fs::path(folder) / file).lexically_normal().string();
}

// Files that a pattern matches, as the manifest would have named them, sorted by byte.
std::vector<std::string> matches(const std::string& folder, const std::string& pattern) {
    glob_t found{};
    // The folder's own name is no pattern.
    std::string escaped;
    for (const char c : fs::path(pattern).is_absolute() ? std::string() : folder + "/") {
        if (std::string("\\*?[").find(c) != std::string::npos) escaped += '\\';
        escaped += c;
    }
    const int status = glob((escaped + pattern).c_str(), GLOB_NOSORT, nullptr, &found);
    std::vector<std::string> files;
    const std::size_t prefix = escaped.empty() ? 0 : folder.size() + 1;
    for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i)
        files.push_back(std::string(found.gl_pathv[i]).substr(prefix));
    globfree(&found);
    std::sort(files.begin(), files.end());
    return files;
}

std::map<std::string, std::string> labels_of(Keys& network) {
    std::map<std::string, std::string> labels;
    if (!network.has("labels")) {
        static_cast<void>(network.text("labels", "")); // a known key
        return labels;
    }
    const json& object = network.value("labels");
    Keys keys(object, network.path() + ".labels");
    for (const auto& [key, value] : object.items()) {
        if (value.is_string())
            labels[key] = value.get<std::string>();
        else if (value.is_boolean() || value.is_number_integer())
            labels[key] = value.dump();
        else if (value.is_number())
            labels[key] = shortest(value.get<double>());
        else
            keys.refuse(key, "expected text, a number, true or false; found " +
                                 printable(value.dump(), 60));
    }
    return labels;
}

bool names_several(const std::string& step) {
    return step == "all" || starts_with(step, "log:") || step.find(',') != std::string::npos;
}

// A stage of a run, or several: a number or a word.
std::string step_of(Keys& network) {
    if (!network.has("step")) return network.text("step", "");
    const json& value = network.value("step");
    if (value.is_number()) return std::to_string(network.count("step", 0, Index{1} << 53U));
    const std::string step = network.text("step");
    if (step != "last" && !names_several(step) && !parse_integer(step).has_value())
        network.refuse("step", "expected a number, a list of them, last, all or log:N, found '" +
                                   printable(step, 40) + "'");
    return step;
}

// One network of a file, or one for each of its steps.
void add_steps(ManifestNetwork network, const StepsOf& steps_of, Manifest& manifest) {
    if (!names_several(network.step)) {
        manifest.networks.push_back(std::move(network));
        return;
    }
    if (!steps_of) throw Error("step '" + network.step + "': one step is expected here");
    const std::string name = network.name;
    for (const Index step : steps_of(network.path, network.step)) {
        network.step = std::to_string(step);
        if (!name.empty()) network.name = name + "." + network.step;
        network.labels["step"] = network.step;
        manifest.networks.push_back(network);
    }
}

void add_networks(const json& entry, const std::string& place, const std::string& folder,
                  const StepsOf& steps_of, Manifest& manifest) {
    Keys keys(entry, place);
    ManifestNetwork network;
    const std::string file = keys.text("file");
    network.step = step_of(keys);
    network.name = keys.text("name", "");
    network.labels = labels_of(keys);
    keys.refuse_others();
    if (file.empty()) keys.refuse("file", "expected a file, found ''");
    const bool pattern =
        file.find_first_of("*?[") != std::string::npos && !fs::exists(under(folder, file));
    const auto files = pattern ? matches(folder, file) : std::vector<std::string>{file};
    if (files.empty()) keys.refuse("file", "no file matches '" + printable(file, 80) + "'");
    if (files.size() > 1 && !network.name.empty())
        keys.refuse("name", concat("one name for ", files.size(), " files; leave it out"));
    for (const auto& one : files) {
        network.file = one;
        network.path = under(folder, one);
        add_steps(network, steps_of, manifest);
    }
}

// "../runs/a.h5" -> "runs.a"
std::string name_from_file(const std::string& file) {
    std::vector<std::string> parts;
    const fs::path whole = fs::path(file).lexically_normal().replace_extension();
    for (const auto& part : whole)
        if (part != ".." && part != "." && part != "/" && !part.empty())
            parts.push_back(part.string());
    return parts.empty() ? "network" : join(parts, ".");
}

std::string entry_text(std::size_t index) {
    return concat("networks[", index, "]");
}

void refuse_twice(const Manifest& manifest) {
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < manifest.networks.size(); ++i) {
        const auto& network = manifest.networks[i];
        std::error_code ignored;
        const auto [at, added] = seen.emplace(
            fs::weakly_canonical(network.path, ignored).string() + '\n' + network.step, i);
        if (!added)
            throw Error(concat(entry_text(i), ".file: '", printable(network.file, 80), "'",
                               network.step.empty() ? "" : " at step " + network.step,
                               " stands twice, first as ", entry_text(at->second)));
    }
}

// Files whose name alone would not tell the steps apart.
std::set<std::string> shared_names(const Manifest& manifest) {
    std::set<std::string> seen, shared;
    for (const auto& network : manifest.networks)
        if (network.name.empty() && !seen.insert(name_from_file(network.file)).second)
            shared.insert(name_from_file(network.file));
    return shared;
}

// Labels `units` as numbers; empty where one has none.
std::vector<double> sizes(const Manifest& manifest) {
    std::vector<double> units;
    for (const auto& network : manifest.networks) {
        const auto label = network.labels.find("units");
        const auto number =
            label == network.labels.end() ? std::nullopt : parse_double(label->second);
        if (!number || !(*number >= 0 && *number < 1e9)) return {};
        units.push_back(*number);
    }
    return units;
}

} // namespace

std::string Manifest::digest() const {
    json list = json::array();
    for (const auto& network : networks)
        list.push_back({network.name, network.file, network.step, network.labels});
    return digest_of(list.dump(-1, ' ', false, json::error_handler_t::replace));
}

Manifest parse_manifest(const std::string& text, const std::string& folder,
                        const StepsOf& steps_of) {
    const json document = network::parse_json(text, "the manifest");
    Keys keys(document, "");
    Manifest manifest;
    manifest.inputs = keys.text("inputs", "");
    const json& list = keys.value("networks");
    keys.refuse_others();
    if (!list.is_array() || list.size() > kLongestManifest)
        keys.refuse("networks", concat("expected a list of at most ", kLongestManifest,
                                       " networks, found ", printable(list.dump(), 60)));
    const std::string home = folder.empty() ? "." : folder;
    for (std::size_t i = 0; i < list.size(); ++i)
        add_networks(list[i], entry_text(i), home, steps_of, manifest);
    if (!manifest.inputs.empty()) manifest.inputs = under(home, manifest.inputs);
    complete_manifest(manifest);
    return manifest;
}

void complete_manifest(Manifest& manifest) {
    if (manifest.networks.empty()) throw Error("networks: there is none");
    refuse_twice(manifest);
    const std::set<std::string> shared = shared_names(manifest);
    std::map<std::string, std::size_t> names;
    for (std::size_t i = 0; i < manifest.networks.size(); ++i) {
        auto& network = manifest.networks[i];
        if (network.name.empty()) {
            network.name = name_from_file(network.file);
            if (shared.count(network.name) != 0 && !network.step.empty())
                network.name += "." + network.step;
        }
        if (network.name.find('/') != std::string::npos || network.name == "." ||
            network.name.size() > kLongestName)
            throw Error(concat(entry_text(i), ".name: '", printable(network.name, 60),
                               "'; at most ", kLongestName,
                               " characters without '/' are expected"));
        const auto [at, added] = names.emplace(network.name, i);
        if (!added)
            throw Error(concat(entry_text(i), ": has the name '", printable(network.name, 60),
                               "' of ", entry_text(at->second), "; give one of them another"));
    }
}

std::vector<std::vector<Index>> deal_networks(const Manifest& manifest, Index shards) {
    const auto count = static_cast<Index>(manifest.networks.size());
    std::vector<std::vector<Index>> dealt(static_cast<std::size_t>(shards));
    const std::vector<double> units = sizes(manifest);
    if (units.empty() ||
        std::all_of(units.begin(), units.end(), [&](double one) { return one == units.front(); })) {
        for (Index j = 0; j < count; ++j) dealt[static_cast<std::size_t>(j % shards)].push_back(j);
        return dealt;
    }
    std::vector<Index> order(units.size());
    std::iota(order.begin(), order.end(), Index{0});
    const auto size = [&](Index j) { return units[static_cast<std::size_t>(j)]; };
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return size(a) > size(b); });
    std::vector<double> load(dealt.size(), 0);
    for (const Index j : order) {
        const auto least = std::min_element(load.begin(), load.end()) - load.begin();
        dealt[static_cast<std::size_t>(least)].push_back(j);
        load[static_cast<std::size_t>(least)] += size(j) * size(j) * size(j);
    }
    for (auto& one : dealt) std::sort(one.begin(), one.end());
    return dealt;
}

} // namespace assay::fixedpoints
