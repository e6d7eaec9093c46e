#include "graph_figures.hpp"

#include "panels.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

// Readouts as places on the page: two as they are, three in a view from above the corner, one
// against the number of unstable dimensions.
RowMatrix places(const FoundPoints& found) {
    const Index outputs = found.output.cols();
    RowMatrix place(found.output.rows(), 2);
    for (Index p = 0; p < place.rows(); ++p) {
        const double x = found.output(p, 0);
        if (outputs == 1) {
            place.row(p) << x, found.points.n_unstable[static_cast<std::size_t>(p)];
        } else if (outputs == 2) {
            place.row(p) << x, found.output(p, 1);
        } else {
            const double y = found.output(p, 1), z = found.output(p, 2);
            place.row(p) << x + 0.42 * y, z + 0.31 * y;
        }
    }
    return place;
}

} // namespace

plot::Figure graph_figure(const hdf5::Group& root) {
    const FoundPoints found = read_find(root.group("/fixedpoints/find"));
    const RowMatrix place = places(found);
    const auto ends = numbers(root, "/fixedpoints/topology/edges");
    const Index outputs = found.output.cols();
    plot::Panel panel = panel_at(0.1, 0.66, outputs >= 3 ? "readouts 1 and 2" : "readout 1",
                                 outputs == 1   ? "unstable dimensions"
                                 : outputs == 2 ? "readout 2"
                                                : "readouts 3 and 2");
    const auto& unstable = found.points.n_unstable;
    for (std::size_t e = 0; e + 1 < ends.size(); e += 2) {
        const auto from = static_cast<Index>(ends[e]), to = static_cast<Index>(ends[e + 1]);
        if (from < 0 || to < 0 || from >= place.rows() || to >= place.rows())
            throw Error(root.where() + ": an edge of /fixedpoints/topology/edges names no point");
        plot::Series line = guide(place(from, 0), place(from, 1), place(to, 0), place(to, 1));
        const bool next =
            unstable[static_cast<std::size_t>(from)] == unstable[static_cast<std::size_t>(to)] + 1;
        if (next) line.colour = colour_of(unstable[static_cast<std::size_t>(from)]);
        line.width = next ? 1.0 : 0.4;
        panel.series.push_back(std::move(line));
    }
    std::map<std::int32_t, plot::Series> groups;
    for (Index p = 0; p < place.rows(); ++p) {
        plot::Series& dots = groups[unstable[static_cast<std::size_t>(p)]];
        dots.x.push_back(place(p, 0));
        dots.y.push_back(place(p, 1));
    }
    for (auto& [number, dots] : groups) {
        dots.style = plot::Style::points;
        dots.size = 1.4;
        dots.colour = colour_of(number);
        dots.label = kind_label(number);
        panel.series.push_back(dots);
    }
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6.5, 4.8);
}

plot::Figure frequency_figure(const hdf5::Group& root) {
    const std::string base = "/fixedpoints/cycles/inputs/";
    const auto linear = numbers(root, base + "linear_frequency"),
               cycle = numbers(root, base + "cycle_frequency"),
               target = numbers(root, base + "target_frequency");
    plot::Panel panel = panel_at(0.14, 0.56, "target frequency", "frequency");
    double most = 0;
    const auto add = [&](const std::vector<double>& y, const std::string& label, int colour) {
        plot::Series dots;
        dots.style = plot::Style::points;
        dots.label = label;
        dots.colour = colour;
        dots.size = 1;
        for (std::size_t k = 0; k < std::min(y.size(), target.size()); ++k) {
            // Without a target the inputs are numbered.
            const double x = std::isfinite(target[k]) ? target[k] : static_cast<double>(k);
            if (!std::isfinite(y[k])) continue;
            dots.x.push_back(x);
            dots.y.push_back(y[k]);
            most = std::max(most, std::min(x, y[k]));
        }
        if (!dots.x.empty()) panel.series.push_back(std::move(dots));
    };
    add(linear, "linearised", 0);
    add(cycle, "limit cycle", 1);
    if (panel.series.empty()) throw Error(root.where() + ": no input has a frequency to draw");
    if (std::any_of(target.begin(), target.end(), [](double t) { return std::isfinite(t); }))
        panel.series.push_back(guide(0, 0, most, most));
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6, 4);
}

plot::Figure branches_figure(const hdf5::Group& root) {
    const std::string base = "/fixedpoints/track/";
    const auto s = numbers(root, base + "points/s"), branch = numbers(root, base + "points/branch"),
               unstable = numbers(root, base + "points/n_unstable"),
               segment = numbers(root, base + "branches/segment");
    const RowMatrix output = root.dataset(base + "points/output").read_matrix();
    plot::Panel panel = panel_at(0.12, 0.62, "place on the path of inputs", "readout 1");
    std::map<std::int32_t, plot::Series> groups;
    for (std::size_t i = 0; i < s.size(); ++i) {
        plot::Series& dots = groups[static_cast<std::int32_t>(unstable[i])];
        dots.x.push_back(s[i] + segment.at(static_cast<std::size_t>(branch[i])));
        dots.y.push_back(output(static_cast<Index>(i), 0));
    }
    if (groups.empty()) throw Error(root.where() + ": no branch was followed");
    for (auto& [number, dots] : groups) {
        dots.style = plot::Style::points;
        dots.colour = colour_of(number);
        dots.label = kind_label(number);
        dots.size = 0.6;
        panel.series.push_back(dots);
    }
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6.5, 4);
}

} // namespace fixedpoints_app
