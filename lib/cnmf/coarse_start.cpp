#include <assay/cnmf/coarse_start.hpp>

#include <assay/cnmf/block_store.hpp>
#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/ranks.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace assay::cnmf {
namespace {

// Bins of the first level for each of a unit's K L weights: with fewer, what it finds is often a
// poor minimum of the whole.
constexpr Index kBinsPerWeight = 50;
constexpr Index kGrowth = 4;               // bins of a level against the one before
constexpr Index kShareOfWhole = 4;         // no level has more than this part of the recording,
constexpr std::int64_t kShareOfMemory = 4; // none takes more than this part of the memory,
// and none after the first has more numbers than this.
constexpr Index kMostValues = Index{1} << 25;
// A level takes its values, their spectra or blocks, and copies of both in the making.
constexpr std::int64_t kBytesPerValue = 32;
constexpr Index kStretchLags = 10; // length of a stretch: its ends show motifs in part only
constexpr Index kStarts = 3;       // of the first level; the best goes on
constexpr Index kMostIterations = 40;
constexpr double kEnough = 0.005; // a level ends when an iteration lowers the loss by less
constexpr ActivationStop kActivationStop{1e-2, 10};
constexpr double kMultiplicativeSeed = 1e-3; // of the mean

// Says nothing, and hears what the other hears, at any rank of the team.
class QuietMonitor : public Monitor {
  public:
    explicit QuietMonitor(const Monitor& other) : other_(&other) {}
    [[nodiscard]] bool interrupted() const override { return ranks::any(other_->interrupted()); }

  private:
    const Monitor* other_;
};

// Bins of the levels, ascending; why there are none.
struct Levels {
    std::vector<Index> bins;
    std::string obstacle;
};

Levels levels_of(const Data& data, const FitOptions& options) {
    const Recording& recording = data.recording();
    const Index first = kBinsPerWeight * options.components * options.lags;
    const Index in_memory =
        data.choice().memory / kShareOfMemory / kBytesPerValue / recording.units();
    if (kShareOfWhole * first > recording.bins())
        return {{},
                concat("a recording of ", recording.bins(), " bins is too short for it; ",
                       kShareOfWhole * first, " are expected")};
    if (first > in_memory) return {{}, concat("--memory leaves no room for its ", first, " bins")};
    Levels levels;
    for (Index bins = first; bins <= std::min(recording.bins() / kShareOfWhole, in_memory) &&
                             (bins == first || bins * recording.units() <= kMostValues);
         bins *= kGrowth)
        levels.bins.push_back(bins);
    return levels;
}

bool is_silent(const Recording& recording) {
    const auto pieces = TimeAxis(recording.bins(), recording.segment_start, 1).pieces(4096);
    return std::all_of(pieces.begin(), pieces.end(), [&](const TimeAxis::Piece& piece) {
        return recording.read(piece.first_bin, piece.bins).isZero(0);
    });
}

// Multiplicative steps cannot leave zero by themselves.
void lift_from_zero(Matrix& values, Algorithm algorithm) {
    if (algorithm == Algorithm::mult) values.array() += kMultiplicativeSeed * values.mean();
}

// The descent of one level, on `share` of the recording.
FitOptions level_options(const FitOptions& whole, StartIndex index, double share) {
    FitOptions level = whole;
    level.start_stream = index.restart;
    level.first_restart = 0;  // the stream tells starts apart
    level.reseed_dead = true; // a component that is lost here would be lost for good
    level.extrapolate = extrapolates(whole);
    level.shift = 0;
    level.max_iterations = kMostIterations;
    level.tolerance = kEnough;
    level.patience = 1;
    level.kkt_tolerance = 0;
    level.penalties.x_ortho = 0;
    level.penalties.l1_motifs *= share;
    level.penalties.l2_motifs *= share;
    level.penalties.parts *= share;
    return level;
}

// Activations for motifs that are known, by least squares.
Matrix known_motif_activations(DataProducts& products, const Unseen& unseen,
                               const FitOptions& options, const Matrix& motifs,
                               const Execution& run) {
    const TimeMatrix zero = TimeMatrix::Zero(products.axis().rows(), options.components);
    Matrix activations = products.axis().unpadded(
        fit_activations(products, unseen, motifs, zero, options.penalties, kActivationStop, run)
            .activations);
    lift_from_zero(activations, options.algorithm);
    return activations;
}

} // namespace

