// tensor-amp merge: shards of one sweep or phase diagram, joined.
#include "commands.hpp"

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

void merge_all_phases(cli::Context& context) {
    std::vector<hdf5::Group> parts;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::Group root = context.input(i).root();
        if (!is_shard(root, kPhaseGroup))
            throw Error(context.input_address(i).name() + ": is no shard of phase");
        parts.push_back(root.group(kPhaseGroup));
    }
    merge_phase(context.output().create_group(kPhaseGroup), parts);
}

void merge_all_sweeps(cli::Context& context) {
    std::vector<Sweep> parts;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::Group root = context.input(i).root();
        if (!is_shard(root, kSweepGroup))
            throw Error(context.input_address(i).name() + ": is no shard of sweep");
        parts.push_back(read_sweep(root.group(kSweepGroup)));
    }
    const Sweep whole = merge_sweeps(std::move(parts));
    write_sweep(context.output().create_group(kSweepGroup), whole, context.keeps_timing());
    context.report("fits", static_cast<std::int64_t>(whole.rows.size()));
}

void run(cli::Context& context) {
    if (context.input_count() == 0) throw UsageError("the shards to merge are missing; see --help");
    const hdf5::Group first = context.input(0).root();
    if (is_shard(first, kSweepGroup))
        merge_all_sweeps(context);
    else if (is_shard(first, kPhaseGroup))
        merge_all_phases(context);
    else
        throw Error(context.input_address(0).name() + ": is no shard of sweep or phase");
    context.propose("tensor-amp plot " + context.output_target() + " -o merged.svg");
}

} // namespace

cli::Command merge() {
    cli::Command c("merge", "join the shards of sweep or phase");
    c.describe("Checks that the shards belong together and are complete, and writes what a single "
               "run would have written.");
    c.inputs("shards written with --shard");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/sweep", "all fits"}, {"/tensor_amp/phase", "all points"}});
    c.example("Join four shards", "tensor-amp merge part1.h5 part2.h5 part3.h5 part4.h5 -o all.h5");
    c.run(run);
    return c;
}

} // namespace tensor_amp_app
