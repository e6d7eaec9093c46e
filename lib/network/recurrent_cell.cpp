#include <assay/network/recurrent_cell.hpp>

#include <assay/core/error.hpp>

#include <Eigen/Eigenvalues>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>

namespace assay::network {
namespace {

// A number as several arrays of plain numbers, stacked as blocks of rows: a dual has its value,
// then its tangent.
template <class T>
struct Stacked;
template <class S>
struct Stacked<Eigen::Array<S, kChunk, 1>> {
    static constexpr Index kBlocks = 1;
    static Chunk<S> load_from(const S* data, Index, Index count) { return load(data, count); }
    static void store_to(const Chunk<S>& value, S* data, Index, Index count) {
        store(value, data, count);
    }
};
template <class U>
struct Stacked<Dual<U>> {
    static constexpr Index kBlocks = 2 * Stacked<U>::kBlocks;
    template <class S>
    static Dual<U> load_from(const S* data, Index stride, Index count) {
        return {Stacked<U>::load_from(data, stride, count),
                Stacked<U>::load_from(data + Stacked<U>::kBlocks * stride, stride, count)};
    }
    template <class S>
    static void store_to(const Dual<U>& value, S* data, Index stride, Index count) {
        Stacked<U>::store_to(value.v, data, stride, count);
        Stacked<U>::store_to(value.d, data + Stacked<U>::kBlocks * stride, stride, count);
    }
};

template <class S, class T>
T constant_chunk(const Chunk<S>& value) {
    if constexpr (std::is_same_v<T, Chunk<S>>)
        return value;
    else {
        using U = decltype(T::v);
        const U inner = constant_chunk<S, U>(value);
        return T{inner, constant(inner, 0)};
    }
}

// One step of a batch in numbers T. Weights do not move, so every block of rows goes through the
// same products.
template <class S, class T>
class Evaluation {
  public:
    // `state`: blocks x B rows; x: B rows or one; `dx`: the other blocks of x, or null.
    Evaluation(const CellForm& form, const CellArrays<S>& arrays, Index batch, const Rows<S>& x,
               const Rows<S>* dx, Rows<S> state)
        : form_(form), w_(arrays), batch_(batch), units_(form.units), state_(std::move(state)) {
        const Index rows = kBlocks * batch_, gates = form_.gates() * units_;
        slots_.setZero(rows, form_.slots() * units_);
        Rows<S> driven = x * w_.kernel.transpose();
        driven.rowwise() += w_.bias.transpose();
        const Index shared = apart() ? 2 * units_ : gates;
        driven.leftCols(shared).rowwise() += w_.recurrent_bias.head(shared).transpose();
        if (x.rows() == batch_)
            slots_.topLeftCorner(batch_, gates) = driven;
        else
            slots_.topLeftCorner(batch_, gates).rowwise() = driven.row(0);
        if (apart())
            slots_.topRightCorner(batch_, units_).rowwise() =
                w_.recurrent_bias.tail(units_).transpose();
        if (dx)
            slots_.block(batch_, 0, rows - batch_, gates).noalias() = *dx * w_.kernel.transpose();
        fed_.resize(rows, units_);
        each_chunk([&](Index b, Index unit, Index count) {
            T h = get(state_, b, unit, count);
            if (form_.kind == CellKind::ctrnn_current) h = activate(form_.activation, h);
            put(h, fed_, b, unit, count);
        });
        slots_.leftCols(plain() * units_).noalias() +=
            fed_ * w_.recurrent.topRows(plain() * units_).transpose();
        const auto candidate = w_.recurrent.bottomRows(units_).transpose();
        if (apart()) slots_.rightCols(units_).noalias() += fed_ * candidate;
        if (!resets_before()) return;
        Rows<S> reset(rows, units_);
        each_chunk([&](Index b, Index unit, Index count) {
            const T r = activate(form_.gate, get(slots_, b, unit, count));
            put(T(r * get(state_, b, unit, count)), reset, b, unit, count);
        });
        slots_.rightCols(units_).noalias() += reset * candidate;
    }

    [[nodiscard]] const Rows<S>& slots() const { return slots_; }

    // Next states, or the reduced map's values (and c* of an lstm).
    [[nodiscard]] Rows<S> next(CellMap map) const {
        Rows<S> next(state_.rows(), form_.state_size());
        each_chunk([&](Index b, Index unit, Index count) {
            std::array<T, kMostSlots> a;
            std::array<T, 2> state, to;
            point(b, unit, count, a, state);
            if (map == CellMap::full)
                cell_forward(form_, a.data(), state.data(), alpha(unit, count), to.data());
            else
                reduced_forward(form_, a.data(), state.data(), to.data());
            for (int part = 0; part < form_.state_parts(); ++part)
                put(to[static_cast<std::size_t>(part)], next, b, part * units_ + unit, count);
        });
        return next;
    }

    // Derivatives of the part `output` of the next state in a unit's own slots and state.
    void coefficients(CellMap map, int output, Rows<S>& of_slots, Rows<S>& of_state) const {
        of_slots.setZero(state_.rows(), slots_.cols());
        of_state.setZero(state_.rows(), form_.state_size());
        Rows<S> one = Rows<S>::Zero(state_.rows(), form_.state_size());
        one.middleCols(output * units_, units_).setOnes();
        back(map, one, of_slots, of_state);
    }

