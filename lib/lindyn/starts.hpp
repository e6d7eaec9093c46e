// Initial weights of deep linear networks, addressed by (seed, repeat, layer).
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/modes.hpp>

#include <cstdint>
#include <vector>

namespace assay::lindyn {

// orthogonal: random directions, all singular values of the map equal, balanced. gaussian:
// independent normal weights. aligned: balanced, the singular vectors of the data, equal strengths.
enum class StartLaw { orthogonal, gaussian, aligned };

struct StartSettings {
    StartLaw law = StartLaw::gaussian;
    double scale = 1e-3; // of the map's singular values (orthogonal, aligned); std of a weight
    std::uint64_t seed = 0;
    Index repeat = 0;
};

// `widths` N_0 ... N_D. Aligned starts take the first modes, as many as the narrowest layer and
// the modes' rank allow, in a random basis of each hidden layer; in inputs of the modes' own.
[[nodiscard]] ASSAY_API Layers initial_layers(const std::vector<Index>& widths, const Modes& modes,
                                              const StartSettings& settings);

// The strength from which a mode of two layers effectively grows, |W_1 v + W_2^T u|^2 / 4: that of
// the growing combination (u^T W v itself may be negative). One number a column of the modes.
[[nodiscard]] ASSAY_API Vector effective_strengths(const Layers& layers, const Modes& modes);

// Share of the start's map outside the modes' own directions, 1 - sum a_a^2 / |W|^2: 0 for an
// aligned start.
[[nodiscard]] ASSAY_API double misalignment(const Modes& modes, const Matrix& map);

} // namespace assay::lindyn
