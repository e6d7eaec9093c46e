#include "line_figures.hpp"

#include "panels.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/attractor.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace fixedpoints_app {

using namespace assay;

namespace {

constexpr const char* kInputs = "/fixedpoints/inputs/";
constexpr std::array<const char*, 4> kClasses{"other", "positive", "negative", "neutral"};
constexpr std::array<int, 4> kClassColours{-2, 2, 1, 7};

// The class of every listed word; 0 where words have none.
std::vector<std::size_t> classes_of(const hdf5::Group& root, std::size_t words) {
    std::vector<std::size_t> classes(words, 0);
    const hdf5::Group group = root.group("/fixedpoints/inputs");
    if (!group.has_dataset("class") || !group.has_dataset("word")) return classes;
    const auto of_token = group.dataset("class").read<std::int64_t>();
    const auto tokens = group.dataset("word").read<std::int64_t>();
    for (std::size_t w = 0; w < std::min(words, tokens.size()); ++w) {
        const auto token = tokens[w];
        if (token >= 0 && token < static_cast<std::int64_t>(of_token.size()))
            classes[w] = static_cast<std::size_t>(
                std::clamp<std::int64_t>(of_token[static_cast<std::size_t>(token)], 0, 3));
    }
    return classes;
}

} // namespace

plot::Figure alignment_figure(const hdf5::Group& root) {
    const std::string base = "/fixedpoints/attractor/";
    plot::Panel panel = panel_at(0.12, 0.58, "|cosine of a direction with the axis|", "density");
    const auto add = [&](const std::vector<double>& values, const std::string& label, int colour) {
        plot::Series bars = histogram_of(values, 25);
        if (bars.x.size() < 2) return;
        const double width = bars.x[1] - bars.x[0];
        for (double& y : bars.y) y /= width * static_cast<double>(values.size());
        bars.style = plot::Style::steps;
        bars.label = label;
        bars.colour = colour;
        bars.width = 1.8;
        panel.series.push_back(std::move(bars));
    };
    add(numbers(root, base + "alignment"), "slowest mode of each point", 0);
    add(numbers(root, base + "null/draws"), "random directions", 7);
    panel.legend = panel.legend_outside = true;
    panel.x_range = plot::Range{0, 1.02};
    return single(std::move(panel), 7, 3.6);
}

plot::Figure words_figure(const hdf5::Group& root) {
    const hdf5::Group planes = root.group("/fixedpoints/inputs/plane");
    if (planes.names().empty()) throw Error(planes.where() + ": there is no plane to draw");
    const hdf5::Group plane = planes.group(planes.names().front());
    const RowMatrix at = plane.dataset("coordinates").read_matrix();
    const auto left = plane.dataset("left").read<double>();
    const auto classes = classes_of(root, static_cast<std::size_t>(at.rows()));
    plot::Panel panel = panel_at(0.13, 0.6, "effect, component 1", "effect, component 2");
    for (std::size_t k = 0; k < kClasses.size(); ++k) {
        plot::Series dots, centre;
        for (Index w = 0; w < at.rows(); ++w)
            if (classes[static_cast<std::size_t>(w)] == k) {
                dots.x.push_back(at(w, 0));
                dots.y.push_back(at(w, 1));
            }
        if (dots.x.empty()) continue;
        dots.style = plot::Style::points;
        dots.colour = kClassColours[k];
        dots.label = kClasses[k];
        dots.size = 0.8;
        if (k > 0) {
            // From nothing to the mean of the class.
            const auto count = static_cast<double>(dots.x.size());
            double x = 0, y = 0;
            for (std::size_t i = 0; i < dots.x.size(); ++i) {
                x += dots.x[i] / count;
                y += dots.y[i] / count;
            }
            centre = guide(0, 0, x, y);
            centre.colour = kClassColours[k];
            centre.width = 2;
            panel.series.push_back(centre);
        }
        panel.series.push_back(std::move(dots));
    }
    const double length = std::hypot(left.at(0), left.at(1));
    const double reach = at.rowwise().norm().maxCoeff();
    if (length > 0) {
        plot::Series mode = guide(0, 0, reach * left[0] / length, reach * left[1] / length);
        mode.colour = -1;
        mode.label = "left vector";
        panel.series.push_back(std::move(mode));
    }
    // Both components in one scale, so that angles are what they seem.
    panel.x_range = panel.y_range = plot::Range{-1.05 * reach, 1.05 * reach};
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6.5, 5.2);
}

