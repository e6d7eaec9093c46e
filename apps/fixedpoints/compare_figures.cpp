#include "compare_figures.hpp"

#include "panels.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/compare_io.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

const char* const kCompare = "/fixedpoints/compare";

// Rows of panels, each a square of plot with margins (inches) around it.
struct Grid {
    std::size_t count = 1, columns = 1, rows = 1;
    double side = 2.6, left = 0.8, right = 0.5, bottom = 0.6, top = 0.4, legend = 0;

    Grid(std::size_t panels, std::size_t most_columns) : count(panels) {
        columns = std::min(count, most_columns);
        rows = (count + columns - 1) / columns;
    }
    [[nodiscard]] double width() const {
        return static_cast<double>(columns) * (left + side + right) + legend;
    }
    [[nodiscard]] double height() const {
        return static_cast<double>(rows) * (bottom + side + top);
    }
    // Places panel k; the first is at the top left.
    void place(std::size_t k, plot::Panel& panel) const {
        const std::size_t from_top = k / columns;
        const auto column = static_cast<double>(k % columns),
                   row = static_cast<double>(rows - 1 - from_top);
        panel.left = (column * (left + side + right) + left) / width();
        panel.bottom = (row * (bottom + side + top) + bottom) / height();
        panel.width = side / width();
        panel.height = side / height();
    }
    [[nodiscard]] plot::Figure figure(std::vector<plot::Panel> panels) const {
        plot::Figure drawn;
        drawn.width = width();
        drawn.height = height();
        drawn.panels = std::move(panels);
        return drawn;
    }
};

bool is_combined(const NetworkLabel& label) {
    return label.name.find('+') != std::string::npos;
}

std::vector<std::string> distinct(std::vector<std::string> values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    // Numbers by size.
    if (std::all_of(values.begin(), values.end(),
                    [](const std::string& v) { return parse_double(v).has_value(); }))
        std::sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
            return *parse_double(a) < *parse_double(b);
        });
    return values;
}

std::size_t place_of(const std::vector<std::string>& values, const std::string& value) {
    return static_cast<std::size_t>(std::find(values.begin(), values.end(), value) -
                                    values.begin());
}

// What colour, mark and size of a network stand for: its first two labels, and units.
struct Looks {
    const NetworkLabel *colour = nullptr, *mark = nullptr, *size = nullptr;
    std::vector<std::string> colours, marks, sizes;

    explicit Looks(const std::vector<NetworkLabel>& labels) {
        for (const NetworkLabel& label : labels) {
            if (is_combined(label)) continue;
            if (label.name == "units")
                size = &label;
            else if (!colour)
                colour = &label;
            else if (!mark)
                mark = &label;
        }
        if (!colour) std::swap(colour, size);
        if (colour) colours = distinct(colour->values);
        if (mark) marks = distinct(mark->values);
        if (size) sizes = distinct(size->values);
    }
    [[nodiscard]] plot::Series dots(std::size_t network) const {
        plot::Series one;
        one.style = plot::Style::points;
        one.size = 1.1;
        if (colour) one.colour = colour_at(place_of(colours, colour->values[network]));
        if (mark) one.mark = mark_at(place_of(marks, mark->values[network]));
        if (size) one.size = size_at(place_of(sizes, size->values[network]));
        return one;
    }
    // One entry for each value, as dots at a place that is not seen.
    [[nodiscard]] std::vector<plot::Series> legend(double x, double y) const {
        std::vector<plot::Series> entries;
        const auto add = [&](const std::string& text, int index) -> plot::Series& {
            plot::Series& one = entries.emplace_back();
            one.style = plot::Style::points;
            one.size = 1.1;
            one.colour = index;
            one.label = text;
            one.x = {x};
            one.y = {y};
            return one;
        };
        for (std::size_t i = 0; i < colours.size(); ++i) add(colours[i], colour_at(i));
        for (std::size_t i = 0; i < marks.size() && marks.size() > 1; ++i)
            add(marks[i], -1).mark = mark_at(i);
        for (std::size_t i = 0; i < sizes.size() && sizes.size() > 1; ++i)
            add(sizes[i] + " " + size->name, -2).size = size_at(i);
        return entries;
    }

  private:
    static int colour_at(std::size_t i) { return static_cast<int>(i); }
    static plot::Mark mark_at(std::size_t i) { return static_cast<plot::Mark>(i % 6); }
    [[nodiscard]] double size_at(std::size_t i) const {
        return 0.8 + 1.0 * static_cast<double>(i) /
                         static_cast<double>(std::max<std::size_t>(sizes.size() - 1, 1));
    }
};

