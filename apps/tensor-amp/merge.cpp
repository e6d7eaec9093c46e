// tensor-amp merge: shards of one sweep, phase diagram or choice of rank, joined.
#include "commands.hpp"
#include "rank_report.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/tensor_amp/study_io.hpp>
#include <assay/tensor_amp/theory_io.hpp>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

constexpr const char* kPhaseGroup = "/tensor_amp/phase";

bool is_shard(const hdf5::Group& root, const char* group) {
    return root.has_group(group) && root.group(group).has_attribute("shard");
}

// The group of all inputs. Throws Error where one is no shard of `subcommand`.
std::vector<hdf5::Group> shards_of(cli::Context& context, const char* group,
                                   const char* subcommand) {
    std::vector<hdf5::Group> shards;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::Group root = context.input(i).root();
        if (!is_shard(root, group))
            throw Error(context.input_address(i).name() + ": is no shard of " + subcommand);
        shards.push_back(root.group(group));
    }
    return shards;
}

void merge_all_phases(cli::Context& context) {
    const auto shards = shards_of(context, kPhaseGroup, "phase");
    merge_phase(context.output().create_group(kPhaseGroup), shards);
}

void merge_all_sweeps(cli::Context& context) {
    std::vector<Sweep> parts;
    for (const hdf5::Group& shard : shards_of(context, kSweepGroup, "sweep"))
        parts.push_back(read_sweep(shard));
    const Sweep whole = merge_sweeps(std::move(parts));
    write_sweep(context.output().create_group(kSweepGroup), whole, context.keeps_timing());
    context.report("fits", static_cast<std::int64_t>(whole.rows.size()));
}

void merge_all_ranks(cli::Context& context) {
    std::vector<RankChoice> parts;
    for (const hdf5::Group& shard : shards_of(context, kRankGroup, "rank"))
        parts.push_back(read_rank_choice(shard));
    const RankChoice whole = merge_rank_choices(parts);
    write_rank_choice(context.output().create_group(kRankGroup), whole);
    report_rank_choice(context, whole);
}

void run(cli::Context& context) {
    if (context.input_count() == 0) throw UsageError("the shards to merge are missing; see --help");
    const hdf5::Group first = context.input(0).root();
    if (is_shard(first, kSweepGroup))
        merge_all_sweeps(context);
    else if (is_shard(first, kPhaseGroup))
        merge_all_phases(context);
    else if (is_shard(first, kRankGroup))
        merge_all_ranks(context);
    else
        throw Error(context.input_address(0).name() + ": is no shard of sweep, phase or rank");
    context.propose("tensor-amp plot " + context.output_target() + " -o merged.svg");
}

} // namespace

cli::Command merge() {
    cli::Command c("merge", "join the shards of sweep, phase or rank");
    c.describe("Checks that the shards belong together and are complete, and writes what a single "
               "run would have written.");
    c.inputs("shards written with --shard");
    c.output(cli::OutputKind::hdf5, {{"/tensor_amp/sweep", "all fits"},
                                     {"/tensor_amp/phase", "all points"},
                                     {"/tensor_amp/rank", "all ranks"}});
    c.example("Join four shards", "tensor-amp merge part1.h5 part2.h5 part3.h5 part4.h5 -o all.h5");
    c.run(run);
    return c;
}

} // namespace tensor_amp_app