plot::Figure projections_figure(const hdf5::Group& root) {
    const auto projection = numbers(root, std::string(kInputs) + "mean_projection");
    const auto classes = classes_of(root, projection.size());
    plot::Panel panel = panel_at(0.12, 0.66, "mean input projection", "words");
    const std::vector<double> edges = histogram_edges(projection, 30);
    for (std::size_t k = 0; k < kClasses.size(); ++k) {
        std::vector<double> values;
        for (std::size_t w = 0; w < projection.size(); ++w)
            if (classes[w] == k) values.push_back(projection[w]);
        if (values.empty()) continue;
        plot::Series bars = histogram_of(values, edges);
        bars.style = plot::Style::steps;
        bars.colour = kClassColours[k];
        bars.label = kClasses[k];
        bars.width = 1.8;
        panel.series.push_back(std::move(bars));
    }
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6.5, 3.6);
}

plot::Figure modes_figure(const hdf5::Group& root) {
    const auto dataset = root.dataset("/fixedpoints/modes/retained_response").expect_rank(3);
    const auto values = dataset.read<double>();
    const Index inputs = dataset.shape()[0], modes = dataset.shape()[1],
                probes = dataset.shape()[2];
    plot::Panel panel = panel_at(0.12, 0.6, "modes kept", "retained response");
    for (Index input = 0; input < inputs; ++input)
        for (Index probe = 0; probe < probes; ++probe) {
            plot::Series line;
            line.style = plot::Style::line_points;
            line.colour = static_cast<int>(probe);
            line.label = concat("input ", input, ", probe ", probe);
            for (Index k = 0; k < modes; ++k) {
                const double value =
                    values[static_cast<std::size_t>((input * modes + k) * probes + probe)];
                if (!std::isfinite(value)) continue;
                line.x.push_back(static_cast<double>(k + 1));
                line.y.push_back(value);
            }
            if (!line.x.empty()) panel.series.push_back(std::move(line));
        }
    if (panel.series.empty()) throw Error(dataset.where() + ": there is no response to draw");
    panel.legend = panel.legend_outside = true;
    return single(std::move(panel), 6.5, 3.8);
}

namespace {

// The first trial in the two components that its states spread in, and the prediction of each.
plot::Panel trajectory_panel(const hdf5::Group& predict) {
    plot::Panel panel = panel_at(0.52, 0.3, "component 1", "component 2");
    const RowMatrix states = predict.dataset("shown/state").read_matrix(),
                    predicted = predict.dataset("shown/prediction").read_matrix();
    const auto trial = numbers(predict, "trial");
    const auto rows =
        static_cast<Index>(std::find_if(trial.begin(), trial.begin() + states.rows(),
                                        [&](double one) { return one != trial.front(); }) -
                           trial.begin());
    const auto pca = fixedpoints::dimensionality(states.topRows(rows), {});
    Matrix axes = Matrix::Zero(states.cols(), 2);
    const Index kept = std::min<Index>(2, pca.axes.cols());
    axes.leftCols(kept) = pca.axes.leftCols(kept);
    const auto series = [&](const RowMatrix& from, const std::string& label) {
        const RowMatrix seen = (from.topRows(rows).rowwise() - pca.mean.transpose()) * axes;
        plot::Series line;
        line.label = label;
        line.x.assign(seen.col(0).begin(), seen.col(0).end());
        line.y.assign(seen.col(1).begin(), seen.col(1).end());
        return line;
    };
    plot::Series way = series(states, "states"), guesses = series(predicted, "predictions");
    way.style = plot::Style::line_points;
    way.colour = 7;
    guesses.style = plot::Style::points;
    guesses.mark = plot::Mark::ring;
    guesses.colour = 1;
    guesses.size = 0.8;
    panel.series = {way, guesses};
    panel.legend = panel.legend_outside = true;
    return panel;
}

} // namespace

plot::Figure error_figure(const hdf5::Group& root) {
    const hdf5::Group predict = root.group("/fixedpoints/predict");
    plot::Panel panel = panel_at(0.1, 0.32, "relative error of the prediction", "states");
    panel.series.push_back(
        histogram_bars(numbers(predict, "histogram/edges"), numbers(predict, "histogram/counts")));
    plot::Figure figure;
    figure.width = 9;
    figure.height = 3.6;
    figure.panels = {panel};
    if (predict.has_group("shown")) figure.panels.push_back(trajectory_panel(predict));
    return figure;
}

} // namespace fixedpoints_app
