// What dense and convolutional layers share: the output is bilinear in input and weight, plus a
// bias, so all four maps are the same three products with different arguments.
#pragma once

#include <assay/network/layer.hpp>

namespace assay::network {

template <class S>
class Bilinear : public Layer<S> {
  public:
    using ConstRows = Eigen::Ref<const Rows<S>>;
    using MutableRows = Eigen::Ref<Rows<S>>;

    [[nodiscard]] bool affine() const override { return true; }
    [[nodiscard]] Index slope_size() const override { return 0; }

    void forward(const Primal<S>& p, Rows<S>& y) const override {
        y.resize(p.x[0]->rows(), this->output_.size());
        product(*p.x[0], p.theta, y, false);
        if (has_bias()) add_bias(p.theta + weights(), y);
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        const Index samples = p.pass->samples;
        dy.resize(samples * t.directions, this->output_.size());
        if (t.dx[0]) product(*t.dx[0], p.theta, dy, false);
        if (!t.moves_parameters()) return;
        for (Index k = 0; k < t.directions; ++k) {
            auto block = dy.middleRows(k * samples, samples);
            product(*p.x[0], t.dtheta.col(k).data(), block, t.dx[0] != nullptr);
            if (has_bias()) add_bias(t.dtheta.col(k).data() + weights(), block);
        }
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (dx[0].wanted()) adjoint_into(dx[0], cotangent, p.theta, p.x[0]->cols());
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Index samples = p.pass->samples;
        Rows<S>& to = adjoint_into(dx[0], cotangent_tangent, p.theta, p.x[0]->cols());
        if (!t.moves_parameters()) return;
        for (Index k = 0; k < t.directions; ++k) {
            auto block = to.middleRows(k * samples, samples);
            adjoint(cotangent, t.dtheta.col(k).data(), block, true);
        }
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent, SampleRange range,
                            S* gradient) const override {
        const auto d = cotangent.middleRows(range.first, range.count);
        weight_gradient(d, p.x[0]->middleRows(range.first, range.count), gradient);
        if (has_bias()) bias_gradient(d, gradient + weights());
    }
    void parameter_gradient_tangent(
        const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
        const Rows<S>& cotangent_tangent,
        Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>> gradient) const override {
        const Index samples = p.pass->samples;
        for (Index k = 0; k < t.directions; ++k) {
            const auto rd = cotangent_tangent.middleRows(k * samples, samples);
            S* to = gradient.col(k).data();
            weight_gradient(rd, *p.x[0], to);
            if (t.dx[0]) weight_gradient(cotangent, t.dx[0]->middleRows(k * samples, samples), to);
            if (has_bias()) bias_gradient(rd, to + weights());
        }
    }

  protected:
    // y (+)= x w, rows of samples.
    virtual void product(const ConstRows& x, const S* w, MutableRows y, bool add) const = 0;
    // dx (+)= D w^T.
    virtual void adjoint(const ConstRows& cotangent, const S* w, MutableRows dx,
                         bool add) const = 0;
    // dw += D^T x.
    virtual void weight_gradient(const ConstRows& cotangent, const ConstRows& x, S* dw) const = 0;
    virtual void add_bias(const S* bias, MutableRows y) const = 0;
    virtual void bias_gradient(const ConstRows& cotangent, S* db) const = 0;

    [[nodiscard]] Index weights() const { return this->parameters_[0].size(); }
    [[nodiscard]] bool has_bias() const { return this->parameters_.size() > 1; }

  private:
    Rows<S>& adjoint_into(Sink<S>& sink, const Rows<S>& cotangent, const S* w, Index size) const {
        bool fresh = false;
        Rows<S>& to = sink.open(cotangent.rows(), size, fresh);
        adjoint(cotangent, w, to, !fresh);
        return to;
    }
};

} // namespace assay::network
