#include <assay/tensor_amp/amp_state.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/tensor_amp/scale_gauge.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

// Row i of `flat` (r^2 numbers) as a matrix; the only row where all rows share it.
MatrixXd row_matrix(const MatrixXd& flat, Index row, Index rank) {
    return flat.row(flat.rows() == 1 ? 0 : row).reshaped(rank, rank);
}

// vec(x_i y_i^T) of every row: N_b x r^2, the row index of the outer product running fastest.
MatrixXd row_outer_products(const MatrixXd& x, const MatrixXd& y) {
    const Index r = x.cols();
    MatrixXd products(x.rows(), r * r);
    for (Index l = 0; l < r; ++l)
        for (Index k = 0; k < r; ++k) products.col(k + l * r) = x.col(k).cwiseProduct(y.col(l));
    return products;
}

// The columns of symmetric r x r matrices, one a row, that lie on and below the diagonal; and all
// of them again.
MatrixXd lower_columns(const MatrixXd& flat, Index r) {
    MatrixXd lower(flat.rows(), r * (r + 1) / 2);
    Index column = 0;
    for (Index l = 0; l < r; ++l)
        for (Index k = l; k < r; ++k) lower.col(column++) = flat.col(k + l * r);
    return lower;
}
MatrixXd from_lower_columns(const MatrixXd& lower, Index r) {
    MatrixXd flat(lower.rows(), r * r);
    Index column = 0;
    for (Index l = 0; l < r; ++l)
        for (Index k = l; k < r; ++k)
            flat.col(k + l * r) = flat.col(l + k * r) = lower.col(column++);
    return flat;
}

MatrixXd on_every_row(const MatrixXd& flat, Index rows) {
    return flat.rows() == rows ? flat : MatrixXd(flat.replicate(rows, 1));
}

// Whether the change has not fallen by a tenth over the last sweeps, without the free entropy
// rising all the while (as it does where a prior is learned slowly).
bool stalled(const std::vector<SweepTrace>& trace, int since, double least) {
    constexpr std::size_t window = 8;
    if (trace.size() < static_cast<std::size_t>(since) + window + 1) return false;
    const double now = trace.back().change;
    const double before = trace[trace.size() - 1 - window].change;
    const bool rising = std::is_sorted(
        trace.end() - window, trace.end(),
        [](const SweepTrace& a, const SweepTrace& b) { return a.free_entropy < b.free_entropy; });
    return now > 0.9 * before && now > least && !rising;
}

// Beliefs about consecutive rows as one.
Belief stacked_beliefs(const std::vector<Belief>& parts, Index rows, Index rank) {
    Belief whole = Belief::of_rows(rows, rank);
    const bool common = parts.front().covariance.rows() < parts.front().mean.rows();
    if (common) whole.covariance = parts.front().covariance;
    Index first = 0;
    for (const Belief& part : parts) {
        const Index count = part.mean.rows();
        whole.mean.middleRows(first, count) = part.mean;
        if (!common) whole.covariance.middleRows(first, count) = part.covariance;
        whole.summed_covariance += part.summed_covariance;
        whole.log_partition += part.log_partition;
        if (part.active.size() > 0)
            whole.active =
                whole.active.size() > 0 ? VectorXd(whole.active + part.active) : part.active;
        first += count;
    }
    return whole;
}

bool all_gaussian(const std::vector<PriorPointer>& priors) {
    return std::all_of(priors.begin(), priors.end(),
                       [](const PriorPointer& prior) { return prior->gaussian(); });
}

// Rows are cut into blocks by their number alone, so that sums have the same bits for all threads.
constexpr Index kRowBlock = 512;

} // namespace

double vanishing_share(double squared_norm, double expected) {
    constexpr double vanished = 1e-6, least_start = 1e-12;
    return vanished * std::clamp(squared_norm / expected, least_start, 1.0);
}

std::string status_name(AmpStatus status) {
    switch (status) {
    case AmpStatus::running:
        return "running";
    case AmpStatus::converged:
        return "converged";
    case AmpStatus::max_iter:
        return "max-iter";
    case AmpStatus::collapsed:
        return "collapsed";
    case AmpStatus::diverged:
        break;
    }
    return "diverged";
}

