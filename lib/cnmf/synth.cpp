#include <assay/cnmf/synth.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <cmath>

namespace assay::cnmf {
namespace {

constexpr double kSqrtTwoPi = 2.5066282746310002;

std::uint64_t word(Index i) {
    return static_cast<std::uint64_t>(i);
}

std::vector<Index> equal_segments(const SynthOptions& o) {
    std::vector<Index> starts;
    for (Index s = 0; s < o.segments; ++s) starts.push_back(s * o.bins / o.segments);
    return starts;
}

// max(0, rate + noise), or Poisson counts of the rate itself, each entry from its own counter.
void add_noise(Matrix& rate, Index first_bin, const SynthOptions& o) {
    const Random random(o.seed, "cnmf/synth/noise");
    if (o.noise_free && !o.counts) return;
    for (Index t = 0; t < rate.cols(); ++t)
        for (Index n = 0; n < rate.rows(); ++n) {
            double& x = rate(n, t);
            if (!o.noise_free && !o.counts)
                x = std::max(0.0,
                             x + o.noise * random.normal(word(first_bin + t), {word(n), 0, 0}));
            if (o.counts)
                x = static_cast<double>(random.poisson(x, word(first_bin + t), {word(n), 1, 0}));
        }
}

class ConvolvedRecording : public Recording {
  public:
    ConvolvedRecording(const Model& model, const SynthOptions& o)
        : model_(model), options_(o), axis_(o.bins, equal_segments(o), model.lags),
          activations_(axis_.padded(model.activations)) {
        segment_start = equal_segments(o);
    }
    [[nodiscard]] Index units() const override { return model_.units(); }
    [[nodiscard]] Index bins() const override { return options_.bins; }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        Matrix x = reconstruct(model_, axis_, activations_, first_bin, count);
        add_noise(x, first_bin, options_);
        return x;
    }

