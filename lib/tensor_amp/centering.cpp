#include <assay/tensor_amp/centering.hpp>

#include <assay/tensor_amp/slab_sums.hpp>

#include <assay/core/error.hpp>

namespace assay::tensor_amp {

Slices slices_of(const Shape& shape, std::optional<Index> mode) {
    Slices slices;
    if (!mode) return slices;
    const auto order = static_cast<Index>(shape.size());
    if (*mode < 0 || *mode >= order)
        throw Error(concat("mode ", *mode, "; 0 to ", order - 1, " is expected"));
    slices.count = shape[at(*mode)];
    for (Index b = *mode + 1; b < order; ++b) slices.inner *= shape[at(b)];
    return slices;
}

template <class Scalar>
void subtract(const Centering& centering, const Shape& shape, Scalar* values,
              const std::uint8_t* observed, Index first, Index count) {
    const Slices slices = slices_of(shape, centering.mode);
    for (Index i = 0; i < count; ++i)
        if (observed == nullptr || observed[i] != 0)
            values[i] = static_cast<Scalar>(static_cast<double>(values[i]) -
                                            centering.means(slices.of(first + i)));
}
template ASSAY_API void subtract(const Centering&, const Shape&, double*, const std::uint8_t*,
                                 Index, Index);

template <class Scalar>
Centering subtract_means(TensorOf<Scalar>& tensor, std::optional<Index> mode) {
    const std::uint8_t* observed = tensor.observed.empty() ? nullptr : tensor.observed.data();
    MeansOfSlices sums(tensor.shape, mode);
    for (Index e = 0; e < tensor.values.size(); ++e)
        if (observed == nullptr || observed[e] != 0)
            sums.add(e, static_cast<double>(tensor.values(e)));
    const Centering centering = sums.centering();
    subtract(centering, tensor.shape, tensor.values.data(), observed, 0, tensor.values.size());
    return centering;
}
template ASSAY_API Centering subtract_means(DenseTensor&, std::optional<Index>);
template ASSAY_API Centering subtract_means(FloatTensor&, std::optional<Index>);

double mean_value(const TensorSource& source, const Execution& run) {
    const Index columns = source.unfolded().columns;
    const MatrixXd sums =
        sum_over_slabs(source, 2, 1, run, [&](const RowBlock& slab, MatrixXd& part) {
            for_each_observed(slab, columns, [&](Index, double value) {
                part(0) += value;
                ++part(1);
            });
        });
    return sums(1) > 0 ? sums(0) / sums(1) : 0;
}

} // namespace assay::tensor_amp
