#include <assay/tensor_amp/rank_choice.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>
#include <assay/tensor_amp/centering.hpp>
#include <assay/tensor_amp/diagnostics.hpp>
#include <assay/tensor_amp/discrete_io.hpp>
#include <assay/tensor_amp/evidence.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace assay::tensor_amp {
namespace {

struct Observed {
    double squared_norm = 0, entries = 0;
};
Observed observed_part(const TensorSource& source, const Execution& run) {
    const MatrixXd sums =
        sum_over_slabs(source, 2, 1, run, [&](const RowBlock& slab, MatrixXd& part) {
            for_each_observed(slab, source.unfolded().columns, [&](Index, double value) {
                part(0) += value * value;
                ++part(1);
            });
        });
    return {sums(0), sums(1)};
}

FitSettings settings_of_rank(const RankChoiceSettings& settings, Index rank) {
    FitSettings fit = settings.fit;
    fit.rank = rank;
    fit.restarts = settings.restarts;
    fit.priors.clear();
    for (const std::string& text : settings.priors)
        fit.priors.push_back(parse_prior(text, rank, read_discrete_values));
    return fit;
}

// The product of the rows of all factors but the last, at a fibre of the last mode.
VectorXd weights_of_fibre(const Shape& shape, const Factors& factors, Index fibre) {
    VectorXd weights = VectorXd::Constant(factors.front().cols(), signal_scale(shape));
    for (auto a = static_cast<Index>(shape.size()) - 2; a >= 0; --a) {
        weights.array() *= factors[at(a)].row(fibre % shape[at(a)]).transpose().array();
        fibre /= shape[at(a)];
    }
    return weights;
}

// Mean squared error on the entries held out, over their mean square.
double held_out_error(const TensorSource& source, const TensorSource::Hidden& held_out,
                      const Factors& factors, const Execution& run) {
    const MatrixXd& last = factors.back();
    const MatrixXd sums =
        sum_over_slabs(source, 2, 1, run, [&](const RowBlock& slab, MatrixXd& part) {
            Index fibre = -1;
            VectorXd weights;
            for_each_observed(slab, source.unfolded().columns, [&](Index entry, double value) {
                if (!held_out(entry)) return;
                if (entry / last.rows() != fibre) {
                    fibre = entry / last.rows();
                    weights = weights_of_fibre(source.shape(), factors, fibre);
                }
                part(0) += std::pow(value - last.row(entry % last.rows()).dot(weights), 2);
                part(1) += value * value;
            });
        });
    return sums(1) > 0 ? sums(0) / sums(1) : 0;
}

// Judges one rank, fit by fit; what `progress` says of it already is not done again.
class Judge {
  public:
    Judge(const TensorSource& source, const RankChoiceSettings& settings, Index rank,
          const Execution& run, const Keeping<RankProgress>& keeping, RankProgress& progress)
        : source_(source), settings_(settings), rank_(rank), run_(run), keeping_(keeping),
          progress_(progress) {}

    [[nodiscard]] RankScore score() {
        if (!progress_.by_evidence)
            progress_.by_evidence = settings_.evidence ? by_evidence() : RankScore{};
        RankScore score = *progress_.by_evidence;
        if (settings_.cross_validation) cross_validate(score);
        if (settings_.core_consistency || settings_.similarity) judge_restarts(score);
        return score;
    }

  private:
    [[nodiscard]] FitResult fit(const TensorSource& source, const FitSettings& settings) {
        const auto kept = keeping_.of_part(std::optional(std::exchange(progress_.fit, {})),
                                           [this](const FitState& state) {
                                               RankProgress whole = progress_;
                                               whole.fit = state;
                                               return whole;
                                           });
        return fit_tensor(source, settings, run_, kept);
    }

    [[nodiscard]] RankScore by_evidence() {
        const FitResult result = fit(source_, settings_of_rank(settings_, rank_));
        const Observed part = observed_part(source_, run_);
        RankScore score;
        score.evidence =
            result.status == "diverged"
                ? -std::numeric_limits<double>::infinity()
                : log_evidence(result.bethe_free_entropy.value_or(0), result.noise_variance,
                               part.squared_norm, part.entries, mean_dimension(source_.shape()));
        score.status = result.status;
        return score;
    }

