// Element-wise functions, softmax and log-softmax over the last axis, parametric softplus.
#include <assay/network/activation.hpp>
#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <array>

namespace assay::network {
namespace {

struct NamedFunction {
    const char* name;
    Function function;
    const char* parameter; // key of its shape parameter, or null
};

constexpr std::array<NamedFunction, 14> kFunctions{
    {{"identity", Function::identity, nullptr},
     {"relu", Function::relu, nullptr},
     {"leaky_relu", Function::leaky_relu, "slope"},
     {"elu", Function::elu, "alpha"},
     {"softplus", Function::softplus, "beta"},
     {"sigmoid", Function::sigmoid, nullptr},
     {"hard_sigmoid", Function::hard_sigmoid, nullptr},
     {"tanh", Function::tanh, nullptr},
     {"softsign", Function::softsign, nullptr},
     {"gelu", Function::gelu, nullptr},
     {"silu", Function::silu, nullptr},
     {"exponential", Function::exponential, nullptr},
     {"rectified_quadratic", Function::rectified_quadratic, nullptr},
     {"gaussian", Function::gaussian, nullptr}}};

const NamedFunction* find_function(const std::string& name) {
    for (const auto& one : kFunctions)
        if (name == one.name) return &one;
    return nullptr;
}

std::vector<std::string> function_names() {
    std::vector<std::string> names;
    for (const auto& one : kFunctions) names.emplace_back(one.name);
    return names;
}

} // namespace

bool is_elementwise(const std::string& name) {
    return find_function(name) != nullptr;
}

bool piecewise_linear(Function f) {
    return f == Function::identity || f == Function::relu || f == Function::leaky_relu ||
           f == Function::hard_sigmoid;
}

Activation read_activation(Keys& keys, const std::string& key, const std::string& otherwise) {
    return read_activation_of(keys, key, function_names(), otherwise);
}

Activation read_activation_of(Keys& keys, const std::string& key,
                              const std::vector<std::string>& allowed,
                              const std::string& otherwise) {
    const std::string name = keys.word(key, allowed, otherwise);
    const NamedFunction* found = find_function(name);
    Activation activation{found->function, 1};
    if (found->function == Function::leaky_relu) activation.shape = 0.01;
    if (found->parameter) activation.shape = keys.number(found->parameter, activation.shape);
    if (found->function == Function::softplus && activation.shape <= 0)
        keys.refuse("beta", "expected a number above 0");
    if (found->function == Function::gelu &&
        keys.word("form", {"exact", "tanh"}, "exact") == "tanh")
        activation.function = Function::gelu_tanh;
    return activation;
}

namespace {

// for_chunks; threads share the chunks.
template <class Body>
void share_chunks(Index size, Body&& body) {
    const Index chunks = (size + kChunk - 1) / kChunk;
    share_out(chunks, static_cast<double>(size), [&](Index first, Index count) {
        const Index begin = first * kChunk;
        for_chunks(std::min(size - begin, count * kChunk),
                   [&](Index i, Index n) { body(begin + i, n); });
    });
}

template <class S>
class Elementwise : public Layer<S> {
  public:
    Elementwise(const LayerRequest& request, Activation activation) : activation_(activation) {
        this->output_ = request.inputs[0];
    }
    [[nodiscard]] bool affine() const override {
        return activation_.function == Function::identity;
    }
    [[nodiscard]] bool rectifies() const override {
        switch (activation_.function) {
        case Function::relu:
        case Function::leaky_relu:
        case Function::elu:
        case Function::softplus:
        case Function::gelu:
        case Function::gelu_tanh:
        case Function::silu:
        case Function::rectified_quadratic:
            return true;
        default:
            return false;
        }
    }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        const Rows<S>& x = *p.x[0];
        y.resize(x.rows(), x.cols());
        with_function(activation_, [&](const auto& function) {
            share_chunks(x.size(), [&](Index i, Index n) {
                store(Chunk<S>(activate(function, load(x.data() + i, n))), y.data() + i, n);
            });
        });
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        dy.resize(t.dx[0]->rows(), t.dx[0]->cols());
        scale(p, *t.dx[0], t.directions, dy);
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        dx[0].write(cotangent.rows(), cotangent.cols(),
                    [&](Rows<S>& to) { scale(p, cotangent, 1, to); });
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Rows<S>&x = *p.x[0], &y = *p.y;
        dx[0].write(cotangent_tangent.rows(), cotangent_tangent.cols(), [&](Rows<S>& result) {
            const Index size = x.size();
            for (Index k = 0; k < t.directions; ++k) {
                const S* d_tangent = cotangent_tangent.data() + k * size;
                const S* x_tangent = t.dx[0] ? t.dx[0]->data() + k * size : nullptr;
                const S* y_tangent = t.dx[0] ? t.dy->data() + k * size : nullptr;
                share_chunks(size, [&](Index i, Index n) {
                    const auto xs = load(x.data() + i, n), ys = load(y.data() + i, n);
                    Chunk<S> out;
                    if (x_tangent) {
                        const Dual<Chunk<S>> slopes =
                            slope(activation_, Dual<Chunk<S>>{xs, load(x_tangent + i, n)},
                                  Dual<Chunk<S>>{ys, load(y_tangent + i, n)});
                        out = slopes.v * load(d_tangent + i, n) +
                              slopes.d * load(cotangent.data() + i, n);
                    } else {
                        out = slope(activation_, xs, ys) * load(d_tangent + i, n);
                    }
                    store(out, result.data() + k * size + i, n);
                });
            }
        });
    }

