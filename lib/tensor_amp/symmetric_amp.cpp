#include <assay/tensor_amp/symmetric_amp.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

double factorial(Index n) {
    return std::tgamma(static_cast<double>(n) + 1);
}

MatrixXd power(const MatrixXd& matrix, Index exponent) {
    return matrix.array().pow(static_cast<double>(exponent));
}

class Symmetric {
  public:
    Symmetric(const TensorSource& source, PriorPointer prior, double noise_variance,
              const MatrixXd& start, const AmpSettings& settings, const Execution& run)
        : source_(source), settings_(settings), run_(run), order_(source.order()),
          rows_(static_cast<double>(source.shape().front())),
          strength_(std::sqrt(factorial(order_ - 1)) * signal_scale(source.shape())),
          squared_norm_(squared_norm(source, run)) {
        now_.run.mean = start;
        now_.run.prior = std::move(prior);
        now_.run.noise_variance = noise_variance;
        const Index r = start.cols();
        now_.previous = MatrixXd::Zero(start.rows(), r);
        now_.seen = now_.previous;
        const VectorXd expected = rows_ * now_.run.prior->second_moment().diagonal();
        now_.vanishing = start.colwise().squaredNorm().transpose().binaryExpr(
            expected, [](double norm, double size) { return vanishing_share(norm, size); });
        now_.summed = MatrixXd::Zero(r, r);
        entries_ = 1;
        for (Index k = 0; k < order_; ++k) entries_ *= rows_ - static_cast<double>(k);
        fraction_ = entries_ / std::pow(rows_, static_cast<double>(order_));
        damping_ = settings.damping.value_or(parallel_damping(order_));
    }

    // Entries with repeated indices are missing: a share of order 1 / N, taken as if at random.
    // A = Q^{o(p-1)} / Delta; B = N^{-(p-1)/2} MTTKRP / (Delta sqrt((p-1)!))
    //     - (p-1) / Delta S [(V / N) o C^{o(p-2)}]^T, C = X^T S / N, with the mean S that the last
    // field was made of (see AmpState::remember).
    void sweep() {
        const Index r = now_.run.mean.cols();
        const MatrixXd product =
            mttkrp(source_, 0, Factors(static_cast<std::size_t>(order_), now_.run.mean), run_);
        measure_residual(product);
        const double noise = now_.run.noise_variance;
        const MatrixXd gram = now_.run.mean.transpose() * now_.run.mean / rows_;
        const MatrixXd cross = now_.run.mean.transpose() * now_.seen / rows_;
        MatrixXd precision = fraction_ / noise * power(gram, order_ - 1);
        MatrixXd field = strength_ / (factorial(order_ - 1) * noise) * product;
        const MatrixXd reaction = (now_.summed / rows_).cwiseProduct(power(cross, order_ - 2));
        field.noalias() -=
            fraction_ * static_cast<double>(order_ - 1) / noise * now_.seen * reaction.transpose();
        if (now_.sweeps == 0) {
            now_.seen = now_.run.mean;
        } else {
            now_.seen = damping_ * now_.run.mean + (1 - damping_) * now_.seen;
            precision = damping_ * precision + (1 - damping_) * now_.run.precision.reshaped(r, r);
            field = damping_ * field + (1 - damping_) * now_.run.field;
        }
        now_.run.belief = now_.run.prior->denoise_rows(precision, field);
        now_.run.precision = precision.reshaped().transpose();
        now_.run.field = field;
        now_.previous = now_.run.mean;
        now_.run.mean = now_.run.belief.mean;
        now_.summed = now_.run.belief.summed_covariance;
        finish();
    }

    [[nodiscard]] bool running() const { return now_.run.status == AmpStatus::running; }
    [[nodiscard]] const SymmetricIterate& iterate() const { return now_; }
    // Goes on from where a run stood.
    void resume(SymmetricIterate iterate) {
        const MatrixXd& mean = now_.run.mean;
        for (const MatrixXd* one : {&iterate.run.mean, &iterate.previous, &iterate.seen})
            if (one->rows() != mean.rows() || one->cols() != mean.cols())
                throw Error("the state to go on from does not fit the tensor");
        if (iterate.vanishing.size() != mean.cols())
            throw Error("the state to go on from does not fit the tensor");
        now_ = std::move(iterate);
    }
    [[nodiscard]] SymmetricRun take() { return std::move(now_.run); }
    [[nodiscard]] Progress progress() const {
        return {static_cast<double>(now_.sweeps), static_cast<double>(settings_.max_iterations),
                "sweeps", "change " + significant(now_.run.trace.back().change, 2)};
    }