    void cross_validate(RankScore& score) {
        for (auto fold = static_cast<int>(progress_.fold_errors.size()); fold < settings_.folds;
             ++fold) {
            const auto held_out = held_out_entries(source_.shape(), settings_, fold);
            const FitResult result =
                fit(*source_.without(held_out, run_), settings_of_rank(settings_, rank_));
            progress_.fold_errors.push_back(
                held_out_error(source_, held_out, result.factors, run_));
        }
        // A copy is aligned: sums over other memory would depend on where it stands.
        const VectorXd errors =
            Eigen::Map<const VectorXd>(progress_.fold_errors.data(), settings_.folds);
        score.cv_error = errors.mean();
        const auto folds = static_cast<double>(settings_.folds);
        const double variance =
            folds > 1 ? (errors.array() - score.cv_error).square().sum() / (folds - 1) : 0;
        score.cv_sem = std::sqrt(variance / folds);
    }

    void judge_restarts(RankScore& score) {
        FitSettings settings = settings_of_rank(settings_, rank_);
        settings.algorithm = Algorithm::als;
        for (std::size_t a = 0; a < settings.priors.size(); ++a)
            if (settings.priors[a]->nonnegative())
                settings.als.nonnegative_modes.push_back(static_cast<Index>(a));
        settings.start = Start::random;
        const FitResult result = fit(source_, settings);
        if (settings_.core_consistency)
            score.core_consistency =
                diagnose(source_, result.factors, run_)
                    .core_consistency.value_or(std::numeric_limits<double>::quiet_NaN());
        const auto others = static_cast<double>(result.restarts.similarity.size()) - 1;
        score.similarity = others > 0 ? (result.restarts.similarity.sum() - 1) / others : 1.0;
    }

    const TensorSource& source_;
    const RankChoiceSettings& settings_;
    Index rank_;
    const Execution& run_;
    const Keeping<RankProgress>& keeping_;
    RankProgress& progress_;
};

RankChoice choice_of(const RankScores& scores, const RankCriteria& criteria,
                     double mean_dimension) {
    RankChoice choice;
    choice.criteria = criteria;
    choice.mean_dimension = mean_dimension;
    const auto series = [&](double RankScore::*part) {
        VectorXd values(static_cast<Index>(scores.size()));
        Index k = 0;
        for (const auto& [rank, score] : scores) values(k++) = score.*part;
        return values;
    };
    for (const auto& [rank, score] : scores) {
        choice.ranks.push_back(rank);
        if (criteria.evidence) choice.status.push_back(score.status);
    }
    if (criteria.evidence) choice.evidence = series(&RankScore::evidence);
    if (criteria.cross_validation) {
        choice.cv_error = series(&RankScore::cv_error);
        choice.cv_sem = series(&RankScore::cv_sem);
    }
    if (criteria.core_consistency) choice.core_consistency = series(&RankScore::core_consistency);
    if (criteria.similarity) choice.similarity = series(&RankScore::similarity);
    return choice;
}

// The inverse of `choice_of` for one rank.
RankScore score_in(const RankChoice& choice, Index k) {
    RankScore score;
    const auto take = [&](const VectorXd& values, double& value) {
        if (values.size() > 0) value = values(k);
    };
    take(choice.evidence, score.evidence);
    take(choice.cv_error, score.cv_error);
    take(choice.cv_sem, score.cv_sem);
    take(choice.core_consistency, score.core_consistency);
    take(choice.similarity, score.similarity);
    if (!choice.status.empty()) score.status = choice.status[at(k)];
    return score;
}

// The largest rank whose value is at least `least`; the first where none is, 0 without values.
Index largest_above(const std::vector<Index>& ranks, const VectorXd& values, double least) {
    if (values.size() == 0) return 0;
    Index chosen = ranks.front();
    for (Index k = 0; k < values.size(); ++k)
        if (values(k) >= least) chosen = ranks[at(k)];
    return chosen;
}

// The smallest rank whose value is at least `least`.
Index smallest_above(const std::vector<Index>& ranks, const VectorXd& values, double least) {
    for (Index k = 0; k < values.size(); ++k)
        if (values(k) >= least) return ranks[at(k)];
    return 0;
}

} // namespace

