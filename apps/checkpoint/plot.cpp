// checkpoint plot: which figure of which file.
#include "commands.hpp"
#include "figures.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/plot/figure.hpp>

#include <algorithm>

namespace checkpoint_app {
namespace {

using namespace assay;

enum class Name {
    automatic,
    curves,
    norms,
    trajectory,
    filters,
    confusion,
    sweep,
    parallel,
    robustness,
    transfer
};

struct Options {
    Name figure = Name::automatic;
    std::string table;
    bool log_steps = false;
    std::vector<std::string> runs;
};

// The inputs of the command, which all hold `group`.
std::vector<Source> sources_with(const std::string& group, cli::Context& context) {
    std::vector<Source> found;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, context.input_count()); ++i) {
        const hdf5::Address address = context.input_address(i);
        const hdf5::Group root = context.open(address).root();
        if (!root.has_group(group))
            throw Error(address.name() + ": holds no " + group + " to draw");
        found.push_back({address.name(), root});
    }
    return found;
}

std::vector<Source> groups_of(std::vector<Source> roots, const std::string& group) {
    for (Source& source : roots) source.group = source.group.group(group);
    return roots;
}

Name automatic_figure(const hdf5::Group& root) {
    if (root.has_group("/checkpoint/sweep")) return Name::sweep;
    return root.has_group("/run") ? Name::curves : Name::confusion;
}

plot::Figure draw(const Options& o, cli::Context& context) {
    const hdf5::Group root = context.open(context.input_address()).root();
    const Name name = o.figure == Name::automatic ? automatic_figure(root) : o.figure;
    const auto needed = [&](const std::string& group) { return sources_with(group, context); };
    const bool several =
        name == Name::curves || name == Name::trajectory || name == Name::robustness;
    if (!several && context.input_count() > 1)
        throw UsageError(concat("this figure is of one file; ", context.input_count(),
                                " are given (curves, trajectory and robustness take several)"));
    if (o.log_steps && name != Name::curves && name != Name::norms)
        throw UsageError("option '--log-steps': only curves and norms have steps");
    switch (name) {
    case Name::automatic:
    case Name::confusion:
        break;
    case Name::curves:
        return curves_figure(groups_of(needed("/run"), "/run"), o.log_steps);
    case Name::norms:
        return norms_figure(needed("/run")[0].group.group("/run"), o.log_steps);
    case Name::trajectory:
        return trajectory_figure(needed("/run"));
    case Name::filters:
        return filters_figure(needed("/model")[0].group.group("/model"));
    case Name::sweep:
        return sweep_figure(root.group("/checkpoint/sweep"));
    case Name::parallel:
        return parallel_figure(root.group("/checkpoint/sweep"));
    case Name::robustness:
        return robustness_figure(groups_of(needed("/checkpoint/sweep"), "/checkpoint/sweep"));
    case Name::transfer:
        return transfer_figure(root.group("/checkpoint/sweep"));
    }
    if (!root.has_dataset("/checkpoint/evaluate/confusion"))
        throw Error(root.where() + ": holds no run, sweep or confusion to draw");
    return confusion_figure(root.group("/checkpoint/evaluate"));
}

} // namespace

cli::Command plot() {
    auto o = std::make_shared<Options>();
    cli::Command c("plot", "draw training curves, weights, norms of layers, confusion, a sweep");
    c.describe("Several runs are drawn over one another (curves, trajectory), robustness of "
               "several sweeps "
               "side by side.");
    c.inputs("runs, sweeps, or a file of checkpoint evaluate");
    c.output(cli::OutputKind::document, {});
    c.group("Figure");
    c.choice<Name>("--figure", o->figure,
                   {{"auto", Name::automatic},
                    {"curves", Name::curves},
                    {"norms", Name::norms},
                    {"trajectory", Name::trajectory},
                    {"filters", Name::filters},
                    {"confusion", Name::confusion},
                    {"sweep", Name::sweep},
                    {"parallel", Name::parallel},
                    {"robustness", Name::robustness},
                    {"transfer", Name::transfer}},
                   "what is drawn; of a run: curves, norms of layers, the way of the weights in "
                   "the plane of two principal directions, weights of the first layer; of a sweep: "
                   "score against each setting, parallel coordinates, the share of trials close to "
                   "the best, or the same trials on several networks");
    c.flag("--log-steps", o->log_steps, "steps on a logarithmic axis");
    c.option("--table", o->table, "FILE.csv", "also write what is drawn");
    c.example("Loss and accuracy over training", "checkpoint plot run.h5 -o curves.svg");
    c.run([o](cli::Context& context) {
        const std::string target = context.output_target().empty() ? "-" : context.output_target();
        const plot::Format format = plot::format_of(target);
        plot::check_renderer(format);
        const plot::Figure figure = draw(*o, context);
        if (!o->table.empty())
            hdf5::write_file_atomically(o->table, plot::table_csv(figure), context.existing());
        context.write_document(plot::render(figure, format));
    });
    return c;
}

} // namespace checkpoint_app
