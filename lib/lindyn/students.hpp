// Data sets drawn from a noisy low-rank teacher, and students that learn them: the checks of
// generalization.hpp and transfer.hpp. Random numbers are addressed by (seed, repeat, purpose).
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/generalization.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace assay::lindyn {

// Statistics of a data set, sums over samples, in inputs in which Sx = d I: all of them, or the
// span of the samples where these are fewer.
struct TeacherData {
    Matrix syx;                       // N3 x min(N1, P)
    Matrix teacher;                   // W* in the same inputs
    Matrix output_modes, input_modes; // its singular vectors there, N3 x K, min(N1, P) x K
    double d = 1;
    double teacher_power = 1; // |W*|^2 in all inputs
    double target_power = 1;  // |Y|^2
};
// Throws Error where the matrices of one data set are larger than the machine's memory.
ASSAY_API void check_map_memory(Index outputs, Index inputs);
[[nodiscard]] ASSAY_API TeacherData draw_data(const Setting& setting, std::uint64_t seed,
                                              Index repeat);

// Random directions that are orthonormal: rows x columns, columns <= rows.
[[nodiscard]] ASSAY_API Matrix random_directions(Index rows, Index columns, std::uint64_t seed,
                                                 Index repeat, const std::string& purpose);
[[nodiscard]] ASSAY_API Matrix random_noise(Index rows, Index columns, double scale,
                                            std::uint64_t seed, Index repeat,
                                            const std::string& purpose);

// aligned: all modes of the data start equally strong, and stay apart. random: orthogonal weights
// in random directions, followed exactly for two layers and by integration for more.
enum class StudentKind { aligned, random };

struct StudentRecord {
    Vector train, test; // T
    Minimum optimum;    // of the test error, up to the horizon
    // Of aligned students, K: the first singular values of the data, and the overlaps of their
    // singular vectors with the teacher's, output times input.
    Vector observed, overlap;
};
// The exact error of an aligned student.
[[nodiscard]] ASSAY_API ErrorModel aligned_model(const TeacherData& data, const Student& student);
// When an error is looked at, and when learning may stop.
struct Watch {
    Vector times; // ascending
    double horizon = std::numeric_limits<double>::infinity();
};
// The optimum does not depend on the times: that of an aligned student is in continuous time
// (optimal_stopping); a random one is looked at 400 times more, then 65 times around the least,
// and its optimum is the vertex of the parabola through the best three. An aligned student costs
// O(N3 N1 min(N1, N3)), a random one of two layers O(T (N1 + N3) N2^2).
[[nodiscard]] ASSAY_API StudentRecord run_student(const TeacherData& data, const Student& student,
                                                  StudentKind kind, const Watch& watch,
                                                  std::uint64_t seed, Index repeat);

// Means and standard errors over repeats (rows R >= 1 of R x T; one repeat has no standard error,
// NaN), and how far the theory (T) is from the mean in standard errors.
struct RepeatSummary {
    Vector mean, sem, z;
};
[[nodiscard]] ASSAY_API RepeatSummary summarise_repeats(const Matrix& repeats,
                                                        const Vector& theory);

} // namespace assay::lindyn