Index RankChoice::by_evidence() const {
    constexpr double negligible = 3; // nats: a Bayes factor of 20
    if (evidence.size() == 0) return 0;
    return smallest_above(ranks, evidence, evidence.maxCoeff() - negligible / mean_dimension);
}
Index RankChoice::by_cross_validation() const {
    if (cv_error.size() == 0) return 0;
    Index best = 0;
    cv_error.minCoeff(&best);
    return smallest_above(ranks, -cv_error, -cv_error(best) - cv_sem(best));
}
Index RankChoice::by_core_consistency() const {
    return largest_above(ranks, core_consistency, 60);
}
Index RankChoice::by_similarity() const {
    return largest_above(ranks, similarity, 0.9);
}

Index RankChoice::selected() const {
    if (criteria.chosen_by == "cv") return by_cross_validation();
    if (criteria.chosen_by == "corcondia") return by_core_consistency();
    if (criteria.chosen_by == "similarity") return by_similarity();
    return by_evidence();
}

TensorSource::Hidden held_out_entries(const Shape& shape, const RankChoiceSettings& settings,
                                      int fold) {
    const auto draw = [random = Random(settings.fit.seed, "tensor-amp/folds"),
                       fold = static_cast<std::uint64_t>(fold)](Index index) {
        return random.uniform(static_cast<std::uint64_t>(index), {fold, 0, 0});
    };
    const double share = settings.held_out;
    if (settings.hold_out == HoldOut::speckled)
        return [draw, share](Index entry) { return draw(entry) < share; };
    // Of every fibre along the mode, one run of consecutive entries, at a random place.
    const Slices along = slices_of(shape, settings.block_mode);
    const auto run = std::max<Index>(
        1, static_cast<Index>(std::lround(share * static_cast<double>(along.count))));
    return [draw, along, run](Index entry) {
        const Index fibre = entry / (along.inner * along.count) * along.inner + entry % along.inner;
        const auto begin = static_cast<Index>(draw(fibre) * static_cast<double>(along.count));
        return (along.of(entry) - begin + along.count) % along.count < run;
    };
}

RankChoice choose_rank(const TensorSource& source, const RankChoiceSettings& settings,
                       const Execution& run, const Keeping<RankProgress>& keeping) {
    for (const Index rank : settings.ranks) check_rank(source.shape(), rank);
    RankProgress progress = keeping.resume.value_or(RankProgress{});
    SafePoints safe_points(keeping, *run.monitor);
    WithoutPhases quieter(*run.monitor);
    const Execution inside{run.threads, &quieter};
    const auto count = static_cast<Index>(settings.ranks.size());
    for (Index k = settings.part; k < count; k += settings.parts) {
        const Index rank = settings.ranks[at(k)];
        if (progress.scores.count(rank) != 0) continue;
        run.monitor->progress({static_cast<double>(k), static_cast<double>(count), "ranks", {}});
        safe_points.reached([&]() -> const RankProgress& { return progress; });
        const Phase phase(*run.monitor, concat("rank ", rank));
        const RankScore score = Judge(source, settings, rank, inside, keeping, progress).score();
        RankProgress next;
        next.scores = std::move(progress.scores);
        next.scores[rank] = score;
        progress = std::move(next);
    }
    RankChoice choice = choice_of(progress.scores, settings, mean_dimension(source.shape()));
    choice.part = settings.part;
    choice.parts = settings.parts;
    return choice;
}

RankChoice merge_rank_choices(const std::vector<RankChoice>& parts) {
    if (parts.empty()) throw Error("there are no shards");
    const RankChoice& first = parts.front();
    std::vector<bool> there(at(first.parts), false);
    RankScores scores;
    for (const RankChoice& part : parts) {
        if (part.parts != first.parts || part.data != first.data)
            throw Error(concat("shard ", part.part + 1,
                               ": other options or another tensor than "
                               "those of shard ",
                               first.part + 1));
        if (there[at(part.part)]) throw Error(concat("shard ", part.part + 1, " is given twice"));
        there[at(part.part)] = true;
        for (Index k = 0; k < static_cast<Index>(part.ranks.size()); ++k)
            if (!scores.emplace(part.ranks[at(k)], score_in(part, k)).second)
                throw Error(concat("rank ", part.ranks[at(k)], " is in two shards"));
    }
    for (std::size_t k = 0; k < there.size(); ++k)
        if (!there[k]) throw Error(concat("shard ", k + 1, " of ", there.size(), " is missing"));
    return choice_of(scores, first.criteria, first.mean_dimension);
}

} // namespace assay::tensor_amp