    // Cotangents of states and inputs from those of next states (blocks x B rows).
    void adjoint(const Rows<S>& d_next, Rows<S>& d_state, Rows<S>& d_input) const {
        Rows<S> d_slots(state_.rows(), slots_.cols());
        d_state.resize(state_.rows(), form_.state_size());
        back(CellMap::full, d_next, d_slots, d_state);
        const auto candidate = w_.recurrent.bottomRows(units_);
        if (resets_before()) {
            const Rows<S> d_reset = d_slots.rightCols(units_) * candidate;
            each_chunk([&](Index b, Index unit, Index count) {
                const T d = get(d_reset, b, unit, count), a = get(slots_, b, unit, count);
                const T r = activate(form_.gate, a);
                put(T(d * get(state_, b, unit, count) * T(slope(form_.gate, a, r))), d_slots, b,
                    unit, count);
                put(T(get(d_state, b, unit, count) + d * r), d_state, b, unit, count);
            });
        }
        Rows<S> d_fed = d_slots.leftCols(plain() * units_) * w_.recurrent.topRows(plain() * units_);
        if (apart()) d_fed.noalias() += d_slots.rightCols(units_) * candidate;
        each_chunk([&](Index b, Index unit, Index count) {
            T d = get(d_fed, b, unit, count);
            if (form_.kind == CellKind::ctrnn_current) d = d * rate_slope(b, unit, count);
            put(T(get(d_state, b, unit, count) + d), d_state, b, unit, count);
        });
        d_input = d_slots.leftCols(form_.gates() * units_) * w_.kernel;
    }

    // phi(h), phi'(h); of gru_before: r, and h r'.
    void fed_slopes(Rows<S>& value, Rows<S>& derivative) const {
        value = derivative = Rows<S>(state_.rows(), units_);
        each_chunk([&](Index b, Index unit, Index count) {
            const T h = get(state_, b, unit, count);
            const T x = resets_before() ? get(slots_, b, unit, count) : h;
            const Activation& f = resets_before() ? form_.gate : form_.activation;
            const T y = activate(f, x);
            T d = slope(f, x, y);
            if (resets_before()) d = d * h;
            put(y, value, b, unit, count);
            put(d, derivative, b, unit, count);
        });
    }

  private:
    static constexpr Index kBlocks = Stacked<T>::kBlocks;
    [[nodiscard]] bool apart() const { return form_.kind == CellKind::gru_after; }
    [[nodiscard]] bool resets_before() const { return form_.kind == CellKind::gru_before; }
    // Gates whose slots take W fed; the candidate of a gru has its own way.
    [[nodiscard]] Index plain() const { return apart() || resets_before() ? 2 : form_.gates(); }
    template <class Body>
    void each_chunk(Body&& body) const {
        for (Index b = 0; b < batch_; ++b)
            for_chunks(units_, [&](Index unit, Index count) { body(b, unit, count); });
    }
    T get(const Rows<S>& rows, Index b, Index column, Index count) const {
        return Stacked<T>::load_from(rows.data() + b * rows.cols() + column, batch_ * rows.cols(),
                                     count);
    }
    void put(const T& value, Rows<S>& rows, Index b, Index column, Index count) const {
        Stacked<T>::store_to(value, rows.data() + b * rows.cols() + column, batch_ * rows.cols(),
                             count);
    }
    [[nodiscard]] T rate_slope(Index b, Index unit, Index count) const {
        const T h = get(state_, b, unit, count);
        return slope(form_.activation, h, T(activate(form_.activation, h)));
    }
    [[nodiscard]] T alpha(Index unit, Index count) const {
        Chunk<S> alpha = Chunk<S>::Ones();
        for (Index i = 0; i < count; ++i) alpha(i) = static_cast<S>(form_.alpha_of(unit + i));
        return constant_chunk<S, T>(alpha);
    }
    // The reduced map of an lstm has no c among its arguments.
    void point(Index b, Index unit, Index count, std::array<T, kMostSlots>& a,
               std::array<T, 2>& state) const {
        for (int slot = 0; slot < form_.slots(); ++slot)
            a[static_cast<std::size_t>(slot)] = get(slots_, b, slot * units_ + unit, count);
        state[0] = get(state_, b, unit, count);
        if (state_.cols() > units_) state[1] = get(state_, b, units_ + unit, count);
    }
    void back(CellMap map, const Rows<S>& d_next, Rows<S>& d_slots, Rows<S>& d_state) const {
        each_chunk([&](Index b, Index unit, Index count) {
            std::array<T, kMostSlots> a, d_a;
            std::array<T, 2> state, d, back;
            point(b, unit, count, a, state);
            const int parts = map == CellMap::full ? form_.state_parts() : 1;
            for (int part = 0; part < parts; ++part)
                d[static_cast<std::size_t>(part)] = get(d_next, b, part * units_ + unit, count);
            if (map == CellMap::full)
                cell_backward(form_, a.data(), state.data(), alpha(unit, count), d.data(),
                              d_a.data(), back.data());
            else
                reduced_backward(form_, a.data(), state.data(), d[0], d_a.data());
            for (int slot = 0; slot < form_.slots(); ++slot)
                put(d_a[static_cast<std::size_t>(slot)], d_slots, b, slot * units_ + unit, count);
            if (map == CellMap::full)
                for (int part = 0; part < parts; ++part)
                    put(back[static_cast<std::size_t>(part)], d_state, b, part * units_ + unit,
                        count);
        });
    }

