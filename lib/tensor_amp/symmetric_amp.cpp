#include <assay/tensor_amp/symmetric_amp.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/mttkrp.hpp>

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
        result_.mean = start;
        result_.prior = std::move(prior);
        result_.noise_variance = noise_variance;
        const Index r = start.cols();
        previous_ = MatrixXd::Zero(start.rows(), r);
        summed_ = MatrixXd::Zero(r, r);
        entries_ = 1;
        for (Index k = 0; k < order_; ++k) entries_ *= rows_ - static_cast<double>(k);
        fraction_ = entries_ / std::pow(rows_, static_cast<double>(order_));
        damping_ = settings.damping.value_or(0.5);
    }

    // Entries with repeated indices are missing: a share of order 1 / N, taken as if at random.
    // A = Q^{o(p-1)} / Delta; B = N^{-(p-1)/2} MTTKRP / (Delta sqrt((p-1)!))
    //     - (p-1) / Delta X_{t-1} [(V / N) o C^{o(p-2)}]^T, C = X_t^T X_{t-1} / N.
    void sweep() {
        const Index r = result_.mean.cols();
        const MatrixXd product =
            mttkrp(source_, 0, Factors(static_cast<std::size_t>(order_), result_.mean), run_);
        measure_residual(product);
        const double noise = result_.noise_variance;
        const MatrixXd gram = result_.mean.transpose() * result_.mean / rows_;
        const MatrixXd cross = result_.mean.transpose() * previous_ / rows_;
        MatrixXd precision = fraction_ / noise * power(gram, order_ - 1);
        MatrixXd field = strength_ / (factorial(order_ - 1) * noise) * product;
        const MatrixXd reaction = (summed_ / rows_).cwiseProduct(power(cross, order_ - 2));
        field.noalias() -=
            fraction_ * static_cast<double>(order_ - 1) / noise * previous_ * reaction.transpose();
        if (sweeps_ > 0) {
            precision = damping_ * precision + (1 - damping_) * result_.precision.reshaped(r, r);
            field = damping_ * field + (1 - damping_) * result_.field;
        }
        result_.belief = result_.prior->denoise_rows(precision, field);
        result_.precision = precision.reshaped().transpose();
        result_.field = field;
        previous_ = result_.mean;
        result_.mean = result_.belief.mean;
        summed_ = result_.belief.summed_covariance;
        finish();
    }

    [[nodiscard]] bool running() const { return result_.status == AmpStatus::running; }
    [[nodiscard]] SymmetricRun take() { return std::move(result_); }
    [[nodiscard]] Progress progress() const {
        return {static_cast<double>(sweeps_), static_cast<double>(settings_.max_iterations),
                "sweeps", "change " + significant(result_.trace.back().change, 2)};
    }

  private:
    // |Y|^2 - 2 T + E over the entries of the full tensor, of the means that the product belongs
    // to.
    void measure_residual(const MatrixXd& product) {
        const MatrixXd gram = result_.mean.transpose() * result_.mean;
        overlap_ = strength_ * product.cwiseProduct(result_.mean).sum();
        const double squares = strength_ * strength_;
        const double fitted = squares * distinct_total();
        expected_ = fitted + fraction_ * squares * static_cast<double>(order_) *
                                 summed_.cwiseProduct(power(gram, order_ - 1)).sum();
        if (squared_norm_ > 0) result_.explained_variance = (2 * overlap_ - fitted) / squared_norm_;
    }

    // sum over rho, sigma and all tuples of different rows of prod x_rho x_sigma: p! times the
    // elementary symmetric polynomial of the products of each row.
    [[nodiscard]] double distinct_total() const {
        double total = 0;
        const MatrixXd& x = result_.mean;
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
        ++sweeps_;
        const double size = result_.mean.norm();
        const double moved = (result_.mean - previous_).norm();
        double change = size > 0 ? moved / size : (moved > 0 ? 1.0 : 0.0);
        change = std::max(change, learned_change_);
        const MatrixXd outer = result_.mean.transpose() * result_.mean + summed_;
        const double field_part =
            result_.belief.log_partition - result_.field.cwiseProduct(result_.mean).sum() +
            0.5 * result_.precision.reshaped(outer.rows(), outer.cols()).cwiseProduct(outer).sum();
        // Every entry stands p! times in the full tensor.
        const double data_part =
            (overlap_ - 0.5 * expected_) / (result_.noise_variance * factorial(order_));
        result_.free_entropy = (field_part + data_part) / rows_;
        result_.trace.push_back({change, result_.free_entropy, result_.noise_variance, damping_});
        judge(change);
        if (running()) learn();
    }

    void judge(double change) {
        const MatrixXd second = result_.prior->second_moment();
        const VectorXd square = result_.mean.colwise().squaredNorm().transpose() / rows_;
        if (!(square.sum() <= 1e6 * second.trace()))
            result_.status = AmpStatus::diverged;
        else if (sweeps_ >= 3 && (square.array() < 1e-6 * second.diagonal().array()).any())
            result_.status = AmpStatus::collapsed;
        else if (sweeps_ >= 3 && change < settings_.tolerance)
            result_.status = AmpStatus::converged;
        else if (sweeps_ >= settings_.max_iterations)
            result_.status = AmpStatus::max_iter;
    }

    void learn() {
        if (sweeps_ < 4) {
            if (settings_.learn_noise || settings_.learn_priors) learned_change_ = 1;
            return;
        }
        learned_change_ = 0;
        if (settings_.learn_noise) {
            const double residual = squared_norm_ - 2 * overlap_ + expected_;
            const double before = result_.noise_variance;
            result_.noise_variance = std::max(residual, 1e-14 * squared_norm_) / entries_ + 1e-300;
            learned_change_ = std::abs(result_.noise_variance / before - 1);
        }
        if (settings_.learn_priors)
            result_.prior = result_.prior->maximised(result_.belief, settings_.tie_components);
    }

    const TensorSource& source_;
    const AmpSettings& settings_;
    const Execution& run_;
    Index order_;
    double rows_, strength_, squared_norm_;
    double entries_ = 0, fraction_ = 1; // without repeated indices, which are missing
    SymmetricRun result_;
    MatrixXd previous_, summed_;
    double overlap_ = 0, expected_ = 0, damping_ = 0.5, learned_change_ = 0;
    int sweeps_ = 0;
};

} // namespace

