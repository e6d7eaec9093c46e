// Whole trees of groups and datasets: copied in sealed form, or summed up in a digest.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <string>
#include <vector>

namespace assay::hdf5 {

// Groups named `timing` hold measured durations: left out where equal runs are to give equal bytes.
enum class Timings { keep, leave_out };

// Copies all attributes of fixed size (text of fixed length, numbers) as they are, and text of
// variable length as text of fixed length.
ASSAY_API void copy_attributes(const Object& from, Object& to);

// Copies the member `path` of `source` to the same path in `destination`, chunks as they are.
// Links other than hard ones and data of variable length would break the sealed form: they are
// left out, and their places returned.
ASSAY_API std::vector<std::string> copy_tree(const Group& source, const std::string& path,
                                             Group destination, Timings timings);

// Digest of what a file of ours says: names, attributes, shapes and numbers, without /provenance
// and timings; so equal runs have equal digests. Datasets above 256 MiB are sampled.
[[nodiscard]] ASSAY_API std::string content_digest(const Group& root);

} // namespace assay::hdf5
