// Batch normalisation (per channel; batch statistics in training, running ones else) and layer
// normalisation (per sample). y = gamma xhat + beta with xhat = (x - mean) / sqrt(var + epsilon).
#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>

#include <nlohmann/json.hpp>

namespace assay::network {
namespace {

constexpr double kEpsilon = 1e-5;

// The shared algebra. A "unit" is what has its own gamma and beta; a "group" is what is averaged.
template <class S>
class Normalisation : public Layer<S> {
  public:
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        Rows<S>&xhat = p.memory->at(0), &scale = p.memory->at(1);
        standardise(p, xhat, scale);
        y = weighted(p.theta, xhat) + spread(p.theta + units(), xhat.rows());
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        const Index samples = p.pass->samples;
        dy.setZero(samples * t.directions, this->output_.size());
        for (Index k = 0; k < t.directions; ++k) {
            auto out = dy.middleRows(k * samples, samples);
            if (t.dx[0])
                out = spread(p.theta, samples)
                          .cwiseProduct(
                              standardised_tangent(p, t.dx[0]->middleRows(k * samples, samples)));
            if (t.moves_parameters())
                out += p.memory->at(0).cwiseProduct(spread(t.dtheta.col(k).data(), samples)) +
                       spread(t.dtheta.col(k).data() + units(), samples);
        }
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        dx[0].take(projected(p, weighted(p.theta, cotangent)));
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Index samples = p.pass->samples;
        const Rows<S>&xhat = p.memory->at(0), &scale = p.memory->at(1);
        Rows<S>& to = dx[0].zeroed(cotangent_tangent.rows(), cotangent_tangent.cols());
        const Rows<S> e = cotangent.cwiseProduct(spread(p.theta, samples));
        for (Index k = 0; k < t.directions; ++k) {
            auto out = to.middleRows(k * samples, samples);
            Rows<S> re = cotangent_tangent.middleRows(k * samples, samples)
                             .cwiseProduct(spread(p.theta, samples));
            if (t.moves_parameters())
                re += cotangent.cwiseProduct(spread(t.dtheta.col(k).data(), samples));
            out += adjoint(p, re);
            if (!t.dx[0] || frozen(p)) continue;
            const Rows<S> x_tangent = t.dx[0]->middleRows(k * samples, samples);
            const Rows<S> moved = standardised_tangent(p, x_tangent);
            // d of scale (e - A e - xhat A(xhat e)) through xhat and through scale.
            out -= scale.cwiseProduct(moved.cwiseProduct(averaged(xhat.cwiseProduct(e))) +
                                      xhat.cwiseProduct(averaged(moved.cwiseProduct(e))));
            out -= adjoint(p, e).cwiseProduct(scale).cwiseProduct(
                averaged(xhat.cwiseProduct(x_tangent)));
        }
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent, SampleRange range,
                            S* gradient) const override {
        const Rows<S> d = cotangent.middleRows(range.first, range.count);
        collect(d.cwiseProduct(p.memory->at(0).middleRows(range.first, range.count)), gradient);
        collect(d, gradient + units());
    }
    void parameter_gradient_tangent(
        const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
        const Rows<S>& cotangent_tangent,
        Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>> gradient) const override {
        const Index samples = p.pass->samples;
        for (Index k = 0; k < t.directions; ++k) {
            const Rows<S> rd = cotangent_tangent.middleRows(k * samples, samples);
            Rows<S> sum = rd.cwiseProduct(p.memory->at(0));
            if (t.dx[0])
                sum += cotangent.cwiseProduct(
                    standardised_tangent(p, t.dx[0]->middleRows(k * samples, samples)));
            collect(sum, gradient.col(k).data());
            collect(rd, gradient.col(k).data() + units());
        }
    }

  protected:
    [[nodiscard]] Index units() const { return this->parameters_[0].size(); }
    // One value a unit, over all samples.
    [[nodiscard]] virtual Rows<S> spread(const S* values, Index rows) const = 0;
    // sum over a unit's cells, added to `sums`.
    virtual void collect(const Rows<S>& rows, S* sums) const = 0;
    // Group means, in every cell of the group.
    [[nodiscard]] virtual Rows<S> averaged(const Rows<S>& rows) const = 0;
    // True where mean and variance do not depend on x.
    [[nodiscard]] virtual bool frozen(const Primal<S>& p) const = 0;
    virtual void standardise(const Primal<S>& p, Rows<S>& xhat, Rows<S>& scale) const {
        const Rows<S>& x = *p.x[0];
        xhat = x - averaged(x);
        scale =
            (averaged(xhat.cwiseProduct(xhat)).array() + static_cast<S>(epsilon_)).sqrt().inverse();
        xhat = xhat.cwiseProduct(scale);
    }
    // d xhat: scale (dx - A dx - xhat A(xhat dx)), symmetric, so its own adjoint.
    [[nodiscard]] virtual Rows<S> projected(const Primal<S>& p, Rows<S> dx) const {
        const Rows<S>&xhat = p.memory->at(0), &scale = p.memory->at(1);
        if (frozen(p)) return scale.cwiseProduct(dx);
        return scale.cwiseProduct(dx - averaged(dx) -
                                  xhat.cwiseProduct(averaged(xhat.cwiseProduct(dx))));
    }
    // Every cell times its unit's value.
    [[nodiscard]] virtual Rows<S> weighted(const S* values, const Rows<S>& rows) const {
        return rows.cwiseProduct(spread(values, rows.rows()));
    }
    double epsilon_ = kEpsilon;