    const CellForm& form_;
    const CellArrays<S>& w_;
    Index batch_, units_;
    Rows<S> state_, slots_, fed_;
};

template <class S>
Rows<S> spread(const Rows<S>& rows, Index batch) {
    return rows.rows() == batch ? rows : Rows<S>(rows.replicate(batch, 1));
}

} // namespace

// --- the bound of the second derivative ---

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRounding = 4e-15;

struct Interval {
    double lo = 0, hi = 0;
    [[nodiscard]] bool finite() const { return std::isfinite(lo) && std::isfinite(hi); }
    [[nodiscard]] double magnitude() const { return std::max(std::abs(lo), std::abs(hi)); }
    [[nodiscard]] double middle() const { return lo + (hi - lo) / 2; }
};

Interval everything() {
    return {-kInfinity, kInfinity};
}
Interval operator+(const Interval& a, const Interval& b) {
    return a.finite() && b.finite() ? Interval{a.lo + b.lo, a.hi + b.hi} : everything();
}
Interval operator-(const Interval& a) {
    return {-a.hi, -a.lo};
}
Interval operator-(const Interval& a, const Interval& b) {
    return a + -b;
}
Interval operator*(const Interval& a, const Interval& b) {
    if (!a.finite() || !b.finite()) return everything();
    const auto [lo, hi] = std::minmax({a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi});
    return {lo, hi};
}
Interval operator/(const Interval& a, const Interval& b) {
    if (!a.finite() || !b.finite() || (b.lo <= 0 && b.hi >= 0)) return everything();
    return a * Interval{1 / b.hi, 1 / b.lo};
}

// The derivative of the given order at a point, from the templates of activation.hpp.
double derivative(const Activation& f, double x, int order) {
    if (order == 0) return activate(f, x);
    if (order == 1) return slope(f, x, activate(f, x));
    const Dual<double> moving{x, 1};
    return slope(f, moving, activate(f, moving)).d;
}

// Its range over an interval: at the ends, or where the next derivative vanishes.
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
    const double slack = exact ? 0 : kRounding * (1 + std::max(std::abs(lo), std::abs(hi)));
    return {lo - slack, hi + slack};
}

// A unit's scalars that vary with the state.
constexpr std::size_t kMostVariables = 5;

// An interval, and intervals of its derivatives in a unit's variables.
struct Enclosure {
    Interval v;
    std::array<Interval, kMostVariables> d;
};
Enclosure operator+(const Enclosure& a, const Enclosure& b) {
    Enclosure c{a.v + b.v, {}};
    for (std::size_t i = 0; i < kMostVariables; ++i) c.d[i] = a.d[i] + b.d[i];
    return c;
}
Enclosure operator-(const Enclosure& a) {
    Enclosure c{-a.v, {}};
    for (std::size_t i = 0; i < kMostVariables; ++i) c.d[i] = -a.d[i];
    return c;
}
Enclosure operator-(const Enclosure& a, const Enclosure& b) {
    return a + -b;
}
Enclosure operator*(const Enclosure& a, const Enclosure& b) {
    Enclosure c{a.v * b.v, {}};
    for (std::size_t i = 0; i < kMostVariables; ++i) c.d[i] = a.d[i] * b.v + a.v * b.d[i];
    return c;
}
Enclosure operator/(const Enclosure& a, const Enclosure& b) {
    Enclosure c{a.v / b.v, {}};
    for (std::size_t i = 0; i < kMostVariables; ++i) c.d[i] = (a.d[i] - c.v * b.d[i]) / b.v;
    return c;
}
Enclosure constant(const Enclosure&, double value) {
    return {{value, value}, {}};
}
Enclosure through(const Activation& f, const Enclosure& x, int order) {
    Enclosure y{range(f, x.v, order), {}};
    const Interval next = range(f, x.v, order + 1);
    for (std::size_t i = 0; i < kMostVariables; ++i) y.d[i] = next * x.d[i];
    return y;
}
Enclosure activate(const Activation& f, const Enclosure& x) {
    return through(f, x, 0);
}
Enclosure slope(const Activation& f, const Enclosure& x, const Enclosure&) {
    return through(f, x, 1);
}

// Upper bounds, up to the rounding of a sum.
double largest_eigenvalue(const Matrix& symmetric) {
    if (symmetric.size() == 0 || !symmetric.allFinite()) return symmetric.size() ? kInfinity : 0;
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric, Eigen::EigenvaluesOnly);
    return std::max(0.0, solver.eigenvalues().maxCoeff()) * (1 + 1e-12);
}
double norm_of(const Matrix& a) {
    return std::sqrt(a.rows() < a.cols() ? largest_eigenvalue(a * a.transpose())
                                         : largest_eigenvalue(a.transpose() * a));
}

struct GateNorms {
    std::vector<Vector> rows; // of each gate of the recurrent weight
    std::vector<double> norm;
};

// |diag(b) L|_2 from the norms of L and of its rows.
double scaled_norm(const Vector& b, double norm, const Vector& rows) {
    return std::min(b.maxCoeff() * norm, b.cwiseProduct(rows).norm());
}

} // namespace

struct SecondBound::State {
    CellForm form;
    CellMap map = CellMap::full;
    std::shared_ptr<const CellArrays<double>> arrays;
    GateNorms gates;
    Vector slots, h; // at the centre

    // A variable of the units: a slot, or a part of the state.
    struct Variable {
        int slot = -1, part = 0;
        double norm = 1; // of L, units x state
        Vector rows;     // norms of its rows
    };
    std::vector<Variable> variables;
    std::vector<Matrix> gradients;           // L of each variable
    std::vector<std::vector<double>> middle; // M0: one a part of the output; variables^2 x units
    double flat = 0;                         // bound of the M0 part
    Vector reset_rows;                       // gru_before: |row of W_n D(r h)| at the centre
    Vector reset_slope, reset_gate;          // h r' and r there

    [[nodiscard]] Index units() const { return form.units; }
    [[nodiscard]] int outputs() const { return map == CellMap::full ? form.state_parts() : 1; }
    [[nodiscard]] std::size_t count() const { return variables.size(); }

