#include "figures.hpp"

#include "development_figures.hpp"

#include <assay/core/error.hpp>

#include <algorithm>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kPredict = "/lindyn/predict";
constexpr const char* kSimulate = "/lindyn/simulate";
constexpr const char* kModes = "/lindyn/modes";
constexpr Index kShown = 8; // modes that are drawn

std::vector<double> numbers(const hdf5::Group& root, const std::string& path) {
    return root.dataset(path).expect_numeric().read<double>();
}

// The smallest and largest values of columns, first repeat: time x mode.
RowMatrix curves(const hdf5::Group& root, const std::string& path) {
    const hdf5::Dataset dataset = root.dataset(path).expect_numeric();
    if (dataset.rank() == 2) return dataset.read_matrix();
    dataset.expect_rank(3);
    if (dataset.shape()[0] < 1) throw Error(dataset.where() + ": no repeat to draw");
    RowMatrix first(dataset.shape()[1], dataset.shape()[2]);
    dataset.read_box<double>({0, 0, 0}, {1, first.rows(), first.cols()}, first.data());
    return first;
}

plot::Series line(const std::vector<double>& x, std::vector<double> y, int colour) {
    plot::Series series;
    series.x = x;
    series.y = std::move(y);
    series.colour = colour;
    return series;
}

void add_curves(plot::Panel& panel, const std::vector<double>& time, const RowMatrix& values,
                plot::Style style, bool labelled) {
    for (Index a = 0; a < std::min(values.cols(), kShown); ++a) {
        std::vector<double> y(static_cast<std::size_t>(values.rows()));
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = values(static_cast<Index>(i), a);
        plot::Series series = line(time, std::move(y), static_cast<int>(a));
        series.style = style;
        if (labelled) series.label = concat("mode ", a);
        panel.series.push_back(std::move(series));
    }
}

plot::Panel panel_at(double left, double width, const std::string& title, const std::string& x,
                     const std::string& y) {
    plot::Panel panel;
    panel.left = left;
    panel.width = width;
    panel.bottom = 0.16;
    panel.height = 0.72;
    panel.title = title;
    panel.x_label = x;
    panel.y_label = y;
    return panel;
}

std::string time_label(const hdf5::Group& root) {
    if (!root.has_group(kPredict)) return "step";
    return "time (" + root.dataset("/lindyn/predict/time").text_attribute("units").value_or("tau") +
           ")";
}

// Theory as lines, and simulation as points where both have the unit of steps.
plot::Figure curves_figure(const hdf5::Group& root) {
    const bool theory = root.has_group(kPredict);
    const bool shallow = theory && root.has_dataset("/lindyn/predict/strength_shallow");
    plot::Figure figure;
    figure.height = 3.2;
    figure.width = shallow ? 7 : 4.5;
    plot::Panel deep = panel_at(shallow ? 0.09 : 0.14, shallow ? 0.38 : 0.66,
                                shallow ? "with hidden layers" : "", time_label(root), "strength");
    deep.legend = !shallow;
    deep.legend_outside = !shallow;
    if (theory)
        add_curves(deep, numbers(root, "/lindyn/predict/time"),
                   curves(root, "/lindyn/predict/strength"), plot::Style::line, true);
    if (root.has_group(kSimulate) && (!theory || time_label(root) == "time (steps)"))
        add_curves(deep, numbers(root, "/lindyn/simulate/step"),
                   curves(root, "/lindyn/simulate/strength"),
                   theory ? plot::Style::points : plot::Style::line, !theory);
    figure.panels.push_back(std::move(deep));
    if (!shallow) return figure;
    plot::Panel other = panel_at(0.55, 0.32, "without", time_label(root), "");
    other.legend = other.legend_outside = true;
    add_curves(other, numbers(root, "/lindyn/predict/time"),
               curves(root, "/lindyn/predict/strength_shallow"), plot::Style::line, true);
    figure.panels.push_back(std::move(other));
    return figure;
}

