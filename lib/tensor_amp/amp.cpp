#include <assay/tensor_amp/amp.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/centering.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <algorithm>

namespace assay::tensor_amp {
namespace {

// Sum of squared entries of every slice of one mode.
VectorXd slice_norms(const TensorSource& source, Index mode, const Execution& run) {
    const Slices slices = slices_of(source.shape(), mode);
    const Index columns = source.unfolded().columns;
    return sum_over_slabs(source, slices.count, 1, run, [&](const RowBlock& slab, MatrixXd& norms) {
        const Index first = slab.first * columns;
        const Index count = slab.count * columns;
        // Runs of entries of one slice.
        for (Index entry = 0; entry < count;) {
            const Index position = first + entry;
            const Index run_length =
                std::min(slices.inner - position % slices.inner, count - entry);
            double sum = 0;
            for (Index i = entry; i < entry + run_length; ++i) {
                const double value =
                    slab.doubles != nullptr ? slab.doubles[i] : static_cast<double>(slab.floats[i]);
                sum += value * value;
            }
            norms(slices.of(position)) += sum;
            entry += run_length;
        }
    });
}

// The replicates that still run, their factors side by side.
class Replicates {
  public:
    Replicates(const AmpProblem& problem, const std::vector<Factors>& starts,
               const AmpSettings& settings, const Execution& run,
               const std::optional<std::vector<AmpIterate>>& resumed)
        : problem_(problem), settings_(settings), run_(run), kernel_(*problem.source),
          rank_(problem.priors.front()->rank()) {
        const Observation observation = observe();
        if (problem.noise_mode) {
            norms_ = slice_norms(*problem.source, *problem.noise_mode, run);
            slice_entries_ = observed_counts(*problem.source, run)[at(*problem.noise_mode)];
        }
        if (resumed)
            resume(*resumed, starts.size(), observation);
        else
            begin(starts, observation);
        for (std::size_t k = 0; k < states_.size(); ++k)
            if (states_[k].status() == AmpStatus::running) running_.push_back(k);
        residuals_.resize(states_.size());
    }

    void sweep() {
        Factors factors = side_by_side();
        std::vector<MatrixXd> products;
        const bool parallel = settings_.schedule == Schedule::parallel;
        if (parallel) products = kernel_.all_modes(factors, run_);
        for (Index a = 0; a < problem_.source->order(); ++a) {
            const MatrixXd product =
                parallel ? products[at(a)] : kernel_.in_sweep(a, factors, run_);
            for (std::size_t k = 0; k < running_.size(); ++k) update(a, k, product);
            if (!parallel) write_columns(a, factors[at(a)]);
        }
        std::vector<std::size_t> going_on;
        for (const std::size_t k : running_) {
            learn_slice_noise(k);
            if (states_[k].finish_sweep()) going_on.push_back(k);
        }
        running_ = going_on;
        if (problem_.after_sweep) problem_.after_sweep(states_);
    }

    [[nodiscard]] bool running() const { return !running_.empty(); }
    [[nodiscard]] std::vector<AmpIterate> iterates() const {
        std::vector<AmpIterate> iterates;
        for (const AmpState& state : states_) iterates.push_back(state.iterate());
        return iterates;
    }
    [[nodiscard]] std::vector<AmpState> take() { return std::move(states_); }
    [[nodiscard]] Progress progress() const {
        const AmpState& first = states_[running_.empty() ? 0 : running_.front()];
        const double change = first.trace().empty() ? 1 : first.trace().back().change;
        return {static_cast<double>(first.sweeps()), static_cast<double>(settings_.max_iterations),
                "sweeps", "change " + significant(change, 2)};
    }

  private:
    void begin(const std::vector<Factors>& starts, const Observation& observation) {
        for (const Factors& start : starts)
            states_.emplace_back(problem_.source->shape(), problem_.priors, start,
                                 problem_.noise_variance, observation, settings_);
        if (!problem_.noise_mode) return;
        VectorXd noise = problem_.noise_of_slices;
        if (noise.size() == 0) noise = VectorXd::Constant(norms_.size(), problem_.noise_variance);
        for (AmpState& state : states_) set_slice_noise(state, noise);
    }

    void resume(const std::vector<AmpIterate>& iterates, std::size_t count,
                const Observation& observation) {
        if (iterates.size() != count)
            throw Error(
                concat("a state of ", iterates.size(), " restarts; ", count, " are expected"));
        for (const AmpIterate& iterate : iterates)
            states_.emplace_back(problem_.source->shape(), observation, settings_, iterate);
    }