  private:
    // |Y|^2 - 2 T + E over the entries of the full tensor, of the means that the product belongs
    // to.
    void measure_residual(const MatrixXd& product) {
        const MatrixXd gram = now_.run.mean.transpose() * now_.run.mean;
        overlap_ = strength_ * product.cwiseProduct(now_.run.mean).sum();
        const double squares = strength_ * strength_;
        const double fitted = squares * distinct_total();
        expected_ = fitted + fraction_ * squares * static_cast<double>(order_) *
                                 now_.summed.cwiseProduct(power(gram, order_ - 1)).sum();
    }

    // sum over rho, sigma and all tuples of different rows of prod x_rho x_sigma: p! times the
    // elementary symmetric polynomial of the products of each row.
    [[nodiscard]] double distinct_total() const {
        double total = 0;
        const MatrixXd& x = now_.run.mean;
        for (Index k = 0; k < x.cols(); ++k)
            for (Index l = 0; l < x.cols(); ++l) {
                VectorXd polynomial = VectorXd::Zero(order_ + 1);
                polynomial(0) = 1;
                for (Index i = 0; i < x.rows(); ++i)
                    for (Index degree = order_; degree >= 1; --degree)
                        polynomial(degree) += x(i, k) * x(i, l) * polynomial(degree - 1);
                total += polynomial(order_);
            }
        return factorial(order_) * total;
    }

    void finish() {
        ++now_.sweeps;
        const double size = now_.run.mean.norm();
        const double moved = (now_.run.mean - now_.previous).norm();
        double change = size > 0 ? moved / size : (moved > 0 ? 1.0 : 0.0);
        change = std::max(change, now_.learned_change);
        const MatrixXd outer = now_.run.mean.transpose() * now_.run.mean + now_.summed;
        const double field_part =
            now_.run.belief.log_partition - now_.run.field.cwiseProduct(now_.run.mean).sum() +
            0.5 * now_.run.precision.reshaped(outer.rows(), outer.cols()).cwiseProduct(outer).sum();
        // Every entry stands p! times in the full tensor.
        const double data_part =
            (overlap_ - 0.5 * expected_) / (now_.run.noise_variance * factorial(order_));
        now_.run.free_entropy = (field_part + data_part) / rows_;
        now_.run.trace.push_back(
            {change, now_.run.free_entropy, now_.run.noise_variance, damping_});
        judge(change);
        if (running()) learn();
    }

    void judge(double change) {
        const MatrixXd second = now_.run.prior->second_moment();
        const VectorXd square = now_.run.mean.colwise().squaredNorm().transpose() / rows_;
        if (!(square.sum() <= 1e6 * second.trace()))
            now_.run.status = AmpStatus::diverged;
        else if (now_.sweeps >= 3 &&
                 (square.array() < now_.vanishing.array() * second.diagonal().array()).any())
            now_.run.status = AmpStatus::collapsed;
        else if (now_.sweeps >= 3 && change < settings_.tolerance)
            now_.run.status = AmpStatus::converged;
        else if (now_.sweeps >= settings_.max_iterations)
            now_.run.status = AmpStatus::max_iter;
    }

    void learn() {
        if (now_.sweeps < 4) {
            if (settings_.learn_noise || settings_.learn_priors) now_.learned_change = 1;
            return;
        }
        now_.learned_change = 0;
        if (settings_.learn_noise) {
            const double residual = squared_norm_ - 2 * overlap_ + expected_;
            const double before = now_.run.noise_variance;
            now_.run.noise_variance = std::max(residual, 1e-14 * squared_norm_) / entries_ + 1e-300;
            now_.learned_change = std::abs(now_.run.noise_variance / before - 1);
        }
        if (settings_.learn_priors)
            now_.run.prior = now_.run.prior->maximised(now_.run.belief, settings_.tie_components);
    }