    // r h of gru_before over the ball.
    struct Reset {
        Vector rows_off;      // how far rows of its Jacobian (times W_n) go from the centre's
        double norm_off = 0;  // and the whole
        double curvature = 0; // bound of |D2 (r h)|
    };
    [[nodiscard]] Interval slot_range(int slot, Index unit, double half) const {
        const double centre = slots(slot * units() + unit);
        const double slack = 1e-13 * (std::abs(centre) + gate_rows(slot)(unit) * h.norm());
        return {centre - half - slack, centre + half + slack};
    }
    [[nodiscard]] const Vector& gate_rows(int slot) const {
        return gates.rows[static_cast<std::size_t>(std::min(slot, form.gates() - 1))];
    }
    [[nodiscard]] Interval state_range(int part, Index unit, double radius) const {
        const double centre = h(part * units() + unit);
        return {centre - radius, centre + radius};
    }
    [[nodiscard]] Reset reset(double radius) const;
    // Second derivatives of units over the ball: `body(output, p, q, unit, interval)`. `reach`: how
    // far a_n goes (gru_before). `slopes`, where asked for: max |dF / da_n|.
    template <class Body>
    void enclose(double radius, const Vector& reach, Vector* slopes, Body&& body) const;
    void set_middle();
};

SecondBound::State::Reset SecondBound::State::reset(double radius) const {
    const Index n = units();
    const Vector& rows = gates.rows[0];
    Vector by_gate(n), by_state(n), of_slope(n), of_gate(n);
    for (Index i = 0; i < n; ++i) {
        Enclosure a{slot_range(0, i, radius * rows(i)), {}}, state{state_range(0, i, radius), {}};
        a.d[0] = {1, 1};
        state.d[1] = {1, 1};
        const Enclosure r = activate(form.gate, a);
        const Enclosure d_a = state * slope(form.gate, a, r);
        by_gate(i) = d_a.d[0].magnitude() * rows(i) + d_a.d[1].magnitude();
        by_state(i) = r.d[0].magnitude() * rows(i);
        const auto off = [](const Interval& range, double centre) {
            return std::max(std::abs(range.lo - centre), std::abs(range.hi - centre));
        };
        of_slope(i) = off(d_a.v, reset_slope(i));
        of_gate(i) = off(r.v, reset_gate(i));
    }
    Reset result;
    result.curvature = scaled_norm(by_gate, gates.norm[0], rows) + by_state.maxCoeff();
    result.norm_off = gates.norm[2] * (of_gate.maxCoeff() + of_slope.maxCoeff() * gates.norm[0]);
    const Matrix weight = arrays->recurrent.bottomRows(n).cwiseAbs();
    const Vector by_norm = (weight * of_slope.asDiagonal()).rowwise().norm() * gates.norm[0];
    const Vector by_rows = weight * of_slope.cwiseProduct(rows);
    result.rows_off = (weight * of_gate.asDiagonal()).rowwise().norm() + by_norm.cwiseMin(by_rows);
    return result;
}

template <class Body>
void SecondBound::State::enclose(double radius, const Vector& reach, Vector* slopes,
                                 Body&& body) const {
    for (Index unit = 0; unit < units(); ++unit) {
        std::array<Enclosure, kMostSlots> a, d_a;
        std::array<Enclosure, 2> state, d_next, d_state;
        for (int slot = 0; slot < form.slots(); ++slot) {
            const double centre = slots(slot * units() + unit);
            a[static_cast<std::size_t>(slot)] = {{centre, centre}, {}};
        }
        for (int part = 0; part * units() < h.size(); ++part)
            state[static_cast<std::size_t>(part)] = {state_range(part, unit, radius), {}};
        for (std::size_t p = 0; p < count(); ++p) {
            const Variable& variable = variables[p];
            const bool is_slot = variable.slot >= 0;
            Enclosure& at = is_slot ? a[static_cast<std::size_t>(variable.slot)]
                                    : state[static_cast<std::size_t>(variable.part)];
            at.d[p] = {1, 1};
            if (is_slot)
                at.v = slot_range(variable.slot, unit,
                                  reach.size() > 0 && variable.slot == 2
                                      ? reach(unit)
                                      : radius * variable.rows(unit));
        }
        const double alpha = form.alpha_of(unit);
        for (int output = 0; output < outputs(); ++output) {
            d_next.fill({{0, 0}, {}});
            d_next[static_cast<std::size_t>(output)].v = {1, 1};
            if (map == CellMap::full)
                cell_backward(form, a.data(), state.data(), Enclosure{{alpha, alpha}, {}},
                              d_next.data(), d_a.data(), d_state.data());
            else
                reduced_backward(form, a.data(), state.data(), d_next[0], d_a.data());
            for (std::size_t p = 0; p < count(); ++p)
                for (std::size_t q = 0; q < count(); ++q)
                    body(output, p, q, unit,
                         variables[p].slot >= 0
                             ? d_a[static_cast<std::size_t>(variables[p].slot)].d[q]
                             : d_state[static_cast<std::size_t>(variables[p].part)].d[q]);
            if (slopes) (*slopes)(unit) = d_a[2].v.magnitude();
        }
    }
}

