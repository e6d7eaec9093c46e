#include <assay/cnmf/significance.hpp>

#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::cnmf {
namespace {

constexpr Index kMostAtOnce = 64;       // null motifs per product
constexpr double kMostBytes = 1 << 30;  // beside the data
constexpr double kOneUnitShare = 0.999; // of the squared weight: nothing to shift against

// Null motifs per product, which take three arrays of a number a bin each. By the recording alone:
// products of other widths differ in rounding, and --memory must not show in a result.
Index nulls_at_once(Index bins) {
    const double fit = kMostBytes / (3 * 8 * static_cast<double>(bins));
    return std::clamp<Index>(static_cast<Index>(fit), 1, kMostAtOnce);
}

Matrix shifted_rows(const Matrix& image, const Random& random, Index component, Index null) {
    const Index lags = image.cols();
    Matrix shifted(image.rows(), lags);
    for (Index n = 0; n < image.rows(); ++n) {
        const auto shift = static_cast<Index>(random.below(
            static_cast<std::uint64_t>(lags), static_cast<std::uint64_t>(n),
            {static_cast<std::uint64_t>(component), static_cast<std::uint64_t>(null), 0}));
        for (Index l = 0; l < lags; ++l) shifted(n, (l + shift) % lags) = image(n, l);
    }
    return shifted;
}

// Skewness over the bins of each column.
Vector column_skewness(const TimeMatrix& overlap, const TimeAxis& axis, const Execution& run) {
    const Matrix by_component = axis.unpadded(overlap);
    Vector result(by_component.rows());
    parallel_blocks(by_component.rows(), run.threads,
                    [&](Index k) { result(k) = skewness(by_component.row(k).transpose()); });
    return result;
}

} // namespace

double skewness(const Eigen::Ref<const Vector>& values) {
    const double mean = values.mean();
    const auto centred = values.array() - mean;
    const double m2 = centred.square().mean(), m3 = centred.cube().mean();
    return m2 > 0 ? m3 / std::pow(m2, 1.5) : 0.0;
}

Significance significance(const Data& test_data, const Model& model,
                          const SignificanceOptions& options, const Execution& run,
                          const NullControl& control) {
    const Index components = model.components;
    const Index nulls =
        options.nulls > 0
            ? options.nulls
            : 2 * static_cast<Index>(std::ceil(static_cast<double>(components) / options.alpha));
    const Index at_once = nulls_at_once(test_data.recording().bins());
    const auto products = test_data.products(at_once, model.lags, run);
    const TimeAxis& axis = products->axis();
    Significance result;
    result.skewness = column_skewness(products->with_motifs(model.motifs, run), axis, run);
    const Random random(options.seed, "cnmf/significance");
    const Phase phase(*run.monitor, "null motifs");
    Nulls drawn = control.resume.value_or(Nulls{0, Matrix::Zero(components, nulls)});
    check_nulls(drawn, components, nulls, components * nulls);
    SafePoints safe_points(control, *run.monitor);
    while (drawn.done < components * nulls) {
        safe_points.reached([&]() -> const Nulls& { return drawn; });
        const Index first = drawn.done;
        run.monitor->progress({static_cast<double>(first), static_cast<double>(components * nulls),
                               "null motifs", ""});
        Model batch{std::min(at_once, components * nulls - first), model.lags, {}, {}};
        batch.motifs.resize(model.units(), batch.components * model.lags);
        for (Index i = 0; i < batch.components; ++i)
            set_motif_image(batch, i,
                            shifted_rows(motif_image(model, (first + i) / nulls), random,
                                         (first + i) / nulls, (first + i) % nulls));
        const Vector skew = column_skewness(products->with_motifs(batch.motifs, run), axis, run);
        for (Index i = 0; i < batch.components; ++i)
            drawn.values((first + i) / nulls, (first + i) % nulls) = skew(i);
        drawn.done += batch.components;
    }
    result.null = std::move(drawn.values);
    result.p = Vector::Ones(components);
    for (Index k = 0; k < components; ++k) {
        const Vector flat = motif_image(model, k).rowwise().sum().array().square();
        result.degenerate.push_back(!(flat.sum() > 0) ||
                                    flat.maxCoeff() > kOneUnitShare * flat.sum());
        if (result.degenerate.back()) continue;
        ++result.testable;
        const auto reached = (result.null.row(k).array() >= result.skewness(k)).count();
        result.p(k) = static_cast<double>(1 + reached) / static_cast<double>(1 + nulls);
    }
    for (Index k = 0; k < components; ++k)
        result.significant.push_back(
            !result.degenerate[static_cast<std::size_t>(k)] &&
            result.p(k) <=
                options.alpha / static_cast<double>(std::max<Index>(1, result.testable)));
    return result;
}

} // namespace assay::cnmf
