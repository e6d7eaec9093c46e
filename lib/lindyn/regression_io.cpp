#include <assay/lindyn/regression_io.hpp>

#include <assay/core/error.hpp>
#include <assay/lindyn/students.hpp>
#include <assay/lindyn/study_records_io.hpp>

#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kEigenvalues = 32; // between the edges of the spectrum

const RegressionTheory& theory_at_load(const RegressionStudy& study, Index load) {
    return study.theory[static_cast<std::size_t>(load)];
}

// The best time of single eigenmodes, from the slowest to the fastest.
void write_eigenmodes(hdf5::Group& group, const RegressionStudy& study, const Rows& rows) {
    RowMatrix value(rows.count, kEigenvalues), best(rows.count, kEigenvalues);
    for (Index i = 0; i < rows.count; ++i) {
        const RegressionSetting setting = setting_at(study, i);
        const double root = std::sqrt(setting.load);
        value.row(i) =
            Vector::LinSpaced(kEigenvalues, (1 - root) * (1 - root), (1 + root) * (1 + root));
        best.row(i) = study.scale.per_tau * value.row(i).unaryExpr([&](double l) {
            return best_eigenmode_time(setting, l);
        });
    }
    rows.write(group, "eigenvalue", value, {"eigenmode", "", "of the inputs' covariance"});
    rows.write(group, "best_eigenmode_time", best,
               {"eigenmode", study.scale.unit, "when to stop learning that eigenmode"});
}

void write_theory(hdf5::Group& group, const RegressionStudy& study, const Rows& rows) {
    const TimeScale& scale = study.scale;
    RowMatrix error(rows.count, study.time.size());
    Vector best_time(rows.count), best_error(rows.count), late(rows.count);
    for (Index i = 0; i < rows.count; ++i) {
        const RegressionTheory& theory = theory_at_load(study, i);
        error.row(i) = theory.error.transpose();
        best_time(i) = scale.per_tau * theory.optimum.at;
        best_error(i) = theory.optimum.value;
        late(i) = theory.late;
    }
    group.write("time", Vector(scale.per_tau * study.time), {"time", scale.unit, "of training"});
    rows.write(group, "generalization_error", error, {"time", "", "beyond the noise, E - sigma^2"});
    group.write("load", study.loads, {"load", "", "samples a input"});
    rows.write_scalars(group, "optimal_time", best_time, {"", scale.unit, "when it is least"});
    rows.write_scalars(group, "optimal_error", best_error, {"", "", "beyond the noise"});
    rows.write_scalars(group, "late_error", late, {"", "", "at the end of learning"});
    write_eigenmodes(group, study, rows);
}

// Means over the data sets of each load.
void write_check(hdf5::Group check, const RegressionStudy& study, const Rows& rows) {
    RowMatrix mean(rows.count, study.time.size()), sem = mean, z = mean;
    for (Index i = 0; i < rows.count; ++i) {
        Matrix repeats(study.repeats, study.time.size());
        for (Index r = 0; r < study.repeats; ++r)
            repeats.row(r) = study.draws.at(i * study.repeats + r).transpose();
        const RepeatSummary summary = summarise_repeats(repeats, theory_at_load(study, i).error);
        mean.row(i) = summary.mean.transpose();
        sem.row(i) = summary.sem.transpose();
        z.row(i) = summary.z.transpose();
    }
    rows.write(check, "mean", mean, {"time", "", "mean over simulated data sets"});
    rows.write(check, "sem", sem, {"time", "", "its standard error"});
    rows.write(check, "z", z, {"time", "", "(mean - theory) / standard error"});
}

void write_draws(hdf5::Group check, const RegressionStudy& study) {
    write_numbers(check, "run", study.draws);
    const Rows rows{"run", static_cast<Index>(study.draws.size())};
    rows.write(check, "error", gathered<Vector>(study.draws, [](const Vector& e) { return e; }),
               {"time", "", "of each simulated data set"});
}

void write_setting(hdf5::Group& group, const RegressionStudy& study) {
    group.set_attribute("noise", study.setting.noise);
    group.set_attribute("weight", study.setting.weight);
    group.set_attribute("initial_weight", study.setting.start);
    group.set_attribute("time_unit", study.scale.unit);
    group.set_attribute("tau", study.scale.per_tau);
    if (study.repeats > 0) {
        group.set_attribute("repeats", static_cast<std::int64_t>(study.repeats));
        group.set_attribute("inputs", static_cast<std::int64_t>(study.inputs));
        write_seed(group, study.seed);
    }
    write_part(group, study.part);
}

} // namespace

void write_regression(hdf5::Group group, const RegressionStudy& study) {
    write_setting(group, study);
    if (study.part.count > 1) {
        group.write("time", study.time, {"time", "tau", ""});
        group.write("load", study.loads, {"load", "", "samples a input"});
        if (!study.draws.empty()) write_draws(group.create_group("check"), study);
        return;
    }
    const Index count = study.loads.size();
    const Rows rows{count > 1 ? "load" : "", count};
    write_theory(group, study, rows);
    if (study.repeats > 0) write_check(group.create_group("check"), study, rows);
}

RegressionStudy read_regression(const hdf5::Group& group) {
    RegressionStudy study;
    study.setting.noise = number_attribute(group, "noise");
    study.setting.weight = number_attribute(group, "weight");
    study.setting.start = number_attribute(group, "initial_weight");
    study.scale = {number_attribute(group, "tau"),
                   group.text_attribute("time_unit").value_or("tau")};
    study.repeats = whole_attribute(group, "repeats", 1);
    study.inputs = whole_attribute(group, "inputs", 1);
    study.seed = read_seed(group);
    study.part = read_part(group);
    study.time = group.dataset("time").expect_numeric().expect_rank(1).read_vector();
    study.loads = group.dataset("load").expect_numeric().expect_rank(1).read_vector();
    find_theory(study);
    if (!group.has_group("check")) return study;
    const hdf5::Group check = group.group("check");
    const auto numbers = read_numbers(check, "run");
    const auto count = static_cast<Index>(numbers.size());
    const RowMatrix error = read_rows(check, "error", count, study.time.size());
    for (Index i = 0; i < count; ++i)
        study.draws[numbers[static_cast<std::size_t>(i)]] = error.row(i).transpose();
    return study;
}

} // namespace assay::lindyn
