// tensor-amp plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>

namespace tensor_amp_app {
namespace {

using namespace assay;

struct Options {
    std::string figure = "auto", table;
};

const FigureKind& choose(const std::string& name, const hdf5::Group& root) {
    for (const FigureKind& kind : figures()) {
        if (name != "auto" && name != kind.name) continue;
        const bool there = std::any_of(kind.needs.begin(), kind.needs.end(),
                                       [&](const std::string& group) { return root.has(group); });
        if (there) return kind;
        if (name == kind.name)
            throw Error(root.where() + ": figure '" + name + "' needs " + join(kind.needs, " or "));
    }
    throw Error(root.where() + ": holds nothing to draw (/tensor_amp/...)");
}

void run(const Options& o, cli::Context& context) {
    const std::string target = context.output_target().empty() ? "-" : context.output_target();
    plot::check_renderer(plot::format_of(target));
    const hdf5::Group root = context.input().root();
    const plot::Figure figure = choose(o.figure, root).draw(root);
    if (!o.table.empty())
        hdf5::write_file_atomically(o.table, plot::table_csv(figure), context.existing());
    context.write_document(plot::render(figure, plot::format_of(target)));
}

} // namespace

cli::Command plot() {
    auto o = std::make_shared<Options>();
    cli::Command c("plot", "draw components, their errors, and theory");
    std::vector<std::string> lines;
    std::vector<std::pair<std::string, std::string>> names{{"auto", "auto"}};
    for (const FigureKind& kind : figures()) {
        lines.push_back(kind.name + ": " + kind.what);
        names.emplace_back(kind.name, kind.name);
    }
    c.describe("Figures: " + join(lines, "; ") + ".");
    c.input("result of any subcommand");
    c.output(cli::OutputKind::document, {});
    c.group("Figure");
    c.choice<std::string>("--figure", o->figure, names, "what is drawn");
    c.option("--table", o->table, "FILE.csv", "also write what is drawn");
    c.example("The components of a fit", "tensor-amp plot fit.h5 -o components.svg");
    c.example("How a fit converged", "tensor-amp plot fit.h5 --figure iterations -o sweeps.png");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
