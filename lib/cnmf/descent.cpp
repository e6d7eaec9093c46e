#include <assay/cnmf/descent.hpp>

#include <assay/cnmf/poisson_updates.hpp>
#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>

namespace assay::cnmf {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kLosesDigits =
    1e-10; // squared relative loss below which the Gram identity has no digits left

} // namespace

Descent::Descent(const Data& data, DataProducts& products, const Unseen& unseen,
                 const FitOptions& options, const Execution& run)
    : data_(data), products_(products), axis_(products.axis()), unseen_(unseen), options_(options),
      run_(run), components_(options.components),
      seen_power_(data.survey().squared_norm - unseen.stored_power), imputation_(unseen, axis_) {
    for (std::size_t i = 0; i < unseen.stored.size(); ++i)
        if (unseen.tested[i] != 0) test_power_ += unseen.stored[i] * unseen.stored[i];
}

InnerSweeps Descent::inner() const {
    if (options_.inner > 0) return InnerSweeps::fixed(options_.inner);
    InnerSweeps sweeps;
    if (data_.streams()) sweeps.most = 10; // reading is the cost there
    return sweeps;
}

Model Descent::model() const {
    return {components_, axis_.lags(), motifs_, axis_.unpadded(activations_)};
}

void Descent::set_model(const Model& model) {
    motifs_ = model.motifs;
    activations_ = axis_.padded(model.activations);
    imputation_.evaluate(motifs_, activations_, run_);
}

void Descent::resume(const FitState& state) {
    set_model(state.model);
}

double Descent::exact_squared_error() const {
    return evaluate(model(), data_.recording(), unseen_, run_).squared_error;
}

void Descent::record(double squared_error, double penalty, FitState& state) const {
    squared_error = std::max(0.0, squared_error);
    if (squared_error < kLosesDigits * seen_power_) squared_error = exact_squared_error();
    state.history.loss.push_back(std::sqrt(squared_error / seen_power_));
    state.history.objective.push_back(0.5 * squared_error + penalty);
    if (test_power_ > 0)
        state.history.test_loss.push_back(std::sqrt(imputation_.test_error() / test_power_));
}

void Descent::begin(const Model& start, bool scaled, double x_ortho_weight, FitState& state) {
    set_model(start);
    const Penalties& p = options_.penalties;
    TimeMatrix g = products_.with_motifs(motifs_, run_);
    MotifCorrelation correlation(motifs_, components_);
    TimeMatrix correlated = correlate(correlation, activations_, axis_, run_);
    // Over seen entries only: <X, Xhat> and |Xhat|^2.
    double data_inner = inner_product(activations_, g),
           model_power = inner_product(activations_, correlated);
    for (std::size_t i = 0; i < unseen_.stored.size(); ++i) {
        data_inner -= unseen_.stored[i] * imputation_.values()[i];
        model_power -= imputation_.values()[i] * imputation_.values()[i];
    }
    double scale = 1;
    if (scaled && model_power > 0 && data_inner > 0) scale = data_inner / model_power;
    const double root = std::sqrt(scale);
    motifs_ *= root;
    activations_ *= root;
    imputation_.evaluate(motifs_, activations_, run_);
    if (options_.loss == Loss::kl) {
        state.history.loss.push_back(
            divergence(motifs_, activations_, data_.recording(), axis_, unseen_, run_));
        state.history.objective.push_back(state.history.loss.back());
        if (test_power_ > 0)
            state.history.test_loss.push_back(std::sqrt(imputation_.test_error() / test_power_));
        return;
    }
    g *= root;
    imputation_.add_to(g, motifs_);
    // The gradient in H at the start, for the KKT residual; its linear part also gives the values
    // of l1 and x-ortho.
    TimeMatrix linear = TimeMatrix::Constant(g.rows(), g.cols(), p.l1_activations);
    if (x_ortho_weight > 0) linear += x_ortho_weight * sum_of_others(window_sums(g, axis_));
    TimeMatrix gradient = scale * root * correlated - g + p.l2_activations * activations_ + linear;
    axis_.clear_padding(gradient);
    const double penalty =
        p.l1_motifs * motifs_.sum() + 0.5 * p.l2_motifs * motifs_.squaredNorm() +
        inner_product(activations_, linear) + 0.5 * p.l2_activations * activations_.squaredNorm() +
        p.events * events_value(activations_, axis_) + p.parts * parts_value(motifs_, components_);
    record(seen_power_ - 2 * scale * data_inner + scale * scale * model_power, penalty, state);
    state.kkt_activations = projected_gradient_norm(activations_, gradient);
}

