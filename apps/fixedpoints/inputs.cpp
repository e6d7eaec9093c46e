#include "inputs.hpp"

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/network/evaluation.hpp>
#include <assay/network/network_io.hpp>

#include <deque>

namespace fixedpoints_app {

using namespace assay;

void declare_network(cli::Command& c, NetworkOptions& o) {
    c.group("Network");
    c.option("--layer", o.layer, "NAME", "the recurrent layer, where several do not form a chain");
    c.option("--checkpoint", o.checkpoint, "STEP|last", "which of a run's stages")
        .default_text("/model");
    tools::declare_model_file(c, o.files);
}

namespace {

std::string model_digest(const network::Model& model) {
    Digest digest;
    digest.add(model.architecture);
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
    std::string digest = model_digest(opened.model);
    return at_place(address.name(), [&] {
        fixedpoints::Dynamics dynamics(opened.model, o.layer);
        return LoadedNetwork{std::move(opened.model), std::move(dynamics), std::move(digest), own};
    });
}

} // namespace

LoadedNetwork load_network(cli::Context& context, const NetworkOptions& o,
                           const hdf5::Address& address) {
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

network::Samples read_samples(const hdf5::Group& group, std::string split, std::string* where) {
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
    if (where) *where = group.where() + (split.empty() ? "" : "/" + split);
    return *std::move(samples);
}

std::optional<network::Samples> load_samples(cli::Context& context, const DataOptions& o,
                                             std::string* where) {
    hdf5::Address address = context.input_address();
    if (!o.data.empty()) {
        address = hdf5::Address::parse(o.data);
    } else {
        if (!cli::Context::is_hdf5(address)) return std::nullopt;
        address.path.clear();
        if (!context.open(address).root().has_group("/data")) return std::nullopt;
    }
    return read_samples(tools::data_group(context, address), o.split, where);
}

namespace {

constexpr double kTrialBytes = 2e9;

// How many trials of that length have their states and inputs in memory.
Index affordable(const fixedpoints::Dynamics& dynamics, Index steps) {
    const double each = 8.0 * static_cast<double>(std::max<Index>(1, steps)) *
                        static_cast<double>(dynamics.state_size() + dynamics.inputs());
    return std::max<Index>(1, static_cast<Index>(kTrialBytes / each));
}

// So many samples, evenly taken, with their targets.
void thin(network::Samples& s, Index most) {
    const Index count = s.count();
    if (most <= 0 || count <= most) return;
    const std::size_t classes = s.classes.size() / static_cast<std::size_t>(count);
    network::Samples some;
    some.inputs.resize(most, s.inputs.cols());
    if (s.values.rows() == count) some.values.resize(most, s.values.cols());
    for (Index i = 0; i < most; ++i) {
        const Index row = i * count / most;
        const auto at = static_cast<std::ptrdiff_t>(row),
                   each = static_cast<std::ptrdiff_t>(classes);
        some.inputs.row(i) = s.inputs.row(row);
        if (some.values.rows() > 0) some.values.row(i) = s.values.row(row);
        if (!s.lengths.empty()) some.lengths.push_back(s.lengths[static_cast<std::size_t>(row)]);
        some.classes.insert(some.classes.end(), s.classes.begin() + at * each,
                            s.classes.begin() + (at + 1) * each);
    }
    s.inputs = std::move(some.inputs);
    s.lengths = std::move(some.lengths);
    s.classes = std::move(some.classes);
    s.values = std::move(some.values);
}

} // namespace

std::string samples_digest(const network::Samples& samples) {
    Digest digest;
    digest.add(samples.inputs.data(),
               static_cast<std::size_t>(samples.inputs.size()) * sizeof(double));
    digest.add(samples.lengths.data(), samples.lengths.size() * sizeof(Index));
    return digest.hex();
}

Trials run_samples(network::Samples samples, const std::string& where,
                   const fixedpoints::Dynamics& dynamics, Index most, const Execution& execution,
                   double noise, std::uint64_t seed) {
    const Phase phase(*execution.monitor, "trials");
    const Index steps = samples.input_shape.at(0), width = dynamics.raw_inputs();
    thin(samples, most < 0 ? affordable(dynamics, steps) : most);
    if (samples.inputs.cols() != steps * width)
        throw Error(concat(where, "/inputs: ", samples.inputs.cols() / std::max<Index>(1, steps),
                           " numbers a step, the network takes ", width));
    if (dynamics.vocabulary() > 0 && samples.inputs.size() > 0 &&
        !(samples.inputs.maxCoeff() < static_cast<double>(dynamics.vocabulary())))
        throw Error(concat(where, "/inputs: token id ", samples.inputs.maxCoeff(),
                           " outside the vocabulary of ", dynamics.vocabulary()));
    const RowMatrix raw =
        Eigen::Map<const RowMatrix>(samples.inputs.data(), samples.count() * steps, width);
    auto trajectories = fixedpoints::run_trials(dynamics, raw, samples.count(), samples.lengths,
                                                execution, noise, seed);
    std::string digest = samples_digest(samples);
    return Trials{std::move(samples), std::move(trajectories), std::move(digest), where};
}

std::optional<Trials> load_trials(cli::Context& context, const DataOptions& o,
                                  const fixedpoints::Dynamics& dynamics, Index most, double noise,
                                  std::uint64_t seed) {
    std::string where;
    auto samples = load_samples(context, o, &where);
    if (!samples) return std::nullopt;
    return run_samples(*std::move(samples), where, dynamics, most, context.execution(), noise,
                       seed);
}

bool have_targets(const network::Samples& samples) {
    return !samples.classes.empty() || samples.values.size() > 0;
}

Judgement judge(const network::Model& model, const network::Samples& samples,
                const std::string& loss, const Execution& execution) {
    if (!have_targets(samples)) return {};
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