AmpState::AmpState(Shape shape, std::vector<PriorPointer> priors, Factors start,
                   double noise_variance, Observation observation, AmpSettings settings)
    : shape_(std::move(shape)), observation_(std::move(observation)), settings_(settings),
      scale_(signal_scale(shape_)), waiting_(shape_.size()) {
    now_.priors = std::move(priors);
    now_.noise_variance = noise_variance;
    now_.squared_norm = observation_.squared_norm;
    now_.mean = std::move(start);
    check_sizes();
    if (!(noise_variance > 0))
        throw Error(concat("noise variance ", noise_variance,
                           "; a number "
                           "above 0 is expected"));
    const std::size_t modes = shape_.size();
    const Index r = now_.priors.front()->rank();
    now_.gram = gram_matrices(now_.mean);
    now_.summed.assign(modes, MatrixXd::Zero(r, r));
    now_.seen.assign(modes, now_.mean);
    now_.belief.resize(modes);
    now_.fields.resize(modes);
    now_.row_scales.resize(modes);
    now_.vanishing.resize(static_cast<Index>(modes), r);
    for (std::size_t a = 0; a < modes; ++a) {
        const VectorXd expected =
            static_cast<double>(shape_[a]) * now_.priors[a]->second_moment().diagonal();
        for (Index k = 0; k < r; ++k)
            now_.vanishing(static_cast<Index>(a), k) =
                vanishing_share(now_.gram[a](k, k), expected(k));
        now_.previous.emplace_back(MatrixXd::Zero(now_.mean[a].rows(), r));
        now_.belief[a].covariance = MatrixXd::Zero(1, r * r);
    }
    settings_.gauge = settings_.gauge && all_gaussian(now_.priors);
    if (settings_.learn_noise || settings_.learn_priors) now_.learned_change = INFINITY;
    const double first = settings_.schedule == Schedule::parallel
                             ? parallel_damping(static_cast<Index>(modes))
                             : 1.0;
    now_.damping = settings_.damping.value_or(first);
}

AmpState::AmpState(Shape shape, Observation observation, AmpSettings settings, AmpIterate iterate)
    : shape_(std::move(shape)), observation_(std::move(observation)), settings_(settings),
      scale_(signal_scale(shape_)), now_(std::move(iterate)), waiting_(shape_.size()) {
    check_sizes();
    const std::size_t modes = shape_.size();
    const Index r = now_.priors.front()->rank();
    bool fits = now_.previous.size() == modes && now_.belief.size() == modes &&
                now_.fields.size() == modes && now_.gram.size() == modes &&
                now_.seen.size() == modes && now_.summed.size() == modes &&
                now_.row_scales.size() == modes &&
                now_.vanishing.rows() == static_cast<Index>(modes) && now_.vanishing.cols() == r;
    for (std::size_t a = 0; fits && a < modes; ++a) {
        fits = now_.previous[a].rows() == shape_[a] && now_.previous[a].cols() == r;
        for (const MatrixXd* square : {&now_.gram[a], &now_.summed[a]})
            fits = fits && square->rows() == r && square->cols() == r;
        fits = fits && now_.seen[a].size() == modes;
        for (std::size_t b = 0; fits && b < modes; ++b)
            fits = now_.seen[a][b].rows() == shape_[b] && now_.seen[a][b].cols() == r;
    }
    if (!fits) throw Error("the state to go on from does not fit the tensor");
    settings_.gauge = settings_.gauge && all_gaussian(now_.priors);
}

// Priors and means of the tensor's modes, all of one rank.
void AmpState::check_sizes() const {
    if (now_.priors.size() != shape_.size() || now_.mean.size() != shape_.size())
        throw Error(concat("a tensor of ", shape_.size(), " modes has ", now_.priors.size(),
                           " priors and ", now_.mean.size(), " factors"));
    const Index r = now_.priors.front()->rank();
    for (Index a = 0; a < static_cast<Index>(shape_.size()); ++a) {
        const MatrixXd& mean = now_.mean[at(a)];
        if (mean.rows() != shape_[at(a)] || mean.cols() != r || now_.priors[at(a)]->rank() != r)
            throw Error(concat("mode ", a, ": a start of ", mean.rows(), " x ", mean.cols(), "; ",
                               shape_[at(a)], " x ", r, " is expected"));
    }
}

