// How the flow's time and a run's updates go together: tau = updates / (1 / learning rate) where
// the rate stays, the sum of the rates where a schedule varies it; and the unit in which times are
// told.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace assay::lindyn {

// The flow's time at the updates of a run whose learning rate varies.
class ASSAY_API StepClock {
  public:
    // `share(k)`: learning rate of update k (from 0) over the base rate, of which `tau` updates
    // are one tau. After `updates` (1 or more) updates the last rate stays. One pass over them.
    StepClock(std::function<double(Index)> share, Index updates, double tau);

    [[nodiscard]] Index updates() const { return updates_; }
    [[nodiscard]] double share(Index update) const {
        return share_(std::min(update, updates_ - 1));
    }
    // tau passed after so many updates (0 or more; linear within one).
    [[nodiscard]] double at(double updates) const;
    // Updates after which so much time (in tau) has passed; infinity: never.
    [[nodiscard]] double when(double time) const;

  private:
    std::function<double(Index)> share_;
    Index updates_;
    double tau_;
    std::vector<double> passed_; // updates of the base rate before each block of updates
};

struct TimeScale {
    double per_tau = 1; // units in one tau, at the base learning rate
    std::string unit = "tau";
    std::shared_ptr<const StepClock> clock = nullptr; // where the rate varies
    double unit_updates = 1;                          // updates in one unit, where it does

    // A time in tau in this unit, and back. Infinity: never.
    [[nodiscard]] ASSAY_API double told(double tau) const;
    [[nodiscard]] ASSAY_API double in_tau(double time) const;
    [[nodiscard]] ASSAY_API RowMatrix told(const RowMatrix& tau) const;
    [[nodiscard]] ASSAY_API Vector told(const Vector& tau) const;
    [[nodiscard]] ASSAY_API Vector in_tau(const Vector& time) const;
};

} // namespace assay::lindyn
