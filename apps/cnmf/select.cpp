// cnmf select: how many motifs, how long; and merge for its shards.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/cli/state_file.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cmath>
#include <map>
#include <utility>

namespace cnmf_app {
namespace {

using namespace assay;

struct Options {
    DataOptions data;
    cnmf::SelectOptions select;
    std::string components = "1:10", lags = "10", x_ortho = "0";
};

std::vector<cnmf::SelectPoint> grid(const Options& o) {
    const auto whole = [](const char* option, const std::string& text) {
        std::vector<Index> values;
        for (const double v : cli::parse_grid(option, text)) {
            if (v < 1 || v > 1e6 || v != std::floor(v))
                throw UsageError(concat("option '", option, "': found ", v,
                                        "; whole numbers from 1 are expected"));
            values.push_back(static_cast<Index>(v));
        }
        return values;
    };
    std::vector<cnmf::SelectPoint> points;
    for (const Index l : whole("--lags", o.lags))
        for (const Index k : whole("--components", o.components))
            for (const double x : cli::parse_grid("--x-ortho", o.x_ortho)) {
                if (x < 0)
                    throw UsageError(concat("option '--x-ortho': found ", x,
                                            "; nonnegative numbers are expected"));
                points.push_back({k, l, x});
            }
    return points;
}

cli::StateFile part_file(cli::Context& context, Index point) {
    return {context, "point-" + std::to_string(point)};
}

void report(cli::Context& context, const cnmf::SelectTable& table) {
    const auto summaries = cnmf::summarize(table.rows);
    for (std::size_t i = 0; i < summaries.size() && i < 9; ++i) {
        const auto& s = summaries[i];
        std::string label = concat("K ", s.point.components, " L ", s.point.lags);
        if (s.point.x_ortho > 0) label += " x-ortho " + significant(s.point.x_ortho, 3);
        const std::string alike = "dissimilarity " + significant(s.dissimilarity, 3);
        if (std::isnan(s.test))
            context.report(label, s.full, "all entries, " + alike);
        else
            context.report(label, s.test,
                           concat("+- ", significant(s.test_sem, 2), " test, ",
                                  significant(s.train, 4), " +- ", significant(s.train_sem, 2),
                                  " train, ", alike));
    }
    if (table.shards > 1) return;
    if (const auto suggestion = cnmf::suggest(summaries))
        context.report(
            "suggested K",
            static_cast<std::int64_t>(summaries[suggestion->smallest].point.components),
            concat("(least test loss at ", summaries[suggestion->least].point.components, ")"));
}

void run(Options& o, cli::Context& context) {
    o.select.points = grid(o);
    Index longest = 1, most = 1;
    for (const auto& p : o.select.points) {
        longest = std::max(longest, p.lags);
        most = std::max(most, p.components);
    }
    const Loaded loaded = load(context, o.data, longest);
    at_place(loaded.opened.name,
             [&] { cnmf::check_shapes(loaded.recording(), most, longest, context.monitor()); });
    o.select.hold_out = o.data.hold_out;
    o.select.hold_out_block = o.data.hold_out_block;
    const cli::Shard shard = context.shard();
    const std::string digest = context.config_digest() + inputs_digest(context);
    std::map<Index, cnmf::PointOutcome> points;
    for (Index p = shard.index - 1; p < static_cast<Index>(o.select.points.size());
         p += shard.count)
        if (const auto part = part_file(context, p).saved()) {
            cnmf::SelectTable saved = cnmf::read_select(*part);
            points[p] = {std::move(saved.rows), std::move(saved.warnings)};
        }
    const auto done = [&](Index p, const cnmf::PointOutcome& outcome) {
        points[p] = outcome;
        cli::StateFile part = part_file(context, p);
        if (part.kept())
            part.save([&](hdf5::Group group) {
                cnmf::write_select(std::move(group),
                                   {outcome.rows, 1, 1, 1, digest, outcome.warnings});
            });
    };
    try {
        static_cast<void>(cnmf::select(
            *loaded.data, loaded.excluded, o.select, shard.index - 1, shard.count,
            context.execution(), [&](Index p) { return points.count(p) != 0; }, done));
    } catch (const Interrupted&) {
        if (context.state_directory().empty()) throw;
        throw Interrupted(concat("interrupted with ", points.size(), " of ", o.select.points.size(),
                                 " points done; --resume goes on"));
    }
    cnmf::SelectTable table{
        {}, static_cast<Index>(o.select.points.size()), shard.index, shard.count, digest};
    for (const auto& [p, outcome] : points) {
        table.rows.insert(table.rows.end(), outcome.rows.begin(), outcome.rows.end());
        table.warnings.insert(outcome.warnings.begin(), outcome.warnings.end());
    }
    for (const auto& line : split(context.warnings(), '\n'))
        if (!line.empty()) table.warnings.insert(line);
    cnmf::write_select(context.output().create_group("/cnmf/select"), table);
    report(context, table);
    context.propose("cnmf plot " + context.output_target() + " --figure select -o select.svg");
}

void run_merge(cli::Context& context) {
    std::map<int, cnmf::SelectTable> parts;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const auto& file = context.input(i);
        cnmf::SelectTable part = cnmf::read_select(file.root().group("/cnmf/select"));
        if (!parts.empty()) {
            const auto& first = parts.begin()->second;
            if (part.digest != first.digest || part.shards != first.shards)
                throw Error(file.name() + ": was made with other options, data or shards than " +
                            context.input_address(0).name());
        }
        const int shard = part.shard;
        if (!parts.emplace(shard, std::move(part)).second)
            throw Error(concat(file.name(), ": shard ", shard, " is given twice"));
    }
    if (parts.empty()) throw UsageError("the shards to merge are missing; see --help");
    const int shards = parts.begin()->second.shards;
    for (int s = 1; s <= shards; ++s)
        if (parts.count(s) == 0) throw Error(concat("shard ", s, " of ", shards, " is missing"));
    // Shard s holds points s-1, s-1+N, ...: deal them back in the order of points.
    const cnmf::SelectTable& first_part = parts.begin()->second;
    cnmf::SelectTable table{{}, first_part.points, 1, 1, first_part.digest};
    for (const auto& [s, part] : parts)
        table.warnings.insert(part.warnings.begin(), part.warnings.end());
    const Index per_point = [&] {
        Index rows = 0;
        for (const auto& [s, part] : parts) rows += static_cast<Index>(part.rows.size());
        if (table.points < 1 || rows % table.points != 0) throw Error("the shards are incomplete");
        return rows / table.points;
    }();
    std::map<int, Index> taken;
    for (Index p = 0; p < table.points; ++p) {
        const auto shard = static_cast<int>(p % shards) + 1;
        const auto& rows = parts.at(shard).rows;
        for (Index i = 0; i < per_point; ++i) {
            const auto at = static_cast<std::size_t>(taken[shard]++);
            if (at >= rows.size()) throw Error(concat("shard ", shard, " is incomplete"));
            table.rows.push_back(rows[at]);
        }
    }
    cnmf::write_select(context.output().create_group("/cnmf/select"), table);
    report(context, table);
}

} // namespace

