#include <assay/fixedpoints/certificate.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

double spectral_norm(const Matrix& a) {
    if (a.size() == 0) return 0;
    const Matrix gram = a.transpose() * a;
    return std::sqrt(
        std::max(0.0, Eigen::SelfAdjointEigenSolver<Matrix>(gram, Eigen::EigenvaluesOnly)
                          .eigenvalues()
                          .maxCoeff()));
}

Certificate refused(double beta, double kappa, const std::string& reason) {
    return {beta, kappa, kNone, kNone, reason};
}

// Newton-Kantorovich over balls of many radii; `bound(rho)` is a Lipschitz constant.
template <class Bound>
Certificate try_radii(double beta, double eta, const Bound& bound) {
    Certificate best = refused(beta, kInfinite, "");
    best.uniqueness_radius = 0;
    double least_kappa = kInfinite;
    for (int k = -36; k <= 2; ++k) {
        const double rho = std::pow(10.0, 0.25 * k);
        const double lipschitz = bound(rho);
        if (!std::isfinite(lipschitz)) break; // a kink: larger balls hold it too
        const double kappa = beta * eta * lipschitz;
        least_kappa = std::min(least_kappa, kappa);
        if (!(kappa <= 0.5)) continue;
        const double root = std::sqrt(1 - 2 * kappa);
        const double existence = 2 * eta / (1 + root);
        if (existence > rho) continue;
        const double alone = lipschitz > 0 ? std::min(rho, (1 + root) / (beta * lipschitz)) : rho;
        if (alone > best.uniqueness_radius) best = {beta, kappa, existence, alone, ""};
    }
    if (best.uniqueness_radius > 0) return best;
    return refused(beta, least_kappa,
                   std::isfinite(least_kappa)
                       ? concat("beta = ", significant(beta, 3), ", near fold")
                       : std::string("a kink of the activation lies at the point"));
}

} // namespace

Certificate certify(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& v) {
    Certificate whole{0, 0, 0, kInfinite, ""};
    RowMatrix seen = x;
    Index column = 0;
    double error_below = 0;
    for (const Cell& cell : dynamics.cells()) {
        const RowMatrix own = v.middleCols(column, cell.units());
        column += cell.units();
        const bool reduced = cell.has_reduced();
        Matrix a = reduced ? cell.reduced_jacobian(seen, own) : cell.jacobian_state(seen, own);
        a.diagonal().array() -= 1;
        const RowMatrix g = (reduced ? cell.reduced(seen, own) : cell.step(seen, own)) - own;
        const Eigen::PartialPivLU<Matrix> lu(a);
        const Matrix inverse = lu.inverse();
        if (!inverse.allFinite()) return refused(kInfinite, kInfinite, "dR/dh - I is singular");
        const double beta = spectral_norm(inverse);
        double eta = lu.solve(Vector(g.row(0).transpose())).norm();
        if (error_below > 0)
            eta += beta * spectral_norm(cell.reduced_input_jacobian(seen, own)) * error_below;
        const auto bound = cell.second_bound(
            seen, own, reduced ? network::CellMap::reduced : network::CellMap::full);
        const Certificate layer = try_radii(beta, eta, bound);
        if (!layer.holds()) return layer;
        whole.beta = std::max(whole.beta, layer.beta);
        whole.kappa = std::max(whole.kappa, layer.kappa);
        whole.existence_radius = std::hypot(whole.existence_radius, layer.existence_radius);
        whole.uniqueness_radius = std::min(whole.uniqueness_radius, layer.uniqueness_radius);
        error_below = layer.existence_radius;
        seen = cell.output(cell.has_reduced() ? cell.full_state(seen, own) : own);
    }
    return whole;
}

} // namespace assay::fixedpoints
