#include "inputs.hpp"

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/starts.hpp>
#include <assay/network/evaluation.hpp>
#include <assay/network/network_io.hpp>
#include <assay/network/sample_source.hpp>

#include <algorithm>
#include <deque>
#include <mutex>

namespace fixedpoints_app {

using namespace assay;

void declare_network(cli::Command& c, NetworkOptions& o, Stages stages) {
    c.group("Network");
    c.option("--layer", o.layer, "NAME",
             "the recurrent layer, where several do not form a chain; its own state is read out "
             "where others join behind it");
    if (stages == Stages::one)
        c.option("--checkpoint", o.checkpoint, "STEP|last", "which of a run's stages")
            .default_text("/model");
    else
        c.option("--checkpoint", o.checkpoint, "STEP|last|all|LIST|log:N",
                 "which stages of a run; of a list of networks STEP or last, for those that name "
                 "none")
            .default_text("all of a run; else /model");
    tools::declare_model_file(c, o.files);
}

namespace {

// `layer`: of a network of which it is a part; points of one layer are not those of another.
std::string model_digest(const network::Model& model, const std::string& layer) {
    Digest digest;
    digest.add(model.architecture);
    if (!layer.empty()) digest.add(layer);
    for (const auto& array : model.parameters) {
        digest.add(array.layer + "/" + array.name);
        digest.add(array.values.data(), array.values.size() * sizeof(double));
    }
    return digest.hex();
}

} // namespace

namespace {

LoadedNetwork loaded(formats::OpenedModel opened, const NetworkOptions& o,
                     const hdf5::Address& address) {
    if (opened.model.architecture.empty())
        throw Error(address.name() + ": has weights only; --architecture FILE.json is expected");
    const bool own = opened.kind == "assay" && o.checkpoint.empty() && address.path.empty();
    return at_place(address.name(), [&] {
        fixedpoints::Dynamics dynamics(opened.model, o.layer);
        std::string digest = model_digest(opened.model, dynamics.is_part() ? o.layer : "");
        return LoadedNetwork{std::move(opened.model), std::move(dynamics), std::move(digest), own};
    });
}

} // namespace

void check_stage(const NetworkOptions& o, const std::string& otherwise) {
    const std::string& stage = o.checkpoint;
    if (stage == "all" || starts_with(stage, "log:") || stage.find(',') != std::string::npos)
        throw UsageError("--checkpoint " + printable(stage, 40) +
                         ": one step, or last, is expected; " + otherwise);
}

LoadedNetwork load_network(cli::Context& context, const NetworkOptions& o,
                           const hdf5::Address& address) {
    check_stage(o, "fixedpoints population takes several stages of a run");
    const Phase phase(context.monitor(), "read the network");
    return loaded(tools::open_model(context, address, o.files, o.checkpoint), o, address);
}

LoadedNetwork load_network_apart(const NetworkOptions& o, const hdf5::Address& address,
                                 Monitor& monitor) {
    std::deque<hdf5::InputFile> files;
    const formats::Opener opener{[&](const hdf5::Address& a) -> hdf5::InputFile& {
                                     return files.emplace_back(a, hdf5::StreamSettings{});
                                 },
                                 [](const std::string&) {}};
    return loaded(tools::open_model(opener, address, o.files, o.checkpoint, monitor), o, address);
}

void pass_on(cli::Context& context, const LoadedNetwork& network) {
    if (!network.in_own_form)
        network::write_model(context.output().create_group("/model"), network.model,
                             network::Storage::float64);
}

void declare_data(cli::Command& c, DataOptions& o, const std::string& otherwise) {
    c.group("Trials");
    c.option("--data", o.data, "FILE[:/group]", "a group of splits, or one split")
        .default_text(otherwise);
    c.option("--split", o.split, "NAME", "which split").default_text("test, or the only one");
}

namespace {

constexpr double kStoredTolerance = 1e-4; // of states that were stored beside the inputs
constexpr double kTrialBytes = 2e9;
constexpr double kBlockBytes = 8e6; // of trials that a thread runs to be looked at once
constexpr Index kBlockTrials = 64;  // of them: their states stay in cache

std::string samples_digest(const network::Samples& samples) {
    Digest digest;
    digest.add(samples.inputs.data(),
               static_cast<std::size_t>(samples.inputs.size()) * sizeof(double));
    digest.add(samples.lengths.data(), samples.lengths.size() * sizeof(Index));
    return digest.hex();
}

// How many steps are valid by a mask of ones and then zeros; -1: it is none of that kind.
Index prefix_length(const Eigen::Ref<const Eigen::RowVectorXd>& mask) {
    const Index ones = (mask.array() == 1).count();
    return (mask.head(ones).array() == 1).all() && mask.tail(mask.size() - ones).isZero(0) ? ones
                                                                                           : -1;
}

void bound_by_mask(network::Samples& s, const std::string& where, Monitor& monitor) {
    const Index steps = s.input_shape.at(0);
    if (!s.lengths.empty() || s.mask.size() == 0 || s.mask.cols() != steps) return;
    std::vector<Index> lengths;
    bool all = true;
    for (Index i = 0; i < s.mask.rows(); ++i) {
        lengths.push_back(prefix_length(s.mask.row(i)));
        if (lengths.back() < 0) {
            monitor.info(where + "/mask: trials do not begin with ones and end with zeros, so that "
                                 "it weighs the loss; all steps are valid");
            return;
        }
        all = all && lengths.back() == steps;
    }
    if (!all) s.lengths = std::move(lengths);
    s.mask.resize(0, 0);
}

void check_lengths(const network::Samples& s, const std::string& where) {
    for (const Index length : s.lengths)
        if (length < 0 || length > s.input_shape.at(0))
            throw Error(concat(where, "/lengths: found ", length, "; 0 to ", s.input_shape.at(0),
                               " steps are expected"));
}

} // namespace

StoredSamples read_samples(const hdf5::Group& group, std::string split, Monitor& monitor) {
    if (split.empty() && !group.has_dataset("inputs")) {
        std::vector<std::string> splits;
        for (const auto& name : group.names())
            if (group.has_dataset(name + "/inputs")) splits.push_back(name);
        if (group.has_dataset("test/inputs"))
            split = "test";
        else if (splits.size() == 1)
            split = splits[0];
        else
            throw Error(concat(group.where(), ": holds ", splits.size(),
                               " splits; --split NAME is expected"));
    }
    auto samples = tools::read_split(group, split);
    if (!samples) throw Error(group.where() + ": there is no split '" + split + "'");
    StoredSamples stored;
    stored.samples = *std::move(samples);
    stored.where = group.where() + (split.empty() ? "" : "/" + split);
    check_lengths(stored.samples, stored.where);
    bound_by_mask(stored.samples, stored.where, monitor);
    stored.digest = samples_digest(stored.samples);
    const std::string states =
        group.has_dataset("inputs") || split.empty() ? "states" : split + "/states";
    if (group.has_dataset(states)) stored.states = group.dataset(states);
    return stored;
}

std::optional<StoredSamples> load_samples(cli::Context& context, const DataOptions& o) {
    hdf5::Address address = context.input_address();
    if (!o.data.empty()) {
        address = hdf5::Address::parse(o.data);
    } else {
        if (!cli::Context::is_hdf5(address)) return std::nullopt;
        address.path.clear();
        if (!context.open(address).root().has_group("/data")) return std::nullopt;
    }
    return read_samples(tools::data_group(context, address), o.split, context.monitor());
}

namespace {

// How many trials of that length have their states and inputs in so much memory.
Index affordable(const fixedpoints::Dynamics& dynamics, Index steps, double bytes) {
    const double each = 8.0 * static_cast<double>(std::max<Index>(1, steps)) *
                        static_cast<double>(dynamics.state_size() + dynamics.inputs());
    return std::max<Index>(1, static_cast<Index>(bytes / each));
}

// So many rows, evenly taken; `most` <= 0: all.
std::vector<Index> taken(Index count, Index most) {
    if (most <= 0 || count <= most) return network::consecutive(0, count);
    std::vector<Index> rows;
    for (Index i = 0; i < most; ++i) rows.push_back(i * count / most);
    return rows;
}

// Throws Error where the network does not take such inputs.
void check_inputs(const StoredSamples& stored, const fixedpoints::Dynamics& dynamics) {
    const network::Samples& s = stored.samples;
    const Index steps = s.input_shape.at(0), width = dynamics.raw_inputs();
    if (s.inputs.cols() != steps * width)
        throw Error(concat(stored.where, "/inputs: ", s.inputs.cols() / std::max<Index>(1, steps),
                           " numbers a step, the network takes ", width));
    if (dynamics.vocabulary() > 0 && s.inputs.size() > 0 &&
        !(s.inputs.maxCoeff() < static_cast<double>(dynamics.vocabulary())))
        throw Error(concat(stored.where, "/inputs: token id ", s.inputs.maxCoeff(),
                           " outside the vocabulary of ", dynamics.vocabulary()));
}

fixedpoints::Trajectories run_rows(const network::Samples& samples,
                                   const fixedpoints::Dynamics& dynamics,
                                   const Execution& execution, double noise, std::uint64_t seed) {
    const RowMatrix raw = Eigen::Map<const RowMatrix>(
        samples.inputs.data(), samples.count() * samples.input_shape[0], dynamics.raw_inputs());
    return fixedpoints::run_trials(dynamics, raw, samples.count(), samples.lengths, execution,
                                   noise, seed);
}

// Warns where the stored states of those rows are not the network's.
void compare_states(const hdf5::Dataset& stored, const std::vector<Index>& rows,
                    const fixedpoints::Trajectories& trajectories,
                    const fixedpoints::Dynamics& dynamics, Monitor& monitor) {
    const auto& shape = stored.shape();
    const Index steps = trajectories.steps, width = shape.empty() ? 0 : shape.back();
    const RowMatrix visible = dynamics.visible(trajectories.states);
    const bool whole = width == trajectories.states.cols();
    if (shape.size() != 3 || shape[0] <= rows.back() || shape[1] != steps ||
        !(whole || width == visible.cols())) {
        monitor.warn(concat(stored.where(), ": ", hdf5::shape_text(shape),
                            "; the network's states would be trial x ", steps, " x ",
                            visible.cols(), "; left aside"));
        return;
    }
    const RowMatrix& own = whole ? trajectories.states : visible;
    double largest = 0;
    RowMatrix given(steps, width);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        stored.read_box({rows[i], 0, 0}, {1, steps, width}, given.data());
        const Index length = trajectories.lengths[i];
        const auto trial = static_cast<Index>(i);
        const RowMatrix apart =
            given.topRows(length) - own.middleRows(trajectories.row(trial, 0), length);
        // What is no number is no state of the network either.
        if (!apart.allFinite()) largest = std::numeric_limits<double>::infinity();
        if (apart.size() > 0) largest = std::max(largest, apart.cwiseAbs().maxCoeff());
    }
    if (largest > kStoredTolerance)
        monitor.warn(concat(stored.where(), ": differ from the network's states by up to ",
                            significant(largest, 3), "; those of the network are used"));
}

} // namespace

