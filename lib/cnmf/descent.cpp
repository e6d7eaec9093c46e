#include <assay/cnmf/descent.hpp>

#include <assay/cnmf/poisson_updates.hpp>
#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::cnmf {
namespace {

// The Gram identity subtracts numbers of the size of |X|^2: squared relative losses below these
// have lost their digits.
constexpr double kLosesDigits = 1e-10, kLosesDigitsFloat32 = 1e-6;

bool fell(const History& history) {
    return history.objective.back() < history.objective[history.objective.size() - 2];
}

void drop_last(History& history) {
    for (auto* values : {&history.loss, &history.objective, &history.kkt}) values->pop_back();
    if (!history.test_loss.empty()) history.test_loss.pop_back();
}

} // namespace

Descent::Descent(const Data& data, DataProducts& products, const Unseen& unseen,
                 const FitOptions& options, const Execution& run)
    : data_(data), products_(products), axis_(products.axis()), unseen_(unseen), options_(options),
      run_(run), components_(options.components),
      seen_power_(data.survey().squared_norm - unseen.stored_power),
      loses_digits_(data.choice().precision == Precision::float32 ? kLosesDigitsFloat32
                                                                  : kLosesDigits),
      imputation_(unseen, axis_) {
    for (std::size_t i = 0; i < unseen.stored.size(); ++i)
        if (unseen.tested[i]) test_power_ += unseen.stored[i] * unseen.stored[i];
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

std::optional<Model> Descent::before() const {
    if (motifs_before_.size() == 0) return std::nullopt;
    return Model{components_, axis_.lags(), motifs_before_, axis_.unpadded(activations_before_)};
}

void Descent::set_model(Model model, std::optional<Model> before) {
    motifs_ = std::move(model.motifs);
    activations_ = axis_.padded(model.activations);
    motifs_before_ = before ? std::move(before->motifs) : Matrix();
    activations_before_ = before ? axis_.padded(before->activations) : TimeMatrix();
    imputation_.evaluate(motifs_, activations_, run_);
}

double Descent::exact_squared_error() const {
    return evaluate(model(), data_.recording(), unseen_, run_).squared_error;
}

void Descent::record(double squared_error, double penalty, FitState& state) const {
    squared_error = std::max(0.0, squared_error);
    if (squared_error < loses_digits_ * seen_power_) squared_error = exact_squared_error();
    state.history.loss.push_back(std::sqrt(squared_error / seen_power_));
    state.history.objective.push_back(0.5 * squared_error + penalty);
    if (test_power_ > 0)
        state.history.test_loss.push_back(std::sqrt(imputation_.test_error() / test_power_));
}

void Descent::settle(FitState& state) const {
    if (data_.choice().precision == Precision::float64) return;
    const double before = std::pow(state.history.loss.back(), 2) * seen_power_;
    const double exact = exact_squared_error();
    state.history.loss.back() = std::sqrt(exact / seen_power_);
    state.history.objective.back() += 0.5 * (exact - before);
}

TimeMatrix Descent::linear_gradient(const TimeMatrix& g, double x_ortho) const {
    const double l1 = options_.penalties.l1_activations;
    TimeMatrix linear;
    if (!(l1 > 0 || x_ortho > 0)) return linear;
    if (x_ortho > 0) {
        linear = sum_of_others(window_sums(g, axis_));
        linear *= x_ortho;
    } else {
        linear.setZero(g.rows(), g.cols());
    }
    linear.array() += l1;
    axis_.clear_padding(linear);
    return linear;
}

// Of several arrays of the size of H no more are alive at once than a formula needs.
void Descent::begin(Model start, bool scaled, double x_ortho_weight, FitState& state) {
    set_model(std::move(start));
    const Penalties& p = options_.penalties;
    TimeMatrix g = products_.with_motifs(motifs_, run_);
    // C * H, of which the gradient is made.
    TimeMatrix gradient =
        correlate(MotifCorrelation(motifs_, components_), activations_, axis_, run_);
    // Over seen entries only: <X, Xhat> and |Xhat|^2.
    double data_inner = inner_product(activations_, g),
           model_power = inner_product(activations_, gradient);
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
        state.kkt_start = divergence_gradient_norm();
        record_divergence(state);
        return;
    }
    g *= root;
    imputation_.add_to(g, motifs_, run_);
    // The gradient in H at the start, for the KKT residual; its linear part also gives the values
    // of l1 and x-ortho.
    const TimeMatrix linear = linear_gradient(g, x_ortho_weight);
    gradient = scale * root * gradient - g + p.l2_activations * activations_;
    if (linear.size() > 0) gradient += linear;
    if (p.events > 0) gradient += p.events * sum_of_others(window_sums(activations_, axis_));
    axis_.clear_padding(gradient);
    const double penalty = p.l1_motifs * motifs_.sum() + 0.5 * p.l2_motifs * motifs_.squaredNorm() +
                           (linear.size() > 0 ? inner_product(activations_, linear) : 0.0) +
                           0.5 * p.l2_activations * activations_.squaredNorm() +
                           p.events * events_value(activations_, axis_) +
                           p.parts * parts_value(motifs_, components_);
    record(seen_power_ - 2 * scale * data_inner + scale * scale * model_power, penalty, state);
    state.kkt_activations = projected_gradient_norm(activations_, gradient);
}