const MatrixXd& AmpState::covariance(Index mode) const {
    return now_.belief[at(mode)].covariance;
}
const MatrixXd& AmpState::precision(Index mode) const {
    return now_.fields[at(mode)].precision;
}
const MatrixXd& AmpState::field(Index mode) const {
    return now_.fields[at(mode)].field;
}
const VectorXd& AmpState::row_scales(Index mode) const {
    return now_.row_scales[at(mode)];
}

// Fisher information of an entry's mean under the scaling of the model: 1 / (Delta N^{p-1}).
double AmpState::kappa() const {
    return scale_ * scale_ / now_.noise_variance;
}

// The modes that answer to the mean of a row of `mode`; under variational Bayes none does.
std::vector<Index> AmpState::reacting_modes(Index mode) const {
    std::vector<Index> reacting;
    if (settings_.inference == Inference::variational) return reacting;
    for (Index b = 0; b < static_cast<Index>(shape_.size()); ++b)
        if (b != mode && !now_.summed[at(b)].isZero(0)) reacting.push_back(b);
    return reacting;
}

// o_{b != a} G_b, for variational Bayes of the whole moments G_b + V_b, and for every mode b that
// reacts D_ab = V_b o (o_{g != a,b} C_g), C_g = X_g^T S_g (row: g's mean now; column: g's mean as b
// saw it): what the mean of a row of `mode` did to those of mode b, which comes back with the
// product.
AmpState::FieldSums AmpState::shared_sums(Index mode) const {
    std::vector<MatrixXd> moments = now_.gram;
    if (settings_.inference == Inference::variational)
        for (std::size_t b = 0; b < moments.size(); ++b) moments[b] += now_.summed[b];
    FieldSums sums{observation_.fraction * hadamard_except(moments, {mode}).reshaped().transpose(),
                   {}};
    for (const Index b : reacting_modes(mode)) {
        const Factors& seen = now_.seen[at(b)];
        MatrixXd term = observation_.fraction * now_.summed[at(b)];
        for (Index g = 0; g < static_cast<Index>(shape_.size()); ++g)
            if (g != b && g != mode)
                term.array() *= (now_.mean[at(g)].transpose() * seen[at(g)]).array();
        sums.reactions.emplace_back(b, term.reshaped().transpose());
    }
    return sums;
}

// The same over the observed entries of each row, all of them side by side in one pass.
AmpState::FieldSums AmpState::masked_sums(Index mode) const {
    const Index r = now_.mean.front().cols(), symmetric = r * (r + 1) / 2;
    const std::vector<Index> reacting = reacting_modes(mode);
    const auto terms = static_cast<Index>(reacting.size());
    std::vector<MatrixXd> rows_of;
    for (std::size_t g = 0; g < shape_.size(); ++g) {
        const MatrixXd& mean = now_.mean[g];
        const MatrixXd covariance = on_every_row(now_.belief[g].covariance, shape_[g]);
        MatrixXd moments = row_outer_products(mean, mean);
        if (settings_.inference == Inference::variational) moments += covariance;
        MatrixXd& rows = rows_of.emplace_back(shape_[g], symmetric + terms * r * r);
        rows.leftCols(symmetric) = lower_columns(moments, r);
        for (Index k = 0; k < terms; ++k) {
            const std::size_t b = at(reacting[at(k)]);
            rows.middleCols(symmetric + k * r * r, r * r) =
                g == b ? covariance : row_outer_products(mean, now_.seen[b][g]);
        }
    }
    const MatrixXd all = observation_.masked_sum(mode, rows_of);
    FieldSums sums{from_lower_columns(all.leftCols(symmetric), r), {}};
    for (Index k = 0; k < terms; ++k)
        sums.reactions.emplace_back(reacting[at(k)], all.middleCols(symmetric + k * r * r, r * r));
    return sums;
}