// Networks by group: sorted by their labels, one after another.
std::vector<Index> ordered(const ComparisonHeader& header) {
    std::vector<Index> order(header.names.size());
    std::iota(order.begin(), order.end(), Index{0});
    std::vector<std::vector<std::size_t>> keys;
    for (const NetworkLabel& label : header.labels) {
        if (is_combined(label)) continue;
        const auto values = distinct(label.values);
        std::vector<std::size_t>& places = keys.emplace_back();
        for (const auto& value : label.values) places.push_back(place_of(values, value));
    }
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
        for (const auto& places : keys) {
            const std::size_t x = places[static_cast<std::size_t>(a)],
                              y = places[static_cast<std::size_t>(b)];
            if (x != y) return x < y;
        }
        return false;
    });
    return order;
}

// Runs of one value along the order, with their names.
struct Run {
    std::string name;
    Index begin = 0, end = 0;
};

std::vector<Run> runs_of(const ComparisonHeader& header, const std::vector<Index>& order) {
    const auto& label = header.labels.front();
    std::vector<Run> runs;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const std::string& value = label.values[static_cast<std::size_t>(order[i])];
        const auto at = static_cast<Index>(i);
        if (runs.empty() || runs.back().name != value) runs.push_back({value, at, at});
        runs.back().end = at + 1;
    }
    return runs;
}

// A strip of colours, lines and names of groups; few networks bear their own names.
void mark_groups(const ComparisonHeader& header, const std::vector<Index>& order, bool named,
                 plot::Panel& panel) {
    constexpr std::size_t kFew = 12;
    const auto count = static_cast<double>(order.size());
    const double strip = 0.04 * count;
    for (const double edge : {0.0, count}) {
        panel.series.push_back(guide(0, edge, count, edge));
        panel.series.push_back(guide(edge, 0, edge, count));
    }
    panel.x_range = plot::Range{-1.5 * strip, count};
    panel.y_range = plot::Range{0, count};
    const auto name_at = [&](double from_top, const std::string& text) {
        if (named)
            panel.labels.push_back(
                {-2 * strip, count - from_top, printable(text, 18), plot::Align::right});
    };
    if (order.size() <= kFew)
        for (std::size_t i = 0; i < order.size(); ++i)
            name_at(static_cast<double>(i) + 0.5, header.names[static_cast<std::size_t>(order[i])]);
    if (header.labels.empty()) return;
    plot::Strip colours;
    colours.x0 = -1.5 * strip;
    colours.x1 = -0.5 * strip;
    colours.classes.resize(order.size());
    std::int64_t number = 0;
    for (const Run& run : runs_of(header, order)) {
        for (Index i = run.begin; i < run.end; ++i)
            colours.classes[order.size() - 1 - static_cast<std::size_t>(i)] = number;
        ++number;
        const auto end = static_cast<double>(run.end);
        if (order.size() > kFew) name_at((static_cast<double>(run.begin) + end) / 2, run.name);
        if (run.end == static_cast<Index>(order.size())) continue;
        panel.series.push_back(guide(0, count - end, count, count - end));
        panel.series.push_back(guide(end, 0, end, count));
    }
    panel.strips.push_back(std::move(colours));
}

// Half-widths of equal scale around the middle of places (M x 2), so that the page is a square.
plot::Range square_range(const Eigen::Ref<const Vector>& values, double half) {
    const double middle = (values.minCoeff() + values.maxCoeff()) / 2;
    return {middle - half, middle + half};
}

} // namespace

plot::Figure distances_figure(const hdf5::Group& root) {
    const hdf5::Group compare = root.group(kCompare);
    const ComparisonHeader header = read_comparison(compare);
    const std::vector<Index> order = ordered(header);
    const auto count = static_cast<Index>(order.size());
    Grid grid(header.metrics.size(), 3);
    grid.left = 1.0;
    grid.right = 0.8;
    grid.bottom = 0.3;
    std::vector<plot::Panel> panels;
    for (std::size_t k = 0; k < header.metrics.size(); ++k) {
        const Matrix distance = read_distances(compare, header.metrics[k], header).distance;
        plot::HeatMap map;
        map.values.resize(count, count);
        for (Index i = 0; i < count; ++i)
            for (Index j = 0; j < count; ++j)
                map.values(count - 1 - i, j) = distance(order[static_cast<std::size_t>(i)],
                                                        order[static_cast<std::size_t>(j)]);
        map.x1 = map.y1 = static_cast<double>(count);
        map.colour_bar = true;
        plot::Panel panel;
        grid.place(k, panel);
        panel.title = header.metrics[k];
        panel.frame = panel.x_tics = panel.y_tics = false;
        panel.maps.push_back(std::move(map));
        mark_groups(header, order, k % grid.columns == 0, panel);
        panels.push_back(std::move(panel));
    }
    return grid.figure(std::move(panels));
}

