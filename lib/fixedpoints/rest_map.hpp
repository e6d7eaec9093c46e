// The map whose rest is searched for, reduced or full, under one constant input: an internal of the
// searches.
#pragma once

#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/search.hpp>

namespace assay::fixedpoints {

class RestMap {
  public:
    RestMap(const Dynamics& dynamics, const RowMatrix& x, Residual residual)
        : dynamics_(&dynamics), x_(x), reduced_(residual == Residual::reduced) {}
    [[nodiscard]] Index size() const {
        return reduced_ ? dynamics_->reduced_size() : dynamics_->state_size();
    }
    // Map minus identity (B x size).
    [[nodiscard]] RowMatrix residual(const RowMatrix& v) const {
        return (reduced_ ? dynamics_->reduced(x_, v) : dynamics_->step(x_, v)) - v;
    }
    // Its Jacobian, blocks of `size` rows; the identity is not yet taken away.
    [[nodiscard]] RowMatrix jacobian(const RowMatrix& v) const {
        return reduced_ ? dynamics_->reduced_jacobian(x_, v) : dynamics_->jacobian_state(x_, v);
    }
    // Between full states and the map's arguments.
    [[nodiscard]] RowMatrix argument(const RowMatrix& state) const {
        return reduced_ ? dynamics_->reduced_part(state) : state;
    }
    [[nodiscard]] RowMatrix state(const RowMatrix& argument) const {
        return reduced_ ? dynamics_->full_state(x_, argument) : argument;
    }
    [[nodiscard]] const Dynamics& dynamics() const { return *dynamics_; }
    [[nodiscard]] const RowMatrix& input() const { return x_; }

  private:
    const Dynamics* dynamics_;
    RowMatrix x_;
    bool reduced_;
};

} // namespace assay::fixedpoints
