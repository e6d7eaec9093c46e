#include "line_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/point_modes.hpp>

#include <algorithm>
#include <cmath>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

FoundPoints need_points(cli::Context& context, const LoadedNetwork& network) {
    FoundPoints found = load_points(context, network);
    if (found.points.count() == 0)
        throw Error(context.input_address().name() +
                    ": /fixedpoints/find holds no points; one or more are expected");
    return found;
}

std::vector<EigenSystem> load_systems(cli::Context& context, const LoadedNetwork& network,
                                      const FoundPoints& found, Index modes) {
    const hdf5::Group root = context.input().root();
    if (root.has_group("/fixedpoints/linearize")) {
        auto systems = read_linearisation(root.group("/fixedpoints/linearize")).systems;
        if (!belong_to(systems, network.dynamics, found.points, context.execution()))
            context.monitor().warn(context.input_address().name() +
                                   ":/fixedpoints/linearize is of other points; left aside");
        else if (hold_modes(systems, modes))
            return systems;
    }
    return at_place(context.input_address().name(), [&] {
        return eigen_systems(network.dynamics, found.points, modes, context.execution());
    });
}

LineFrame load_lines(cli::Context& context, const FoundPoints& found) {
    const hdf5::Group root = context.input().root();
    if (!root.has_group("/fixedpoints/attractor"))
        throw Error(context.input_address().name() +
                    ": there is no line (/fixedpoints/attractor); run fixedpoints attractor first");
    return read_line_frame(root.group("/fixedpoints/attractor"), input_count(found.points),
                           found.points);
}

void declare_trials(cli::Command& c, TrialOptions& o) {
    declare_data(c, o.data);
    c.option("--trials", o.trials, "N", "so many, evenly taken; 0: all")
        .range(-1)
        .default_text("all that 2 GB of states hold");
}

Trials need_trials(cli::Context& context, const TrialOptions& o, const LoadedNetwork& network) {
    auto trials = load_trials(context, o.data, network.dynamics, o.trials);
    if (!trials)
        throw Error(context.input_address().name() +
                    ": no trials (/data): give --data FILE:/group, or --carry data before");
    context.report("trials", static_cast<std::int64_t>(trials->samples.count()));
    return std::move(*trials);
}

std::vector<std::int32_t> labels_of(const network::Samples& s) {
    const Index count = s.count();
    std::vector<std::int32_t> labels;
    if (count == 0) return labels;
    if (!s.classes.empty()) {
        const Index each = static_cast<Index>(s.classes.size()) / count;
        for (Index i = 0; i < count; ++i) {
            const Index length = s.lengths.empty() ? each : s.lengths[static_cast<std::size_t>(i)];
            const Index at = each == 1 ? 0 : std::clamp<Index>(length - 1, 0, each - 1);
            labels.push_back(
                static_cast<std::int32_t>(s.classes[static_cast<std::size_t>(i * each + at)]));
        }
    } else if (s.values.rows() == count && s.values.cols() == 1) {
        for (Index i = 0; i < count; ++i) {
            if (s.values(i, 0) != 0 && s.values(i, 0) != 1) return {};
            labels.push_back(static_cast<std::int32_t>(s.values(i, 0)));
        }
    }
    return labels;
}

RowMatrix read_inputs(cli::Context& context, const std::string& option, const std::string& text,
                      Index width, Index vocabulary) {
    const hdf5::Address address = hdf5::Address::parse(text);
    if (address.path.empty())
        throw UsageError("option '" + option + "': found '" + printable(text, 60) +
                         "'; FILE:/path of a dataset is expected");
    const auto dataset = context.open(address).root().dataset(address.path).expect_numeric();
    const auto& shape = dataset.shape();
    const bool column = shape.size() == 1 && width == 1;
    if (!column && (shape.size() != 2 || shape[1] != width))
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(shape), "; rows of ", width,
                           width == 1 ? " number" : " numbers", " are expected"));
    const auto values = dataset.read<double>();
    const RowMatrix rows = Eigen::Map<const RowMatrix>(
        values.data(), static_cast<Index>(values.size()) / width, width);
    if (rows.rows() == 0) throw Error(dataset.where() + ": is empty");
    if (!rows.allFinite()) throw Error(dataset.where() + ": non-finite value");
    for (Index i = 0; vocabulary > 0 && i < rows.rows(); ++i)
        if (!(rows(i, 0) >= 0 && rows(i, 0) < static_cast<double>(vocabulary)) ||
            rows(i, 0) != std::floor(rows(i, 0)))
            throw Error(concat(dataset.where(), ": token id ", rows(i, 0),
                               " outside the vocabulary of ", vocabulary));
    return rows;
}

} // namespace fixedpoints_app