  private:
    Model model_;
    SynthOptions options_;
    TimeAxis axis_;
    TimeMatrix activations_;
};

// Point events filtered by exp(-t / tau), never across a segment's border.
class FilteredRecording : public Recording {
  public:
    FilteredRecording(const SparseMatrix& spikes, const SynthOptions& o)
        : spikes_(spikes), options_(o),
          reach_(o.tau > 0 ? static_cast<Index>(std::ceil(37 * o.tau)) : 0) {
        segment_start = equal_segments(o);
    }
    [[nodiscard]] Index units() const override { return spikes_.rows(); }
    [[nodiscard]] Index bins() const override { return spikes_.cols(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        const Index begin = std::max<Index>(0, first_bin - reach_);
        Matrix x = Matrix::Zero(units(), count);
        Vector state = Vector::Zero(units());
        const double decay = options_.tau > 0 ? std::exp(-1 / options_.tau) : 0.0;
        for (Index t = begin; t < first_bin + count; ++t) {
            state *=
                std::binary_search(segment_start.begin(), segment_start.end(), t) ? 0.0 : decay;
            for (SparseMatrix::InnerIterator it(spikes_, t); it; ++it)
                state(it.row()) += it.value();
            if (t >= first_bin) x.col(t - first_bin) = state;
        }
        if (options_.counts) {
            SynthOptions counted = options_;
            counted.noise_free = true;
            add_noise(x, first_bin, counted);
        }
        return x;
    }

  private:
    SparseMatrix spikes_;
    SynthOptions options_;
    Index reach_;
};

} // namespace

Synthetic synth_paper(const SynthOptions& o) {
    const Random weights(o.seed, "cnmf/synth/weights"), centres(o.seed, "cnmf/synth/centres");
    const Random occurs(o.seed, "cnmf/synth/occurs"), amplitudes(o.seed, "cnmf/synth/amplitudes");
    Synthetic made;
    made.truth = {o.components, o.lags, Matrix(o.units, o.components * o.lags),
                  Matrix(o.components, o.bins)};
    for (Index n = 0; n < o.units; ++n) {
        Vector share(o.components);
        for (Index k = 0; k < o.components; ++k)
            share(k) = weights.gamma(o.alpha, word(n), {word(k), 0, 0});
        const double sum = share.sum();
        Index largest = 0;
        share.maxCoeff(&largest);
        made.unit_component.push_back(largest);
        for (Index k = 0; k < o.components; ++k) {
            const double centre = 2 * centres.uniform(word(n), {word(k), 0, 0}) - 1;
            for (Index l = 0; l < o.lags; ++l) {
                const double x =
                    o.lags > 1 ? -1 + 2 * static_cast<double>(l) / static_cast<double>(o.lags - 1)
                               : 0.0;
                const double z = (x - centre) / o.width;
                made.truth.motifs(n, motif_column(k, l, o.components, o.lags)) =
                    (sum > 0 ? share(k) / sum : 1.0 / static_cast<double>(o.components)) *
                    std::exp(-0.5 * z * z) / (o.width * kSqrtTwoPi);
            }
        }
    }
    for (Index t = 0; t < o.bins; ++t)
        for (Index k = 0; k < o.components; ++k)
            made.truth.activations(k, t) = occurs.uniform(word(t), {word(k), 0, 0}) < o.event_rate
                                               ? amplitudes.exponential(word(t), {word(k), 0, 0})
                                               : 0.0;
    made.recording = std::make_unique<ConvolvedRecording>(made.truth, o);
    return made;
}

Synthetic synth_sequences(const SynthOptions& given) {
    SynthOptions o = given;
    if (o.noise_free) {
        o.participation = 1;
        o.jitter = o.background = o.warp = 0;
    }
    const Index own = o.chain - o.shared;
    if (own < 0 || o.units < o.shared + own * o.components)
        throw UsageError(concat(o.components, " sequences of ", o.chain, " units (", o.shared,
                                " shared) need ", o.shared + std::max<Index>(0, own) * o.components,
                                " units; --units gives ", o.units));
    const auto unit_of = [&](Index k, Index i) {
        return i < o.shared ? i : o.shared + k * own + i - o.shared;
    };
    const Random pauses(o.seed, "cnmf/synth/pauses"), kinds(o.seed, "cnmf/synth/kinds"),
        details(o.seed, "cnmf/synth/details");
    const Random background(o.seed, "cnmf/synth/background");
    const Index length = (o.chain - 1) * o.gap + 1;
    const auto longest = static_cast<Index>(std::ceil(static_cast<double>(length) * (1 + o.warp)));
    // The truth's window holds the chain and most of the last unit's decay.
    const Index lags = length + static_cast<Index>(std::ceil(3 * o.tau));

    Synthetic made;
    made.truth = {o.components, lags, Matrix::Zero(o.units, o.components * lags),
                  Matrix::Zero(o.components, o.bins)};
    made.unit_component.assign(static_cast<std::size_t>(o.units), -1);
    for (Index k = 0; k < o.components; ++k)
        for (Index i = 0; i < o.chain; ++i) {
            made.unit_component[static_cast<std::size_t>(unit_of(k, i))] = k;
            for (Index l = i * o.gap; l < lags; ++l)
                made.truth.motifs(unit_of(k, i), motif_column(k, l, o.components, lags)) =
                    o.tau > 0 ? std::exp(-static_cast<double>(l - i * o.gap) / o.tau)
                              : (l == i * o.gap ? 1.0 : 0.0);
        }
    std::vector<Eigen::Triplet<double, std::int64_t>> spikes;
    const auto starts = equal_segments(o);
    Index event = 0;
    for (std::size_t s = 0; s < starts.size(); ++s) {
        const Index end = s + 1 < starts.size() ? starts[s + 1] : o.bins;
        for (Index t = starts[s];;) {
            t += static_cast<Index>(pauses.exponential(word(event)) * o.rest *
                                    static_cast<double>(length));
            if (t + longest + static_cast<Index>(4 * o.jitter) > end) {
                ++event;
                break;
            }
            const auto k = static_cast<Index>(kinds.below(word(o.components), word(event)));
            const double speed = 1 + o.warp * (2 * details.uniform(word(event), {0, 0, 1}) - 1);
            made.event_bin.push_back(t);
            made.event_component.push_back(k);
            made.truth.activations(k, t) = 1;
            for (Index i = 0; i < o.chain; ++i) {
                if (details.uniform(word(event), {word(i), 0, 2}) >= o.participation) continue;
                const double lag = static_cast<double>(i * o.gap) * speed +
                                   o.jitter * details.normal(word(event), {word(i), 0, 3});
                const Index bin =
                    std::clamp<Index>(t + static_cast<Index>(std::lround(lag)), starts[s], end - 1);
                spikes.emplace_back(unit_of(k, i), bin, 1.0);
            }
            t += longest;
            ++event;
        }
    }
    for (Index t = 0; o.background > 0 && t < o.bins; ++t)
        for (Index n = 0; n < o.units; ++n)
            if (background.uniform(word(t), {word(n), 0, 0}) < o.background)
                spikes.emplace_back(n, t, 1.0);
    SparseMatrix matrix(o.units, o.bins);
    matrix.setFromTriplets(spikes.begin(), spikes.end());
    made.recording = std::make_unique<FilteredRecording>(matrix, o);
    return made;
}

} // namespace assay::cnmf
