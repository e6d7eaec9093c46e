// 128-bit content digests (XXH3), written as 32 hexadecimal digits: they identify inputs, they are
// no signature.
#pragma once

#include <assay/core/export.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace assay {

class ASSAY_API Digest {
  public:
    Digest();
    ~Digest();
    Digest(Digest&&) noexcept;
    Digest& operator=(Digest&&) noexcept;

    void add(const void* data, std::size_t bytes);
    void add(const std::string& text) { add(text.data(), text.size()); }
    [[nodiscard]] std::string hex() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] ASSAY_API std::string digest_of(const std::string& text);

// Digest of an open file's content. Files above 1 GiB are sampled (their size, both ends and 62
// stretches between, 1 MiB each), and the digest then starts with "sampled-". Throws Error when
// reading fails.
[[nodiscard]] ASSAY_API std::string digest_of_file(int descriptor);

} // namespace assay
