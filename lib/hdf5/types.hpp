// Internal to lib/hdf5: checks of library calls and the memory types of C++ numbers.
#pragma once

#include <assay/hdf5/object.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace assay::hdf5 {

inline constexpr std::size_t kTextAttributeLimit = 60000; // bytes that fit an object header

// Keeps the library's own error stack off the terminal (per thread).
void silence_library();
// The handle, or Error "where: what" for a negative id or status.
Handle checked(Id id, const std::string& where, const char* what);
void check(int status, const std::string& where, const char* what);
// A handle that keeps its owner (the group or file through which it was opened) open as long as it
// lives.
std::shared_ptr<Handle> kept_open(std::shared_ptr<Handle> owner, Handle handle);
// All strings of an attribute or dataset with `count` elements, fixed or variable length.
std::vector<std::string> read_strings(Id object, bool attribute, long long count,
                                      const std::string& where);

// Links and datasets in sealed form: UTF-8 names, no times, compact layout or chunks (`chunk`, or
// whole rows) under Fletcher32.
Handle link_creation();
Handle dataset_creation(const Shape& shape, std::size_t element_bytes, std::size_t bytes,
                        bool deflate, const Shape& chunk = {});

// Whether so many bytes may come of what a dataset stores: deflate packs at most about 1:1030, so a
// claim far beyond that is refused before memory is asked for; small claims may be fill values.
bool stores_enough(double claimed_bytes, std::int64_t stored_bytes);

// The library's type for T in memory, and in our files.
template <class T>
Id memory_type();
template <class T>
Id file_type();

} // namespace assay::hdf5
