// What the tests of lib/formats share: opening a file as a command does.
#pragma once

#include <assay/core/error.hpp>
#include <assay/formats/recording_file.hpp>

#include <deque>
#include <string>

inline const std::string kFixtures = std::string(ASSAY_TEST_REFERENCE) + "/formats/";

// Opens a recording and looks at every number, as a command would do first.
inline assay::formats::OpenedRecording
open_and_read(const std::string& file, const assay::formats::RecordingOptions& options) {
    using namespace assay;
    // Kept open: a recording reads from its file as long as it lives.
    static std::deque<hdf5::InputFile> files;
    const formats::Opener opener{[](const hdf5::Address& a) -> hdf5::InputFile& {
                                     return files.emplace_back(a, hdf5::StreamSettings{});
                                 },
                                 [](const std::string&) {}};
    auto opened = formats::open_recording({file, ""}, options, opener, silent_monitor());
    static_cast<void>(opened.recording->read(0, opened.recording->bins()));
    return opened;
}

// The message that refuses a file; empty where it is read.
inline std::string refusal(const std::string& file,
                           const assay::formats::RecordingOptions& options = {}) {
    try {
        open_and_read(file, options);
        return "";
    } catch (const assay::Error& e) {
        return e.what();
    }
}