// A_a = kappa (o_{b != a} G_b), B_a = c MTTKRP_a - kappa sum_{b != a} S_a D_ab^T with the mean S_a
// that b saw.
LocalFields AmpState::local_fields(Index mode, const MatrixXd& product) {
    const FieldSums sums = observation_.masked_sum ? masked_sums(mode) : shared_sums(mode);
    precision_sum_ = sums.precision;
    LocalFields fields{kappa() * precision_sum_, scale_ / now_.noise_variance * product};
    const Index r = product.cols();
    reaction_sum_ = MatrixXd::Zero(precision_sum_.rows(), r * r);
    const double strength =
        kappa() * settings_.onsager_noise.value_or(now_.noise_variance) / now_.noise_variance;
    for (const auto& [b, term] : sums.reactions) {
        const MatrixXd& memory = now_.seen[at(b)][at(mode)];
        reaction_sum_ += term;
        if (term.rows() == 1)
            fields.field.noalias() -= strength * memory * term.reshaped(r, r).transpose();
        else
            for (Index i = 0; i < memory.rows(); ++i)
                fields.field.row(i) -=
                    strength * (row_matrix(term, i, r) * memory.row(i).transpose()).transpose();
    }
    return fields;
}

// Expected squares of what the model says of every slice of the mode updated last, without
// N^{-(p-1)}: x^T P x + tr(sigma P) + x^T D x.
VectorXd AmpState::expected_squares(Index mode) const {
    const MatrixXd& mean = now_.mean[at(mode)];
    const MatrixXd outer = row_outer_products(mean, mean);
    const MatrixXd precision = on_every_row(precision_sum_, mean.rows());
    const MatrixXd covariance = on_every_row(now_.belief[at(mode)].covariance, mean.rows());
    return outer.cwiseProduct(precision + on_every_row(reaction_sum_, mean.rows()))
               .rowwise()
               .sum() +
           covariance.cwiseProduct(precision).rowwise().sum();
}

// The share of the new in damped fields, and in what they remember.
double AmpState::newest_share() const {
    return now_.sweeps == 0 ? 1.0 : now_.damping;
}

void AmpState::damp(Index mode, LocalFields& fields) const {
    const double share = newest_share();
    if (share == 1) return;
    const LocalFields& old = now_.fields[at(mode)];
    fields.field = share * fields.field + (1 - share) * old.field;
    fields.precision = share * fields.precision + (1 - share) * old.precision;
}

// The means that the mode's damped field is made of: averages like the field itself. With those of
// the last product alone, the reaction is too strong by what earlier ones left in the field, and a
// signal that grows from an uninformed start is lost to it.
void AmpState::remember(Index mode) {
    const double share = newest_share();
    for (std::size_t b = 0; b < now_.mean.size(); ++b) {
        MatrixXd& seen = now_.seen[at(mode)][b];
        if (share == 1)
            seen = now_.mean[b];
        else
            seen = share * now_.mean[b] + (1 - share) * seen;
    }
}

// Rows share their precision unless entries are missing or rows have scales of their own: with the
// prior of s x, f'(A, B) = s f(s^2 A, s B).
void AmpState::denoise(Index mode, LocalFields fields, int threads) {
    damp(mode, fields);
    const Prior& prior = *now_.priors[at(mode)];
    const VectorXd& scales = now_.row_scales[at(mode)];
    const bool shared = fields.precision.rows() == 1 && scales.size() == 0;
    const Index rows = fields.field.rows();
    const Index r = prior.rank();
    const Blocks blocks{rows, kRowBlock};
    std::vector<Belief> parts(at(blocks.count()));
    parallel_blocks(blocks.count(), threads, [&](Index block) {
        const Index first = blocks.begin(block);
        const Index count = blocks.extent(block);
        Belief& part = parts[at(block)];
        if (shared) {
            part = prior.denoise_rows(fields.precision.reshaped(r, r),
                                      fields.field.middleRows(first, count));
            return;
        }
        part = Belief::of_rows(count, r);
        for (Index i = 0; i < count; ++i) {
            const double s = scales.size() > 0 ? scales(first + i) : 1.0;
            RowBelief row = prior.denoise(s * s * row_matrix(fields.precision, first + i, r),
                                          s * fields.field.row(first + i).transpose());
            row.mean *= s;
            row.covariance *= s * s;
            part.set_row(i, row);
        }
    });
    waiting_[at(mode)] = stacked_beliefs(parts, rows, r);
    now_.fields[at(mode)] = std::move(fields);
}

