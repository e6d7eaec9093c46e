#include <assay/tensor_amp/study_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/recording.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/table.hpp>
#include <assay/tensor_amp/grid_io.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace assay::tensor_amp {
namespace {

double number_of_mode(const VectorXd& numbers, Index mode) {
    return mode < numbers.size() ? numbers(mode) : std::numeric_limits<double>::quiet_NaN();
}

// The value of every axis of the grid at a row's point; as columns.
void add_point(hdf5::Table& table, const Sweep& sweep) {
    if (sweep.axes.empty()) return;
    std::vector<std::int64_t> points;
    std::vector<std::vector<double>> values(sweep.axes.size());
    for (const SweepRow& row : sweep.rows) {
        points.push_back(row.setting / sweep.noise_variances.size());
        const std::vector<double> here = values_at(sweep.axes, points.back());
        for (std::size_t i = 0; i < here.size(); ++i) values[i].push_back(here[i]);
    }
    table.add("point", points);
    for (std::size_t i = 0; i < values.size(); ++i) table.add(sweep.axes[i].name, values[i]);
}

// One number a mode; NaN where a tensor of the sweep has fewer.
std::vector<std::vector<double>> columns_of_modes(const Sweep& sweep, VectorXd SweepRow::*numbers) {
    std::vector<std::vector<double>> columns(at(sweep.modes()));
    for (const SweepRow& row : sweep.rows)
        for (std::size_t a = 0; a < columns.size(); ++a)
            columns[a].push_back(number_of_mode(row.*numbers, static_cast<Index>(a)));
    return columns;
}

hdf5::Table table_of(const Sweep& sweep) {
    std::vector<std::int64_t> noise, instance, iterations;
    std::vector<std::string> algorithm, status;
    std::vector<double> variance, error, similarity, evidence;
    for (const SweepRow& row : sweep.rows) {
        noise.push_back(row.setting % sweep.noise_variances.size());
        variance.push_back(sweep.noise_variances(noise.back()));
        instance.push_back(row.instance);
        algorithm.push_back(sweep.algorithms[at(row.algorithm)]);
        status.push_back(row.status);
        iterations.push_back(row.iterations);
        error.push_back(row.signal_error);
        similarity.push_back(row.similarity);
        evidence.push_back(row.evidence);
    }
    hdf5::Table table;
    add_point(table, sweep);
    table.add("noise", noise);
    table.add("noise_var", variance);
    table.add("instance", instance);
    table.add("algorithm", algorithm);
    table.add("status", status);
    table.add("iterations", iterations);
    table.add("signal_error", error);
    table.add("similarity", similarity);
    table.add("evidence", evidence);
    const auto add_modes = [&](const char* name, VectorXd SweepRow::*numbers) {
        const auto columns = columns_of_modes(sweep, numbers);
        for (std::size_t a = 0; a < columns.size(); ++a) table.add(concat(name, a), columns[a]);
    };
    add_modes("mse_mode", &SweepRow::mse);
    if (sweep.has_overlaps()) add_modes("overlap_mode", &SweepRow::overlap);
    return table;
}

// Arrays over the settings of a sweep, one after the other.
class SettingArrays {
  public:
    SettingArrays(hdf5::Group group, const Sweep& sweep)
        : group_(std::move(group)),
          leading_(leading_axes(sweep.axes).with("noise_var", sweep.noise_variances.size())) {}
    // values: setting x the trailing axes, in C order.
    void write(const char* name, const std::vector<double>& values, const Leading& trailing,
               const char* what) {
        hdf5::Shape shape = leading_.shape;
        shape.insert(shape.end(), trailing.shape.begin(), trailing.shape.end());
        group_.write(name, values.data(), shape,
                     {joined_axes(leading_.axes, trailing.axes), "", what});
    }

