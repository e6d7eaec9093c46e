#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace assay {

struct Digest::State {
    XXH3_state_t* hash = XXH3_createState();
    State() { XXH3_128bits_reset(hash); }
    ~State() { XXH3_freeState(hash); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::add(const void* data, std::size_t bytes) {
    if (bytes > 0) XXH3_128bits_update(state_->hash, data, bytes);
}

std::string Digest::hex() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_->hash);
    std::array<char, 33> text{};
    std::snprintf(text.data(), text.size(), "%016llx%016llx",
                  static_cast<unsigned long long>(hash.high64),
                  static_cast<unsigned long long>(hash.low64));
    return text.data();
}

std::string digest_of(const std::string& text) {
    Digest digest;
    digest.add(text);
    return digest.hex();
}

namespace {

void add_stretch(Digest& digest, int descriptor, off_t begin, off_t bytes,
                 std::vector<char>& buffer) {
    while (bytes > 0) {
        const auto wanted =
            static_cast<std::size_t>(std::min<off_t>(bytes, static_cast<off_t>(buffer.size())));
        const ssize_t got = pread(descriptor, buffer.data(), wanted, begin);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw Error("reading failed; was the file changed meanwhile?");
        digest.add(buffer.data(), static_cast<std::size_t>(got));
        begin += got;
        bytes -= got;
    }
}

} // namespace

std::string digest_of_file(int descriptor) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0) throw Error("the file cannot be read");
    constexpr off_t kWhole = off_t{1} << 30;
    constexpr off_t kStretch = off_t{1} << 20;
    constexpr off_t kStretches = 64;
    Digest digest;
    std::vector<char> buffer(static_cast<std::size_t>(kStretch));
    if (status.st_size <= kWhole) {
        add_stretch(digest, descriptor, 0, status.st_size, buffer);
        return digest.hex();
    }
    digest.add(&status.st_size, sizeof status.st_size);
    for (off_t i = 0; i < kStretches; ++i)
        add_stretch(digest, descriptor, (status.st_size - kStretch) / (kStretches - 1) * i,
                    kStretch, buffer);
    return "sampled-" + digest.hex();
}

} // namespace assay