void AmpState::take(Index mode) {
    const std::size_t a = at(mode);
    now_.previous[a] = std::move(now_.mean[a]);
    now_.belief[a] = std::move(waiting_[a]);
    now_.mean[a] = now_.belief[a].mean;
    now_.gram[a] = now_.mean[a].transpose() * now_.mean[a];
    now_.summed[a] = now_.belief[a].summed_covariance;
}

void AmpState::update_mode(Index mode, const MatrixXd& product, int threads) {
    const bool last = mode == static_cast<Index>(shape_.size()) - 1;
    denoise(mode, local_fields(mode, product), threads);
    // With means that belong together: after the last update in sequence, before all in parallel.
    if (last && settings_.schedule == Schedule::parallel) measure_residual(product);
    if (settings_.schedule == Schedule::sequential) {
        remember(mode);
        take(mode);
        if (last) measure_residual(product);
    }
}

// ||Y||^2 - 2 T + E with T = N^{-(p-1)/2} <MTTKRP_p, X_p> and
// E = N^{-(p-1)} 1^T [o_a G_a + sum_a V_a o (o_{b != a} G_b)] 1.
void AmpState::measure_residual(const MatrixXd& last_product) {
    const Index last = static_cast<Index>(shape_.size()) - 1;
    now_.residual = now_.squared_norm -
                    2 * scale_ * last_product.cwiseProduct(now_.mean[at(last)]).sum() +
                    scale_ * scale_ * expected_squares(last).sum();
}

VectorXd AmpState::slice_residuals(Index mode, const VectorXd& squared_norms,
                                   const MatrixXd& product) const {
    return squared_norms - 2 * scale_ * product.cwiseProduct(now_.mean[at(mode)]).rowwise().sum() +
           scale_ * scale_ * expected_squares(mode);
}

// N Phi = sum_a [sum_i log Z - <B, X> + tr(A (G + V)) / 2] + T / Delta - E / (2 Delta).
void AmpState::update_free_entropy() {
    double total = 0;
    for (std::size_t a = 0; a < now_.mean.size(); ++a) {
        const Belief& belief = now_.belief[a];
        const LocalFields& fields = now_.fields[a];
        total += belief.log_partition - fields.field.cwiseProduct(now_.mean[a]).sum();
        const bool shared = fields.precision.rows() == 1;
        const MatrixXd outer =
            shared ? MatrixXd((now_.gram[a] + now_.summed[a]).reshaped().transpose())
                   : MatrixXd(row_outer_products(now_.mean[a], now_.mean[a]) +
                              on_every_row(belief.covariance, now_.mean[a].rows()));
        total += 0.5 * fields.precision.cwiseProduct(outer).sum();
    }
    total -= (now_.residual - now_.squared_norm) / (2 * now_.noise_variance);
    now_.free_entropy = total / mean_dimension(shape_);
}

// A variance that is learned to be 0 gets there as 1 / sweeps only, and everything with it: then
// what counts is whether the evidence still gains.
bool AmpState::evidence_has_settled() const {
    constexpr std::size_t window = 8;
    if (!settings_.learn_priors || now_.trace.size() <= window) return false;
    const double before = now_.trace[now_.trace.size() - 1 - window].free_entropy;
    return now_.trace.back().change < std::sqrt(settings_.tolerance) &&
           std::abs(now_.free_entropy - before) < settings_.tolerance * std::abs(now_.free_entropy);
}

