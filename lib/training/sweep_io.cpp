#include <assay/training/sweep_io.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/seed.hpp>
#include <assay/hdf5/table.hpp>
#include <assay/training/architectures.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::training {
namespace {

constexpr Index kBins = 8;

std::string paths_of(const SearchSpace& space) {
    std::vector<std::string> paths;
    for (const auto& dimension : space) paths.push_back(dimension.path);
    return join(paths, ",");
}

void write_sources(hdf5::Group& group, const SweepPlan& plan) {
    group.write_text("base", plan.base);
    group.write_text("space", plan.space);
    group.set_attribute("sampler", plan.sampler);
    hdf5::write_seed(group, plan.seed);
    group.set_attribute("repeats", static_cast<std::int64_t>(plan.repeats));
    group.set_attribute("first", static_cast<std::int64_t>(plan.first));
    group.set_attribute("settings", paths_of(parse_search_space(plan.space)));
}

SweepPlan read_sources(const hdf5::Group& group) {
    SweepPlan plan;
    const auto text = [&](const char* name) {
        const auto found = group.read_text(name);
        if (!found) throw Error(group.where() + ": holds no '" + name + "': not a sweep");
        return *found;
    };
    plan.base = text("base");
    plan.space = text("space");
    plan.sampler = group.text_attribute("sampler").value_or("random");
    plan.seed = hdf5::read_seed(group).value_or(0);
    plan.repeats = static_cast<Index>(group.number_attribute("repeats").value_or(1));
    plan.first = static_cast<Index>(group.number_attribute("first").value_or(1));
    if (plan.repeats < 1 || plan.repeats > 1000000 || plan.first < 1)
        throw Error(group.where() + ": repeats or first is out of range");
    return plan;
}

struct StatusWord {
    const char* word;
    RunStatus status;
};
constexpr StatusWord kStatusWords[]{{"finished", RunStatus::finished},
                                    {"diverged", RunStatus::diverged},
                                    {"failed", RunStatus::failed},
                                    {"missing", RunStatus::missing}};

std::vector<double> sweep_column(const std::vector<SweepRow>& rows, double SweepRow::*member) {
    std::vector<double> values;
    for (const auto& row : rows) values.push_back(row.*member);
    return values;
}

} // namespace

std::string status_name(RunStatus status) {
    for (const auto& one : kStatusWords)
        if (one.status == status) return one.word;
    return "";
}

RunStatus status_of(const std::string& word) {
    for (const auto& one : kStatusWords)
        if (one.word == word) return one.status;
    throw Error("found status '" + printable(word, 40) +
                "'; finished, diverged, failed or missing is expected");
}

void write_plan(hdf5::Group group, const SweepPlan& plan) {
    write_sources(group, plan);
    const auto trials = static_cast<Index>(plan.points.size());
    const Index settings = trials == 0 ? 0 : static_cast<Index>(plan.points[0].size());
    std::vector<double> values;
    for (const auto& point : plan.points) values.insert(values.end(), point.begin(), point.end());
    group.write("values", values.data(), {trials, settings},
                {"trial,setting", "", "of a choice its number, from 0"});
}

SweepPlan read_plan(const hdf5::Group& group) {
    SweepPlan plan = read_sources(group);
    const auto space = parse_search_space(plan.space);
    const RowMatrix values = group.dataset("values").expect_numeric().expect_rank(2).read_matrix();
    if (values.cols() != static_cast<Index>(space.size()))
        throw Error(concat(group.where(), "/values: ", values.cols(), " settings; the space has ",
                           space.size()));
    for (Index i = 0; i < values.rows(); ++i)
        plan.points.emplace_back(values.row(i).data(), values.row(i).data() + values.cols());
    return plan;
}

double score_of(const SweepRow& row) {
    if (row.status != RunStatus::finished) return kNaN;
    if (std::isfinite(row.eval_accuracy)) return row.eval_accuracy;
    return std::isfinite(row.eval_loss) ? -row.eval_loss : -row.loss;
}

std::vector<TrialScore> trial_scores(const std::vector<SweepRow>& rows) {
    std::map<Index, std::pair<TrialScore, Index>> sums;
    for (const auto& row : rows) {
        auto& [trial, count] = sums[row.trial];
        trial.trial = row.trial;
        trial.values = row.values;
        trial.score += score_of(row);
        ++count;
    }
    std::vector<TrialScore> scores;
    for (auto& [number, entry] : sums) {
        entry.first.score /= static_cast<double>(entry.second);
        scores.push_back(std::move(entry.first));
    }
    return scores;
}

