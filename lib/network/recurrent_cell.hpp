// A recurrent cell as an object of its own: one step h' = F(x, h), its reduced map R (whose fixed
// points are those of F), and their exact derivatives, for batches of states. Everything comes from
// the templates of cell.hpp evaluated on chunks, duals, and duals of duals.
//
// Arrays are rows of samples: x (B x inputs, or one row for all), h (B x state size). The state of
// an lstm is [h; c]. Matrices of a batch are stacked: rows b R .. b R + R - 1 are those of sample
// b, a row belongs to an output. All functions throw Error for arrays of wrong shape.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/cell.hpp>
#include <assay/network/network.hpp>
#include <assay/network/second_bound.hpp>

#include <memory>

namespace assay::network {

template <class S>
class ASSAY_API RecurrentCell {
  public:
    // `parameters`: kernel, recurrent, bias, recurrent_bias, initial_state (those of
    // cell_parameters), one after another.
    RecurrentCell(CellForm form, const Column<S>& parameters);
    // A recurrent layer of a network. Throws Error if the node is none.
    RecurrentCell(const Network<S>& network, Index node, const Weights<S>& weights);

    [[nodiscard]] const CellForm& form() const { return form_; }
    [[nodiscard]] const CellArrays<S>& arrays() const { return *arrays_; }
    [[nodiscard]] Index units() const { return form_.units; }
    [[nodiscard]] Index inputs() const { return form_.inputs; }
    [[nodiscard]] Index state_size() const { return form_.state_size(); }
    [[nodiscard]] bool has_reduced() const {
        return form_.kind != CellKind::rnn && form_.kind != CellKind::linear;
    }
    // The state a layer starts from: its parameter, or zeros.
    [[nodiscard]] const Column<S>& initial_state() const { return arrays_->initial_state; }

    // h' (B x state).
    [[nodiscard]] Rows<S> step(const Rows<S>& x, const Rows<S>& h) const;
    // What the layer shows of a state (B x units): h, or the rates phi(h) of a ctrnn in current
    // form.
    [[nodiscard]] Rows<S> output(const Rows<S>& h) const;
    // Its derivative, unit by unit (B x units): ones, or phi'(h).
    [[nodiscard]] Rows<S> output_slopes(const Rows<S>& h) const;

    // dh'/dh (B state x state) and dh'/dx (B state x inputs).
    [[nodiscard]] Rows<S> jacobian_state(const Rows<S>& x, const Rows<S>& h) const;
    [[nodiscard]] Rows<S> jacobian_input(const Rows<S>& x, const Rows<S>& h) const;
    // J_h dh + J_x dx, row by row (B x state); an empty dx (dh) stands for zeros.
    [[nodiscard]] Rows<S> tangent(const Rows<S>& x, const Rows<S>& h, const Rows<S>& dx,
                                  const Rows<S>& dh) const;
    // J_h^T w and J_x^T w, row by row.
    struct Adjoint {
        Rows<S> state, input;
    };
    [[nodiscard]] Adjoint adjoint(const Rows<S>& x, const Rows<S>& h,
                                  const Rows<S>& cotangent) const;

    // D2F[u, v] in state directions u, v (one row for all, or B rows).
    [[nodiscard]] Rows<S> second(const Rows<S>& x, const Rows<S>& h, const Rows<S>& u,
                                 const Rows<S>& v) const;
    // d/dh of (w . J_h u), that is D2F[u, .]^T w; w and u one row for all, or B rows.
    [[nodiscard]] Rows<S> second_adjoint(const Rows<S>& x, const Rows<S>& h,
                                         const Rows<S>& covector, const Rows<S>& u) const;

    // R(h) (B x units) and dR/dh (B units x units), of the first `units` columns of h. Throws Error
    // for rnn and linear. Where the forget gate of an lstm is exactly 1 (hard_sigmoid): its limit.
    [[nodiscard]] Rows<S> reduced(const Rows<S>& x, const Rows<S>& h) const;
    [[nodiscard]] Rows<S> reduced_jacobian(const Rows<S>& x, const Rows<S>& h) const;
    // dR/dx (B units x inputs); that of F where there is no reduced map.
    [[nodiscard]] Rows<S> reduced_input_jacobian(const Rows<S>& x, const Rows<S>& h) const;
    // The full state that belongs to a point of the reduced map: h, or [h; c*] of an lstm.
    [[nodiscard]] Rows<S> full_state(const Rows<S>& x, const Rows<S>& h) const;

    // The bound of the second derivative of F or R around one state (x and h of one row).
    [[nodiscard]] SecondBound second_bound(const Rows<S>& x, const Rows<S>& h,
                                           CellMap map = CellMap::full) const;

  private:
    struct Norms;
    void check(const Rows<S>& x, const Rows<S>& h, CellMap map) const;
    [[nodiscard]] Rows<S> reduced_values(const Rows<S>& x, const Rows<S>& h) const;
    [[nodiscard]] Rows<S> jacobian(const Rows<S>& x, const Rows<S>& h, CellMap map,
                                   bool of_input) const;
    CellForm form_;
    std::shared_ptr<const CellArrays<S>> arrays_;
    std::shared_ptr<Norms> norms_; // of weights, made when first asked for
};

} // namespace assay::network