void AmpState::update_status(double change) {
    bool finite = !std::isnan(change);
    const Index r = now_.mean.front().cols();
    std::vector<Index> small(at(r), 0);
    for (std::size_t a = 0; a < now_.mean.size(); ++a) {
        const MatrixXd square = now_.priors[a]->second_moment();
        const auto rows = static_cast<double>(now_.mean[a].rows());
        double scale = 1;
        if (now_.row_scales[a].size() > 0) scale = now_.row_scales[a].squaredNorm() / rows;
        finite = finite && now_.gram[a].allFinite() &&
                 now_.gram[a].trace() <= 1e6 * rows * scale * square.trace();
        for (Index k = 0; k < r; ++k)
            if (now_.gram[a](k, k) <
                now_.vanishing(static_cast<Index>(a), k) * rows * scale * square(k, k))
                ++small[at(k)];
    }
    if (!finite)
        now_.status = AmpStatus::diverged;
    else if (now_.sweeps >= 3 && *std::max_element(small.begin(), small.end()) >= 2)
        now_.status = AmpStatus::collapsed;
    else if (now_.sweeps >= 3 && (change < settings_.tolerance || evidence_has_settled()))
        now_.status = AmpStatus::converged;
    else if (now_.sweeps >= settings_.max_iterations)
        now_.status = AmpStatus::max_iter;
}

// Near a transition undamped runs wander: damp more whenever the change has stopped falling.
void AmpState::adapt_damping() {
    if (settings_.damping || !stalled(now_.trace, now_.damped_at, 10 * settings_.tolerance)) return;
    now_.damping = std::max(0.7 * now_.damping, 0.2);
    now_.damped_at = now_.sweeps;
}

void AmpState::learn() {
    constexpr int first_learning_sweep = 4;
    if (now_.sweeps < first_learning_sweep) return;
    const bool by_slice = std::any_of(now_.row_scales.begin(), now_.row_scales.end(),
                                      [](const VectorXd& scales) { return scales.size() > 0; });
    // Noise of slices that is learned says itself how far it moved.
    if (!by_slice || !settings_.learn_noise) now_.learned_change = 0;
    if (settings_.learn_noise && !by_slice) {
        const double before = now_.noise_variance;
        const double least = 1e-14 * now_.squared_norm / observation_.entries;
        now_.noise_variance = std::max({now_.residual / observation_.entries, least, 1e-300});
        now_.learned_change = std::abs(now_.noise_variance / before - 1);
    }
    if (settings_.learn_priors) learn_priors();
}

// The belief about x where rows stand for s x.
Belief AmpState::unscaled_belief(Index mode) const {
    Belief belief = now_.belief[at(mode)];
    belief.mean = now_.mean[at(mode)];
    belief.summed_covariance = now_.summed[at(mode)];
    const VectorXd& scales = now_.row_scales[at(mode)];
    if (scales.size() == 0) return belief;
    const VectorXd inverse = scales.cwiseInverse();
    belief.mean = inverse.asDiagonal() * belief.mean;
    belief.covariance = inverse.cwiseAbs2().asDiagonal() * belief.covariance;
    belief.summed_covariance =
        belief.covariance.colwise().sum().reshaped(belief.mean.cols(), belief.mean.cols());
    return belief;
}

void AmpState::learn_priors() {
    if (!settings_.tie_modes) {
        for (std::size_t a = 0; a < now_.priors.size(); ++a)
            now_.priors[a] = now_.priors[a]->maximised(unscaled_belief(static_cast<Index>(a)),
                                                       settings_.tie_components);
        return;
    }
    std::vector<Belief> beliefs;
    Index rows = 0;
    for (std::size_t a = 0; a < now_.priors.size(); ++a) {
        beliefs.push_back(unscaled_belief(static_cast<Index>(a)));
        beliefs.back().covariance = on_every_row(beliefs.back().covariance, shape_[a]);
        rows += shape_[a];
    }
    const PriorPointer common = now_.priors.front()->maximised(
        stacked_beliefs(beliefs, rows, now_.priors.front()->rank()), settings_.tie_components);
    std::fill(now_.priors.begin(), now_.priors.end(), common);
}

