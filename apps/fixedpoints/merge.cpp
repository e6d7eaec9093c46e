// fixedpoints merge: shards of one piece of work, joined.
#include "commands.hpp"
#include "compare_files.hpp"
#include "population_files.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/compare_io.hpp>

#include <array>
#include <map>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

// The shards in order, all there and of the same work.
std::map<Index, hdf5::Group> population_shards(cli::Context& context) {
    std::map<Index, hdf5::Group> shards;
    std::map<Index, PopulationHeader> headers;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::InputFile& file = context.input(i);
        if (!file.root().has_group(kPopulation))
            throw Error(file.name() + ": holds no " + kPopulation + " as the first file does");
        const hdf5::Group population = file.root().group(kPopulation);
        const PopulationHeader header = read_population_header(population);
        if (!headers.emplace(header.shard, header).second)
            throw Error(concat("shard ", header.shard, " is given twice, again as ", file.name()));
        shards.emplace(header.shard, population);
    }
    const PopulationHeader& first = headers.begin()->second;
    for (const auto& [number, header] : headers) {
        if (header.shards != first.shards)
            throw Error(concat("shard ", number, " is one of ", header.shards, ", shard ",
                               first.shard, " one of ", first.shards));
        if (const std::string other = difference(header, first); !other.empty())
            throw Error(concat("shard ", number, " ", other));
    }
    for (Index s = 1; s <= first.shards; ++s)
        if (headers.count(s) == 0)
            throw Error(concat("shard ", s, " of ", first.shards, " missing"));
    return shards;
}

// A network, and the shard it is in.
struct Place {
    Index shard = 0;
    NetworkRecord record;
};

// By index. Throws Error unless each network of the manifest is in one shard.
std::map<Index, Place> places_of(const std::map<Index, hdf5::Group>& shards, Index networks) {
    std::map<Index, Place> places;
    for (const auto& [number, population] : shards)
        for (auto& record : list_networks(population)) {
            const Index index = record.index;
            const auto [at, added] = places.emplace(index, Place{number, std::move(record)});
            if (!added)
                throw Error(concat("network ", index, " ('", at->second.record.name,
                                   "') is in shards ", at->second.shard, " and ", number));
        }
    for (Index j = 0; j < networks; ++j)
        if (places.count(j) == 0)
            throw Error(concat("network ", j, " of ", networks, " is in no shard"));
    if (static_cast<Index>(places.size()) > networks)
        throw Error(concat("network ", places.rbegin()->first, " is beyond the ", networks,
                           " of the manifest"));
    return places;
}

void merge_population(cli::Context& context) {
    const auto shards = population_shards(context);
    PopulationHeader header = read_population_header(shards.begin()->second);
    const auto places = places_of(shards, header.networks);
    header.shard = header.shards = 1;
    hdf5::Group merged = context.output().create_group(kPopulation);
    write_population_header(merged, header);
    for (const auto& [index, place] : places)
        add_network(shards.at(place.shard), place.record, merged);
    write_population_summary(merged);
    report_population(context, merged);
    context.propose("fixedpoints compare " + context.output_target() + " -o distances.h5");
}

void merge_compare(cli::Context& context) {
    std::vector<hdf5::Group> shards;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::InputFile& file = context.input(i);
        if (!file.root().has_group(kComparison))
            throw Error(file.name() + ": holds no " + kComparison + " as the first file does");
        shards.push_back(file.root().group(kComparison));
    }
    const MergedComparison merged =
        merge_comparison(shards, context.output().create_group(kComparison), context.execution());
    context.report("networks", static_cast<std::int64_t>(merged.header.names.size()));
    for (const MergedMetric& metric : merged.metrics)
        report_comparison(context, metric.name, metric.summary, merged.header.labels);
    context.propose("fixedpoints plot " + context.output_target() + " --figure mds -o mds.svg");
}

// What kinds of shards there are, told by a group of the first file.
struct Kind {
    const char* group;
    const char* command;
    void (*merge)(cli::Context&);
};
constexpr std::array<Kind, 2> kKinds{
    {{kPopulation, "population", merge_population}, {kComparison, "compare", merge_compare}}};

void run(cli::Context& context) {
    if (context.input_count() == 0) throw UsageError("the shards to merge are missing; see --help");
    const hdf5::InputFile& first = context.input(0);
    std::vector<std::string> known;
    for (const Kind& kind : kKinds) {
        if (first.root().has_group(kind.group)) return kind.merge(context);
        known.emplace_back(kind.command);
    }
    throw Error(first.name() + ": is no shard of " + join(known, " or "));
}

} // namespace

cli::Command merge() {
    cli::Command c("merge", "join the shards of population or compare");
    c.describe("Checks that the shards belong together and are complete, and writes what a single "
               "run would have written.");
    c.inputs("shards written with --shard");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/population", "all networks"},
              {"/fixedpoints/compare", "all pairs, places on a page, groups"}});
    c.example("Join four shards",
              "fixedpoints merge part1.h5 part2.h5 part3.h5 part4.h5 -o pop.h5");
    c.run(run);
    return c;
}

} // namespace fixedpoints_app
