#include <assay/cnmf/fit.hpp>

#include <assay/core/phase.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::cnmf {

Model warped(const Model& model, double factor) {
    Model result = model;
    result.lags = std::max<Index>(
        1, static_cast<Index>(std::lround(static_cast<double>(model.lags) * factor)));
    result.motifs.resize(model.units(), model.components * result.lags);
    const double step =
        result.lags > 1 ? static_cast<double>(model.lags - 1) / static_cast<double>(result.lags - 1)
                        : 0.0;
    for (Index k = 0; k < model.components; ++k) {
        const Matrix image = motif_image(model, k);
        Matrix stretched(model.units(), result.lags);
        for (Index l = 0; l < result.lags; ++l) {
            const double position = static_cast<double>(l) * step;
            const Index left = std::min(static_cast<Index>(position), model.lags - 1),
                        right = std::min(left + 1, model.lags - 1);
            const double share = position - static_cast<double>(left);
            stretched.col(l) = (1 - share) * image.col(left) + share * image.col(right);
        }
        const double mass = stretched.sum();
        if (mass > 0) stretched *= image.sum() / mass;
        set_motif_image(result, k, stretched);
    }
    return result;
}

namespace {

const ActivationFit& checked(const ActivationFit& saved, const TimeMatrix& start) {
    const TimeMatrix& h = saved.activations;
    if (h.rows() != start.rows() || h.cols() != start.cols() || !h.allFinite() || saved.sweeps < 0)
        throw Error(concat("the saved state has activations of ", h.rows(), " x ", h.cols(),
                           "; finite ones of ", start.rows(), " x ", start.cols(),
                           " are expected"));
    return saved;
}

} // namespace

ActivationFit fit_activations(DataProducts& products, const Unseen& unseen, const Matrix& motifs,
                              TimeMatrix start, const Penalties& penalties,
                              const ActivationStop& stop, const Execution& run,
                              const Keeping<ActivationFit>& keeping) {
    const TimeAxis& axis = products.axis();
    MotifCorrelation correlation(motifs, start.cols());
    correlation.add_penalties(penalties.l2_activations, penalties.events);
    const TimeMatrix observed = products.with_motifs(motifs, run);
    Imputation imputation(unseen, axis);
    // A kept gradient drifts by rounding and knows nothing of new stand-ins for unseen entries: it
    // is made afresh after every few sweeps.
    constexpr Index kSweepsPerGradient = 10;
    TimeMatrix gradient;
    const auto find_gradient = [&](const TimeMatrix& activations) {
        gradient.resize(0, 0); // before the new one is made
        gradient = correlate(correlation, activations, axis, run);
        if (unseen.mask.empty()) {
            gradient -= observed;
        } else {
            imputation.evaluate(motifs, activations, run);
            TimeMatrix g = observed;
            imputation.add_to(g, motifs, run);
            gradient -= g;
        }
        gradient.array() += penalties.l1_activations;
        axis.clear_padding(gradient);
    };
    const Phase phase(*run.monitor, "activations");
    ActivationFit result;
    if (keeping.resume)
        result = checked(*keeping.resume, start);
    else
        result.activations = std::move(start);
    TimeMatrix& h = result.activations;
    find_gradient(TimeMatrix::Zero(h.rows(), h.cols()));
    const double scale =
        std::sqrt(projected_gradient_norm(TimeMatrix::Zero(h.rows(), h.cols()), gradient));
    if (!h.isZero(0)) find_gradient(h);
    const auto kkt = [&] {
        return scale > 0 ? std::sqrt(projected_gradient_norm(h, gradient)) / scale : 0.0;
    };
    SafePoints safe_points(keeping, *run.monitor);
    for (result.kkt = kkt(); result.kkt > stop.kkt_tolerance && result.sweeps < stop.most_sweeps;
         result.kkt = kkt()) {
        safe_points.reached([&]() -> const ActivationFit& { return result; });
        hals_activations(h, gradient, correlation, axis, Order::chunk,
                         InnerSweeps::fixed(kSweepsPerGradient), run);
        result.sweeps += kSweepsPerGradient;
        find_gradient(h);
        run.monitor->progress({static_cast<double>(result.sweeps),
                               static_cast<double>(stop.most_sweeps), "sweeps", ""});
    }
    return result;
}

TransformResult transform(const Data& data, const Unseen& unseen, const Model& model,
                          const ActivationStop& stop, const Penalties& penalties,
                          const Execution& run, const Keeping<ActivationFit>& keeping) {
    const auto products = data.products(model.components, model.lags, run);
    const TimeAxis& axis = products->axis();
    const bool given =
        model.activations.cols() == axis.bins() && model.activations.rows() == model.components;
    ActivationFit fitted =
        fit_activations(*products, unseen, model.motifs,
                        given ? axis.padded(model.activations)
                              : TimeMatrix(TimeMatrix::Zero(axis.rows(), model.components)),
                        penalties, stop, run, keeping);
    Model whole{model.components, model.lags, model.motifs, axis.unpadded(fitted.activations)};
    fitted.activations.resize(0, 0);
    TransformResult result;
    result.kkt = fitted.kkt;
    result.sweeps = fitted.sweeps;
    const Phase phase(*run.monitor, "evaluate");
    result.evaluation = evaluate(whole, data.recording(), unseen, run);
    result.loadings = loadings(whole, *products, data.survey().squared_norm, unseen, run);
    result.activations = std::move(whole.activations);
    return result;
}

} // namespace assay::cnmf
