#include <assay/lindyn/transfer_io.hpp>

#include <assay/core/error.hpp>
#include <assay/lindyn/study_records_io.hpp>

#include <algorithm>
#include <array>

namespace assay::lindyn {
namespace {

Matrix draws_of(const TransferStudy& study, double TransferDraw::*part) {
    Matrix draws(study.repeats, study.points());
    for (const auto& [number, draw] : study.draws)
        draws(number % study.repeats, number / study.repeats) = draw.*part;
    return draws;
}

constexpr std::array<std::pair<const char*, double TransferDraw::*>, 4> kDrawn{
    {{"benefit", &TransferDraw::benefit},
     {"error_alone", &TransferDraw::alone},
     {"error_joint", &TransferDraw::joint},
     {"error_shrunk", &TransferDraw::shrunk}}};

void write_pairs(hdf5::Group check, const TransferStudy& study) {
    write_numbers(check, "pair", study.draws);
    for (const auto& [name, part] : kDrawn) {
        const auto own = part;
        check.write(name,
                    gathered_scalars<TransferDraw>(
                        study.draws, [own](const TransferDraw& draw) { return draw.*own; }),
                    {"pair", "", "of each simulated pair"});
    }
}

void write_transfer_check(hdf5::Group& group, const TransferStudy& study, const hdf5::Shape& shape,
                          const std::string& axes) {
    if (study.repeats == 0) return;
    if (study.part.count > 1) {
        if (!study.draws.empty()) write_pairs(group.create_group("check"), study);
        return;
    }
    hdf5::Group check = group.create_group("check");
    for (const auto& [name, part] : kDrawn) {
        const Matrix draws = draws_of(study, part);
        const RepeatSummary summary = summarise_repeats(draws, Vector::Zero(draws.cols()));
        check.write(std::string(name) + "_mean", summary.mean.data(), shape,
                    {axes, "", "over simulated pairs"});
        check.write(std::string(name) + "_sem", summary.sem.data(), shape,
                    {axes, "", "standard error of the mean"});
    }
}

void write_transfer_setting(hdf5::Group& group, const TransferStudy& study) {
    const TransferSetting& s = study.setting;
    group.write("teacher_a", s.a, {"mode", "", "singular values of task A, in units of the noise"});
    group.write("teacher_b", s.b, {"mode", "", "singular values of task B"});
    group.set_attribute("inputs", static_cast<std::int64_t>(s.inputs));
    group.set_attribute("outputs_a", static_cast<std::int64_t>(s.outputs_a));
    group.set_attribute("outputs_b", static_cast<std::int64_t>(s.outputs_b));
    group.set_attribute("hidden", static_cast<std::int64_t>(s.student.hidden));
    group.set_attribute("depth", s.student.depth);
    group.set_attribute("initial_strength", s.student.start);
    group.set_attribute("horizon", s.horizon); // tau
    group.set_attribute("time_unit", study.scale.unit);
    group.set_attribute("tau", study.scale.per_tau);
    if (study.repeats > 0) {
        group.set_attribute("repeats", static_cast<std::int64_t>(study.repeats));
        write_seed(group, study.seed);
    }
    write_part(group, study.part);
}

void write_point(hdf5::Group& group, const TransferStudy& study) {
    const TransferSetting& s = study.setting;
    const TimeScale& scale = study.scale;
    const Transfer t = transfer(s);
    const JointTeacher joint = joint_teacher(s);
    group.write("q", s.alignment, {"mode_a,mode_b", "", "V_A^T V_B"});
    group.write_scalar("benefit", t.benefit(), {"", "", "error_alone - error_joint"});
    group.write_scalar("shrinkage_benefit", t.shrunk_benefit(),
                       {"", "", "the same with the best strengths"});
    group.write_scalar("error_shrunk", t.shrunk_joint,
                       {"", "", "error of A with B with the best strengths"});
    group.write("joint_singular_values", joint.s, {"mode", "", "of both teachers stacked"});
    group.write("head_weight", joint.head_weight,
                {"mode", "", "share of A in the output direction"});
    group.write_scalar("error_alone", t.alone.value, {"", "", "least test error of A alone"});
    group.write_scalar("error_joint", t.joint.value, {"", "", "least test error of A with B"});
    group.write_scalar("time_alone", scale.per_tau * t.alone.at,
                       {"", scale.unit, "when it is reached"});
    group.write_scalar("time_joint", scale.per_tau * t.joint.at,
                       {"", scale.unit, "when it is reached"});
    write_transfer_check(group, study, {1}, "point");
}

// What a sweep over the alignment shows.
void write_alignments(hdf5::Group& group, const TransferGrid& grid) {
    const hdf5::Shape pairs{grid.a.size(), grid.b.size()};
    const std::string axes = "snr_a,snr_b";
    group.write("q", grid.q, {"q", "", "alignment of each mode of A with its like in B"});
    group.write("best_q", grid.best_q.data(), pairs,
                {axes, "", "alignment of the largest benefit"});
    group.write("best_benefit", grid.best_benefit.data(), pairs, {axes, "", "the benefit there"});
    group.write("sign_change", grid.sign_change.data(), pairs,
                {axes, "", "largest q at which the benefit changes its sign; NaN: none"});
}

void write_grid(hdf5::Group& group, const TransferStudy& study) {
    const TransferGrid& grid = *study.grid;
    group.write("snr_a", grid.a, {"snr_a", "", "first singular value of A"});
    group.write("snr_b", grid.b, {"snr_b", "", "first singular value of B"});
    hdf5::Shape shape{grid.a.size(), grid.b.size()};
    std::string axes = "snr_a,snr_b";
    if (grid.q.size() > 0) {
        write_alignments(group, grid);
        shape.push_back(grid.q.size());
        axes += ",q";
    } else {
        group.write("alignment", study.setting.alignment, {"mode_a,mode_b", "", "V_A^T V_B"});
    }
    const auto write = [&](const char* name, const char* what, auto part,
                           const std::string& units = "") {
        std::vector<double> values;
        for (const Transfer& point : grid.points) values.push_back(part(point));
        group.write(name, values.data(), shape, {axes, units, what});
    };
    write("benefit", "error_alone - error_joint", [](const Transfer& t) { return t.benefit(); });
    write("shrinkage_benefit", "the same with the best strengths",
          [](const Transfer& t) { return t.shrunk_benefit(); });
    write("error_alone", "least test error of A alone",
          [](const Transfer& t) { return t.alone.value; });
    write("error_joint", "least test error of A with B",
          [](const Transfer& t) { return t.joint.value; });
    write(
        "time_joint", "when it is reached",
        [&](const Transfer& t) { return study.scale.per_tau * t.joint.at; }, study.scale.unit);
    write_transfer_check(group, study, shape, axes);
}

// The grid of a study that has one, computed again.
std::optional<TransferGrid> read_grid(const hdf5::Group& group, TransferSetting& s,
                                      const Execution& run) {
    const auto axis = [&](const char* name) {
        const Vector values = group.dataset(name).expect_numeric().expect_rank(1).read_vector();
        if (values.size() == 0) throw Error(concat(group.where(), "/", name, ": is empty"));
        return values;
    };
    const auto matrix = [&](const char* name) {
        return Matrix(group.dataset(name).expect_numeric().expect_rank(2).read_matrix());
    };
    const bool swept = group.has_dataset("snr_a");
    const Vector q = swept && group.has_dataset("q") ? axis("q") : Vector();
    s.alignment = q.size() > 0 ? equal_alignment(s.a.size(), s.b.size(), q(0))
                               : matrix(swept ? "alignment" : "q");
    check_transfer(s);
    if (!swept) return std::nullopt;
    return transfer_grid(s, q, axis("snr_a"), axis("snr_b"), run);
}

} // namespace

void write_transfer(hdf5::Group group, const TransferStudy& study) {
    write_transfer_setting(group, study);
    if (study.grid)
        write_grid(group, study);
    else
        write_point(group, study);
}

TransferStudy read_transfer(const hdf5::Group& group, const Execution& run) {
    TransferStudy study;
    TransferSetting& s = study.setting;
    s.a = group.dataset("teacher_a").expect_numeric().read_vector();
    s.b = group.dataset("teacher_b").expect_numeric().read_vector();
    s.inputs = whole_attribute(group, "inputs", 1);
    s.outputs_a = whole_attribute(group, "outputs_a", 1);
    s.outputs_b = whole_attribute(group, "outputs_b", 1);
    s.student.hidden = whole_attribute(group, "hidden", 0);
    s.student.depth = static_cast<int>(std::min<Index>(whole_attribute(group, "depth", 1), 64));
    s.student.start = group.number_attribute("initial_strength").value_or(0);
    s.horizon = group.number_attribute("horizon").value_or(s.horizon);
    study.scale = {group.number_attribute("tau").value_or(1),
                   group.text_attribute("time_unit").value_or("tau")};
    study.repeats = whole_attribute(group, "repeats", 1);
    study.seed = read_seed(group);
    study.part = read_part(group);
    study.grid = read_grid(group, s, run);
    if (!group.has_group("check")) return study;
    const hdf5::Group check = group.group("check");
    const auto numbers = read_numbers(check, "pair");
    const auto count = static_cast<Index>(numbers.size());
    for (const auto& [name, part] : kDrawn) {
        const Vector values = read_column(check, name, count);
        for (Index i = 0; i < count; ++i)
            study.draws[numbers[static_cast<std::size_t>(i)]].*part = values(i);
    }
    return study;
}

} // namespace assay::lindyn
