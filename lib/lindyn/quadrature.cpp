#include <assay/lindyn/quadrature.hpp>

#include <assay/core/arithmetic.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

// Distance in phi of the density's pole from the real axis below which Gauss-Chebyshev quadrature
// would need more nodes.
constexpr double kNearPole = 0.14;

// By Newton's iteration on the Legendre polynomial.
Rule legendre_rule(Index count) {
    Rule rule{Vector(count), Vector(count)};
    const auto n = static_cast<double>(count);
    for (Index i = 0; i < count; ++i) {
        double x = std::cos(M_PI * (static_cast<double>(i) + 0.75) / (n + 0.5)), slope = 1;
        for (int newton = 0; newton < 10; ++newton) {
            double p = 1, before = 0;
            for (Index k = 1; k <= count; ++k) {
                const auto order = static_cast<double>(k);
                const double next = ((2 * order - 1) * x * p - (order - 1) * before) / order;
                before = p;
                p = next;
            }
            slope = n * (x * p - before) / (x * x - 1);
            const double step = p / slope;
            x -= step;
            if (std::abs(step) < 1e-15) break;
        }
        rule.node(i) = (1 - x) / 2;
        rule.weight(i) = 1 / ((1 - x * x) * slope * slope);
    }
    return rule;
}

// 1 + A + 2 sqrt(A) cos(phi), without cancellation near phi = pi.
double square_at(double phi, double aspect) {
    const double root = std::sqrt(aspect);
    return squared(1 - root) + 4 * root * squared(std::cos(phi / 2));
}

// Density in phi; the limit at A = 1, phi = pi is finite.
double phi_density(double phi, double aspect) {
    const double square = square_at(phi, aspect),
                 factor = 2 * aspect / M_PI / std::min(aspect, 1.0);
    return square > 0 ? factor * squared(std::sin(phi)) / square : factor;
}

// Mass of [0, phi], the integral of the density.
double phi_mass(double phi, double aspect) {
    const double root = std::sqrt(aspect);
    const double turn = std::atan(std::abs(1 - root) / (1 + root) * std::tan(phi / 2));
    return 2 * aspect / (M_PI * std::min(aspect, 1.0)) *
           ((1 + aspect) * phi / (4 * aspect) - std::sin(phi) / (2 * root) -
            std::abs(1 - aspect) / (2 * aspect) * turn);
}

// phi with phi_mass = share.
double phi_of_mass(double share, double aspect) {
    double low = 0, high = M_PI;
    if (share >= 1) return high;
    for (int bisection = 0; bisection < 60; ++bisection) {
        const double middle = (low + high) / 2;
        (phi_mass(middle, aspect) < share ? low : high) = middle;
    }
    return (low + high) / 2;
}

} // namespace

Rule gauss_legendre(Index count) {
    if (count != kUsualNodes) return legendre_rule(count);
    static const Rule usual = legendre_rule(kUsualNodes);
    return usual;
}

Rule noise_bulk(double aspect, Index nodes, double share) {
    const double pole = std::abs(1 - std::sqrt(aspect)) / std::sqrt(std::sqrt(aspect));
    Rule rule;
    if (share < 1) {
        const double end = phi_of_mass(share, aspect);
        rule = gauss_legendre(nodes);
        rule.node *= end;
        rule.weight *= end;
    } else if (pole < kNearPole) {
        // phi = pi (1 - (1 - u)^2), which takes the pole near phi = pi away from u = 1.
        rule = gauss_legendre(nodes);
        const Vector rest = 1 - rule.node.array();
        rule.weight.array() *= 2 * M_PI * rest.array();
        rule.node = M_PI * (1 - rest.array().square());
    } else {
        const double width = M_PI / static_cast<double>(nodes + 1);
        rule.node = Vector::LinSpaced(nodes, width, M_PI - width);
        rule.weight = Vector::Constant(nodes, width);
    }
    for (Index i = 0; i < nodes; ++i) {
        const double phi = rule.node(i);
        rule.weight(i) *= phi_density(phi, aspect);
        rule.node(i) = std::sqrt(std::max(0.0, square_at(phi, aspect)));
    }
    rule.weight /= rule.weight.sum();
    return rule;
}

double bulk_share_above(double s, double aspect) {
    const double cosine = (s * s - 1 - aspect) / (2 * std::sqrt(aspect));
    return phi_mass(std::acos(std::clamp(cosine, -1.0, 1.0)), aspect);
}

double bulk_density(double s, double aspect) {
    const double under = 4 * aspect - squared(s * s - 1 - aspect);
    return under > 0 && s > 0 ? std::sqrt(under) / (M_PI * std::min(aspect, 1.0) * s) : 0.0;
}

} // namespace assay::lindyn
