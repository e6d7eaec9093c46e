// Models that were cut or flipped: an error that says so, or the same numbers where the form has a
// checksum.
#include <assay/core/error.hpp>

#include <catch2/catch.hpp>
#include <formats/models.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace assay;

namespace {

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class Scratch {
  public:
    Scratch() {
        std::string name = std::filesystem::temp_directory_path() / "assay-models-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        folder_ = name;
    }
    ~Scratch() { std::filesystem::remove_all(folder_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::string write(const std::string& bytes) const {
        const std::string path = folder_ / "model";
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }

  private:
    std::filesystem::path folder_;
};

bool equal(const network::Model& a, const network::Model& b) {
    if (a.parameters.size() != b.parameters.size()) return false;
    for (std::size_t i = 0; i < a.parameters.size(); ++i)
        if (a.parameters[i].layer != b.parameters[i].layer ||
            a.parameters[i].name != b.parameters[i].name ||
            a.parameters[i].values != b.parameters[i].values)
            return false;
    return true;
}

// Of every kind, the smallest.
const std::vector<std::string> kEveryKind{
    "mlp_zip.pt", "mlp_deflated.pt",  "mlp_stream.pt", "types_stream.pt", "mlp.safetensors",
    "mlp.npz",    "mlp_deflated.npz", "keras2_gru.h5", "keras3.keras",    "assay.h5"};

} // namespace

TEST_CASE("a model cut anywhere is refused", "[formats][models]") {
    const Scratch scratch;
    for (const auto& file : kEveryKind) {
        const std::string whole = bytes_of(kModels + file);
        REQUIRE(model_refusal(kModels + file).empty());
        const std::size_t step = whole.size() / 60 + 1;
        for (std::size_t size = 1; size < whole.size(); size += step) {
            INFO(file << " cut at " << size);
            const std::string message = model_refusal(scratch.write(whole.substr(0, size)));
            CHECK_FALSE(message.empty());
            CHECK(message.find("model") != std::string::npos);
            CHECK(message.find('\n') == std::string::npos);
        }
        CHECK_FALSE(model_refusal(scratch.write(whole.substr(0, whole.size() - 1))).empty());
    }
}

TEST_CASE("a flipped bit of a zip archive of weights is an error or changes no number",
          "[formats][models]") {
    const Scratch scratch;
    for (const std::string file : {"mlp_zip.pt", "mlp_deflated.pt", "mlp.npz"}) {
        const std::string whole = bytes_of(kModels + file);
        const auto intact = open_model_file(kModels + file);
        int refused = 0, tried = 0;
        for (std::size_t i = 0; i < whole.size(); i += 3, ++tried) {
            INFO(file << " byte " << i);
            std::string flipped = whole;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
            const std::string path = scratch.write(flipped);
            if (!model_refusal(path).empty()) {
                ++refused;
                continue;
            }
            CHECK(equal(open_model_file(path).model, intact.model));
        }
        CHECK(refused > tried / 4);
    }
}

TEST_CASE("a flipped bit of any model gives one line at most", "[formats][models]") {
    const Scratch scratch;
    for (const auto& file : kEveryKind) {
        const std::string whole = bytes_of(kModels + file);
        const std::size_t step = whole.size() / 80 + 1;
        for (std::size_t i = 0; i < whole.size(); i += step) {
            INFO(file << " byte " << i);
            std::string flipped = whole;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i * 5 % 8)));
            CHECK(model_refusal(scratch.write(flipped)).find('\n') == std::string::npos);
        }
    }
}
