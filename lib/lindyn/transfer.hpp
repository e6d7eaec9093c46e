// What a second task does to the first when one linear network learns both from the same inputs
// (Lampinen and Ganguli 2019, arXiv 1809.10374): teachers A and B stacked are one teacher of aspect
// (N3A + N3B)/N1, whose singular values and whose share of A in each output direction follow from
// S_A, S_B and Q = V_A^T V_B alone. The benefit for A is the least test error of A learned alone
// minus that of the head A of the joint network, each stopped at its own best time. Singular values
// in units of the noise, which is the same in both tasks; as many samples as inputs.
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/error_model.hpp>
#include <assay/lindyn/shards.hpp>
#include <assay/lindyn/students.hpp>
#include <assay/lindyn/time_scale.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <vector>

namespace assay::lindyn {

struct TransferSetting {
    Vector a, b;      // singular values of the teachers, descending
    Matrix alignment; // Q, Ka x Kb, no singular value above 1
    Index inputs = 100, outputs_a = 50, outputs_b = 50;
    Student student;
    double horizon = std::numeric_limits<double>::infinity(); // latest time to stop
};
// Q of modes that are aligned one by one: q on the diagonal.
[[nodiscard]] ASSAY_API Matrix equal_alignment(Index rank_a, Index rank_b, double q);
// Throws Error on sizes, values and alignments that do not fit.
ASSAY_API void check_transfer(const TransferSetting& setting);

struct JointTeacher {
    Vector s;           // descending, those above 1e-6 of the first
    Vector head_weight; // |A's part of the output singular vector|^2
};
[[nodiscard]] ASSAY_API JointTeacher joint_teacher(const TransferSetting& setting);
// The test error of A learned alone, and of the head A of the joint network.
[[nodiscard]] ASSAY_API ErrorModel alone_model(const TransferSetting& setting);
[[nodiscard]] ASSAY_API ErrorModel head_model(const TransferSetting& setting);

struct Transfer {
    Minimum alone, joint; // least test error and its time
    // With the best strengths instead; without meaning where joint singular values are equal.
    double shrunk_alone = 0, shrunk_joint = 0;
    [[nodiscard]] double benefit() const { return alone.value - joint.value; }
    [[nodiscard]] double shrunk_benefit() const { return shrunk_alone - shrunk_joint; }
};
// About 0.3 ms for two layers.
[[nodiscard]] ASSAY_API Transfer transfer(const TransferSetting& setting);

// The benefit over first singular values of A and of B (the others scale with them) and alignments
// q (ascending) of each mode of A with its like in B; without any q, with the setting's own Q.
struct TransferGrid {
    Vector q, a, b;
    std::vector<Transfer> points; // a, b, q; q runs fastest
    // Of each pair of a and b: the q of the largest benefit, that benefit, and the largest q at
    // which the benefit changes its sign (NaN: nowhere). Empty without q.
    Vector best_q, best_benefit, sign_change;

    [[nodiscard]] Index alignments() const { return std::max<Index>(1, q.size()); }
};
[[nodiscard]] ASSAY_API TransferGrid transfer_grid(const TransferSetting& setting, const Vector& q,
                                                   const Vector& a, const Vector& b,
                                                   const Execution& run);

// What a simulated pair of tasks reached.
struct TransferDraw {
    double benefit = 0, alone = 0, joint = 0;
    double shrunk = 0; // error of the head A with the strengths that theory holds best
};
// One setting, or a grid of them, and simulated pairs of each point; those of all, or of a part.
struct TransferStudy {
    TransferSetting setting;
    std::optional<TransferGrid> grid; // else the setting alone
    TimeScale scale;                  // in which times are written
    Index repeats = 0;                // pairs a point
    std::uint64_t seed = 0;
    StudyPart part;
    std::map<Index, TransferDraw> draws; // by point * repeats + repeat

    [[nodiscard]] Index points() const {
        return grid ? static_cast<Index>(grid->points.size()) : 1;
    }
};
[[nodiscard]] ASSAY_API TransferSetting point_setting(const TransferStudy& study, Index point);
// Draws the part's pairs.
ASSAY_API void draw_transfers(TransferStudy& study, const Execution& run);
// The whole from all its parts, which have the same settings. Throws Error where a part or a draw
// is missing or given twice.
[[nodiscard]] ASSAY_API TransferStudy merge_transfers(std::vector<TransferStudy> parts);

// What two data sets say of their teachers: `snr` and squared `overlap_input` of the detected modes
// (spiked.hpp) with their input singular vectors v (N1 x K). Q is estimated by the data's own
// overlaps over those that noise leaves, and cut to singular values of at most 1.
struct DetectedModes {
    Vector snr, overlap_input;
    Matrix v;
    Index outputs = 0;
};
[[nodiscard]] ASSAY_API TransferSetting estimated_transfer(const DetectedModes& a,
                                                           const DetectedModes& b);

// Draws of both tasks, and what aligned students of them reach.
struct TeacherPair {
    TeacherData a, b;
};
[[nodiscard]] ASSAY_API TeacherPair draw_pair(const TransferSetting& setting, std::uint64_t seed,
                                              Index repeat);
// The exact error of the head A of an aligned student of both.
[[nodiscard]] ASSAY_API ErrorModel joint_model(const TeacherPair& pair, const Student& student);
[[nodiscard]] ASSAY_API Transfer simulate_transfer(const TransferSetting& setting,
                                                   std::uint64_t seed, Index repeat);

} // namespace assay::lindyn
