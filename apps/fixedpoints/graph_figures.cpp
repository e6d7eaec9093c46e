#include "graph_figures.hpp"

#include "panels.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>
#include <assay/fixedpoints/graph_io.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

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
    plot::Panel panel = panel_at(0.1, 0.66, outputs >= 3 ? "readouts 0 and 1" : "readout 0",
                                 outputs == 1   ? "unstable dimensions"
                                 : outputs == 2 ? "readout 1"
                                                : "readouts 2 and 1");
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

namespace {

constexpr Index kUsualReadouts = 3; // panels of branches, unless chosen

// What `track` wrote, as the figure needs it.
struct Branches {
    explicit Branches(const hdf5::Group& track)
        : s(numbers(track, "points/s")), branch(numbers(track, "points/branch")),
          unstable(numbers(track, "points/n_unstable")),
          segment(numbers(track, "branches/segment")), first(numbers(track, "branches/first")),
          state(track.dataset("points/state").read_matrix()),
          output(track.dataset("points/output").read_matrix()) {}
    std::vector<double> s, branch, unstable, segment, first;
    RowMatrix state, output;
};

void add_points(const Branches& b, Index readout, plot::Panel& panel) {
    std::map<std::int32_t, plot::Series> groups;
    for (std::size_t i = 0; i < b.s.size(); ++i) {
        plot::Series& dots = groups[static_cast<std::int32_t>(b.unstable[i])];
        dots.x.push_back(b.s[i] + b.segment.at(static_cast<std::size_t>(b.branch[i])));
        dots.y.push_back(b.output(static_cast<Index>(i), readout));
    }
    for (auto& [number, dots] : groups) {
        dots.style = plot::Style::points;
        dots.colour = colour_of(number);
        dots.label = kind_label(number);
        dots.size = 0.6;
        panel.series.push_back(dots);
    }
}

// Bifurcations by kind; each lies between two points of its branch, where its state says.
void mark_bifurcations(const hdf5::Group& track, const Branches& b, Index readout,
                       plot::Panel& panel) {
    const hdf5::Group found = track.group("bifurcations");
    const auto s = numbers(found, "s"), branch = numbers(found, "branch"),
               after = numbers(found, "after"), kind = numbers(found, "kind");
    const RowMatrix state = found.dataset("state").read_matrix();
    const auto kinds = split(kBifurcations, ',');
    constexpr std::array<plot::Mark, 5> kMarks{plot::Mark::cross, plot::Mark::triangle,
                                               plot::Mark::diamond, plot::Mark::square,
                                               plot::Mark::ring};
    std::map<std::size_t, plot::Series> groups;
    for (std::size_t i = 0; i < s.size(); ++i) {
        const auto of = static_cast<std::size_t>(branch[i]);
        const auto p = static_cast<Index>(b.first.at(of) + after[i]);
        if (p < 0 || p + 1 >= b.state.rows())
            throw Error(found.where() + ": a bifurcation lies between no points");
        const Eigen::RowVectorXd way = b.state.row(p + 1) - b.state.row(p);
        const double share =
            way.dot(state.row(static_cast<Index>(i)) - b.state.row(p)) / way.squaredNorm();
        plot::Series& marks = groups[static_cast<std::size_t>(kind[i])];
        marks.x.push_back(s[i] + b.segment.at(of));
        marks.y.push_back((1 - share) * b.output(p, readout) + share * b.output(p + 1, readout));
    }
    for (auto& [which, marks] : groups) {
        marks.style = plot::Style::points;
        marks.mark = kMarks.at(which);
        marks.label = kinds.at(which);
        marks.colour = -1;
        marks.size = 1.4;
        panel.series.push_back(marks);
    }
}

std::vector<std::int64_t> shown_readouts(const hdf5::Group& track, const Branches& b,
                                         const std::vector<std::int64_t>& chosen) {
    const Index known = b.output.cols();
    for (const auto k : chosen)
        if (k >= known)
            throw Error(concat(track.where(), ": --readout ", k, ": the branches have ", known,
                               " readouts, from 0"));
    if (!chosen.empty()) return chosen;
    std::vector<std::int64_t> first(static_cast<std::size_t>(std::min(kUsualReadouts, known)));
    std::iota(first.begin(), first.end(), 0);
    return first;
}

} // namespace

plot::Figure branches_figure(const hdf5::Group& root, const std::vector<std::int64_t>& readouts) {
    const hdf5::Group track = root.group("/fixedpoints/track");
    const Branches b(track);
    if (b.s.empty()) throw Error(root.where() + ": no branch was followed");
    constexpr double kPanel = 4, kGap = 0.8, kLegend = 1.7; // inches
    const auto shown = shown_readouts(track, b, readouts);
    plot::Figure figure;
    figure.height = 4;
    figure.width = static_cast<double>(shown.size()) * (kPanel + kGap) + kLegend;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const double left = static_cast<double>(i) * (kPanel + kGap) + kGap;
        plot::Panel panel = panel_at(left / figure.width, kPanel / figure.width,
                                     "place on the path of inputs", concat("readout ", shown[i]));
        add_points(b, shown[i], panel);
        mark_bifurcations(track, b, shown[i], panel);
        panel.legend = panel.legend_outside = i + 1 == shown.size();
        figure.panels.push_back(std::move(panel));
    }
    return figure;
}

} // namespace fixedpoints_app
