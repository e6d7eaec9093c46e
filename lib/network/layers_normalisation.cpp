// Batch normalisation (per channel; batch statistics in training, running ones else) and layer
// normalisation (per sample). y = gamma xhat + beta with xhat = (x - mean) / sqrt(var + epsilon).
#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>

#include <nlohmann/json.hpp>

namespace assay::network {
namespace {

constexpr double kEpsilon = 1e-5;

// The shared algebra of directions. A "unit" is what has its own gamma and beta; a "group" is what
// is averaged.
template <class S>
class Normalisation : public Layer<S> {
  public:
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        const Index samples = p.pass->samples;
        const Standard standard{standardised(p), scales(p), frozen(p)};
        const Rows<S> gamma = spread(p.theta, samples);
        dy.setZero(samples * t.directions, this->output_.size());
        for (Index k = 0; k < t.directions; ++k) {
            auto out = dy.middleRows(k * samples, samples);
            if (t.dx[0])
                out = gamma.cwiseProduct(
                    projected(standard, t.dx[0]->middleRows(k * samples, samples)));
            if (t.moves_parameters())
                out += standard.xhat.cwiseProduct(spread(t.dtheta.col(k).data(), samples)) +
                       spread(t.dtheta.col(k).data() + units(), samples);
        }
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Index samples = p.pass->samples;
        const Standard standard{standardised(p), scales(p), frozen(p)};
        const Rows<S>& xhat = standard.xhat;
        Rows<S>& to = dx[0].zeroed(cotangent_tangent.rows(), cotangent_tangent.cols());
        const Rows<S> gamma = spread(p.theta, samples), e = cotangent.cwiseProduct(gamma);
        for (Index k = 0; k < t.directions; ++k) {
            auto out = to.middleRows(k * samples, samples);
            Rows<S> re = cotangent_tangent.middleRows(k * samples, samples).cwiseProduct(gamma);
            if (t.moves_parameters())
                re += cotangent.cwiseProduct(spread(t.dtheta.col(k).data(), samples));
            out += projected(standard, re);
            if (!t.dx[0] || standard.frozen) continue;
            const Rows<S> x_tangent = t.dx[0]->middleRows(k * samples, samples);
            const Rows<S> moved = projected(standard, x_tangent);
            // d of scale (e - A e - xhat A(xhat e)) through xhat and through scale.
            out -= standard.scale.cwiseProduct(moved.cwiseProduct(averaged(xhat.cwiseProduct(e))) +
                                               xhat.cwiseProduct(averaged(moved.cwiseProduct(e))));
            out -= projected(standard, e)
                       .cwiseProduct(standard.scale)
                       .cwiseProduct(averaged(xhat.cwiseProduct(x_tangent)));
        }
    }
    void parameter_gradient_tangent(
        const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
        const Rows<S>& cotangent_tangent,
        Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>> gradient) const override {
        const Index samples = p.pass->samples;
        const Standard standard{standardised(p), scales(p), frozen(p)};
        for (Index k = 0; k < t.directions; ++k) {
            const Rows<S> rd = cotangent_tangent.middleRows(k * samples, samples);
            Rows<S> sum = rd.cwiseProduct(standard.xhat);
            if (t.dx[0])
                sum += cotangent.cwiseProduct(
                    projected(standard, t.dx[0]->middleRows(k * samples, samples)));
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
    // After forward: xhat, and 1 / sqrt(var + epsilon) in every cell.
    [[nodiscard]] virtual Rows<S> standardised(const Primal<S>& p) const = 0;
    [[nodiscard]] virtual Rows<S> scales(const Primal<S>& p) const = 0;
    double epsilon_ = kEpsilon;

  private:
    // After forward: of every cell, and whether they do not depend on x.
    struct Standard {
        Rows<S> xhat, scale;
        bool frozen;
    };
    // d xhat: scale (dx - A dx - xhat A(xhat dx)), symmetric, so its own adjoint.
    Rows<S> projected(const Standard& s, const Rows<S>& dx) const {
        if (s.frozen) return s.scale.cwiseProduct(dx);
        return s.scale.cwiseProduct(dx - averaged(dx) -
                                    s.xhat.cwiseProduct(averaged(s.xhat.cwiseProduct(dx))));
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
    [[nodiscard]] bool affine() const override { return true; } // in inference
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        const Rows<S>& x = *p.x[0];
        y.resize(x.rows(), x.cols());
        Statistics& s = p.memory->template own<Statistics>();
        for (Channels* one : {&s.mean, &s.variance, &s.scale, &s.gain, &s.offset})
            one->resize(channels_);
        if (!frozen(p) && x.rows() * cells_ < 2)
            throw Error("batch norm in training needs more than one value a channel");
        each_part(x.rows(), [&](Part part) {
            measure(p, part, s);
            part.of(s.scale) =
                (part.of(s.variance) + static_cast<S>(this->epsilon_)).sqrt().inverse();
            part.of(s.gain) = part.of(s.scale) * part.of(gamma(p));
            part.of(s.offset) = part.of(beta(p));
            each_segment(part, {0, x.rows()}, [&](const auto& segment) {
                segment.of(y) = segment.value(s.gain) * (segment.of(x) - segment.value(s.mean)) +
                                segment.value(s.offset);
            });
        });
    }
    // With D = sum d and P = sum d (x - mean) over a channel's n cells:
    // dx = gamma scale (d - D / n - (x - mean) scale^2 P / n).
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        auto& s = p.memory->template own<Statistics>();
        const Rows<S>& x = *p.x[0];
        const SampleRange all{0, x.rows()};
        for (Channels* one : {&s.cotangents, &s.products, &s.slope}) one->resize(channels_);
        if (!dx[0].wanted())
            return each_part(x.rows(), [&](Part part) {
                collect_products(p, cotangent, part, all, s.cotangents, s.products);
            });
        dx[0].write(x.rows(), x.cols(), [&](Rows<S>& to) {
            each_part(x.rows(), [&](Part part) {
                collect_products(p, cotangent, part, all, s.cotangents, s.products);
                find_slopes(p, part, s);
                each_segment(part, all, [&](const auto& segment) {
                    segment.of(to) =
                        segment.value(s.gain) * segment.of(cotangent) +
                        segment.value(s.slope) * (segment.of(x) - segment.value(s.mean)) +
                        segment.value(s.offset);
                });
            });
        });
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent, SampleRange range,
                            S* gradient) const override {
        const Statistics& s = p.memory->template own<Statistics>();
        const auto add = [&](const Channels& cotangents, const Channels& products) {
            Channels::Map(gradient, channels_) += s.scale * products;
            Channels::Map(gradient + channels_, channels_) += cotangents;
        };
        if (range.count == cotangent.rows()) return add(s.cotangents, s.products);
        Channels cotangents(channels_), products(channels_);
        each_part(range.count, [&](Part part) {
            collect_products(p, cotangent, part, range, cotangents, products);
        });
        add(cotangents, products);
    }
    // Running statistics: (1 - momentum) old + momentum new, the variance unbiased.
    void update_statistics(const Primal<S>& p, S* statistics) const override {
        const Statistics& s = p.memory->template own<Statistics>();
        const auto count = static_cast<S>(p.x[0]->rows() * cells_);
        const auto rate = static_cast<S>(momentum_);
        auto mean = Channels::Map(statistics, channels_);
        auto variance = Channels::Map(statistics + channels_, channels_);
        mean = (S(1) - rate) * mean + rate * s.mean;
        variance =
            (S(1) - rate) * variance + rate * count / std::max(S(1), count - S(1)) * s.variance;
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
        Channels total(channels_);
        each_part(rows.rows(), [&](Part part) {
            sum_segments(
                part, {0, rows.rows()},
                [&](const auto& segment, auto& sum) { segment.add(segment.of(rows), sum); }, total);
        });
        Channels::Map(sums, channels_) += total;
    }
    Rows<S> averaged(const Rows<S>& rows) const override {
        Channels sums = Channels::Zero(channels_);
        collect(rows, sums.data());
        sums /= static_cast<S>(rows.rows() * cells_);
        return spread(sums.data(), rows.rows());
    }
    bool frozen(const Primal<S>& p) const override { return p.pass->mode == Mode::inference; }
    Rows<S> standardised(const Primal<S>& p) const override {
        const Statistics& s = p.memory->template own<Statistics>();
        return (*p.x[0] - spread(s.mean.data(), p.pass->samples)).cwiseProduct(scales(p));
    }
    Rows<S> scales(const Primal<S>& p) const override {
        return spread(p.memory->template own<Statistics>().scale.data(), p.pass->samples);
    }

  private:
    using Channels = Eigen::Array<S, Eigen::Dynamic, 1>;
    // One number a channel.
    struct Statistics {
        Channels mean, variance, scale;
        Channels cotangents, products; // sums of d and of d (x - mean)
        Channels gain, slope, offset;  // work space
    };
    // Channels that are worked on together: one, so that what is read again is still in the cache,
    // or all where each has one cell.
    struct Part {
        Index first, count;
        template <class Array>
        [[nodiscard]] auto of(Array&& all) const {
            return all.segment(first, count);
        }
    };
    // Threads share the parts.
    template <class Body>
    void each_part(Index samples, Body&& body) const {
        if (cells_ == 1) return body(Part{0, channels_});
        const auto work = static_cast<double>(samples * channels_ * cells_);
        share_out(channels_, work, [&](Index first, Index count) {
            for (Index c = first; c < first + count; ++c) body(Part{c, 1});
        });
    }
    // Of one sample: a row of channels where each has one cell, else the cells of one channel.
    template <bool kCells>
    struct Segment {
        Index at, count, channel;
        auto of(const Rows<S>& rows) const {
            return Eigen::Map<const Channels>(rows.data() + at, count);
        }
        auto of(Rows<S>& rows) const { return Eigen::Map<Channels>(rows.data() + at, count); }
        [[nodiscard]] decltype(auto) value(const Channels& all) const {
            if constexpr (kCells)
                return all(channel);
            else
                return (all);
        }
        template <class Expression, class Sum>
        void add(const Expression& numbers, Sum& sum) const {
            if constexpr (kCells)
                sum += numbers.sum();
            else
                sum += numbers;
        }
    };
    template <class Body>
    void each_segment(Part part, SampleRange range, Body&& body) const {
        const Index size = channels_ * cells_;
        for (Index i = range.first; i < range.first + range.count; ++i)
            if (cells_ == 1)
                body(Segment<false>{i * size, size, 0});
            else
                body(Segment<true>{i * size + part.first * cells_, cells_, part.first});
    }
    // Sums of a part: body(segment, sum...) adds to them. One channel's are kept aside meanwhile:
    // other threads write to their neighbours.
    template <class Body, class... Sums>
    void sum_segments(Part part, SampleRange range, Body&& body, Sums&... sums) const {
        const Index size = channels_ * cells_, end = range.first + range.count;
        if (cells_ == 1) {
            (sums.setZero(), ...);
            for (Index i = range.first; i < end; ++i)
                body(Segment<false>{i * size, size, 0}, sums...);
            return;
        }
        const auto sum_up = [&](auto... sum) {
            for (Index i = range.first; i < end; ++i)
                body(Segment<true>{i * size + part.first * cells_, cells_, part.first}, sum...);
            ((sums(part.first) = sum), ...);
        };
        sum_up((static_cast<void>(sums), S(0))...);
    }
    [[nodiscard]] auto gamma(const Primal<S>& p) const { return Channels::Map(p.theta, channels_); }
    [[nodiscard]] auto beta(const Primal<S>& p) const {
        return Channels::Map(p.theta + channels_, channels_);
    }
    void collect_products(const Primal<S>& p, const Rows<S>& cotangent, Part part,
                          SampleRange range, Channels& cotangents, Channels& products) const {
        const Statistics& s = p.memory->template own<Statistics>();
        sum_segments(
            part, range,
            [&](const auto& segment, auto& sum, auto& product) {
                const auto d = segment.of(cotangent);
                segment.add(d, sum);
                segment.add(d * (segment.of(*p.x[0]) - segment.value(s.mean)), product);
            },
            cotangents, products);
    }
    // Mean and variance of a part.
    void measure(const Primal<S>& p, Part part, Statistics& s) const {
        if (frozen(p)) {
            part.of(s.mean) = part.of(Channels::Map(p.statistics, channels_));
            part.of(s.variance) = part.of(Channels::Map(p.statistics + channels_, channels_));
            return;
        }
        const Rows<S>& x = *p.x[0];
        const SampleRange all{0, x.rows()};
        const auto count = static_cast<S>(x.rows() * cells_);
        sum_segments(
            part, all, [&](const auto& segment, auto& sum) { segment.add(segment.of(x), sum); },
            s.mean);
        part.of(s.mean) /= count;
        sum_segments(
            part, all,
            [&](const auto& segment, auto& sum) {
                segment.add((segment.of(x) - segment.value(s.mean)).square(), sum);
            },
            s.variance);
        part.of(s.variance) /= count;
    }
    // dx of a part as gain d + slope (x - mean) + offset.
    void find_slopes(const Primal<S>& p, Part part, Statistics& s) const {
        part.of(s.gain) = part.of(s.scale) * part.of(gamma(p));
        if (frozen(p)) {
            part.of(s.slope).setZero();
            part.of(s.offset).setZero();
            return;
        }
        const S share = S(1) / static_cast<S>(p.x[0]->rows() * cells_);
        part.of(s.slope) =
            -share * part.of(s.gain) * part.of(s.scale).square() * part.of(s.products);
        part.of(s.offset) = -share * part.of(s.gain) * part.of(s.cotangents);
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
        size_ = size_of(shape);
        this->parameters_ = {{"gamma", shape, Role::scale}, {"beta", shape, Role::offset}};
    }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        const Rows<S>& x = *p.x[0];
        y.resize(x.rows(), x.cols());
        Rows<S>& scale = p.memory->at(kScale);
        Rows<S>& mean = p.memory->at(kMean);
        mean.resize(x.size() / size_, 1);
        scale.resize(x.size() / size_, 1);
        for (Index g = 0; g < mean.rows(); ++g) {
            const auto values = group(x, g);
            auto to = group(y, g);
            mean(g) = values.mean();
            to = values - mean(g);
            scale(g) = S(1) / std::sqrt(to.square().mean() + static_cast<S>(this->epsilon_));
            to = to * scale(g) * vector(p.theta) + vector(p.theta + size_);
        }
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Rows<S>&x = *p.x[0], &mean = p.memory->at(kMean), &scale = p.memory->at(kScale);
        dx[0].write(x.rows(), x.cols(), [&](Rows<S>& to) {
            for (Index g = 0; g < mean.rows(); ++g) {
                const auto e = group(cotangent, g) * vector(p.theta);
                const auto xhat = (group(x, g) - mean(g)) * scale(g);
                const S first = e.mean(), second = (e * xhat).mean();
                group(to, g) = scale(g) * (e - first - xhat * second);
            }
        });
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent, SampleRange range,
                            S* gradient) const override {
        const Rows<S>&x = *p.x[0], &mean = p.memory->at(kMean), &scale = p.memory->at(kScale);
        const Index groups = x.cols() / size_;
        for (Index g = range.first * groups; g < (range.first + range.count) * groups; ++g) {
            const auto d = group(cotangent, g);
            Cells::Map(gradient, size_) += d * (group(x, g) - mean(g)) * scale(g);
            Cells::Map(gradient + size_, size_) += d;
        }
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
        return in_every_cell(grouped(rows).rowwise().mean());
    }
    bool frozen(const Primal<S>&) const override { return false; }
    Rows<S> standardised(const Primal<S>& p) const override {
        return (*p.x[0] - in_every_cell(p.memory->at(kMean))).cwiseProduct(scales(p));
    }
    Rows<S> scales(const Primal<S>& p) const override {
        return in_every_cell(p.memory->at(kScale));
    }

  private:
    using Cells = Eigen::Array<S, Eigen::Dynamic, 1>;
    enum Slot : std::size_t { kMean, kScale }; // one number a group
    [[nodiscard]] auto group(const Rows<S>& rows, Index g) const {
        return Eigen::Map<const Cells>(rows.data() + g * size_, size_);
    }
    [[nodiscard]] auto group(Rows<S>& rows, Index g) const {
        return Eigen::Map<Cells>(rows.data() + g * size_, size_);
    }
    [[nodiscard]] auto vector(const S* values) const { return Cells::Map(values, size_); }
    Eigen::Map<const Rows<S>> grouped(const Rows<S>& rows) const {
        return {rows.data(), rows.size() / size_, size_};
    }
    [[nodiscard]] Rows<S> in_every_cell(const Column<S>& of_groups) const {
        Rows<S> result(of_groups.size() * size_ / this->output_.size(), this->output_.size());
        Eigen::Map<Rows<S>>(result.data(), of_groups.size(), size_) = of_groups.replicate(1, size_);
        return result;
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