Trials run_samples(const StoredSamples& stored, const fixedpoints::Dynamics& dynamics, Index most,
                   const Execution& execution, double noise, std::uint64_t seed) {
    const Phase phase(*execution.monitor, "trials");
    check_inputs(stored, dynamics);
    const Index steps = stored.samples.input_shape.at(0);
    const auto rows =
        taken(stored.samples.count(), most < 0 ? affordable(dynamics, steps, kTrialBytes) : most);
    Trials trials;
    network::SamplesInMemory(&stored.samples).read(rows, trials.samples);
    trials.trajectories = run_rows(trials.samples, dynamics, execution, noise, seed);
    trials.digest = stored.digest;
    trials.where = stored.where;
    if (stored.states && noise == 0 && !rows.empty())
        compare_states(*stored.states, rows, trials.trajectories, dynamics, *execution.monitor);
    return trials;
}

std::optional<Trials> load_trials(cli::Context& context, const DataOptions& o,
                                  const fixedpoints::Dynamics& dynamics, Index most, double noise,
                                  std::uint64_t seed) {
    const auto stored = load_samples(context, o);
    if (!stored) return std::nullopt;
    return run_samples(*stored, dynamics, most, context.execution(), noise, seed);
}

Vector distance_to_samples(const RowMatrix& points, const StoredSamples& stored,
                           const fixedpoints::Dynamics& dynamics, const Execution& execution) {
    const Phase phase(*execution.monitor, "distances");
    check_inputs(stored, dynamics);
    Vector least = Vector::Constant(points.rows(), std::numeric_limits<double>::infinity());
    if (points.rows() == 0) return least;
    const Index most = affordable(dynamics, stored.samples.input_shape.at(0), kBlockBytes);
    const Blocks blocks{stored.samples.count(), std::min(most, kBlockTrials)};
    std::mutex comparing; // the least of all is the same in any order
    parallel_blocks(blocks.count(), execution.threads, [&](Index b) {
        execution.monitor->stop_if_interrupted();
        network::Samples block;
        network::SamplesInMemory(&stored.samples)
            .read(network::consecutive(blocks.begin(b), blocks.extent(b)), block);
        const auto trajectories = run_rows(block, dynamics, {1, execution.monitor}, 0, 0);
        const auto& lengths = trajectories.lengths;
        if (std::all_of(lengths.begin(), lengths.end(), [](Index length) { return length == 0; }))
            return;
        const Vector own =
            fixedpoints::nearest_distance(points, fixedpoints::valid_states(trajectories));
        const std::lock_guard<std::mutex> alone(comparing);
        least = least.cwiseMin(own);
    });
    return least;
}