void SecondBound::State::set_middle() {
    const std::size_t k = count();
    const auto at = [&](std::size_t p, std::size_t q, Index unit) {
        return (p * k + q) * static_cast<std::size_t>(units()) + static_cast<std::size_t>(unit);
    };
    middle.assign(static_cast<std::size_t>(outputs()),
                  std::vector<double>(k * k * static_cast<std::size_t>(units()), 0.0));
    bool finite = true;
    enclose(0, reset_rows.size() > 0 ? Vector(Vector::Zero(units())) : Vector(), nullptr,
            [&](int output, std::size_t p, std::size_t q, Index unit, const Interval& value) {
                finite &= value.finite();
                middle[static_cast<std::size_t>(output)][at(p, q, unit)] =
                    value.finite() ? value.middle() : 0;
            });
    if (!finite) {
        flat = kInfinity;
        return;
    }
    // sum_i H_i^2 = sum_vw L_v^T diag(C_vw) L_w, C = sum over outputs of M^T (L L^T) M.
    std::vector<Vector> c(k * k, Vector::Zero(units()));
    for (Index unit = 0; unit < units(); ++unit) {
        const auto size = static_cast<Index>(k);
        Matrix inner(size, size), m(size, size);
        for (std::size_t p = 0; p < k; ++p)
            for (std::size_t q = 0; q < k; ++q)
                inner(static_cast<Index>(p), static_cast<Index>(q)) =
                    gradients[p].row(unit).dot(gradients[q].row(unit));
        for (const auto& values : middle) {
            for (std::size_t p = 0; p < k; ++p)
                for (std::size_t q = 0; q < k; ++q)
                    m(static_cast<Index>(p), static_cast<Index>(q)) = values[at(p, q, unit)];
            const Matrix sum = m.transpose() * inner * m;
            for (std::size_t p = 0; p < k; ++p)
                for (std::size_t q = 0; q < k; ++q)
                    c[p * k + q](unit) += sum(static_cast<Index>(p), static_cast<Index>(q));
        }
    }
    Matrix squares = Matrix::Zero(h.size(), h.size());
    for (std::size_t p = 0; p < k; ++p) {
        Matrix right = Matrix::Zero(units(), h.size());
        for (std::size_t q = 0; q < k; ++q)
            right.noalias() += c[p * k + q].asDiagonal() * gradients[q];
        squares.noalias() += gradients[p].transpose() * right;
    }
    flat = std::sqrt(largest_eigenvalue(squares));
}

double SecondBound::operator()(double radius) const {
    const State& s = *state_;
    const Index n = s.units();
    if (!(radius >= 0) || !std::isfinite(radius)) return kInfinity;
    if (s.form.kind == CellKind::linear) return 0;
    if (s.form.kind == CellKind::ctrnn_current) {
        double most = 0;
        Matrix weight = s.arrays->recurrent;
        if (s.map == CellMap::full)
            for (Index i = 0; i < n; ++i) weight.row(i) *= s.form.alpha_of(i);
        for (Index i = 0; i < n; ++i) {
            const Interval bend = range(s.form.activation, s.state_range(0, i, radius), 2);
            if (!bend.finite()) return kInfinity;
            most = std::max(most, bend.magnitude() * weight.col(i).norm());
        }
        return most * (1 + 1e-10);
    }
    State::Reset reset;
    Vector reach, slopes;
    const bool resets = s.reset_rows.size() > 0;
    if (resets) {
        reset = s.reset(radius);
        reach = radius * (s.reset_rows + reset.rows_off);
        slopes.setZero(n);
        if (!reach.allFinite() || !std::isfinite(reset.curvature)) return kInfinity;
    }
    const std::size_t k = s.count();
    // b_q of each output, for all of M and for its deviation from the centre.
    std::vector<Vector> whole(k * static_cast<std::size_t>(s.outputs()), Vector::Zero(n));
    std::vector<Vector> off = whole;
    bool finite = true;
    std::size_t index = 0;
    const auto rows_of = [&](std::size_t p, Index unit) {
        const double bent = resets && s.variables[p].slot == 2 ? reset.rows_off(unit) : 0;
        return std::pair{s.variables[p].rows(unit), bent};
    };
    s.enclose(radius, reach, resets ? &slopes : nullptr,
              [&](int output, std::size_t p, std::size_t q, Index unit, const Interval& m) {
                  finite &= m.finite();
                  if (!finite) return;
                  const auto [row, bent] = rows_of(p, unit);
                  const double centre = s.middle[static_cast<std::size_t>(output)]
                                                [(p * k + q) * static_cast<std::size_t>(n) +
                                                 static_cast<std::size_t>(unit)];
                  const double away = std::max(std::abs(m.lo - centre), std::abs(m.hi - centre));
                  index = static_cast<std::size_t>(output) * k + q;
                  whole[index](unit) += m.magnitude() * (row + bent);
                  off[index](unit) += away * (row + bent) + std::abs(centre) * bent;
              });
    if (!finite) return kInfinity;
    // Outputs of an lstm, h' and c', are two blocks of one vector.
    double whole_squared = 0, off_squared = 0;
    for (std::size_t output = 0; output < static_cast<std::size_t>(s.outputs()); ++output) {
        double whole_sum = 0, off_sum = 0;
        for (std::size_t q = 0; q < k; ++q) {
            const State::Variable& variable = s.variables[q];
            const bool bends = resets && variable.slot == 2;
            const double norm = variable.norm + (bends ? reset.norm_off : 0);
            const Vector rows = bends ? Vector(variable.rows + reset.rows_off) : variable.rows;
            whole_sum += scaled_norm(whole[output * k + q], norm, rows);
            off_sum += scaled_norm(off[output * k + q], norm, rows);
            if (bends) { // the centre's M with the part of the row that moved
                Vector bent = Vector::Zero(n);
                for (Index unit = 0; unit < n; ++unit) {
                    for (std::size_t p = 0; p < k; ++p)
                        bent(unit) +=
                            std::abs(s.middle[output][(p * k + q) * static_cast<std::size_t>(n) +
                                                      static_cast<std::size_t>(unit)]) *
                            s.variables[p].rows(unit);
                }
                off_sum += std::min(bent.maxCoeff() * reset.norm_off,
                                    bent.cwiseProduct(reset.rows_off).norm());
            }
        }
        whole_squared += whole_sum * whole_sum;
        off_squared += off_sum * off_sum;
    }
    double bound = std::min(std::sqrt(whole_squared), s.flat + std::sqrt(off_squared));
    if (resets) bound += reset.curvature * scaled_norm(slopes, s.gates.norm[2], s.gates.rows[2]);
    return bound * (1 + 1e-10) + 1e-13 * std::sqrt(whole_squared);
}