// Loss over time, a grey line at the half time of each mode.
plot::Figure loss_figure(const hdf5::Group& root) {
    plot::Figure figure;
    figure.width = 4.5;
    figure.height = 3.2;
    plot::Panel panel = panel_at(0.15, 0.8, "", time_label(root), "loss");
    if (root.has_group(kPredict)) {
        const auto time = numbers(root, "/lindyn/predict/time"),
                   loss = numbers(root, "/lindyn/predict/loss");
        const double top = *std::max_element(loss.begin(), loss.end());
        for (const double half : numbers(root, "/lindyn/predict/half_time"))
            if (half >= time.front() && half <= time.back())
                panel.series.push_back(line({half, half}, {0, top}, -2));
        panel.series.push_back(line(time, loss, 0));
        if (root.has_dataset("/lindyn/predict/loss_shallow"))
            panel.series.push_back(line(time, numbers(root, "/lindyn/predict/loss_shallow"), 1));
    } else {
        const RowMatrix losses = root.dataset("/lindyn/simulate/loss").expect_rank(2).read_matrix();
        const auto steps = numbers(root, "/lindyn/simulate/step");
        for (Index r = 0; r < std::min(losses.rows(), kShown); ++r)
            panel.series.push_back(
                line(steps, {losses.row(r).begin(), losses.row(r).end()}, static_cast<int>(r)));
    }
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Panel matrix_panel(double left, double width, const std::string& title, const Matrix& values,
                         const std::string& x, const std::string& y) {
    plot::Panel panel = panel_at(left, width, title, x, y);
    plot::HeatMap map;
    map.values = values.colwise().reverse(); // the first row on top
    map.x1 = static_cast<double>(values.cols());
    map.y1 = static_cast<double>(values.rows());
    map.diverging = true;
    panel.maps.push_back(std::move(map));
    panel.x_tics = panel.y_tics = false;
    return panel;
}

// Syx = U S V^T.
plot::Figure modes_figure(const hdf5::Group& root) {
    const Matrix u = root.dataset("/lindyn/modes/U").expect_rank(2).read_matrix();
    const Matrix v = root.dataset("/lindyn/modes/V").expect_rank(2).read_matrix();
    const Vector s = root.dataset("/lindyn/modes/singular_values").read_vector();
    if (u.cols() != s.size() || v.cols() != s.size())
        throw Error(root.where() + "/lindyn/modes: U, V and singular_values do not fit");
    plot::Figure figure;
    figure.width = 7;
    figure.height = 2.6;
    figure.panels.push_back(matrix_panel(0.05, 0.24, "correlations",
                                         u * s.asDiagonal() * v.transpose(), "input", "output"));
    figure.panels.push_back(matrix_panel(0.34, 0.18, "U", u, "mode", "output"));
    plot::Panel values = panel_at(0.58, 0.13, "S", "mode", "");
    plot::Series bars;
    bars.style = plot::Style::bars;
    for (Index a = 0; a < s.size(); ++a) {
        bars.x.push_back(static_cast<double>(a));
        bars.y.push_back(s(a));
    }
    values.y_range = plot::Range{0, 1.05 * s(0)};
    values.x_range = plot::Range{-0.5, static_cast<double>(s.size()) - 0.5};
    values.x_tics = false;
    values.series.push_back(std::move(bars));
    figure.panels.push_back(std::move(values));
    figure.panels.push_back(matrix_panel(0.77, 0.2, "V^T", v.transpose(), "input", "mode"));
    return figure;
}

} // namespace

const std::vector<FigureKind>& figures() {
    static const std::vector<FigureKind> own{
        {"curves", {kPredict, kSimulate}, "strengths of the modes over time", curves_figure},
        {"loss",
         {kPredict, kSimulate},
         "loss over time and the half times of the modes",
         loss_figure},
        {"modes", {kModes}, "the correlations and their singular vectors", modes_figure}};
    static const std::vector<FigureKind> list = [] {
        std::vector<FigureKind> all = development_figures();
        all.insert(all.end(), own.begin(), own.end());
        return all;
    }();
    return list;
}

} // namespace lindyn_app
