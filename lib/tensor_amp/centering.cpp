#include <assay/tensor_amp/centering.hpp>

#include <assay/core/error.hpp>

namespace assay::tensor_amp {

template <class Scalar>
Centering subtract_means(TensorOf<Scalar>& tensor, std::optional<Index> mode) {
    if (mode && (*mode < 0 || *mode >= tensor.order()))
        throw Error(concat("mode ", *mode, "; 0 to ", tensor.order() - 1, " is expected"));
    const Index slices = mode ? tensor.shape[static_cast<std::size_t>(*mode)] : 1;
    Index inner = tensor.values.size();
    if (mode) {
        inner = 1;
        for (auto b = static_cast<std::size_t>(*mode) + 1; b < tensor.shape.size(); ++b)
            inner *= tensor.shape[b];
    }
    const auto observed = [&](Index entry) {
        return tensor.observed.empty() || tensor.observed[static_cast<std::size_t>(entry)] != 0;
    };
    VectorXd sums = VectorXd::Zero(slices), counts = VectorXd::Zero(slices);
    for (Index e = 0; e < tensor.values.size(); ++e) {
        if (!observed(e)) continue;
        sums(e / inner % slices) += static_cast<double>(tensor.values(e));
        counts(e / inner % slices) += 1;
    }
    Centering centering{mode, sums.cwiseQuotient(counts.cwiseMax(1))};
    for (Index e = 0; e < tensor.values.size(); ++e)
        if (observed(e))
            tensor.values(e) = static_cast<Scalar>(static_cast<double>(tensor.values(e)) -
                                                   centering.means(e / inner % slices));
    return centering;
}
template ASSAY_API Centering subtract_means(DenseTensor&, std::optional<Index>);
template ASSAY_API Centering subtract_means(FloatTensor&, std::optional<Index>);

double mean_value(const TensorSource& source) {
    double sum = 0, count = 0;
    const Index columns = source.unfolded().columns;
    source.visit(Content::values, [&](const RowBlock& block) {
        for (Index i = 0; i < block.count * columns; ++i) {
            if (block.observed != nullptr && block.observed[i] == 0) continue;
            sum +=
                block.doubles != nullptr ? block.doubles[i] : static_cast<double>(block.floats[i]);
            ++count;
        }
    });
    return count > 0 ? sum / count : 0;
}

} // namespace assay::tensor_amp
