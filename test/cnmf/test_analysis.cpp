// What is told of a model once it is fitted, against the literal definitions of
// test/reference/make_cnmf_oracle.py.
#include "oracle.hpp"

#include <assay/cnmf/compare.hpp>
#include <assay/cnmf/descent.hpp>
#include <assay/cnmf/events.hpp>
#include <assay/cnmf/significance.hpp>
#include <assay/cnmf/synth.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace assay;
using namespace assay::cnmf;
namespace oracle = assay::cnmf::test;

namespace {

std::vector<std::int64_t> whole(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).read<std::int64_t>();
}

// conv of one component, lag by lag.
Matrix component_of(const Model& model, Index k, const std::vector<Index>& segment_start) {
    const Matrix image = motif_image(model, k);
    const Index bins = model.activations.cols();
    Matrix result = Matrix::Zero(model.units(), bins);
    std::size_t segment = 0;
    for (Index t = 0; t < bins; ++t) {
        while (segment + 1 < segment_start.size() && segment_start[segment + 1] <= t) ++segment;
        for (Index l = 0; l < model.lags && t - l >= segment_start[segment]; ++l)
            result.col(t) += image.col(l) * model.activations(k, t - l);
    }
    return result;
}

} // namespace

TEST_CASE("the KKT residual is the literal projected gradient", "[cnmf]") {
    const std::string name = GENERATE("plain", "penalties");
    CAPTURE(name);
    const auto group = oracle::oracle("/analysis/kkt/" + name);
    const auto number = [&](const char* key) { return *group.number_attribute(key); };
    const auto recording = oracle::recording(group);
    const Model model = oracle::model(group, "W", "H");
    FitOptions options;
    options.components = model.components;
    options.lags = model.lags;
    options.penalties = {number("l1_w"),    number("l2_w"),   number("l1_h"),  number("l2_h"),
                         number("x_ortho"), number("events"), number("parts"), true};
    const Execution run;
    const Data data(recording, {Engine::gemm, Precision::float64, 0}, run);
    const auto products = data.products(options.components, options.lags, run);
    const Unseen nothing;
    Descent descent(data, *products, nothing, options, run);
    FitState state;
    descent.begin(model, false, options.penalties.x_ortho, state);
    REQUIRE(descent.step(options.penalties.x_ortho, state));
    // The residual of the start, to which later ones are relative.
    CHECK(state.kkt_start == Approx(number("numerator")).epsilon(1e-12));
    CHECK(state.history.kkt.front() == 1);
}

TEST_CASE("power explained of each unit", "[cnmf]") {
    const auto group = oracle::oracle("/analysis/unit_r2");
    const Evaluation e = evaluate(oracle::model(group, "W", "H"),
                                  DenseRecording(oracle::matrix(group, "X")), {}, {});
    const Vector r2 = 1 - e.unit_error.array() / e.unit_norm.array();
    CHECK(oracle::largest_difference(r2, group.dataset("unit_r2").read_vector()) < 1e-12);
}

TEST_CASE("components of two models are compared as their reconstructions", "[cnmf]") {
    const std::string pair = GENERATE("different_k", "equal_k");
    CAPTURE(pair);
    const auto group = oracle::oracle("/analysis/compare/" + pair);
    const Model first = oracle::model(group, "W1", "H1"), second = oracle::model(group, "W2", "H2");
    const Comparison found = compare(first, second, oracle::segments(group), {});
    CHECK(oracle::largest_difference(found.similarity, oracle::matrix(group, "similarity")) <
          1e-12);
    CHECK(found.match == whole(group, "match"));
    if (const auto expected = group.number_attribute("dissimilarity"))
        CHECK(found.dissimilarity == Approx(*expected).epsilon(1e-12));
    // Shifting the partner's motif back by its shift makes the two most alike.
    for (Index i = 0; i < first.components; ++i) {
        const auto partner = found.match[static_cast<std::size_t>(i)];
        if (partner < 0) continue;
        const Matrix mine = motif_image(first, i), theirs = motif_image(second, partner);
        const auto overlap = [&](Index shift) {
            double sum = 0;
            for (Index l = 0; l < first.lags; ++l)
                if (l + shift >= 0 && l + shift < second.lags)
                    sum += mine.col(l).dot(theirs.col(l + shift));
            return sum;
        };
        const double best = overlap(found.shift[static_cast<std::size_t>(i)]);
        for (Index shift = -first.lags + 1; shift < second.lags; ++shift)
            CHECK(overlap(shift) <= best * (1 + 1e-12));
    }
}

