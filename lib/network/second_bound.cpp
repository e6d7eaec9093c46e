#include <assay/network/second_bound.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/indices.hpp>
#include <assay/linalg/spectral_norm.hpp>
#include <assay/network/enclosure.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace assay::network {
namespace {

constexpr double kNormRounding = 1 + 1e-12; // of norms, which are to be upper bounds

double norm_of(const Matrix& a) {
    return linalg::spectral_norm(a) * kNormRounding;
}

// |diag(b) L|_2 from the norms of L and of its rows.
double scaled_norm(const Vector& b, double norm, const Vector& rows) {
    return std::min(b.maxCoeff() * norm, b.cwiseProduct(rows).norm());
}

// gru_before: how far the Jacobian of r h can be from what it is at the centre.
struct Reset {
    Vector rows_off;      // of its rows, times W_n
    double norm_off = 0;  // and the whole
    double curvature = 0; // bound of |D2 (r h)|
};

// b_q of each output, for all of M and for its deviation from the centre.
struct Scales {
    std::vector<Vector> whole, off; // outputs x variables, each of the units
    Vector slopes;                  // max |dF / da_n| (gru_before)
    bool finite = true;
};

} // namespace

NormedWeights normed(const CellForm& form, CellArrays<double> arrays) {
    NormedWeights weights;
    weights.arrays = std::move(arrays);
    for (int gate = 0; gate < form.gates(); ++gate) {
        const Matrix weight = weights.arrays.recurrent.middleRows(gate * form.units, form.units);
        weights.rows.emplace_back(weight.rowwise().norm());
        weights.norm.push_back(norm_of(weight));
    }
    return weights;
}

class SecondBound::Ball {
  public:
    Ball(const CellForm& form, CellMap map, std::shared_ptr<const NormedWeights> weights,
         Centre centre);
    [[nodiscard]] double bound(double radius) const;

  private:
    // A variable of the units: a slot (pre-activation), or where that is -1 a part of the state.
    struct Variable {
        int slot = -1, part = 0;
        Matrix gradient; // L, units x state
        double norm = 1; // of L
        Vector rows;     // norms of its rows
    };

    CellForm form_;
    CellMap map_;
    std::shared_ptr<const NormedWeights> weights_;
    Centre centre_;
    std::vector<Variable> variables_;
    std::vector<std::vector<double>> middle_; // M0: one a part of the output; variables^2 x units
    double flat_ = 0;                         // bound of the M0 part

    [[nodiscard]] Index units() const { return form_.units; }
    [[nodiscard]] Index outputs() const { return map_ == CellMap::full ? form_.state_parts() : 1; }
    [[nodiscard]] std::size_t count() const { return variables_.size(); }
    [[nodiscard]] bool resets() const { return form_.kind == CellKind::gru_before; }
    // The candidate's slot of gru_before, whose gradient varies over the ball.
    [[nodiscard]] bool bends(const Variable& variable) const {
        return resets() && variable.slot == 2;
    }
    [[nodiscard]] std::size_t entry(std::size_t p, std::size_t q, Index unit) const {
        return (p * count() + q) * at(units()) + at(unit);
    }
    [[nodiscard]] int gate_of(int slot) const { return std::min(slot, form_.gates() - 1); }
    // How far a variable's row of L goes from the centre's.
    [[nodiscard]] double bent(const Variable& variable, const Reset& reset, Index unit) const {
        return bends(variable) ? reset.rows_off(unit) : 0;
    }

    void add_slots();
    void add_state();
    [[nodiscard]] Matrix reset_gradient() const;
    void set_middle();
    [[nodiscard]] Matrix sum_of_squares() const;

    [[nodiscard]] Interval slot_range(int slot, Index unit, double half) const;
    [[nodiscard]] Interval state_range(int part, Index unit, double radius) const {
        const double centre = centre_.h(part * units() + unit);
        return {centre - radius, centre + radius};
    }
    [[nodiscard]] Reset reset_within(double radius) const;
    // Second derivatives of units over the ball: `body(output, p, q, unit, interval)`. `slopes`,
    // where asked for: max |dF / da_n|.
    template <class Body>
    void enclose(double radius, const Reset& reset, Vector* slopes, Body&& body) const;
    [[nodiscard]] Scales scales(double radius, const Reset& reset) const;
    [[nodiscard]] double moved_row(Index output, std::size_t q, const Reset& reset) const;
    [[nodiscard]] bool may_keep_all(double radius) const;
    [[nodiscard]] double of_currents(double radius) const;
    [[nodiscard]] double of_units(double radius) const;
};

