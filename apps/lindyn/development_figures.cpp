#include "development_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kDevelop = "/lindyn/develop/";
constexpr Index kClusters = 7;    // colours that can be told apart
constexpr Index kLabelled = 40;   // items that get their number
constexpr Index kShownGroups = 6; // of modes
constexpr std::size_t kMoments = 4;

using Series = plot::Series;

hdf5::Dataset dataset(const hdf5::Group& root, const std::string& name) {
    return root.dataset(kDevelop + name).expect_numeric();
}

std::vector<double> told(const hdf5::Group& root, const std::string& name) {
    return numbers(root, kDevelop + name);
}

std::vector<double> times(const hdf5::Group& root) {
    auto time = told(root, "time");
    if (time.empty()) throw Error(root.where() + "/lindyn/develop/time: no moments");
    return time;
}

std::string unit(const hdf5::Group& root) {
    return dataset(root, "time").text_attribute("units").value_or("tau");
}

std::string time_label(const hdf5::Group& root) {
    return "time (" + unit(root) + ")";
}

// One moment of an array over time.
RowMatrix moment(const hdf5::Dataset& stack, Index t) {
    RowMatrix one(stack.shape()[1], stack.shape()[2]);
    stack.read_box<double>({t, 0, 0}, {1, one.rows(), one.cols()}, one.data());
    return one;
}

std::vector<double> column(const RowMatrix& values, Index j) {
    return {values.col(j).begin(), values.col(j).end()};
}

plot::Panel bar_panel(double left, double width, const std::string& title, const std::string& x,
                      const std::vector<double>& values, const std::vector<std::string>& names) {
    plot::Panel panel = panel_at(left, width, title, x, "");
    Series bars;
    bars.style = plot::Style::bars;
    bars.y = values;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double bottom = std::min(0.0, *low), span = std::max(*high, 0.0) - bottom;
    for (std::size_t i = 0; i < values.size(); ++i) {
        bars.x.push_back(static_cast<double>(i));
        if (i < names.size())
            panel.labels.push_back(
                {static_cast<double>(i), bottom - 0.09 * span, names[i], plot::Align::centre});
    }
    panel.x_range = plot::Range{-0.7, static_cast<double>(values.size()) - 0.3};
    panel.y_range = plot::Range{bottom - 0.16 * span, bottom + 1.1 * span};
    panel.x_tics = false;
    panel.series.push_back(std::move(bars));
    return panel;
}

// ---- the tree ---------------------------------------------------------------------------------

struct Node {
    double half_time = 0;
    std::vector<std::vector<Index>> branches;

    [[nodiscard]] std::vector<Index> items() const {
        std::vector<Index> all;
        for (const auto& branch : branches) all.insert(all.end(), branch.begin(), branch.end());
        std::sort(all.begin(), all.end());
        return all;
    }
};

std::vector<Node> read_nodes(const hdf5::Group& root) {
    const RowMatrix branch = dataset(root, "differentiation/branch").expect_rank(2).read_matrix();
    const auto half = told(root, "differentiation/half_time");
    if (static_cast<Index>(half.size()) != branch.rows())
        throw Error(root.where() + "/lindyn/develop/differentiation: branch and half_time do not "
                                   "fit");
    std::vector<Node> nodes;
    for (Index s = 0; s < branch.rows(); ++s) {
        Node node{half[static_cast<std::size_t>(s)], {}};
        for (Index i = 0; i < branch.cols(); ++i) {
            if (!(branch(s, i) >= 0 && branch(s, i) < static_cast<double>(branch.cols()))) continue;
            const auto b = static_cast<std::size_t>(branch(s, i));
            if (node.branches.size() <= b) node.branches.resize(b + 1);
            node.branches[b].push_back(i);
        }
        if (node.branches.size() < 2 ||
            std::any_of(node.branches.begin(), node.branches.end(),
                        [](const std::vector<Index>& items) { return items.empty(); }))
            throw Error(concat(root.where(), kDevelop, "differentiation/branch: row ", s,
                               " is no split; two branches or more, none empty, are expected"));
        nodes.push_back(std::move(node));
    }
    return nodes;
}

const Node* node_of(const std::vector<Node>& nodes, std::vector<Index> items) {
    std::sort(items.begin(), items.end());
    const auto found = std::find_if(nodes.begin(), nodes.end(),
                                    [&](const Node& node) { return node.items() == items; });
    return found == nodes.end() ? nullptr : &*found;
}

