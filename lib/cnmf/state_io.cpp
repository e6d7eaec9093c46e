#include <assay/cnmf/state_io.hpp>

#include <assay/core/packing.hpp>

#include <cstdint>

namespace assay::cnmf {

template <class Archive>
void members(Archive& archive, ActivationFit& fit) {
    archive(fit.activations, fit.kkt, fit.sweeps);
}

template <class Archive>
void members(Archive& archive, Nulls& nulls) {
    archive(nulls.done, nulls.values);
}

template <class State>
void write_packed(hdf5::Group group, const State& state) {
    group.write("packed", packed(state), {"byte", "", "state of the work"});
}

template <class State>
State read_packed(const hdf5::Group& group) {
    const hdf5::Dataset dataset = group.dataset("packed").expect_numeric().expect_rank(1);
    return unpacked<State>(dataset.read<std::uint8_t>());
}

template ASSAY_API void write_packed(hdf5::Group group, const ActivationFit& state);
template ASSAY_API void write_packed(hdf5::Group group, const Nulls& state);
template ASSAY_API void write_packed(hdf5::Group group, const std::vector<double>& state);
template ASSAY_API ActivationFit read_packed(const hdf5::Group& group);
template ASSAY_API Nulls read_packed(const hdf5::Group& group);
template ASSAY_API std::vector<double> read_packed(const hdf5::Group& group);

} // namespace assay::cnmf
