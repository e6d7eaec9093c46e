// What a fit found, whichever algorithm made it: AMP, variational Bayes or alternating least
// squares. Everything that comes after a fit (comparison, diagnosis, reconstruction, figures) sees
// this alone; fit_io.hpp keeps it in HDF5.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::tensor_amp {

// One entry a sweep; what an algorithm does not know is left empty.
struct FitTrace {
    VectorXd change;         // max over modes of |X - X before| / |X|
    VectorXd free_entropy;   // per N
    VectorXd noise_variance; // Delta
    VectorXd damping;
    VectorXd objective; // least squares: relative error |Y - W| / |Y|
    // With a known truth, by sweep, then by mode: M = Xhat^T X / N_a and Q = Xhat^T Xhat / N_a
    // of the components that in the end belong to the truth's (alignment.hpp: align_trace).
    std::vector<std::vector<MatrixXd>> truth_overlap, self_overlap;
};

// One entry a restart, the best among them.
struct FitRestarts {
    VectorXd objective;
    VectorXd similarity; // to the best
    std::vector<std::string> status;
};

// The local fields of the last sweep.
struct FitFields {
    std::vector<MatrixXd> precision; // A of each mode: 1 or N_a rows of r^2
    Factors field;                   // B, N_a x r
};

struct FitResult {
    std::string algorithm; // "amp", "vb", "als", "hals"
    Shape shape;
    std::vector<std::string>
        mode_names; // what the modes are: "neuron", "time"; empty where unknown
    Index rank = 0;
    double noise_variance = 0; // Delta
    bool noise_variance_learned = false;
    // Unequal noise along one mode: Delta_i of its slices; empty (and -1) where all are equal.
    VectorXd slice_noise;
    Index noise_mode = -1;
    // What was taken off the data: one mean, or one a slice of `center_mode`; empty: nothing.
    VectorXd center;
    Index center_mode = -1;

    std::optional<double> bethe_free_entropy; // per N; AMP
    std::optional<double> elbo;               // per N; variational Bayes
    std::optional<double> objective;          // relative error; least squares
    double explained_variance = 0;
    std::string status; // converged, max-iter, collapsed, diverged
    int iterations = 0;
    std::uint64_t seed = 0;
    double seconds_per_sweep = 0; // on the clock, all restarts together; in no file

    std::vector<std::string> priors; // of each mode, as parse_prior reads them; empty without
    bool priors_learned = false;
    // In which least squares left no sign free, since they are nonnegative or given; ascending.
    std::vector<Index> signed_modes;
    // All modes have one factor, and entries with repeated indices were left out.
    bool symmetric = false;
    bool denoiser_exact = true;
    bool order_given = false; // by the columns of modes that were fixed; in no file

    Factors factors; // N_a x r, posterior means in model units
    // Posterior covariances of the rows, by mode, as in Belief: one row of r^2 numbers where it is
    // common to all, else N_a rows; no modes where the algorithm gives none.
    std::vector<MatrixXd> covariances;
    // Y ~ sum_rho weights(rho) prod_a unit_factors[a](i_a, rho), unit columns; `set_unit_form`.
    VectorXd weights;
    Factors unit_factors;

    FitFields fields; // empty unless asked for
    FitTrace trace;
    FitRestarts restarts;
};

// Weights and unit columns of factors in model units: lambda_rho = N^{-(p-1)/2} prod_a |X_a,rho|.
// Columns of norm 0 stay 0.
ASSAY_API void set_unit_form(FitResult& fit);

// Throws Error where factors, covariances or fields do not fit shape and rank.
ASSAY_API void check_fit(const FitResult& fit);

} // namespace assay::tensor_amp