Descent::MotifProblem Descent::motif_problem(double x_ortho) {
    MotifProblem problem;
    const Penalties& p = options_.penalties;
    problem.product = products_.with_activations(activations_, run_);
    imputation_.add_to(problem.product, activations_, run_);
    problem.gram = activation_gram(activations_, axis_, run_);
    edit_gram(problem.gram, components_, p.l2_motifs, p.parts);
    if (p.l1_motifs > 0)
        problem.linear = Matrix::Constant(motifs_.rows(), motifs_.cols(), p.l1_motifs);
    if (x_ortho > 0 && p.x_ortho_in_motifs) {
        const TimeMatrix smoothed = window_sums(activations_, axis_);
        Matrix product = products_.with_activations(smoothed, run_);
        imputation_.add_to(product, smoothed, run_);
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
        const Index fallbacks = anls_motifs(motifs_, problem.gram, right_side, components_, run_);
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
    imputation_.add_to(g, motifs_, run_);
    const TimeMatrix linear = linear_gradient(g, x_ortho);
    MotifCorrelation correlation(motifs_, components_);
    correlation.add_penalties(p.l2_activations, p.events);
    // C * H less the edited right side, without copies of either.
    const auto gradient_now = [&] {
        TimeMatrix difference = correlate(correlation, activations_, axis_, run_);
        if (linear.size() > 0)
            difference -= g - linear;
        else
            difference -= g;
        return difference;
    };

    TimeMatrix gradient;
    if (options_.algorithm == Algorithm::mult) {
        multiply_activations(activations_, correlate(correlation, activations_, axis_, run_), g,
                             linear, axis_);
        if (options_.unlock) {
            activations_ = activations_.cwiseMax(kEpsilon);
            axis_.clear_padding(activations_);
        }
        gradient = gradient_now();
    } else {
        gradient = gradient_now();
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

double Descent::divergence_gradient_norm() const {
    return poisson_gradient_norm(motifs_, activations_, data_.recording(), axis_, unseen_, run_);
}

void Descent::poisson_step(FitState& state) {
    poisson_update_motifs(motifs_, activations_, data_.recording(), axis_, unseen_, run_);
    poisson_update_activations(activations_, motifs_, data_.recording(), axis_, unseen_, run_);
    if (options_.unlock) {
        motifs_ = motifs_.cwiseMax(kEpsilon);
        activations_ = activations_.cwiseMax(kEpsilon);
        axis_.clear_padding(activations_);
    }
    record_divergence(state);
}

void Descent::record_divergence(FitState& state) {
    imputation_.evaluate(motifs_, activations_, run_);
    // Over seen entries: |X|^2 - 2 <X, Xhat> + |Xhat|^2.
    const TimeMatrix g = products_.with_motifs(motifs_, run_);
    const MotifCorrelation correlation(motifs_, components_);
    double squared_error =
        data_.survey().squared_norm - 2 * inner_product(activations_, g) +
        inner_product(activations_, correlate(correlation, activations_, axis_, run_));
    for (std::size_t i = 0; i < unseen_.stored.size(); ++i)
        squared_error -= std::pow(unseen_.stored[i] - imputation_.values()[i], 2);
    record(squared_error, 0, state);
    state.history.objective.back() =
        divergence(motifs_, activations_, data_.recording(), axis_, unseen_, run_);
}

bool Descent::step(double x_ortho_weight, FitState& state, KktStop stop) {
    if (options_.loss == Loss::kl) {
        poisson_step(state);
        return true;
    }
    if (!extrapolates(options_)) return half_steps(x_ortho_weight, std::nullopt, state, stop);
    const double weight = activations_before_.size() > 0 ? state.extrapolation.value : 0.0;
    if (weight == 0) return half_steps(x_ortho_weight, weight, state, stop);
    const Matrix motifs = motifs_;
    const double kkt_activations = state.kkt_activations;
    const Index fallbacks = state.fallbacks;
    const bool made = half_steps(x_ortho_weight, weight, state, stop);
    if (made && fell(state.history)) {
        state.extrapolation.grow();
        return true;
    }
    // A plain iteration from where the extrapolation began, unless the gradient at that very place
    // says that this is the end.
    if (made) {
        state.extrapolation.shrink();
        drop_last(state.history);
        state.kkt_activations = kkt_activations;
        state.fallbacks = fallbacks;
    }
    motifs_ = motifs_before_ = motifs;
    activations_ = activations_before_;
    return half_steps(x_ortho_weight, 0.0, state, stop);
}

bool Descent::half_steps(double x_ortho_weight, std::optional<double> extrapolation,
                         FitState& state, KktStop stop) {
    if (extrapolation) {
        extrapolate(activations_, activations_before_, *extrapolation);
        hold_ends();
        if (!unseen_.mask.empty()) imputation_.evaluate(motifs_, activations_, run_);
    }
    const MotifProblem problem = motif_problem(x_ortho_weight);
    const double norm = std::sqrt(motif_kkt(problem) + state.kkt_activations);
    if (state.history.kkt.empty()) state.kkt_start = norm > 0 ? norm : 1.0;
    if (stop == KktStop::allowed && norm < options_.kkt_tolerance * state.kkt_start) return false;
    state.history.kkt.push_back(norm / state.kkt_start);
    update_motifs(problem, state);
    silence_dead_components(problem.gram);
    if (extrapolation) extrapolate(motifs_, motifs_before_, *extrapolation);
    update_activations(x_ortho_weight, state);
    return true;
}

// What is active in the last L - 1 bins of a segment is seen in part: little holds it back.
void Descent::hold_ends() {
    for (const Segment& segment : axis_.segments()) {
        const Index held = std::min(axis_.lags() - 1, segment.bins);
        const Index first = segment.first_row + segment.bins - held;
        activations_.middleRows(first, held) = activations_before_.middleRows(first, held);
    }
}

// A component that explains nothing, |W_k * H_k| beyond the digits of the whole, is dead: exact
// zeros, so that it is seen to be. Powers by the diagonal of A do not depend on how scale is shared
// between W and H.
void Descent::silence_dead_components(const Matrix& gram) {
    const Index lags = axis_.lags();
    Vector power = Vector::Zero(components_);
    for (Index j = 0; j < motifs_.cols(); ++j)
        power(j % components_) +=
            (gram(j, j) - options_.penalties.l2_motifs) * motifs_.col(j).squaredNorm();
    for (Index k = 0; k < components_; ++k) {
        if (power(k) > kEpsilon * power.sum()) continue;
        for (Index l = 0; l < lags; ++l)
            motifs_.col(motif_column(k, l, components_, lags)).setZero();
        activations_.col(k).setZero();
    }
}

TimeMatrix Descent::activation_gradient() {
    const Penalties& p = options_.penalties;
    TimeMatrix g = products_.with_motifs(motifs_, run_);
    imputation_.add_to(g, motifs_, run_);
    MotifCorrelation correlation(motifs_, components_);
    correlation.add_penalties(p.l2_activations, p.events);
    TimeMatrix gradient = correlate(correlation, activations_, axis_, run_);
    gradient -= g;
    gradient.array() += p.l1_activations;
    axis_.clear_padding(gradient);
    return gradient;
}

double Descent::final_kkt(const FitState& state) {
    const double norm =
        options_.loss == Loss::kl
            ? divergence_gradient_norm()
            : std::sqrt(motif_kkt(motif_problem(0)) +
                        projected_gradient_norm(activations_, activation_gradient()));
    return norm / (state.kkt_start > 0 ? state.kkt_start : 1.0);
}

} // namespace assay::cnmf
