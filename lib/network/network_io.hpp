// Models and samples in HDF5: attribute `architecture`, weights/<layer>/<parameter>, and
// <split>/{inputs,targets} with lengths or mask.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/network/model.hpp>
#include <assay/network/network.hpp>
#include <assay/network/samples.hpp>

#include <optional>
#include <string>

namespace assay::network {

enum class Storage { float32, float64 };

// `group` is /model, or a checkpoint of a run (then without an architecture). Throws Error.
[[nodiscard]] ASSAY_API Model read_model(const hdf5::Group& group);
ASSAY_API void write_model(hdf5::Group group, const Model& model, Storage storage);
// weights/<layer>/<parameter> below `group`.
ASSAY_API void write_weights(hdf5::Group group, const Model& model, Storage storage);
// The same from where the numbers stand, in their own precision.
ASSAY_API void write_weights(hdf5::Group group, const Layout& layout, const NumbersView& trained,
                             const NumbersView& statistics);

// One split: a group with `inputs`, and `targets`, `lengths`, `mask` where they are. Integer
// targets of one number a row are classes.
[[nodiscard]] ASSAY_API Samples read_samples(const hdf5::Group& group);
ASSAY_API void write_samples(hdf5::Group group, const Samples& samples, Storage storage);

} // namespace assay::network
