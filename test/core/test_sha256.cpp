// SHA-256 against the vectors of NIST (FIPS 180-4 examples) and hashlib at every length of padding.
#include <assay/core/sha256.hpp>

#include <catch2/catch.hpp>

#include <string>

using assay::sha256;

namespace {
std::string of(const std::string& text) {
    return sha256(text.data(), text.size());
}
} // namespace

TEST_CASE("sha256 gives the digests of the standard", "[core][sha256]") {
    CHECK(of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(of(std::string(1000000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256 pads every length", "[core][sha256]") {
    // hashlib.sha256("".join(hashlib.sha256(b"x" * n).hexdigest() for n in range(200)).encode())
    std::string all;
    for (std::size_t n = 0; n < 200; ++n) all += of(std::string(n, 'x'));
    CHECK(of(all) == "f61ffcc417e1f0e59eba2da7fa32fbe05b64e478b68c6bacf990455f00248b98");
}