  private:
    template <class In>
    Rows<S> standardised_tangent(const Primal<S>& p, const In& in) const {
        return projected(p, Rows<S>(in));
    }
    template <class In>
    Rows<S> adjoint(const Primal<S>& p, const In& e) const {
        return standardised_tangent(p, e);
    }
};

// Channels of (channel, space...), or each unit of a vector.
template <class S>
class BatchNorm : public Normalisation<S> {
  public:
    explicit BatchNorm(const LayerRequest& request) {
        Keys& keys = *request.keys;
        this->output_ = request.inputs[0];
        if (this->output_.sequence)
            throw Error(keys.path() + ": batch_norm of sequences is not defined");
        channels_ = this->output_.shape.at(0);
        cells_ = this->output_.size() / channels_;
        this->epsilon_ = keys.number("epsilon", kEpsilon);
        momentum_ = keys.number("momentum", 0.1);
        if (this->epsilon_ <= 0) keys.refuse("epsilon", "expected a number above 0");
        if (momentum_ < 0 || momentum_ > 1) keys.refuse("momentum", "expected a number in [0, 1]");
        const Shape shape{channels_};
        this->parameters_ = {{"gamma", shape, Role::scale},
                             {"beta", shape, Role::offset},
                             {"moving_mean", shape, Role::mean, 1, 1, false},
                             {"moving_variance", shape, Role::variance, 1, 1, false}};
    }
    // Running statistics: (1 - momentum) old + momentum new, the variance unbiased.
    void update_statistics(const Primal<S>& p, S* statistics) const override {
        const Rows<S>& x = *p.x[0];
        const auto count = static_cast<S>(x.rows() * cells_), rate = static_cast<S>(momentum_);
        const Rows<S> centred = x - averaged(x);
        Column<S> sums = Column<S>::Zero(channels_), squares = Column<S>::Zero(channels_);
        collect(x, sums.data());
        collect(centred.cwiseProduct(centred), squares.data());
        Eigen::Map<Column<S>> mean(statistics, channels_);
        Eigen::Map<Column<S>> variance(statistics + channels_, channels_);
        mean = (S(1) - rate) * mean + rate / count * sums;
        variance = (S(1) - rate) * variance + rate / std::max(S(1), count - S(1)) * squares;
    }

  protected:
    Rows<S> spread(const S* values, Index rows) const override {
        Rows<S> all(rows, channels_ * cells_);
        for (Index c = 0; c < channels_; ++c)
            all.row(0).segment(c * cells_, cells_).setConstant(values[c]);
        for (Index row = 1; row < rows; ++row)
            std::copy_n(all.data(), all.cols(), all.row(row).data());
        return all;
    }
    void collect(const Rows<S>& rows, S* sums) const override {
        if (cells_ == 1) {
            Eigen::Map<Rows<S>>(sums, 1, channels_) += rows.colwise().sum();
            return;
        }
        Column<S> total = Column<S>::Zero(channels_);
        for (Index row = 0; row < rows.rows(); ++row)
            for (Index c = 0; c < channels_; ++c)
                total(c) += rows.row(row).segment(c * cells_, cells_).sum();
        Eigen::Map<Column<S>>(sums, channels_) += total;
    }
    Rows<S> averaged(const Rows<S>& rows) const override {
        Column<S> sums = Column<S>::Zero(channels_);
        collect(rows, sums.data());
        sums /= static_cast<S>(rows.rows() * cells_);
        return spread(sums.data(), rows.rows());
    }
    bool frozen(const Primal<S>& p) const override { return p.pass->mode == Mode::inference; }
    void standardise(const Primal<S>& p, Rows<S>& xhat, Rows<S>& scale) const override {
        if (!frozen(p)) {
            if (p.pass->samples * cells_ < 2)
                throw Error("batch norm in training needs more than one value a channel");
            Normalisation<S>::standardise(p, xhat, scale);
            return;
        }
        const Column<S> inverse =
            (Eigen::Map<const Column<S>>(p.statistics + channels_, channels_).array() +
             static_cast<S>(this->epsilon_))
                .sqrt()
                .inverse();
        scale = spread(inverse.data(), p.pass->samples);
        xhat = (*p.x[0] - spread(p.statistics, p.pass->samples)).cwiseProduct(scale);
    }