// --- at the centre ---

SecondBound::Ball::Ball(const CellForm& form, CellMap map,
                        std::shared_ptr<const NormedWeights> weights, Centre centre)
    : form_(form), map_(map), weights_(std::move(weights)), centre_(std::move(centre)) {
    if (form_.kind == CellKind::linear || form_.kind == CellKind::ctrnn_current) return;
    add_slots();
    if (map_ == CellMap::full && form_.gates() > 1) add_state();
    set_middle();
}

void SecondBound::Ball::add_slots() {
    for (int slot = 0; slot < form_.slots(); ++slot) {
        // Of gru_after's candidate slot 2 is driven by x alone; slot 0 of gru_before acts by r h.
        if (form_.kind == CellKind::gru_after && slot == 2) continue;
        if (resets() && slot == 0) continue;
        Variable variable;
        variable.slot = slot;
        variable.gradient = Matrix::Zero(units(), centre_.h.size());
        if (bends(variable)) {
            variable.gradient = reset_gradient();
            variable.rows = variable.gradient.rowwise().norm();
            variable.norm = norm_of(variable.gradient);
        } else {
            const int gate = gate_of(slot);
            variable.gradient.leftCols(units()) =
                weights_->arrays.recurrent.middleRows(gate * units(), units());
            variable.rows = weights_->rows[at(gate)];
            variable.norm = weights_->norm[at(gate)];
        }
        variables_.push_back(std::move(variable));
    }
}

// h, or c of an lstm.
void SecondBound::Ball::add_state() {
    Variable variable;
    variable.part = form_.state_parts() - 1;
    variable.gradient = Matrix::Zero(units(), centre_.h.size());
    variable.gradient.middleCols(variable.part * units(), units()).setIdentity();
    variable.rows = Vector::Ones(units());
    variables_.push_back(std::move(variable));
}

// W_n D(r h).
Matrix SecondBound::Ball::reset_gradient() const {
    Matrix inner = centre_.reset_slope.asDiagonal() * weights_->arrays.recurrent.topRows(units());
    inner.diagonal() += centre_.reset;
    return Matrix(weights_->arrays.recurrent.bottomRows(units())) * inner;
}

void SecondBound::Ball::set_middle() {
    middle_.assign(at(outputs()), std::vector<double>(count() * count() * at(units()), 0.0));
    bool finite = true;
    Reset still;
    still.rows_off = Vector::Zero(units());
    enclose(0, still, nullptr,
            [&](Index output, std::size_t p, std::size_t q, Index unit, const Interval& value) {
                finite &= value.finite();
                middle_[at(output)][entry(p, q, unit)] = value.finite() ? value.middle() : 0;
            });
    const double squared = finite ? linalg::largest_eigenvalue(sum_of_squares()) : kInfinity;
    flat_ = std::sqrt(std::max(0.0, squared)) * kNormRounding;
}

// sum_i H_i^2 = sum_vw L_v^T diag(C_vw) L_w, C = sum over outputs of M^T (L L^T) M.
Matrix SecondBound::Ball::sum_of_squares() const {
    const std::size_t k = count();
    std::vector<Vector> c(k * k, Vector::Zero(units()));
    const auto size = static_cast<Index>(k);
    Matrix inner(size, size), m(size, size);
    for (Index unit = 0; unit < units(); ++unit) {
        for (Index p = 0; p < size; ++p)
            for (Index q = 0; q < size; ++q)
                inner(p, q) =
                    variables_[at(p)].gradient.row(unit).dot(variables_[at(q)].gradient.row(unit));
        for (const auto& values : middle_) {
            for (Index p = 0; p < size; ++p)
                for (Index q = 0; q < size; ++q) m(p, q) = values[entry(at(p), at(q), unit)];
            const Matrix sum = m.transpose() * inner * m;
            for (Index p = 0; p < size; ++p)
                for (Index q = 0; q < size; ++q) c[at(p) * k + at(q)](unit) += sum(p, q);
        }
    }
    Matrix squares = Matrix::Zero(centre_.h.size(), centre_.h.size());
    for (std::size_t p = 0; p < k; ++p) {
        Matrix right = Matrix::Zero(units(), centre_.h.size());
        for (std::size_t q = 0; q < k; ++q)
            right.noalias() += c[p * k + q].asDiagonal() * variables_[q].gradient;
        squares.noalias() += variables_[p].gradient.transpose() * right;
    }
    return squares;
}

