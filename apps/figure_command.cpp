#include "figure_command.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <filesystem>

namespace tools {
namespace {

using namespace assay;

struct Options {
    FigureCommand declaration;
    std::string figure = "auto", table;
};

bool can_draw(const FigureKind& kind, const hdf5::Group& root) {
    if (kind.can_draw) return kind.can_draw(root);
    return std::any_of(kind.needs.begin(), kind.needs.end(),
                       [&](const std::string& item) { return root.has(item); });
}

const FigureKind& choose(const Options& o, const hdf5::Group& root) {
    for (const FigureKind& kind : o.declaration.figures) {
        if (o.figure != "auto" && o.figure != kind.name) continue;
        if (can_draw(kind, root)) return kind;
        if (o.figure == kind.name)
            throw Error(root.where() + ": figure '" + kind.name + "' needs " +
                        join(kind.needs, " or "));
    }
    throw Error(root.where() + ": holds nothing to draw (" + o.declaration.results + ")");
}

void write_one(const FigureKind& kind, const hdf5::Group& root, const std::string& target,
               const std::string& table, cli::Context& context) {
    const plot::Figure figure = kind.draw(root);
    if (!table.empty())
        hdf5::write_file_atomically(table, plot::table_csv(figure), context.existing());
    const std::string drawn = plot::render(figure, plot::format_of(target));
    if (target == context.output_target() || target == "-")
        context.write_document(drawn);
    else
        hdf5::write_file_atomically(target, drawn, context.existing());
}

// NAME.svg becomes NAME-space.svg.
std::string name_of(const std::string& given, const std::string& figure) {
    const std::filesystem::path path(given);
    return path.parent_path() / (path.stem().string() + "-" + figure + path.extension().string());
}

void run(const Options& o, cli::Context& context) {
    const std::string target = context.output_target().empty() ? "-" : context.output_target();
    plot::check_renderer(plot::format_of(target));
    const hdf5::Group root = context.input().root();
    if (o.figure != "all") {
        const FigureKind& kind = choose(o, root);
        if (o.declaration.check) o.declaration.check(kind.name);
        write_one(kind, root, target, o.table, context);
        return;
    }
    if (target == "-" || target.find('.') == std::string::npos)
        throw UsageError("--figure all: -o NAME.svg, NAME.png or NAME.pdf is expected");
    Index drawn = 0;
    for (const FigureKind& kind : o.declaration.figures) {
        if (!can_draw(kind, root)) continue;
        write_one(kind, root, name_of(target, kind.name),
                  o.table.empty() ? "" : name_of(o.table, kind.name), context);
        ++drawn;
    }
    context.report("figures", static_cast<std::int64_t>(drawn));
}

} // namespace

cli::Command figure_command(FigureCommand declaration) {
    auto o = std::make_shared<Options>();
    o->declaration = std::move(declaration);
    cli::Command c("plot", o->declaration.summary);
    std::vector<std::string> lines;
    std::vector<std::pair<std::string, std::string>> names{{"auto", "auto"}, {"all", "all"}};
    for (const FigureKind& kind : o->declaration.figures) {
        lines.push_back(kind.name + ": " + kind.what);
        names.emplace_back(kind.name, kind.name);
    }
    c.describe("Figures: " + join(lines, "; ") + ".");
    c.input("result of any subcommand");
    c.output(cli::OutputKind::document, {});
    c.group("Figure");
    c.choice<std::string>("--figure", o->figure, names,
                          "what is drawn; all: every one that the file holds, NAME-" +
                              o->declaration.figures.front().name + ".svg, ...");
    c.option("--table", o->table, "FILE.csv",
             "also write what is drawn; of all: NAME-" + o->declaration.figures.front().name +
                 ".csv, ...");
    if (o->declaration.declare) o->declaration.declare(c);
    for (const cli::Example& example : o->declaration.examples)
        c.example(example.purpose, example.command);
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tools
