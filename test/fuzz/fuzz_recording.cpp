// Every reader of recordings on arbitrary bytes: the kind of file is told from its content and its
// ending, which the last byte chooses. An Error is a fine answer; a crash, a hang or a sanitizer's
// finding is not.
#include "written_file.hpp"

#include <assay/core/error.hpp>
#include <assay/formats/recording_file.hpp>

#include <array>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace assay;
    if (size < 2) return 0;
    constexpr std::array<const char*, 5> kEndings{".h5", ".npy", ".npz", ".csv", ".mat"};
    fuzz::WrittenFile file(data, size, kEndings[data[size - 1] % kEndings.size()]);
    const formats::Opener opener = file.opener();
    formats::RecordingOptions options;
    options.dt = 0.1;
    options.memory = std::int64_t{1} << 26;
    try {
        const auto opened =
            formats::open_recording({file.name(), ""}, options, opener, silent_monitor());
        if (opened.recording->units() * opened.recording->bins() < 1000000)
            static_cast<void>(opened.recording->read(0, opened.recording->bins()));
    } catch (const Error&) {
    }
    static_cast<void>(formats::list_arrays(file.name()));
    return 0;
}
