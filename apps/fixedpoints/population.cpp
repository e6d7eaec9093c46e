// fixedpoints population: the same analysis of many networks, whole or in shards.
#include "commands.hpp"
#include "cycle_request.hpp"
#include "graph_request.hpp"
#include "line_request.hpp"
#include "linearization.hpp"
#include "manifest_input.hpp"
#include "population_files.hpp"
#include "search_options.hpp"

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/point_modes.hpp>
#include <assay/fixedpoints/starts.hpp>

#include <algorithm>
#include <iterator>
#include <mutex>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    DataOptions data;
    SearchRequest search;
    LinearizeRequest linearize;
    GraphRequest graph;
    CycleRequest cycles;
    LineOptions line;
    ModeRequest modes;
    std::vector<std::string> steps{"find", "linearize", "topology"};
    std::string results, loss;
    std::optional<double> max_loss;
    double threshold = 0.999;
    bool save_activations = false;

    [[nodiscard]] bool does(const char* step) const {
        return std::find(steps.begin(), steps.end(), step) != steps.end();
    }
    // Whether a step needs eigen-systems.
    [[nodiscard]] bool uses_systems() const {
        return does("topology") || does("cycles") || does("attractor") || does("modes");
    }
};

// What one of many networks has to say, without its progress.
class OneOfMany : public Monitor {
  public:
    OneOfMany(Monitor& outside, std::string name) : outside_(outside), name_(std::move(name)) {}
    void message(Level level, const std::string& text) override {
        outside_.message(level, name_ + ": " + text);
    }
    [[nodiscard]] bool interrupted() const override { return outside_.interrupted(); }

  private:
    Monitor& outside_;
    std::string name_;
};

// Options of steps that are not taken would be without effect.
void check_use(const Options& o) {
    const auto needs = [](bool given, const char* option, bool taken, const char* steps) {
        if (given && !taken)
            throw UsageError(concat("option '", option, "': --do with ", steps, " is expected"));
    };
    const LineOptions usual;
    const bool lines = o.does("attractor"), modes = o.does("modes");
    needs(o.line.coordinate.method != usual.coordinate.method, "--coordinate", lines, "attractor");
    needs(o.line.coordinate.neighbors != usual.coordinate.neighbors, "--neighbors", lines,
          "attractor");
    needs(o.line.null != usual.null, "--null", lines, "attractor");
    needs(o.modes.probe != ModeRequest().probe, "--probe", modes, "modes");
    needs(o.modes.horizon > 0, "--horizon", modes, "modes");
    needs(o.line.readout > 0, "--readout", lines || modes, "attractor or modes");
    needs(o.modes.track, "--track", lines && modes, "attractor and modes");
}

void check(Options& o) {
    static const std::vector<std::string> kSteps{"find",   "linearize", "topology",
                                                 "cycles", "attractor", "modes"};
    for (const auto& step : o.steps)
        if (std::find(kSteps.begin(), kSteps.end(), step) == kSteps.end())
            throw UsageError("option '--do': found '" + printable(step, 40) + "'; " +
                             join(kSteps, ", ") + " are expected");
    if (!o.does("find"))
        throw UsageError("option '--do': " + join(o.steps, ",") + " needs find before it");
    check_use(o);
    o.graph.graph.seed = o.cycles.seed = o.line.seed = o.search.seed;
    o.modes.readout = o.line.readout;
}

// The trials that all networks run on.
struct Probe {
    StoredSamples stored;
    std::optional<TargetFrequencies> target;
};

// Their file is no step of this pipeline: what else it holds (a model) is not carried forward.
std::optional<Probe> load_probe(const DataOptions& o, cli::Context& context) {
    if (o.data.empty()) return std::nullopt;
    const auto address = hdf5::Address::parse(o.data);
    const hdf5::InputFile file(address, {});
    context.note_foreign(address.file);
    Probe probe;
    probe.stored = read_samples(tools::data_group(file, address), o.split, context.monitor());
    probe.stored.states.reset(); // of one network, at most
    probe.target = read_target_frequencies(file.root());
    return probe;
}

