// Networks of known truth in HDF5: /model, /truth, and trials of pulses under /data/test.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/synth.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/network/samples.hpp>

namespace assay::fixedpoints {

// `root` gets /model (float64), /truth and, where there are trials, /data/test. What the family
// does not know is left out of /truth.
ASSAY_API void write_synthetic(hdf5::Group root, const Synthetic& made,
                               const network::Samples& trials);

} // namespace assay::fixedpoints