std::vector<TimeAxis::Piece> spread_stretches(const TimeAxis& axis, Index length, Index bins) {
    if (2 * bins > axis.bins()) return {};
    const std::vector<TimeAxis::Piece> all = axis.pieces(length, length);
    // Every piece has at least `length` bins but where its segment is shorter.
    std::vector<TimeAxis::Piece> chosen;
    Index taken = 0;
    const auto count = static_cast<Index>(all.size());
    for (Index i = 0; i < count; ++i) {
        // The i-th piece is taken when the share due by its end passes what was taken so far.
        if (taken * count > bins * i) continue;
        const auto& piece = all[static_cast<std::size_t>(i)];
        chosen.push_back({piece.first_bin, std::min(piece.bins, length), piece.first_row});
        taken += chosen.back().bins;
    }
    return chosen;
}

Part part_of(const Recording& whole, const Mask& masked,
             const std::vector<TimeAxis::Piece>& stretches) {
    const MaskedRecording seen(whole, masked);
    std::vector<Index> whole_bin, segment_start;
    for (const auto& stretch : stretches) {
        segment_start.push_back(static_cast<Index>(whole_bin.size()));
        for (Index t = 0; t < stretch.bins; ++t) whole_bin.push_back(stretch.first_bin + t);
    }
    Matrix values(whole.units(), static_cast<Index>(whole_bin.size()));
    for (std::size_t s = 0; s < stretches.size(); ++s) {
        values.middleCols(segment_start[s], stretches[s].bins) =
            seen.read(stretches[s].first_bin, stretches[s].bins);
        if (s % static_cast<std::size_t>(kReadsPerRelease) == 0) release_free_memory();
    }
    Part part{DenseRecording(std::move(values)), {}};
    part.recording.segment_start = segment_start;
    part.recording.bin_seconds = whole.bin_seconds;
    part.recording.unit_ids = whole.unit_ids;
    if (!masked.empty())
        part.masked =
            Mask(part.recording.units(), part.recording.bins(), [&](Index unit, Index bin) {
                const Mask::Units units = masked.units_of(whole_bin[static_cast<std::size_t>(bin)]);
                return !std::binary_search(units.begin(), units.end(),
                                           static_cast<std::int32_t>(unit));
            });
    return part;
}

std::optional<Model> coarse_start(const Data& data, DataProducts& products, const Unseen& unseen,
                                  const FitOptions& options, StartIndex index,
                                  const Execution& run) {
    const auto begin = std::chrono::steady_clock::now();
    const Recording& recording = data.recording();
    const TimeAxis axis(recording.bins(), recording.segment_start, options.lags);
    QuietMonitor monitor(*run.monitor);
    const Execution quiet{run.threads, &monitor};
    Levels levels = levels_of(data, options);
    StartSpec known; // nothing, until there are motifs
    known.components = options.components;
    known.lags = options.lags;
    for (const Index bins : levels.bins) {
        const Part part = part_of(recording, unseen.mask,
                                  spread_stretches(axis, kStretchLags * options.lags, bins));
        if (is_silent(part.recording)) continue;
        const Data part_data(part.recording, data.choice(), quiet);
        const Unseen part_unseen(part.recording, part.masked, {});
        FitOptions level = level_options(options, index,
                                         static_cast<double>(part.recording.bins()) /
                                             static_cast<double>(axis.bins()));
        level.max_seconds -=
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        if (known.motifs)
            known.activations =
                known_motif_activations(*part_data.products(level.components, level.lags, quiet),
                                        part_unseen, level, *known.motifs, quiet);
        level.start = known;
        level.restarts = known.motifs ? 1 : kStarts;
        known.motifs = fit(part_data, part_unseen, level, quiet).model.motifs;
        lift_from_zero(*known.motifs, options.algorithm);
    }
    if (!known.motifs) {
        if (levels.obstacle.empty()) levels.obstacle = "there is nothing in any of its stretches";
        run.monitor->warn("no coarse start, a random one: " + levels.obstacle);
        return std::nullopt;
    }
    return Model{options.components, options.lags, *known.motifs,
                 known_motif_activations(products, unseen, options, *known.motifs, quiet)};
}

} // namespace assay::cnmf
