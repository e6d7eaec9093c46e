// Dropout and additive Gaussian noise: the identity outside training. Each number is addressed by
// (seed; layer, step, sample's place, cell), so any step can be computed without those before.
#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

namespace assay::network {
namespace {

// A number drawn takes as long as so many that are read and written.
constexpr double kDrawing = 32;

// y = gain x + noise, gain and noise drawn in training.
template <class S>
class Noise : public Layer<S> {
  public:
    explicit Noise(const LayerRequest& request)
        : dropout_(request.type == "dropout"),
          level_(request.keys->number(dropout_ ? "rate" : "stddev", dropout_ ? 0.5 : 1.0)),
          stream_(purpose_key(request.keys->text("name", request.keys->path()))) {
        this->output_ = request.inputs[0];
        if (level_ < 0 || (dropout_ && level_ >= 1))
            request.keys->refuse(dropout_ ? "rate" : "stddev",
                                 dropout_ ? "expected a number in [0, 1)"
                                          : "expected a number of at least 0");
    }
    [[nodiscard]] bool affine() const override { return true; }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        if (p.pass->mode == Mode::inference) {
            y = *p.x[0];
            return;
        }
        Rows<S>& drawn = p.memory->at(0);
        draw(p, drawn);
        if (dropout_)
            y = p.x[0]->cwiseProduct(drawn);
        else
            y = *p.x[0] + drawn;
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        dy = *t.dx[0];
        apply_gain(p, dy);
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        send_back(p, cotangent, dx);
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>&, const Rows<S>&,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        send_back(p, cotangent_tangent, dx);
    }

  private:
    void draw(const Primal<S>& p, Rows<S>& drawn) const {
        const Random random(p.pass->seed, "noise");
        drawn.resize(p.x[0]->rows(), p.x[0]->cols());
        const auto place = static_cast<std::uint64_t>(p.pass->first * drawn.cols());
        const StreamWords words{stream_, p.pass->step, 0};
        const auto number = [&](std::uint64_t at) {
            if (!dropout_) return level_ * random.normal(at, words);
            return random.uniform(at, words) < level_ ? 0 : 1 / (1 - level_);
        };
        share_out(drawn.size(), kDrawing * static_cast<double>(drawn.size()),
                  [&](Index first, Index count) {
                      for (Index i = first; i < first + count; ++i)
                          drawn.data()[i] =
                              static_cast<S>(number(place + static_cast<std::uint64_t>(i)));
                  });
    }
    void apply_gain(const Primal<S>& p, Rows<S>& rows) const {
        if (!dropout_ || p.pass->mode == Mode::inference) return;
        const Rows<S>& gain = p.memory->at(0);
        for (Index first = 0; first < rows.rows(); first += gain.rows()) {
            auto block = rows.middleRows(first, gain.rows());
            block = block.cwiseProduct(gain);
        }
    }
    void send_back(const Primal<S>& p, const Rows<S>& cotangent, std::vector<Sink<S>>& dx) const {
        if (!dx[0].wanted()) return;
        dx[0].write(cotangent.rows(), cotangent.cols(), [&](Rows<S>& to) {
            to = cotangent;
            apply_gain(p, to);
        });
    }
    bool dropout_;
    double level_;
    std::uint64_t stream_;
};

template <class S>
std::unique_ptr<Layer<S>> make_noise(const LayerRequest& request) {
    return std::make_unique<Noise<S>>(request);
}

const LayerRegistration kDropout("dropout", make_noise<double>, make_noise<float>);
const LayerRegistration kGaussianNoise("gaussian_noise", make_noise<double>, make_noise<float>);

} // namespace
} // namespace assay::network
