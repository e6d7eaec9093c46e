// State evolution (dynamic mean-field theory) of approximate message passing: how the overlaps of
// estimate and truth move from sweep to sweep in the limit of large tensors (Kadmon, Ganguli 2018,
// arXiv 1810.10065), matched or with assumptions that differ from the truth, and the
// replica-symmetric free entropy whose stationary points are its fixed points (Lesieur, Miolane,
// Lelarge, Krzakala, Zdeborova 2017, arXiv 1701.08010).
//     Qhat_a = (o_{b != a} Q_b) / (n_a Delta),  Q_a <- E f f^T
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/ensemble.hpp>
#include <assay/tensor_amp/schedule.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

using Overlaps = std::vector<MatrixXd>; // one a mode

struct StateEvolutionSettings {
    double noise_var = 1;
    Schedule schedule = Schedule::sequential;
    Index max_iterations = 2000;
    double tolerance = 1e-12; // of the largest change in a sweep, relative to the largest overlap
};

// mean mean^T: estimates that know the prior only. Components with the same prior and start stay
// exchangeable here for ever (4.6 of the theory), also against rounding.
[[nodiscard]] ASSAY_API Overlaps prior_mean_start(const Ensemble& ensemble);
// E x x^T: the truth itself.
[[nodiscard]] ASSAY_API Overlaps informed_start(const Ensemble& ensemble);

enum class EvolutionStatus { converged, max_iterations, diverged };
[[nodiscard]] ASSAY_API std::string status_word(EvolutionStatus status);

struct StateEvolution {
    std::vector<Overlaps> q; // sweeps + 1, the first is the start
    std::vector<Overlaps> m; // the same against the truth; empty where it equals q (matched)
    EvolutionStatus status = EvolutionStatus::max_iterations;
    VectorXd mse;             // per mode and row, tr E (x - f)(x - f)^T; NaN where ranks differ
    double signal_error = 0;  // |What - W|^2 / |W|^2
    double free_entropy = 0;  // per N; NaN for mismatched runs
    double overlap_error = 0; // largest error of one step's averages (vector_channel.hpp)

    [[nodiscard]] Index sweeps() const { return static_cast<Index>(q.size()) - 1; }
};

// Throws Error for noise that is not positive, overlaps of the wrong shape, and what
// check_ensemble refuses.
[[nodiscard]] ASSAY_API StateEvolution state_evolution(const Ensemble& ensemble,
                                                       const StateEvolutionSettings& settings,
                                                       const Overlaps& start,
                                                       const Execution& run = {});

// Phi(Q) = sum_a n_a psi_a(Qhat_a) - (p - 1) / (2 Delta) 1^T (o_a Q_a) 1, per N, relative to the
// null model.
[[nodiscard]] ASSAY_API double free_entropy(const Ensemble& ensemble, double noise_var,
                                            const Overlaps& q, const Execution& run = {});

// What the algorithm believes where it is not the truth.
struct Assumptions {
    double noise_var = 1;
    std::vector<PriorPointer> priors; // one a mode; their rank may differ from the truth's
};
struct MismatchedStart {
    Overlaps m, q; // r x r_true and r x r
};
[[nodiscard]] ASSAY_API MismatchedStart prior_mean_start(const Ensemble& truth,
                                                         const Assumptions& assumed);
// The truth's first components; any other starts at 0.
[[nodiscard]] ASSAY_API MismatchedStart informed_start(const Ensemble& truth,
                                                       const Assumptions& assumed);
// Gaussian truth and assumptions at any rank; any exact priors where both ranks are 1. Throws Error
// for other combinations.
[[nodiscard]] ASSAY_API StateEvolution mismatched_evolution(const Ensemble& truth,
                                                            const Assumptions& assumed,
                                                            const StateEvolutionSettings& settings,
                                                            const MismatchedStart& start,
                                                            const Execution& run = {});

} // namespace assay::tensor_amp
