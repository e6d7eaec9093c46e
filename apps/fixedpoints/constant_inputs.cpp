#include "constant_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/starts.hpp>

#include <cmath>
#include <set>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

RowMatrix mean_input(const Trajectories& t) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(t.inputs.cols());
    double count = 0;
    for (Index trial = 0; trial < t.trials; ++trial)
        for (Index step = 0; step < t.lengths[static_cast<std::size_t>(trial)]; ++step, ++count)
            sum += t.inputs.row(t.row(trial, step));
    return sum / std::max(1.0, count);
}

// Every distinct input that stays the same all through a trial, in order of value.
RowMatrix static_inputs(const Trials& trials) {
    const Trajectories& t = trials.trajectories;
    std::set<std::vector<double>> distinct;
    for (Index trial = 0; trial < t.trials; ++trial) {
        const Index length = t.lengths[static_cast<std::size_t>(trial)];
        if (length == 0) continue;
        const Eigen::RowVectorXd first = t.inputs.row(t.row(trial, 0));
        for (Index step = 1; step < length; ++step)
            if (t.inputs.row(t.row(trial, step)) != first)
                throw Error(concat(trials.where, "/inputs: trial ", trial, " changes at step ",
                                   step, "; each is for inputs that stay"));
        distinct.insert(std::vector<double>(first.data(), first.data() + first.size()));
    }
    RowMatrix inputs(static_cast<Index>(distinct.size()), t.inputs.cols());
    Index row = 0;
    for (const auto& one : distinct)
        inputs.row(row++) = Eigen::Map<const Eigen::RowVectorXd>(one.data(), inputs.cols());
    return inputs;
}

// "0.5,-1": one input as data have it.
RowMatrix value_input(const std::string& option, const std::string& numbers,
                      const Dynamics& dynamics) {
    const auto parts = split(numbers, ',');
    RowMatrix raw(1, static_cast<Index>(parts.size()));
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto number = parse_double(parts[i]);
        if (!number || !std::isfinite(*number))
            throw UsageError("option '" + option + "': found '" + printable(parts[i], 40) +
                             "'; a number is expected");
        raw(0, static_cast<Index>(i)) = *number;
    }
    if (raw.cols() != dynamics.raw_inputs())
        throw UsageError(concat(option, " value: got ", raw.cols(), " numbers, the cell takes ",
                                dynamics.raw_inputs()));
    return dynamics.drive(raw);
}

RowMatrix token_input(const std::string& id_text, const Dynamics& dynamics) {
    const auto id = parse_integer(id_text);
    if (!id || *id < 0 || *id >= dynamics.vocabulary())
        throw UsageError(concat("token id ", printable(id_text, 30), " outside the vocabulary of ",
                                dynamics.vocabulary()));
    return dynamics.drive(RowMatrix::Constant(1, 1, static_cast<double>(*id)));
}

RowMatrix file_inputs(const std::string& option, const std::string& text, cli::Context& context,
                      const Dynamics& dynamics) {
    const RowMatrix raw = valid_states(read_sequences(option, text, context));
    if (raw.cols() != dynamics.raw_inputs())
        throw Error(concat(option, " ", text, ": rows of ", raw.cols(), " numbers, the cell takes ",
                           dynamics.raw_inputs()));
    return dynamics.drive(raw);
}

} // namespace

Trajectories read_sequences(const std::string& option, const std::string& text,
                            cli::Context& context) {
    const hdf5::Address address = hdf5::Address::parse(text);
    if (address.path.empty())
        throw UsageError("option '" + option + "': FILE:/path of a dataset is expected");
    const hdf5::Group root = context.open(address).root();
    const auto dataset = root.dataset(address.path).expect_numeric();
    const auto& shape = dataset.shape();
    if (shape.size() < 2)
        throw Error(dataset.where() + ": rows (or trial x step x column) are expected");
    const auto values = dataset.read<double>();
    const Index columns = shape.back();
    Trajectories table;
    table.states = Eigen::Map<const RowMatrix>(
        values.data(), columns > 0 ? static_cast<Index>(values.size()) / columns : 0, columns);
    table.trials = shape.size() == 3 ? shape[0] : table.states.rows();
    table.steps = shape.size() == 3 ? shape[1] : 1;
    table.lengths.assign(static_cast<std::size_t>(table.trials), table.steps);
    const std::string beside = address.path.substr(0, address.path.rfind('/') + 1) + "lengths";
    if (shape.size() == 3 && root.has_dataset(beside)) {
        const auto lengths = root.dataset(beside).expect_numeric();
        const auto numbers = lengths.read<std::int64_t>();
        if (numbers.size() != table.lengths.size())
            throw Error(concat(lengths.where(), ": ", numbers.size(), " numbers for ", table.trials,
                               " trials"));
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (numbers[i] < 0 || numbers[i] > table.steps)
                throw Error(concat(lengths.where(), ": found ", numbers[i], "; 0 to ", table.steps,
                                   " steps are expected"));
            table.lengths[i] = numbers[i];
        }
    }
    for (Index trial = 0; trial < table.trials; ++trial)
        if (!table.states
                 .middleRows(table.row(trial, 0), table.lengths[static_cast<std::size_t>(trial)])
                 .allFinite())
            throw Error(dataset.where() + ": non-finite value");
    return table;
}

RowMatrix constant_inputs(const std::string& option, const std::string& text, cli::Context& context,
                          const Dynamics& dynamics, const std::optional<Trials>& trials) {
    if (text == "zero") return RowMatrix::Zero(1, dynamics.inputs());
    if (text == "mean" || text == "each") {
        if (!trials) throw Error(option + " " + text + ": there are no trials; give --data");
        return text == "mean" ? mean_input(trials->trajectories) : static_inputs(*trials);
    }
    if (starts_with(text, "value:")) return value_input(option, text.substr(6), dynamics);
    if (starts_with(text, "token:")) return token_input(text.substr(6), dynamics);
    if (text.find(":/") != std::string::npos) return file_inputs(option, text, context, dynamics);
    throw UsageError("option '" + option + "': found '" + printable(text, 60) + "'; one of " +
                     kInputWords + " is expected");
}

} // namespace fixedpoints_app
