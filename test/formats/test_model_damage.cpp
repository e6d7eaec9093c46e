// Models that were cut or flipped: an error that says so, or the same numbers where the form has a
// checksum.
#include <assay/core/error.hpp>

#include <catch2/catch.hpp>
#include <formats/models.hpp>
#include <formats/scratch.hpp>

using namespace assay;
using formats_test::bytes_of;
using formats_test::Folder;

namespace {

bool equal_parameters(const network::Model& a, const network::Model& b) {
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
    const Folder folder;
    for (const auto& file : kEveryKind) {
        const std::string whole = bytes_of(kModels + file);
        REQUIRE(model_refusal(kModels + file).empty());
        const std::size_t step = whole.size() / 60 + 1;
        for (std::size_t size = 1; size < whole.size(); size += step) {
            INFO(file << " cut at " << size);
            const std::string message = model_refusal(folder.write("model", whole.substr(0, size)));
            CHECK_FALSE(message.empty());
            CHECK(message.find("model") != std::string::npos);
            CHECK(message.find('\n') == std::string::npos);
        }
        CHECK_FALSE(
            model_refusal(folder.write("model", whole.substr(0, whole.size() - 1))).empty());
    }
}

TEST_CASE("a flipped bit of a zip archive of weights is an error or changes no number",
          "[formats][models]") {
    const Folder folder;
    for (const std::string file : {"mlp_zip.pt", "mlp_deflated.pt", "mlp.npz"}) {
        const std::string whole = bytes_of(kModels + file);
        const auto intact = open_model_file(kModels + file);
        int refused = 0, tried = 0;
        for (std::size_t i = 0; i < whole.size(); i += 3, ++tried) {
            INFO(file << " byte " << i);
            std::string flipped = whole;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
            const std::string path = folder.write("model", flipped);
            if (!model_refusal(path).empty()) {
                ++refused;
                continue;
            }
            CHECK(equal_parameters(open_model_file(path).model, intact.model));
        }
        CHECK(refused > tried / 4);
    }
}

TEST_CASE("a flipped bit of any model gives one line at most", "[formats][models]") {
    const Folder folder;
    for (const auto& file : kEveryKind) {
        const std::string whole = bytes_of(kModels + file);
        const std::size_t step = whole.size() / 80 + 1;
        for (std::size_t i = 0; i < whole.size(); i += step) {
            INFO(file << " byte " << i);
            std::string flipped = whole;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i * 5 % 8)));
            CHECK(model_refusal(folder.write("model", flipped)).find('\n') == std::string::npos);
        }
    }
}
