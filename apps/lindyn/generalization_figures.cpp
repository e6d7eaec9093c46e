#include "generalization_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/quadrature.hpp>
#include <assay/lindyn/spiked.hpp>
#include <assay/lindyn/students.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kGeneralize = "/lindyn/generalize";
constexpr const char* kSweep = "/lindyn/generalize/sweep";
constexpr const char* kTransfer = "/lindyn/transfer";
constexpr const char* kRegress = "/lindyn/regress";
constexpr const char* kModes = "/lindyn/modes";
constexpr const char* kData = "/lindyn/generalize/singular_values";
constexpr int kGrey = -2, kBlack = -1;
constexpr Index kPoints = 25; // of simulations along a curve
constexpr int kBars = 30;

using Numbers = std::vector<double>;

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

double scalar(const hdf5::Group& group, const std::string& name) {
    const Numbers all = numbers(group, name);
    if (all.size() != 1)
        throw Error(concat(group.where(), "/", name, ": ", all.size(), " numbers; 1 is expected"));
    return all[0];
}

double attribute(const hdf5::Group& group, const std::string& name) {
    const auto value = group.number_attribute(name);
    if (!value) throw Error(group.where() + ": attribute '" + name + "' is missing");
    return *value;
}

// A part of `count` numbers from `first`.
Numbers part(const Numbers& all, std::size_t first, std::size_t count, const hdf5::Group& group) {
    if (first + count > all.size()) throw Error(group.where() + ": arrays do not fit");
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

plot::Series points(Numbers x, Numbers y, Numbers error, int colour, plot::Mark mark,
                    const std::string& label = "") {
    plot::Series series = line(std::move(x), std::move(y), colour, label);
    series.error = std::move(error);
    series.style = plot::Style::points;
    series.mark = mark;
    return series;
}

// About kPoints of many.
Numbers thinned(const Numbers& all) {
    const std::size_t step = std::max<std::size_t>(1, all.size() / kPoints);
    Numbers few;
    for (std::size_t i = 0; i < all.size(); i += step) few.push_back(all[i]);
    return few;
}

// "time (steps)", in the unit of a dataset.
std::string told_in(const std::string& what, const hdf5::Group& group, const std::string& name) {
    return what + " (" + group.dataset(name).text_attribute("units").value_or("tau") + ")";
}

plot::Figure one_panel(plot::Panel panel) {
    plot::Figure figure;
    figure.width = 5.5;
    figure.height = 3.4;
    panel.legend = panel.legend_outside = true;
    figure.panels.push_back(std::move(panel));
    return figure;
}

// Simulated students that a result may hold, and their marks.
constexpr std::pair<const char*, plot::Mark> kStudents[] = {{"aligned", plot::Mark::circle},
                                                            {"random", plot::Mark::triangle}};

// Their means over the theory.
void add_students(plot::Panel& panel, const hdf5::Group& group, const Numbers& time) {
    for (const auto& [kind, mark] : kStudents) {
        const std::string check = std::string("check/") + kind;
        if (!group.has_group(check)) continue;
        const hdf5::Group own = group.group(check);
        const char* const errors[] = {"train", "test"};
        for (int i = 0; i < 2; ++i)
            panel.series.push_back(points(thinned(time),
                                          thinned(numbers(own, std::string(errors[i]) + "_mean")),
                                          thinned(numbers(own, std::string(errors[i]) + "_sem")), i,
                                          mark, i == 1 ? std::string(kind) + " students" : ""));
    }
}

// Errors over time on a logarithmic axis; the optimum as a ring, shrinkage as a grey line.
plot::Figure errors_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kGeneralize);
    if (group.dataset("time").rank() != 1)
        throw Error(group.where() + ": many points (see --figure sweep)");
    const Numbers time = numbers(group, "time");
    plot::Panel panel = panel_at(0.13, 0.56, "", told_in("time", group, "time"), "error");
    panel.y_log = true;
    const double bound = scalar(group, "non_gradient_error");
    if (bound > 0)
        panel.series.push_back(
            line({time.front(), time.back()}, {bound, bound}, kGrey, "shrinkage"));
    panel.series.push_back(line(time, numbers(group, "train_error"), 0, "train"));
    panel.series.push_back(line(time, numbers(group, "test_error"), 1, "test"));
    if (group.has_group("exact"))
        panel.series.push_back(line(time, numbers(group, "exact/test_error"), 2, "test, W* known"));
    add_students(panel, group, time);
    plot::Series best = points({scalar(group, "optimal_time")}, {scalar(group, "optimal_error")},
                               {}, kBlack, plot::Mark::ring, "optimum");
    best.size = 1;
    panel.series.push_back(std::move(best));
    return one_panel(std::move(panel));
}