Descent::MotifProblem Descent::motif_problem(double x_ortho) {
    MotifProblem problem;
    const Penalties& p = options_.penalties;
    problem.product = products_.with_activations(activations_, run_);
    imputation_.add_to(problem.product, activations_);
    problem.gram = activation_gram(activations_, axis_, run_);
    edit_gram(problem.gram, components_, p.l2_motifs, p.parts);
    if (p.l1_motifs > 0)
        problem.linear = Matrix::Constant(motifs_.rows(), motifs_.cols(), p.l1_motifs);
    if (x_ortho > 0 && p.x_ortho_in_motifs) {
        const TimeMatrix smoothed = window_sums(activations_, axis_);
        Matrix product = products_.with_activations(smoothed, run_);
        imputation_.add_to(product, smoothed);
        const Matrix gradient = x_ortho * cross_orthogonality_motif_gradient(product, components_);
        if (problem.linear.size() > 0)
            problem.linear += gradient;
        else
            problem.linear = gradient;
    }
    return problem;
}

double Descent::motif_kkt(const MotifProblem& problem) const {
    Matrix gradient = motifs_ * problem.gram - problem.product;
    if (problem.linear.size() > 0) gradient += problem.linear;
    return projected_gradient_norm(motifs_, gradient);
}

void Descent::update_motifs(const MotifProblem& problem, FitState& state) {
    if (options_.algorithm == Algorithm::mult) {
        multiply_motifs(motifs_, problem.gram, problem.product, problem.linear, run_);
        if (options_.unlock) motifs_ = motifs_.cwiseMax(kEpsilon);
        return;
    }
    const Matrix right_side =
        problem.linear.size() > 0 ? Matrix(problem.product - problem.linear) : problem.product;
    if (options_.algorithm == Algorithm::anls) {
        const Index fallbacks = anls_motifs(motifs_, problem.gram, right_side, run_);
        state.fallbacks += fallbacks;
        return;
    }
    hals_motifs(motifs_, problem.gram, right_side, components_, inner(), run_);
}

