#include <assay/tensor_amp/mixture_channel.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/sparse_prior.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr double kNegligible = 1e-25;   // density
constexpr double kNegligibleTerm = -64; // log density, below that of any point that counts
constexpr Index kLinesAtOnce = 64;

MixtureTerm normal_field(Index directions) {
    MixtureTerm term;
    term.offset = -kLogRootTwoPi * static_cast<double>(directions);
    term.linear = VectorXd::Zero(directions);
    term.precision = MatrixXd::Identity(directions, directions);
    return term;
}

std::vector<MixtureTerm> terms_of(const DiscretePrior& prior, const MatrixXd& basis) {
    const Index rank = prior.rank();
    // A state's field is normal round its place.
    const MatrixXd places = prior.values() * basis;
    std::vector<MixtureTerm> terms;
    for (Index s = 0; s < places.rows(); ++s) {
        MixtureTerm term = normal_field(basis.cols());
        term.linear = places.row(s).transpose();
        term.offset += prior.log_weights()(s) - 0.5 * term.linear.squaredNorm();
        term.base = prior.values().row(s).transpose();
        term.gain = MatrixXd::Zero(rank, basis.cols());
        term.covariance = MatrixXd::Zero(rank, rank);
        terms.push_back(std::move(term));
    }
    return terms;
}

std::vector<MixtureTerm> terms_of(const GaussBernoulliPrior& prior, const MatrixXd& qhat,
                                  const MatrixXd& basis) {
    const Index rank = prior.rank();
    std::vector<MixtureTerm> terms;
    for (const GaussBernoulliPrior::Support& support : prior.supports(qhat)) {
        MixtureTerm term = normal_field(basis.cols());
        term.offset += support.offset;
        term.base = VectorXd::Zero(rank);
        term.gain = MatrixXd::Zero(rank, basis.cols());
        term.covariance = MatrixXd::Zero(rank, rank);
        if (!support.members.empty()) {
            const MatrixXd rows = basis(support.members, Eigen::all);
            const MatrixXd gain = support.covariance * rows;
            const VectorXd pull = VectorXd::Constant(rows.rows(), prior.slab_pull());
            const VectorXd base = support.covariance * pull;
            term.offset += 0.5 * pull.dot(base);
            term.linear = rows.transpose() * base;
            term.precision -= rows.transpose() * gain;
            term.base(support.members) = base;
            term.gain(support.members, Eigen::all) = gain;
            term.covariance(support.members, support.members) = support.covariance;
        }
        terms.push_back(std::move(term));
    }
    return terms;
}

using Array = Eigen::ArrayXd;

// The points of a line along the last axis, which all lines share, and the shapes of the terms on
// it where these are the same on every line (as those of points are).
struct LinePoints {
    LinePoints(const std::vector<MixtureTerm>& terms, const FieldAxis& axis, double step) {
        const Index count = axis.points(step), d = terms.front().linear.size() - 1;
        places = axis.low + step * Array::LinSpaced(count, 0, static_cast<double>(count - 1));
        const bool same = std::all_of(terms.begin(), terms.end(), [&](const MixtureTerm& term) {
            return term.precision.row(d).head(d).isZero(0);
        });
        if (!same || static_cast<Index>(terms.size()) > kMostShapes) return;
        shapes.resize(count, static_cast<Index>(terms.size()));
        for (Index s = 0; s < shapes.cols(); ++s) {
            const MixtureTerm& term = terms[at(s)];
            shapes.col(s) = shape(term.linear(d), term.precision(d, d));
        }
    }

    // exp(linear t - curvature t^2 / 2) over its largest value.
    [[nodiscard]] Array shape(double linear, double curvature) const {
        return (-0.5 * curvature * (places - linear / curvature).square()).exp();
    }

    static constexpr Index kMostShapes = 4096;
    Array places;
    Eigen::ArrayXXd shapes; // a column a term; empty where they differ between lines
};

// What a line of points sums to.
class Line {
  public:
    Line(const std::vector<MixtureTerm>& terms, const LinePoints& points, WithResponse response)
        : terms_(terms), points_(points), rank_(terms.front().base.size()), response_(response),
          mean_(count(), rank_), means_of_term_(count(), rank_),
          second_(count(), response == WithResponse::yes ? rank_ * (rank_ + 1) / 2 : 0) {}

    // Adds the points whose other coordinates are `others` to `sums`, without the cell's volume.
    void add_to(VectorXd& sums, const VectorXd& others) {
        density_ = Array::Zero(count());
        mean_.setZero();
        second_.setZero();
        bool seen = false;
        for (Index s = 0; s < static_cast<Index>(terms_.size()); ++s)
            seen = add_term(s, others) || seen;
        if (!seen || !(density_.maxCoeff() > kNegligible)) return;
        inverse_ = (density_ > kNegligible).select(density_.inverse(), 0);
        density_ = (density_ > kNegligible).select(density_, 0);
        const double constant =
            0.5 * others.squaredNorm() + kLogRootTwoPi * static_cast<double>(others.size() + 1);
        sums(0) += density_.sum();
        sums(1) += (density_ *
                    (density_.max(kNegligible).log() + (0.5 * points_.places.square() + constant)))
                       .sum();
        auto overlap = sums.segment(2, rank_ * rank_).reshaped(rank_, rank_);
        for (Index k = 0; k < rank_; ++k)
            for (Index l = 0; l <= k; ++l) {
                const double product = (mean_.col(k) * mean_.col(l) * inverse_).sum();
                overlap(k, l) += product;
                if (l < k) overlap(l, k) += product;
            }
        if (response_ == WithResponse::yes) add_response(sums);
    }