// Mean and standard error of each row of repeats (points x repeats).
struct Means {
    Numbers mean, sem;
};
Means means_of(const hdf5::Dataset& repeats, std::size_t points) {
    const Matrix columns = repeats.expect_rank(2).read_matrix().transpose();
    if (columns.cols() != static_cast<Index>(points) || columns.rows() < 1)
        throw Error(repeats.where() + ": does not fit the sweep");
    const auto summary = lindyn::summarise_repeats(columns, Vector::Zero(columns.cols()));
    return {{summary.mean.begin(), summary.mean.end()}, {summary.sem.begin(), summary.sem.end()}};
}

bool is_wide(const Numbers& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return *low > 0 && *high > 50 * *low;
}

// All combinations of some swept parameters in words; one without words where there are none.
std::vector<std::string> combinations(const hdf5::Group& group,
                                      const std::vector<std::string>& names) {
    std::vector<std::string> labels{""};
    for (const std::string& name : names) {
        std::vector<std::string> longer;
        for (const std::string& label : labels)
            for (const double value : numbers(group, "sweep/" + name))
                longer.push_back(
                    concat(label, label.empty() ? "" : ", ", name, " ", significant(value, 3)));
        labels = std::move(longer);
    }
    return labels;
}

// The last parameter along the axis, one curve for each combination of the others.
struct SweptCurves {
    Numbers x;
    std::string name;
    std::vector<std::string> labels;
};
SweptCurves swept_curves(const hdf5::Group& group) {
    const auto names = split(group.text_attribute("sweep").value_or(""), ',');
    SweptCurves curves;
    curves.name = names.back();
    curves.x = numbers(group, "sweep/" + names.back());
    curves.labels = combinations(group, {names.begin(), names.end() - 1});
    return curves;
}

void add_swept_students(plot::Panel& panel, const hdf5::Group& group, const SweptCurves& curves,
                        const std::string& name, bool labelled) {
    for (const auto& [kind, mark] : kStudents) {
        const std::string check = std::string("check/") + kind;
        if (!group.has_group(check)) continue;
        const std::size_t width = curves.x.size();
        const bool alone = curves.labels.size() == 1;
        const Means means =
            means_of(group.dataset(check + "/" + name), width * curves.labels.size());
        for (std::size_t c = 0; c < std::min(curves.labels.size(), at(kShownModes)); ++c)
            panel.series.push_back(points(
                curves.x, part(means.mean, c * width, width, group),
                alone ? part(means.sem, c * width, width, group) : Numbers{}, static_cast<int>(c),
                mark, c == 0 && labelled ? std::string(kind) + " students" : ""));
    }
}

// Least and late errors, and the best time, against the last swept parameter.
plot::Figure sweep_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kGeneralize);
    if (group.has_attribute("shard"))
        throw Error(group.where() + ": one shard of many (see merge)");
    const SweptCurves curves = swept_curves(group);
    const std::size_t width = curves.x.size();
    plot::Figure figure;
    figure.width = 7.5;
    figure.height = 3.4;
    plot::Panel errors = panel_at(0.09, 0.3, "", curves.name, "test error"),
                times = panel_at(0.49, 0.3, "", curves.name,
                                 told_in("best time", group, "optimal_time"));
    errors.y_log = true;
    errors.x_log = times.x_log = is_wide(curves.x);
    const bool alone = curves.labels.size() == 1;
    errors.legend = alone;
    times.legend = times.legend_outside = true;
    const Numbers best = numbers(group, "optimal_error"), time = numbers(group, "optimal_time"),
                  bound = numbers(group, "non_gradient_error"), late = numbers(group, "late_error");
    for (std::size_t c = 0; c < std::min(curves.labels.size(), at(kShownModes)); ++c) {
        const auto colour = static_cast<int>(c);
        errors.series.push_back(line(curves.x, part(bound, c * width, width, group),
                                     alone ? kBlack : kGrey, alone ? "shrinkage" : ""));
        if (alone)
            errors.series.push_back(line(curves.x, part(late, 0, width, group), 1, "at the end"));
        errors.series.push_back(line(curves.x, part(best, c * width, width, group), colour,
                                     alone ? "at its best" : ""));
        times.series.push_back(
            line(curves.x, part(time, c * width, width, group), colour, curves.labels[c]));
    }
    add_swept_students(errors, group, curves, "optimal_error", false);
    add_swept_students(times, group, curves, "optimal_time", true);
    figure.panels.push_back(std::move(errors));
    figure.panels.push_back(std::move(times));
    return figure;
}

