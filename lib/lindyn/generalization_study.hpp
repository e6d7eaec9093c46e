// Many settings of generalization.hpp at once: grids over their parameters, each with its theory
// and with simulated students, whole or in shards of an array job; and the same for one data set.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/lindyn/generalization.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/shards.hpp>
#include <assay/lindyn/students.hpp>
#include <assay/lindyn/time_scale.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace assay::lindyn {

// snr (of the first mode; the others scale with it), N2, P, A (of N3 = A N1), depth or
// initial-strength.
struct SweepAxis {
    std::string name;
    Vector values;
};
[[nodiscard]] ASSAY_API const std::vector<std::string>& sweep_names();
// Points of a grid (1 without axes). Throws Error where there are more than ten million.
[[nodiscard]] ASSAY_API Index count_points(const std::vector<SweepAxis>& axes);

struct StudySettings {
    Setting base;
    std::vector<SweepAxis> axes;                              // the last runs fastest
    Vector times;                                             // empty: usual_times of each point
    double horizon = std::numeric_limits<double>::infinity(); // latest time to stop
    Index repeats = 0;                                        // simulated data sets a point
    std::vector<StudentKind> students;                        // what learns them
    std::uint64_t seed = 0;
    TimeScale scale; // in which a whole study is written; everything here is in tau

    [[nodiscard]] ASSAY_API Index points() const;
};
// The setting of a point. Throws Error on a name that is none of sweep_names().
[[nodiscard]] ASSAY_API Setting setting_at(const StudySettings& study, Index point);

struct StudyPoint {
    Vector time; // T
    ErrorCurves curves;
    Vector teacher, observed, overlap; // K
    Minimum optimum;
    double non_gradient = 1, late = 1;
};

struct Study {
    StudySettings settings;
    StudyPart part;
    std::map<Index, StudyPoint> points;
    // By kind, then by point * repeats + repeat.
    std::map<StudentKind, std::map<Index, StudentRecord>> runs;
};
[[nodiscard]] ASSAY_API Study run_study(const StudySettings& settings, const StudyPart& part,
                                        const Execution& run);
// The whole from all its parts, which have the same settings. Throws Error where a part, a point or
// a student is missing or given twice.
[[nodiscard]] ASSAY_API Study merge_studies(std::vector<Study> parts);

// The same for a data set, from its own modes. With the teacher W* (N3 x N1, in the data's inputs)
// and all modes also the exact errors of an aligned student.
struct DataStudy {
    StudyPoint point;
    DataModes data;
    std::optional<StudyPoint> exact;
};
struct DataStudySettings {
    Student student;
    Vector times;
    double horizon = std::numeric_limits<double>::infinity();
    double noise_unit = 0;
};
// Throws Error where inputs are not white, or no mode stands out of the noise.
[[nodiscard]] ASSAY_API DataStudy study_data(const Problem& problem,
                                             const std::optional<Matrix>& teacher,
                                             const DataStudySettings& settings,
                                             const Execution& run);
} // namespace assay::lindyn
