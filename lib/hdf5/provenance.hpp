// The chain of steps that made a file: /provenance/<n>, oldest first; and what a step carries
// forward.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/hdf5/tree.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace assay::hdf5 {

struct ProvenanceEntry {
    std::string command; // shell-quoted
    std::string tool;
    std::string version; // with instruction level
    std::string config;  // resolved options, JSON
    std::vector<std::string> input_digests;
    std::uint64_t seed = 0;
    bool has_seed = false;
    int threads = 1;
    std::string started; // ISO 8601, UTC
    double elapsed_s = 0;
    double cpu_s = 0;
    std::string host{}; // where it is to be told
};

// Copies the chains of `inputs` (steps that several share once) and returns the number of steps.
ASSAY_API int inherit_provenance(Group output, const std::vector<Group>& inputs);

// The same, and appends `entry`.
ASSAY_API void write_provenance(Group output, const std::vector<Group>& inputs,
                                const ProvenanceEntry& entry);

// Copies every top-level group of `input` that later steps need and `output` lacks: all but
// /provenance, and but /data and /run unless named in `also`. A group that exists on both sides is
// merged one level deep, the output's members winning. Of files of foreign form only what `also`
// names is copied.
// Returns the places that could not be carried (see copy_tree).
ASSAY_API std::vector<std::string> carry_forward(Group output, const Group& input,
                                                 const std::vector<std::string>& also,
                                                 Timings timings = Timings::keep);

// The shell script that makes a file again, from the commands of its chain. Throws Error where it
// has none.
[[nodiscard]] ASSAY_API std::string script_of(const Group& root);

// Quotes a word for a POSIX shell where it needs to be.
[[nodiscard]] ASSAY_API std::string shell_quoted(const std::string& word);

} // namespace assay::hdf5