void check_probe(const Options& o, const std::optional<Probe>& probe) {
    if (o.max_loss || !o.loss.empty())
        if (!probe || !have_targets(probe->stored.samples))
            throw Error(std::string(o.max_loss ? "--max-loss" : "--loss") +
                        ": there are no trials with targets; give --data");
    if (o.save_activations && !probe)
        throw Error("--save-activations: there are no trials; give --data");
    if (o.does("attractor") && !probe)
        throw Error("--do attractor: there are no trials; give --data");
    if (!probe && o.search.init == InitMode::trajectory && o.search.states.empty())
        throw Error("no trajectories: give --data, --states or --init-mode uniform");
}

// Networks one by one, on any number of threads; each goes into a file of its own.
class Analysis {
  public:
    Analysis(const Options& o, cli::Context& context, const FindOptions& find,
             const Manifest& manifest, const std::optional<Probe>& probe, PartStore& store)
        : o_(o), context_(context), find_(find), manifest_(manifest), probe_(probe), store_(store) {
    }

    void run(Index j, int threads) {
        OneOfMany monitor(context_.monitor(), network_of(j).name);
        monitor.stop_if_interrupted();
        NetworkRecord record = record_of(j);
        try {
            analyse(record, {threads, &monitor});
        } catch (const Interrupted&) {
            throw;
        } catch (const Error& e) {
            record.status = NetworkStatus::failed;
            record.message = printable(e.what(), 400);
            context_.monitor().warn(
                concat("network ", j, " ('", record.name, "') failed: ", record.message));
            store_.add_failure(record);
        }
    }

    // Throws Error where a finished network is another than it was.
    void confirm(Index j) {
        const NetworkRecord record = record_of(j);
        if (load(record, context_.monitor()).digest != store_.model_of(j))
            throw Error(network_of(j).path +
                        (record.step.empty() ? "" : " at step " + record.step) +
                        ": is another network than in " + context_.state_directory() +
                        "; remove that or leave out --resume");
    }

  private:
    [[nodiscard]] const ManifestNetwork& network_of(Index j) const {
        return manifest_.networks[static_cast<std::size_t>(j)];
    }

    [[nodiscard]] NetworkRecord record_of(Index j) const {
        NetworkRecord record;
        record.name = network_of(j).name;
        record.index = j;
        record.labels = network_of(j).labels;
        record.file = network_of(j).file;
        record.step = network_of(j).step;
        return record;
    }

    LoadedNetwork load(const NetworkRecord& record, Monitor& monitor) {
        NetworkOptions options = o_.network;
        if (!record.step.empty()) options.checkpoint = record.step;
        const auto alone = store_.lock();
        return load_network_apart(options, hdf5::Address::parse(network_of(record.index).path),
                                  monitor);
    }

    void analyse(NetworkRecord& record, const Execution& execution) {
        const LoadedNetwork network = load(record, *execution.monitor);
        record.model_digest = network.digest;
        std::optional<Trials> trials;
        if (probe_) {
            trials = run_samples(probe_->stored, network.dynamics, 0, execution);
            const Judgement judged =
                judge(network.model, probe_->stored.samples, o_.loss, execution);
            record.loss = judged.loss;
            record.accuracy = judged.accuracy;
        }
        record.status = NetworkStatus::done;
        if (o_.max_loss && !(record.loss <= *o_.max_loss)) {
            record.status = NetworkStatus::excluded;
            record.message = concat("loss ", significant(record.loss, 4), " above ",
                                    significant(*o_.max_loss, 4));
            store_.finish(store_.begin(record), record);
            return;
        }
        describe(record, network, trials, execution);
    }

    // What `find` alone would draw from.
    std::optional<Trials> trials_to_search(const LoadedNetwork& network,
                                           const std::optional<Trials>& trials,
                                           const Execution& execution) const {
        const Index most = trials_to_draw(o_.search);
        if (!trials || most <= 0 || most >= trials->samples.count()) return trials;
        return run_samples(probe_->stored, network.dynamics, most, execution);
    }

