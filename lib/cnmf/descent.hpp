// One start's run of alternating half-steps.
#pragma once

#include <assay/cnmf/fit.hpp>

#include <memory>
#include <optional>

namespace assay::cnmf {

// Whether a met KKT tolerance keeps a step from being made.
enum class KktStop { allowed, ignored };

class ASSAY_API Descent {
  public:
    Descent(const Data& data, DataProducts& products, const Unseen& unseen,
            const FitOptions& options, const Execution& run);
    // Takes a start; `scaled`: multiply W and H so that the loss is least along their common scale.
    void begin(Model start, bool scaled, double x_ortho_weight, FitState& state);
    // One outer iteration; `weight` of the x-ortho penalty (ramp, or 0 for the last). Returns
    // false, having changed nothing, when the KKT tolerance was already met. Fills history and
    // state.
    bool step(double x_ortho_weight, FitState& state, KktStop stop = KktStop::allowed);
    // Replaces the last loss of a float32 fit by the one computed from the data themselves.
    void settle(FitState& state) const;
    // KKT residual at the end (two more data products), relative to the start.
    double final_kkt(const FitState& state);
    [[nodiscard]] Model model() const;
    // What the factors changed from, where the next step goes on along the change.
    [[nodiscard]] std::optional<Model> before() const;
    void set_model(Model model, std::optional<Model> before = std::nullopt);

  private:
    struct MotifProblem {
        Matrix gram, product, linear; // edited A; pure B; linear penalty gradient (may be empty)
    };
    [[nodiscard]] MotifProblem motif_problem(double x_ortho);
    // The part of the gradient in H that does not depend on H, l1 and x-ortho, given `g` =
    // transconv(W, X); empty where there is none.
    [[nodiscard]] TimeMatrix linear_gradient(const TimeMatrix& g, double x_ortho) const;
    // The gradient in H of data and penalties but x-ortho.
    [[nodiscard]] TimeMatrix activation_gradient();
    [[nodiscard]] double motif_kkt(const MotifProblem& problem) const; // squared norm
    void update_motifs(const MotifProblem& problem, FitState& state);
    void update_activations(double x_ortho, FitState& state);
    void poisson_step(FitState& state);
    void record_divergence(FitState& state);
    [[nodiscard]] double divergence_gradient_norm() const;
    void silence_dead_components(const Matrix& gram);
    // W's, then H's, each from an extrapolated other where a weight is given (0: of no change).
    [[nodiscard]] bool half_steps(double x_ortho_weight, std::optional<double> extrapolation,
                                  FitState& state, KktStop stop);
    void hold_ends();
    void record(double squared_error, double penalty, FitState& state) const;
    [[nodiscard]] InnerSweeps inner() const;
    [[nodiscard]] double exact_squared_error() const;

    const Data& data_;
    DataProducts& products_;
    const TimeAxis& axis_;
    const Unseen& unseen_;
    const FitOptions& options_;
    Execution run_;
    Index components_;
    double seen_power_;
    double loses_digits_; // squared relative loss below which the Gram identity has no digits left
    double test_power_ = 0;
    Matrix motifs_;
    TimeMatrix activations_;
    Matrix motifs_before_; // what the factors changed from; empty where nothing is known
    TimeMatrix activations_before_;
    Imputation imputation_;
};

} // namespace assay::cnmf