void Descent::update_activations(double x_ortho, FitState& state) {
    const Penalties& p = options_.penalties;
    if (!unseen_.mask.empty()) imputation_.evaluate(motifs_, activations_, run_);
    const std::vector<double> stand_in = imputation_.values();
    TimeMatrix g = products_.with_motifs(motifs_, run_);
    imputation_.add_to(g, motifs_);
    // The part of the gradient in H that does not depend on H: l1 and x-ortho.
    TimeMatrix linear;
    if (p.l1_activations > 0 || x_ortho > 0) {
        linear = TimeMatrix::Zero(g.rows(), g.cols());
        if (x_ortho > 0) linear += x_ortho * sum_of_others(window_sums(g, axis_));
        linear.array() += p.l1_activations;
        axis_.clear_padding(linear);
    }
    MotifCorrelation correlation(motifs_, components_);
    correlation.add_penalties(p.l2_activations, p.events);
    const auto edited_right_side = [&] { return linear.size() > 0 ? TimeMatrix(g - linear) : g; };

    TimeMatrix gradient;
    if (options_.algorithm == Algorithm::mult) {
        const TimeMatrix correlated = correlate(correlation, activations_, axis_, run_);
        multiply_activations(activations_, correlated, g, linear, axis_);
        if (options_.unlock) {
            activations_ = activations_.cwiseMax(kEpsilon);
            axis_.clear_padding(activations_);
        }
        gradient = correlate(correlation, activations_, axis_, run_) - edited_right_side();
    } else {
        gradient = correlate(correlation, activations_, axis_, run_) - edited_right_side();
        if (options_.algorithm == Algorithm::hals) {
            hals_activations(activations_, gradient, correlation, axis_, options_.order, inner(),
                             run_);
        } else {
            constexpr double kFullTolerance = 1e-6;
            constexpr int kMostSweeps = 500;
            const double start = std::sqrt(projected_gradient_norm(activations_, gradient));
            for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
                state.fallbacks += anls_activations(activations_, gradient, correlation, axis_,
                                                    options_.order, run_);
                if (options_.anls_activations == AnlsActivations::column ||
                    std::sqrt(projected_gradient_norm(activations_, gradient)) <=
                        kFullTolerance * start)
                    break;
            }
        }
    }
    state.kkt_activations = projected_gradient_norm(activations_, gradient);

    // |Xi - Xhat|^2 = |Xi|^2 + <H, C H> - 2 <H, G> with Xi the data in which Xhat stood in for the
    // unseen. The edited gradient gives <H, C H> once the penalties in it are taken off again.
    const double l2 = activations_.squaredNorm(),
                 events = p.events > 0 ? events_value(activations_, axis_) : 0.0;
    const double linear_value = linear.size() > 0 ? inner_product(activations_, linear) : 0.0;
    const double data_inner = inner_product(activations_, g);
    const double curvature = inner_product(activations_, gradient) + data_inner - linear_value -
                             p.l2_activations * l2 - 2 * p.events * events;
    double squared_error =
        data_.survey().squared_norm - unseen_.stored_power + curvature - 2 * data_inner;
    for (const double value : stand_in) squared_error += value * value;
    if (!unseen_.mask.empty()) {
        imputation_.evaluate(motifs_, activations_, run_);
        for (std::size_t i = 0; i < stand_in.size(); ++i)
            squared_error -= std::pow(stand_in[i] - imputation_.values()[i], 2);
    }
    const double penalty = p.l1_motifs * motifs_.sum() + 0.5 * p.l2_motifs * motifs_.squaredNorm() +
                           linear_value + 0.5 * p.l2_activations * l2 + p.events * events +
                           (p.parts > 0 ? p.parts * parts_value(motifs_, components_) : 0.0);
    record(squared_error, penalty, state);
}

void Descent::poisson_step(FitState& state) {
    poisson_update_motifs(motifs_, activations_, data_.recording(), axis_, unseen_, run_);
    poisson_update_activations(activations_, motifs_, data_.recording(), axis_, unseen_, run_);
    imputation_.evaluate(motifs_, activations_, run_);
    const double value = divergence(motifs_, activations_, data_.recording(), axis_, unseen_, run_);
    state.history.loss.push_back(value);
    state.history.objective.push_back(value);
    if (test_power_ > 0)
        state.history.test_loss.push_back(std::sqrt(imputation_.test_error() / test_power_));
}

bool Descent::step(double x_ortho_weight, FitState& state) {
    if (options_.loss == Loss::kl) {
        poisson_step(state);
        return true;
    }
    const MotifProblem problem = motif_problem(x_ortho_weight);
    const double norm = std::sqrt(motif_kkt(problem) + state.kkt_activations);
    if (state.history.kkt.empty()) state.kkt_start = norm > 0 ? norm : 1.0;
    state.history.kkt.push_back(norm / state.kkt_start);
    if (state.history.kkt.back() < options_.kkt_tolerance) return false;
    update_motifs(problem, state);
    // A component that no bin activates is dead: exact zeros, so that it is seen to be.
    const double trace = problem.gram.trace();
    for (Index k = 0; k < components_; ++k) {
        bool dead = true;
        for (Index l = 0; l < axis_.lags(); ++l) {
            const Index j = motif_column(k, l, components_, axis_.lags());
            dead &= problem.gram(j, j) - options_.penalties.l2_motifs <= kEpsilon * trace;
        }
        if (!dead) continue;
        for (Index l = 0; l < axis_.lags(); ++l)
            motifs_.col(motif_column(k, l, components_, axis_.lags())).setZero();
        activations_.col(k).setZero();
    }
    update_activations(x_ortho_weight, state);
    return true;
}

double Descent::final_kkt(const FitState& state) {
    if (options_.loss == Loss::kl) return std::numeric_limits<double>::quiet_NaN();
    return std::sqrt(motif_kkt(motif_problem(0)) + state.kkt_activations) /
           (state.kkt_start > 0 ? state.kkt_start : 1.0);
}

} // namespace assay::cnmf