// --- the cell ---

template <class S>
struct RecurrentCell<S>::Norms {
    std::once_flag once;
    std::shared_ptr<const CellArrays<double>> arrays;
    GateNorms gates;
};

template <class S>
RecurrentCell<S>::RecurrentCell(CellForm form, const Column<S>& parameters)
    : form_(std::move(form)), norms_(std::make_shared<Norms>()) {
    const Index rows = form_.gates() * form_.units;
    auto arrays = std::make_shared<CellArrays<S>>();
    arrays->bias = arrays->recurrent_bias = Column<S>::Zero(rows);
    arrays->initial_state = Column<S>::Zero(form_.state_size());
    Index total = 0, offset = 0;
    for (const auto& info : cell_parameters(form_)) total += info.size();
    if (parameters.size() != total)
        throw Error(
            concat("a recurrent cell of ", total, " parameters is given ", parameters.size()));
    for (const auto& info : cell_parameters(form_)) {
        const S* from = parameters.data() + offset;
        offset += info.size();
        if (info.name == "kernel")
            arrays->kernel = Eigen::Map<const Rows<S>>(from, rows, form_.inputs);
        else if (info.name == "recurrent")
            arrays->recurrent = Eigen::Map<const Rows<S>>(from, rows, form_.units);
        else
            (info.name == "bias"             ? arrays->bias
             : info.name == "recurrent_bias" ? arrays->recurrent_bias
                                             : arrays->initial_state) =
                Eigen::Map<const Column<S>>(from, info.size());
    }
    arrays_ = std::move(arrays);
}

namespace {

// The form of a recurrent layer, which the network has checked.
template <class S>
CellForm cell_of(const Network<S>& network, Index node) {
    static const std::array<const char*, 7> kTypes{"rnn",   "gru",   "lstm",  "ugrnn",
                                                   "janet", "ctrnn", "linear"};
    if (node < 1 || node >= network.nodes()) throw Error(concat("there is no layer ", node));
    const std::string& type = network.node_type(node);
    if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end())
        throw Error(
            concat("layer '", network.node_name(node), "' of type '", type, "' is not recurrent"));
    const auto json = nlohmann::json::parse(network.architecture());
    const std::string path = concat("layers[", node - 1, "]");
    Keys keys(json.at("layers").at(static_cast<std::size_t>(node - 1)), path);
    return read_cell(keys, type, network.node_tensor(network.node_inputs(node)[0]).shape[1]);
}

// A layer's own stretch of the flat vector.
template <class S>
Column<S> parameters_of(const Network<S>& network, Index node, const Weights<S>& weights) {
    Index first = 0, size = 0;
    for (const auto& entry : network.parameters()) {
        if (entry.layer != network.node_name(node)) continue;
        if (size == 0) first = entry.offset;
        size += entry.info.size();
    }
    return weights.trained.segment(first, size);
}

} // namespace

template <class S>
RecurrentCell<S>::RecurrentCell(const Network<S>& network, Index node, const Weights<S>& weights)
    : RecurrentCell(cell_of(network, node), parameters_of(network, node, weights)) {}

template <class S>
void RecurrentCell<S>::check(const Rows<S>& x, const Rows<S>& h, CellMap map) const {
    if (map == CellMap::reduced && !has_reduced())
        throw Error("cells of type rnn and linear have no reduced map");
    if (x.cols() != inputs() || (x.rows() != h.rows() && x.rows() != 1))
        throw Error(concat("inputs of ", x.rows(), " x ", x.cols(), "; ", h.rows(), " x ", inputs(),
                           " are expected"));
    if (h.cols() != state_size() && !(map == CellMap::reduced && h.cols() == units()))
        throw Error(concat("states of ", h.cols(), " numbers; ", state_size(), " are expected"));
}

template <class S>
Rows<S> RecurrentCell<S>::step(const Rows<S>& x, const Rows<S>& h) const {
    check(x, h, CellMap::full);
    return Evaluation<S, Chunk<S>>(form_, *arrays_, h.rows(), x, nullptr, h).next(CellMap::full);
}

template <class S>
Rows<S> RecurrentCell<S>::output(const Rows<S>& h) const {
    if (h.cols() != state_size())
        throw Error(concat("states of ", h.cols(), " numbers; ", state_size(), " are expected"));
    Rows<S> shown = h.leftCols(units());
    if (form_.kind == CellKind::ctrnn_current)
        for_chunks(shown.size(), [&](Index i, Index count) {
            store(Chunk<S>(activate(form_.activation, load(shown.data() + i, count))),
                  shown.data() + i, count);
        });
    return shown;
}

template <class S>
Rows<S> RecurrentCell<S>::output_slopes(const Rows<S>& h) const {
    Rows<S> slopes = Rows<S>::Ones(h.rows(), units());
    if (form_.kind == CellKind::ctrnn_current)
        for_chunks(slopes.size(), [&](Index i, Index count) {
            const Chunk<S> a = load(h.data() + i, count);
            const Chunk<S> y = activate(form_.activation, a);
            store(Chunk<S>(slope(form_.activation, a, y)), slopes.data() + i, count);
        });
    return slopes;
}