  private:
    // out = slope * in for `times` stacked arrays.
    void scale(const Primal<S>& p, const Rows<S>& in, Index times, Rows<S>& out) const {
        const Rows<S>& x = *p.x[0];
        const Index size = x.size();
        const auto scale_by = [&](auto&& slope_at) {
            share_chunks(size, [&](Index i, Index n) {
                const Chunk<S> slopes = slope_at(i, n);
                for (Index k = 0; k < times; ++k)
                    store(Chunk<S>(slopes * load(in.data() + k * size + i, n)),
                          out.data() + k * size + i, n);
            });
        };
        if (p.slopes)
            return scale_by([&](Index i, Index n) { return load(p.slopes->data() + i, n); });
        with_function(activation_, [&](const auto& function) {
            scale_by([&](Index i, Index n) {
                return slope(function, load(x.data() + i, n), load(p.y->data() + i, n));
            });
        });
    }
    Activation activation_;
};

// Softmax and its logarithm over the last axis.
template <class S>
class Softmax : public Layer<S> {
  public:
    Softmax(const LayerRequest& request, bool logarithm) : logarithm_(logarithm) {
        this->output_ = request.inputs[0];
        classes_ = this->output_.shape.empty() ? 1 : this->output_.shape.back();
    }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        const auto x = rows_of(*p.x[0]);
        y.resize(p.x[0]->rows(), p.x[0]->cols());
        Eigen::Map<Rows<S>> out(y.data(), x.rows(), classes_);
        Rows<S>& probabilities = p.memory->at(0);
        probabilities = (x.colwise() - x.rowwise().maxCoeff()).array().exp().matrix();
        const Column<S> sums = probabilities.rowwise().sum();
        if (logarithm_)
            out = (x.colwise() - x.rowwise().maxCoeff()).colwise() - sums.array().log().matrix();
        probabilities = sums.cwiseInverse().asDiagonal() * probabilities;
        if (!logarithm_) out = probabilities;
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        dy.resize(t.dx[0]->rows(), t.dx[0]->cols());
        each_direction(*t.dx[0], dy, t.directions,
                       [&](const auto& dx, auto& out) { out = tangent_of(p.memory->at(0), dx); });
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        dx[0].write(cotangent.rows(), cotangent.cols(), [&](Rows<S>& to) {
            each_direction(cotangent, to, 1,
                           [&](const auto& d, auto& out) { out = adjoint_of(p.memory->at(0), d); });
        });
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Rows<S>& probabilities = p.memory->at(0);
        dx[0].write(cotangent_tangent.rows(), cotangent_tangent.cols(), [&](Rows<S>& result) {
            const Rows<S> d = rows_of(cotangent);
            Index k = 0;
            each_direction(cotangent_tangent, result, t.directions, [&](const auto& rd, auto& out) {
                out = adjoint_of(probabilities, rd);
                if (t.dx[0]) {
                    const Eigen::Map<const Rows<S>> dx_k(t.dx[0]->data() + k * cotangent.size(),
                                                         d.rows(), classes_);
                    const Rows<S> moved = softmax_tangent(probabilities, dx_k);
                    if (logarithm_) { // D - p sum(D)
                        out -= d.rowwise().sum().asDiagonal() * moved;
                    } else { // p (D - sum(p D))
                        const Column<S> inner = probabilities.cwiseProduct(d).rowwise().sum();
                        const Column<S> inner_moved = moved.cwiseProduct(d).rowwise().sum();
                        out += moved.cwiseProduct(d.colwise() - inner);
                        out -= inner_moved.asDiagonal() * probabilities;
                    }
                }
                ++k;
            });
        });
    }

