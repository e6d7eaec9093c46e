// One run of approximate message passing (AMP), or of variational Bayes, on a low-rank tensor: what
// is believed about every factor, and one update of a mode from the tensor's product with the
// others (MTTKRP). Any order, shape, rank and prior (Kadmon, Ganguli 2018, arXiv 1810.10065;
// Onsager terms as in Lesieur, Krzakala, Zdeborova 2017, arXiv 1701.00858, for either schedule).
// The tensor itself is never seen here: `amp.hpp` brings state and data together.
#pragma once

#include <assay/tensor_amp/model.hpp>
#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/schedule.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::tensor_amp {

// `variational`: the same updates without reaction terms, with the summed posterior covariances in
// every precision; its free entropy is a bound that never falls, and it is overconfident.
enum class Inference { amp, variational };

struct AmpSettings {
    Inference inference = Inference::amp;
    Schedule schedule = Schedule::sequential;
    std::optional<double> damping; // of the fields, in (0, 1]; empty: as the convergence asks
    bool gauge = true;             // equilibrate scales between modes (Gaussian priors only)
    bool learn_noise = false;
    bool learn_priors = false;
    bool tie_components = false; // one learned variance for all components of a mode
    bool tie_modes = false;      // one learned prior for all modes
    int max_iterations = 500;
    double tolerance = 1e-6;
    // True noise where another is assumed: it stands in the reaction term alone.
    std::optional<double> onsager_noise;
};

// Below which share of its expected squared norm a component has vanished: a millionth of that, or
// of its start where this is smaller, since a start that knows nothing (1e-3 of the prior) first
// shrinks to what it happens to have of the signal. A start of 0 counts as 1e-12.
[[nodiscard]] ASSAY_API double vanishing_share(double squared_norm, double expected);
// What damps the parallel schedule at first: without noise a deviation of all modes alike comes
// back
// -(order - 1) times itself, which a damping below 2 / order makes shrink.
[[nodiscard]] inline double parallel_damping(Index order) {
    return std::min(0.5, 1.5 / static_cast<double>(order));
}

enum class AmpStatus { running, converged, max_iter, collapsed, diverged };
[[nodiscard]] ASSAY_API std::string status_name(AmpStatus status);

// What the local fields of a mode are made of, for entries that are not all observed: sums over the
// observed entries of row i of products, column by column, of what stands in the rows of the other
// modes: N_a x C numbers from N_b x C ones. One call, which is one pass, a mode.
using MaskedSum = std::function<MatrixXd(Index mode, const std::vector<MatrixXd>& rows_of_modes)>;

// How much was observed, and how it enters.
struct Observation {
    double squared_norm = 0; // of the observed entries
    double entries = 0;      // observed
    double fraction = 1;     // of all entries; below 1 without `masked_sum` the mean-field form
    MaskedSum masked_sum;    // the exact form
};

struct SweepTrace {
    double change = 0; // max over modes of |X - X before| / |X|
    double free_entropy = 0;
    double noise_variance = 0;
    double damping = 1;
};

struct LocalFields {
    MatrixXd precision; // A: 1 or N_a rows of r^2
    MatrixXd field;     // B: N_a x r
};

// All of a run that its next sweep depends on; one entry a mode.
struct AmpIterate {
    std::vector<PriorPointer> priors;
    double noise_variance = 0;
    double squared_norm = 0; // of the observed entries, their slices scaled by `row_scales`
    Factors mean, previous;
    std::vector<Belief> belief; // of the means
    std::vector<LocalFields> fields;
    std::vector<Factors> seen;        // by mode: the means that its field was made of, damped alike
    std::vector<MatrixXd> gram;       // X^T X
    std::vector<MatrixXd> summed;     // V
    std::vector<VectorXd> row_scales; // empty where all are 1
    MatrixXd vanishing;               // modes x r: see vanishing_share
    std::vector<SweepTrace> trace;
    double residual = 0;
    double damping = 1;
    int damped_at = 0;
    double learned_change = 0; // relative, of the noise variance; infinite before the first step
    double free_entropy = 0;
    int sweeps = 0;
    AmpStatus status = AmpStatus::running;
};

