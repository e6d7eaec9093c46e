// lindyn merge: shards of one study, joined.
#include "commands.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/lindyn/generalization_io.hpp>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr const char* kGroup = "/lindyn/generalize";

void run(cli::Context& context) {
    if (context.input_count() == 0) throw UsageError("the shards to merge are missing; see --help");
    std::vector<Study> parts;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const hdf5::Group root = context.input(i).root();
        if (!root.has_group(kGroup) || !root.group(kGroup).has_attribute("shard"))
            throw Error(context.input_address(i).name() + ": is no shard of generalize");
        check_same_study(root.group(kGroup), context.input(0).root().group(kGroup));
        parts.push_back(read_study(root.group(kGroup)));
    }
    const Study whole = merge_studies(std::move(parts));
    write_study(context.output().create_group(kGroup), whole);
    context.report("points", static_cast<std::int64_t>(whole.points.size()));
    context.report("students a point", static_cast<std::int64_t>(whole.settings.repeats));
    context.propose("lindyn plot " + context.output_target() + " -o sweep.svg");
}

} // namespace

cli::Command merge() {
    cli::Command c("merge", "join the shards of generalize");
    c.describe("Checks that the shards belong together and are complete, and writes what a single "
               "run would have written.");
    c.inputs("shards written with --shard");
    c.output(cli::OutputKind::hdf5, {{"/lindyn/generalize", "all points"}});
    c.example("Join four shards", "lindyn merge part1.h5 part2.h5 part3.h5 part4.h5 -o all.h5");
    c.run(run);
    return c;
}

} // namespace lindyn_app
