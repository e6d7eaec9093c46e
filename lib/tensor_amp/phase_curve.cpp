#include <assay/tensor_amp/phase_curve.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace assay::tensor_amp {
namespace {

constexpr double kGridStep = 1.0 / 80;
constexpr double kNoise = 1e-12; // pairs of folds closer than this in log Delta are rounding

// The place of the least value between two points, by golden section.
template <class Function>
double golden_minimum(double low, double high, const Function& f) {
    constexpr double share = 0.6180339887498949;
    double a = high - share * (high - low), b = low + share * (high - low);
    double fa = f(a), fb = f(b);
    for (int step = 0; step < 60 && high - low > 1e-10; ++step) {
        if (fa < fb) {
            high = b;
            b = a;
            fb = fa;
            a = high - share * (high - low);
            fa = f(a);
        } else {
            low = a;
            a = b;
            fa = fb;
            b = low + share * (high - low);
            fb = f(b);
        }
    }
    return 0.5 * (low + high);
}

} // namespace

PhaseCurve::Responses responses_of(const Ensemble& ensemble, const Execution& run) {
    if (ensemble.rank() != 1)
        throw Error(concat("rank ", ensemble.rank(),
                           "; the curve of all fixed points is known at rank 1 only"));
    PhaseCurve::Responses responses;
    std::map<std::string, std::shared_ptr<const ScalarResponse>> known;
    for (const PriorPointer& prior : ensemble.priors) {
        auto& response = known[prior->describe()];
        if (!response) response = std::make_shared<ScalarResponse>(*prior, run);
        responses.push_back(response);
    }
    return responses;
}

PhaseCurve::PhaseCurve(const Ensemble& ensemble, const Execution& run)
    : PhaseCurve(ensemble.aspect, responses_of(ensemble, run)) {}

PhaseCurve::PhaseCurve(VectorXd aspect, Responses responses)
    : aspect_(std::move(aspect)), responses_(std::move(responses)) {
    for (Index a = 0; a < order(); ++a)
        if (!(response(a).mean_square() > 0)) ++zero_means_;
    find_range();
    find_folds();
    make_branches();
}

PhaseCurve::Point PhaseCurve::at(double log_p) const {
    const double p = std::exp(log_p);
    Point point{log_p, -log_p, -1};
    double product = 1;
    for (Index a = 0; a < order(); ++a) {
        const ScalarResponse::Point mode = response(a).at_product(p / aspect_(a));
        product *= mode.q;
        point.slope += mode.elasticity / (1 + mode.elasticity);
    }
    point.log_delta += std::log(product);
    return point;
}

VectorXd PhaseCurve::overlaps(double log_p) const {
    VectorXd q(order());
    for (Index a = 0; a < order(); ++a)
        q(a) = response(a).at_product(std::exp(log_p) / aspect_(a)).q;
    return q;
}

double PhaseCurve::free_entropy(double log_p) const {
    const double p = std::exp(log_p);
    double sum = -0.5 * static_cast<double>(order() - 1) * p;
    for (Index a = 0; a < order(); ++a)
        sum += aspect_(a) * response(a).psi(response(a).at_product(p / aspect_(a)).h);
    return sum;
}

// From where every overlap still stands at its start to where every one is at its end.
void PhaseCurve::find_range() {
    lowest_ = std::numeric_limits<double>::infinity();
    highest_ = -lowest_;
    // P = n q h with q = m + v^2 h.
    const auto log_p = [&](Index a, double h) {
        const double m = response(a).mean_square(), v = response(a).variance();
        return std::log(aspect_(a)) + std::log(m + v * v * h) + std::log(h);
    };
    for (Index a = 0; a < order(); ++a) {
        const double m = response(a).mean_square(), v = response(a).variance();
        const double linear = 0.1 * response(a).smallest_h();
        lowest_ = std::min(lowest_, log_p(a, m > 0 ? std::min(linear, 1e-5 * m / v / v) : linear));
        highest_ = std::max(highest_, std::log(aspect_(a) * response(a).second_moment()) +
                                          std::log(response(a).largest_h()));
    }
    // Two zero means: the curve starts flat, and the first change must be more than rounding.
    if (zero_means_ == 2)
        for (Index a = 0; a < order(); ++a)
            if (!(response(a).mean_square() > 0))
                lowest_ = std::max(lowest_, log_p(a, 0.1 * response(a).smallest_h()));
}

void PhaseCurve::add_fold(double low, double high) {
    const bool rising = at(low).slope > 0;
    for (int step = 0; step < 60; ++step) {
        const double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) break;
        ((at(middle).slope > 0) == rising ? low : high) = middle;
    }
    const Point point = at(0.5 * (low + high));
    folds_.push_back({point.log_p, std::exp(point.log_delta), rising});
}

void PhaseCurve::find_folds() {
    const auto cells = static_cast<Index>(std::ceil((highest_ - lowest_) / kGridStep));
    const auto place = [&](Index i) {
        return lowest_ + (highest_ - lowest_) * static_cast<double>(i) / static_cast<double>(cells);
    };
    const auto slope = [&](double log_p) { return at(log_p).slope; };
    double before = slope(place(0)), here = slope(place(1));
    if (before * here < 0) add_fold(place(0), place(1));
    for (Index i = 1; i < cells; ++i) {
        const double after = slope(place(i + 1));
        // The slope comes close to 0 and turns back: does it cross between the points?
        if (here * before > 0 && here * after > 0 && std::abs(here) <= std::abs(before) &&
            std::abs(here) <= std::abs(after) && std::abs(here) < 0.1) {
            const double sign = here > 0 ? 1 : -1;
            const double least = golden_minimum(place(i - 1), place(i + 1),
                                                [&](double x) { return sign * slope(x); });
            if (sign * slope(least) < 0) {
                add_fold(place(i - 1), least);
                add_fold(least, place(i + 1));
            }
        }
        if (here * after < 0) add_fold(place(i), place(i + 1));
        before = here;
        here = after;
    }
    // Neighbours of the same height are rounding.
    for (std::size_t i = 0; i + 1 < folds_.size();)
        if (std::abs(folds_[i].delta / folds_[i + 1].delta - 1) < kNoise)
            folds_.erase(folds_.begin() + static_cast<std::ptrdiff_t>(i),
                         folds_.begin() + static_cast<std::ptrdiff_t>(i) + 2);
        else
            ++i;
}

void PhaseCurve::make_branches() {
    double low = lowest_;
    const auto add = [&](double high) {
        branches_.push_back({low, high, at(low).log_delta, at(high).log_delta});
        low = high;
    };
    for (const Fold& fold : folds_) add(fold.log_p);
    add(highest_);
}

double PhaseCurve::solve(const Branch& branch, double log_delta) const {
    double low = branch.low, high = branch.high;
    const bool falling = branch.stable();
    double x = 0.5 * (low + high);
    // Newton's steps inside a bracket.
    for (int step = 0; step < 200 && high - low > 1e-14 * std::max(1.0, std::abs(x)); ++step) {
        const Point point = at(x);
        const double excess = point.log_delta - log_delta;
        ((excess > 0) == falling ? low : high) = x;
        const double next = x - excess / point.slope;
        const double moved = next > low && next < high ? next : 0.5 * (low + high);
        if (std::abs(moved - x) < 1e-15 * std::max(1.0, std::abs(x))) return moved;
        x = moved;
    }
    return x;
}

} // namespace assay::tensor_amp