  private:
    [[nodiscard]] Eigen::Map<const Rows<S>> rows_of(const Rows<S>& x) const {
        return {x.data(), x.size() / classes_, classes_};
    }
    template <class Body>
    void each_direction(const Rows<S>& in, Rows<S>& out, Index directions, Body&& body) const {
        const Index rows = in.size() / classes_ / directions;
        for (Index k = 0; k < directions; ++k) {
            const Eigen::Map<const Rows<S>> from(in.data() + k * rows * classes_, rows, classes_);
            Eigen::Map<Rows<S>> to(out.data() + k * rows * classes_, rows, classes_);
            body(from, to);
        }
    }
    template <class In>
    static Rows<S> softmax_tangent(const Rows<S>& probabilities, const In& dx) {
        const Column<S> mean = probabilities.cwiseProduct(dx).rowwise().sum();
        return probabilities.cwiseProduct(dx.colwise() - mean);
    }
    template <class In>
    Rows<S> tangent_of(const Rows<S>& probabilities, const In& dx) const {
        if (!logarithm_) return softmax_tangent(probabilities, dx);
        const Column<S> mean = probabilities.cwiseProduct(dx).rowwise().sum();
        return dx.colwise() - mean;
    }
    template <class In>
    Rows<S> adjoint_of(const Rows<S>& probabilities, const In& d) const {
        if (!logarithm_) return softmax_tangent(probabilities, d);
        return d - d.rowwise().sum().asDiagonal() * probabilities;
    }
    bool logarithm_;
    Index classes_ = 1;
};

