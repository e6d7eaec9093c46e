#include "point_figures.hpp"

#include "panels.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/attractor.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

constexpr Index kMostTrajectories = 40;
constexpr double kCircleSteps = 180;
constexpr double kLeastSpeed = 1e-34; // below the rounding of any q

// Three directions of the states' space about a mean, and whose principal components they are.
struct View {
    Eigen::RowVectorXd mean;
    Matrix axes; // state x 3
    std::string of_what;
    [[nodiscard]] RowMatrix of(const RowMatrix& states) const {
        return (states.rowwise() - mean) * axes;
    }
};

// `axes`: state x components, of which three are needed; fewer leave the rest flat.
View view_along(const Vector& mean, const Matrix& axes, const std::string& of_what) {
    View view{mean.transpose(), Matrix::Zero(axes.rows(), 3), of_what};
    const Index kept = std::min<Index>(3, axes.cols());
    view.axes.leftCols(kept) = axes.leftCols(kept);
    return view;
}

// Principal directions of the states of `size` units that an earlier step has run.
std::optional<View> view_of_states(const hdf5::Group& root, Index size) {
    for (const std::string of : {"/fixedpoints/simulate/", "/fixedpoints/attractor/states/"}) {
        if (!root.has_dataset(of + "mean") || !root.has_dataset(of + "components")) continue;
        const Vector mean = root.dataset(of + "mean").read_vector();
        const RowMatrix components = root.dataset(of + "components").read_matrix();
        if (mean.size() == size && components.cols() == size)
            return view_along(mean, components.transpose(), "the states");
    }
    return std::nullopt;
}

// Principal directions of the points, or where they are too few, of them and the starts.
View view_of_points(const hdf5::Group& root, const RowMatrix& points) {
    RowMatrix rows = points;
    if (points.rows() < 4 && root.has_dataset("/fixedpoints/find/starts/state")) {
        const RowMatrix starts = root.dataset("/fixedpoints/find/starts/state").read_matrix();
        rows.resize(points.rows() + starts.rows(), points.cols());
        rows << points, starts;
    }
    const Dimensionality pca = dimensionality(rows, {});
    return view_along(pca.mean, pca.axes, "the points");
}

View view_of(const hdf5::Group& root, const RowMatrix& points, ComponentsOf components) {
    if (components != ComponentsOf::points) {
        if (auto view = view_of_states(root, points.cols())) return *view;
        if (components == ComponentsOf::states)
            throw Error(root.where() + ": --components states needs /fixedpoints/simulate or "
                                       "/fixedpoints/attractor/states, of this network");
    }
    return view_of_points(root, points);
}

void add_trajectories(const hdf5::Group& root, const View& view,
                      std::array<plot::Panel, 2>& panels) {
    if (!root.has_dataset("/fixedpoints/simulate/states")) return;
    const auto dataset = root.dataset("/fixedpoints/simulate/states").expect_rank(3);
    const Index steps = dataset.shape()[1], size = dataset.shape()[2];
    if (size != view.axes.rows()) return;
    const auto lengths = root.dataset("/fixedpoints/simulate/lengths").read<std::int64_t>();
    const Index trials = std::min(dataset.shape()[0], kMostTrajectories);
    std::vector<double> values(static_cast<std::size_t>(steps * size));
    for (Index trial = 0; trial < trials; ++trial) {
        dataset.read_box({trial, 0, 0}, {1, steps, size}, values.data());
        const RowMatrix seen = view.of(Eigen::Map<const RowMatrix>(values.data(), steps, size));
        const Index length = std::min<Index>(steps, lengths.at(static_cast<std::size_t>(trial)));
        for (int p = 0; p < 2; ++p) {
            plot::Series line;
            line.colour = -2;
            line.width = 0.4;
            for (Index t = 0; t < length; ++t) {
                line.x.push_back(seen(t, 0));
                line.y.push_back(seen(t, p + 1));
            }
            panels[static_cast<std::size_t>(p)].series.push_back(std::move(line));
        }
    }
}

