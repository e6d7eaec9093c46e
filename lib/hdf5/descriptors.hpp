// Internal to lib/hdf5: files by descriptor, and those that only this process sees.
#pragma once

#include <assay/hdf5/stream.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace assay::hdf5 {

// What the last system call has to say.
std::string system_reason();
// A signal that asks us to stop ends a wait for other processes.
void stop_if_interrupted();
bool write_all(int descriptor, const char* data, std::size_t bytes);
// Makes a file in `directory`, opens it and keeps its name; the caller unlinks it.
std::pair<Descriptor, std::string> temporary_in(const std::string& directory);

} // namespace assay::hdf5
