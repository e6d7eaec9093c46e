#include "population_files.hpp"

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/table.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <set>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;
namespace fs = std::filesystem;

constexpr std::size_t kShownDigest = 24;

namespace {

// A value that names a file, with a digest of what is in it; others as they are.
std::string with_content(const std::string& value) {
    const auto address = hdf5::Address::parse(value);
    if (address.path.empty()) return value;
    const hdf5::Descriptor file(::open(address.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) throw Error(address.file + ": cannot be opened");
    const std::string digest = at_place(address.file, [&] { return digest_of_file(file.get()); });
    return value + " (" + digest.substr(0, kShownDigest) + ")";
}

} // namespace

std::string options_of(const cli::Context& context) {
    auto options = nlohmann::json::parse(context.result_config());
    for (const char* name : {"data", "split", "results"}) options.erase(name);
    for (const char* name : {"inputs", "probe", "states"})
        if (options.contains(name) && options[name].is_string())
            options[name] = with_content(options[name].get<std::string>());
    return options.dump();
}

namespace {

std::string value_text(const nlohmann::json& options, const std::string& name) {
    if (!options.contains(name)) return "its default";
    const auto& value = options[name];
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return value.dump();
    std::vector<std::string> parts;
    for (const auto& one : value)
        parts.push_back(one.is_string() ? one.get<std::string>() : one.dump());
    return join(parts, ",");
}

std::string first_difference(const std::string& one, const std::string& other) {
    const auto a = nlohmann::json::parse(one, nullptr, false),
               b = nlohmann::json::parse(other, nullptr, false);
    if (!a.is_object() || !b.is_object()) return "";
    std::set<std::string> names;
    for (const auto* options : {&a, &b})
        for (const auto& [name, value] : options->items()) names.insert(name);
    for (const auto& name : names)
        if (!a.contains(name) || !b.contains(name) || a[name] != b[name])
            return concat(": --", name, " ", value_text(a, name), " against ", value_text(b, name));
    return "";
}

} // namespace

std::string difference(const PopulationHeader& one, const PopulationHeader& other) {
    if (one.options_digest != other.options_digest)
        return "was run with other options" +
               printable(first_difference(one.options, other.options), 120);
    if (one.manifest_digest != other.manifest_digest || one.networks != other.networks)
        return "was run on another manifest";
    if (one.data_digest != other.data_digest) return "saw other trials";
    return "";
}

// ---- one network ------------------------------------------------------------------------------

struct Part::Content {
    std::unique_ptr<hdf5::OutputFile> file;
    hdf5::Group network;
    std::optional<LinearisationWriter> writer;
};

namespace {

hdf5::Group begin_part(const hdf5::OutputFile& file, const PopulationHeader& header,
                       const NetworkRecord& record) {
    hdf5::Group population = file.root().create_group(kPopulation);
    write_population_header(population, header);
    return write_network(population, record);
}

} // namespace

Part::Part(std::mutex& files, const std::string& file, hdf5::Compression compression,
           const PopulationHeader& header, const NetworkRecord& record)
    : files_(&files) {
    const std::lock_guard<std::mutex> alone(files);
    auto output = std::make_unique<hdf5::OutputFile>(file, hdf5::Existing::replace, compression,
                                                     hdf5::StreamSettings{});
    hdf5::Group group = begin_part(*output, header, record);
    content_.reset(new Content{std::move(output), std::move(group), std::nullopt});
}

Part::Part(Part&&) noexcept = default;

Part::~Part() {
    if (!content_) return;
    const std::lock_guard<std::mutex> alone(*files_);
    content_.reset();
}

void Part::write(const std::function<void(hdf5::Group)>& body) {
    const std::lock_guard<std::mutex> alone(*files_);
    body(content_->network);
}

void Part::keep(LinearisationWriter writer) {
    content_->writer.emplace(std::move(writer));
}

LinearisationWriter& Part::kept() {
    return *content_->writer;
}

void Part::commit() {
    const std::lock_guard<std::mutex> alone(*files_);
    content_->file->commit();
    content_.reset();
}

// ---- all of them ------------------------------------------------------------------------------

PartStore::PartStore(cli::Context& context, const PopulationHeader& header)
    : context_(context), header_(header), directory_(context.state_directory()) {
    if (directory_.empty()) {
        std::string name = context.spill_directory() + "/fixedpoints-XXXXXX";
        if (mkdtemp(name.data()) == nullptr)
            throw Error("TMPDIR=" + context.spill_directory() + ": no folder can be made there");
        directory_ = name;
        temporary_ = true;
    }
    if (!context.resuming() || !fs::is_directory(directory_)) return;
    for (Index j = 0; j < header.networks; ++j) {
        const std::string file = file_of(j);
        if (!fs::exists(file)) continue;
        const hdf5::File opened = hdf5::File::open(file, file);
        const hdf5::Group part = opened.root().group(kPopulation);
        const auto found = read_population_header(part);
        if (!found.same_work(header))
            throw Error(file + ": " + difference(found, header) +
                        "; remove it or leave out --resume");
        for (const auto& record : list_networks(part)) finished_[j] = record.model_digest;
    }
}

PartStore::~PartStore() {
    std::error_code ignored;
    if (temporary_) fs::remove_all(directory_, ignored);
}

std::string PartStore::file_of(Index network) const {
    return directory_ + "/network-" + std::to_string(network) + ".h5";
}

Part PartStore::begin(const NetworkRecord& record) {
    fs::create_directories(directory_);
    return {files_, file_of(record.index), context_.compression(), header_, record};
}

void PartStore::finish(Part part, const NetworkRecord& record) {
    part.commit();
    const auto alone = lock();
    finished_[record.index] = record.model_digest;
}

void PartStore::add_failure(const NetworkRecord& record) {
    const auto alone = lock();
    failures_[record.index] = record;
}

std::size_t PartStore::count_finished(const std::vector<Index>& networks) const {
    return static_cast<std::size_t>(
        std::count_if(networks.begin(), networks.end(), [&](Index j) { return finished(j); }));
}

void PartStore::assemble(const std::vector<Index>& networks, const hdf5::Group& population) {
    for (const Index j : networks) {
        if (const auto failed = failures_.find(j); failed != failures_.end()) {
            static_cast<void>(write_network(population, failed->second));
            continue;
        }
        const std::string file = file_of(j);
        const hdf5::File opened = hdf5::File::open(file, file);
        const hdf5::Group part = opened.root().group(kPopulation);
        for (const auto& record : list_networks(part)) add_network(part, record, population);
        if (!temporary_) context_.discard_when_done(file);
    }
}

void add_network(const hdf5::Group& from, const NetworkRecord& record, const hdf5::Group& to) {
    if (record.status == NetworkStatus::failed)
        static_cast<void>(write_network(to, record));
    else
        to.group("networks").copy_from(from.group("networks"), record.name);
}

void report_population(cli::Context& context, const hdf5::Group& population) {
    const hdf5::Table table = hdf5::read_table(population.dataset("summary"));
    std::map<std::string, std::int64_t> counts;
    for (const auto& status : table.column<std::string>("status")) ++counts[status];
    std::int64_t points = 0;
    for (const auto count : table.column<std::int64_t>("points"))
        points += std::max<std::int64_t>(count, 0);
    context.report("networks", static_cast<std::int64_t>(table.rows()));
    context.report("done", counts["done"]);
    if (counts["excluded"] > 0) context.report("excluded", counts["excluded"], "by their loss");
    if (counts["failed"] > 0) context.report("failed", counts["failed"]);
    context.report("points", points);
}

} // namespace fixedpoints_app