  private:
    [[nodiscard]] Index count() const { return points_.places.size(); }

    // Whether it counts anywhere on the line.
    bool add_term(Index number, const VectorXd& others) {
        const MixtureTerm& term = terms_[at(number)];
        const Index d = others.size();
        // offset + linear t - curvature t^2 / 2 along the line.
        const double curvature = term.precision(d, d);
        const double linear = term.linear(d) - term.precision.row(d).head(d).dot(others);
        const double offset = term.offset + term.linear.head(d).dot(others) -
                              0.5 * others.dot(term.precision.topLeftCorner(d, d) * others);
        const double peak = offset + 0.5 * linear * linear / curvature;
        if (peak < kNegligibleTerm) return false;
        if (points_.shapes.size() > 0)
            weight_ = std::exp(peak) * points_.shapes.col(number);
        else
            weight_ = std::exp(peak) * points_.shape(linear, curvature);
        density_ += weight_;
        const bool fixed = term.gain.col(d).isZero(0);
        for (Index k = 0; k < rank_; ++k) {
            const double base = term.base(k) + term.gain.row(k).head(d).dot(others);
            if (fixed && second_.cols() == 0) {
                mean_.col(k) += base * weight_;
                continue;
            }
            means_of_term_.col(k) = base + term.gain(k, d) * points_.places;
            mean_.col(k) += weight_ * means_of_term_.col(k);
        }
        for (Index k = 0, pair = 0; pair < second_.cols(); ++k)
            for (Index l = 0; l <= k; ++l, ++pair)
                second_.col(pair) += weight_ * (term.covariance(k, l) +
                                                means_of_term_.col(k) * means_of_term_.col(l));
        return true;
    }

    // Density Sigma (x) Sigma from the distinct elements of Sigma = E x x^T - f f^T.
    void add_response(VectorXd& sums) const {
        const Array root = density_.sqrt();
        MatrixXd elements(count(), second_.cols());
        for (Index k = 0, pair = 0; k < rank_; ++k)
            for (Index l = 0; l <= k; ++l, ++pair)
                elements.col(pair) =
                    root * inverse_ * (second_.col(pair) - mean_.col(k) * mean_.col(l) * inverse_);
        const MatrixXd products = elements.transpose() * elements;
        const auto pair_of = [](Index k, Index l) {
            return std::max(k, l) * (std::max(k, l) + 1) / 2 + std::min(k, l);
        };
        const Index square = rank_ * rank_;
        auto response = sums.tail(square * square).reshaped(square, square);
        for (Index i = 0; i < rank_; ++i)
            for (Index j = 0; j < rank_; ++j)
                for (Index k = 0; k < rank_; ++k)
                    for (Index l = 0; l < rank_; ++l)
                        response(i * rank_ + k, j * rank_ + l) +=
                            products(pair_of(i, j), pair_of(k, l));
    }

    const std::vector<MixtureTerm>& terms_;
    const LinePoints& points_;
    Index rank_;
    WithResponse response_;
    Array density_, inverse_, weight_;
    Eigen::ArrayXXd mean_, means_of_term_,
        second_; // density f; of one term; density E x x^T, k >= l
};

} // namespace

Index FieldAxis::points(double step) const {
    return static_cast<Index>(std::ceil((high - low) / step)) + 1;
}

std::vector<MixtureTerm> mixture_terms(const Prior& prior, const MatrixXd& qhat,
                                       const MatrixXd& basis) {
    if (const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior))
        return terms_of(*discrete, basis);
    if (const auto* sparse = dynamic_cast<const GaussBernoulliPrior*>(&prior))
        return terms_of(*sparse, qhat, basis);
    throw Error(prior.describe() + ": no mixture of points or normal densities");
}

VectorXd mixture_sums(const std::vector<MixtureTerm>& terms, const std::vector<FieldAxis>& axes,
                      double step, WithResponse response, const Execution& run) {
    const Index rank = terms.front().base.size(), square = rank * rank;
    const Index size = 2 + square + (response == WithResponse::yes ? square * square : 0);
    const std::size_t across = axes.size() - 1;
    const LinePoints points(terms, axes.back(), step);
    Index lines = 1;
    for (std::size_t d = 0; d < across; ++d) lines *= axes[d].points(step);
    const Blocks blocks{lines, kLinesAtOnce};
    std::vector<VectorXd> parts(static_cast<std::size_t>(blocks.count()));
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        run.monitor->stop_if_interrupted();
        Line line(terms, points, response);
        VectorXd sums = VectorXd::Zero(size), others(static_cast<Index>(across));
        for (Index i = 0; i < blocks.extent(block); ++i) {
            Index rest = blocks.begin(block) + i;
            for (std::size_t d = across; d-- > 0; rest /= axes[d].points(step))
                others(static_cast<Index>(d)) =
                    axes[d].low + step * static_cast<double>(rest % axes[d].points(step));
            line.add_to(sums, others);
        }
        parts[static_cast<std::size_t>(block)] = std::move(sums);
    });
    return std::pow(step, static_cast<double>(axes.size())) * tree_sum(std::move(parts));
}

} // namespace assay::tensor_amp