template <class S>
Rows<S> RecurrentCell<S>::jacobian(const Rows<S>& x, const Rows<S>& h, CellMap map,
                                   bool of_input) const {
    check(x, h, map);
    const Index batch = h.rows(), n = units();
    const bool full = map == CellMap::full;
    const Index parts = full ? form_.state_parts() : 1;
    const Index columns = of_input ? inputs() : parts * n;
    const Evaluation<S, Chunk<S>> e(form_, *arrays_, batch, x, nullptr,
                                    full ? h : Rows<S>(h.leftCols(n)));
    Rows<S> value, bend;
    const bool before = form_.kind == CellKind::gru_before;
    const bool current = form_.kind == CellKind::ctrnn_current;
    if (before || current) e.fed_slopes(value, bend);
    Rows<S> jacobian = Rows<S>::Zero(batch * parts * n, columns);
    Rows<S> of_slots, of_state;
    for (int part = 0; part < parts; ++part) {
        e.coefficients(map, part, of_slots, of_state);
        for (Index b = 0; b < batch; ++b) {
            auto block = jacobian.middleRows((b * parts + part) * n, n);
            for (int slot = 0; slot < form_.slots(); ++slot) {
                const auto scale = of_slots.row(b).segment(slot * n, n).transpose().asDiagonal();
                // The candidate of gru_after has two slots: what is driven by x, and by h.
                const bool apart = form_.kind == CellKind::gru_after;
                if (apart && slot == (of_input ? 3 : 2)) continue;
                const Index gate = std::min(slot, form_.gates() - 1);
                const auto weight = arrays_->recurrent.middleRows(gate * n, n);
                if (of_input) block.noalias() += scale * arrays_->kernel.middleRows(gate * n, n);
                if (before && slot == 0) continue;
                if (before && slot == 2) { // W_n d(r h)
                    const auto& first = of_input ? arrays_->kernel : arrays_->recurrent;
                    Rows<S> inner = bend.row(b).transpose().asDiagonal() * first.topRows(n);
                    if (!of_input) inner.diagonal() += value.row(b).transpose();
                    block.noalias() += scale * Rows<S>(weight * inner);
                } else if (!of_input && current) {
                    block.noalias() += scale * weight * bend.row(b).transpose().asDiagonal();
                } else if (!of_input) {
                    block.leftCols(n).noalias() += scale * weight;
                }
            }
            if (of_input || !full) continue;
            for (Index from = 0; from < parts; ++from)
                block.middleCols(from * n, n).diagonal() +=
                    of_state.row(b).segment(from * n, n).transpose();
        }
    }
    return jacobian;
}

template <class S>
Rows<S> RecurrentCell<S>::jacobian_state(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, CellMap::full, false);
}
template <class S>
Rows<S> RecurrentCell<S>::jacobian_input(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, CellMap::full, true);
}

template <class S>
Rows<S> RecurrentCell<S>::tangent(const Rows<S>& x, const Rows<S>& h, const Rows<S>& dx,
                                  const Rows<S>& dh) const {
    check(x, h, CellMap::full);
    const Index batch = h.rows();
    if ((dx.size() > 0 && (dx.cols() != inputs() || (dx.rows() != batch && dx.rows() != 1))) ||
        (dh.size() > 0 && (dh.cols() != state_size() || (dh.rows() != batch && dh.rows() != 1))))
        throw Error("directions are not of the shape of inputs and states");
    Rows<S> state = Rows<S>::Zero(2 * batch, state_size());
    state.topRows(batch) = h;
    if (dh.size() > 0) state.bottomRows(batch) = spread(dh, batch);
    const Rows<S> moved = dx.size() > 0 ? spread(dx, batch) : Rows<S>();
    return Evaluation<S, Dual<Chunk<S>>>(form_, *arrays_, batch, x,
                                         dx.size() > 0 ? &moved : nullptr, std::move(state))
        .next(CellMap::full)
        .bottomRows(batch);
}

template <class S>
typename RecurrentCell<S>::Adjoint RecurrentCell<S>::adjoint(const Rows<S>& x, const Rows<S>& h,
                                                             const Rows<S>& cotangent) const {
    check(x, h, CellMap::full);
    if (cotangent.rows() != h.rows() || cotangent.cols() != state_size())
        throw Error("cotangents are not of the shape of the states");
    Adjoint result;
    Evaluation<S, Chunk<S>>(form_, *arrays_, h.rows(), x, nullptr, h)
        .adjoint(cotangent, result.state, result.input);
    return result;
}

template <class S>
Rows<S> RecurrentCell<S>::second(const Rows<S>& x, const Rows<S>& h, const Rows<S>& u,
                                 const Rows<S>& v) const {
    check(x, h, CellMap::full);
    check(x, spread(u, h.rows()), CellMap::full);
    check(x, spread(v, h.rows()), CellMap::full);
    const Index batch = h.rows();
    Rows<S> state = Rows<S>::Zero(4 * batch, state_size());
    state.topRows(batch) = h;
    state.middleRows(batch, batch) = spread(u, batch);
    state.middleRows(2 * batch, batch) = spread(v, batch);
    return Evaluation<S, Dual<Dual<Chunk<S>>>>(form_, *arrays_, batch, x, nullptr, std::move(state))
        .next(CellMap::full)
        .bottomRows(batch);
}

