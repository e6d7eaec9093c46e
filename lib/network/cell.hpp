// Recurrent cells: rnn, linear, gru (reset after or before), lstm, ugrnn, janet, ctrnn (rate or
// current). The pointwise part of a step and its adjoint are written once as templates; values,
// tangents and second derivatives come from evaluating them with chunks, duals, duals of duals.
// Equations: Cho et al. 2014 (gru), Hochreiter and Schmidhuber 1997 (lstm), Collins,
// Sohl-Dickstein, Sussillo 2016 (ugrnn), van der Westhuizen and Lasenby 2018 (janet).
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/activation.hpp>
#include <assay/network/layer.hpp>

#include <array>

namespace assay::network {

enum class CellKind {
    rnn,
    linear,
    gru_after,
    gru_before,
    lstm,
    ugrnn,
    janet,
    ctrnn_rate,
    ctrnn_current
};

inline constexpr int kMostSlots = 4;

// What a cell is, apart from its numbers.
struct CellForm {
    CellKind kind = CellKind::rnn;
    Activation activation{Function::tanh, 1};
    Activation gate{Function::sigmoid, 1}; // recurrent_activation
    Index units = 1, inputs = 1;
    bool bias = true, recurrent_bias = false, initial_state = false;
    std::vector<double> alpha; // ctrnn: one, or one a unit

