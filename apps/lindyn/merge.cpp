// lindyn merge: shards of one study, joined.
#include "commands.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/lindyn/generalization_io.hpp>
#include <assay/lindyn/simulation_io.hpp>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

// The shards' groups, which have the same settings.
std::vector<hdf5::Group> parts_of(cli::Context& context, const std::string& path) {
    std::vector<hdf5::Group> parts;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::Group root = context.input(i).root();
        if (!root.has_group(path) || !root.group(path).has_attribute("shard"))
            throw Error(context.input_address(i).name() + ": is no shard of " + path);
        parts.push_back(root.group(path));
        check_same_study(parts.back(), parts.front());
    }
    return parts;
}

void merge_generalize(cli::Context& context, const std::vector<hdf5::Group>& groups,
                      const std::string& path) {
    std::vector<Study> parts;
    for (const hdf5::Group& group : groups) parts.push_back(read_study(group));
    const Study whole = merge_studies(std::move(parts));
    write_study(context.output().create_group(path), whole);
    context.report("points", static_cast<std::int64_t>(whole.points.size()));
    context.report("students a point", static_cast<std::int64_t>(whole.settings.repeats));
}

// The first repeat's run stands in the shard that simulated it.
void merge_simulate(cli::Context& context, const std::vector<hdf5::Group>& groups,
                    const std::string& path) {
    std::vector<SimulationStudy> parts;
    hdf5::Group root = context.output();
    for (std::size_t i = 0; i < groups.size(); ++i) {
        parts.push_back(read_simulation(groups[i]));
        if (parts.back().runs.count(0) == 0) continue;
        const hdf5::Group first = context.input(i).root();
        for (const char* place : {"/model", "/run"})
            if (first.has_group(place)) root.copy_from(first.group(place), place);
    }
    const SimulationStudy whole = merge_simulations(std::move(parts));
    write_simulation(root.create_group(path), whole);
    context.report("repeats", static_cast<std::int64_t>(whole.repeats));
}

void merge_transfer(cli::Context& context, const std::vector<hdf5::Group>& groups,
                    const std::string& path) {
    std::vector<TransferStudy> parts;
    for (const hdf5::Group& group : groups)
        parts.push_back(read_transfer(group, context.execution()));
    const TransferStudy whole = merge_transfers(std::move(parts));
    write_transfer(context.output().create_group(path), whole);
    context.report("points", static_cast<std::int64_t>(whole.points()));
    context.report("pairs a point", static_cast<std::int64_t>(whole.repeats));
}

struct Kind {
    const char* path;
    void (*merge)(cli::Context&, const std::vector<hdf5::Group>&, const std::string& path);
};
constexpr Kind kKinds[] = {{"/lindyn/generalize", merge_generalize},
                           {"/lindyn/simulate", merge_simulate},
                           {"/lindyn/transfer", merge_transfer}};

void run(cli::Context& context) {
    if (context.input_count() == 0) throw UsageError("the shards to merge are missing; see --help");
    const hdf5::Group root = context.input(0).root();
    for (const Kind& kind : kKinds) {
        if (!root.has_group(kind.path) || !root.group(kind.path).has_attribute("shard")) continue;
        kind.merge(context, parts_of(context, kind.path), kind.path);
        context.propose("lindyn plot " + context.output_target() + " -o whole.svg");
        return;
    }
    throw Error(context.input_address().name() +
                ": is no shard of generalize, simulate or transfer");
}

} // namespace

cli::Command merge() {
    cli::Command c("merge", "join the shards of generalize, simulate or transfer");
    c.describe("Checks that the shards belong together and are complete, and writes what a single "
               "run would have written.");
    c.inputs("shards written with --shard");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/generalize", "all points"},
              {"/lindyn/simulate, /run, /model", "all repeats, the first as a training run"},
              {"/lindyn/transfer", "means over all pairs"}});
    c.example("Join four shards", "lindyn merge part1.h5 part2.h5 part3.h5 part4.h5 -o all.h5");
    c.run(run);
    return c;
}

} // namespace lindyn_app
