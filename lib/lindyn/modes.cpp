#include <assay/lindyn/modes.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/svd.hpp>

#include <algorithm>

namespace assay::lindyn {
namespace {

constexpr Index kDense = 2000;        // sizes up to which all modes are cheap
constexpr double kNegligible = 1e-12; // singular values below this share are rounding

linalg::Svd decompose(const Matrix& syx, Index count) {
    const Index all = std::min(syx.rows(), syx.cols());
    if (count > all) throw Error(concat("--modes ", count, ": there are ", all, " modes"));
    const bool few = count > 0 && 4 * count <= all && all > 100;
    if (!few) {
        if (count == 0 && all > kDense)
            throw Error(concat("all ", all, " modes of a ", syx.rows(), " x ", syx.cols(),
                               " matrix; --modes K is expected above ", kDense));
        linalg::Svd svd = linalg::thin_svd(syx);
        if (count > 0) {
            svd.u.conservativeResize(Eigen::NoChange, count);
            svd.v.conservativeResize(Eigen::NoChange, count);
            svd.s.conservativeResize(count);
        }
        return svd;
    }
    return linalg::leading_svd({syx.rows(), syx.cols(),
                                [&](const Matrix& right) { return Matrix(syx * right); },
                                [&](const Matrix& left) { return Matrix(syx.transpose() * left); }},
                               count, 0);
}

Modes modes_of(const Statistics& statistics, const ModeOptions& options) {
    linalg::Svd svd = decompose(statistics.syx, options.count);
    if (!(svd.s(0) > 0)) throw Error("inputs and targets are uncorrelated: no mode");
    Modes modes;
    modes.s = std::move(svd.s);
    modes.u = std::move(svd.u);
    modes.v = std::move(svd.v);
    modes.input_variance =
        modes.v.cwiseProduct(statistics.input_product(modes.v)).colwise().sum().transpose();
    modes.asymptote.resize(modes.count());
    for (Index a = 0; a < modes.count(); ++a)
        modes.asymptote(a) = modes.s(a) > kNegligible * modes.s(0) && modes.input_variance(a) > 0
                                 ? modes.s(a) / modes.input_variance(a)
                                 : 0.0;
    modes.group = group_equal(modes.s, options.degeneracy);
    modes.output_power = statistics.output_power;
    return modes;
}

} // namespace

Index Modes::rank() const {
    return (s.array() > kNegligible * s(0)).count();
}

Modes find_modes(const Statistics& statistics, const ModeOptions& options) {
    Modes modes = modes_of(statistics, options);
    fix_signs(modes.u, modes.v);
    return modes;
}

Modes find_modes(const Whitened& whitened, const ModeOptions& options) {
    Modes modes = modes_of(whitened.statistics, options);
    modes.v = whitened.basis * modes.v;
    fix_signs(modes.u, modes.v);
    return modes;
}

Vector strengths(const Modes& modes, const Matrix& map) {
    return modes.u.cwiseProduct(map * modes.v).colwise().sum().transpose();
}

void fix_signs(Matrix& u, Matrix& v) {
    for (Index a = 0; a < v.cols(); ++a) {
        const double largest = v.col(a).cwiseAbs().maxCoeff();
        Index first = 0;
        // Entries equal but for rounding are ties, so that the sign is that of exact arithmetic.
        while (std::abs(v(first, a)) < largest * (1 - 1e-9)) ++first;
        if (v(first, a) < 0) {
            v.col(a) *= -1;
            u.col(a) *= -1;
        }
    }
}

std::vector<std::int32_t> group_equal(const Vector& descending, double degeneracy) {
    std::vector<std::int32_t> group(static_cast<std::size_t>(descending.size()), 0);
    for (Index a = 1; a < descending.size(); ++a) {
        const bool apart = descending(a - 1) - descending(a) > degeneracy * descending(a - 1) &&
                           descending(a - 1) > kNegligible * descending(0);
        group[static_cast<std::size_t>(a)] =
            group[static_cast<std::size_t>(a - 1)] + (apart ? 1 : 0);
    }
    return group;
}

Matrix group_means(const Matrix& by_mode, const std::vector<std::int32_t>& group) {
    const Index groups = group.empty() ? 0 : group.back() + 1;
    Matrix sums = Matrix::Zero(by_mode.rows(), groups);
    Vector members = Vector::Zero(groups);
    for (Index a = 0; a < by_mode.cols(); ++a) {
        const Index g = group[static_cast<std::size_t>(a)];
        sums.col(g) += by_mode.col(a);
        members(g) += 1;
    }
    return sums * members.cwiseInverse().asDiagonal();
}

} // namespace assay::lindyn
