#include "sweep_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/tensor_amp/grid_io.hpp>
#include <assay/tensor_amp/study_io.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

constexpr const char* kNoise = "noise variance";

Numbers values_of(const ParameterAxis& axis) {
    return {axis.values.begin(), axis.values.end()};
}

// A whole sweep, as far as it is drawn.
struct Drawn {
    hdf5::Group group;
    ParameterAxes axes; // what varies, the noise last
    std::vector<std::string> algorithms;

    // Column k of an array setting x something.
    [[nodiscard]] Numbers column(const std::string& name, std::size_t k) const {
        const hdf5::Dataset dataset = group.dataset(name).expect_numeric();
        const Index settings = point_count(axes);
        const Index columns = dataset.rank() > 1 ? dataset.shape().back() : 0;
        if (dataset.size() != settings * columns || static_cast<Index>(k) >= columns)
            throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                               " numbers do not fit the sweep"));
        const Numbers all = dataset.read<double>();
        Numbers values;
        for (std::size_t i = k; i < all.size(); i += static_cast<std::size_t>(columns))
            values.push_back(all[i]);
        return values;
    }
};

Drawn whole_sweep(const hdf5::Group& root) {
    Drawn drawn{root.group(kSweepGroup), {}, {}};
    const hdf5::Group& group = drawn.group;
    if (!group.has_group("summary")) throw Error(group.where() + ": one shard of many (see merge)");
    const ParameterAxis noise{kNoise, group.dataset("noise_var").expect_numeric().read_vector()};
    if (noise.values.size() == 0) throw Error(group.where() + ": no noise variances");
    for (const ParameterAxis& axis : read_grid(group))
        if (axis.values.size() > 1) drawn.axes.push_back(axis);
    if (noise.values.size() > 1 || drawn.axes.empty()) drawn.axes.push_back(noise);
    drawn.algorithms = read_words(group, "algorithms");
    return drawn;
}

// Share of instances found and median error of every algorithm, with theory's errors as lines.
plot::Figure success_curves(const Drawn& sweep) {
    const std::string& name = sweep.axes.front().name;
    const Numbers x = values_of(sweep.axes.front());
    plot::Panel success = panel_at(0, 0, "share of instances found", name, ""),
                error = panel_at(0, 0, "median signal error", name, "");
    for (std::size_t k = 0; k < sweep.algorithms.size(); ++k) {
        const auto series = [&](const char* quantity) {
            plot::Series one =
                line(x, sweep.column(quantity, k), static_cast<int>(k), sweep.algorithms[k]);
            one.style = plot::Style::line_points;
            one.size = 0.7;
            return one;
        };
        success.series.push_back(series("summary/success"));
        error.series.push_back(series("summary/median_signal_error"));
    }
    if (sweep.group.has_group("theory")) {
        error.series.push_back(
            line(x, sweep.column("theory/signal_error", 0), kBlack, "theory, uninformed", 1.6));
        error.series.push_back(
            line(x, sweep.column("theory/signal_error", 1), kGrey, "theory, informed", 1.6));
    }
    success.y_range = plot::Range{-0.04, 1.04};
    const auto ends = std::minmax_element(x.begin(), x.end());
    for (plot::Panel* const panel : {&success, &error}) {
        panel->x_log = *ends.first > 0 && *ends.second > 20 * *ends.first;
        if (*ends.second > *ends.first) panel->x_range = plot::Range{*ends.first, *ends.second};
    }
    error.legend = true;
    return row_of_panels({std::move(success), std::move(error)}, 3.6);
}

// Share of instances found, one map an algorithm, the first parameter upwards.
plot::Figure success_maps(const Drawn& sweep) {
    const ParameterAxis &up = sweep.axes[0], &across = sweep.axes[1];
    const Numbers y = values_of(up), x = values_of(across);
    std::vector<plot::Panel> panels;
    for (std::size_t k = 0; k < sweep.algorithms.size(); ++k)
        panels.push_back(map_panel("found by " + sweep.algorithms[k],
                                   sweep.column("summary/success", k), 1, cell_axis(x, across.name),
                                   x.size(), cell_axis(y, up.name), y.size()));
    return row_of_maps(std::move(panels));
}

plot::Figure sweep_figure(const hdf5::Group& root) {
    const Drawn sweep = whole_sweep(root);
    if (sweep.axes.size() == 1) return success_curves(sweep);
    if (sweep.axes.size() == 2) return success_maps(sweep);
    throw Error(concat(sweep.group.where(), ": ", sweep.axes.size(),
                       " parameters, the noise among them; one or two can be drawn"));
}

} // namespace

std::vector<FigureKind> sweep_figures() {
    return {{"sweep",
             {kSweepGroup},
             "success and error of every algorithm against what varies, with theory; a map an "
             "algorithm where two parameters do",
             sweep_figure}};
}

} // namespace tensor_amp_app