    Search search(const LoadedNetwork& network, const std::optional<Trials>& trials,
                  const Execution& execution) {
        const auto drawn = trials_to_search(network, trials, execution);
        SearchPlan plan = [&] {
            const auto alone = store_.lock(); // --states and --inputs may name files
            return plan_search(o_.search, context_, network.dynamics, drawn);
        }();
        Search found = search_points(o_.search, network, drawn, std::move(plan), find_, execution);
        if (trials)
            found.facts.distance_to_data =
                nearest_distance(found.result.points.state, valid_states(trials->trajectories));
        return found;
    }

    void describe(const NetworkRecord& record, const LoadedNetwork& network,
                  const std::optional<Trials>& trials, const Execution& execution) {
        const Search found = search(network, trials, execution);
        const Points& points = found.result.points;
        Part part = store_.begin(record);
        part.write([&](hdf5::Group group) {
            write_find(group.create_group("find"), found.result, found.facts);
        });
        if (trials) write_states(part, network, *trials);
        std::vector<EigenSystem> systems;
        if (o_.does("linearize")) systems = linearize(part, network, points, execution);
        if (o_.does("attractor") || o_.does("modes"))
            describe_line(part, network, points, systems, trials, execution);
        if (o_.does("topology") || o_.does("cycles"))
            if (static_cast<Index>(systems.size()) != points.count() ||
                !hold_unstable_modes(systems))
                systems = unstable_systems(network.dynamics, points, execution);
        if (o_.does("topology")) {
            const PointGraph graph = graph_points(o_.graph, network.dynamics, points,
                                                  found.result.inputs.rows(), systems, execution);
            part.write([&](hdf5::Group group) { graph.write(group.create_group("topology")); });
        }
        if (o_.does("cycles")) {
            const Cycles cycles =
                run_cycles(o_.cycles, network.dynamics, points, found.result.inputs, systems,
                           trials ? &trials->trajectories : nullptr,
                           probe_ ? probe_->target : std::nullopt, execution);
            part.write([&](hdf5::Group group) { cycles.write(group.create_group("cycles")); });
        }
        store_.finish(std::move(part), record);
    }

    void write_states(Part& part, const LoadedNetwork& network, const Trials& trials) const {
        const RowMatrix states = network.dynamics.visible(valid_states(trials.trajectories));
        const ActivationBasis basis = activation_basis(states, o_.threshold);
        part.write([&](hdf5::Group group) {
            write_activations(std::move(group), basis,
                              o_.save_activations ? states.rowwise() - basis.mean.transpose()
                                                  : RowMatrix());
        });
    }

    // Those of `linearize` where they have so many vectors, as the subcommands take them.
    [[nodiscard]] static std::vector<EigenSystem>
    systems_with(Index modes, const std::vector<EigenSystem>& systems, const LoadedNetwork& network,
                 const Points& points, const Execution& execution) {
        return hold_modes(systems, modes)
                   ? systems
                   : eigen_systems(network.dynamics, points, modes, execution);
    }