template <class S>
Rows<S> RecurrentCell<S>::second_adjoint(const Rows<S>& x, const Rows<S>& h,
                                         const Rows<S>& covector, const Rows<S>& u) const {
    check(x, h, CellMap::full);
    check(x, spread(covector, h.rows()), CellMap::full);
    check(x, spread(u, h.rows()), CellMap::full);
    const Index batch = h.rows();
    Rows<S> state(2 * batch, state_size());
    state << h, spread(u, batch);
    Rows<S> cotangent = Rows<S>::Zero(2 * batch, state_size());
    cotangent.topRows(batch) = spread(covector, batch);
    Rows<S> d_state, d_input;
    Evaluation<S, Dual<Chunk<S>>>(form_, *arrays_, batch, x, nullptr, std::move(state))
        .adjoint(cotangent, d_state, d_input);
    return d_state.bottomRows(batch);
}

template <class S>
Rows<S> RecurrentCell<S>::reduced(const Rows<S>& x, const Rows<S>& h) const {
    return reduced_values(x, h).leftCols(units());
}

template <class S>
Rows<S> RecurrentCell<S>::full_state(const Rows<S>& x, const Rows<S>& h) const {
    Rows<S> state = reduced_values(x, h);
    state.leftCols(units()) = h.leftCols(units());
    return state;
}

template <class S>
Rows<S> RecurrentCell<S>::reduced_values(const Rows<S>& x, const Rows<S>& h) const {
    check(x, h, CellMap::reduced);
    return Evaluation<S, Chunk<S>>(form_, *arrays_, h.rows(), x, nullptr, h.leftCols(units()))
        .next(CellMap::reduced);
}

template <class S>
Rows<S> RecurrentCell<S>::reduced_jacobian(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, CellMap::reduced, false);
}

template <class S>
Rows<S> RecurrentCell<S>::reduced_input_jacobian(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, has_reduced() ? CellMap::reduced : CellMap::full, true);
}

template <class S>
SecondBound RecurrentCell<S>::second_bound(const Rows<S>& x, const Rows<S>& h, CellMap map) const {
    check(x, h, map);
    if (h.rows() != 1) throw Error(concat("one state is expected, found ", h.rows()));
    const Index n = units();
    std::call_once(norms_->once, [&] {
        auto arrays = std::make_shared<CellArrays<double>>();
        arrays->kernel = arrays_->kernel.template cast<double>();
        arrays->recurrent = arrays_->recurrent.template cast<double>();
        arrays->bias = arrays_->bias.template cast<double>();
        arrays->recurrent_bias = arrays_->recurrent_bias.template cast<double>();
        for (int gate = 0; gate < form_.gates(); ++gate) {
            const Matrix weight = arrays->recurrent.middleRows(gate * n, n);
            norms_->gates.rows.emplace_back(weight.rowwise().norm());
            norms_->gates.norm.push_back(norm_of(weight));
        }
        norms_->arrays = std::move(arrays);
    });
    auto state = std::make_shared<SecondBound::State>();
    state->form = form_;
    state->map = map;
    state->arrays = norms_->arrays;
    state->gates = norms_->gates;
    state->h = (map == CellMap::full ? Rows<S>(h) : Rows<S>(h.leftCols(n)))
                   .row(0)
                   .transpose()
                   .template cast<double>();
    const Evaluation<double, Chunk<double>> e(form_, *state->arrays, 1, x.template cast<double>(),
                                              nullptr, Rows<double>(state->h.transpose()));
    state->slots = e.slots().row(0).transpose();
    const bool before = form_.kind == CellKind::gru_before;
    Matrix reset;
    if (before) {
        Rows<double> gate, bend;
        e.fed_slopes(gate, bend);
        state->reset_gate = gate.row(0).transpose();
        state->reset_slope = bend.row(0).transpose();
        reset = state->reset_slope.asDiagonal() * state->arrays->recurrent.topRows(n);
        reset.diagonal() += state->reset_gate;
        reset = Matrix(state->arrays->recurrent.bottomRows(n)) * reset;
        state->reset_rows = reset.rowwise().norm();
    }
    const auto add_slot = [&](int slot) {
        const int gate = std::min(slot, form_.gates() - 1);
        Matrix gradient = Matrix::Zero(n, state->h.size());
        SecondBound::State::Variable variable;
        variable.slot = slot;
        if (before && slot == 2) {
            gradient = reset;
            variable.rows = state->reset_rows;
            variable.norm = norm_of(reset);
        } else {
            gradient.leftCols(n) = state->arrays->recurrent.middleRows(gate * n, n);
            variable.rows = state->gates.rows[static_cast<std::size_t>(gate)];
            variable.norm = state->gates.norm[static_cast<std::size_t>(gate)];
        }
        state->variables.push_back(std::move(variable));
        state->gradients.push_back(std::move(gradient));
    };
    for (int slot = 0; slot < form_.slots(); ++slot) {
        // Of gru_after's candidate slot 2 is driven by x alone; slot 0 of gru_before acts by r h.
        if (form_.kind == CellKind::gru_after && slot == 2) continue;
        if (before && slot == 0) continue;
        add_slot(slot);
    }
    if (map == CellMap::full && form_.gates() > 1) {
        const int part = form_.state_parts() - 1; // h, or c of an lstm
        Matrix gradient = Matrix::Zero(n, state->h.size());
        gradient.middleCols(part * n, n).setIdentity();
        state->variables.push_back({-1, part, 1, Vector::Ones(n)});
        state->gradients.push_back(std::move(gradient));
    }
    if (form_.kind != CellKind::linear && form_.kind != CellKind::ctrnn_current)
        state->set_middle();
    return SecondBound(std::move(state));
}

template class RecurrentCell<double>;
template class RecurrentCell<float>;

} // namespace assay::network
