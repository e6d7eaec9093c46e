#include <assay/fixedpoints/self_test.hpp>

#include <assay/core/random.hpp>

#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr double kStep = 1e-6;

// Largest |J - (f(p + e) - f(p - e)) / 2e|; NaN stays.
template <class Function>
double deviation(const RowMatrix& jacobian, const RowMatrix& point, const Function& function) {
    RowMatrix moved(2 * point.cols(), point.cols());
    for (Index i = 0; i < point.cols(); ++i) {
        moved.row(2 * i) = moved.row(2 * i + 1) = point.row(0);
        moved(2 * i, i) += kStep;
        moved(2 * i + 1, i) -= kStep;
    }
    const RowMatrix values = function(moved);
    double worst = 0;
    for (Index i = 0; i < point.cols(); ++i) {
        const double off = ((values.row(2 * i) - values.row(2 * i + 1)) / (2 * kStep) -
                            jacobian.col(i).transpose())
                               .cwiseAbs()
                               .maxCoeff();
        if (!(off <= worst)) worst = off;
    }
    return std::isfinite(worst) ? worst : std::numeric_limits<double>::infinity();
}

} // namespace

JacobianTest test_jacobians(const Dynamics& dynamics, Index states, std::uint64_t seed) {
    const Random random(seed, "fixedpoints/check");
    const auto draw = [&](Index size, std::uint64_t state, std::uint64_t what) {
        RowMatrix row(1, size);
        for (Index i = 0; i < size; ++i)
            row(0, i) = random.normal(static_cast<std::uint64_t>(i), {state, what, 0});
        return row;
    };
    JacobianTest test;
    for (Index s = 0; s < states; ++s) {
        const auto index = static_cast<std::uint64_t>(s);
        const RowMatrix x = draw(dynamics.inputs(), index, 0),
                        h = draw(dynamics.state_size(), index, 1), v = dynamics.reduced_part(h);
        test.state = std::max(
            test.state, deviation(dynamics.jacobian_state(x, h), h,
                                  [&](const RowMatrix& moved) { return dynamics.step(x, moved); }));
        test.input = std::max(
            test.input, deviation(dynamics.jacobian_input(x, h), x, [&](const RowMatrix& moved) {
                return dynamics.step(moved, h.replicate(moved.rows(), 1));
            }));
        test.reduced =
            std::max(test.reduced,
                     deviation(dynamics.reduced_jacobian(x, v), v,
                               [&](const RowMatrix& moved) { return dynamics.reduced(x, moved); }));
    }
    return test;
}

} // namespace assay::fixedpoints