void AmpState::scale_column(Index mode, Index component, double factor) {
    const std::size_t a = at(mode);
    const Index r = now_.mean[a].cols();
    now_.mean[a].col(component) *= factor;
    now_.previous[a].col(component) *= factor;
    now_.fields[a].field.col(component) /= factor;
    for (Factors& seen : now_.seen) seen[a].col(component) *= factor;
    for (MatrixXd* matrix : {&now_.gram[a], &now_.summed[a]}) {
        matrix->row(component) *= factor;
        matrix->col(component) *= factor;
    }
    for (Index k = 0; k < r; ++k) {
        now_.belief[a].covariance.col(component + k * r) *= factor;
        now_.belief[a].covariance.col(k + component * r) *= factor;
        now_.fields[a].precision.col(component + k * r) /= factor;
        now_.fields[a].precision.col(k + component * r) /= factor;
    }
}

void AmpState::equilibrate() {
    const auto p = static_cast<Index>(shape_.size());
    const Index r = now_.mean.front().cols();
    for (Index k = 0; k < r; ++k) {
        VectorXd quadratic(p), linear(p), rows(p);
        for (Index a = 0; a < p; ++a) {
            const auto& prior = static_cast<const GaussianPrior&>(*now_.priors[at(a)]);
            const Belief belief = unscaled_belief(a);
            const MatrixXd moment =
                belief.mean.transpose() * belief.mean + belief.summed_covariance;
            const VectorXd pull = prior.precision() * prior.mean();
            rows(a) = static_cast<double>(shape_[at(a)]);
            quadratic(a) = prior.precision()(k, k) * moment(k, k);
            linear(a) = pull(k) * belief.mean.col(k).sum() -
                        prior.precision().row(k).dot(moment.row(k)) + quadratic(a);
        }
        if (!(quadratic.minCoeff() > 0) || !quadratic.allFinite()) continue;
        const VectorXd scales = equilibrium_scales(quadratic, linear, rows);
        for (Index a = 0; a < p; ++a) scale_column(a, k, scales(a));
    }
}

void AmpState::set_slice_noise(Index mode, const VectorXd& noise_of_slices, double squared_norm) {
    const std::size_t a = at(mode);
    now_.noise_variance = noise_of_slices.mean();
    const VectorXd scales = (now_.noise_variance / noise_of_slices.array()).sqrt();
    const VectorXd change =
        now_.row_scales[a].size() > 0 ? VectorXd(scales.cwiseQuotient(now_.row_scales[a])) : scales;
    if (now_.row_scales[a].size() > 0) now_.learned_change = (change.array() - 1).abs().maxCoeff();
    now_.row_scales[a] = scales;
    now_.squared_norm = squared_norm;
    now_.mean[a] = change.asDiagonal() * now_.mean[a];
    now_.previous[a] = change.asDiagonal() * now_.previous[a];
    if (now_.fields[a].field.size() > 0)
        now_.fields[a].field = change.asDiagonal() * now_.fields[a].field;
    now_.belief[a].covariance =
        change.cwiseAbs2().asDiagonal() * on_every_row(now_.belief[a].covariance, shape_[a]);
    now_.gram[a] = now_.mean[a].transpose() * now_.mean[a];
    for (Factors& seen : now_.seen) seen[a] = change.asDiagonal() * seen[a];
    const Index r = now_.mean[a].cols();
    now_.summed[a] = now_.belief[a].covariance.colwise().sum().reshaped(r, r);
}

bool AmpState::finish_sweep() {
    if (settings_.schedule == Schedule::parallel) {
        const auto modes = static_cast<Index>(shape_.size());
        for (Index a = 0; a < modes; ++a) remember(a);
        for (Index a = 0; a < modes; ++a) take(a);
    }
    ++now_.sweeps;
    double change = 0;
    for (std::size_t a = 0; a < now_.mean.size(); ++a) {
        const double size = now_.mean[a].norm();
        const double moved = (now_.mean[a] - now_.previous[a]).norm();
        change = std::max(change, size > 0 ? moved / size : (moved > 0 ? 1.0 : 0.0));
    }
    update_free_entropy();
    now_.trace.push_back({change, now_.free_entropy, now_.noise_variance, now_.damping});
    // What was learned after the last sweep counts as movement, too.
    update_status(std::max(change, now_.learned_change));
    if (now_.status != AmpStatus::running) return false;
    adapt_damping();
    learn();
    if (settings_.gauge && now_.sweeps >= 2) equilibrate();
    return true;
}

} // namespace assay::tensor_amp
