#include <assay/core/sha256.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace assay {
namespace {

constexpr std::size_t kBlock = 64;
using Words = std::array<std::uint32_t, 8>;

// Fractional parts of the square roots of the first 8 primes (5.3.3) ...
constexpr Words kStart{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
// ... and of the cube roots of the first 64 (4.2.2).
constexpr std::array<std::uint32_t, 64> kRounds{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t rotate(std::uint32_t x, int by) {
    return x >> by | x << (32 - by);
}

// Section 6.2.2, one block.
void add_block(Words& hash, const unsigned char* block) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t t = 0; t < 16; ++t)
        w[t] = std::uint32_t{block[4 * t]} << 24 | std::uint32_t{block[4 * t + 1]} << 16 |
               std::uint32_t{block[4 * t + 2]} << 8 | std::uint32_t{block[4 * t + 3]};
    for (std::size_t t = 16; t < 64; ++t) {
        const std::uint32_t x = w[t - 15], y = w[t - 2];
        w[t] = w[t - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    Words v = hash;
    for (std::size_t t = 0; t < 64; ++t) {
        const std::uint32_t e = v[4], a = v[0];
        const std::uint32_t first = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                                    ((e & v[5]) ^ (~e & v[6])) + kRounds[t] + w[t];
        const std::uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                                     ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        v = {first + second, v[0], v[1], v[2], v[3] + first, v[4], v[5], v[6]};
    }
    for (std::size_t i = 0; i < hash.size(); ++i) hash[i] += v[i];
}

} // namespace

std::string sha256(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(data);
    Words hash = kStart;
    std::size_t left = bytes;
    for (; left >= kBlock; left -= kBlock, at += kBlock) add_block(hash, at);
    // The rest, a 1, zeros, and the number of bits as the last 8 bytes (5.1.1).
    std::array<unsigned char, 2 * kBlock> tail{};
    if (left > 0) std::memcpy(tail.data(), at, left);
    tail[left] = 0x80;
    const std::size_t whole = left + 9 <= kBlock ? kBlock : 2 * kBlock;
    const std::uint64_t bits = std::uint64_t{bytes} * 8;
    for (std::size_t i = 0; i < 8; ++i)
        tail[whole - 1 - i] = static_cast<unsigned char>(bits >> (8 * i));
    for (std::size_t i = 0; i < whole; i += kBlock) add_block(hash, tail.data() + i);
    std::string text;
    for (const std::uint32_t word : hash) {
        std::array<char, 9> digits{};
        std::snprintf(digits.data(), digits.size(), "%08x", word);
        text += digits.data();
    }
    return text;
}

} // namespace assay
