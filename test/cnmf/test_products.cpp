// Gram-space quantities and the three engines against explicit unfolding.
#include "oracle.hpp"

#include <assay/cnmf/gram.hpp>
#include <assay/cnmf/penalties.hpp>
#include <assay/core/random.hpp>

#include <catch2/catch.hpp>

using namespace assay;
using namespace assay::cnmf;
namespace oracle = assay::cnmf::test;

namespace {

const std::vector<std::string> kCases{"regular",       "short",    "lag_one",
                                      "one_component", "segments", "single_bin_segments"};

double scale_of(const Matrix& m) {
    return std::max(1.0, m.cwiseAbs().maxCoeff());
}

// A random recording with gaps, and a model of it, larger than one block and than one transform.
struct Random1 {
    DenseRecording recording;
    Model model;
};

Random1 random_case(Index units, Index bins, Index components, Index lags,
                    std::vector<Index> starts, double density) {
    const Random random(11, "test/products");
    Matrix x(units, bins);
    for (Index t = 0; t < bins; ++t)
        for (Index n = 0; n < units; ++n) {
            const auto at = static_cast<std::uint64_t>(t * units + n);
            x(n, t) = random.uniform(at, {1, 0, 0}) < density ? random.uniform(at, {2, 0, 0}) : 0.0;
        }
    Random1 made{DenseRecording(x),
                 {components, lags, Matrix(units, components * lags), Matrix(components, bins)}};
    made.recording.segment_start = std::move(starts);
    for (Index i = 0; i < made.model.motifs.size(); ++i)
        made.model.motifs.data()[i] = random.uniform(static_cast<std::uint64_t>(i), {3, 0, 0});
    for (Index i = 0; i < made.model.activations.size(); ++i)
        made.model.activations.data()[i] =
            random.uniform(static_cast<std::uint64_t>(i), {4, 0, 0}) < 0.3
                ? random.uniform(static_cast<std::uint64_t>(i), {5, 0, 0})
                : 0;
    return made;
}

} // namespace

TEST_CASE("Gram-space quantities equal explicit unfolding", "[cnmf]") {
    const auto name = GENERATE(from_range(kCases));
    CAPTURE(name);
    const auto group = oracle::oracle("/products/" + name);
    const auto recording = oracle::recording(group);
    const Model model = oracle::model(group, "W", "H");
    const Execution run;
    const TimeAxis axis(recording.bins(), recording.segment_start, model.lags);
    const TimeMatrix h = axis.padded(model.activations);

    const Matrix a = oracle::descending(
        oracle::descending(oracle::matrix(group, "A"), model.components).transpose(),
        model.components);
    CHECK(oracle::largest_difference(activation_gram(h, axis, run), a) < 1e-13 * scale_of(a));

    const MotifCorrelation correlation(model.motifs, model.components);
    const auto c = group.dataset("C").read<double>(),
               tails = group.dataset("C_tail").read<double>();
    const Index width = 2 * model.lags - 1, k2 = model.components * model.components;
    double worst = 0;
    for (Index m = 0; m < model.lags; ++m) {
        const bool full = m == model.lags - 1;
        for (Index k = 0; k < model.components; ++k)
            for (Index j = 0; j < model.components; ++j)
                for (Index d = 0; d < width; ++d) {
                    // The gradient reads C[k,k',d] H[k',t+d]; a change at (t,k) adds C[k',k,-d] =
                    // C[k,k',d] at t+d.
                    const auto at =
                        static_cast<std::size_t>((k * model.components + j) * width + d);
                    const double expected =
                        full ? c[at] : tails[static_cast<std::size_t>(m * k2 * width) + at];
                    worst = std::max(worst, std::abs(correlation.table(full ? model.lags : m)(
                                                         k, d * model.components + j) -
                                                     expected));
                }
    }
    CHECK(worst < 1e-13);

    const Data data(recording, {Engine::gemm, Precision::float64, 0}, run);
    const auto products = data.products(model.components, model.lags, run);
    const TimeMatrix g = products->with_motifs(model.motifs, run);
    const Matrix p = axis.unpadded(correlate(correlation, h, axis, run) - g);
    CHECK(oracle::largest_difference(p, oracle::matrix(group, "P")) < 1e-12 * scale_of(p));

    // Penalty values and gradients.
    const TimeMatrix smoothed_g = window_sums(g, axis), smoothed_h = window_sums(h, axis);
    CHECK(oracle::largest_difference(axis.unpadded(sum_of_others(smoothed_g)),
                                     oracle::matrix(group, "dRx_dH")) <
          1e-11 * scale_of(smoothed_g));
    CHECK(oracle::largest_difference(axis.unpadded(sum_of_others(smoothed_h)),
                                     oracle::matrix(group, "dRe_dH")) <
          1e-12 * scale_of(smoothed_h));
    const auto w_gradient = group.dataset("dRx_dW");
    const Matrix expected_w =
        motif_matrix(w_gradient.read<double>(), model.components, recording.units(), model.lags);
    CHECK(oracle::largest_difference(
              cross_orthogonality_motif_gradient(products->with_activations(smoothed_h, run),
                                                 model.components),
              expected_w) < 1e-11 * scale_of(expected_w));
    CHECK(events_value(h, axis) ==
          Approx(*group.number_attribute("R_e")).epsilon(1e-12).margin(1e-12));
    CHECK(parts_value(model.motifs, model.components) ==
          Approx(*group.number_attribute("R_p")).epsilon(1e-12).margin(1e-12));
    CHECK(inner_product(h, sum_of_others(smoothed_g)) ==
          Approx(*group.number_attribute("R_x")).epsilon(1e-12).margin(1e-10));

    // Reconstruction, evaluation and loadings.
    const Matrix conv = oracle::matrix(group, "conv");
    CHECK(oracle::largest_difference(reconstruct(model, axis, h, 0, recording.bins()), conv) <
          1e-13 * scale_of(conv));
    const Evaluation evaluation = evaluate(model, recording, {}, run);
    CHECK(evaluation.relative_loss() ==
          Approx(*group.number_attribute("relative_loss")).epsilon(1e-12));
    const Vector expected_loadings = group.dataset("loadings").read_vector();
    CHECK(
        oracle::largest_difference(loadings(model, *products, data.survey().squared_norm, {}, run),
                                   expected_loadings) < 1e-12);
}

