// Fits by the Kullback-Leibler divergence: when they stop, and how far from a minimum they say they
// are.
#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/poisson_updates.hpp>
#include <assay/cnmf/synth.hpp>
#include <assay/core/random.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::cnmf;

namespace {

DenseRecording counts(std::uint64_t seed, Index units, Index bins) {
    SynthOptions o;
    o.units = units;
    o.bins = bins;
    o.components = 2;
    o.lags = 5;
    o.event_rate = 0.3;
    o.counts = true;
    o.seed = seed;
    DenseRecording recording(synth_paper(o).recording->read(0, bins));
    recording.segment_start = {0, bins / 3};
    return recording;
}

FitOptions poisson_options() {
    FitOptions o;
    o.components = 2;
    o.lags = 5;
    o.loss = Loss::kl;
    o.algorithm = Algorithm::mult;
    return o;
}

// By its definition, bin by bin.
double literal_divergence(const Model& model, const DenseRecording& recording) {
    const Matrix x = recording.read(0, recording.bins());
    double sum = 0;
    for (std::size_t s = 0; s < recording.segment_start.size(); ++s) {
        const Index first = recording.segment_start[s];
        const Index end = s + 1 < recording.segment_start.size() ? recording.segment_start[s + 1]
                                                                 : recording.bins();
        for (Index t = first; t < end; ++t)
            for (Index n = 0; n < x.rows(); ++n) {
                double xhat = 0;
                for (Index k = 0; k < model.components; ++k)
                    for (Index l = 0; l < model.lags && t - l >= first; ++l)
                        xhat += model.motifs(n, motif_column(k, l, model.components, model.lags)) *
                                model.activations(k, t - l);
                sum += xhat - x(n, t) + (x(n, t) > 0 ? x(n, t) * std::log(x(n, t) / xhat) : 0.0);
            }
    }
    return sum;
}

// Norm of the gradient by central differences; the model is positive.
double literal_gradient_norm(const Model& model, const DenseRecording& recording) {
    constexpr double kStep = 1e-5;
    double sum = 0;
    Model moved = model;
    for (Matrix* values : {&moved.motifs, &moved.activations})
        for (Index i = 0; i < values->size(); ++i) {
            double& value = values->data()[i];
            const double at = value;
            value = at + kStep;
            const double above = literal_divergence(moved, recording);
            value = at - kStep;
            const double below = literal_divergence(moved, recording);
            value = at;
            sum += std::pow((above - below) / (2 * kStep), 2);
        }
    return std::sqrt(sum);
}

} // namespace

TEST_CASE("a fit by divergence stops when the divergence stands still", "[cnmf]") {
    const auto seed = static_cast<std::uint64_t>(GENERATE(1, 2, 3));
    const DenseRecording recording = counts(seed, 12, 300);
    FitOptions o = poisson_options();
    o.tolerance = 1e-3;
    o.patience = 3;
    o.max_iterations = 2000;
    o.seed = seed;
    const Data data(recording, {}, {});
    const FitResult r = fit(data, {}, o, {});
    REQUIRE(r.stop_reason == "tolerance");
    const auto first_end = [&](const std::vector<double>& values) {
        Index quiet = 0;
        for (std::size_t i = 1; i < values.size(); ++i) {
            quiet = values[i - 1] - values[i] < o.tolerance * values[i - 1] ? quiet + 1 : 0;
            if (quiet == o.patience) return i;
        }
        return values.size();
    };
    CHECK(first_end(r.history.objective) + 1 == r.history.objective.size());
}

TEST_CASE("the KKT residual of a divergence is that of its gradient", "[cnmf]") {
    const DenseRecording recording = counts(4, 4, 40);
    FitOptions o = poisson_options();
    o.tolerance = 0;
    o.max_iterations = 1;
    const Random random(1, "test/start");
    Model start{o.components, o.lags, Matrix(4, o.components * o.lags), Matrix(o.components, 40)};
    for (Index i = 0; i < start.motifs.size(); ++i)
        start.motifs.data()[i] = 0.1 + random.uniform(static_cast<std::uint64_t>(i));
    for (Index i = 0; i < start.activations.size(); ++i)
        start.activations.data()[i] =
            0.1 + random.uniform(static_cast<std::uint64_t>(i), {1, 0, 0});
    o.start.components = o.components;
    o.start.lags = o.lags;
    o.start.motifs = start.motifs;
    o.start.activations = start.activations;
    const Data data(recording, {}, {});
    const auto products = data.products(o.components, o.lags, {});
    const auto norm = [&](const Model& model) {
        return poisson_gradient_norm(model.motifs, products->axis().padded(model.activations),
                                     recording, products->axis(), {}, {});
    };
    CHECK(norm(start) == Approx(literal_gradient_norm(start, recording)).epsilon(1e-5));
    const FitResult once = fit(data, {}, o, {});
    CHECK(once.kkt == Approx(norm(once.model) / norm(start)).epsilon(1e-9));
}
