// Adaptive integration of y' = f(y): the pair of Dormand and Prince of order 5(4), first same as
// last, with the continuous extension of order 4 of Hairer, Norsett and Wanner (Solving Ordinary
// Differential Equations I, section II.6) for values between steps.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <array>
#include <functional>

namespace assay::lindyn {

struct OdeTolerance {
    double relative = 1e-8;
    double absolute = 1e-10;
};

// Where an integration stands between two calls; all that going on needs.
struct OdeState {
    Matrix columns; // y, the step before, and the seven slopes between: as long as y
    double time = 0, before = 0, step = 0;
};

class ASSAY_API DormandPrince {
  public:
    using Slope = std::function<void(const Vector& y, Vector& slope)>;
    // From y(0) = start.
    DormandPrince(Slope slope, Vector start, OdeTolerance tolerance);

    // y(time), in one step's continuous extension; `time` must not lie before the last one asked
    // for. Error per step below tolerance.absolute + tolerance.relative |y|, root mean square over
    // y. Throws Error where the step shrinks to nothing (y runs to infinity).
    const Vector& at(double time);
    [[nodiscard]] OdeState state() const;
    // Goes on to the bits of the integration that was there. Throws Error on a y of another length.
    void restore(const OdeState& state);
    [[nodiscard]] Index steps() const { return steps_; }
    [[nodiscard]] Index evaluations() const { return evaluations_; }

  private:
    void step();
    void evaluate(const Vector& y, Vector& slope);
    [[nodiscard]] double error_of(const Vector& next) const;
    [[nodiscard]] double first_step();
    Slope slope_;
    OdeTolerance tolerance_;
    Vector y_, previous_, stage_, at_;
    std::array<Vector, 7>
        k_; // of the step from `previous_` to `y_`; the last is the next one's first
    double time_ = 0, before_ = 0, step_ = 0;
    Index steps_ = 0, evaluations_ = 0;
};

} // namespace assay::lindyn