  private:
    hdf5::Group group_;
    Leading leading_;
};

void write_summary(hdf5::Group group, const Sweep& sweep) {
    const auto algorithms = static_cast<Index>(sweep.algorithms.size());
    std::vector<SweepSummary> all;
    for (Index i = 0; i < sweep.settings(); ++i)
        for (Index k = 0; k < algorithms; ++k) all.push_back(sweep.summary(i, k));
    const Leading trailing = Leading{}.with("algorithm", algorithms);
    SettingArrays arrays(std::move(group), sweep);
    const auto write = [&](const char* name, double SweepSummary::*number, const char* what) {
        std::vector<double> values;
        for (const SweepSummary& one : all) values.push_back(one.*number);
        arrays.write(name, values, trailing, what);
    };
    const auto write_modes = [&](const char* name, VectorXd SweepSummary::*numbers,
                                 const char* what) {
        std::vector<double> values;
        for (const SweepSummary& one : all)
            values.insert(values.end(), (one.*numbers).begin(), (one.*numbers).end());
        arrays.write(name, values, trailing.with("mode", sweep.modes()), what);
    };
    write("success", &SweepSummary::success, "share of instances found");
    write("signal_error", &SweepSummary::signal_error, "mean |What - W|^2 / |W|^2");
    write("signal_error_sem", &SweepSummary::signal_error_sem, "its standard error");
    write("median_signal_error", &SweepSummary::median_signal_error, "median over instances");
    write("similarity", &SweepSummary::similarity, "mean similarity to the truth");
    write("iterations", &SweepSummary::iterations, "mean sweeps");
    if (!sweep.has_overlaps()) return;
    write_modes("overlap", &SweepSummary::overlap,
                "mean tr M_a, M_a = Xhat_a^T X_a / N_a with the truth");
    write_modes("overlap_sem", &SweepSummary::overlap_sem, "its standard error");
}

void write_theory(hdf5::Group group, const Sweep& sweep) {
    SettingArrays arrays(std::move(group), sweep);
    const auto write = [&](const char* name, double SweepTheory::*uninformed,
                           double SweepTheory::*informed, const char* what) {
        std::vector<double> values;
        for (const SweepTheory& one : sweep.theory)
            values.insert(values.end(), {one.*uninformed, one.*informed});
        arrays.write(name, values, Leading{}.with("start", 2), what);
    };
    const auto write_modes = [&](const char* name, VectorXd SweepTheory::*numbers) {
        std::vector<double> values;
        for (const SweepTheory& one : sweep.theory)
            for (Index a = 0; a < sweep.modes(); ++a)
                values.push_back(number_of_mode(one.*numbers, a));
        arrays.write(name, values, Leading{}.with("mode", sweep.modes()), "");
    };
    write("signal_error", &SweepTheory::signal_error_uninformed,
          &SweepTheory::signal_error_informed,
          "state evolution from the prior means, and informed");
    write("free_entropy", &SweepTheory::free_entropy_uninformed,
          &SweepTheory::free_entropy_informed, "per N");
    write_modes("mse_uninformed", &SweepTheory::mse_uninformed);
    write_modes("mse_informed", &SweepTheory::mse_informed);
}

// Rows, one a setting.
RowMatrix rows_of_settings(const hdf5::Group& group, const char* name, const Sweep& sweep,
                           Index columns) {
    const hdf5::Dataset dataset = group.dataset(name).expect_numeric();
    hdf5::Shape expected =
        leading_axes(sweep.axes).with("noise_var", sweep.noise_variances.size()).shape;
    expected.push_back(columns);
    if (dataset.shape() != expected)
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()), " numbers; ",
                           hdf5::shape_text(expected), " are expected"));
    return Eigen::Map<const RowMatrix>(dataset.read<double>().data(), sweep.settings(), columns);
}

void read_theory(const hdf5::Group& group, Sweep& sweep) {
    const RowMatrix error = rows_of_settings(group, "signal_error", sweep, 2);
    const RowMatrix free_entropy = rows_of_settings(group, "free_entropy", sweep, 2);
    const RowMatrix uninformed = rows_of_settings(group, "mse_uninformed", sweep, sweep.modes());
    const RowMatrix informed = rows_of_settings(group, "mse_informed", sweep, sweep.modes());
    for (Index i = 0; i < sweep.settings(); ++i) {
        const Index order = sweep.order(i);
        sweep.theory.push_back({error(i, 0), error(i, 1), uninformed.row(i).head(order),
                                informed.row(i).head(order), free_entropy(i, 0),
                                free_entropy(i, 1)});
    }
}

Index integer_attribute(const hdf5::Group& group, const std::string& name, Index least) {
    const auto value = group.number_attribute(name);
    if (!value || !(*value >= static_cast<double>(least)) || !(*value < 9e15))
        throw Error(concat(group.where(), ": attribute '", name, "' is missing or below ", least));
    return static_cast<Index>(*value);
}

} // namespace