// Clusters that the broadest splits make, as many as there are colours.
std::vector<int> clusters(const hdf5::Group& root, Index items) {
    std::vector<int> cluster(static_cast<std::size_t>(items), 0);
    if (!root.has_dataset(std::string(kDevelop) + "differentiation/branch")) {
        for (std::size_t i = 0; i < cluster.size(); ++i) cluster[i] = static_cast<int>(i) % 8;
        return cluster;
    }
    int count = 1;
    for (const Node& node : read_nodes(root)) {
        const int more = static_cast<int>(node.branches.size()) - 1;
        if (count + more > kClusters) continue;
        for (std::size_t b = 1; b < node.branches.size(); ++b, ++count)
            for (const Index item : node.branches[b])
                cluster.at(static_cast<std::size_t>(item)) = count;
    }
    return cluster;
}

// ---- figures ----------------------------------------------------------------------------------

// Places over time, with a mark at the end.
plot::Figure mds_figure(const hdf5::Group& root) {
    const hdf5::Dataset places = dataset(root, "mds").expect_rank(3);
    const Index moments = places.shape()[0], items = places.shape()[1], dims = places.shape()[2];
    if (moments < 1 || items < 1) throw Error(places.where() + ": no places");
    const auto time = times(root);
    if (static_cast<Index>(time.size()) != moments)
        throw Error(places.where() + ": not as many moments as times");
    std::vector<Series> paths(static_cast<std::size_t>(items));
    for (Index t = 0; t < moments; ++t) {
        const RowMatrix here = moment(places, t);
        for (Index i = 0; i < items; ++i) {
            Series& path = paths[static_cast<std::size_t>(i)];
            path.x.push_back(dims > 1 ? here(i, 0) : time[static_cast<std::size_t>(t)]);
            path.y.push_back(here(i, dims > 1 ? 1 : 0));
        }
    }
    plot::Figure figure;
    figure.width = 4.5;
    figure.height = 4.2;
    plot::Panel panel =
        panel_at(0.14, 0.8, "items over development", dims > 1 ? "dimension 1" : time_label(root),
                 dims > 1 ? "dimension 2" : "dimension 1");
    const auto colour = clusters(root, items);
    for (std::size_t i = 0; i < paths.size(); ++i) {
        paths[i].colour = colour[i];
        Series end = line({paths[i].x.back()}, {paths[i].y.back()}, colour[i]);
        end.style = plot::Style::points;
        end.size = 1;
        if (items <= kLabelled)
            panel.labels.push_back(
                {end.x.front(), end.y.front(), " " + std::to_string(i), plot::Align::left});
        panel.series.push_back(std::move(paths[i]));
        panel.series.push_back(std::move(end));
    }
    figure.panels.push_back(std::move(panel));
    return figure;
}

// Branches along time; where a node's branches part, a line across.
plot::Figure dendrogram_figure(const hdf5::Group& root) {
    const auto nodes = read_nodes(root);
    if (nodes.empty()) throw Error(root.where() + "/lindyn/develop/differentiation: no splits");
    const double last = times(root).back();
    const auto items = dataset(root, "differentiation/branch").expect_rank(2).shape()[1];
    const auto colour = clusters(root, items);
    plot::Figure figure;
    figure.width = 4.8;
    figure.height = 3.6;
    plot::Panel panel = panel_at(0.08, 0.84, "when branches part", time_label(root), "");
    double next = 0;
    // Draws what is below a set of items from the time `from` and returns where it stands.
    const std::function<double(const std::vector<Index>&, double)> draw =
        [&](const std::vector<Index>& below, double from) {
            const Node* node = below.size() > 1 ? node_of(nodes, below) : nullptr;
            std::vector<double> places;
            const double at = node != nullptr && std::isfinite(node->half_time)
                                  ? std::min(node->half_time, last)
                                  : last;
            if (node != nullptr) {
                for (const auto& branch : node->branches) places.push_back(draw(branch, at));
            } else {
                for (const Index item : below) {
                    if (items <= kLabelled)
                        panel.labels.push_back(
                            {last, next, " " + std::to_string(item), plot::Align::left});
                    places.push_back(next++);
                }
            }
            const double place = std::accumulate(places.begin(), places.end(), 0.0) /
                                 static_cast<double>(places.size());
            const int hue = below.size() == static_cast<std::size_t>(items)
                                ? -1
                                : colour[static_cast<std::size_t>(below.front())];
            panel.series.push_back(line({from, at}, {place, place}, hue));
            if (places.size() > 1)
                panel.series.push_back(line({at, at}, {places.front(), places.back()}, hue));
            return place;
        };
    std::vector<Index> all(static_cast<std::size_t>(items));
    std::iota(all.begin(), all.end(), 0);
    static_cast<void>(draw(all, 0));
    panel.y_range = plot::Range{-0.6, next - 0.4};
    panel.x_range = plot::Range{0, last};
    panel.y_tics = false;
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Figure illusion_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group("/lindyn/develop/illusion");
    const auto name = [&](const char* attribute) {
        return significant(group.number_attribute(attribute).value_or(0), 9);
    };
    plot::Figure figure;
    figure.width = 5;
    figure.height = 3.2;
    plot::Panel panel =
        panel_at(0.13, 0.62, "feature " + name("feature") + " of item " + name("item"),
                 time_label(root), "output");
    panel.legend = panel.legend_outside = true;
    const auto time = times(root);
    if (group.has_dataset("curve_contribution")) {
        const RowMatrix parts =
            group.dataset("curve_contribution").expect_rank(2).expect_numeric().read_matrix();
        std::vector<Index> order(static_cast<std::size_t>(parts.cols()));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
            return parts.col(a).cwiseAbs().maxCoeff() > parts.col(b).cwiseAbs().maxCoeff();
        });
        order.resize(std::min<std::size_t>(order.size(), kShownGroups));
        std::sort(order.begin(), order.end());
        for (const Index g : order) {
            Series series = line(time, column(parts, g), static_cast<int>(g % kClusters));
            series.label = concat("group ", g);
            panel.series.push_back(std::move(series));
        }
    }
    Series whole = line(time, told(root, "illusion/curve"), -1);
    whole.width = 2.4;
    whole.label = "all";
    panel.series.push_back(std::move(whole));
    figure.panels.push_back(std::move(panel));
    return figure;
}

