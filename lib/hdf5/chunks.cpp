#include <assay/hdf5/chunks.hpp>

#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <vector>

namespace assay::hdf5 {

Shape chunk_shape(const Dataset& dataset) {
    const Handle creation(H5Dget_create_plist(dataset.id()));
    if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return {};
    std::vector<hsize_t> sizes(dataset.shape().size());
    check(H5Pget_chunk(creation.get(), static_cast<int>(sizes.size()), sizes.data()),
          dataset.where(), "its chunks cannot be told; the file is damaged");
    return {sizes.begin(), sizes.end()};
}

std::size_t chunk_cache(const Dataset& dataset) {
    const Handle access(H5Dget_access_plist(dataset.id()));
    std::size_t slots = 0, bytes = 0;
    double preemption = 0;
    check(H5Pget_chunk_cache(access.get(), &slots, &bytes, &preemption), dataset.where(),
          "its cache cannot be told");
    return bytes;
}

} // namespace assay::hdf5
