#include <assay/cnmf/extent.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>

#include <algorithm>

namespace assay::cnmf {
namespace {

// A recording with `lead` silent bins before each segment, so that activations that start earlier
// by as much still meet a bin of it.
class LedRecording : public Recording {
  public:
    LedRecording(const Recording& recording, Index lead)
        : recording_(recording), axis_(recording.bins(), recording.segment_start, 1), lead_(lead) {
        segment_start.clear();
        for (const Segment& segment : axis_.segments())
            segment_start.push_back(led(segment) - lead_);
    }
    [[nodiscard]] Index units() const override { return recording_.units(); }
    [[nodiscard]] Index bins() const override {
        return recording_.bins() + lead_ * static_cast<Index>(axis_.segments().size());
    }
    [[nodiscard]] bool in_memory() const override { return recording_.in_memory(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        Matrix block = Matrix::Zero(units(), count);
        for (const Segment& segment : axis_.segments()) {
            const Index begin = std::max(first_bin, led(segment));
            const Index end = std::min(first_bin + count, led(segment) + segment.bins);
            if (begin < end)
                block.middleCols(begin - first_bin, end - begin) =
                    recording_.read(segment.first_bin + begin - led(segment), end - begin);
        }
        return block;
    }

  private:
    // Where a segment's first real bin stands here.
    [[nodiscard]] Index led(const Segment& segment) const {
        const Index number = &segment - axis_.segments().data();
        return segment.first_bin + (number + 1) * lead_;
    }
    const Recording& recording_;
    TimeAxis axis_;
    Index lead_;
};

// Activations (K x bins, each row of zero mean and unit norm), shifted circularly by `shift` bins,
// on the axis of the led recording, `lead` bins earlier in each segment.
TimeMatrix shifted(const Matrix& activations, const std::vector<Index>& shift,
                   const TimeAxis& source, const TimeAxis& led) {
    TimeMatrix rows = TimeMatrix::Zero(led.rows(), activations.rows());
    const Index bins = activations.cols();
    for (std::size_t s = 0; s < source.segments().size(); ++s) {
        const Segment& segment = source.segments()[s];
        for (Index t = 0; t < segment.bins; ++t)
            for (Index k = 0; k < activations.rows(); ++k)
                rows(led.segments()[s].first_row + t, k) = activations(
                    k, (segment.first_bin + t - shift[static_cast<std::size_t>(k)] + bins) % bins);
    }
    return rows;
}

} // namespace

Extent extent(const Recording& recording, const Model& model, const ExtentOptions& options,
              EngineChoice choice, const Execution& run, const NullControl& control) {
    const Index bins = recording.bins(), units = recording.units(), lags = model.lags,
                width = 3 * lags + 1, components = model.components;
    if (bins < 4 * width)
        throw Error(concat("the recording's ", bins, " bins leave no room for shifts of motifs of ",
                           lags, " bins; at least ", 4 * width, " are expected"));
    const LedRecording led(recording, lags);
    const Data data(led, choice, run);
    const auto products = data.products(components, width, run);
    const TimeAxis source(bins, recording.segment_start, 1);
    Matrix h = model.activations;
    for (Index k = 0; k < components; ++k) {
        h.row(k).array() -= h.row(k).mean();
        if (const double norm = h.row(k).norm(); norm > 0) h.row(k) /= norm;
    }
    // Norms of the units about their means.
    Vector sums = Vector::Zero(units);
    for (const auto& piece : source.pieces(4096))
        sums += recording.read(piece.first_bin, piece.bins).rowwise().sum();
    const Vector norms =
        (data.survey().unit_power.array() - sums.array().square() / static_cast<double>(bins))
            .max(0.0)
            .sqrt();
    // Correlations of all units at all lags -L .. 2L (units x K width, lag-descending).
    const auto correlations = [&](const std::vector<Index>& shift) {
        Matrix b = products->with_activations(shifted(h, shift, source, products->axis()), run);
        for (Index n = 0; n < units; ++n) b.row(n) *= norms(n) > 0 ? 1 / norms(n) : 0.0;
        return b;
    };
    const auto peaks = [&](const Matrix& b) {
        Matrix largest = Matrix::Constant(components, units, -1);
        for (Index j = 0; j < b.cols(); ++j)
            largest.row(j % components) =
                largest.row(j % components).cwiseMax(b.col(j).transpose());
        return largest;
    };

    Extent result;
    result.first_lag = -lags;
    const Matrix observed = correlations(std::vector<Index>(static_cast<std::size_t>(components)));
    result.correlation.resize(static_cast<std::size_t>(components * units * width));
    for (Index k = 0; k < components; ++k)
        for (Index n = 0; n < units; ++n)
            for (Index l = 0; l < width; ++l)
                result.correlation[static_cast<std::size_t>((k * units + n) * width + l)] =
                    observed(n, motif_column(k, l, components, width));
    const Random random(options.seed, "cnmf/extent");
    const Matrix observed_peaks = peaks(observed);
    const Phase phase(*run.monitor, "shifted activations");
    // Of each draw and component the largest peak over units.
    Nulls drawn = control.resume.value_or(Nulls{0, Matrix::Zero(components, options.nulls)});
    check_nulls(drawn, components, options.nulls, options.nulls);
    SafePoints safe_points(control, *run.monitor);
    while (drawn.done < options.nulls) {
        safe_points.reached([&]() -> const Nulls& { return drawn; });
        run.monitor->progress(
            {static_cast<double>(drawn.done), static_cast<double>(options.nulls), "shifts", ""});
        std::vector<Index> shift;
        for (Index k = 0; k < components; ++k)
            shift.push_back(width + static_cast<Index>(
                                        random.below(static_cast<std::uint64_t>(bins - 2 * width),
                                                     static_cast<std::uint64_t>(drawn.done),
                                                     {static_cast<std::uint64_t>(k), 0, 0})));
        drawn.values.col(drawn.done++) = peaks(correlations(shift)).rowwise().maxCoeff();
    }
    Matrix reached = Matrix::Zero(components, units);
    for (Index m = 0; m < options.nulls; ++m)
        for (Index k = 0; k < components; ++k)
            reached.row(k) +=
                (observed_peaks.row(k).array() <= drawn.values(k, m)).cast<double>().matrix();
    result.p = (reached.array() + 1) / static_cast<double>(1 + options.nulls);
    for (Index k = 0; k < components; ++k)
        if (!(h.row(k).squaredNorm() > 0)) result.p.row(k).setOnes();
    for (Index n = 0; n < units; ++n)
        if (!(norms(n) > 0)) result.p.col(n).setOnes();
    result.participates = (result.p.array() <= options.alpha).cast<double>();

    // A participating unit takes part at the lags above the null's (1 - alpha) quantile.
    for (Index k = 0; k < components; ++k) {
        std::int64_t from = 0, to = -1;
        RowMatrix sorted = drawn.values.row(k);
        std::sort(sorted.data(), sorted.data() + sorted.size());
        const auto rank =
            static_cast<Index>((1 - options.alpha) * static_cast<double>(options.nulls));
        const double threshold = sorted(0, std::min(options.nulls - 1, rank));
        for (Index n = 0; n < units; ++n) {
            if (result.participates(k, n) == 0) continue;
            for (Index l = 0; l < width; ++l) {
                if (observed(n, motif_column(k, l, components, width)) <= threshold) continue;
                const std::int64_t lag = l - lags;
                from = to < from ? lag : std::min(from, lag);
                to = std::max(to, lag);
            }
        }
        result.first.push_back(from);
        result.last.push_back(to);
    }
    return result;
}

} // namespace assay::cnmf