    [[nodiscard]] ASSAY_API int gates() const;
    // Pre-activations that the pointwise part sees: the gates, and for gru_after the recurrent part
    // of the candidate by itself.
    [[nodiscard]] int slots() const { return kind == CellKind::gru_after ? 4 : gates(); }
    [[nodiscard]] int state_parts() const { return kind == CellKind::lstm ? 2 : 1; }
    [[nodiscard]] Index state_size() const { return units * state_parts(); }
    [[nodiscard]] ASSAY_API std::string gate_names() const; // "r,z,n"
    [[nodiscard]] double alpha_of(Index unit) const {
        return alpha.empty() ? 1.0 : alpha[alpha.size() == 1 ? 0 : static_cast<std::size_t>(unit)];
    }
};

// Reads units, activation, ... of a layer of type `type`.
[[nodiscard]] CellForm read_cell(Keys& keys, const std::string& type, Index inputs);
// kernel, recurrent, bias, recurrent_bias, initial_state, as far as the form has them.
[[nodiscard]] ASSAY_API std::vector<ParameterInfo> cell_parameters(const CellForm& form);

// F itself, or the reduced map: the candidate, in whose place a convex combination rests because
// its weight is never 0. gru: R = n(h); ugrnn, janet: R = c(h); ctrnn: F with alpha 1; lstm: R(h) =
// o phi(c*) with c* = i g / (1 - f), on h alone. rnn and linear have none.
enum class CellMap { full, reduced };

// A cell's numbers, in the shapes of cell_parameters.
template <class S>
struct CellArrays {
    Rows<S> kernel, recurrent;
    Column<S> bias, recurrent_bias, initial_state; // zeros where the form has none
};

// next = F(slots, state), unit by unit. For gru_before slot 0 has been used before (r * h).
template <class T>
void cell_forward(const CellForm& form, const T* a, const T* state, const T& alpha, T* next) {
    const T one = constant(state[0], 1);
    switch (form.kind) {
    case CellKind::rnn:
        next[0] = activate(form.activation, a[0]);
        return;
    case CellKind::linear:
        next[0] = a[0];
        return;
    case CellKind::ctrnn_rate:
        next[0] = T(one - alpha) * state[0] + alpha * activate(form.activation, a[0]);
        return;
    case CellKind::ctrnn_current:
        next[0] = T(one - alpha) * state[0] + alpha * a[0];
        return;
    case CellKind::gru_after:
    case CellKind::gru_before: {
        const T z = activate(form.gate, a[1]);
        const T pre =
            form.kind == CellKind::gru_after ? T(a[2] + activate(form.gate, a[0]) * a[3]) : a[2];
        next[0] = T(one - z) * activate(form.activation, pre) + z * state[0];
        return;
    }
    case CellKind::ugrnn:
    case CellKind::janet: {
        const T u = activate(form.gate, a[0]);
        next[0] = u * state[0] + T(one - u) * activate(form.activation, a[1]);
        return;
    }
    case CellKind::lstm: {
        const T i = activate(form.gate, a[0]), f = activate(form.gate, a[1]),
                o = activate(form.gate, a[3]);
        next[1] = f * state[1] + i * activate(form.activation, a[2]);
        next[0] = o * activate(form.activation, next[1]);
        return;
    }
    }
}

// The adjoint: from cotangents of `next` those of slots and of the state (direct part only).
template <class T>
void cell_backward(const CellForm& form, const T* a, const T* state, const T& alpha,
                   const T* d_next, T* d_a, T* d_state) {
    const T one = constant(state[0], 1);
    const auto activated = [&](const Activation& f, const T& x, T& derivative) {
        const T y = activate(f, x);
        derivative = slope(f, x, y);
        return y;
    };
    switch (form.kind) {
    case CellKind::rnn: {
        T derivative = one;
        activated(form.activation, a[0], derivative);
        d_a[0] = d_next[0] * derivative;
        d_state[0] = constant(one, 0);
        return;
    }
    case CellKind::linear:
        d_a[0] = d_next[0];
        d_state[0] = constant(one, 0);
        return;
    case CellKind::ctrnn_rate: {
        T derivative = one;
        activated(form.activation, a[0], derivative);
        d_a[0] = d_next[0] * alpha * derivative;
        d_state[0] = d_next[0] * T(one - alpha);
        return;
    }
    case CellKind::ctrnn_current:
        d_a[0] = d_next[0] * alpha;
        d_state[0] = d_next[0] * T(one - alpha);
        return;
    case CellKind::gru_after:
    case CellKind::gru_before: {
        const bool after = form.kind == CellKind::gru_after;
        T z_slope = one, r_slope = one, n_slope = one;
        const T z = activated(form.gate, a[1], z_slope);
        const T r = activated(form.gate, a[0], r_slope);
        const T pre = after ? T(a[2] + r * a[3]) : a[2];
        const T n = activated(form.activation, pre, n_slope);
        d_a[1] = d_next[0] * T(state[0] - n) * z_slope;
        d_a[2] = d_next[0] * T(one - z) * n_slope;
        d_state[0] = d_next[0] * z;
        if (after) {
            d_a[3] = d_a[2] * r;
            d_a[0] = d_a[2] * a[3] * r_slope;
        } else {
            d_a[0] = constant(one, 0);
        }
        return;
    }
    case CellKind::ugrnn:
    case CellKind::janet: {
        T u_slope = one, c_slope = one;
        const T u = activated(form.gate, a[0], u_slope);
        const T c = activated(form.activation, a[1], c_slope);
        d_a[0] = d_next[0] * T(state[0] - c) * u_slope;
        d_a[1] = d_next[0] * T(one - u) * c_slope;
        d_state[0] = d_next[0] * u;
        return;
    }
    case CellKind::lstm: {
        T i_slope = one, f_slope = one, g_slope = one, o_slope = one, c_slope = one;
        const T i = activated(form.gate, a[0], i_slope), f = activated(form.gate, a[1], f_slope);
        const T g = activated(form.activation, a[2], g_slope);
        const T o = activated(form.gate, a[3], o_slope);
        const T c_next = f * state[1] + i * g;
        const T out = activated(form.activation, c_next, c_slope);
        const T d_c = d_next[1] + d_next[0] * o * c_slope;
        d_a[0] = d_c * g * i_slope;
        d_a[1] = d_c * state[1] * f_slope;
        d_a[2] = d_c * i * g_slope;
        d_a[3] = d_next[0] * out * o_slope;
        d_state[0] = constant(one, 0);
        d_state[1] = d_c * f;
        return;
    }
    }
}

// --- the reduced map: the candidate, of slots alone (see CellMap) ---

// 1 - f of an lstm: the gate of -a_f, without cancellation near f = 1. A hard gate may keep all
// (f = 1); c* is then so far out that a bounded activation is flat there, which continues R, or 0
// where i g = 0 and any c rests.
template <class T>
T forgotten(const CellForm& form, const T& a_f) {
    constexpr double kNothing = 1e-38;
    return activate(form.gate, T(-a_f)) + constant(a_f, kNothing);
}

// next[0] = R; next[1] = c* for an lstm.
template <class T>
void reduced_forward(const CellForm& form, const T* a, const T* state, T* next) {
    switch (form.kind) {
    case CellKind::gru_after:
        next[0] = activate(form.activation, T(a[2] + activate(form.gate, a[0]) * a[3]));
        return;
    case CellKind::gru_before:
        next[0] = activate(form.activation, a[2]);
        return;
    case CellKind::ugrnn:
    case CellKind::janet:
        next[0] = activate(form.activation, a[1]);
        return;
    case CellKind::lstm:
        next[1] =
            activate(form.gate, a[0]) * activate(form.activation, a[2]) / forgotten(form, a[1]);
        next[0] = activate(form.gate, a[3]) * activate(form.activation, next[1]);
        return;
    default:
        cell_forward(form, a, state, constant(a[0], 1), next);
    }
}

// Its adjoint: from the cotangent of R those of the slots.
template <class T>
void reduced_backward(const CellForm& form, const T* a, const T* state, const T& d_next, T* d_a) {
    const T zero = constant(a[0], 0);
    for (int slot = 0; slot < form.slots(); ++slot) d_a[slot] = zero;
    const auto slope_at = [](const Activation& f, const T& x) {
        return T(slope(f, x, T(activate(f, x))));
    };
    switch (form.kind) {
    case CellKind::gru_after: {
        const T r = activate(form.gate, a[0]);
        d_a[2] = d_next * slope_at(form.activation, T(a[2] + r * a[3]));
        d_a[3] = d_a[2] * r;
        d_a[0] = d_a[2] * a[3] * slope_at(form.gate, a[0]);
        return;
    }
    case CellKind::gru_before:
        d_a[2] = d_next * slope_at(form.activation, a[2]);
        return;
    case CellKind::ugrnn:
    case CellKind::janet:
        d_a[1] = d_next * slope_at(form.activation, a[1]);
        return;
    case CellKind::lstm: {
        const T i = activate(form.gate, a[0]), o = activate(form.gate, a[3]);
        const T g = activate(form.activation, a[2]), lost = forgotten(form, a[1]);
        const T c = i * g / lost, out = activate(form.activation, c);
        const T d_c = d_next * o * T(slope(form.activation, c, out));
        d_a[0] = d_c * g * slope_at(form.gate, a[0]) / lost;
        d_a[1] = d_c * c * slope_at(form.gate, T(-a[1])) / lost;
        d_a[2] = d_c * i * slope_at(form.activation, a[2]) / lost;
        d_a[3] = d_next * out * slope_at(form.gate, a[3]);
        return;
    }
    default: {
        T d_state = zero;
        cell_backward(form, a, state, constant(a[0], 1), &d_next, d_a, &d_state);
    }
    }
}

} // namespace assay::network
