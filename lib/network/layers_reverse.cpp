// The steps of a sequence in reverse: those that count, up to the sample's length; what stands
// behind them stays where it is. A permutation that is its own adjoint.
#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>

#include <algorithm>

namespace assay::network {
namespace {

template <class S>
class Reverse : public Layer<S> {
  public:
    explicit Reverse(const LayerRequest& request) {
        const TensorInfo& input = request.inputs[0];
        if (!input.sequence)
            throw Error(request.keys->path() + ": 'reverse' expects a sequence (time first)");
        this->output_ = input;
    }
    [[nodiscard]] bool affine() const override { return true; }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        y.resize(p.x[0]->rows(), p.x[0]->cols());
        turn(*p.pass, *p.x[0], y);
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        dy.resize(t.dx[0]->rows(), t.dx[0]->cols());
        turn(*p.pass, *t.dx[0], dy);
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        send_back(*p.pass, cotangent, dx[0]);
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>&, const Rows<S>&,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        send_back(*p.pass, cotangent_tangent, dx[0]);
    }

  private:
    void send_back(const PassInfo& pass, const Rows<S>& cotangent, Sink<S>& dx) const {
        if (!dx.wanted()) return;
        dx.write(cotangent.rows(), cotangent.cols(),
                 [&](Rows<S>& to) { turn(pass, cotangent, to); });
    }
    // Rows of samples, or of (direction, sample).
    void turn(const PassInfo& pass, const Rows<S>& from, Rows<S>& to) const {
        const Index steps = this->output_.shape[0], features = this->output_.size() / steps;
        share_out(from.rows(), static_cast<double>(from.size()), [&](Index first, Index count) {
            for (Index row = first; row < first + count; ++row) {
                const auto sample = static_cast<std::size_t>(row % pass.samples);
                const Index valid = pass.lengths ? std::min(steps, (*pass.lengths)[sample]) : steps;
                for (Index step = 0; step < steps; ++step) {
                    const Index source = step < valid ? valid - 1 - step : step;
                    to.row(row).segment(step * features, features) =
                        from.row(row).segment(source * features, features);
                }
            }
        });
    }
};

template <class S>
std::unique_ptr<Layer<S>> make_reverse(const LayerRequest& request) {
    return std::make_unique<Reverse<S>>(request);
}

const LayerRegistration kReverse("reverse", make_reverse<double>, make_reverse<float>);

} // namespace
} // namespace assay::network