    const TensorSource& source_;
    const AmpSettings& settings_;
    const Execution& run_;
    Index order_;
    double rows_, strength_, squared_norm_;
    double entries_ = 0, fraction_ = 1; // without repeated indices, which are missing
    SymmetricIterate now_;
    double overlap_ = 0, expected_ = 0, damping_ = 0.5;
};

} // namespace

void check_cubic_tensor(const Shape& shape) {
    if (std::any_of(shape.begin(), shape.end(),
                    [&](Index length) { return length != shape.front(); }))
        throw Error("symmetric: the dimensions of the tensor differ");
}

template <class Scalar>
void clear_repeated_indices(Scalar* values, Index first, Index count, const Shape& shape) {
    const Index length = shape.front();
    std::vector<Index> index(shape.size() - 1); // all but the last
    for (Index fibre = 0; fibre < count / length; ++fibre, values += length) {
        Index rest = first / length + fibre;
        for (Index& i : index) {
            i = rest % length;
            rest /= length;
        }
        std::sort(index.begin(), index.end());
        if (std::adjacent_find(index.begin(), index.end()) != index.end())
            std::fill(values, values + length, Scalar{0});
        else
            for (const Index i : index) values[i] = 0;
    }
}
template ASSAY_API void clear_repeated_indices(double*, Index, Index, const Shape&);
template ASSAY_API void clear_repeated_indices(float*, Index, Index, const Shape&);

template <class Scalar>
void clear_repeated_indices(TensorOf<Scalar>& tensor) {
    const Shape& shape = tensor.shape;
    check_cubic_tensor(shape);
    const auto largest = static_cast<double>(tensor.values.cwiseAbs().maxCoeff());
    clear_repeated_indices(tensor.values.data(), 0, tensor.values.size(), shape);
    std::vector<Index> index(shape.size());
    for (Index flat = 0; flat < tensor.values.size(); ++flat) {
        Index rest = flat, sorted = 0;
        for (Index& i : index) {
            i = rest % shape.front();
            rest /= shape.front();
        }
        std::sort(index.begin(), index.end());
        for (const Index i : index) sorted = sorted * shape.front() + i;
        const auto difference = static_cast<double>(tensor.values(flat) - tensor.values(sorted));
        if (!(std::abs(difference) <= kSymmetryRounding * largest))
            throw Error(concat("symmetric: entry ", flat, " (C order) is ", tensor.values(flat),
                               ", that of its sorted indices ", tensor.values(sorted)));
    }
}
template ASSAY_API void clear_repeated_indices(DenseTensor&);
template ASSAY_API void clear_repeated_indices(FloatTensor&);

void check_symmetric(const TensorSource& source) {
    const Shape& shape = source.shape();
    check_cubic_tensor(shape);
    if (source.masked()) throw Error("symmetric: entries are missing; none may be");
    if (shape.front() <= source.order())
        throw Error("symmetric: the tensor has no entry without repeated indices to spare");
}

SymmetricRun run_symmetric_amp(const TensorSource& source, const PriorPointer& prior,
                               double noise_variance, const MatrixXd& start,
                               const AmpSettings& settings, const Execution& run,
                               const Keeping<SymmetricIterate>& keeping) {
    check_symmetric(source);
    if (!(noise_variance > 0))
        throw Error(concat("noise variance ", noise_variance, "; a number above 0 is expected"));
    if (start.rows() != source.shape().front() || start.cols() != prior->rank())
        throw Error(concat("a start of ", start.rows(), " x ", start.cols(), "; ",
                           source.shape().front(), " x ", prior->rank(), " is expected"));
    Symmetric fit(source, prior, noise_variance, start, settings, run);
    if (keeping.resume) fit.resume(*keeping.resume);
    SafePoints safe_points(keeping, *run.monitor);
    while (fit.running()) {
        safe_points.step([&] { return fit.iterate(); }, [&] { fit.sweep(); });
        run.monitor->progress(fit.progress());
    }
    return fit.take();
}

} // namespace assay::tensor_amp
