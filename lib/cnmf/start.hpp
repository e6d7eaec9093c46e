// Where a fit starts from.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/core/export.hpp>

#include <cstdint>
#include <optional>

namespace assay::cnmf {

// random: W and H uniform on [0,1). data: K stretches of L bins drawn with probability proportional
// to their energy, without overlap. spa: successive projection on windows (after Degleris and
// Gillis 2019). H is uniform in both. coarse: fits of parts of the recording (coarse_start.hpp),
// random where that is too short.
enum class StartKind { random, data, spa, coarse };

struct StartSpec {
    StartKind kind = StartKind::random;
    std::optional<Matrix> motifs;      // units x K L given by the user; replaces the kind
    Index components = 0, lags = 0;    // of `motifs`
    std::optional<Matrix> activations; // K x bins
};

// Addresses the random numbers of one start.
struct StartIndex {
    std::uint64_t seed = 0;
    std::uint64_t restart = 0;
};

// The start before scaling; what is unseen counts as zero in windows of the data. `products` serves
// spa (K data products).
[[nodiscard]] ASSAY_API Model start_model(const Data& data, DataProducts& products,
                                          const Unseen& unseen, const StartSpec& spec,
                                          Index components, Index lags, StartIndex index,
                                          const Execution& run);

// Replaces component k by what the model leaves unexplained of the L bins of largest energy in
// `bin_error`, activated once, there: the squared error falls.
ASSAY_API void reseed_component(Model& model, Index component, const Recording& data,
                                const Vector& bin_error);

} // namespace assay::cnmf