// Where the teacher's singular values stand in the data, and how well their vectors are kept.
plot::Figure teacher_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kGeneralize);
    if (group.has_attribute("shard"))
        throw Error(group.where() + ": one shard of many (see merge)");
    const std::string sweep = group.text_attribute("sweep").value_or("");
    const auto labels =
        combinations(group, sweep.empty() ? std::vector<std::string>{} : split(sweep, ','));
    const Numbers teacher = numbers(group, "teacher");
    const std::size_t modes = teacher.size() / labels.size();
    const bool checked = group.has_dataset("check/aligned/s_hat_mean");
    plot::Figure figure;
    figure.width = 7.5;
    figure.height = 3.4;
    const char* const names[] = {"s_hat", "overlap"};
    for (int i = 0; i < 2; ++i) {
        const std::string name = names[i];
        plot::Panel panel = panel_at(i == 0 ? 0.09 : 0.49, 0.3, "", "s of the teacher",
                                     i == 0 ? "s in the data" : "overlap");
        const auto own = [&](const std::string& path, std::size_t point) {
            return part(numbers(group, path), point * modes, modes, group);
        };
        for (std::size_t p = 0; p < std::min(labels.size(), at(kShownModes)); ++p) {
            const Numbers x = part(teacher, p * modes, modes, group);
            panel.series.push_back(line(x, own(name, p), static_cast<int>(p), labels[p]));
            if (checked)
                panel.series.push_back(points(x, own("check/aligned/" + name + "_mean", p),
                                              own("check/aligned/" + name + "_sem", p),
                                              static_cast<int>(p), plot::Mark::circle));
        }
        panel.legend = panel.legend_outside = i == 1;
        figure.panels.push_back(std::move(panel));
    }
    return figure;
}

// Singular values of data in units of the noise.
struct Spectrum {
    Numbers values;
    double inputs = 0, outputs = 0;
};
Spectrum spectrum_of(const hdf5::Group& root) {
    const bool study = root.has_dataset(kData);
    const hdf5::Group group = root.group(study ? kGeneralize : kModes);
    Spectrum spectrum;
    spectrum.values = numbers(group, "singular_values");
    const double unit = attribute(group, "noise_unit");
    if (!(unit > 0) || spectrum.values.empty())
        throw Error(group.where() + ": nothing is known of the noise (modes --noise-unit)");
    for (double& value : spectrum.values) value /= unit;
    spectrum.inputs = study ? attribute(group, "inputs")
                      : group.has_dataset("whitening_basis")
                          ? static_cast<double>(group.dataset("whitening_basis").shape().back())
                          : static_cast<double>(group.dataset("V").shape().front());
    spectrum.outputs = study ? attribute(group, "outputs")
                             : static_cast<double>(group.dataset("U").shape().front());
    return spectrum;
}

// Histogram of unit area over the noise, its law, and the threshold of detection.
plot::Figure spectrum_figure(const hdf5::Group& root) {
    const Spectrum spectrum = spectrum_of(root);
    const double aspect = spectrum.outputs / spectrum.inputs;
    const double edge = lindyn::detection_edge(static_cast<Index>(spectrum.inputs),
                                               static_cast<Index>(spectrum.outputs));
    const double low = std::abs(1 - std::sqrt(aspect)), high = 1 + std::sqrt(aspect);
    const double top = 1.05 * std::max(spectrum.values.front(), edge), width = top / kBars / 2;
    plot::Series bars = line({}, {}, 0, "data");
    bars.style = plot::Style::bars;
    const double total = std::min(spectrum.inputs, spectrum.outputs);
    double tallest = 0;
    for (int b = 0; b < 2 * kBars; ++b) {
        const auto inside =
            std::count_if(spectrum.values.begin(), spectrum.values.end(),
                          [&](double s) { return s >= b * width && s < (b + 1) * width; });
        bars.x.push_back((b + 0.5) * width);
        bars.y.push_back(static_cast<double>(inside) / total / width);
        tallest = std::max(tallest, bars.y.back());
    }
    plot::Series law = line({}, {}, 1, "noise");
    for (int i = 0; i <= 200; ++i) {
        law.x.push_back(low + (high - low) * i / 200);
        law.y.push_back(lindyn::bulk_density(law.x.back(), aspect));
        tallest = std::max(tallest, law.y.back());
    }
    plot::Panel panel = panel_at(0.13, 0.6, "", "singular value / noise unit", "density");
    plot::Series outliers = points({}, {}, {}, 2, plot::Mark::triangle, "detected");
    for (const double s : spectrum.values)
        if (s > edge) {
            outliers.x.push_back(s);
            outliers.y.push_back(bars.y[at(static_cast<Index>(s / width))] + 0.05 * tallest);
        }
    outliers.size = 1;
    panel.series.push_back(std::move(bars));
    panel.series.push_back(std::move(law));
    panel.series.push_back(line({edge, edge}, {0, tallest}, kBlack, "threshold"));
    if (!outliers.x.empty()) panel.series.push_back(std::move(outliers));
    panel.x_range = plot::Range{0, top};
    panel.y_range = plot::Range{0, 1.05 * tallest};
    return one_panel(std::move(panel));
}

