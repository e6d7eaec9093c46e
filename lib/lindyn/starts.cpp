#include <assay/lindyn/starts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

Matrix normal_matrix(Index rows, Index columns, const StartSettings& s, std::size_t layer) {
    const Random random(s.seed, "lindyn/start");
    const StreamWords words{static_cast<std::uint64_t>(s.repeat), layer, 0};
    Matrix numbers(rows, columns);
    for (Index i = 0; i < numbers.size(); ++i)
        numbers.data()[i] = random.normal(static_cast<std::uint64_t>(i), words);
    return numbers;
}

Layers gaussian_layers(const std::vector<Index>& widths, const StartSettings& s) {
    Layers layers;
    for (std::size_t l = 1; l < widths.size(); ++l)
        layers.push_back(s.scale * normal_matrix(widths[l], widths[l - 1], s, l));
    return layers;
}

// W_l = gain R_l R_{l-1}^T with orthonormal columns R_l: balanced for any widths.
Layers balanced_layers(const std::vector<Index>& widths, const Modes& modes,
                       const StartSettings& s) {
    const bool aligned = s.law == StartLaw::aligned;
    Index rank = *std::min_element(widths.begin(), widths.end());
    if (aligned) rank = std::min(rank, modes.rank());
    const double gain = std::pow(s.scale, 1.0 / static_cast<double>(widths.size() - 1));
    const auto basis = [&](std::size_t l) {
        if (aligned && l == 0) return Matrix(modes.v.leftCols(rank));
        if (aligned && l + 1 == widths.size()) return Matrix(modes.u.leftCols(rank));
        return linalg::orthonormalised(normal_matrix(widths[l], rank, s, l));
    };
    Layers layers;
    Matrix below = basis(0);
    for (std::size_t l = 1; l < widths.size(); ++l) {
        const Matrix above = basis(l);
        layers.push_back(gain * above * below.transpose());
        below = above;
    }
    return layers;
}

} // namespace

Layers initial_layers(const std::vector<Index>& widths, const Modes& modes,
                      const StartSettings& settings) {
    if (widths.size() < 2 || *std::min_element(widths.begin(), widths.end()) < 1)
        throw Error("layers of 1 unit or more are expected");
    return settings.law == StartLaw::gaussian ? gaussian_layers(widths, settings)
                                              : balanced_layers(widths, modes, settings);
}

Vector effective_strengths(const Layers& layers, const Modes& modes) {
    if (layers.size() != 2)
        throw Error(concat(layers.size(), " layers; effective strengths are those of two"));
    return (layers[0] * modes.v + layers[1].transpose() * modes.u).colwise().squaredNorm() / 4;
}

double misalignment(const Modes& modes, const Matrix& map) {
    const double whole = map.squaredNorm();
    return whole > 0 ? std::max(0.0, 1 - strengths(modes, map).squaredNorm() / whole) : 0.0;
}

} // namespace assay::lindyn