    // Images: two passes over memory in place of full-size arrays of what a channel shares.
    Rows<S> projected(const Primal<S>& p, Rows<S> dx) const override {
        if (cells_ == 1 || frozen(p)) return Normalisation<S>::projected(p, std::move(dx));
        const Rows<S>&xhat = p.memory->at(0), &scale = p.memory->at(1);
        Column<S> sums = Column<S>::Zero(channels_), products = Column<S>::Zero(channels_);
        each_channel(dx.rows(), [&](Index channel, Index at) {
            const auto d = cells(dx, at);
            sums(channel) += d.sum();
            products(channel) += (d * cells(xhat, at)).sum();
        });
        const S share = S(1) / static_cast<S>(dx.rows() * cells_);
        each_channel(dx.rows(), [&](Index channel, Index at) {
            Eigen::Map<Cells> d(dx.data() + at, cells_);
            d = scale(0, channel * cells_) *
                (d - share * sums(channel) - cells(xhat, at) * (share * products(channel)));
        });
        return dx;
    }
    Rows<S> weighted(const S* values, const Rows<S>& rows) const override {
        if (cells_ == 1) return Normalisation<S>::weighted(values, rows);
        Rows<S> result(rows.rows(), rows.cols());
        each_channel(rows.rows(), [&](Index channel, Index at) {
            Eigen::Map<Cells>(result.data() + at, cells_) = values[channel] * cells(rows, at);
        });
        return result;
    }

  private:
    using Cells = Eigen::Array<S, Eigen::Dynamic, 1>;
    Eigen::Map<const Cells> cells(const Rows<S>& rows, Index at) const {
        return {rows.data() + at, cells_};
    }
    // body(channel, offset of its cells) for all samples.
    template <class Body>
    void each_channel(Index samples, Body&& body) const {
        for (Index i = 0; i < samples * channels_; ++i) body(i % channels_, i * cells_);
    }
    Index channels_ = 1, cells_ = 1;
    double momentum_ = 0.1;
};

// Over the last axis, or over all axes of a sample.
template <class S>
class LayerNorm : public Normalisation<S> {
  public:
    explicit LayerNorm(const LayerRequest& request) {
        Keys& keys = *request.keys;
        this->output_ = request.inputs[0];
        const bool all = keys.word("axes", {"last", "all"}, "last") == "all";
        this->epsilon_ = keys.number("epsilon", kEpsilon);
        if (this->epsilon_ <= 0) keys.refuse("epsilon", "expected a number above 0");
        const Shape shape = all ? this->output_.shape : Shape{this->output_.shape.back()};
        size_ = TensorInfo{shape, false}.size();
        this->parameters_ = {{"gamma", shape, Role::scale}, {"beta", shape, Role::offset}};
    }

  protected:
    Rows<S> spread(const S* values, Index rows) const override {
        return Eigen::Map<const Rows<S>>(values, 1, size_)
            .replicate(rows, this->output_.size() / size_);
    }
    void collect(const Rows<S>& rows, S* sums) const override {
        Eigen::Map<Rows<S>>(sums, 1, size_) += grouped(rows).colwise().sum();
    }
    Rows<S> averaged(const Rows<S>& rows) const override {
        const Column<S> means = grouped(rows).rowwise().mean();
        Rows<S> result(rows.rows(), rows.cols());
        Eigen::Map<Rows<S>>(result.data(), means.size(), size_) = means.replicate(1, size_);
        return result;
    }
    bool frozen(const Primal<S>&) const override { return false; }

  private:
    Eigen::Map<const Rows<S>> grouped(const Rows<S>& rows) const {
        return {rows.data(), rows.size() / size_, size_};
    }
    Index size_ = 1;
};

template <class S>
std::unique_ptr<Layer<S>> make_batch_norm(const LayerRequest& request) {
    expect_rank(request, 1, 4);
    return std::make_unique<BatchNorm<S>>(request);
}
template <class S>
std::unique_ptr<Layer<S>> make_layer_norm(const LayerRequest& request) {
    expect_rank(request, 1, 4);
    return std::make_unique<LayerNorm<S>>(request);
}

const LayerRegistration kBatchNorm("batch_norm", make_batch_norm<double>, make_batch_norm<float>);
const LayerRegistration kLayerNorm("layer_norm", make_layer_norm<double>, make_layer_norm<float>);

} // namespace
} // namespace assay::network
