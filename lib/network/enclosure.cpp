#include <assay/network/enclosure.hpp>

namespace assay::network {
namespace {

// By which ranges are widened: a few roundings of tanh and exp.
constexpr double kRangeRounding = 4e-15;

// The derivative of the given order at a point, from the templates of activation.hpp.
double derivative(const Activation& f, double x, int order) {
    if (order == 0) return activate(f, x);
    if (order == 1) return slope(f, x, activate(f, x));
    const Dual<double> moving{x, 1};
    return slope(f, moving, activate(f, moving)).d;
}

// f of the given order, by the chain rule.
Enclosure through(const Activation& f, const Enclosure& x, int order) {
    Enclosure y{range(f, x.v, order), {}};
    const Interval next = range(f, x.v, order + 1);
    for (std::size_t i = 0; i < y.d.size(); ++i) y.d[i] = next * x.d[i];
    return y;
}

} // namespace

// At the ends, or where the next derivative vanishes.
Interval range(const Activation& f, const Interval& x, int order) {
    if (!x.finite()) return everything();
    std::array<double, 2> inner{};
    std::size_t count = 0;
    switch (f.function) {
    case Function::tanh: // artanh(1 / sqrt 3)
        inner = {order == 2 ? 0.65847894846240836 : 0, -0.65847894846240836};
        count = static_cast<std::size_t>(order);
        break;
    case Function::sigmoid: // log(2 + sqrt 3)
        inner = {order == 2 ? 1.3169578969248166 : 0, -1.3169578969248166};
        count = static_cast<std::size_t>(order);
        break;
    case Function::softplus:
        count = order == 2 ? 1 : 0;
        break;
    case Function::identity:
        break;
    case Function::relu:
    case Function::hard_sigmoid: {
        const double kink = f.function == Function::relu ? 0 : 2.5;
        const auto holds = [&](double at) { return x.lo <= at && x.hi >= at; };
        if (order > 0 && (holds(kink) || holds(-kink))) return everything();
        break;
    }
    default: // no activation of a cell
        return everything();
    }
    double lo = derivative(f, x.lo, order), hi = lo;
    const auto include = [&](double value) {
        lo = std::min(lo, value);
        hi = std::max(hi, value);
    };
    include(derivative(f, x.hi, order));
    for (std::size_t i = 0; i < count; ++i)
        if (x.lo < inner[i] && inner[i] < x.hi) include(derivative(f, inner[i], order));
    const bool exact = f.function == Function::identity || f.function == Function::relu;
    const double slack = exact ? 0 : kRangeRounding * (1 + std::max(std::abs(lo), std::abs(hi)));
    return {lo - slack, hi + slack};
}

Enclosure activate(const Activation& f, const Enclosure& x) {
    return through(f, x, 0);
}

Enclosure slope(const Activation& f, const Enclosure& x, const Enclosure&) {
    return through(f, x, 1);
}

} // namespace assay::network
