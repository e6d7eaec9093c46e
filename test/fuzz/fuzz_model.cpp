// Every reader of trained networks on arbitrary bytes: the kind of file is told from its content.
// An Error is a fine answer; a crash, a hang or a sanitizer's finding is not.
#include <assay/core/error.hpp>
#include <assay/formats/model_file.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

namespace {

// The last byte chooses what the user says of the file.
assay::formats::ModelOptions options_of(std::uint8_t choice) {
    assay::formats::ModelOptions options;
    if ((choice & 1U) != 0)
        options.architecture =
            R"({"format": "assay-architecture/1", "input": {"shape": [3], "axes": ["feature"]},)"
            R"("layers": [{"name": "first", "type": "dense", "units": 4},)"
            R"({"name": "second", "type": "dense", "units": 2}], "output": ["second"]})";
    if ((choice & 2U) != 0) options.checkpoint = "last";
    if ((choice & 4U) != 0) options.treat = {{"Lambda", "relu"}};
    if ((choice & 8U) != 0) options.cell = "rnn-relu";
    return options;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace assay;
    if (size < 2) return 0;
    const std::string file = "/tmp/assay-fuzz-model-" + std::to_string(getpid());
    std::FILE* const out = std::fopen(file.c_str(), "wb");
    std::fwrite(data, 1, size, out);
    std::fclose(out);
    std::unique_ptr<hdf5::InputFile> input;
    const formats::Opener opener{[&](const hdf5::Address& address) -> hdf5::InputFile& {
                                     input = std::make_unique<hdf5::InputFile>(
                                         address, hdf5::StreamSettings{});
                                     return *input;
                                 },
                                 [](const std::string&) {}};
    try {
        static_cast<void>(formats::open_model({file, ""}, options_of(data[size - 1]), opener));
    } catch (const Error&) {
    }
    unlink(file.c_str());
    return 0;
}