bool have_targets(const network::Samples& samples) {
    return !samples.classes.empty() || samples.values.size() > 0;
}

Judgement judge(const network::Model& model, const network::Samples& samples,
                const std::string& loss, const Execution& execution) {
    if (!have_targets(samples)) {
        if (!loss.empty()) throw Error("--loss: the trials have no targets");
        return {};
    }
    const std::string name =
        !loss.empty()
            ? loss
            : network::usual_loss(samples, network::Network<double>(model.architecture).output());
    const auto judged =
        network::evaluate<double>(model, samples, network::loss_of(name), execution);
    return {judged.loss, judged.accuracy};
}

fixedpoints::FoundPoints load_points(cli::Context& context, const LoadedNetwork& network) {
    const hdf5::Group root = context.input().root();
    if (!root.has_group("/fixedpoints/find"))
        throw Error(context.input_address().name() +
                    ": there are no points (/fixedpoints/find); run fixedpoints find first");
    auto found = fixedpoints::read_find(root.group("/fixedpoints/find"));
    if (found.model_digest != network.digest)
        throw Error(context.input_address().name() +
                    ": the points were found in another network than /model");
    if (found.points.state.cols() != network.dynamics.state_size())
        throw Error(concat(context.input_address().name(), ": points have ",
                           found.points.state.cols(), " columns, the state needs ",
                           network.dynamics.state_size()));
    return found;
}

} // namespace fixedpoints_app