bool has_places(const hdf5::Group& root) {
    if (!root.has_group(kCompare)) return false;
    const hdf5::Group compare = root.group(kCompare);
    const auto names = compare.names();
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return compare.has_dataset(name + "/mds/coordinates");
    });
}

plot::Figure mds_figure(const hdf5::Group& root) {
    const hdf5::Group compare = root.group(kCompare);
    const ComparisonHeader header = read_comparison(compare);
    const auto networks = static_cast<Index>(header.names.size());
    const std::vector<std::string>& metrics = header.metrics;
    const Looks looks(header.labels);
    Grid grid(metrics.size(), 3);
    grid.legend = 1.2;
    std::vector<plot::Panel> panels;
    for (std::size_t k = 0; k < metrics.size(); ++k) {
        const auto dataset = compare.dataset(metrics[k] + "/mds/coordinates");
        const RowMatrix places = dataset.read_matrix();
        if (places.rows() != networks || places.cols() < 1)
            throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                               ", expected ", networks, " rows"));
        const Vector x = places.col(0);
        const Vector y = places.cols() > 1 ? Vector(places.col(1)) : Vector::Zero(networks);
        const double extent = std::max(x.maxCoeff() - x.minCoeff(), y.maxCoeff() - y.minCoeff());
        const double half = extent > 1e-9 ? 0.56 * extent : 1; // all at one place
        plot::Panel panel;
        grid.place(k, panel);
        panel.title = metrics[k];
        panel.x_label = "dimension 1";
        panel.y_label = "dimension 2";
        panel.x_range = square_range(x, half);
        panel.y_range = square_range(y, half);
        std::map<std::array<double, 3>, plot::Series> series;
        for (Index i = 0; i < networks; ++i) {
            const plot::Series look = looks.dots(static_cast<std::size_t>(i));
            plot::Series& dots = series
                                     .try_emplace({static_cast<double>(look.colour),
                                                   static_cast<double>(look.mark), look.size},
                                                  look)
                                     .first->second;
            dots.x.push_back(x(i));
            dots.y.push_back(y(i));
        }
        for (auto& [key, dots] : series) panel.series.push_back(std::move(dots));
        if (k + 1 == grid.columns) {
            for (auto& entry : looks.legend(panel.x_range->high + half, panel.y_range->high + half))
                panel.series.push_back(std::move(entry));
            panel.legend = panel.legend_outside = true;
        }
        panels.push_back(std::move(panel));
    }
    return grid.figure(std::move(panels));
}

plot::Figure eigenvalues_figure(const hdf5::Group& root) {
    const hdf5::Group curves = root.group(kCompare).group("spectrum_curves");
    const auto groups = split(curves.read_text("names").value_or(""), '\n');
    const auto dataset = curves.dataset("mean");
    const RowMatrix mean = dataset.read_matrix();
    const RowMatrix error = curves.dataset("standard_error").read_matrix();
    if (mean.rows() != static_cast<Index>(groups.size()) || error.rows() != mean.rows() ||
        error.cols() != mean.cols())
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()), "; ",
                           groups.size(), " groups have errors of ", error.rows(), " x ",
                           error.cols()));
    plot::Panel panel = panel_at(0.12, 0.64, "rank", "mean |eigenvalue|");
    panel.series.push_back(guide(1, 1, static_cast<double>(std::max<Index>(mean.cols(), 2)), 1));
    for (Index g = 0; g < mean.rows(); ++g) {
        plot::Series line;
        line.colour = static_cast<int>(g);
        line.label = groups[static_cast<std::size_t>(g)];
        line.width = 1.8;
        for (Index rank = 0; rank < mean.cols() && std::isfinite(mean(g, rank)); ++rank) {
            line.x.push_back(static_cast<double>(rank + 1));
            line.y.push_back(mean(g, rank));
            line.error.push_back(std::isfinite(error(g, rank)) ? error(g, rank) : 0);
        }
        if (!line.x.empty()) panel.series.push_back(std::move(line));
    }
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6.5, 4);
}

} // namespace fixedpoints_app