TEST_CASE("a partner that stands later has a positive shift", "[cnmf]") {
    Model first{1, 8, Matrix::Zero(3, 8), Matrix::Zero(1, 40)}, second = first;
    Matrix image = Matrix::Zero(3, 8), later = image;
    for (Index n = 0; n < 3; ++n) image(n, 1 + n) = later(n, 4 + n) = 1;
    set_motif_image(first, 0, image);
    set_motif_image(second, 0, later);
    first.activations(0, 20) = second.activations(0, 17) = 2;
    const Comparison found = compare(first, second, {0}, {});
    CHECK(found.similarity(0, 0) == Approx(1));
    CHECK(found.shift == std::vector<std::int64_t>{3});
}

TEST_CASE("events are peaks by the literal rule, ties and plateaus included", "[cnmf]") {
    const auto group = oracle::oracle("/analysis/events");
    EventRule rule;
    rule.deviations = *group.number_attribute("threshold_sd");
    rule.refractory = static_cast<Index>(*group.number_attribute("refractory"));
    const Events found = find_events(oracle::matrix(group, "H"), {0}, rule);
    CHECK(oracle::largest_difference(found.threshold, group.dataset("threshold").read_vector()) <
          1e-14);
    const auto component = whole(group, "component"), bin = whole(group, "bin");
    const auto amplitude = group.dataset("amplitude").read<double>();
    std::vector<std::int64_t> components, bins;
    std::vector<double> amplitudes;
    for (const auto row : whole(group, "order_by_bin")) {
        const auto at = static_cast<std::size_t>(row);
        components.push_back(component[at]);
        bins.push_back(bin[at]);
        amplitudes.push_back(amplitude[at]);
    }
    CHECK(found.component == components);
    CHECK(found.bin == bins);
    CHECK(found.amplitude == amplitudes);
}

TEST_CASE("a segment's border ends a plateau and a refractory time", "[cnmf]") {
    Matrix h = Matrix::Zero(1, 10);
    h(0, 3) = h(0, 4) = h(0, 5) = 1;
    EventRule rule;
    rule.threshold = 0.5;
    rule.refractory = 4;
    CHECK(find_events(h, {0}, rule).bin == std::vector<std::int64_t>{3});
    CHECK(find_events(h, {0, 5}, rule).bin == std::vector<std::int64_t>{3, 5});
}

TEST_CASE("motifs are centred, what leaves the window or a segment is lost", "[cnmf]") {
    const std::string name = GENERATE("contained", "truncated");
    CAPTURE(name);
    const auto group = oracle::oracle("/analysis/shift/" + name);
    Model model = oracle::model(group, "W", "H");
    const auto starts = oracle::segments(group);
    const TimeAxis axis(model.activations.cols(), starts, model.lags);
    const auto shifts = centre_motifs(model, axis);
    CHECK(std::vector<std::int64_t>(shifts.begin(), shifts.end()) == whole(group, "shift"));
    const Model expected = oracle::model(group, "W_shifted", "H_shifted");
    CHECK(model.motifs == expected.motifs);
    CHECK(model.activations == expected.activations);
}

TEST_CASE("units line up by component, peak and index", "[cnmf]") {
    const auto group = oracle::oracle("/analysis/align");
    const auto tensor = group.dataset("W");
    Model model{tensor.shape()[0], tensor.shape()[2], {}, {}};
    model.motifs =
        motif_matrix(tensor.read<double>(), model.components, tensor.shape()[1], model.lags);
    const UnitOrder found = order_units(model);
    // The oracle counts a silent unit to component 0; the library says that it has none, and puts
    // it last.
    auto component = whole(group, "unit_component"), peak_lag = whole(group, "unit_peak_lag"),
         order = whole(group, "unit_order");
    std::stable_partition(order.begin(), order.end(),
                          [&](std::int64_t n) { return model.motifs.row(n).any(); });
    for (Index n = 0; n < model.units(); ++n) {
        if (model.motifs.row(n).any()) continue;
        component[static_cast<std::size_t>(n)] = peak_lag[static_cast<std::size_t>(n)] = -1;
    }
    CHECK(found.component == component);
    CHECK(found.peak_lag == peak_lag);
    CHECK(found.order == order);
}

