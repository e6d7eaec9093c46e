// lindyn synth: data sets whose modes are known. What can be set is what the tasks of lib/training
// declare.
#include "commands.hpp"
#include "edges_input.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network_io.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/task.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace lindyn_app {
namespace {

using namespace assay;

struct Kind {
    std::string name, task, preset;
    std::set<std::string> hidden; // parameters that are no options
    std::string what;
};

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> list{
        {"canary",
         "semantic-hierarchy",
         "canary",
         {"branching", "flip", "features", "levels_correlation", "explicit"},
         "four items and seven features"},
        {"tree", "semantic-hierarchy", "", {}, "leaves of a tree"},
        {"ring", "semantic-ring", "", {}, "items on a circle"},
        {"chain", "semantic-chain", "", {}, "items in an order"},
        {"grid", "semantic-grid", "", {}, "items on a sheet"},
        {"clusters", "semantic-clusters", "", {}, "items in groups"},
        {"graph", "semantic-graph", "", {"edge_weights"}, "the nodes of any graph"},
        {"cross-cutting", "semantic-cross-cutting", "", {}, "items of two trees at once"},
        {"coherence", "semantic-coherence", "", {}, "categories hidden in random features"},
        {"teacher", "linear-teacher", "", {}, "a noisy linear map of low rank"},
        {"pair", "linear-pair", "", {}, "two such maps with the same inputs"},
        {"regression", "linear-regression", "", {}, "one noisy output"}};
    return list;
}

const Kind& kind_of(const std::string& name) {
    std::vector<std::string> names;
    for (const Kind& kind : kinds()) {
        if (kind.name == name) return kind;
        names.push_back(kind.name);
    }
    throw UsageError("unknown kind '" + printable(name, 40) + "' (known: " + join(names, ", ") +
                     ")");
}

// One option for all parameters of a name.
struct Parameter {
    training::TaskParameter declaration;
    std::vector<std::string> kinds, descriptions, defaults;
};

std::vector<Parameter> all_parameters() {
    std::map<std::string, training::TaskDescription> tasks;
    for (auto& task : training::task_catalogue()) tasks[task.name] = task;
    std::vector<Parameter> all;
    for (const Kind& kind : kinds())
        for (const auto& declared : tasks.at(kind.task).parameters) {
            if (kind.hidden.count(declared.name) > 0) continue;
            auto known = std::find_if(all.begin(), all.end(), [&](const Parameter& p) {
                return p.declaration.name == declared.name;
            });
            if (known == all.end()) known = all.insert(all.end(), {declared, {}, {}, {}});
            known->kinds.push_back(kind.name);
            auto& descriptions = known->descriptions;
            if (std::find(descriptions.begin(), descriptions.end(), declared.description) ==
                descriptions.end())
                descriptions.push_back(declared.description);
            known->defaults.push_back(declared.value);
        }
    return all;
}

std::string default_text(const Parameter& p) {
    const bool same = std::all_of(p.defaults.begin(), p.defaults.end(),
                                  [&](const std::string& d) { return d == p.defaults.front(); });
    if (same) return p.defaults.front().empty() ? "none" : p.defaults.front();
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < p.kinds.size(); ++i)
        if (i == 0 || p.defaults[i] != p.defaults[i - 1])
            parts.push_back(p.kinds[i] + " " + p.defaults[i]);
    return join(parts, ", ");
}

std::string option_name(std::string parameter) {
    std::replace(parameter.begin(), parameter.end(), '_', '-');
    return "--" + parameter;
}

struct Options {
    std::map<std::string, std::string> values; // by parameter; empty: not given
    std::map<std::string, bool> flags;
    std::uint64_t seed = 0;
};

void declare_parameters(cli::Command& c, Options& o) {
    std::vector<Parameter> all = all_parameters();
    // Options of the same kinds stand under one heading.
    std::vector<std::string> headings;
    for (const Parameter& p : all)
        if (std::find(headings.begin(), headings.end(), join(p.kinds, ", ")) == headings.end())
            headings.push_back(join(p.kinds, ", "));
    for (const std::string& heading : headings) {
        c.group(heading);
        for (const Parameter& p : all) {
            if (join(p.kinds, ", ") != heading) continue;
            const std::string name = option_name(p.declaration.name),
                              description = join(p.descriptions, "; ");
            if (p.declaration.kind == training::ParameterKind::flag)
                c.flag(name, o.flags[p.declaration.name], description);
            else if (name == "--edges")
                c.option(name, o.values["edges"], "FILE",
                         "lines 'i j [weight]', or an array FILE:/path of such rows; items from 0")
                    .default_text("four in a row");
            else if (name == "--alignment")
                c.option(name, o.values["alignment"], "Q|FILE:/path", description)
                    .default_text(default_text(p));
            else
                c.option(name, o.values[p.declaration.name],
                         p.declaration.words.empty() ? "X" : join(p.declaration.words, "|"),
                         description)
                    .default_text(default_text(p));
        }
    }
}

// What a value is to the task: numbers out of files, and ';' between categories.
void set_value(std::map<std::string, std::string>& set, const std::string& name,
               const std::string& given, cli::Context& context) {
    if (name == "edges") {
        const Edges edges = read_edges(context, given);
        set["edges"] = edges.ends;
        set["edge_weights"] = edges.weights;
        return;
    }
    set[name] = given;
    if (name == "alignment" && !hdf5::Address::parse(given).path.empty())
        set[name] = read_numbers(context, given);
    if (name == "categories") std::replace(set[name].begin(), set[name].end(), ';', ',');
}

