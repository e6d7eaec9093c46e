// Fitting convolutive NMF: alternates half-steps in W and H from one or several starts until the
// loss stands still. min 1/2 |X - Xhat|^2 + penalties over W, H >= 0, or the Kullback-Leibler
// divergence.
#pragma once

#include <assay/cnmf/extrapolation.hpp>
#include <assay/cnmf/model.hpp>
#include <assay/cnmf/penalties.hpp>
#include <assay/cnmf/start.hpp>
#include <assay/cnmf/updates.hpp>
#include <assay/core/export.hpp>
#include <assay/core/keeping.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace assay::cnmf {

enum class Loss { l2, kl };
enum class AnlsActivations { column, full };

struct FitOptions {
    Index components = 5;
    Index lags = 10;
    Algorithm algorithm = Algorithm::hals;
    Loss loss = Loss::l2;
    Index inner = 0;         // sweeps per half-step; 0: as many as pay
    bool extrapolate = true; // as `extrapolates` says
    Order order = Order::chunk;
    AnlsActivations anls_activations = AnlsActivations::column;
    bool unlock = false; // MULT: clamp at 2.2e-16 after each step, so that zeros may come back
    StartSpec start;
    Index restarts = 1;
    Index first_restart = 0; // number of the first start: start r is the same in every fit
    bool reseed_dead = false;
    std::optional<Index> shift; // centre motifs every so many iterations in the first half; 0
                                // never; else 10 with x-ortho
    Index max_iterations = 200;
    double max_seconds = std::numeric_limits<double>::infinity();
    double tolerance = 1e-5;
    Index patience = 3;
    double kkt_tolerance = 0;
    Penalties penalties;
    Index penalty_ramp = 20;
    std::uint64_t seed = 0;
    std::uint64_t start_stream = 0; // tells starts of different repetitions apart (select)
};

// Whether factors are extrapolated between half-steps: not in multiplicative descent, which cannot
// leave the zeros that an extrapolation may end at; not with HALS of a single sweep, whose answer
// is too rough to go on from; nor with penalties, of which those on one factor alone would soon be
// evaded by growth of the other.
[[nodiscard]] ASSAY_API bool extrapolates(const FitOptions& options);

// Histories have iterations + 1 entries, the start first.
struct History {
    std::vector<double> loss;      // relative loss over seen entries
    std::vector<double> test_loss; // relative, over held-out entries; empty without any
    std::vector<double> objective; // half the squared error plus penalties (l2); divergence (kl)
    std::vector<double> kkt;       // relative to the start; of each gradient where it was taken
    std::vector<double> seconds;
};

// All of an unfinished fit: enough to go on to the same bits.
struct FitState {
    Index restart = 0;
    Index iteration = 0; // completed outer iterations of this restart
    Model model;
    History history;
    double kkt_start = 0;       // norm of the projected gradient at the start
    double kkt_activations = 0; // squared norm of H's part after the last iteration
    ExtrapolationWeight extrapolation;
    std::optional<Model> before; // what the factors changed from, where they are extrapolated; here
                                 // only while the state is saved, as `model`
    Index quiet_iterations = 0;  // in a row with a decrease below the tolerance
    Index fallbacks = 0;
    std::string stop_reason; // once known, only the last iteration, without x-ortho, is left
    double seconds = 0;      // spent so far
    Work work;               // done so far
    std::vector<double> restart_loss;
    std::vector<std::int64_t> restart_number; // which start (as first_restart counts) a loss is of
    std::optional<Model> best;
    History best_history;
    Index best_restart = 0;
    Index best_fallbacks = 0;
    std::string best_stop;
};

struct FitResult {
    Model model;
    History history;
    std::string stop_reason; // "tolerance", "kkt", "iterations", "time"
    Index best_restart = 0;
    std::vector<double> restart_loss;
    std::vector<std::int64_t> restart_number; // as in FitState
    Evaluation evaluation;                    // from the data themselves
    double divergence = 0;                    // kl
    PenaltyValues penalties;
    double kkt = 0;
    Vector loadings;
    std::vector<bool> dead;
    Engine engine = Engine::gemm;
    Work work;
    Index fallbacks = 0;
};

// Saves after an iteration.
using FitControl = Keeping<FitState>;

// Throws UsageError for combinations that have no meaning (section 10 of the command's
// description), Error for a start of the wrong shape or sign, Interrupted.
[[nodiscard]] ASSAY_API FitResult fit(const Data& data, const Unseen& unseen,
                                      const FitOptions& options, const Execution& run,
                                      FitControl control = {});

// Warnings that depend on shapes only: L > T throws Error.
ASSAY_API void check_shapes(const Recording& recording, Index components, Index lags,
                            Monitor& monitor);

// When a convex fit of activations ends: at relative KKT <= tolerance, or after so many sweeps.
struct ActivationStop {
    double kkt_tolerance = 1e-6;
    Index most_sweeps = 20000;
};
struct ActivationFit {
    TimeMatrix activations; // rows x K, on the axis of the products
    double kkt = 0;         // relative to that of no activation
    Index sweeps = 0;
};
// Coordinate descent in H alone, from `start` (rows x K). Its state is kept between sweeps.
[[nodiscard]] ASSAY_API ActivationFit fit_activations(DataProducts& products, const Unseen& unseen,
                                                      const Matrix& motifs, TimeMatrix start,
                                                      const Penalties& penalties,
                                                      const ActivationStop& stop,
                                                      const Execution& run,
                                                      const Keeping<ActivationFit>& keeping = {});

// H for fixed motifs (convex), from `start` or from zero-information, to relative KKT <= tolerance.
struct TransformResult {
    Matrix activations;
    double kkt = 0;
    Index sweeps = 0;
    Evaluation evaluation;
    Vector loadings;
};
[[nodiscard]] ASSAY_API TransformResult transform(const Data& data, const Unseen& unseen,
                                                  const Model& model, const ActivationStop& stop,
                                                  const Penalties& penalties, const Execution& run,
                                                  const Keeping<ActivationFit>& keeping = {});
// The model's motifs stretched by `factor` in time (lags resampled linearly, mass kept).
[[nodiscard]] ASSAY_API Model warped(const Model& model, double factor);

} // namespace assay::cnmf