// --- over the ball ---

Interval SecondBound::Ball::slot_range(int slot, Index unit, double half) const {
    const double centre = centre_.slots(slot * units() + unit);
    const double row = weights_->rows[at(gate_of(slot))](unit);
    const double slack = 1e-13 * (std::abs(centre) + row * centre_.h.norm());
    return {centre - half - slack, centre + half + slack};
}

Reset SecondBound::Ball::reset_within(double radius) const {
    if (!resets()) return {};
    const Index n = units();
    const Vector& rows = weights_->rows[0];
    Vector by_gate(n), by_state(n), of_slope(n), of_gate(n);
    for (Index i = 0; i < n; ++i) {
        Enclosure a{slot_range(0, i, radius * rows(i)), {}}, state{state_range(0, i, radius), {}};
        a.d[0] = {1, 1};
        state.d[1] = {1, 1};
        const Enclosure r = activate(form_.gate, a);
        const Enclosure d_a = state * slope(form_.gate, a, r);
        by_gate(i) = d_a.d[0].magnitude() * rows(i) + d_a.d[1].magnitude();
        by_state(i) = r.d[0].magnitude() * rows(i);
        of_slope(i) = d_a.v.away_from(centre_.reset_slope(i));
        of_gate(i) = r.v.away_from(centre_.reset(i));
    }
    Reset result;
    result.curvature = scaled_norm(by_gate, weights_->norm[0], rows) + by_state.maxCoeff();
    result.norm_off =
        weights_->norm[2] * (of_gate.maxCoeff() + of_slope.maxCoeff() * weights_->norm[0]);
    const Matrix weight = weights_->arrays.recurrent.bottomRows(n).cwiseAbs();
    const Vector by_norm = (weight * of_slope.asDiagonal()).rowwise().norm() * weights_->norm[0];
    const Vector by_rows = weight * of_slope.cwiseProduct(rows);
    result.rows_off = (weight * of_gate.asDiagonal()).rowwise().norm() + by_norm.cwiseMin(by_rows);
    return result;
}

template <class Body>
void SecondBound::Ball::enclose(double radius, const Reset& reset, Vector* slopes,
                                Body&& body) const {
    for (Index unit = 0; unit < units(); ++unit) {
        std::array<Enclosure, kMostSlots> a, d_a;
        std::array<Enclosure, 2> state, d_next, d_state;
        for (int slot = 0; slot < form_.slots(); ++slot) {
            const double centre = centre_.slots(slot * units() + unit);
            a[at(slot)] = {{centre, centre}, {}};
        }
        for (int part = 0; part * units() < centre_.h.size(); ++part)
            state[at(part)] = {state_range(part, unit, radius), {}};
        for (std::size_t p = 0; p < count(); ++p) {
            const Variable& variable = variables_[p];
            const bool is_slot = variable.slot >= 0;
            Enclosure& moving = is_slot ? a[at(variable.slot)] : state[at(variable.part)];
            moving.d[p] = {1, 1};
            if (is_slot)
                moving.v = slot_range(variable.slot, unit,
                                      radius * (variable.rows(unit) + bent(variable, reset, unit)));
        }
        const double alpha = form_.alpha_of(unit);
        for (Index output = 0; output < outputs(); ++output) {
            d_next.fill({{0, 0}, {}});
            d_next[at(output)].v = {1, 1};
            if (map_ == CellMap::full)
                cell_backward(form_, a.data(), state.data(), Enclosure{{alpha, alpha}, {}},
                              d_next.data(), d_a.data(), d_state.data());
            else
                reduced_backward(form_, a.data(), state.data(), d_next[0], d_a.data());
            for (std::size_t p = 0; p < count(); ++p)
                for (std::size_t q = 0; q < count(); ++q)
                    body(output, p, q, unit,
                         variables_[p].slot >= 0 ? d_a[at(variables_[p].slot)].d[q]
                                                 : d_state[at(variables_[p].part)].d[q]);
            if (slopes) (*slopes)(unit) = d_a[2].v.magnitude();
        }
    }
}

