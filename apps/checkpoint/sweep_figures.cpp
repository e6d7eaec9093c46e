// Figures of sweeps.
#include "figures.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/training/sweep_io.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace checkpoint_app {
namespace {

using namespace assay;

std::vector<double> read(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).expect_numeric().read<double>();
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

} // namespace

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

plot::Figure robustness_figure(const std::vector<Source>& sweeps) {
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
    for (const Source& sweep : sweeps)
        if (sweep.group.text_attribute("metric").value_or("") != "accuracy")
            throw Error(sweep.group.where() + ": its scores are no accuracies; points below the "
                                              "best are of accuracies");
    for (std::size_t k = 0; k < sweeps.size(); ++k)
        for (std::size_t i = 0; i < kMargins.size(); ++i) {
            const double left = static_cast<double>(i) + 0.6 + step * static_cast<double>(k);
            const double share =
                sweeps[k]
                    .group.number_attribute("robustness_" + std::to_string(kMargins[i]))
                    .value_or(0);
            plot::Series bar;
            bar.style = plot::Style::filled;
            bar.colour = static_cast<int>(k);
            if (i == 0) bar.label = sweeps[k].name;
            bar.x = {left, left + 0.9 * step};
            bar.y = {share, share};
            panel.series.push_back(std::move(bar));
        }
    figure.panels.push_back(std::move(panel));
    return figure;
}

plot::Figure transfer_figure(const hdf5::Group& table) {
    if (!table.has_dataset("transfer"))
        throw Error(table.where() + ": holds no 'transfer' (collect several folders of results)");
    const auto names = split(table.text_attribute("folders").value_or(""), '\n');
    plot::Figure figure;
    figure.width = 6;
    figure.height = 3;
    plot::Panel panel =
        plot::panel_at(0.24, 0.6, "the same settings on other networks", "trial", "");
    plot::HeatMap map;
    map.values = table.dataset("transfer").read_matrix();
    map.x0 = map.y0 = 0.5;
    map.x1 = static_cast<double>(map.values.cols()) + 0.5;
    map.y1 = static_cast<double>(map.values.rows()) + 0.5;
    map.colour_bar = true;
    panel.x_tics = panel.y_tics = false;
    const auto trials = table.dataset("transfer_trial").read<std::int64_t>();
    constexpr std::size_t most = 24; // numbers that find room
    for (std::size_t k = 0; k < trials.size(); k += trials.size() / most + 1)
        panel.labels.push_back(
            {static_cast<double>(k) + 1, 0.38, std::to_string(trials[k]), plot::Align::centre});
    for (std::size_t k = 0; k < names.size(); ++k)
        panel.labels.push_back({0.3, static_cast<double>(k) + 1, names[k], plot::Align::left});
    panel.maps.push_back(std::move(map));
    figure.panels.push_back(std::move(panel));
    return figure;
}

} // namespace checkpoint_app