cli::Command select() {
    auto o = std::make_shared<Options>();
    o->data.hold_out = 0.05;
    cli::Command c("select", "choose the number and length of motifs");
    c.describe("Fits every combination of K, L and x-ortho from several starts, each with a share "
               "of the entries held out, and again to "
               "all entries. Held-out loss says which K predicts; dissimilarity between fits from "
               "different starts says which K is "
               "reproducible. Masks are the same for every K and L. With --holdout 0 nothing is "
               "suggested. "
               "Grids: 1:10, 20,50, 10:50:10, "
               "1e-5:1e-1:20log.");
    c.input("recording");
    c.output(cli::OutputKind::hdf5,
             {{"/cnmf/select/{k,l,x_ortho,rep}", "one row a fit"},
              {"/cnmf/select/summary_{train,test}_{loss,sem}",
               "means and standard errors, one row a point of the grid"},
              {"/cnmf/select/{train_loss,test_loss,full_loss}", "relative losses"},
              {"/cnmf/select/dissimilarity", "median to the fits from other starts"},
              {"/cnmf/select@suggested_k",
               "fewest components within one standard error of the least test loss"}});
    c.resumable();
    c.sharded();
    c.group("Grid");
    c.option("-k,--components", o->components, "GRID", "numbers of motifs");
    c.option("-l,--lags", o->lags, "GRID", "lengths in bins");
    c.option("--x-ortho", o->x_ortho, "GRID", "cross-orthogonality penalties");
    c.option("--restarts", o->select.restarts, "N", "repetitions: masks and starts")
        .range(1, 10000);
    c.seed(o->select.fit.seed);
    declare_hold_out(c, o->data);
    declare_data(c, o->data);
    declare_fit(c, o->select.fit);
    c.memory(
        "as cnmf fit with the most motifs of the grid, + 8 T K bytes for each of the --restarts; "
        "20 bytes more for every held-out entry");
    c.example("One to eight motifs of 20 bins", "cnmf select rec.h5 -k 1:8 -l 20 -o select.h5");
    c.example("The same as a job array of 8, merged",
              "cnmf select rec.h5 -k 1:8 -l 20 --shard 3/8 -o part3.h5; cnmf merge part?.h5 -o "
              "select.h5");
    c.reference("ang2019");
    c.reference("wold1978");
    c.reference("owen2009");
    c.reference("wu2016");
    c.run([o](cli::Context& context) {
        Options options = *o;
        run(options, context);
    });
    return c;
}

cli::Command merge() {
    cli::Command c("merge", "join the shards of select");
    c.describe("Checks that shards belong together and are complete, and writes what a single run "
               "would have written.");
    c.inputs("shards written by cnmf select --shard");
    c.output(cli::OutputKind::hdf5, {{"/cnmf/select", "the whole table"}});
    c.example("Join four shards", "cnmf merge part1.h5 part2.h5 part3.h5 part4.h5 -o select.h5");
    c.run(run_merge);
    return c;
}

} // namespace cnmf_app
