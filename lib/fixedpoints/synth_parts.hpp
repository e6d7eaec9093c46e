// What the families of synth.hpp share: the checks of their settings, how a network of one cell and
// a linear readout is written, and how points are ordered.
#pragma once

#include <assay/fixedpoints/synth.hpp>

#include <assay/core/random.hpp>

#include <string>
#include <vector>

namespace assay::fixedpoints {

// Throws Error "synth: gain 0.5: must be above 1" unless it holds.
void check_setting(bool holds, const std::string& setting, double found,
                   const std::string& expected);
void check_memory(double bytes, double memory, const std::string& what);

// A JSON object with keys of a recurrent layer, and its arrays beside the readout's.
struct CellParts {
    std::string cell;    // {"type": ...}
    RowMatrix kernel;    // N x inputs
    RowMatrix recurrent; // N x N
    Vector bias;         // N
    RowMatrix readout;   // outputs x N
};
[[nodiscard]] std::string rnn_cell(const std::string& activation);
// Inputs, a recurrent layer `cell`, a linear readout.
[[nodiscard]] std::string cell_architecture(const std::string& cell, Index units, Index inputs,
                                            Index outputs);
[[nodiscard]] network::Model model_of(const CellParts& parts);

// By falling magnitude, ties by falling real, then imaginary part.
[[nodiscard]] bool comes_before(const std::complex<double>& a, const std::complex<double>& b);
[[nodiscard]] std::vector<std::complex<double>> ordered(std::vector<std::complex<double>> values);

// One point with what is known of it.
struct TruePoint {
    Vector state;
    std::vector<std::complex<double>> eigenvalues; // ordered
    Vector coordinates;
};
// As a search orders points: number of unstable dimensions, then state, rounded to 1e-6.
void order_points(std::vector<TruePoint>& points);
void write_true_points(const std::vector<TruePoint>& points, SyntheticTruth& truth);
// All the points there are: ordered, written, their indices summed.
void complete_points(std::vector<TruePoint> points, SyntheticTruth& truth);

[[nodiscard]] RowMatrix normal_matrix(const Random& random, Index rows, Index cols,
                                      std::uint64_t stream);

} // namespace assay::fixedpoints