// Directions of the unstable modes, scaled by |lambda|, as segments through the points.
void add_modes(const Linearisation& modes, const View& view, const RowMatrix& seen,
               const std::vector<std::int32_t>& unstable, std::array<plot::Panel, 2>& panels) {
    const double reach =
        0.06 * std::max(1e-12, (seen.colwise().maxCoeff() - seen.colwise().minCoeff()).maxCoeff());
    for (Index i = 0; i < seen.rows(); ++i) {
        const EigenSystem& s = modes.systems[static_cast<std::size_t>(i)];
        for (Index a = 0; a < s.right.cols(); ++a) {
            if (std::abs(s.values(a)) <= 1) continue;
            const Eigen::RowVectorXd along =
                (s.values(a).imag() < 0 ? Vector(s.right.col(a).imag())
                                        : Vector(s.right.col(a).real()))
                    .transpose() *
                view.axes * reach * std::abs(s.values(a));
            for (int p = 0; p < 2; ++p) {
                plot::Series line;
                line.colour = colour_of(unstable[static_cast<std::size_t>(i)]);
                line.width = 1.5;
                line.x = {seen(i, 0) - along(0), seen(i, 0) + along(0)};
                line.y = {seen(i, p + 1) - along(p + 1), seen(i, p + 1) + along(p + 1)};
                panels[static_cast<std::size_t>(p)].series.push_back(std::move(line));
            }
        }
    }
}

} // namespace

plot::Figure space_figure(const hdf5::Group& root, ComponentsOf components) {
    const FoundPoints found = read_find(root.group("/fixedpoints/find"));
    const Points& points = found.points;
    if (points.count() == 0) throw Error(root.where() + ": there is no point to draw");
    const View view = view_of(root, points.state, components);
    const RowMatrix seen = view.of(points.state);
    const std::string across = "component 1 of " + view.of_what;
    std::array<plot::Panel, 2> panels{panel_at(0.08, 0.38, across, "component 2"),
                                      panel_at(0.55, 0.31, across, "component 3")};
    add_trajectories(root, view, panels);
    if (root.has_dataset("/fixedpoints/linearize/right")) {
        const Linearisation modes = read_linearisation(root.group("/fixedpoints/linearize"));
        if (static_cast<Index>(modes.systems.size()) == points.count() &&
            modes.systems[0].right.rows() == points.state.cols())
            add_modes(modes, view, seen, points.n_unstable, panels);
    }
    std::map<std::int32_t, std::vector<Index>> groups;
    for (Index i = 0; i < points.count(); ++i)
        groups[points.n_unstable[static_cast<std::size_t>(i)]].push_back(i);
    for (int p = 0; p < 2; ++p) {
        for (const auto& [unstable, rows] : groups) {
            plot::Series dots;
            dots.style = plot::Style::points;
            dots.colour = colour_of(unstable);
            dots.size = 1.1;
            dots.label = p == 1 ? kind_label(unstable) : "";
            for (const Index i : rows) {
                dots.x.push_back(seen(i, 0));
                dots.y.push_back(seen(i, p + 1));
            }
            panels[static_cast<std::size_t>(p)].series.push_back(std::move(dots));
        }
    }
    panels[1].legend = panels[1].legend_outside = true;
    plot::Figure figure;
    figure.width = 9;
    figure.height = 3.8;
    figure.panels = {panels[0], panels[1]};
    return figure;
}