void write_sweep(hdf5::Group group, const Sweep& sweep, bool timing) {
    group.set_attribute("shape", std::vector<double>(sweep.shape.begin(), sweep.shape.end()));
    group.set_attribute("rank", static_cast<std::int64_t>(sweep.rank));
    group.set_attribute("instances", static_cast<std::int64_t>(sweep.instances));
    group.set_attribute("seed", std::to_string(sweep.seed));
    group.set_attribute("options", sweep.options);
    group.set_attribute("success_similarity", sweep.success);
    group.set_attribute("shards", static_cast<std::int64_t>(sweep.parts));
    if (sweep.parts > 1) group.set_attribute("shard", static_cast<std::int64_t>(sweep.part + 1));
    write_words(group, "algorithms", sweep.algorithms);
    write_words(group, "priors", sweep.priors);
    if (!sweep.axes.empty()) write_grid(group, sweep.axes);
    group.write("noise_var", sweep.noise_variances, {"noise_var", "", "noise variances"});
    hdf5::write_table(group, "results", table_of(sweep), {"fit", "", "one row a fit"});
    if (sweep.parts == 1) write_summary(group.create_group("summary"), sweep);
    if (!sweep.theory.empty()) write_theory(group.create_group("theory"), sweep);
    if (!timing) return;
    VectorXd seconds(static_cast<Index>(sweep.rows.size()));
    for (std::size_t k = 0; k < sweep.rows.size(); ++k)
        seconds(static_cast<Index>(k)) = sweep.rows[k].cpu_seconds;
    group.create_group("timing").write("cpu_seconds", seconds, {"fit", "s", "of every fit"});
}

Sweep read_sweep(const hdf5::Group& group) {
    Sweep sweep;
    sweep.axes = read_grid(group);
    sweep.noise_variances = group.dataset("noise_var").read_vector();
    sweep.algorithms = read_words(group, "algorithms");
    sweep.priors = read_words(group, "priors");
    sweep.instances = integer_attribute(group, "instances", 1);
    sweep.rank = integer_attribute(group, "rank", 1);
    sweep.seed = std::strtoull(group.text_attribute("seed").value_or("0").c_str(), nullptr, 10);
    sweep.options = group.text_attribute("options").value_or("");
    sweep.parts = integer_attribute(group, "shards", 1);
    sweep.part = sweep.parts > 1 ? integer_attribute(group, "shard", 1) - 1 : 0;
    if (sweep.part >= sweep.parts || sweep.parts > 1000000)
        throw Error(concat(group.where(), ": shard ", sweep.part + 1, " of ", sweep.parts));
    sweep.success = group.number_attribute("success_similarity").value_or(0.3);
    for (const double length : group.numbers_attribute("shape"))
        sweep.shape.push_back(static_cast<Index>(length));
    const hdf5::Table table = hdf5::read_table(group.dataset("results"));
    const auto& noise = table.column<std::int64_t>("noise");
    const std::vector<std::int64_t> points = sweep.axes.empty()
                                                 ? std::vector<std::int64_t>(noise.size(), 0)
                                                 : table.column<std::int64_t>("point");
    const auto& algorithm = table.column<std::string>("algorithm");
    std::vector<const std::vector<double>*> mse, overlap;
    for (std::size_t a = 0; a < at(sweep.modes()); ++a)
        mse.push_back(&table.column<double>(concat("mse_mode", a)));
    // Older files have none.
    const bool overlaps =
        std::any_of(table.columns.begin(), table.columns.end(),
                    [](const hdf5::TableColumn& one) { return one.name == "overlap_mode0"; });
    for (std::size_t a = 0; overlaps && a < mse.size(); ++a)
        overlap.push_back(&table.column<double>(concat("overlap_mode", a)));
    for (std::size_t k = 0; k < noise.size(); ++k) {
        SweepRow row;
        row.instance = table.column<std::int64_t>("instance")[k];
        const auto place =
            std::find(sweep.algorithms.begin(), sweep.algorithms.end(), algorithm[k]);
        if (noise[k] < 0 || noise[k] >= sweep.noise_variances.size() || points[k] < 0 ||
            points[k] >= point_count(sweep.axes) || place == sweep.algorithms.end())
            throw Error(concat(group.where(), "/results: row ", k, " is of no point of the sweep"));
        row.setting = points[k] * sweep.noise_variances.size() + noise[k];
        row.algorithm = place - sweep.algorithms.begin();
        row.status = table.column<std::string>("status")[k];
        row.iterations = table.column<std::int64_t>("iterations")[k];
        row.signal_error = table.column<double>("signal_error")[k];
        row.similarity = table.column<double>("similarity")[k];
        row.evidence = table.column<double>("evidence")[k];
        row.mse.resize(sweep.order(row.setting));
        row.overlap.resize(overlaps ? row.mse.size() : 0);
        for (Index a = 0; a < row.mse.size(); ++a) row.mse(a) = (*mse[at(a)])[k];
        for (Index a = 0; a < row.overlap.size(); ++a) row.overlap(a) = (*overlap[at(a)])[k];
        sweep.rows.push_back(row);
    }
    if (group.has_group("theory")) read_theory(group.group("theory"), sweep);
    if (group.has_group("timing")) {
        const VectorXd seconds = group.group("timing").dataset("cpu_seconds").read_vector();
        for (Index k = 0;
             k < std::min<Index>(seconds.size(), static_cast<Index>(sweep.rows.size())); ++k)
            sweep.rows[at(k)].cpu_seconds = seconds(k);
    }
    return sweep;
}