// alpha log(1 + exp(beta x)) with trained alpha, beta for every unit.
template <class S>
class ParametricSoftplus : public Layer<S> {
  public:
    explicit ParametricSoftplus(const LayerRequest& request) {
        this->output_ = request.inputs[0];
        this->parameters_ = {{"alpha", this->output_.shape, Role::shape},
                             {"beta", this->output_.shape, Role::shape}};
    }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        y.resize(p.x[0]->rows(), p.x[0]->cols());
        each(p, [&](Index at, Index unit, Index n) {
            const Formula f = formula(p, at, unit, n);
            store(Chunk<S>(f.alpha * f.softplus), y.data() + at, n);
        });
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        const Index size = p.x[0]->size(), units = p.x[0]->cols();
        dy.resize(p.x[0]->rows() * t.directions, units);
        for (Index k = 0; k < t.directions; ++k)
            each(p, [&](Index at, Index unit, Index n) {
                const Formula f = formula(p, at, unit, n);
                Chunk<S> out = Chunk<S>::Zero();
                if (t.dx[0])
                    out += f.alpha * f.beta * f.s * load(t.dx[0]->data() + k * size + at, n);
                if (t.moves_parameters()) {
                    const S* v = t.dtheta.col(k).data() + unit;
                    out += f.softplus * load(v, n) + f.alpha * f.s * f.x * load(v + units, n);
                }
                store(out, dy.data() + k * size + at, n);
            });
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        dx[0].write(cotangent.rows(), cotangent.cols(), [&](Rows<S>& to) {
            each(p, [&](Index at, Index unit, Index n) {
                const Chunk<S> slopes =
                    p.slopes ? load(p.slopes->data() + at, n) : slope_at(p, at, unit, n);
                store(Chunk<S>(slopes * load(cotangent.data() + at, n)), to.data() + at, n);
            });
        });
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (!dx[0].wanted()) return;
        const Index size = p.x[0]->size();
        dx[0].write(cotangent_tangent.rows(), cotangent_tangent.cols(), [&](Rows<S>& result) {
            for (Index k = 0; k < t.directions; ++k)
                each(p, [&](Index at, Index unit, Index n) {
                    const Moved m = moved(p, t, k, at, unit, n);
                    const auto gain = m.alpha * m.beta * m.s;
                    store(Chunk<S>(gain.v * load(cotangent_tangent.data() + k * size + at, n) +
                                   gain.d * load(cotangent.data() + at, n)),
                          result.data() + k * size + at, n);
                });
        });
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent, SampleRange range,
                            S* gradient) const override {
        const Index units = p.x[0]->cols();
        each(
            p,
            [&](Index at, Index unit, Index n) {
                const Formula f = formula(p, at, unit, n);
                const auto d = load(cotangent.data() + at, n);
                add(f.softplus * d, gradient + unit, n);
                add(f.alpha * f.s * f.x * d, gradient + units + unit, n);
            },
            range);
    }
    void parameter_gradient_tangent(
        const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
        const Rows<S>& cotangent_tangent,
        Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>> gradient) const override {
        const Index size = p.x[0]->size(), units = p.x[0]->cols();
        for (Index k = 0; k < t.directions; ++k)
            each(p, [&](Index at, Index unit, Index n) {
                const Moved m = moved(p, t, k, at, unit, n);
                const Dual<Chunk<S>> d{load(cotangent.data() + at, n),
                                       load(cotangent_tangent.data() + k * size + at, n)};
                S* to = gradient.col(k).data() + unit;
                add((m.softplus * d).d, to, n);
                add((m.alpha * m.s * m.x * d).d, to + units, n);
            });
    }

  private:
    template <class T>
    struct Terms {
        T x, alpha, beta, softplus, s; // softplus = log(1 + exp(beta x)), s its slope in beta x
    };
    using Formula = Terms<Chunk<S>>;
    using Moved = Terms<Dual<Chunk<S>>>;

    template <class T>
    static Terms<T> terms(const T& x, const T& alpha, const T& beta) {
        const T product = beta * x;
        const T value = activate(Activation{Function::softplus, 1}, product);
        return {x, alpha, beta, value, logistic(product)};
    }
    Formula formula(const Primal<S>& p, Index at, Index unit, Index n) const {
        return terms(load(p.x[0]->data() + at, n), load(p.theta + unit, n),
                     load(p.theta + p.x[0]->cols() + unit, n));
    }
    Chunk<S> slope_at(const Primal<S>& p, Index at, Index unit, Index n) const {
        const Formula f = formula(p, at, unit, n);
        return f.alpha * f.beta * f.s;
    }
    Moved moved(const Primal<S>& p, const Tangents<S>& t, Index k, Index at, Index unit,
                Index n) const {
        const Chunk<S> zero = Chunk<S>::Zero();
        const S* v = t.moves_parameters() ? t.dtheta.col(k).data() + unit : nullptr;
        const Index units = p.x[0]->cols();
        using D = Dual<Chunk<S>>;
        return terms(D{load(p.x[0]->data() + at, n),
                       t.dx[0] ? load(t.dx[0]->data() + k * p.x[0]->size() + at, n) : zero},
                     D{load(p.theta + unit, n), v ? load(v, n) : zero},
                     D{load(p.theta + units + unit, n), v ? load(v + units, n) : zero});
    }
    template <class Body>
    void each(const Primal<S>& p, Body&& body, SampleRange range = {0, -1}) const {
        const Index units = p.x[0]->cols();
        if (range.count < 0) range.count = p.x[0]->rows();
        for (Index b = range.first; b < range.first + range.count; ++b)
            for_chunks(units, [&](Index unit, Index n) { body(b * units + unit, unit, n); });
    }
    static void add(const Chunk<S>& value, S* to, Index n) {
        store(Chunk<S>(load(to, n) + value), to, n);
    }
};

template <class S>
std::unique_ptr<Layer<S>> make_activation(const LayerRequest& request) {
    Keys& keys = *request.keys;
    const std::string name = keys.text("function");
    if (name == "softmax" || name == "log_softmax")
        return std::make_unique<Softmax<S>>(request, name == "log_softmax");
    if (name == "parametric_softplus") return std::make_unique<ParametricSoftplus<S>>(request);
    if (!is_elementwise(name)) {
        auto known = function_names();
        known.insert(known.end(), {"softmax", "log_softmax", "parametric_softplus"});
        keys.refuse("function", concat("expected one of ", join(known, ", "), "; found '",
                                       printable(name, 40), "'"));
    }
    return std::make_unique<Elementwise<S>>(request, read_activation(keys, "function", "identity"));
}

const LayerRegistration kActivation("activation", make_activation<double>, make_activation<float>);

} // namespace
} // namespace assay::network