plot::Figure speed_figure(const hdf5::Group& root) {
    const hdf5::Group find = root.group("/fixedpoints/find");
    const auto q = find.dataset("starts/q_final").read<double>();
    const auto hits = find.dataset("points/n_hits").read<double>();
    plot::Panel speeds = panel_at(0.07, 0.2, "log10 of q", "starts"),
                counts = panel_at(0.36, 0.2, "point", "starts that led here"),
                found = panel_at(0.65, 0.2, "round", "known");
    plot::Series bars;
    bars.style = plot::Style::bars;
    std::map<int, double> bins;
    bool exactly = false;
    for (const double one : q) {
        exactly = exactly || one == 0;
        if (std::isfinite(one))
            ++bins[static_cast<int>(std::floor(std::log10(std::max(one, kLeastSpeed))))];
    }
    if (exactly) speeds.x_label += concat(" (0 as ", significant(std::log10(kLeastSpeed), 3), ")");
    if (!bins.empty())
        for (int bin = bins.begin()->first; bin <= bins.rbegin()->first; ++bin) {
            bars.x.push_back(bin + 0.5);
            bars.y.push_back(bins[bin]);
        }
    if (!bars.x.empty()) speeds.series.push_back(bars);
    plot::Series led;
    led.style = plot::Style::bars;
    for (std::size_t i = 0; i < hits.size(); ++i) {
        led.x.push_back(static_cast<double>(i));
        led.y.push_back(hits[i]);
    }
    if (!led.x.empty()) {
        counts.y_range = plot::Range{0, 1.1 * *std::max_element(led.y.begin(), led.y.end()) + 1};
        counts.series.push_back(led);
    }
    const auto add_rounds = [&](const std::string& name, const std::string& label, int colour) {
        if (!find.has_dataset(name)) return;
        plot::Series line;
        line.style = plot::Style::line_points;
        line.y = find.dataset(name).read<double>();
        for (std::size_t i = 0; i < line.y.size(); ++i) line.x.push_back(static_cast<double>(i));
        line.label = label;
        line.colour = colour;
        if (!line.x.empty()) found.series.push_back(line);
    };
    add_rounds("rounds", "points", 0);
    add_rounds("rounds_index_sum", "index sum", 1);
    found.legend = found.legend_outside = true;
    plot::Figure figure;
    figure.width = 9;
    figure.height = 3;
    figure.panels = {speeds, counts, found};
    return figure;
}

plot::Figure spectrum_figure(const hdf5::Group& root) {
    const Linearisation modes = read_linearisation(root.group("/fixedpoints/linearize"));
    plot::Panel panel = panel_at(0.14, 0.8, "real part", "imaginary part");
    plot::Series circle;
    circle.colour = 7;
    circle.width = 0.8;
    for (double k = 0; k <= kCircleSteps; ++k) {
        const double angle = 2 * std::acos(-1.0) * k / kCircleSteps;
        circle.x.push_back(std::cos(angle));
        circle.y.push_back(std::sin(angle));
    }
    panel.series.push_back(circle);
    std::map<std::int32_t, plot::Series> groups;
    for (const EigenSystem& s : modes.systems) {
        const auto unstable = static_cast<std::int32_t>(count_unstable(s.values));
        plot::Series& dots = groups[unstable];
        for (Index a = 0; a < s.values.size(); ++a) {
            dots.x.push_back(s.values(a).real());
            dots.y.push_back(s.values(a).imag());
        }
    }
    for (auto& [unstable, dots] : groups) {
        dots.style = plot::Style::points;
        dots.colour = colour_of(unstable);
        dots.label = kind_label(unstable);
        panel.series.push_back(dots);
    }
    panel.legend = true;
    plot::Figure figure;
    figure.width = 5;
    figure.height = 4.4;
    figure.panels = {panel};
    return figure;
}

namespace {

// Where all time constants are shown: the stations of a line, else the first, middle and last
// point.
std::vector<Index> shown_points(const hdf5::Group& root, Index points) {
    if (points == 0) return {};
    std::vector<Index> rows{0, points / 2, points - 1};
    if (root.has_dataset("/fixedpoints/attractor/stations/point")) {
        rows.clear();
        for (const double row : numbers(root, "/fixedpoints/attractor/stations/point"))
            if (rows.size() < 3 && row >= 0 && row < static_cast<double>(points))
                rows.push_back(static_cast<Index>(row));
    }
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return rows;
}

plot::Panel all_times_panel(const hdf5::Group& root, const RowMatrix& tau,
                            const std::vector<double>& place) {
    plot::Panel panel = panel_at(0.57, 0.28, "mode", "time constant (steps)");
    panel.y_log = true;
    panel.legend = panel.legend_outside = true;
    int colour = 0;
    for (const Index p : shown_points(root, tau.rows())) {
        plot::Series line;
        line.style = plot::Style::line_points;
        line.colour = colour++;
        line.label = static_cast<Index>(place.size()) == tau.rows()
                         ? "at " + significant(place[static_cast<std::size_t>(p)], 2)
                         : concat("point ", p);
        for (Index a = 0; a < tau.cols(); ++a)
            if (std::isfinite(tau(p, a)) && tau(p, a) > 0) {
                line.x.push_back(static_cast<double>(a + 1));
                line.y.push_back(tau(p, a));
            }
        if (!line.x.empty()) panel.series.push_back(std::move(line));
    }
    return panel;
}

} // namespace

