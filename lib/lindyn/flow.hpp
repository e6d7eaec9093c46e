// Gradient flow of a deep linear network on any data from any start, tau dW_l/dt = -dL/dW_l, by
// adaptive integration of all weights: for what the closed forms do not cover (three layers and
// more from starts that are not aligned, inputs that are not white, weight decay).
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/ode.hpp>

namespace assay::lindyn {

class ASSAY_API Flow {
  public:
    // `statistics` must outlive this. Tolerance 1e-8 relative, 1e-10 of the largest weight of the
    // start.
    Flow(const Statistics& statistics, Layers start, double tau = 1, double decay = 0);
    Flow(const Flow&) = delete;
    Flow& operator=(const Flow&) = delete;

    // The weights at rising times.
    const Layers& at(double time);
    // Largest change so far of what the flow conserves, over the square of the weights' scale; an
    // error of integration (with weight decay it is no constant).
    [[nodiscard]] double conservation_error() const;
    [[nodiscard]] Index steps() const { return integrator_.steps(); }
    // Where the integration stands; restored in a flow from the same start, it goes on to the same
    // bits.
    [[nodiscard]] OdeState state() const { return integrator_.state(); }
    void restore(const OdeState& state) { integrator_.restore(state); }

  private:
    Layers start_, layers_, slope_;
    double tau_, decay_, scale_;
    Descent descent_;
    DormandPrince integrator_;
};

} // namespace assay::lindyn
