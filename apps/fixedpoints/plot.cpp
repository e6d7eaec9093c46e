// fixedpoints plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

namespace fixedpoints_app {
namespace {

using namespace assay;

struct Options {
    std::string figure = "auto", table;
};

bool can_draw(const FigureKind& kind, const hdf5::Group& root) {
    return kind.can_draw ? kind.can_draw(root) : root.has(kind.needs);
}

const FigureKind& choose(const std::string& name, const hdf5::Group& root) {
    for (const FigureKind& kind : figures()) {
        if (name != "auto" && name != kind.name) continue;
        if (can_draw(kind, root)) return kind;
        if (name == kind.name)
            throw Error(root.where() + ": figure '" + name + "' needs " + kind.needs);
    }
    throw Error(root.where() + ": holds nothing to draw (/fixedpoints/...)");
}

void write_one(const FigureKind& kind, const hdf5::Group& root, const std::string& target,
               const Options& o, cli::Context& context) {
    const plot::Figure figure = kind.draw(root);
    if (!o.table.empty())
        hdf5::write_file_atomically(o.table, plot::table_csv(figure), context.existing());
    const std::string drawn = plot::render(figure, plot::format_of(target));
    if (target == context.output_target() || target == "-")
        context.write_document(drawn);
    else
        hdf5::write_file_atomically(target, drawn, context.existing());
}

void run(const Options& o, cli::Context& context) {
    const std::string target = context.output_target().empty() ? "-" : context.output_target();
    plot::check_renderer(plot::format_of(target));
    const hdf5::Group root = context.input().root();
    if (o.figure != "all") {
        write_one(choose(o.figure, root), root, target, o, context);
        return;
    }
    // NAME.svg becomes NAME-space.svg, NAME-speed.svg, ...
    const auto dot = target.rfind('.');
    if (target == "-" || dot == std::string::npos)
        throw UsageError("--figure all: -o NAME.svg, NAME.png or NAME.pdf is expected");
    Index drawn = 0;
    for (const FigureKind& kind : figures()) {
        if (!can_draw(kind, root)) continue;
        write_one(kind, root, target.substr(0, dot) + "-" + kind.name + target.substr(dot), o,
                  context);
        ++drawn;
    }
    context.report("figures", static_cast<std::int64_t>(drawn));
}

} // namespace

cli::Command plot() {
    auto o = std::make_shared<Options>();
    cli::Command c("plot", "draw points, spectra, graphs and lines");
    std::vector<std::string> lines;
    for (const FigureKind& kind : figures()) lines.push_back(kind.name + ": " + kind.what);
    c.describe("Figures: " + join(lines, "; ") + ".");
    c.input("result of any subcommand");
    c.output(cli::OutputKind::document, {});
    c.group("Figure");
    std::vector<std::pair<std::string, std::string>> names{{"auto", "auto"}, {"all", "all"}};
    for (const FigureKind& kind : figures()) names.emplace_back(kind.name, kind.name);
    c.choice<std::string>("--figure", o->figure, names,
                          "what is drawn; all: every one that the file holds, NAME-space.svg, ...");
    c.option("--table", o->table, "FILE.csv", "also write what is drawn");
    c.example("Where the network can rest", "fixedpoints plot fp.h5 -o points.svg");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