// The first modes after the broadest, items from the most to the least typical.
plot::Figure typicality_figure(const hdf5::Group& root) {
    const RowMatrix values = dataset(root, "typicality").expect_rank(2).read_matrix();
    const Index first = values.rows() > 1 ? 1 : 0,
                shown = std::min<Index>(values.rows() - first, 3);
    if (shown < 1) throw Error(root.where() + "/lindyn/develop/typicality: no modes");
    plot::Figure figure;
    figure.width = 2.6 * static_cast<double>(shown) + 0.3;
    figure.height = 2.8;
    for (Index k = 0; k < shown; ++k) {
        std::vector<Index> order(static_cast<std::size_t>(values.cols()));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) {
            return values(first + k, i) > values(first + k, j);
        });
        std::vector<double> bars;
        std::vector<std::string> names;
        for (const Index item : order) {
            bars.push_back(values(first + k, item));
            if (values.cols() <= kLabelled / 2) names.push_back(std::to_string(item));
        }
        const double share = 1.0 / static_cast<double>(shown);
        figure.panels.push_back(bar_panel(share * (static_cast<double>(k) + 0.2), 0.76 * share,
                                          concat("mode ", first + k), "item", bars, names));
    }
    return figure;
}

// Matrices at four moments, on one scale.
plot::Figure distances_figure(const hdf5::Group& root) {
    const hdf5::Dataset stack = dataset(root, "distance").expect_rank(3);
    const auto time = times(root);
    if (stack.shape()[0] != static_cast<Index>(time.size()))
        throw Error(stack.where() + ": not as many moments as times");
    std::vector<RowMatrix> shown;
    std::vector<double> when;
    for (std::size_t k = 0; k < kMoments; ++k) {
        const std::size_t t = (time.size() - 1) * (k + 1) / kMoments;
        shown.push_back(moment(stack, static_cast<Index>(t)));
        when.push_back(time[t]);
    }
    double largest = 0;
    for (const RowMatrix& one : shown) largest = std::max(largest, one.maxCoeff());
    plot::Figure figure;
    figure.width = 8.2;
    figure.height = 2.4;
    for (std::size_t k = 0; k < kMoments; ++k) {
        plot::Panel panel =
            panel_at(0.03 + 0.24 * static_cast<double>(k), 0.2,
                     significant(when[k], 3) + " " + unit(root), "item", k == 0 ? "item" : "");
        plot::HeatMap map;
        map.values = shown[k].colwise().reverse();
        map.x1 = map.y1 = static_cast<double>(shown[k].rows());
        map.low = 0;
        map.high = largest > 0 ? largest : 1;
        map.colour_bar = k + 1 == kMoments;
        panel.maps.push_back(std::move(map));
        panel.x_tics = panel.y_tics = false;
        figure.panels.push_back(std::move(panel));
    }
    return figure;
}

