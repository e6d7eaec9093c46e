// Counter-based random numbers: every draw is a pure function of (seed, purpose, index, stream
// words), so results do not depend on order or threads. Philox4x64-10 (Salmon, Moraes, Dror, Shaw
// 2011); key = (seed, purpose), counter = (index, stream words). numpy.random.Philox(key=,
// counter=) yields the same raw stream, one counter later.
#pragma once

#include <assay/core/export.hpp>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace assay {

// The key word of a purpose: 64-bit FNV-1a of its name, such as "cnmf/start/W".
[[nodiscard]] constexpr std::uint64_t purpose_key(std::string_view purpose) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : purpose) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3ULL;
    }
    return hash;
}

// Where in a purpose's stream a draw stands, besides its index: for example (restart, component,
// unit).
using StreamWords = std::array<std::uint64_t, 3>;

class ASSAY_API Random {
  public:
    Random(std::uint64_t seed, std::string_view purpose) : key_{seed, purpose_key(purpose)} {}

    // Four independent 64-bit words.
    [[nodiscard]] std::array<std::uint64_t, 4> bits(std::uint64_t index,
                                                    StreamWords stream = {}) const;
    // Uniform on [0, 1), 53 bits.
    [[nodiscard]] double uniform(std::uint64_t index, StreamWords stream = {}) const;
    // Standard normal (Box-Muller on two of the words).
    [[nodiscard]] double normal(std::uint64_t index, StreamWords stream = {}) const;
    // Exponential of mean 1.
    [[nodiscard]] double exponential(std::uint64_t index, StreamWords stream = {}) const;
    // Uniform integer in [0, bound); the bias is below bound / 2^64. Precondition: bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound, std::uint64_t index,
                                      StreamWords stream = {}) const;
    // Gamma of the given shape and scale 1 (Marsaglia, Tsang 2000); stream[2] is used for the
    // attempts.
    [[nodiscard]] double gamma(double shape, std::uint64_t index, StreamWords stream = {}) const;
    // Poisson by inversion; rates above 500 are drawn as sums, stream[2] counts the pieces.
    [[nodiscard]] std::uint64_t poisson(double rate, std::uint64_t index,
                                        StreamWords stream = {}) const;
    // A uniformly random permutation of 0..size-1 (Fisher-Yates), index counts the exchanges.
    [[nodiscard]] std::vector<std::int64_t> permutation(std::int64_t size,
                                                        StreamWords stream = {}) const;

  private:
    std::array<std::uint64_t, 2> key_;
};

} // namespace assay
