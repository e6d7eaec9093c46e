// Figures of runs and of their models.
#include "figures.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/weight_path.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace checkpoint_app {
namespace {

using namespace assay;

constexpr Index kMostFilters = 64, kMostPlanes = 16;

std::vector<double> read(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).expect_numeric().read<double>();
}

// A metric over steps, without what was not measured.
plot::Series series_of(const hdf5::Group& metrics, const std::string& name,
                       const std::string& label, int colour, bool from_one) {
    const auto steps = read(metrics, "step"), values = read(metrics, name);
    plot::Series series;
    series.label = label;
    series.colour = colour;
    for (std::size_t i = 0; i < std::min(steps.size(), values.size()); ++i)
        if (std::isfinite(values[i]) && (!from_one || steps[i] >= 1)) {
            series.x.push_back(steps[i]);
            series.y.push_back(values[i]);
        }
    return series;
}

// Numbers of a layer's units: `planes` pictures a unit.
struct Filters {
    std::string layer;
    RowMatrix weights; // units x (planes height width)
    Index planes = 1, height = 1, width = 1;
};

// Whether a dense layer's inputs are the pixels of one plane in their order.
bool sees_one_plane(const network::Network<double>& network, const std::string& layer) {
    const auto& shape = network.input().shape;
    if (network.input().sequence || shape.size() < 2 ||
        network.input().size() != shape.back() * shape[shape.size() - 2])
        return false;
    const Index before = network.node_inputs(network.find_node(layer).value()).front();
    return before == 0 ||
           (network.node_type(before) == "flatten" && network.node_inputs(before).front() == 0);
}

// Of the first layer that has weights; a dense layer that sees whole images has a picture a unit.
Filters first_filters(const hdf5::Group& group) {
    const network::Model model = network::read_model(group);
    const network::Network<double> network(model.architecture);
    const auto weights = network.load(model);
    const auto& arrays = network.parameters();
    const auto first = std::find_if(arrays.begin(), arrays.end(), [](const auto& array) {
        return array.info.trained && array.info.shape.size() >= 2;
    });
    if (first == arrays.end()) throw Error(group.where() + ": no layer has weights to draw");
    network::Shape shape = first->info.shape;
    const Index units = shape.front();
    const Index size =
        std::accumulate(shape.begin() + 1, shape.end(), Index{1}, std::multiplies<>());
    if (shape.size() == 2 && sees_one_plane(network, first->layer)) {
        shape = network.input().shape;
        shape.insert(shape.begin(), units);
    }
    Filters result;
    result.layer = first->layer;
    result.weights =
        Eigen::Map<const RowMatrix>(weights.trained.data() + first->offset, units, size);
    result.width = shape.back();
    if (shape.size() > 2) result.height = shape[shape.size() - 2];
    result.planes = size / (result.width * result.height);
    return result;
}

// Pictures side by side, a cell of nothing between them: units in a square where each has one, else
// a row a unit and a column a plane. The first row of a picture is on top.
Matrix tiled(const Filters& filters) {
    const Index units = std::min(filters.weights.rows(), kMostFilters);
    const Index planes = std::min(filters.planes, kMostPlanes);
    const Index columns =
        planes > 1 ? planes : static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(units))));
    const Index rows = planes > 1 ? units : (units + columns - 1) / columns;
    const Index height = filters.height, width = filters.width;
    Matrix tiles = Matrix::Zero(rows * (height + 1) - 1, columns * (width + 1) - 1);
    for (Index k = 0; k < units * planes; ++k) {
        const Index unit = k / planes, plane = k % planes;
        const Eigen::Map<const RowMatrix> picture(
            filters.weights.row(unit).data() + plane * height * width, height, width);
        const Index top = rows - 1 - k / columns;
        tiles.block(top * (height + 1), k % columns * (width + 1), height, width) =
            picture.colwise().reverse();
    }
    return tiles;
}

} // namespace

plot::Figure curves_figure(const std::vector<Source>& runs, bool log_steps) {
    plot::Figure figure;
    figure.width = 7;
    figure.height = 3.2;
    plot::Panel loss, accuracy;
    loss.left = 0.1;
    loss.width = 0.36;
    accuracy.left = 0.6;
    accuracy.width = 0.36;
    for (auto* panel : {&loss, &accuracy}) {
        panel->bottom = 0.18;
        panel->height = 0.7;
        panel->x_label = "step";
        panel->x_log = log_steps;
        panel->legend = true;
    }
    loss.y_label = "loss";
    loss.y_log = true;
    accuracy.y_label = "accuracy";
    int colour = 0;
    for (const auto& [name, run] : runs) {
        const hdf5::Group metrics = run.group("metrics");
        const std::string prefix = runs.size() > 1 ? name + " " : "";
        for (const auto& [metric, label] :
             {std::pair<std::string, std::string>{"loss", "batch"}, {"eval_loss", "test"}}) {
            auto series = series_of(metrics, metric, prefix + label, colour, log_steps);
            if (!series.x.empty()) loss.series.push_back(series);
            auto right = series_of(metrics, metric == "loss" ? "accuracy" : "eval_accuracy",
                                   prefix + label, colour, log_steps);
            if (!right.x.empty()) accuracy.series.push_back(right);
            ++colour;
        }
    }
    if (loss.series.empty()) throw Error("the run logged no metric");
    const bool classifies = !accuracy.series.empty();
    if (!classifies) loss.width = 0.85;
    figure.panels.push_back(loss);
    if (classifies) figure.panels.push_back(accuracy);
    return figure;
}