class ASSAY_API AmpState {
  public:
    // `start`: N_a x r each. Throws Error for shapes that do not fit one another or the priors.
    AmpState(Shape shape, std::vector<PriorPointer> priors, Factors start, double noise_variance,
             Observation observation, AmpSettings settings);
    // Goes on from where a run stood. Throws Error for an iterate of another shape or rank.
    AmpState(Shape shape, Observation observation, AmpSettings settings, AmpIterate iterate);

    [[nodiscard]] const AmpIterate& iterate() const { return now_; }
    // The newest means, which the next MTTKRP takes.
    [[nodiscard]] const Factors& means() const { return now_.mean; }
    // Updates mode a; `product` is MTTKRP_a of the tensor (unobserved entries 0) with `means()`. A
    // sweep is modes 0..p-1 in this order under either schedule; in parallel all products belong to
    // the means at the sweep's start, and the updates take effect with `finish_sweep`.
    void update_mode(Index mode, const MatrixXd& product, int threads = 1);
    // Free entropy, convergence, learning, scales. Returns true while there is more to do.
    bool finish_sweep();

    [[nodiscard]] AmpStatus status() const { return now_.status; }
    [[nodiscard]] int sweeps() const { return now_.sweeps; }
    [[nodiscard]] double noise_variance() const { return now_.noise_variance; }
    [[nodiscard]] const std::vector<PriorPointer>& priors() const { return now_.priors; }
    [[nodiscard]] const std::vector<SweepTrace>& trace() const { return now_.trace; }
    // Bethe free entropy per N relative to the null model, or the bound of variational Bayes.
    [[nodiscard]] double free_entropy() const { return now_.free_entropy; }
    // Expected squared residual of the observed entries under the posterior.
    [[nodiscard]] double expected_residual() const { return now_.residual; }
    // Posterior covariances, as in Belief: one row or N_a rows of r^2 numbers.
    [[nodiscard]] const MatrixXd& covariance(Index mode) const;
    // The local fields of the last update.
    [[nodiscard]] const MatrixXd& precision(Index mode) const; // as `covariance`, r^2 columns
    [[nodiscard]] const MatrixXd& field(Index mode) const;     // N_a x r
    // For noise that differs between the slices of a mode: row i of its factor stands for s_i x_i,
    // s_i = sqrt(Delta / Delta_i), and so do the tensor's slices (their products come scaled, see
    // `row_scales`). Delta becomes the mean of `noise_of_slices`; `squared_norm` is that of the
    // tensor so scaled.
    void set_slice_noise(Index mode, const VectorXd& noise_of_slices, double squared_norm);
    // s_i; empty where all are 1.
    [[nodiscard]] const VectorXd& row_scales(Index mode) const;
    // The expected squared residual of every slice of the last mode updated, from its squared norms
    // and the product that the update had.
    [[nodiscard]] VectorXd slice_residuals(Index mode, const VectorXd& squared_norms,
                                           const MatrixXd& product) const;

  private:
    void check_sizes() const;
    [[nodiscard]] double kappa() const;
    [[nodiscard]] LocalFields local_fields(Index mode, const MatrixXd& product);
    // Without kappa, one row for all or one each: precision, and the reaction of each mode with it.
    struct FieldSums {
        MatrixXd precision;
        std::vector<std::pair<Index, MatrixXd>> reactions;
    };
    [[nodiscard]] std::vector<Index> reacting_modes(Index mode) const;
    [[nodiscard]] FieldSums shared_sums(Index mode) const;
    [[nodiscard]] FieldSums masked_sums(Index mode) const;
    [[nodiscard]] VectorXd expected_squares(Index mode) const;
    [[nodiscard]] double newest_share() const;
    void damp(Index mode, LocalFields& fields) const;
    void remember(Index mode);
    void denoise(Index mode, LocalFields fields, int threads);
    void take(Index mode);
    void measure_residual(const MatrixXd& last_product);
    void update_free_entropy();
    void update_status(double change);
    [[nodiscard]] bool evidence_has_settled() const;
    void adapt_damping();
    void learn();
    void learn_priors();
    void equilibrate();
    void scale_column(Index mode, Index component, double factor);
    [[nodiscard]] Belief unscaled_belief(Index mode) const;

    Shape shape_;
    Observation observation_;
    AmpSettings settings_;
    double scale_; // N^{-(p-1)/2}
    AmpIterate now_;
    std::vector<Belief> waiting_;           // of a parallel sweep, not yet taken
    MatrixXd precision_sum_, reaction_sum_; // of the mode that was updated last
};

} // namespace assay::tensor_amp