void clear_repeated_indices(DenseTensor& tensor) {
    const Shape& shape = tensor.shape;
    if (std::any_of(shape.begin(), shape.end(),
                    [&](Index length) { return length != shape.front(); }))
        throw Error("symmetric: the dimensions of the tensor differ");
    constexpr double rounding = 1e-6;
    const double largest = tensor.values.cwiseAbs().maxCoeff();
    std::vector<Index> index(shape.size());
    for (Index flat = 0; flat < tensor.values.size(); ++flat) {
        Index rest = flat, sorted = 0;
        for (Index& i : index) {
            i = rest % shape.front();
            rest /= shape.front();
        }
        std::sort(index.begin(), index.end());
        if (std::adjacent_find(index.begin(), index.end()) != index.end()) {
            tensor.values(flat) = 0;
            continue;
        }
        for (const Index i : index) sorted = sorted * shape.front() + i;
        if (!(std::abs(tensor.values(flat) - tensor.values(sorted)) <= rounding * largest))
            throw Error(concat("symmetric: entry ", flat, " (C order) is ", tensor.values(flat),
                               ", that of its sorted indices ", tensor.values(sorted)));
    }
}

void check_symmetric(const TensorSource& source) {
    const Shape& shape = source.shape();
    if (std::any_of(shape.begin(), shape.end(),
                    [&](Index length) { return length != shape.front(); }))
        throw Error("symmetric: the dimensions of the tensor differ");
    if (source.masked()) throw Error("symmetric: entries are missing; none may be");
    if (shape.front() <= source.order())
        throw Error("symmetric: the tensor has no entry without repeated indices to spare");
}

SymmetricRun run_symmetric_amp(const TensorSource& source, const PriorPointer& prior,
                               double noise_variance, const MatrixXd& start,
                               const AmpSettings& settings, const Execution& run) {
    check_symmetric(source);
    if (!(noise_variance > 0))
        throw Error(concat("noise variance ", noise_variance, "; a number above 0 is expected"));
    if (start.rows() != source.shape().front() || start.cols() != prior->rank())
        throw Error(concat("a start of ", start.rows(), " x ", start.cols(), "; ",
                           source.shape().front(), " x ", prior->rank(), " is expected"));
    Symmetric fit(source, prior, noise_variance, start, settings, run);
    while (fit.running()) {
        run.monitor->stop_if_interrupted();
        fit.sweep();
        run.monitor->progress(fit.progress());
    }
    return fit.take();
}

} // namespace assay::tensor_amp