TEST_CASE("all engines equal explicit unfolding", "[cnmf]") {
    const auto name = GENERATE(from_range(kCases));
    const auto engine = GENERATE(Engine::gemm, Engine::fft, Engine::sparse);
    CAPTURE(name, engine_name(engine));
    const auto group = oracle::oracle("/products/" + name);
    const auto recording = oracle::recording(group);
    const Model model = oracle::model(group, "W", "H");
    const Execution run;
    const Data data(recording, {engine, Precision::float64, 0}, run);
    const auto products = data.products(model.components, model.lags, run);
    const TimeMatrix h = products->axis().padded(model.activations);
    const Matrix b = oracle::descending(oracle::matrix(group, "B"), model.components),
                 g = oracle::matrix(group, "transconv");
    CHECK(oracle::largest_difference(products->with_activations(h, run), b) < 1e-13 * scale_of(b));
    CHECK(oracle::largest_difference(
              products->axis().unpadded(products->with_motifs(model.motifs, run)), g) <
          1e-13 * scale_of(g));
}

TEST_CASE("engines agree and are adjoint on long recordings, whatever the threads", "[cnmf]") {
    const bool segmented = GENERATE(false, true);
    const auto lags = GENERATE(Index{1}, Index{7}, Index{40}, Index{300});
    auto made = random_case(
        13, 21000, 3, lags,
        segmented ? std::vector<Index>{0, 17, 9000, 9030, 13100} : std::vector<Index>{0}, 0.1);
    const Execution one{1, &silent_monitor()}, three{3, &silent_monitor()};
    Matrix b_gemm;
    TimeMatrix g_gemm;
    for (const Engine engine : {Engine::gemm, Engine::fft, Engine::sparse}) {
        const Data data(made.recording, {engine, Precision::float64, 0}, one);
        const auto products = data.products(3, lags, one);
        const TimeMatrix h = products->axis().padded(made.model.activations);
        const Matrix b = products->with_activations(h, one);
        const TimeMatrix g = products->with_motifs(made.model.motifs, one);
        // <X, conv(W,H)> = <W, B> = <H, G>.
        CHECK(made.model.motifs.cwiseProduct(b).sum() ==
              Approx(inner_product(h, g)).epsilon(1e-12));
        CHECK((products->with_activations(h, three).array() == b.array()).all());
        CHECK((products->with_motifs(made.model.motifs, three).array() == g.array()).all());
        if (engine == Engine::gemm) {
            b_gemm = b;
            g_gemm = g;
        }
        CHECK(oracle::largest_difference(b, b_gemm) < 1e-10 * scale_of(b));
        CHECK(oracle::largest_difference(g, g_gemm) < 1e-10 * scale_of(g));
    }
    // A recording that does not fit the memory it may use is streamed, to the same bits.
    const Data streamed(made.recording, {Engine::gemm, Precision::float64, 600000}, three);
    CHECK(streamed.streams());
    const auto products = streamed.products(3, lags, three);
    const TimeMatrix h = products->axis().padded(made.model.activations);
    CHECK((products->with_activations(h, three).array() == b_gemm.array()).all());
    CHECK((products->with_motifs(made.model.motifs, three).array() == g_gemm.array()).all());
}

TEST_CASE("gradient field: scattering and the dense product agree", "[cnmf]") {
    auto made = random_case(5, 3000, 4, 9, {0, 100, 104, 2000}, 0.2);
    const Execution run{2, &silent_monitor()};
    const TimeAxis axis(3000, made.recording.segment_start, 9);
    const MotifCorrelation correlation(made.model.motifs, 4);
    const TimeMatrix sparse = axis.padded(made.model.activations);
    TimeMatrix dense = axis.padded((made.model.activations.array() + 1e-300).matrix());
    CHECK(oracle::largest_difference(correlate(correlation, sparse, axis, run),
                                     correlate(correlation, dense, axis, run)) < 1e-10);
    CHECK(oracle::largest_difference(activation_gram(sparse, axis, run),
                                     activation_gram(dense, axis, run)) < 1e-10);
}
