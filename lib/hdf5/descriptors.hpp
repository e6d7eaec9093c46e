// Internal to the library: files by descriptor, and those that only this process sees.
#pragma once

#include <assay/hdf5/stream.hpp>

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace assay::hdf5 {

// What the last system call has to say.
std::string system_reason();
// A signal that asks us to stop ends a wait for other processes.
void stop_if_interrupted();
// A system call, again while a signal cuts it short.
template <class Call>
auto repeated(const Call& call) {
    for (;;)
        if (const auto result = call(); result >= 0 || errno != EINTR) return result;
}
// open(2); a named pipe waits for its other end. Throws Interrupted when asked to stop.
Descriptor open_waiting(const std::string& path, int flags);
// Until poll(2) sees one of `events`. Throws Interrupted when asked to stop meanwhile, also just
// before.
void wait_for(int descriptor, short events);
// Some bytes of what may keep us waiting, 0 at its end. Throws Interrupted when asked to stop, and
// Error that names it.
std::size_t read_some(int descriptor, char* data, std::size_t bytes, const std::string& name);
// What may still be written into a folder, where the system tells.
std::optional<std::int64_t> free_bytes(const std::string& directory);
bool write_all(int descriptor, const char* data, std::size_t bytes);
// Makes a file in `directory`, opens it and keeps its name; the caller unlinks it.
std::pair<Descriptor, std::string> temporary_in(const std::string& directory);

} // namespace assay::hdf5