void write_table(hdf5::Group group, const SweepTable& table) {
    write_sources(group, table.plan);
    const SearchSpace space = parse_search_space(table.plan.space);
    const auto& rows = table.rows;
    std::vector<std::int64_t> trial, repeat;
    std::vector<std::uint8_t> finished;
    for (const auto& row : rows) {
        trial.push_back(row.trial);
        repeat.push_back(row.repeat);
        finished.push_back(row.status == RunStatus::finished ? 1 : 0);
    }
    group.write("trial", trial, {"run", "", "numbered from 1"});
    group.write("repeat", repeat, {"run", "", "which seed"});
    group.write("finished", finished, {"run", "", "0: diverged"});
    group.write("loss", sweep_column(rows, &SweepRow::loss), {"run", "", "last batch"});
    group.write("eval_loss", sweep_column(rows, &SweepRow::eval_loss),
                {"run", "", "of the test split"});
    group.write("eval_accuracy", sweep_column(rows, &SweepRow::eval_accuracy),
                {"run", "", "of the test split"});
    std::vector<double> scores;
    for (const auto& row : rows) scores.push_back(score_of(row));
    group.write("score", scores, {"run", "", "higher is better; NaN: diverged"});
    for (std::size_t i = 0; i < space.size(); ++i) {
        std::vector<double> values;
        for (const auto& row : rows) values.push_back(row.values.at(i));
        group.write("setting_" + std::to_string(i), values, {"run", "", space[i].path});
    }
    const auto trials = trial_scores(rows);
    std::vector<TrialPoint> points;
    std::vector<double> means;
    for (const auto& one : trials) {
        points.push_back(one.values);
        means.push_back(one.score);
    }
    const auto best = std::max_element(trials.begin(), trials.end(), [](auto& a, auto& b) {
        return (std::isfinite(a.score) ? a.score : -1e308) <
               (std::isfinite(b.score) ? b.score : -1e308);
    });
    if (best != trials.end()) {
        group.set_attribute("best_trial", static_cast<std::int64_t>(best->trial));
        group.set_attribute("best_score", best->score);
    }
    const bool classifies = std::any_of(rows.begin(), rows.end(), [](const SweepRow& row) {
        return std::isfinite(row.eval_accuracy);
    });
    // Points are those of an accuracy: a loss has no such scale.
    for (const int percent : {1, 2, 5})
        group.set_attribute("robustness_" + std::to_string(percent),
                            classifies ? robustness(means, percent / 100.0) : kNaN);
    group.set_attribute("last_trial", static_cast<std::int64_t>(table.last_trial));
    group.set_attribute("metric", classifies ? "accuracy" : "minus loss");
    hdf5::Group marginal = group.create_group("marginal");
    for (const auto& curve : marginal_curves(space, points, means, kBins)) {
        hdf5::Group one = marginal.create_group(curve.path);
        one.write("centre", curve.centre, {"bin", "", "value in the middle"});
        one.write("mean", curve.mean, {"bin", "", "score"});
        one.write("best", curve.best, {"bin", "", "score"});
        one.write("count", std::vector<std::int64_t>(curve.count.begin(), curve.count.end()),
                  {"bin", "", "trials"});
    }
}

SweepTable read_table(const hdf5::Group& group) {
    SweepTable table{read_sources(group), {}, 0};
    table.last_trial = static_cast<Index>(group.number_attribute("last_trial").value_or(0));
    const auto trial = group.dataset("trial").read<std::int64_t>();
    const auto numbers = [&](const std::string& name) {
        auto values = group.dataset(name).expect_numeric().read<double>();
        if (values.size() != trial.size())
            throw Error(concat(group.where(), "/", name, ": ", values.size(), " numbers; ",
                               trial.size(), " are expected"));
        return values;
    };
    const auto repeat = numbers("repeat"), finished = numbers("finished"), loss = numbers("loss"),
               eval_loss = numbers("eval_loss"), accuracy = numbers("eval_accuracy");
    const auto settings = parse_search_space(table.plan.space).size();
    std::vector<std::vector<double>> values;
    for (std::size_t i = 0; i < settings; ++i)
        values.push_back(numbers("setting_" + std::to_string(i)));
    for (std::size_t k = 0; k < trial.size(); ++k) {
        SweepRow row{trial[k],
                     static_cast<Index>(repeat[k]),
                     {},
                     loss[k],
                     eval_loss[k],
                     accuracy[k],
                     finished[k] != 0 ? RunStatus::finished : RunStatus::diverged,
                     {},
                     {}};
        for (const auto& setting : values) row.values.push_back(setting[k]);
        table.rows.push_back(std::move(row));
    }
    return table;
}

namespace {

// A choice's text without its quotes, a number as it is.
std::string plain_value(const SearchDimension& dimension, double value) {
    const auto json = nlohmann::json::parse(value_json(dimension, value));
    return json.is_string() ? json.get<std::string>() : json.dump();
}

// The last part of each path where that tells them apart, and from what every run has.
std::vector<std::string> short_names(const SearchSpace& space) {
    std::map<std::string, int> count{{"file", 1}, {"trial", 1}, {"repeat", 1}, {"seed", 1}};
    const auto last = [](const std::string& path) { return path.substr(path.rfind('.') + 1); };
    for (const auto& dimension : space) ++count[last(dimension.path)];
    std::vector<std::string> names;
    for (const auto& dimension : space)
        names.push_back(count[last(dimension.path)] == 1 ? last(dimension.path) : dimension.path);
    return names;
}

// "gru:64:relu" as labels.
void add_parts_of(const std::string& model, std::map<std::string, std::string>& labels) {
    const auto parts = split(model, ':');
    if (parts.size() < 2 || parts.size() > 3 || !parse_integer(parts[1]) ||
        !is_architecture_word(model))
        return;
    labels.emplace("arch", parts[0]);
    labels.emplace("units", parts[1]);
    labels.emplace("activation", parts.size() == 3 ? parts[2] : "tanh");
}

} // namespace