void write_rank_choice(hdf5::Group group, const RankChoice& choice) {
    const bool whole = choice.parts == 1;
    const auto chosen = [&](const char* name, Index rank) {
        if (whole && rank > 0) group.set_attribute(name, static_cast<std::int64_t>(rank));
    };
    if (whole) group.set_attribute("selected", static_cast<std::int64_t>(choice.selected()));
    group.set_attribute("chosen_by", choice.criteria.chosen_by);
    chosen("selected_by_evidence", choice.by_evidence());
    chosen("selected_by_cross_validation", choice.by_cross_validation());
    chosen("selected_by_core_consistency", choice.by_core_consistency());
    chosen("selected_by_similarity", choice.by_similarity());
    if (!whole) {
        group.set_attribute("shard", static_cast<std::int64_t>(choice.part + 1));
        group.set_attribute("shards", static_cast<std::int64_t>(choice.parts));
        group.set_attribute("N", choice.mean_dimension);
        group.set_attribute("data", choice.data);
    }
    VectorXd ranks(static_cast<Index>(choice.ranks.size()));
    for (Index k = 0; k < ranks.size(); ++k) ranks(k) = static_cast<double>(choice.ranks[at(k)]);
    group.write("ranks", ranks, {"rank", "", "numbers of components"});
    const auto series = [&](bool asked, const char* name, const VectorXd& values,
                            const char* meaning) {
        if (asked) group.write(name, values, {"rank", "", meaning});
    };
    const RankCriteria& asked = choice.criteria;
    series(asked.evidence, "evidence", choice.evidence, "log evidence over noise alone, per N");
    series(asked.cross_validation, "cv_error", choice.cv_error,
           "squared error on held-out entries over their squares");
    series(asked.cross_validation, "cv_sem", choice.cv_sem,
           "standard error of cv_error over folds");
    series(asked.core_consistency, "core_consistency", choice.core_consistency,
           "of the least-squares fit, at most 100");
    series(asked.similarity, "similarity", choice.similarity,
           "of restarts of least squares to the best of them");
    if (!choice.status.empty()) write_words(group, "status", choice.status);
}

RankChoice read_rank_choice(const hdf5::Group& group) {
    RankChoice choice;
    choice.parts = integer_attribute(group, "shards", 1);
    choice.part = integer_attribute(group, "shard", 1) - 1;
    if (choice.part >= choice.parts || choice.parts > 1000000)
        throw Error(concat(group.where(), ": shard ", choice.part + 1, " of ", choice.parts));
    choice.mean_dimension = group.number_attribute("N").value_or(1);
    choice.data = group.text_attribute("data").value_or("");
    RankCriteria& asked = choice.criteria;
    asked.chosen_by = group.text_attribute("chosen_by").value_or("evidence");
    for (const double rank : group.dataset("ranks").expect_numeric().read<double>())
        choice.ranks.push_back(static_cast<Index>(rank));
    const auto series = [&](const char* name, VectorXd& values) {
        if (!group.has_dataset(name)) return false;
        values = group.dataset(name).expect_numeric().read_vector();
        if (values.size() != static_cast<Index>(choice.ranks.size()))
            throw Error(concat(group.where(), "/", name, ": ", values.size(), " numbers for ",
                               choice.ranks.size(), " ranks"));
        return true;
    };
    asked.evidence = series("evidence", choice.evidence);
    asked.cross_validation = series("cv_error", choice.cv_error) && series("cv_sem", choice.cv_sem);
    asked.core_consistency = series("core_consistency", choice.core_consistency);
    asked.similarity = series("similarity", choice.similarity);
    choice.status = read_words(group, "status");
    if (!choice.status.empty() && choice.status.size() != choice.ranks.size())
        throw Error(group.where() + ": not as many words of status as ranks");
    return choice;
}

} // namespace assay::tensor_amp
