#include <assay/lindyn/flow.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::lindyn {
namespace {

Vector flattened(const Layers& layers) {
    Index size = 0;
    for (const Matrix& w : layers) size += w.size();
    Vector flat(size);
    Index first = 0;
    for (const Matrix& w : layers) {
        flat.segment(first, w.size()) = w.reshaped();
        first += w.size();
    }
    return flat;
}

void unflatten(const Vector& flat, Layers& layers) {
    Index first = 0;
    for (Matrix& w : layers) {
        w.reshaped() = flat.segment(first, w.size());
        first += w.size();
    }
}

double largest_entry(const Layers& layers) {
    double largest = 0;
    for (const Matrix& w : layers) largest = std::max(largest, w.cwiseAbs().maxCoeff());
    return largest;
}

// What entries of the weights come to: those that solve the task, or the start's if larger.
double weight_scale(const Statistics& statistics, const Layers& start) {
    const double input = statistics.input_power() / static_cast<double>(statistics.inputs());
    const double map = statistics.syx.norm() / (input > 0 ? input : 1.0);
    return std::max(std::pow(map, 1.0 / static_cast<double>(start.size())), largest_entry(start));
}

double smallest_scale(const Layers& start, double solution) {
    const double largest = largest_entry(start);
    return largest > 0 ? std::min(largest, solution) : solution;
}

} // namespace

Flow::Flow(const Statistics& statistics, Layers start, double tau, double decay)
    : start_(std::move(start)), layers_(start_), slope_(start_), tau_(tau), decay_(decay),
      scale_(weight_scale(statistics, start_)), descent_(statistics, start_),
      // Small starts leave the saddle at 0 at a time that depends on them: their own scale counts.
      integrator_(
          [this](const Vector& y, Vector& slope) {
              unflatten(y, layers_);
              descent_.direction(layers_, decay_, slope_);
              slope = flattened(slope_);
          },
          flattened(start_), {1e-8, 1e-10 * smallest_scale(start_, scale_)}) {}

const Layers& Flow::at(double time) {
    const Vector& y = integrator_.at(time / tau_);
    unflatten(y, layers_);
    return layers_;
}

double Flow::conservation_error() const {
    return conservation_gap(layers_, start_) / (scale_ * scale_);
}

} // namespace assay::lindyn