void write_status(hdf5::Group group, const std::vector<SweepRow>& runs) {
    std::vector<std::int64_t> trial, repeat;
    std::vector<std::string> status, message;
    for (const auto& row : runs) {
        trial.push_back(row.trial);
        repeat.push_back(row.repeat);
        status.push_back(status_name(row.status));
        message.push_back(row.message);
    }
    hdf5::Table table;
    table.add("trial", std::move(trial));
    table.add("repeat", std::move(repeat));
    table.add("status", std::move(status));
    table.add("message", std::move(message));
    hdf5::write_table(group, "status", table,
                      {"run", "", "finished, diverged, failed or missing, and why"});
}

TransferTable transfer_table(const std::vector<std::vector<SweepRow>>& rows,
                             const std::vector<std::string>& names) {
    std::map<Index, TrialPoint> settings;
    std::vector<std::vector<TrialScore>> scores;
    for (std::size_t f = 0; f < rows.size(); ++f) {
        scores.push_back(trial_scores(rows[f]));
        for (const auto& one : scores.back())
            if (settings.emplace(one.trial, one.values).first->second != one.values)
                throw Error(concat(names[f], ": trial ", one.trial,
                                   " has other settings than in the folders before"));
    }
    TransferTable table;
    std::map<Index, Index> columns;
    for (const auto& [trial, values] : settings) {
        columns[trial] = static_cast<Index>(table.trials.size());
        table.trials.push_back(trial);
    }
    table.score.setConstant(static_cast<Index>(rows.size()),
                            static_cast<Index>(table.trials.size()), kNaN);
    for (std::size_t f = 0; f < scores.size(); ++f)
        for (const auto& one : scores[f])
            table.score(static_cast<Index>(f), columns[one.trial]) = one.score;
    return table;
}

void write_runs(hdf5::Group group, const SweepTable& table, const std::string& results) {
    const SearchSpace space = parse_search_space(table.plan.space);
    std::vector<std::string> files;
    std::vector<std::int64_t> trial, repeat, seed;
    std::vector<std::vector<std::string>> settings(space.size());
    for (const auto& row : table.rows) {
        files.push_back(row.file);
        trial.push_back(row.trial);
        repeat.push_back(row.repeat);
        seed.push_back(
            static_cast<std::int64_t>(trial_config(table.plan, row.values, row.repeat).seed));
        for (std::size_t i = 0; i < space.size(); ++i)
            settings[i].push_back(plain_value(space[i], row.values.at(i)));
    }
    hdf5::Table runs;
    runs.add("file", std::move(files));
    runs.add("trial", std::move(trial));
    runs.add("repeat", std::move(repeat));
    runs.add("seed", std::move(seed));
    const auto names = short_names(space);
    for (std::size_t i = 0; i < space.size(); ++i) runs.add(names[i], std::move(settings[i]));
    hdf5::write_table(group, "runs", runs, {"run", "", "files of the runs, and their settings"});
    group.set_attribute("results", results);
}

SweepRuns read_runs(const hdf5::Group& group) {
    const auto results = group.text_attribute("results");
    if (!results || !group.has_dataset("runs"))
        throw Error(group.where() + ": does not say where its runs stand; run checkpoint sweep "
                                    "collect again");
    const hdf5::Table table = hdf5::read_table(group.dataset("runs"));
    SweepRuns runs{*results, table.column<std::string>("file"), {}};
    runs.labels.resize(runs.files.size());
    for (const auto& column : table.columns)
        for (std::size_t k = 0; k < runs.files.size() && column.name != "file"; ++k)
            std::visit([&](const auto& values) { runs.labels[k][column.name] = concat(values[k]); },
                       column.values);
    for (auto& labels : runs.labels)
        if (const auto model = labels.find("model"); model != labels.end())
            add_parts_of(std::string(model->second), labels);
    return runs;
}

TrainingConfig trial_config(const SweepPlan& plan, const TrialPoint& point, Index repeat) {
    const SearchSpace space = parse_search_space(plan.space);
    std::vector<Override> overrides = plan.changes;
    for (std::size_t i = 0; i < space.size(); ++i)
        overrides.push_back({space[i].path, value_json(space[i], point.at(i))});
    const TrainingConfig config = read_config(plan.base, overrides, "base configuration");
    if (repeat == 0) return config;
    overrides.push_back({"seed", std::to_string(config.seed + static_cast<std::uint64_t>(repeat))});
    return read_config(plan.base, overrides, "base configuration");
}

} // namespace assay::training
