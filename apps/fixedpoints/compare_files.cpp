#include "compare_files.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <set>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

std::string architecture_of(const Dynamics& dynamics) {
    std::vector<std::string> cells;
    for (const auto& cell : split(dynamics.description(), ',')) {
        const std::string kind = split(cell, '-')[0];
        if (cells.empty() || cells.back() != kind) cells.push_back(kind);
    }
    return join(cells, "-");
}

std::string activation_of(const Dynamics& dynamics) {
    switch (dynamics.cells().front().form().activation.function) {
    case network::Function::tanh:
        return "tanh";
    case network::Function::relu:
        return "relu";
    case network::Function::identity:
        return "identity";
    default:
        return "softplus";
    }
}

Index units_of(const Dynamics& dynamics) {
    Index units = 0;
    for (const Cell& cell : dynamics.cells()) units += cell.units();
    return units;
}

} // namespace

FileNetworks::FileNetworks(cli::Context& context, const NetworkOptions& network,
                           const std::vector<std::size_t>& indices)
    : context_(context), indices_(indices) {
    for (const std::size_t i : indices_)
        networks_.push_back(load_network(context, network, context.input_address(i)));
}

void FileNetworks::load_data(const DataOptions& o) {
    DataOptions one = o;
    std::vector<std::string> digests;
    std::size_t first = indices_.size();
    for (std::size_t n = 0; o.data.empty() && n < indices_.size(); ++n) {
        hdf5::Address address = context_.input_address(indices_[n]);
        address.path.clear();
        digests.emplace_back();
        if (!cli::Context::is_hdf5(address) || !context_.open(address).root().has_group("/data"))
            continue;
        one.data = address.file;
        auto samples = load_samples(context_, one);
        if (!samples) continue;
        digests.back() = samples->digest;
        if (first < n) continue;
        first = n;
        samples_ = std::move(samples);
    }
    check_same_inputs(digests);
    if (!o.data.empty()) samples_ = load_samples(context_, o);
    if (samples_) samples_->states.reset(); // of one network, at most
    if (!samples_) throw Error("activations need trials: no input carries /data; give --data FILE");
}

std::string FileNetworks::label(Index network, const std::string& name) const {
    const Dynamics& dynamics = at(network).dynamics;
    if (name == "arch") return architecture_of(dynamics);
    if (name == "activation") return activation_of(dynamics);
    return concat(units_of(dynamics));
}

Index FileNetworks::count() const {
    return static_cast<Index>(networks_.size());
}

Trajectories FileNetworks::run(Index network) const {
    const auto& address = context_.input_address(indices_[static_cast<std::size_t>(network)]);
    return at_place(address.name(), [&] {
        const Dynamics& dynamics = at(network).dynamics;
        Trajectories trajectories =
            run_samples(*samples_, dynamics, 0, context_.execution()).trajectories;
        trajectories.states = dynamics.visible(trajectories.states);
        return trajectories;
    });
}

RowMatrix FileNetworks::activations(Index network, Coordinates /*coordinates*/) const {
    const Trajectories trajectories = run(network);
    return valid_rows(trajectories, trajectories.states);
}

Trajectories FileNetworks::trajectories(Index network) const {
    return principal_trajectories(run(network));
}

hdf5::Group FileNetworks::results_of(Index network) const {
    hdf5::Address address = context_.input_address(indices_[static_cast<std::size_t>(network)]);
    address.path.clear();
    const bool has =
        cli::Context::is_hdf5(address) && context_.open(address).root().has_group("/fixedpoints");
    if (!has)
        throw Error(address.name() +
                    ": there are no results (/fixedpoints); fixedpoints find makes them");
    return context_.open(address).root().group("/fixedpoints");
}

std::vector<hdf5::Group> FileNetworks::results() const {
    std::vector<hdf5::Group> groups;
    for (Index i = 0; i < count(); ++i) groups.push_back(results_of(i));
    return groups;
}

PointSpectra FileNetworks::spectra(Index network) const {
    return read_spectra(results_of(network));
}

PointGraph FileNetworks::graph(Index network) const {
    return read_point_graph(results_of(network));
}

PointGraph FileNetworks::chain(Index network) const {
    return read_point_chain(results_of(network));
}

std::vector<std::string> file_names(cli::Context& context) {
    std::vector<std::string> stems, files;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
        const std::string file = context.input_address(i).name();
        files.push_back(printable(file, 200));
        std::string stem = file.substr(file.rfind('/') + 1);
        if (ends_with(stem, ".h5")) stem.resize(stem.size() - 3);
        stems.push_back(printable(stem, 200));
    }
    if (std::set<std::string>(files.begin(), files.end()).size() < files.size())
        throw UsageError("a network is given twice; see --help");
    const bool apart = std::set<std::string>(stems.begin(), stems.end()).size() == stems.size();
    return apart ? stems : files;
}

} // namespace fixedpoints_app
