#include <assay/tensor_amp/study_io.hpp>

#include <assay/core/error.hpp>
#include <assay/hdf5/table.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace assay::tensor_amp {
namespace {

hdf5::Table table_of(const Sweep& sweep) {
    std::vector<std::int64_t> noise, instance, iterations;
    std::vector<std::string> algorithm, status;
    std::vector<double> variance, error, similarity, evidence;
    std::vector<std::vector<double>> mse(sweep.shape.size()), overlap(sweep.shape.size());
    for (const SweepRow& row : sweep.rows) {
        noise.push_back(row.noise);
        variance.push_back(sweep.noise_variances(row.noise));
        instance.push_back(row.instance);
        algorithm.push_back(sweep.algorithms[at(row.algorithm)]);
        status.push_back(row.status);
        iterations.push_back(row.iterations);
        error.push_back(row.signal_error);
        similarity.push_back(row.similarity);
        evidence.push_back(row.evidence);
        for (std::size_t a = 0; a < mse.size(); ++a) {
            mse[a].push_back(row.mse(static_cast<Index>(a)));
            if (sweep.has_overlaps()) overlap[a].push_back(row.overlap(static_cast<Index>(a)));
        }
    }
    hdf5::Table table;
    table.add("noise", noise);
    table.add("noise_var", variance);
    table.add("instance", instance);
    table.add("algorithm", algorithm);
    table.add("status", status);
    table.add("iterations", iterations);
    table.add("signal_error", error);
    table.add("similarity", similarity);
    table.add("evidence", evidence);
    for (std::size_t a = 0; a < mse.size(); ++a) table.add(concat("mse_mode", a), mse[a]);
    for (std::size_t a = 0; sweep.has_overlaps() && a < overlap.size(); ++a)
        table.add(concat("overlap_mode", a), overlap[a]);
    return table;
}

void write_summary(hdf5::Group group, const Sweep& sweep) {
    const auto algorithms = static_cast<Index>(sweep.algorithms.size());
    const Index count = sweep.noise_variances.size();
    MatrixXd success(count, algorithms), error(count, algorithms), sem(count, algorithms),
        median(count, algorithms), similarity(count, algorithms), iterations(count, algorithms);
    std::vector<double> overlap, overlap_sem;
    for (Index i = 0; i < count; ++i)
        for (Index k = 0; k < algorithms; ++k) {
            const SweepSummary one = sweep.summary(i, k);
            success(i, k) = one.success;
            error(i, k) = one.signal_error;
            sem(i, k) = one.signal_error_sem;
            median(i, k) = one.median_signal_error;
            similarity(i, k) = one.similarity;
            iterations(i, k) = one.iterations;
            overlap.insert(overlap.end(), one.overlap.begin(), one.overlap.end());
            overlap_sem.insert(overlap_sem.end(), one.overlap_sem.begin(), one.overlap_sem.end());
        }
    const std::string axes = "noise_var,algorithm";
    group.write("success", success, {axes, "", "share of instances found"});
    group.write("signal_error", error, {axes, "", "mean |What - W|^2 / |W|^2"});
    group.write("signal_error_sem", sem, {axes, "", "its standard error"});
    group.write("median_signal_error", median, {axes, "", "median over instances"});
    group.write("similarity", similarity, {axes, "", "mean similarity to the truth"});
    group.write("iterations", iterations, {axes, "", "mean sweeps"});
    if (!sweep.has_overlaps()) return;
    const Shape by_mode{count, algorithms, static_cast<Index>(sweep.shape.size())};
    group.write("overlap", overlap.data(), by_mode,
                {axes + ",mode", "", "mean tr M_a, M_a = Xhat_a^T X_a / N_a with the truth"});
    group.write("overlap_sem", overlap_sem.data(), by_mode,
                {axes + ",mode", "", "its standard error"});
}

void write_theory(hdf5::Group group, const Sweep& sweep) {
    const auto count = static_cast<Index>(sweep.theory.size());
    const auto order = static_cast<Index>(sweep.shape.size());
    MatrixXd error(count, 2), free_entropy(count, 2), mse(count, 2 * order);
    for (Index i = 0; i < count; ++i) {
        const SweepTheory& one = sweep.theory[at(i)];
        error.row(i) << one.signal_error_uninformed, one.signal_error_informed;
        free_entropy.row(i) << one.free_entropy_uninformed, one.free_entropy_informed;
        mse.row(i) << one.mse_uninformed.transpose(), one.mse_informed.transpose();
    }
    group.write("signal_error", error,
                {"noise_var,start", "", "state evolution from the prior means, and informed"});
    group.write("free_entropy", free_entropy, {"noise_var,start", "", "per N"});
    group.write("mse_uninformed", MatrixXd(mse.leftCols(order)), {"noise_var,mode", "", ""});
    group.write("mse_informed", MatrixXd(mse.rightCols(order)), {"noise_var,mode", "", ""});
}

void read_theory(const hdf5::Group& group, Sweep& sweep) {
    const MatrixXd error = group.dataset("signal_error").read_matrix();
    const MatrixXd free_entropy = group.dataset("free_entropy").read_matrix();
    const MatrixXd uninformed = group.dataset("mse_uninformed").read_matrix();
    const MatrixXd informed = group.dataset("mse_informed").read_matrix();
    const Index count = sweep.noise_variances.size();
    if (error.rows() != count || error.cols() != 2 || free_entropy.rows() != count ||
        free_entropy.cols() != 2 || uninformed.rows() != count || informed.rows() != count)
        throw Error(group.where() + ": not as many rows as noise variances");
    for (Index i = 0; i < count; ++i)
        sweep.theory.push_back({error(i, 0), error(i, 1), uninformed.row(i).transpose(),
                                informed.row(i).transpose(), free_entropy(i, 0),
                                free_entropy(i, 1)});
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
    const auto& algorithm = table.column<std::string>("algorithm");
    std::vector<const std::vector<double>*> mse, overlap;
    for (std::size_t a = 0; a < sweep.shape.size(); ++a)
        mse.push_back(&table.column<double>(concat("mse_mode", a)));
    // Older files have none.
    const bool overlaps =
        std::any_of(table.columns.begin(), table.columns.end(),
                    [](const hdf5::TableColumn& one) { return one.name == "overlap_mode0"; });
    for (std::size_t a = 0; overlaps && a < mse.size(); ++a)
        overlap.push_back(&table.column<double>(concat("overlap_mode", a)));
    for (std::size_t k = 0; k < noise.size(); ++k) {
        SweepRow row;
        row.noise = noise[k];
        row.instance = table.column<std::int64_t>("instance")[k];
        const auto place =
            std::find(sweep.algorithms.begin(), sweep.algorithms.end(), algorithm[k]);
        if (row.noise < 0 || row.noise >= sweep.noise_variances.size() ||
            place == sweep.algorithms.end())
            throw Error(concat(group.where(), "/results: row ", k, " is of no point of the sweep"));
        row.algorithm = place - sweep.algorithms.begin();
        row.status = table.column<std::string>("status")[k];
        row.iterations = table.column<std::int64_t>("iterations")[k];
        row.signal_error = table.column<double>("signal_error")[k];
        row.similarity = table.column<double>("similarity")[k];
        row.evidence = table.column<double>("evidence")[k];
        row.mse.resize(static_cast<Index>(mse.size()));
        row.overlap.resize(static_cast<Index>(overlap.size()));
        for (std::size_t a = 0; a < mse.size(); ++a) row.mse(static_cast<Index>(a)) = (*mse[a])[k];
        for (std::size_t a = 0; a < overlap.size(); ++a)
            row.overlap(static_cast<Index>(a)) = (*overlap[a])[k];
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