    // The group of a network without a line is empty; without points, that of modes too.
    void describe_line(Part& part, const LoadedNetwork& network, const Points& points,
                       const std::vector<EigenSystem>& systems, const std::optional<Trials>& trials,
                       const Execution& execution) {
        const auto in_group = [&](const char* name, auto&& write) {
            part.write([&](hdf5::Group group) { write(group.create_group(name)); });
        };
        const auto nothing = [](const hdf5::Group&) {};
        std::optional<LineFrame> frame;
        if (o_.does("attractor") && !have_line(points)) {
            execution.monitor->info("has no line: no input has two different points");
            in_group("attractor", nothing);
        } else if (o_.does("attractor")) {
            const auto own = systems_with(1, systems, network, points, execution);
            const LineAttractors lines = line_attractors(network.dynamics, points, own,
                                                         trials->trajectories, o_.line, execution);
            warn_of_lines(*execution.monitor, lines, network.dynamics.vocabulary() > 0);
            frame = line_frame(lines, input_count(points), points.count());
            AttractorFacts facts;
            facts.data_digest = trials->digest;
            in_group("attractor", [&](hdf5::Group group) {
                write_lines(std::move(group), lines, points, own, std::move(facts));
            });
        }
        if (!o_.does("modes")) return;
        if (points.count() == 0) return in_group("modes", nothing);
        Probes probes = [&] {
            const auto alone = store_.lock(); // --probe may name a file
            return read_probes(o_.modes, context_, network.dynamics);
        }();
        const Index whole = usual_modes(network.dynamics.state_size());
        const ModeAnalysis modes =
            analyse_modes(o_.modes, std::move(probes), network.dynamics, points,
                          systems_with(whole, systems, network, points, execution),
                          o_.modes.track && frame ? &*frame : nullptr, execution);
        in_group("modes", [&](hdf5::Group group) { modes.write(std::move(group)); });
    }

    // The eigen-systems too, where a later step needs them.
    std::vector<EigenSystem> linearize(Part& part, const LoadedNetwork& network,
                                       const Points& points, const Execution& execution) const {
        std::vector<EigenSystem> systems;
        const bool needed = o_.uses_systems();
        part.write([&](hdf5::Group group) {
            part.keep(linearisation_writer(o_.linearize, network.dynamics, points,
                                           group.create_group("linearize")));
        });
        linearize_points(o_.linearize, network.dynamics, points, execution,
                         [&](LinearizedBlock block) {
                             execution.monitor->stop_if_interrupted();
                             part.write([&](const hdf5::Group&) {
                                 block.write(part.kept(), o_.linearize.marginal);
                             });
                             if (needed)
                                 std::move(block.systems.begin(), block.systems.end(),
                                           std::back_inserter(systems));
                         });
        part.write([&](const hdf5::Group&) { part.kept().finish(); });
        return systems;
    }

    const Options& o_;
    cli::Context& context_;
    const FindOptions& find_;
    const Manifest& manifest_;
    const std::optional<Probe>& probe_;
    PartStore& store_;
};

// The largest first, so that threads end together.
std::vector<Index> in_order_of_work(const Manifest& manifest, std::vector<Index> networks) {
    const auto units = [&](Index j) {
        const auto& labels = manifest.networks[static_cast<std::size_t>(j)].labels;
        const auto label = labels.find("units");
        return label == labels.end() ? 0 : parse_double(label->second).value_or(0);
    };
    std::stable_sort(networks.begin(), networks.end(),
                     [&](Index a, Index b) { return units(a) > units(b); });
    return networks;
}

void analyse_all(Analysis& analysis, const std::vector<Index>& networks, std::size_t finished,
                 cli::Context& context) {
    const auto count = static_cast<Index>(networks.size());
    // Networks side by side leave no thread without work; few of them share the threads inside.
    const int threads = context.execution().threads;
    const bool side_by_side = count >= threads;
    std::mutex counting;
    std::size_t done = finished;
    parallel_blocks(count, side_by_side ? threads : 1, [&](Index i) {
        analysis.run(networks[static_cast<std::size_t>(i)], side_by_side ? 1 : threads);
        const std::lock_guard<std::mutex> alone(counting);
        ++done;
        context.monitor().progress({static_cast<double>(done),
                                    static_cast<double>(networks.size() + finished), "networks",
                                    ""});
    });
}