    [[nodiscard]] Observation observe() const {
        const TensorSource& source = *problem_.source;
        Observation observation;
        observation.squared_norm = squared_norm(source, run_);
        observation.entries = static_cast<double>(source.size());
        if (!source.masked()) return observation;
        observation.entries = observed_counts(source, run_).front().sum();
        observation.fraction = observation.entries / static_cast<double>(source.size());
        if (problem_.missing == MissingForm::exact) {
            const Unfolding& matrix = source.unfolded();
            // Both partial products, and what the rows of every mode have, before and after.
            auto numbers = static_cast<double>(matrix.rows + matrix.columns);
            for (const Index length : source.shape()) numbers += 2 * static_cast<double>(length);
            Index columns = rank_ * (rank_ + 1) / 2;
            if (settings_.inference == Inference::amp) // the others do not react
                columns += (source.order() - 1) * rank_ * rank_;
            check_memory(8 * static_cast<double>(columns) * numbers,
                         concat("missing entries, exact, rank ", rank_));
            observation.fraction = 1;
            observation.masked_sum = [this](Index mode, const std::vector<MatrixXd>& rows) {
                return mttkrp(*problem_.source, mode, rows, run_, Content::observed);
            };
        }
        return observation;
    }

    void update(Index mode, std::size_t k, const MatrixXd& products) {
        AmpState& state = states_[running_[k]];
        MatrixXd product = products.middleCols(static_cast<Index>(k) * rank_, rank_);
        const VectorXd& scales = state.row_scales(mode);
        if (scales.size() > 0) product = scales.asDiagonal() * product;
        state.update_mode(mode, product, run_.threads);
        if (problem_.noise_mode == mode && settings_.learn_noise)
            residuals_[running_[k]] =
                state.slice_residuals(mode, scales.cwiseAbs2().cwiseProduct(norms_), product);
    }

    void write_columns(Index mode, MatrixXd& columns) const {
        for (std::size_t k = 0; k < running_.size(); ++k) {
            const AmpState& state = states_[running_[k]];
            const VectorXd& scales = state.row_scales(mode);
            const MatrixXd& mean = state.means()[at(mode)];
            columns.middleCols(static_cast<Index>(k) * rank_, rank_) =
                scales.size() > 0 ? MatrixXd(scales.asDiagonal() * mean) : mean;
        }
    }

    [[nodiscard]] Factors side_by_side() const {
        Factors factors;
        for (Index a = 0; a < problem_.source->order(); ++a) {
            factors.emplace_back(problem_.source->shape()[at(a)],
                                 static_cast<Index>(running_.size()) * rank_);
            write_columns(a, factors.back());
        }
        return factors;
    }

    void set_slice_noise(AmpState& state, const VectorXd& noise) const {
        const double mean = noise.mean();
        state.set_slice_noise(*problem_.noise_mode, noise,
                              (mean * norms_.array() / noise.array()).sum());
    }

    // Delta_i from the residual of slice i alone; the tensor's slices stand scaled by s_i.
    void learn_slice_noise(std::size_t k) {
        constexpr int first_learning_sweep = 3; // of those finished
        AmpState& state = states_[k];
        if (!problem_.noise_mode || !settings_.learn_noise || state.sweeps() < first_learning_sweep)
            return;
        const VectorXd scales = state.row_scales(*problem_.noise_mode);
        const VectorXd residuals = residuals_[k].array() / scales.array().square();
        const double total = slice_entries_.sum();
        const double least = std::max(
            1e-14 * norms_.maxCoeff() * static_cast<double>(scales.size()) / total, 1e-300);
        VectorXd noise(scales.size());
        // A slice without an observed entry is taken to be like the others.
        for (Index i = 0; i < noise.size(); ++i)
            noise(i) = std::max(slice_entries_(i) > 0 ? residuals(i) / slice_entries_(i)
                                                      : residuals.sum() / total,
                                least);
        set_slice_noise(state, noise);
    }

    const AmpProblem& problem_;
    const AmpSettings& settings_;
    const Execution& run_;
    SweepKernel kernel_;
    Index rank_;
    VectorXd norms_, slice_entries_; // of the slices of the noise mode, observed
    std::vector<AmpState> states_;
    std::vector<std::size_t> running_;
    std::vector<VectorXd> residuals_; // of those slices, scaled
};

} // namespace

MissingForm suitable_form(const Shape& shape, const std::vector<VectorXd>& counts) {
    constexpr double most_uneven = 0.2;
    for (std::size_t a = 0; a < counts.size(); ++a) {
        const double mean = counts[a].sum() / static_cast<double>(shape[a]);
        if ((counts[a].array() - mean).abs().maxCoeff() > most_uneven * mean)
            return MissingForm::exact;
    }
    return MissingForm::mean_field;
}

std::vector<AmpState> run_amp(const AmpProblem& problem, const std::vector<Factors>& starts,
                              const AmpSettings& settings, const Execution& run,
                              const AmpKeeping& keeping) {
    if (problem.noise_mode && problem.source->masked() &&
        problem.missing == MissingForm::mean_field)
        throw Error("noise of slices, with missing entries: the exact treatment is expected, not "
                    "mean-field");
    SafePoints safe_points(keeping, *run.monitor);
    std::optional<Replicates> replicates;
    safe_points.step([&] { return keeping.resume.value_or(std::vector<AmpIterate>{}); },
                     [&] { replicates.emplace(problem, starts, settings, run, keeping.resume); });
    while (replicates->running()) {
        safe_points.step([&] { return replicates->iterates(); }, [&] { replicates->sweep(); });
        run.monitor->progress(replicates->progress());
    }
    return replicates->take();
}

} // namespace assay::tensor_amp
