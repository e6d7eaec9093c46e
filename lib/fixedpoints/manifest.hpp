// Which networks a population consists of: a list with labels, as a JSON file has it or as other
// sources (a sweep) give it, and how it is dealt to shards.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <map>
#include <string>
#include <vector>

namespace assay::fixedpoints {

struct ManifestNetwork {
    std::string name;       // of its group; empty: made from file and step (complete_manifest)
    std::string file, path; // as the manifest has it, and where it is
    std::string step;       // of a run: a number or "last"; empty: its model
    std::map<std::string, std::string> labels;
};

struct Manifest {
    std::string inputs; // FILE[:/group] of trials; empty: none
    std::vector<ManifestNetwork> networks;
    // Of names, files, steps and labels: where the files stand does not matter.
    [[nodiscard]] ASSAY_API std::string digest() const;
};

// {"inputs": "probe.h5:/data/test",
//  "networks": [{"file": "a.h5", "step": "last", "name": "first",
//                "labels": {"arch": "gru", "units": 64}}, ...]}
// Only `file` is required; it may be a POSIX pattern, whose files are taken in sorted order. Paths
// are relative to `folder`. Labels are text, numbers or true and false. Throws Error with the place
// of a mistake ("networks[3].labels.units: ..."): unknown keys, values of another kind, a pattern
// without files, a name for several; and as complete_manifest does.
[[nodiscard]] ASSAY_API Manifest parse_manifest(const std::string& json, const std::string& folder);

// Gives names to networks without one: the file without its extension, '/' as '.', and ".step"
// behind it where several steps of a file are listed. Throws Error for no networks, a network that
// stands twice (the same file and step), names that are equal or hold '/'.
ASSAY_API void complete_manifest(Manifest& manifest);

// Networks of each shard, ascending. Network j goes to shard j mod shards; where all have a number
// as label `units` and these differ, the work (units cubed) is balanced instead: the largest first,
// each to the shard with the least work, the first of equals. The same in every call.
[[nodiscard]] ASSAY_API std::vector<std::vector<Index>> deal_networks(const Manifest& manifest,
                                                                      Index shards);

} // namespace assay::fixedpoints