plot::Figure norms_figure(const hdf5::Group& run, bool log_steps) {
    plot::Figure figure;
    figure.width = 7;
    figure.height = 3.2;
    const auto layers = split(run.text_attribute("layers").value_or(""), ',');
    const hdf5::Group metrics = run.group("metrics");
    const auto steps = read(metrics, "step");
    double left = 0.09;
    for (const auto& [name, title] : {std::pair<std::string, std::string>{"weight_norm", "weights"},
                                      {"gradient_norm", "gradient"},
                                      {"update_norm", "update"}}) {
        plot::Panel panel;
        panel.left = left;
        panel.width = 0.22;
        panel.bottom = 0.18;
        panel.height = 0.66;
        panel.title = "norm of " + title;
        panel.x_label = "step";
        panel.x_log = log_steps;
        panel.y_log = true;
        panel.legend = left < 0.1;
        const auto values = read(metrics, name);
        for (std::size_t layer = 0; layer < layers.size(); ++layer) {
            plot::Series series;
            series.label = layers[layer];
            series.colour = static_cast<int>(layer);
            for (std::size_t i = 0; i < steps.size(); ++i) {
                const double value = values.at(i * layers.size() + layer);
                if (!std::isfinite(value) || value <= 0 || (log_steps && steps[i] < 1)) continue;
                series.x.push_back(steps[i]);
                series.y.push_back(value);
            }
            if (!series.x.empty()) panel.series.push_back(std::move(series));
        }
        figure.panels.push_back(std::move(panel));
        left += 0.315;
    }
    return figure;
}

plot::Figure filters_figure(const hdf5::Group& model) {
    const Filters filters = first_filters(model);
    const bool pictures = filters.height > 1;
    plot::Figure figure;
    figure.width = 5;
    figure.height = 4.4;
    plot::Panel panel = plot::panel_at(0.1, 0.74, "weights of " + filters.layer, "", "");
    plot::HeatMap map;
    map.values = pictures ? tiled(filters) : Matrix(filters.weights);
    map.x1 = static_cast<double>(map.values.cols());
    map.y1 = static_cast<double>(map.values.rows());
    map.diverging = map.colour_bar = true;
    panel.x_tics = panel.y_tics = !pictures;
    panel.x_label = pictures
                        ? filters.planes > 1 ? "a column a plane of the input" : "a picture a unit"
                        : "input";
    panel.y_label = !pictures ? "unit" : filters.planes > 1 ? "a row a unit" : "";
    panel.maps.push_back(std::move(map));
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Figure trajectory_figure(const std::vector<Source>& roots) {
    std::vector<std::vector<network::Model>> runs;
    for (const Source& root : roots) {
        runs.emplace_back();
        for (const Index step : training::run_steps(root.group.group("/run")))
            runs.back().push_back(training::read_checkpoint(root.group, step));
    }
    std::vector<std::string> names;
    for (const Source& root : roots) names.push_back(root.name);
    const training::WeightPaths paths = training::weight_paths(runs, names);
    plot::Figure figure;
    figure.width = 4.6;
    figure.height = 3.8;
    const auto axis = [&](Index k) {
        return concat("weights, direction ", k + 1, " (",
                      significant(100 * paths.variance_ratio(k), 3), " %)");
    };
    plot::Panel panel = plot::panel_at(0.17, 0.78, "", axis(0), axis(1));
    panel.legend = true;
    for (std::size_t k = 0; k < runs.size(); ++k) {
        const RowMatrix& path = paths.runs[k];
        plot::Series line, ends;
        line.label = roots.size() > 1 ? roots[k].name : "";
        line.colour = ends.colour = static_cast<int>(k);
        line.style = plot::Style::line_points;
        line.size = 0.3;
        for (Index i = 0; i < path.rows(); ++i) {
            line.x.push_back(path(i, 0));
            line.y.push_back(path(i, 1));
        }
        ends.style = plot::Style::points;
        ends.mark = plot::Mark::square;
        ends.size = 0.9;
        ends.label = k == 0 ? "last checkpoint" : "";
        ends.x = {line.x.back()};
        ends.y = {line.y.back()};
        panel.series.push_back(std::move(line));
        panel.series.push_back(std::move(ends));
    }
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Figure confusion_figure(const hdf5::Group& evaluated) {
    plot::Figure figure;
    figure.width = 4;
    figure.height = 3.6;
    const RowMatrix counts = evaluated.dataset("confusion").read_matrix();
    plot::Panel panel;
    panel.left = 0.15;
    panel.bottom = 0.15;
    panel.width = 0.65;
    panel.height = 0.75;
    panel.x_label = "predicted class";
    panel.y_label = "true class";
    plot::HeatMap map;
    map.values = counts.array() + 1;
    map.values = map.values.array().log10();
    map.x0 = map.y0 = -0.5;
    map.x1 = static_cast<double>(counts.cols()) - 0.5;
    map.y1 = static_cast<double>(counts.rows()) - 0.5;
    map.colour_bar = true;
    panel.title = "log_{10}(1 + rows)";
    panel.maps.push_back(std::move(map));
    figure.panels.push_back(std::move(panel));
    return figure;
}

} // namespace checkpoint_app
