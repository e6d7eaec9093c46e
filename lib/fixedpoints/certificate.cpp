#include <assay/fixedpoints/certificate.hpp>

#include <assay/core/constants.hpp>
#include <assay/linalg/spectral_norm.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace assay::fixedpoints {
namespace {

using linalg::spectral_norm;

Certificate refused(double beta, double kappa, CertificateState why) {
    return {beta, kappa, kNaN, kNaN, why};
}

// Newton-Kantorovich over a ball of radius rho, of which `bound(rho)` is a Lipschitz constant.
template <class Bound>
class Kantorovich {
  public:
    Kantorovich(double beta, double eta, const Bound& bound)
        : beta_(beta), eta_(eta), bound_(bound) {}

    // The largest uniqueness radius over balls of 10^(k / 4), k = -36 ... 2: the lesser of rho,
    // which grows, and of the theorem's radius, which shrinks as the bound grows. So the best ball
    // is where they cross, or the next.
    Certificate operator()() {
        Index below = kFirst - 1, above = kLast + 1;
        while (above - below > 1) {
            const Index middle = (below + above) / 2;
            (holds_whole_ball(middle) ? below : above) = middle;
        }
        Certificate best = refused(beta_, kInfinity, CertificateState::near_fold);
        best.uniqueness_radius = 0;
        take_better(best, below);
        take_better(best, above);
        // A ball may be too small for its root: then a larger one decides.
        for (Index k = kFirst; k <= kLast && best.uniqueness_radius == 0; ++k) take_better(best, k);
        if (best.uniqueness_radius > 0) return best;
        return refused(beta_, least_kappa_,
                       std::isfinite(least_kappa_) ? CertificateState::near_fold
                                                   : CertificateState::kink);
    }

  private:
    static constexpr Index kFirst = -36, kLast = 2;

    static double radius(Index k) { return std::pow(10.0, 0.25 * static_cast<double>(k)); }
    // Infinite where a kink lies in the ball.
    double lipschitz(Index k) {
        auto& known = lipschitz_[static_cast<std::size_t>(k - kFirst)];
        if (!known) {
            known = bound_(radius(k));
            if (!std::isfinite(*known)) known = kInfinity;
            least_kappa_ = std::min(least_kappa_, beta_ * eta_ * *known);
        }
        return *known;
    }
    [[nodiscard]] double alone(double lipschitz) const {
        const double root = std::sqrt(1 - 2 * beta_ * eta_ * lipschitz);
        return lipschitz > 0 ? (1 + root) / (beta_ * lipschitz) : kInfinity;
    }
    bool holds_whole_ball(Index k) {
        const double bound = lipschitz(k);
        return beta_ * eta_ * bound <= 0.5 && std::isfinite(bound) && radius(k) <= alone(bound);
    }
    void take_better(Certificate& best, Index k) {
        if (k < kFirst || k > kLast) return;
        const double bound = lipschitz(k), kappa = beta_ * eta_ * bound;
        if (!std::isfinite(bound) || !(kappa <= 0.5)) return;
        const double existence = 2 * eta_ / (1 + std::sqrt(1 - 2 * kappa));
        const double unique = std::min(radius(k), alone(bound));
        if (existence > radius(k) || unique <= best.uniqueness_radius) return;
        best = {beta_, kappa, existence, unique, CertificateState::certified};
    }

    double beta_, eta_;
    const Bound& bound_;
    double least_kappa_ = kInfinity;
    std::array<std::optional<double>, kLast - kFirst + 1> lipschitz_;
};

} // namespace

Certificate certify(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& v) {
    Certificate whole{0, 0, 0, kInfinity, CertificateState::certified};
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
        if (!inverse.allFinite()) return refused(kInfinity, kInfinity, CertificateState::singular);
        const double beta = spectral_norm(inverse);
        double eta = lu.solve(Vector(g.row(0).transpose())).norm();
        if (error_below > 0)
            eta += beta * spectral_norm(cell.reduced_input_jacobian(seen, own)) * error_below;
        const auto bound = cell.second_bound(
            seen, own, reduced ? network::CellMap::reduced : network::CellMap::full);
        const Certificate layer = Kantorovich(beta, eta, bound)();
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
