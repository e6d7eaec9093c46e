#include <assay/lindyn/discrete.hpp>

#include <cmath>
#include <utility>

namespace assay::lindyn {

DiscreteModes::DiscreteModes(Vector s, Vector d, const Vector& start, int depth,
                             StepSettings settings, StepVariant variant)
    : s_(std::move(s)), d_(std::move(d)),
      layers_(
          start.unaryExpr([=](double a) { return std::pow(a, 1.0 / depth); }).replicate(1, depth)),
      velocity_(Matrix::Zero(start.size(), depth)), settings_(settings), variant_(variant) {}

void DiscreteModes::step(double share) {
    const double rate = share * settings_.rate, momentum = settings_.momentum;
    const double inside = variant_.decoupled ? 0 : settings_.decay;
    const double kept = variant_.decoupled ? 1 - rate * settings_.decay / (1 - momentum) : 1.0;
    Vector bracket(layers_.cols());
    for (Index a = 0; a < layers_.rows(); ++a) {
        auto w = layers_.row(a);
        auto v = velocity_.row(a);
        const double error = s_(a) - d_(a) * w.prod();
        // Products of the other layers: of those before, times those behind.
        double before = 1;
        for (Index l = 0; l < w.size(); ++l) {
            const double behind = w.tail(w.size() - l - 1).prod();
            bracket(l) = error * before * behind - inside * w(l);
            before *= w(l);
        }
        for (Index l = 0; l < w.size(); ++l) {
            v(l) = momentum * v(l) + bracket(l);
            w(l) = kept * w(l) + rate * (variant_.nesterov ? bracket(l) + momentum * v(l) : v(l));
        }
    }
}

Vector DiscreteModes::strengths() const {
    return layers_.rowwise().prod();
}

Matrix discrete_curves(DiscreteModes modes, const std::vector<Index>& steps, const Monitor& monitor,
                       const std::function<double(Index)>& share) {
    Matrix curves(static_cast<Index>(steps.size()), modes.strengths().size());
    Index done = 0;
    for (Index i = 0; i < curves.rows(); ++i) {
        for (; done < steps[static_cast<std::size_t>(i)]; ++done) {
            if (done % 4096 == 0) monitor.stop_if_interrupted();
            modes.step(share ? share(done) : 1.0);
        }
        curves.row(i) = modes.strengths().transpose();
    }
    return curves;
}

} // namespace assay::lindyn
