// checkpoint plot: training curves, norms of layers, confusion.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/plot/figure.hpp>
#include <assay/training/sweep_io.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace checkpoint_app {
namespace {

using namespace assay;

enum class Name { automatic, curves, norms, confusion, sweep, parallel, robustness };

struct Options {
    Name figure = Name::automatic;
    std::string table;
    bool log_steps = false;
    std::vector<std::string> runs;
};

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

plot::Figure curves(const std::vector<std::pair<std::string, hdf5::Group>>& runs, bool log_steps) {
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

plot::Figure norms(const hdf5::Group& run, bool log_steps) {
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

plot::Figure confusion(const hdf5::Group& evaluated) {
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

// One dot a trial: the score against each setting.
plot::Figure sweep_figure(const hdf5::Group& table) {
    plot::Figure figure;
    const auto settings = split(table.text_attribute("settings").value_or(""), ',');
    const std::string metric = table.text_attribute("metric").value_or("score");
    const auto score = read(table, "score");
    figure.width = 7;
    figure.height = 3;
    const double step = 0.9 / static_cast<double>(std::max<std::size_t>(1, settings.size()));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        plot::Panel panel;
        panel.left = 0.09 + step * static_cast<double>(i);
        panel.width = step - 0.07;
        panel.bottom = 0.2;
        panel.height = 0.7;
        panel.x_label = settings[i];
        if (i == 0) panel.y_label = metric;
        const auto values = read(table, "setting_" + std::to_string(i));
        plot::Series dots;
        dots.style = plot::Style::points;
        for (std::size_t k = 0; k < score.size(); ++k)
            if (std::isfinite(score[k]) && std::isfinite(values.at(k))) {
                dots.x.push_back(values[k]);
                dots.y.push_back(score[k]);
            }
        const auto [low, high] = std::minmax_element(dots.x.begin(), dots.x.end());
        panel.x_log = !dots.x.empty() && *low > 0 && *high / *low > 30;
        if (!dots.x.empty()) panel.series.push_back(std::move(dots));
        figure.panels.push_back(std::move(panel));
    }
    return figure;
}

// A number at the end of an axis of parallel coordinates.
std::string end_of_axis(const training::SearchDimension& dimension, double position) {
    return training::value_json(dimension, training::value_at(dimension, position));
}

// The best quarter in colour and on top, the others pale; `share` of the way up each axis.
plot::Series line_of(std::size_t rank, std::size_t count, std::vector<double> shares) {
    plot::Series line;
    const bool good = 4 * (count - rank) <= count + 3;
    line.colour = good ? 0 : -2;
    line.width = good ? 1.2 : 0.7;
    for (std::size_t i = 0; i < shares.size(); ++i) line.x.push_back(static_cast<double>(i));
    line.y = std::move(shares);
    return line;
}

void add_axis(plot::Panel& panel, double at, const std::string& name, const std::string& low,
              const std::string& high) {
    plot::Series axis;
    axis.x = {at, at};
    axis.y = {0, 1};
    axis.colour = -1;
    panel.series.push_back(axis);
    panel.labels.push_back({at, 1.08, high, plot::Align::centre});
    panel.labels.push_back({at, -0.1, low, plot::Align::centre});
    panel.labels.push_back({at, -0.22, name, plot::Align::centre});
}

// One line a trial across its settings and its score.
plot::Figure parallel_figure(const hdf5::Group& group) {
    const auto table = training::read_table(group);
    const auto space = training::parse_search_space(table.plan.space);
    auto trials = training::trial_scores(table.rows);
    trials.erase(std::remove_if(trials.begin(), trials.end(),
                                [](const auto& trial) { return !std::isfinite(trial.score); }),
                 trials.end());
    if (trials.empty()) throw Error(group.where() + ": no trial has a score");
    std::sort(trials.begin(), trials.end(),
              [](const auto& a, const auto& b) { return a.score < b.score; });
    const double least = trials.front().score, most = trials.back().score;
    plot::Figure figure;
    figure.width = 7;
    figure.height = 3.4;
    plot::Panel panel;
    panel.left = 0.06;
    panel.width = 0.88;
    panel.bottom = 0.04;
    panel.height = 0.92;
    panel.frame = panel.x_tics = panel.y_tics = false;
    const auto axes = static_cast<double>(space.size());
    panel.x_range = plot::Range{-0.15, axes + 0.15};
    panel.y_range = plot::Range{-0.3, 1.15};
    for (std::size_t rank = 0; rank < trials.size(); ++rank) {
        std::vector<double> shares;
        for (std::size_t i = 0; i < space.size(); ++i) {
            const auto range = training::axis_range(space[i]);
            const double at = training::axis_position(space[i], trials[rank].values[i]);
            shares.push_back(range.high > range.low ? (at - range.low) / (range.high - range.low)
                                                    : 0.5);
        }
        shares.push_back(most > least ? (trials[rank].score - least) / (most - least) : 1);
        panel.series.push_back(line_of(rank, trials.size(), std::move(shares)));
    }
    for (std::size_t i = 0; i < space.size(); ++i) {
        const auto range = training::axis_range(space[i]);
        add_axis(panel, static_cast<double>(i), space[i].path, end_of_axis(space[i], range.low),
                 end_of_axis(space[i], range.high));
    }
    add_axis(panel, axes, group.text_attribute("metric").value_or("score"), significant(least, 3),
             significant(most, 3));
    figure.panels.push_back(std::move(panel));
    return figure;
}

// The share of trials close to the best, of every sweep.
plot::Figure robustness_figure(const std::vector<std::pair<std::string, hdf5::Group>>& sweeps) {
    constexpr std::array<int, 3> kMargins{1, 2, 5};
    plot::Figure figure;
    figure.width = 4.5;
    figure.height = 3;
    plot::Panel panel;
    panel.left = 0.16;
    panel.width = 0.8;
    panel.bottom = 0.18;
    panel.height = 0.7;
    panel.x_label = "trials at most 1, 2, 5 points below the best";
    panel.y_label = "share of trials";
    panel.y_range = plot::Range{0, 1};
    panel.x_range = plot::Range{0.4, 3.6};
    panel.x_tics = false;
    panel.legend = sweeps.size() > 1;
    const double step = 0.8 / static_cast<double>(sweeps.size());
    for (std::size_t k = 0; k < sweeps.size(); ++k)
        for (std::size_t i = 0; i < kMargins.size(); ++i) {
            const double left = static_cast<double>(i) + 0.6 + step * static_cast<double>(k);
            const double share =
                sweeps[k]
                    .second.number_attribute("robustness_" + std::to_string(kMargins[i]))
                    .value_or(0);
            plot::Series bar;
            bar.style = plot::Style::filled;
            bar.colour = static_cast<int>(k);
            if (i == 0) bar.label = sweeps[k].first;
            bar.x = {left, left + 0.9 * step};
            bar.y = {share, share};
            panel.series.push_back(std::move(bar));
        }
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Figure draw(const Options& o, cli::Context& context) {
    std::vector<std::pair<std::string, hdf5::Group>> runs, sweeps;
    const std::size_t count = std::max<std::size_t>(1, context.input_count());
    for (std::size_t i = 0; i < count; ++i) {
        const hdf5::Address address = context.input_address(i);
        const hdf5::Group root = context.open(address).root();
        if (root.has_group("/run")) runs.emplace_back(address.name(), root.group("/run"));
        if (root.has_group("/checkpoint/sweep"))
            sweeps.emplace_back(address.name(), root.group("/checkpoint/sweep"));
    }
    const hdf5::Group root = context.open(context.input_address()).root();
    Name name = o.figure;
    if (name == Name::automatic)
        name = root.has_group("/checkpoint/sweep") ? Name::sweep
               : !runs.empty()                     ? Name::curves
                                                   : Name::confusion;
    if (name == Name::confusion) {
        if (!root.has_dataset("/checkpoint/evaluate/confusion"))
            throw Error(root.where() + ": holds no run, sweep or confusion to draw");
        return confusion(root.group("/checkpoint/evaluate"));
    }
    if (name == Name::sweep) return sweep_figure(root.group("/checkpoint/sweep"));
    if (name == Name::parallel) return parallel_figure(root.group("/checkpoint/sweep"));
    if (name == Name::robustness) {
        if (sweeps.empty()) throw Error(root.where() + ": holds no /checkpoint/sweep to draw");
        return robustness_figure(sweeps);
    }
    if (runs.empty()) throw Error(root.where() + ": holds no /run to draw");
    return name == Name::norms ? norms(runs[0].second, o.log_steps) : curves(runs, o.log_steps);
}

} // namespace

cli::Command plot() {
    auto o = std::make_shared<Options>();
    cli::Command c("plot", "draw training curves, norms of layers, confusion, a sweep");
    c.describe(
        "Several runs are drawn over one another, robustness of several sweeps side by side.");
    c.inputs("runs, sweeps, or a file of checkpoint evaluate");
    c.output(cli::OutputKind::document, {});
    c.group("Figure");
    c.choice<Name>("--figure", o->figure,
                   {{"auto", Name::automatic},
                    {"curves", Name::curves},
                    {"norms", Name::norms},
                    {"confusion", Name::confusion},
                    {"sweep", Name::sweep},
                    {"parallel", Name::parallel},
                    {"robustness", Name::robustness}},
                   "what is drawn; of a sweep: score against each setting, parallel coordinates, "
                   "or the share of trials close to the best");
    c.flag("--log-steps", o->log_steps, "steps on a logarithmic axis");
    c.option("--table", o->table, "FILE.csv", "also write what is drawn");
    c.example("Loss and accuracy over training", "checkpoint plot run.h5 -o curves.svg");
    c.run([o](cli::Context& context) {
        const std::string target = context.output_target().empty() ? "-" : context.output_target();
        const plot::Format format = plot::format_of(target);
        plot::check_renderer(format);
        const plot::Figure figure = draw(*o, context);
        if (!o->table.empty())
            hdf5::write_file_atomically(o->table, plot::table_csv(figure), context.existing());
        context.write_document(plot::render(figure, format));
    });
    return c;
}

} // namespace checkpoint_app
