// A file under a name of its own, removed at the end.
#pragma once

#include <assay/hdf5/stream.hpp>

#include <filesystem>
#include <string>
#include <unistd.h>

namespace tensor_amp_test {

struct ScratchFile {
    std::string name = (std::filesystem::temp_directory_path() /
                        ("assay-tensor-" + std::to_string(getpid()) + ".h5"))
                           .string();
    ~ScratchFile() { std::filesystem::remove(name); }
    template <class Body>
    void write(Body&& body) const {
        assay::hdf5::OutputFile out(name, assay::hdf5::Existing::replace,
                                    assay::hdf5::Compression::automatic, {});
        body(out.root());
        out.commit();
    }
    [[nodiscard]] assay::hdf5::Group root() const {
        return assay::hdf5::File::open(name, "t.h5").root();
    }
};

} // namespace tensor_amp_test
