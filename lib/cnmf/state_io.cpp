#include <assay/cnmf/state_io.hpp>

#include <assay/core/packing.hpp>
#include <assay/hdf5/packed.hpp>

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
void write_packed(const hdf5::Group& group, const State& state) {
    hdf5::write_packed(group, packed(state));
}

template <class State>
State read_packed(const hdf5::Group& group) {
    return unpacked<State>(hdf5::read_packed(group));
}

template ASSAY_API void write_packed(const hdf5::Group& group, const ActivationFit& state);
template ASSAY_API void write_packed(const hdf5::Group& group, const Nulls& state);
template ASSAY_API void write_packed(const hdf5::Group& group, const std::vector<double>& state);
template ASSAY_API ActivationFit read_packed(const hdf5::Group& group);
template ASSAY_API Nulls read_packed(const hdf5::Group& group);
template ASSAY_API std::vector<double> read_packed(const hdf5::Group& group);

} // namespace assay::cnmf
