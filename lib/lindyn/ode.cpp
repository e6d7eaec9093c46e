#include <assay/lindyn/ode.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::lindyn {
namespace {

// Butcher's tableau; row i gives stage i + 1, the last also the solution.
constexpr double kStages[6][6] = {
    {1.0 / 5, 0, 0, 0, 0, 0},
    {3.0 / 40, 9.0 / 40, 0, 0, 0, 0},
    {44.0 / 45, -56.0 / 15, 32.0 / 9, 0, 0, 0},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729, 0, 0},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656, 0},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
// Order 5 minus order 4.
constexpr double kError[7] = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                              -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
// Of the continuous extension.
constexpr double kDense[7] = {-12715105075.0 / 11282082432,  0,
                              87487479700.0 / 32700410799,   -10690763975.0 / 1880347072,
                              701980252875.0 / 199316789632, -1453857185.0 / 822651844,
                              69997945.0 / 29380423};

} // namespace

DormandPrince::DormandPrince(Slope slope, Vector start, OdeTolerance tolerance)
    : slope_(std::move(slope)), tolerance_(tolerance), y_(std::move(start)), previous_(y_),
      at_(y_) {
    for (Vector& k : k_) k = Vector::Zero(y_.size());
    evaluate(y_, k_[6]);
    step_ = first_step();
}

void DormandPrince::evaluate(const Vector& y, Vector& slope) {
    slope_(y, slope);
    ++evaluations_;
}

// A step over which the solution changes by about 1 % of its scale (Hairer et al., II.4).
double DormandPrince::first_step() {
    const auto scale = tolerance_.absolute + tolerance_.relative * y_.array().abs();
    const double size = std::sqrt((y_.array() / scale).square().mean());
    const double slope = std::sqrt((k_[6].array() / scale).square().mean());
    return size > 1e-5 && slope > 1e-5 ? 0.01 * size / slope : 1e-6;
}

double DormandPrince::error_of(const Vector& next) const {
    double sum = 0;
    for (Index i = 0; i < next.size(); ++i) {
        double difference = 0;
        for (std::size_t stage = 0; stage < 7; ++stage) difference += kError[stage] * k_[stage](i);
        const double scale = tolerance_.absolute +
                             tolerance_.relative * std::max(std::abs(y_(i)), std::abs(next(i)));
        const double share = step_ * difference / scale;
        sum += share * share;
    }
    return std::sqrt(sum / static_cast<double>(next.size()));
}

void DormandPrince::step() {
    k_[0].swap(k_[6]);
    for (;;) {
        if (!(step_ > 1e-14 * (1 + time_)))
            throw Error(concat("the flow cannot be followed beyond time ", time_,
                               ": steps shrink to nothing"));
        for (std::size_t stage = 0; stage < 6; ++stage) {
            stage_ = y_;
            for (std::size_t j = 0; j <= stage; ++j)
                if (kStages[stage][j] != 0) stage_ += step_ * kStages[stage][j] * k_[j];
            evaluate(stage_, k_[stage + 1]);
        }
        const double error = error_of(stage_);
        const double factor = error == 0 ? 5.0 : 0.9 * std::pow(error, -0.2);
        if (error <= 1) {
            previous_.swap(y_);
            y_ = stage_;
            before_ = time_;
            time_ += step_;
            ++steps_;
            step_ *= std::clamp(factor, 0.2, 5.0);
            return;
        }
        step_ *= error == error ? std::clamp(factor, 0.1, 1.0) : 0.1;
    }
}

OdeState DormandPrince::state() const {
    OdeState state{Matrix(y_.size(), 9), time_, before_, step_};
    state.columns.col(0) = y_;
    state.columns.col(1) = previous_;
    for (std::size_t stage = 0; stage < 7; ++stage)
        state.columns.col(static_cast<Index>(stage) + 2) = k_[stage];
    return state;
}

void DormandPrince::restore(const OdeState& state) {
    if (state.columns.rows() != y_.size() || state.columns.cols() != 9)
        throw Error("the saved state is of another flow");
    y_ = state.columns.col(0);
    previous_ = state.columns.col(1);
    for (std::size_t stage = 0; stage < 7; ++stage)
        k_[stage] = state.columns.col(static_cast<Index>(stage) + 2);
    time_ = state.time;
    before_ = state.before;
    step_ = state.step;
}

const Vector& DormandPrince::at(double time) {
    if (!(time >= before_))
        throw Error(concat("time ", time, " lies before ", before_, "; rising times are expected"));
    while (time_ < time) step();
    if (time == time_) {
        at_ = y_;
        return at_;
    }
    const double width = time_ - before_, theta = (time - before_) / width;
    const double rest = 1 - theta;
    const Vector change = y_ - previous_;
    const Vector bend = width * k_[0] - change;
    at_ = kDense[0] * k_[0];
    for (std::size_t stage = 2; stage < 7; ++stage) at_ += kDense[stage] * k_[stage];
    at_ *= width * rest;
    at_ += change - width * k_[6] - bend;
    at_ = previous_ + theta * (change + rest * (bend + theta * at_));
    return at_;
}

} // namespace assay::lindyn
