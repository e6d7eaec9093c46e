#include <assay/lindyn/exact_solution.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/singular_values.hpp>
#include <assay/linalg/svd.hpp>

#include <Eigen/Cholesky>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr double kMostGrowth = 4; // of a mode within one step, in the exponent
constexpr double kRounding = 1e-13;
constexpr double kLoad = 0.01; // share of |B|^2 that counts as a rate, which bounds the condition

// Orthonormal columns that span what `start` (N x N2) has outside the orthonormal columns of
// `known`.
Matrix complement_of(const Matrix& known, const Matrix& start) {
    const Index room = std::min(known.rows() - known.cols(), start.cols());
    if (room <= 0) return Matrix(known.rows(), 0);
    Matrix rest = start - known * (known.transpose() * start);
    rest -= known * (known.transpose() * rest);
    const Eigen::ColPivHouseholderQR<Matrix> qr(rest);
    // What is rounding has no direction of its own.
    const Vector sizes = qr.matrixR().diagonal().head(room).cwiseAbs();
    const Index rank = (sizes.array() > kRounding * start.norm()).count();
    return qr.householderQ() * Matrix::Identity(rest.rows(), rank);
}

// A factor of the same B B^T with no more columns than rows.
Matrix narrowed(const Matrix& wide) {
    if (wide.cols() <= wide.rows()) return wide;
    const Eigen::HouseholderQR<Matrix> qr(wide.transpose());
    const Matrix r = qr.matrixQR().topRows(wide.rows()).triangularView<Eigen::Upper>();
    return r.transpose();
}

double largest_singular_value(const Matrix& matrix) {
    return matrix.size() == 0 ? 0.0 : linalg::singular_values(matrix)(0);
}

} // namespace

ExactSolution::ExactSolution(const Matrix& syx, double d, const Matrix& first, const Matrix& second,
                             double tau)
    : d_(d), tau_(tau) {
    if (first.cols() != syx.cols() || second.rows() != syx.rows() ||
        first.rows() != second.cols() || first.rows() == 0)
        throw Error(concat("weights of ", first.rows(), " x ", first.cols(), " and ", second.rows(),
                           " x ", second.cols(), "; N2 x ", syx.cols(), " and ", syx.rows(),
                           " x N2 are expected"));
    Matrix difference = d * (second.transpose() * second - first * first.transpose());
    lambda_ = difference.trace() / static_cast<double>(first.rows());
    const linalg::Svd svd = linalg::thin_svd(syx);
    difference.diagonal().array() -= lambda_;
    expected_error_ = 0.1 * largest_singular_value(difference) / svd.s(0);

    const Index modes = svd.s.size();
    const double scale = std::sqrt(d);
    const Matrix q_first = scale * first.transpose(), q_second = scale * second;
    const Matrix extra_in = complement_of(svd.v, q_first);
    const Matrix extra_out = complement_of(svd.u, q_second);
    const Index count = 2 * modes + extra_in.cols() + extra_out.cols();
    inputs_ = Matrix::Zero(syx.cols(), count);
    outputs_ = Matrix::Zero(syx.rows(), count);
    rates_.resize(count);
    for (Index a = 0; a < modes; ++a) {
        // F on the plane of (v, 0) and (0, u) is [[-lambda/2, s], [s, lambda/2]].
        const double angle = std::atan2(svd.s(a), -lambda_ / 2) / 2;
        const double rate = std::hypot(svd.s(a), lambda_ / 2);
        inputs_.col(a) = std::cos(angle) * svd.v.col(a);
        outputs_.col(a) = std::sin(angle) * svd.u.col(a);
        inputs_.col(modes + a) = -std::sin(angle) * svd.v.col(a);
        outputs_.col(modes + a) = std::cos(angle) * svd.u.col(a);
        rates_(a) = rate;
        rates_(modes + a) = -rate;
    }
    inputs_.middleCols(2 * modes, extra_in.cols()) = extra_in;
    outputs_.rightCols(extra_out.cols()) = extra_out;
    rates_.segment(2 * modes, extra_in.cols()).setConstant(-lambda_ / 2);
    rates_.tail(extra_out.cols()).setConstant(lambda_ / 2);
    fastest_ = rates_.cwiseAbs().maxCoeff();
    coordinates_ = narrowed(inputs_.transpose() * q_first + outputs_.transpose() * q_second);
}

void ExactSolution::advance(double time) {
    if (!(time >= time_))
        throw Error(concat("time ", time, " after ", time_, "; rising times are expected"));
    double left = (time - time_) / tau_;
    while (left > 0) {
        const double rate = fastest_ + kLoad * coordinates_.squaredNorm();
        // Equal steps, so that the last is no sliver.
        const double steps = std::max(1.0, std::ceil(left * rate / kMostGrowth));
        step(left / steps);
        left = steps == 1 ? 0.0 : left - left / steps;
    }
    time_ = time;
}

void ExactSolution::step(double duration) {
    const Index hidden = coordinates_.cols();
    scaled_ = coordinates_;
    for (Index i = 0; i < rates_.size(); ++i) {
        const double x = rates_(i) * duration;
        const double growth = x == 0 ? 1.0 : std::expm1(2 * x) / (2 * x);
        scaled_.row(i) *= std::sqrt(duration * growth);
        coordinates_.row(i) *= std::exp(x);
    }
    gram_.setIdentity(hidden, hidden);
    gram_.selfadjointView<Eigen::Lower>().rankUpdate(scaled_.transpose());
    const Eigen::LLT<Eigen::Ref<Matrix>> factor(gram_); // in place
    factor.matrixU().solveInPlace<Eigen::OnTheRight>(coordinates_);
}

Matrix ExactSolution::first_factor() const {
    return inputs_ * coordinates_;
}

Matrix ExactSolution::second_factor() const {
    return outputs_ * coordinates_;
}

Matrix ExactSolution::map() const {
    return second_factor() * first_factor().transpose() / d_;
}

Matrix ExactSolution::input_gram() const {
    const Matrix q = first_factor();
    return q * q.transpose() / d_;
}

Matrix ExactSolution::output_gram() const {
    const Matrix q = second_factor();
    return q * q.transpose() / d_;
}

Vector ExactSolution::strengths(const Matrix& u, const Matrix& v) const {
    const Matrix from = v.transpose() * first_factor(), to = u.transpose() * second_factor();
    return from.cwiseProduct(to).rowwise().sum() / d_;
}

} // namespace assay::lindyn
