#include <assay/tensor_amp/spectral_start.hpp>

#include <assay/tensor_amp/unit_form.hpp>

#include <assay/linalg/assignment.hpp>

#include <cmath>
#include <utility>

namespace assay::tensor_amp {

namespace {

constexpr int kCoreSweeps = 200;
constexpr double kCoreTolerance = 1e-6;
constexpr double kMostCoreEntries = 1 << 22;

// A monitor that stops work as another does, and says nothing of it.
class Quiet final : public Monitor {
  public:
    explicit Quiet(const Monitor& other) : other_(other) {}
    [[nodiscard]] bool interrupted() const override { return other_.interrupted(); }

  private:
    const Monitor& other_;
};

// The components of the core, by the best of many random starts.
[[nodiscard]] UnitForm core_components(const DenseTensor& core, const SpectralSettings& settings,
                                       const Execution& run, const Keeping<AlsProgress>& keeping) {
    AlsSettings als;
    als.rank = settings.rank;
    als.max_iterations = kCoreSweeps;
    als.tolerance = kCoreTolerance;
    Quiet quiet(*run.monitor);
    const auto starts = random_starts(core.shape, als, settings.seed, settings.core_starts);
    return unit_form(run_als(MemoryTensor(core), starts, als, {run.threads, &quiet}, keeping)
                         .best_replicate()
                         .factors);
}

// For a core that is too large: the eigenvectors themselves, each mode's k-th together.
[[nodiscard]] UnitForm diagonal_components(const DenseTensor& core, Index rank) {
    UnitForm form;
    form.weights = VectorXd::Constant(rank, core.values.norm() / std::sqrt(double(rank)));
    for (const Index length : core.shape) {
        MatrixXd columns = MatrixXd::Zero(length, rank);
        for (Index c = 0; c < rank; ++c) columns(c % length, c) = 1;
        form.columns.push_back(columns);
    }
    return form;
}

// The signs of a column's modes for which sum_a sign_a match_a is largest while their product is 1.
struct Flips {
    std::vector<double> signs;
    double total = 0;
};
[[nodiscard]] Flips best_flips(const VectorXd& match) {
    Flips flips;
    double product = 1;
    Index weakest = 0;
    for (Index a = 0; a < match.size(); ++a) {
        flips.signs.push_back(match(a) < 0 ? -1 : 1);
        product *= flips.signs.back();
        if (std::abs(match(a)) < std::abs(match(weakest))) weakest = a;
        flips.total += std::abs(match(a));
    }
    if (product < 0) {
        flips.signs[static_cast<std::size_t>(weakest)] *= -1;
        flips.total -= 2 * std::abs(match(weakest));
    }
    return flips;
}

} // namespace

void match_means(Factors& factors, const std::vector<VectorXd>& prior_means) {
    double size = 0;
    for (const VectorXd& mean : prior_means) size += mean.squaredNorm();
    if (size == 0) return;
    const Factors old = factors;
    const Index rank = old.front().cols();
    const auto match = [&](Index c, Index place) {
        VectorXd products(static_cast<Index>(old.size()));
        for (std::size_t a = 0; a < old.size(); ++a)
            products(static_cast<Index>(a)) = old[a].col(c).sum() * prior_means[a](place);
        return products;
    };
    MatrixXd cost(rank, rank);
    for (Index place = 0; place < rank; ++place)
        for (Index c = 0; c < rank; ++c) cost(place, c) = -best_flips(match(c, place)).total;
    const auto chosen = linalg::assign(cost).column;
    for (Index place = 0; place < rank; ++place) {
        const Index c = chosen[static_cast<std::size_t>(place)];
        const Flips flips = best_flips(match(c, place));
        for (std::size_t a = 0; a < old.size(); ++a)
            factors[a].col(place) = flips.signs[a] * old[a].col(c);
    }
}

namespace {

// What of a start is kept while `part` of it, an AlsProgress, grows.
[[nodiscard]] Keeping<AlsProgress> keeping_part(const Keeping<SpectralProgress>& keeping,
                                                SpectralProgress& progress,
                                                AlsProgress SpectralProgress::*part) {
    return keeping.of_part(std::optional(std::exchange(progress.*part, {})),
                           [&progress, part](const AlsProgress& now) {
                               SpectralProgress whole = progress;
                               whole.*part = now;
                               return whole;
                           });
}

[[nodiscard]] Factors unpolished_start(const TensorSource& source, const SpectralSettings& settings,
                                       const std::vector<VectorXd>& prior_means,
                                       const Execution& run,
                                       const Keeping<SpectralProgress>& keeping,
                                       SpectralProgress& progress) {
    if (!progress.tucker) {
        SafePoints safe_points(keeping, *run.monitor);
        safe_points.step(
            [&]() -> const SpectralProgress& { return progress; },
            [&] { progress.tucker = tucker_core(source, settings.rank, settings.seed, run); });
    }
    const TuckerCore& tucker = *progress.tucker;
    UnitForm form = entry_count(tucker.core.shape) <= kMostCoreEntries
                        ? core_components(tucker.core, settings, run,
                                          keeping_part(keeping, progress, &SpectralProgress::core))
                        : diagonal_components(tucker.core, settings.rank);
    for (std::size_t a = 0; a < form.columns.size(); ++a)
        form.columns[a] = tucker.bases[a] * form.columns[a];
    Factors factors = balanced_factors(form);
    match_means(factors, prior_means);
    return factors;
}

} // namespace

SpectralStart spectral_start(const TensorSource& source, const SpectralSettings& settings,
                             const std::vector<VectorXd>& prior_means, const Execution& run,
                             const Keeping<SpectralProgress>& keeping) {
    SpectralProgress progress = keeping.resume.value_or(SpectralProgress{});
    if (!progress.unpolished) {
        progress.unpolished =
            unpolished_start(source, settings, prior_means, run, keeping, progress);
        progress.tucker.reset();
    }
    SpectralStart start;
    start.factors = *progress.unpolished;
    if (settings.polish_sweeps < 1) return start;
    AlsSettings als;
    als.rank = settings.rank;
    als.max_iterations = settings.polish_sweeps;
    als.line_search = false;
    als.nonnegative_modes = settings.nonnegative_modes;
    als.allow_empty_slices = true;
    const AlsResult polished = run_als(source, {start.factors}, als, run,
                                       keeping_part(keeping, progress, &SpectralProgress::polish));
    start.factors = polished.best_replicate().factors;
    start.relative_error = polished.best_replicate().relative_error;
    start.squared_norm = polished.squared_norm;
    match_means(start.factors, prior_means);
    return start;
}

} // namespace assay::tensor_amp