training::TaskSettings settings_of(const Options& o, const Kind& kind, cli::Context& context) {
    training::TaskSettings settings{kind.task, kind.preset, {}, o.seed};
    if (const auto how = o.values.find("randomize");
        how != o.values.end() && how->second == "columns")
        throw UsageError("option '--randomize': found 'columns'; to permute whole columns leaves "
                         "the singular values of orthonormal inputs as they are; none, entries or "
                         "gaussian is expected");
    std::set<std::string> own;
    for (const Parameter& p : all_parameters())
        if (std::find(p.kinds.begin(), p.kinds.end(), kind.name) != p.kinds.end())
            own.insert(p.declaration.name);
    const auto check_own = [&](const std::string& name) {
        if (own.count(name) > 0) return;
        std::vector<std::string> names;
        for (const std::string& one : own) names.push_back(option_name(one));
        throw UsageError("option '" + option_name(name) + "' is not one of " + kind.name + " (" +
                         (names.empty() ? "it has none" : join(names, ", ")) + ")");
    };
    for (const auto& [name, value] : o.values) {
        if (value.empty()) continue;
        check_own(name);
        set_value(settings.values, name, value, context);
    }
    for (const auto& [name, given] : o.flags) {
        if (!given) continue;
        check_own(name);
        settings.values[name] = "true";
    }
    return settings;
}

std::string value_of(const training::Task& task, const std::string& name) {
    for (const auto& [key, value] : task.parameters())
        if (key == name) return value;
    return "";
}

// Samples of the whole set: what `samples` says, or all items, or as many an input as `load` says.
Index set_size(const training::Task& task) {
    const auto given = parse_integer(value_of(task, "samples"));
    if (given && *given > 0) return *given;
    if (task.layout().distinct > 0) return static_cast<Index>(task.layout().distinct);
    const Index inputs = task.layout().input_shape.front();
    const double load = parse_double(value_of(task, "load")).value_or(1);
    return std::max<Index>(1, std::llround(load * static_cast<double>(inputs)));
}

// Both tasks of a pair, also as data sets of their own.
void write_pair(hdf5::Group& data, const network::Samples& both) {
    network::Samples one = both;
    const Index outputs = both.values.cols() / 2;
    one.target_shape = {outputs};
    for (int task = 0; task < 2; ++task) {
        one.values = both.values.middleCols(task * outputs, outputs);
        hdf5::Group group = data.create_group(task == 0 ? "a" : "b");
        network::write_samples(group, one, network::Storage::float64);
        group.set_attribute("output_task", task);
    }
}

void report(cli::Context& context, const training::Task& task, Index samples) {
    context.report("samples", samples);
    context.report("inputs", static_cast<std::int64_t>(task.layout().input_shape.front()));
    context.report("outputs", static_cast<std::int64_t>(task.layout().outputs()));
    for (const auto& array : task.truth()) {
        if (array.name != "singular_value") continue;
        for (std::size_t k = 0; k < std::min<std::size_t>(array.values.size(), 4); ++k)
            context.report(concat("singular value ", k), array.values[k],
                           k == 0 ? "of Syx, for many features" : "");
    }
}

void run(const Options& o, cli::Context& context) {
    if (context.input_count() != 1) throw UsageError("one KIND is expected; see --help");
    const Kind& kind = kind_of(context.input_address().file);
    const auto task = training::make_task(settings_of(o, kind, context));
    const Index samples = set_size(*task);
    hdf5::Group data = context.output().create_group("/data");
    const network::Samples made = task->samples(0, samples, training::Stream::train);
    network::write_samples(data.create_group("train"), made, network::Storage::float64);
    if (kind.name == "pair") write_pair(data, made);
    data.set_attribute("task", kind.task);
    for (const auto& [name, value] : task->parameters()) data.write_text(name, value);
    training::write_truth(context.output().create_group("/truth"), *task);
    report(context, *task, samples);
    context.propose("lindyn modes " + context.output_target() + " -o modes.h5");
}

} // namespace

cli::Command synth() {
    auto o = std::make_shared<Options>();
    cli::Command c("synth", "make a data set whose modes are known");
    std::vector<std::string> lines;
    for (const Kind& kind : kinds()) lines.push_back(kind.name + ": " + kind.what);
    c.describe("Items are one-hot inputs, features are targets; teachers have inputs and noise of "
               "their own. Kinds: " +
               join(lines, "; ") +
               ". They are built-in tasks as well (checkpoint tasks), so that checkpoint train can "
               "draw from them.");
    c.inputs("KIND");
    c.output(cli::OutputKind::hdf5,
             {{"/data/train/inputs, targets", "the samples"},
              {"/truth/mode, eigenvalue, singular_value", "exact modes of the items"},
              {"/truth/label, ...", "levels, clusters, categories"},
              {"/truth/W", "teacher, pair, regression: the map without noise"},
              {"/truth/output_task", "pair: 0 for outputs of A, 1 for those of B"},
              {"/data/a, /data/b", "pair: each task by itself"}});
    declare_parameters(c, *o);
    c.seed(o->seed);
    c.example(
        "Eight items of a tree",
        "lindyn synth tree --branching 2,2,2 --flip 0.15 --features 1000 --seed 1 -o tree.h5");
    c.example("A hidden category",
              "lindyn synth coherence --categories '60,80,0.8;40,60,0.5' --shuffle -o hidden.h5");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