Scales SecondBound::Ball::scales(double radius, const Reset& reset) const {
    Scales scales;
    scales.whole.assign(count() * at(outputs()), Vector::Zero(units()));
    scales.off = scales.whole;
    if (resets()) scales.slopes.setZero(units());
    enclose(radius, reset, resets() ? &scales.slopes : nullptr,
            [&](Index output, std::size_t p, std::size_t q, Index unit, const Interval& m) {
                scales.finite &= m.finite();
                if (!scales.finite) return;
                const double off = bent(variables_[p], reset, unit);
                const double row = variables_[p].rows(unit) + off;
                const double centre = middle_[at(output)][entry(p, q, unit)];
                const std::size_t index = at(output) * count() + q;
                scales.whole[index](unit) += m.magnitude() * row;
                scales.off[index](unit) += m.away_from(centre) * row + std::abs(centre) * off;
            });
    return scales;
}

// The centre's M with the part of a row that moved.
double SecondBound::Ball::moved_row(Index output, std::size_t q, const Reset& reset) const {
    Vector scale = Vector::Zero(units());
    for (Index unit = 0; unit < units(); ++unit)
        for (std::size_t p = 0; p < count(); ++p)
            scale(unit) +=
                std::abs(middle_[at(output)][entry(p, q, unit)]) * variables_[p].rows(unit);
    return scaled_norm(scale, reset.norm_off, reset.rows_off);
}

// Whether a hard gate may be 1 somewhere in the ball, so that a unit keeps its state there: it
// rests wherever it is, not only where R says.
bool SecondBound::Ball::may_keep_all(double radius) const {
    if (map_ == CellMap::full || form_.gates() == 1 ||
        form_.gate.function != Function::hard_sigmoid)
        return false;
    const bool one_gate = form_.kind == CellKind::ugrnn || form_.kind == CellKind::janet;
    const int slot = one_gate ? 0 : 1; // u, f; or z of r, z, n and f of i, f, g, o
    for (Index unit = 0; unit < units(); ++unit) {
        const double half = radius * weights_->rows[at(slot)](unit);
        if (range(form_.gate, slot_range(slot, unit, half), 0).hi >= 1) return true;
    }
    return false;
}

// --- the bound ---

double SecondBound::Ball::of_currents(double radius) const {
    double most = 0;
    Matrix weight = weights_->arrays.recurrent;
    if (map_ == CellMap::full)
        for (Index i = 0; i < units(); ++i) weight.row(i) *= form_.alpha_of(i);
    for (Index i = 0; i < units(); ++i) {
        const Interval bend = range(form_.activation, state_range(0, i, radius), 2);
        if (!bend.finite()) return kInfinity;
        most = std::max(most, bend.magnitude() * weight.col(i).norm());
    }
    return most * (1 + 1e-10);
}

double SecondBound::Ball::of_units(double radius) const {
    const Reset reset = reset_within(radius);
    if (!reset.rows_off.allFinite() || !std::isfinite(reset.curvature)) return kInfinity;
    const Scales b = scales(radius, reset);
    if (!b.finite) return kInfinity;
    // Outputs of an lstm, h' and c', are two blocks of one vector.
    double whole_squared = 0, off_squared = 0;
    for (Index output = 0; output < outputs(); ++output) {
        double whole = 0, off = 0;
        for (std::size_t q = 0; q < count(); ++q) {
            const Variable& variable = variables_[q];
            const bool moves = bends(variable);
            const double norm = variable.norm + (moves ? reset.norm_off : 0);
            const Vector rows = moves ? Vector(variable.rows + reset.rows_off) : variable.rows;
            whole += scaled_norm(b.whole[at(output) * count() + q], norm, rows);
            off += scaled_norm(b.off[at(output) * count() + q], norm, rows);
            if (moves) off += moved_row(output, q, reset);
        }
        whole_squared += whole * whole;
        off_squared += off * off;
    }
    double bound = std::min(std::sqrt(whole_squared), flat_ + std::sqrt(off_squared));
    if (resets())
        bound += reset.curvature * scaled_norm(b.slopes, weights_->norm[2], weights_->rows[2]);
    return bound * (1 + 1e-10) + 1e-13 * std::sqrt(whole_squared);
}

double SecondBound::Ball::bound(double radius) const {
    if (!(radius >= 0) || !std::isfinite(radius)) return kInfinity;
    switch (form_.kind) {
    case CellKind::linear:
        return 0;
    case CellKind::ctrnn_current:
        return of_currents(radius);
    default:
        return may_keep_all(radius) ? kInfinity : of_units(radius);
    }
}

SecondBound::SecondBound(const CellForm& form, CellMap map,
                         std::shared_ptr<const NormedWeights> weights, Centre centre)
    : ball_(std::make_shared<const Ball>(form, map, std::move(weights), std::move(centre))) {}

double SecondBound::operator()(double radius) const {
    return ball_->bound(radius);
}

} // namespace assay::network