TEST_CASE("significance by its definition", "[cnmf]") {
    const auto group = oracle::oracle("/analysis/significance");
    const DenseRecording recording(oracle::matrix(group, "X_test"));
    const auto tensor = group.dataset("W");
    Model model{tensor.shape()[0], tensor.shape()[2], {}, {}};
    model.motifs =
        motif_matrix(tensor.read<double>(), model.components, recording.units(), model.lags);
    const Execution run;
    const Data data(recording, {Engine::gemm, Precision::float64, 0}, run);
    const auto products = data.products(model.components, model.lags, run);
    const Matrix overlap = products->axis().unpadded(products->with_motifs(model.motifs, run));
    CHECK(oracle::largest_difference(overlap, oracle::matrix(group, "overlap")) < 1e-11);

    // The oracle draws its own shifts: nulls by them, then p by the library's.
    const auto shifts = whole(group, "shifts");
    const Matrix null_skewness = oracle::matrix(group, "null_skewness");
    Model shifted = model;
    std::size_t at = 0;
    for (Index null = 0; null < null_skewness.rows(); ++null) {
        for (Index k = 0; k < model.components; ++k) {
            const Matrix image = motif_image(model, k);
            Matrix moved(image.rows(), image.cols());
            for (Index n = 0; n < image.rows(); ++n, ++at)
                for (Index l = 0; l < image.cols(); ++l)
                    moved(n, (l + shifts[at]) % image.cols()) = image(n, l);
            set_motif_image(shifted, k, moved);
        }
        const Matrix field = products->axis().unpadded(products->with_motifs(shifted.motifs, run));
        for (Index k = 0; k < model.components; ++k)
            CHECK(skewness(field.row(k).transpose()) ==
                  Approx(null_skewness(null, k)).epsilon(1e-9).margin(1e-11));
    }

    SignificanceOptions options;
    options.nulls = null_skewness.rows();
    const Significance found = significance(data, model, options, run);
    CHECK(oracle::largest_difference(found.skewness, group.dataset("skewness").read_vector()) <
          1e-10);
    const auto degenerate = group.dataset("degenerate").read<std::uint8_t>();
    for (Index k = 0; k < model.components; ++k) {
        const auto component = static_cast<std::size_t>(k);
        CHECK(found.degenerate[component] == (degenerate[component] != 0));
        Index reached = 0;
        for (Index null = 0; null < options.nulls; ++null)
            if (found.null(k, null) >= found.skewness(k)) ++reached;
        const double p = static_cast<double>(1 + reached) / static_cast<double>(1 + options.nulls);
        CHECK(found.p(k) == (degenerate[component] != 0 ? 1.0 : p));
    }
}

TEST_CASE("significance does not depend on the memory", "[cnmf]") {
    SynthOptions o;
    o.units = 12;
    o.bins = 900;
    o.components = 2;
    o.lags = 6;
    const Synthetic planted = synth_paper(o);
    SignificanceOptions options;
    options.nulls = 35;
    const auto found = [&](std::int64_t memory) {
        const Data data(*planted.recording, {Engine::gemm, Precision::float64, memory}, {});
        return significance(data, planted.truth, options, {});
    };
    const Significance little = found(4 * 24 * 900 * 7), ample = found(std::int64_t{1} << 30);
    CHECK(little.null == ample.null);
    CHECK(little.p == ample.p);
}

TEST_CASE("loadings tell of seen entries alone", "[cnmf]") {
    const std::string name = GENERATE("regular", "segments", "short");
    const auto engine = GENERATE(Engine::gemm, Engine::fft, Engine::sparse);
    CAPTURE(name, engine_name(engine));
    const auto group = oracle::oracle("/products/" + name);
    const auto whole_recording = oracle::recording(group);
    const Model model = oracle::model(group, "W", "H");
    const Index units = whole_recording.units(), bins = whole_recording.bins();
    const Mask missing(units, bins, [](Index n, Index t) { return (n + 2 * t) % 7 != 0; });
    const Mask held_out(units, bins, [](Index n, Index t) { return (3 * n + t) % 5 != 0; });
    const MaskedRecording recording(whole_recording, missing);
    const Unseen unseen(recording, missing, held_out);
    const Execution run;
    const Data data(recording, {engine, Precision::float64, 0}, run);
    const auto products = data.products(model.components, model.lags, run);
    const Vector found = loadings(model, *products, data.survey().squared_norm, unseen, run);
    const Matrix x = oracle::matrix(group, "X");
    for (Index k = 0; k < model.components; ++k) {
        const Matrix part = component_of(model, k, oracle::segments(group));
        double error = 0, power = 0;
        for (Index t = 0; t < bins; ++t)
            for (Index n = 0; n < units; ++n) {
                if ((n + 2 * t) % 7 == 0 || (3 * n + t) % 5 == 0) continue;
                error += (x(n, t) - part(n, t)) * (x(n, t) - part(n, t));
                power += x(n, t) * x(n, t);
            }
        CHECK(found(k) == Approx(std::max(0.0, 1 - error / power)).epsilon(1e-11).margin(1e-12));
    }
}