// Overlaps against the signal-to-noise ratio: theory as lines, categories of data as points.
plot::Figure coherence_figure(const hdf5::Group& root) {
    const bool grid = root.has_group("/lindyn/coherence/grid");
    const hdf5::Group group = root.group(grid ? "/lindyn/coherence/grid" : "/lindyn/coherence");
    const auto read = [&](const std::string& name) {
        return group.dataset(name).expect_numeric().read<double>();
    };
    const auto snr = read("snr");
    std::vector<std::size_t> order(snr.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](std::size_t i, std::size_t j) { return snr[i] < snr[j]; });
    const auto series = [&](const std::string& name, const std::string& label, int colour,
                            plot::Style style) {
        const auto values = read(name);
        if (values.size() != snr.size())
            throw Error(group.where() + "/" + name + ": not as many numbers as snr");
        Series s;
        for (const std::size_t k : order) {
            s.x.push_back(snr[k]);
            s.y.push_back(values[k]);
        }
        s.label = label;
        s.colour = colour;
        s.style = style;
        s.size = 1.2;
        return s;
    };
    plot::Figure figure;
    figure.width = 5.2;
    figure.height = 3.2;
    plot::Panel panel =
        panel_at(0.13, 0.5, "is there a mode?", "signal-to-noise ratio", "squared overlap");
    panel.legend = panel.legend_outside = true;
    panel.y_range = plot::Range{0, 1};
    const double most = snr.empty() ? 1 : *std::max_element(snr.begin(), snr.end());
    panel.x_range = plot::Range{0, 1.05 * std::max(most, 1.2)};
    panel.series.push_back(line({1, 1}, {0, 1}, -2));
    const plot::Style style = grid ? plot::Style::line : plot::Style::line_points;
    panel.series.push_back(series("overlap_item", "items", 0, style));
    panel.series.push_back(series("overlap_feature", "features", 1, style));
    if (!grid) {
        panel.series.push_back(
            series("overlap_item_observed", "items, data", 2, plot::Style::points));
        panel.series.push_back(
            series("overlap_feature_observed", "features, data", 3, plot::Style::points));
    }
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Figure induction_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group("/lindyn/induct");
    struct Shown {
        std::string name, axis, title;
    };
    const auto number = [&](const std::string& attribute) {
        return significant(group.number_attribute(attribute).value_or(0), 9);
    };
    std::vector<Shown> shown;
    if (group.has_dataset("property"))
        shown.push_back({"property", "item", "a new property, taught of item " + number("item")});
    if (group.has_dataset("feature_credit"))
        shown.push_back({"feature_credit", "feature",
                         "a new item, known to have feature " + number("feature")});
    if (shown.empty()) throw Error(group.where() + ": neither property nor feature_credit");
    plot::Figure figure;
    figure.width = 3.8 * static_cast<double>(shown.size());
    figure.height = 2.8;
    const double share = 1.0 / static_cast<double>(shown.size());
    for (std::size_t k = 0; k < shown.size(); ++k) {
        const auto values = group.dataset(shown[k].name).expect_numeric().read<double>();
        std::vector<std::string> names;
        for (std::size_t i = 0; values.size() <= kLabelled / 2 && i < values.size(); ++i)
            names.push_back(std::to_string(i));
        figure.panels.push_back(bar_panel(share * (static_cast<double>(k) + 0.2), 0.76 * share,
                                          shown[k].title, shown[k].axis, values, names));
        figure.panels.back().y_label = "credit";
    }
    return figure;
}

} // namespace

std::vector<FigureKind> development_figures() {
    return {
        {"mds", {"/lindyn/develop/mds"}, "places of items over development", mds_figure},
        {"dendrogram",
         {"/lindyn/develop/differentiation"},
         "when the branches of a tree of items part",
         dendrogram_figure},
        {"illusion",
         {"/lindyn/develop/illusion"},
         "the largest illusory correlation and what groups of modes add to it",
         illusion_figure},
        {"typicality", {"/lindyn/develop/typicality"}, "typical items", typicality_figure},
        {"distances",
         {"/lindyn/develop/distance"},
         "distances of items at four moments",
         distances_figure},
        {"coherence",
         {"/lindyn/coherence"},
         "overlap of modes with categories over their signal-to-noise ratio",
         coherence_figure},
        {"induction", {"/lindyn/induct"}, "what is inferred from one new fact", induction_figure}};
}

} // namespace lindyn_app
