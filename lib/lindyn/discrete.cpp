#include <assay/lindyn/discrete.hpp>

#include <cmath>
#include <utility>

namespace assay::lindyn {

DiscreteModes::DiscreteModes(Vector s, Vector d, const Vector& start, int depth,
                             StepSettings settings)
    : s_(std::move(s)), d_(std::move(d)),
      layers_(
          start.unaryExpr([=](double a) { return std::pow(a, 1.0 / depth); }).replicate(1, depth)),
      velocity_(Matrix::Zero(start.size(), depth)), settings_(settings) {}

void DiscreteModes::step() {
    for (Index a = 0; a < layers_.rows(); ++a) {
        auto w = layers_.row(a);
        auto v = velocity_.row(a);
        const double error = s_(a) - d_(a) * w.prod();
        // Products of the other layers: of those before, times those behind.
        double before = 1;
        for (Index l = 0; l < w.size(); ++l) {
            const double behind = w.tail(w.size() - l - 1).prod();
            v(l) = settings_.momentum * v(l) + error * before * behind - settings_.decay * w(l);
            before *= w(l);
        }
        w += settings_.rate * v;
    }
}

Vector DiscreteModes::strengths() const {
    return layers_.rowwise().prod();
}

Matrix discrete_curves(DiscreteModes modes, const std::vector<Index>& steps,
                       const Monitor& monitor) {
    Matrix curves(static_cast<Index>(steps.size()), modes.strengths().size());
    Index done = 0;
    for (Index i = 0; i < curves.rows(); ++i) {
        for (; done < steps[static_cast<std::size_t>(i)]; ++done) {
            if (done % 4096 == 0) monitor.stop_if_interrupted();
            modes.step();
        }
        curves.row(i) = modes.strengths().transpose();
    }
    return curves;
}

} // namespace assay::lindyn