plot::Figure times_figure(const hdf5::Group& root) {
    const auto times = root.dataset("/fixedpoints/linearize/time_constants").expect_rank(2);
    const RowMatrix tau = times.read_matrix();
    // Along the line where a coordinate is known, else point by point.
    const bool line = root.has_dataset("/fixedpoints/attractor/theta");
    std::vector<double> place;
    if (line) place = root.dataset("/fixedpoints/attractor/theta").read<double>();
    plot::Panel panel =
        panel_at(0.09, 0.28, line ? "place on the line" : "point", "time constant (steps)");
    panel.y_log = true;
    panel.legend = panel.legend_outside = true;
    for (Index a = 0; a < std::min<Index>(3, tau.cols()); ++a) {
        plot::Series dots;
        dots.style = plot::Style::points;
        dots.colour = static_cast<int>(a);
        dots.label = concat("mode ", a + 1);
        for (Index p = 0; p < tau.rows(); ++p)
            if (std::isfinite(tau(p, a)) && tau(p, a) > 0) {
                dots.x.push_back(static_cast<Index>(place.size()) == tau.rows()
                                     ? place[static_cast<std::size_t>(p)]
                                     : static_cast<double>(p));
                dots.y.push_back(tau(p, a));
            }
        if (!dots.x.empty()) panel.series.push_back(std::move(dots));
    }
    plot::Figure figure;
    figure.width = 10;
    figure.height = 3.6;
    figure.panels = {panel, all_times_panel(root, tau, place)};
    return figure;
}

namespace {

constexpr std::size_t kScreeComponents = 20;

plot::Series scree_line(const std::vector<double>& ratios, const std::string& label, int colour) {
    plot::Series line;
    line.style = plot::Style::line_points;
    line.label = label;
    line.colour = colour;
    line.size = 0.7;
    for (std::size_t k = 0; k < std::min(kScreeComponents, ratios.size()); ++k)
        if (ratios[k] > 0) {
            line.x.push_back(static_cast<double>(k + 1));
            line.y.push_back(ratios[k]);
        }
    return line;
}

} // namespace

bool has_scree(const hdf5::Group& root) {
    return root.has_dataset("/fixedpoints/simulate/variance_ratio") ||
           root.has_group("/fixedpoints/attractor/states");
}

plot::Figure scree_figure(const hdf5::Group& root) {
    const std::string line = "/fixedpoints/attractor/";
    plot::Panel panel = panel_at(0.16, 0.78, "principal component", "share of the variance");
    panel.y_log = true;
    if (root.has_group(line + "states")) {
        panel.series.push_back(
            scree_line(numbers(root, line + "states/variance_ratio"), "states", 0));
        if (root.has_group(line + "untrained"))
            panel.series.push_back(
                scree_line(numbers(root, line + "untrained/variance_ratio"), "untrained", 7));
        // Points of one line have as many components as there are points.
        const RowMatrix points = root.dataset(line + "points_variance_ratio").read_matrix();
        for (Index k = 0; k < points.rows(); ++k)
            panel.series.push_back(scree_line(
                std::vector<double>(points.row(k).begin(), points.row(k).end()),
                points.rows() > 1 ? concat("points, input ", k) : std::string("points"), 1));
        panel.y_range = plot::Range{1e-5, 1};
        panel.legend = panel.legend_outside = true;
        panel.width = 0.54;
        return single(std::move(panel), 6, 3.4);
    }
    panel.series.push_back(
        scree_line(numbers(root, "/fixedpoints/simulate/variance_ratio"), "", 0));
    return single(std::move(panel), 4.5, 3.4);
}

} // namespace fixedpoints_app
