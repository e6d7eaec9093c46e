// A training run beside the theory (arXiv 1810.10531): the strengths of the data's modes at every
// checkpoint, those that theory predicts from the first one, when each mode was learned and should
// have been, how far the network's own singular vectors are from the data's, and how much of the
// loss curve the theory explains. Any network has a map here: that of a linear one is the product
// of its weights, that of another the least-squares map of its outputs.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/lindyn/predict.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace assay::lindyn {

// A network at one checkpoint.
struct RunState {
    Matrix map;                      // N3 x N1
    std::optional<Layers> layers;    // of a linear network without biases
    std::optional<double> loss;      // half the squared error, mean over samples; else the map's
    double nonlinear_share = 0;      // of the outputs' power, that no linear map of the inputs has
    std::optional<double> held_loss; // the same of held-out samples; else the map's
};

// Checkpoints are read one at a time; maps and layers take inputs as they are, also where the
// problem is of whitened ones. Implementations throw Error that names the place.
class ASSAY_API RunSource {
  public:
    virtual ~RunSource() = default;
    [[nodiscard]] virtual std::vector<Index> steps() const = 0; // ascending
    [[nodiscard]] virtual RunState state(Index checkpoint) const = 0;
};

// The least-squares map of outputs F (P x N3, samples are rows) on inputs X (P x N1), and the share
// of |F|^2 outside of it. Directions of X^T X below 1e-10 of the largest are left out.
struct FittedMap {
    Matrix map;
    double residual_share = 0;
};
[[nodiscard]] ASSAY_API FittedMap fit_map(const RowMatrix& inputs, const RowMatrix& outputs);

// How far alike the modes of the data and those of a map are: each mode has a partner among the
// map's singular pairs (of a map of more than 4 (K + 8) rows and columns the first K + 8;
// assignment by |u.u'||v.v'|), and these are the cosines between them; in a
// group of equal singular values, those of the principal angles between the planes.
struct ModeAlignment {
    Vector input, output; // K
};
[[nodiscard]] ASSAY_API ModeAlignment align_modes(const Modes& modes, const Matrix& map);

// 1 - sum of |U_g^T W V_g|^2 over groups g of equal modes, over |U^T W V|^2: what of the map is not
// diagonal in the data's modes. 0 for W = 0.
[[nodiscard]] ASSAY_API double off_diagonal_energy(const Modes& modes, const Matrix& map);

// By how much finite steps put off the time of a two-layer mode that grows at `s` (less the decay),
// as a share of it, to first order: rate s/2, and with momentum m its rate s m/(1-m)^2 more than
// the 1/(1-m) of the clock, rate s (1 + m)/(2 (1-m)^2) in all.
[[nodiscard]] ASSAY_API double step_lag(const StepSettings& step, double s);

enum class Regime { rich, mixed, lazy };
[[nodiscard]] ASSAY_API std::string regime_name(Regime regime);

// The map behind the targets, W* (N3 x N1, of inputs as they are), and the task from 0 of each
// output, where there are several.
struct KnownMap {
    Matrix map;
    std::vector<std::int32_t> task; // N3, each number from 0 to the largest at least once
};
// |W - W*|^2 / |W*|^2 over the outputs of each task; NaN where W* is 0.
[[nodiscard]] ASSAY_API Vector test_errors(const KnownMap& known, const Matrix& map);

struct ComparisonSettings {
    Method method = Method::automatic;
    int depth = 2;       // of networks without layers of their own
    StepSettings step;   // decay everywhere; rate and momentum for Method::discrete
    StepVariant variant; // for Method::discrete
    std::shared_ptr<const StepClock> step_clock; // the same, where the learning rate varies
    Index from = 0;                   // number of the checkpoint at which the prediction starts
    const Statistics* held = nullptr; // of held-out samples, on inputs as they are
    const KnownMap* known = nullptr;
};

// Of the means over each group of equal modes, which do not depend on the basis within a group.
struct GroupComparison {
    Matrix observed, predicted;                // T x groups
    Vector half_observed, half_predicted, lag; // groups, in steps; NaN: not reached
    Vector step_lag;                           // groups, in steps
    Vector relative_rmse, r2;                  // groups
};

// When theory would stop a run on white inputs (generalization_study.hpp): the least test error of
// modes in noise, whose unit is `usual_noise_unit`.
struct TheoryStop {
    double step = 0, error = 0; // |W - W*|^2 / |W*|^2
};

struct RunComparison {
    Method method = Method::automatic;
    std::vector<Index> steps;         // T
    Matrix observed, predicted;       // T x K; predicted NaN before `from`
    Vector clock;                     // T, the flow's time (tau) at each checkpoint
    std::optional<double> fitted_tau; // steps of one tau, where the clock was not given
    Vector half_observed, half_predicted, ten_observed, ten_predicted, ninety_observed,
        ninety_predicted;     // K, in steps; NaN: not reached
    Vector lag;               // K, half observed - predicted
    Vector step_lag;          // K, what of it the size of steps explains; NaN: not known
    Vector relative_rmse, r2; // K, over checkpoints from `from`
    GroupComparison groups;
    Matrix alignment_input, alignment_output; // T x K
    Vector off_diagonal, nonlinear_share;     // T
    Vector loss_observed, loss_predicted;     // T, half the squared error
    Vector held_loss;                         // T, of held-out samples; empty without
    // With these, where inputs are white, modes stand out and start alike, within a tenth of their
    // ends, and no weight decays.
    std::optional<TheoryStop> stop;
    Matrix test_error;  // T x tasks, of the observed maps; empty where W* is not known
    double loss_r2 = 0; // 1 - sum (L - L_predicted)^2 / sum (L - mean L)^2
    // Delay over width of the modes that start within a tenth of their ends from 0, see
    // `stage_likeness`.
    double stage = 0;
    // rich: stages (above 1); lazy: none (below 0.4), or, where no mode starts near 0, hidden
    // similarities that stay (representation_change below 0.1); else mixed.
    Regime regime = Regime::mixed;
    Conditions conditions;
    double representation_change =
        0; // 1 - cosine of W_1^T W_1 at `from` and at the end; NaN: maps only
};

// Half time over 10-90 % width, a mean over modes that pass 10 to 90 % weighted by s q; NaN where
// none does. Two layers: ln(q/a0 - 1)/(2 ln 9) from a small start a0; a network that only shifts
// its last layer: ln 2/ln 9 = 0.32.
[[nodiscard]] ASSAY_API double stage_likeness(const Modes& modes, const Vector& half,
                                              const Vector& ten, const Vector& ninety);

// `clock` (T): the flow's time (tau = 1, half the squared error, mean over samples) passed when
// each checkpoint was made; empty: one tau is so many steps as bring the predicted strengths
// nearest to the observed ones (least squares). Prediction from the weights of checkpoint `from`
// where there are some (exact, or integrated flow), else closed forms from its strengths, of which
// negative ones and those of noise count as the root mean square entry of the map in the modes'
// basis. Throws Error with fewer than two checkpoints from there, and where a clock that is not
// given is not seen in the strengths.
[[nodiscard]] ASSAY_API RunComparison compare_run(const Problem& problem, const RunSource& run,
                                                  const Vector& clock,
                                                  const ComparisonSettings& settings,
                                                  const Execution& execution);

} // namespace assay::lindyn
