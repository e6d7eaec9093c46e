#include "figures.hpp"

#include "compare_figures.hpp"
#include "development_figures.hpp"
#include "figure_parts.hpp"
#include "generalization_figures.hpp"
#include "stability_figures.hpp"

#include <assay/core/error.hpp>

#include <algorithm>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kPredict = "/lindyn/predict";
constexpr const char* kSimulate = "/lindyn/simulate";
constexpr const char* kModes = "/lindyn/modes";
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
    plot::Panel deep = panel_at(shallow ? 0.09 : 0.14, shallow ? 0.38 : 0.6,
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
        panel.legend = root.has_dataset("/lindyn/predict/loss_shallow");
        panel.series.push_back(line(time, loss, 0, panel.legend ? "with hidden layers" : ""));
        if (panel.legend)
            panel.series.push_back(
                line(time, numbers(root, "/lindyn/predict/loss_shallow"), 1, "without"));
    } else {
        const RowMatrix losses = root.dataset("/lindyn/simulate/loss").expect_rank(2).read_matrix();
        const auto steps = numbers(root, "/lindyn/simulate/step");
        for (Index r = 0; r < std::min(losses.rows(), kShownModes); ++r)
            panel.series.push_back(
                line(steps, {losses.row(r).begin(), losses.row(r).end()}, static_cast<int>(r)));
    }
    figure.panels.push_back(std::move(panel));
    return figure;
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

// What came later in a chain of steps stands before what its file carries of earlier ones.
const std::vector<FigureKind>& figures() {
    static const std::vector<FigureKind> list = [] {
        std::vector<FigureKind> all = compare_figures();
        const std::vector<FigureKind> own{
            {"curves", {kPredict, kSimulate}, "strengths of the modes over time", curves_figure},
            {"loss",
             {kPredict, kSimulate},
             "loss over time and the half times of the modes",
             loss_figure},
            {"modes", {kModes}, "the correlations and their singular vectors", modes_figure}};
        for (const auto& kinds :
             {generalization_figures(), development_figures(), own, stability_figures()})
            all.insert(all.end(), kinds.begin(), kinds.end());
        all.push_back(spectrum_kind());
        return all;
    }();
    return list;
}

} // namespace lindyn_app
