#include <assay/core/random.hpp>

#include <Random123/philox.h>

#include <cmath>
#include <numeric>

namespace assay {
namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

// 53 high bits as a number in [0, 1).
double unit_interval(std::uint64_t word) {
    return static_cast<double>(word >> 11U) * 0x1.0p-53;
}
// The same, moved into (0, 1], where the logarithm is finite.
double positive_unit_interval(std::uint64_t word) {
    return (static_cast<double>(word >> 11U) + 1.0) * 0x1.0p-53;
}

double normal_from(std::uint64_t radius, std::uint64_t angle) {
    return std::sqrt(-2.0 * std::log(positive_unit_interval(radius))) *
           std::cos(kTwoPi * unit_interval(angle));
}

std::uint64_t poisson_by_inversion(double rate, double u) {
    double probability = std::exp(-rate);
    double cumulative = probability;
    std::uint64_t count = 0;
    while (u > cumulative && probability > 0) {
        ++count;
        probability *= rate / static_cast<double>(count);
        cumulative += probability;
    }
    return count;
}

} // namespace

std::array<std::uint64_t, 4> Random::bits(std::uint64_t index, StreamWords stream) const {
    const r123::Philox4x64 philox;
    const r123::Philox4x64::ctr_type counter{{index, stream[0], stream[1], stream[2]}};
    const r123::Philox4x64::key_type key{{key_[0], key_[1]}};
    const auto words = philox(counter, key);
    return {words[0], words[1], words[2], words[3]};
}

double Random::uniform(std::uint64_t index, StreamWords stream) const {
    return unit_interval(bits(index, stream)[0]);
}

double Random::normal(std::uint64_t index, StreamWords stream) const {
    const auto words = bits(index, stream);
    return normal_from(words[0], words[1]);
}

double Random::exponential(std::uint64_t index, StreamWords stream) const {
    return -std::log(positive_unit_interval(bits(index, stream)[0]));
}

std::uint64_t Random::below(std::uint64_t bound, std::uint64_t index, StreamWords stream) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(bits(index, stream)[0]) * bound) >> 64U);
}

double Random::gamma(double shape, std::uint64_t index, StreamWords stream) const {
    // Below shape 1: Gamma(shape + 1) times U^(1/shape).
    const double boosted = shape < 1 ? shape + 1 : shape;
    const double d = boosted - 1.0 / 3.0;
    const double c = 1.0 / std::sqrt(9.0 * d);
    for (std::uint64_t attempt = 0;; ++attempt) {
        const auto words = bits(index, {stream[0], stream[1], stream[2] + attempt});
        const double x = normal_from(words[0], words[1]);
        const double v = std::pow(1 + c * x, 3);
        if (v <= 0) continue;
        if (std::log(positive_unit_interval(words[2])) >= 0.5 * x * x + d - d * v + d * std::log(v))
            continue;
        const double boost =
            shape < 1 ? std::pow(positive_unit_interval(words[3]), 1 / shape) : 1.0;
        return d * v * boost;
    }
}

std::uint64_t Random::poisson(double rate, std::uint64_t index, StreamWords stream) const {
    if (!(rate > 0)) return 0;
    constexpr double kPiece = 500;
    std::uint64_t total = 0;
    while (rate > kPiece) {
        total += poisson_by_inversion(kPiece, uniform(index, stream));
        rate -= kPiece;
        ++stream[2];
    }
    return total + poisson_by_inversion(rate, uniform(index, stream));
}

std::vector<std::int64_t> Random::permutation(std::int64_t size, StreamWords stream) const {
    std::vector<std::int64_t> order(static_cast<std::size_t>(size));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    for (std::size_t left = order.size(); left > 1; --left)
        std::swap(order[left - 1], order[below(left, left, stream)]);
    return order;
}

} // namespace assay
