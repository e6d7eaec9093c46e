#include <assay/lindyn/time_scale.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace assay::lindyn {
namespace {

constexpr Index kBlock = 4096; // updates between two sums that are kept

} // namespace

StepClock::StepClock(std::function<double(Index)> share, Index updates, double tau)
    : share_(std::move(share)), updates_(updates), tau_(tau) {
    double passed = 0;
    for (Index k = 0; k < updates_; ++k) {
        if (k % kBlock == 0) passed_.push_back(passed);
        passed += share_(k);
    }
}

double StepClock::at(double updates) const {
    const auto whole = std::min(static_cast<Index>(updates), updates_ - 1);
    double passed = passed_[static_cast<std::size_t>(whole / kBlock)];
    for (Index k = whole / kBlock * kBlock; k < whole; ++k) passed += share_(k);
    return (passed + (updates - static_cast<double>(whole)) * share_(whole)) / tau_;
}

double StepClock::when(double time) const {
    const double wanted = time * tau_;
    if (!(wanted > 0)) return std::isnan(wanted) ? wanted : 0;
    const auto block = std::lower_bound(passed_.begin(), passed_.end(), wanted) - 1;
    double passed = *block;
    for (Index k = (block - passed_.begin()) * kBlock; k < updates_; ++k) {
        const double share = share_(k);
        if (passed + share >= wanted) return static_cast<double>(k) + (wanted - passed) / share;
        passed += share;
    }
    const double last = share_(updates_ - 1);
    return last > 0 ? static_cast<double>(updates_) + (wanted - passed) / last
                    : std::numeric_limits<double>::infinity();
}

double TimeScale::told(double tau) const {
    return clock ? clock->when(tau) / unit_updates : per_tau * tau;
}

double TimeScale::in_tau(double time) const {
    return clock && std::isfinite(time) ? clock->at(time * unit_updates) : time / per_tau;
}

RowMatrix TimeScale::told(const RowMatrix& tau) const {
    return tau.unaryExpr([this](double time) { return told(time); });
}

Vector TimeScale::told(const Vector& tau) const {
    return tau.unaryExpr([this](double time) { return told(time); });
}

Vector TimeScale::in_tau(const Vector& time) const {
    return time.unaryExpr([this](double one) { return in_tau(one); });
}

} // namespace assay::lindyn
