// lindyn merge: shards of one study, joined.
#include "commands.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/lindyn/generalization_io.hpp>
#include <assay/lindyn/lindyn_io.hpp>
#include <assay/lindyn/regression_io.hpp>
#include <assay/lindyn/simulation_io.hpp>
#include <assay/lindyn/study_records_io.hpp>
#include <assay/lindyn/transfer_io.hpp>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr const char* kModes = "/lindyn/modes";

// A subcommand whose shards can be joined.
struct Kind {
    const char* path;
    std::vector<std::string> settings; // datasets that all shards share
    void (*merge)(cli::Context&, const std::vector<hdf5::Group>&, const std::string& path);
};

// The shards' groups, which have the same settings.
std::vector<hdf5::Group> parts_of(cli::Context& context, const Kind& kind) {
    std::vector<hdf5::Group> parts;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::Group root = context.input(i).root();
        if (!root.has_group(kind.path) || !root.group(kind.path).has_attribute("shard"))
            throw Error(context.input_address(i).name() + ": is no shard of " + kind.path);
        parts.push_back(root.group(kind.path));
        check_same_study(parts.back(), parts.front(), kind.settings);
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

// Other machines may find them with other last digits.
void check_same_modes(const Vector& own, const Vector& first, const std::string& place) {
    if (own.size() != first.size() || !((own - first).norm() <= 1e-9 * first.norm()))
        throw Error(place + ": other modes than the first shard's; shards of the same data are "
                            "expected");
}

// The first repeat's run stands in the shard that simulated it; all have the data's modes.
void merge_simulate(cli::Context& context, const std::vector<hdf5::Group>& groups,
                    const std::string& path) {
    std::vector<SimulationStudy> parts;
    hdf5::Group root = context.output();
    const Problem problem = read_modes(context.input(0).root().group(kModes));
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const hdf5::Group part = context.input(i).root();
        check_same_modes(part.group(kModes).dataset("singular_values").read_vector(),
                         problem.modes.s, part.group(kModes).where());
        parts.push_back(read_simulation(groups[i]));
        if (parts.back().runs.count(0) > 0) write_run(root, read_run(part));
    }
    const SimulationStudy whole = merge_simulations(std::move(parts));
    write_simulation(root.create_group(path), whole);
    write_modes(
        root.create_group(kModes), problem,
        judge_modes(problem.modes.s, problem.statistics.inputs(), problem.statistics.outputs(), 0));
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

void merge_regress(cli::Context& context, const std::vector<hdf5::Group>& groups,
                   const std::string& path) {
    std::vector<RegressionStudy> parts;
    for (const hdf5::Group& group : groups) parts.push_back(read_regression(group));
    const RegressionStudy whole = merge_regressions(std::move(parts));
    write_regression(context.output().create_group(path), whole);
    context.report("loads", whole.loads.size());
    context.report("data sets a load", static_cast<std::int64_t>(whole.repeats));
}

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> all{
        {"/lindyn/generalize", {}, merge_generalize},
        {"/lindyn/simulate", {}, merge_simulate},
        {"/lindyn/transfer", {"teacher_a", "teacher_b", "q", "snr_a", "snr_b"}, merge_transfer},
        {"/lindyn/regress", {"time", "load"}, merge_regress}};
    return all;
}

void run(cli::Context& context) {
    if (context.input_count() == 0) throw UsageError("the shards to merge are missing; see --help");
    const hdf5::Group root = context.input(0).root();
    for (const Kind& kind : kinds()) {
        if (!root.has_group(kind.path) || !root.group(kind.path).has_attribute("shard")) continue;
        kind.merge(context, parts_of(context, kind), kind.path);
        context.propose("lindyn plot " + context.output_target() + " -o whole.svg");
        return;
    }
    throw Error(context.input_address().name() +
                ": is no shard of generalize, simulate, transfer or regress");
}

} // namespace

cli::Command merge() {
    cli::Command c("merge", "join the shards of generalize, simulate, transfer or regress");
    c.describe("Checks that the shards belong together and are complete, and writes what a single "
               "run would have written.");
    c.inputs("shards written with --shard");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/generalize", "all points"},
              {"/lindyn/simulate, /run, /model", "all repeats, the first as a training run"},
              {"/lindyn/transfer", "means over all pairs"},
              {"/lindyn/regress", "means over all data sets"}});
    c.example("Join four shards", "lindyn merge part1.h5 part2.h5 part3.h5 part4.h5 -o all.h5");
    c.run(run);
    return c;
}

} // namespace lindyn_app