void run(Options o, cli::Context& context) {
    check(o);
    const FindOptions find = resolve(o.search);
    const Manifest manifest = load_manifest(context, context.input_address(), o.results, o.network);
    if (o.data.data.empty()) o.data.data = manifest.inputs;
    const auto probe = load_probe(o.data, context);
    check_probe(o, probe);
    const cli::Shard shard = context.shard();
    PopulationHeader header;
    header.options = options_of(context);
    header.options_digest = digest_of(header.options);
    header.data_digest = probe ? probe->stored.digest : "";
    header.manifest_digest = manifest.digest();
    header.networks = static_cast<Index>(manifest.networks.size());
    header.shard = shard.index;
    header.shards = shard.count;
    const std::vector<Index> mine =
        deal_networks(manifest, shard.count).at(static_cast<std::size_t>(shard.index - 1));
    PartStore store(context, header);
    Analysis analysis(o, context, find, manifest, probe, store);
    std::vector<Index> open;
    for (const Index j : in_order_of_work(manifest, mine))
        if (store.finished(j))
            analysis.confirm(j);
        else
            open.push_back(j);
    try {
        analyse_all(analysis, open, mine.size() - open.size(), context);
    } catch (const Interrupted&) {
        if (context.state_directory().empty()) throw;
        throw Interrupted(concat("interrupted with ", store.count_finished(mine), " of ",
                                 mine.size(), " networks done; --resume goes on"));
    }
    hdf5::Group population = context.output().create_group(kPopulation);
    write_population_header(population, header);
    store.assemble(mine, population);
    write_population_summary(population);
    report_population(context, population);
    if (shard.count == 1)
        context.propose("fixedpoints compare " + context.output_target() + " -o distances.h5");
}

} // namespace

cli::Command population() {
    auto o = std::make_shared<Options>();
    // A thousand networks: what can be computed again from model and point is left out.
    o->linearize.modes = 10;
    o->linearize.jacobians = Keep::no;
    cli::Command c("population", "the same analysis of many networks, whole or in shards");
    c.describe(
        "Takes a manifest: a JSON list of networks with labels and the trials they all run on "
        "(share/schemas/population.json), the result of checkpoint sweep collect, or one run, "
        "whose "
        "stages are the networks. Every network is searched, linearised, graphed, ... as the "
        "subcommands would; its activations on the "
        "trials are kept in the directions that hold most of their variance, for compare. A "
        "network that fails, or whose loss is above --max-loss, is recorded as such; the rest goes "
        "on. Shards are joined by merge.");
    c.input("manifest, JSON or HDF5, or a run");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/population/networks/<name>", "find, linearize, ...: results of --do"},
              {"/fixedpoints/population/networks/<name>/activations", "on the trials, centred"},
              {"/fixedpoints/population/summary", "a row a network: labels, loss, points, modes"}});
    c.resumable();
    c.sharded();
    c.group("What");
    c.option("--do", o->steps, "STEPS",
             "find, and any of linearize, topology, cycles, attractor, modes");
    c.option("--results", o->results, "FOLDER", "where the runs of a sweep stand")
        .default_text("where collect saw them");
    c.option("--max-loss", o->max_loss, "X",
             "networks with a larger loss on the trials are left out")
        .range(0);
    c.option("--loss", o->loss, "NAME", "loss").default_text("by the targets");
    c.option("--activation-threshold", o->threshold, "SHARE",
             "of the variance that the kept directions reach")
        .range(1e-6, 1);
    c.flag("--save-activations", o->save_activations, "keep all activations as well");
    declare_search(c, o->search);
    declare_starts(c, o->search);
    declare_data(c, o->data, "the manifest's inputs");
    declare_slow(c, o->search);
    declare_points(c, o->search);
    declare_adam(c, o->search);
    c.group("Linearisation");
    declare_linearize(c, o->linearize);
    declare_graph(c, o->graph);
    declare_long_runs(c, o->cycles);
    c.group("Lines and modes");
    declare_line(c, o->line);
    declare_modes(c, o->modes);
    c.option("--readout", o->line.readout, "OUTPUT", "of attractor and modes, from 0").range(0);
    declare_network(c, o->network, Stages::several);
    c.example("Four shards of an array job, joined",
              "fixedpoints population nets.json --shard 3/4 -o part3.h5; fixedpoints merge "
              "part?.h5 -o pop.h5");
    c.example("The trained networks of a sweep",
              "fixedpoints population sweep.h5 --data flipflop.h5 --max-loss 0.01 -o pop.h5");
    c.reference("maheswaranathan2019b");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