// Benefit against alignment, one curve for each strength of B, one panel for each of A.
plot::Figure transfer_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kTransfer);
    if (group.dataset("benefit").rank() != 3)
        throw Error(group.where() + ": one point; a sweep over q is expected (--sweep q=0:1:11)");
    const Numbers q = numbers(group, "q"), a = numbers(group, "snr_a"), b = numbers(group, "snr_b"),
                  benefit = numbers(group, "benefit");
    const bool checked = group.has_group("check");
    const Numbers mean = checked ? numbers(group, "check/benefit_mean") : Numbers{},
                  sem = checked ? numbers(group, "check/benefit_sem") : Numbers{};
    const std::size_t panels = std::min<std::size_t>(a.size(), 3);
    plot::Figure figure;
    figure.width = 2 + 2.7 * static_cast<double>(panels);
    figure.height = 3.2;
    const double share = 2.7 / figure.width;
    for (std::size_t i = 0; i < panels; ++i) {
        plot::Panel panel = panel_at(0.8 / figure.width + share * static_cast<double>(i),
                                     0.75 * share, "snr of A " + significant(a[i], 3),
                                     "alignment q", i == 0 ? "benefit for A" : "");
        panel.series.push_back(line({q.front(), q.back()}, {0, 0}, kGrey));
        for (std::size_t j = 0; j < std::min(b.size(), at(kShownModes)); ++j) {
            const std::size_t first = (i * b.size() + j) * q.size();
            const std::string label = "snr of B " + significant(b[j], 3);
            panel.series.push_back(line(q, part(benefit, first, q.size(), group),
                                        static_cast<int>(j), i + 1 == panels ? label : ""));
            if (checked)
                panel.series.push_back(points(q, part(mean, first, q.size(), group),
                                              part(sem, first, q.size(), group),
                                              static_cast<int>(j), plot::Mark::circle));
        }
        panel.legend = panel.legend_outside = i + 1 == panels;
        figure.panels.push_back(std::move(panel));
    }
    return figure;
}

// Error over time of each load, its least value as a ring.
plot::Figure regression_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kRegress);
    const Numbers time = numbers(group, "time"), load = numbers(group, "load"),
                  error = numbers(group, "generalization_error"),
                  best_time = numbers(group, "optimal_time"),
                  best = numbers(group, "optimal_error");
    const bool checked = group.has_group("check");
    const Numbers mean = checked ? numbers(group, "check/mean") : Numbers{},
                  sem = checked ? numbers(group, "check/sem") : Numbers{};
    plot::Panel panel =
        panel_at(0.13, 0.6, "", told_in("time", group, "time"), "error beyond the noise");
    panel.y_log = true;
    for (std::size_t i = 0; i < std::min(load.size(), at(kShownModes)); ++i) {
        const auto colour = static_cast<int>(i);
        const std::size_t first = i * time.size();
        panel.series.push_back(line(time, part(error, first, time.size(), group), colour,
                                    "load " + significant(load[i], 3)));
        if (checked)
            panel.series.push_back(
                points(thinned(time), thinned(part(mean, first, time.size(), group)),
                       thinned(part(sem, first, time.size(), group)), colour, plot::Mark::circle));
        if (!std::isfinite(best_time.at(i))) continue;
        plot::Series ring = points({best_time[i]}, {best.at(i)}, {}, kBlack, plot::Mark::ring);
        ring.size = 1;
        panel.series.push_back(std::move(ring));
    }
    return one_panel(std::move(panel));
}

} // namespace

std::vector<FigureKind> generalization_figures() {
    return {
        {"sweep", {kSweep}, "least test error and best time against a parameter", sweep_figure},
        {"errors", {kGeneralize}, "training and test error over time", errors_figure},
        {"teacher-modes",
         {kGeneralize},
         "singular values and overlaps of the teacher's modes in the data",
         teacher_figure},
        {"transfer", {kTransfer}, "benefit of a second task against alignment", transfer_figure},
        {"regression", {kRegress}, "error of regression over time", regression_figure}};
}

FigureKind spectrum_kind() {
    return {
        "spectrum", {kData, kModes}, "singular values against the law of noise", spectrum_figure};
}

} // namespace lindyn_app
