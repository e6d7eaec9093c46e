// Dense layers (on the last axis) and embeddings.
#include <assay/network/bilinear.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/products.hpp>

namespace assay::network {
namespace {

constexpr Index kMostUnits = Index{1} << 30;

template <class S>
class Dense : public Bilinear<S> {
    using typename Bilinear<S>::ConstRows;
    using typename Bilinear<S>::MutableRows;

  public:
    explicit Dense(const LayerRequest& request) {
        Keys& keys = *request.keys;
        const TensorInfo& input = request.inputs[0];
        if (input.shape.empty()) throw Error(keys.path() + ": the input has no axis");
        in_ = input.shape.back();
        out_ = keys.count("units", 1, kMostUnits);
        this->output_ = input;
        this->output_.shape.back() = out_;
        this->parameters_.push_back({"weight", {out_, in_}, Role::weight, in_, out_});
        if (keys.flag("bias", true))
            this->parameters_.push_back({"bias", {out_}, Role::bias, in_, out_});
    }
    void write_parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent,
                                  S* gradient) const override {
        outer_product(cotangent, *p.x[0], linalg::Target::set, gradient);
        if (!this->has_bias()) return;
        std::fill_n(gradient + this->weights(), out_, S(0));
        bias_gradient(cotangent, gradient + this->weights());
    }
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(in_) * static_cast<double>(this->output_.size());
    }

  protected:
    void product(const ConstRows& x, const S* w, MutableRows y, bool add) const override {
        linalg::multiply(rows(x, in_), out_, in_, linalg::plain(x.data(), in_),
                         linalg::transposed(w, in_), target(add), y.data(), out_);
    }
    void adjoint(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const override {
        linalg::multiply(rows(cotangent, out_), in_, out_, linalg::plain(cotangent.data(), out_),
                         linalg::plain(w, in_), target(add), dx.data(), in_);
    }
    void weight_gradient(const ConstRows& cotangent, const ConstRows& x, S* dw) const override {
        outer_product(cotangent, x, linalg::Target::add, dw);
    }
    void add_bias(const S* bias, MutableRows y) const override {
        mapped(y, out_).rowwise() += Eigen::Map<const Column<S>>(bias, out_).transpose();
    }
    void bias_gradient(const ConstRows& cotangent, S* db) const override {
        Eigen::Map<Column<S>>(db, out_) += mapped(cotangent, out_).colwise().sum().transpose();
    }

  private:
    void outer_product(const ConstRows& cotangent, const ConstRows& x, linalg::Target target,
                       S* dw) const {
        linalg::multiply(out_, in_, rows(x, in_), linalg::transposed(cotangent.data(), out_),
                         linalg::plain(x.data(), in_), target, dw, in_);
    }
    // All leading axes as rows: samples are contiguous.
    static Index rows(const ConstRows& samples, Index columns) { return samples.size() / columns; }
    static linalg::Target target(bool add) {
        return add ? linalg::Target::add : linalg::Target::set;
    }
    static Eigen::Map<const Rows<S>> mapped(const ConstRows& rows, Index columns) {
        return {rows.data(), rows.size() / columns, columns};
    }
    static Eigen::Map<Rows<S>> mapped(MutableRows& rows, Index columns) {
        return {rows.data(), rows.size() / columns, columns};
    }
    Index in_, out_;
};

// Token ids (whole numbers) to rows of `weight` (vocabulary x units).
template <class S>
class Embedding : public Layer<S> {
  public:
    explicit Embedding(const LayerRequest& request) {
        Keys& keys = *request.keys;
        vocabulary_ = keys.count("vocabulary", 1, kMostUnits);
        units_ = keys.count("units", 1, kMostUnits);
        this->output_ = request.inputs[0];
        this->output_.shape.push_back(units_);
        this->parameters_ = {
            {"weight", {vocabulary_, units_}, Role::embedding, vocabulary_, units_}};
    }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        const Rows<S>& x = *p.x[0];
        auto& tokens = p.memory->indices;
        tokens.resize(static_cast<std::size_t>(x.size()));
        for (Index i = 0; i < x.size(); ++i)
            tokens[static_cast<std::size_t>(i)] = token(x.data()[i]);
        y.resize(x.rows(), x.cols() * units_);
        look_up(tokens, p.theta, y.data());
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        dy.resize(p.pass->samples * t.directions, this->output_.size());
        const Index size = p.pass->samples * this->output_.size();
        for (Index k = 0; k < t.directions; ++k)
            look_up(p.memory->indices, t.dtheta.col(k).data(), dy.data() + k * size);
    }
    // Token ids have no cotangent: zero.
    void backward(const Primal<S>& p, const Rows<S>&, std::vector<Sink<S>>& dx) const override {
        if (dx[0].wanted()) dx[0].zeroed(p.x[0]->rows(), p.x[0]->cols());
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>&, const Rows<S>&,
                          std::vector<Sink<S>>& dx) const override {
        if (dx[0].wanted()) dx[0].zeroed(p.x[0]->rows() * t.directions, p.x[0]->cols());
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>& cotangent, SampleRange range,
                            S* gradient) const override {
        add_rows(p.memory->indices, cotangent.data(), range, p.x[0]->cols(), gradient);
    }
    void parameter_gradient_tangent(
        const Primal<S>& p, const Tangents<S>& t, const Rows<S>&, const Rows<S>& cotangent_tangent,
        Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>> gradient) const override {
        const Index samples = p.pass->samples;
        for (Index k = 0; k < t.directions; ++k)
            add_rows(p.memory->indices,
                     cotangent_tangent.data() + k * samples * cotangent_tangent.cols(),
                     {0, samples}, p.x[0]->cols(), gradient.col(k).data());
    }

  private:
    [[nodiscard]] Index token(S value) const {
        const auto id = static_cast<Index>(value);
        if (!(value >= 0) || id >= vocabulary_ || static_cast<S>(id) != value)
            throw Error(concat("token ", value, " found; whole numbers from 0 to ", vocabulary_ - 1,
                               " are expected"));
        return id;
    }
    void look_up(const std::vector<Index>& tokens, const S* table, S* to) const {
        for (const Index id : tokens) to = std::copy_n(table + id * units_, units_, to);
    }
    void add_rows(const std::vector<Index>& tokens, const S* rows, SampleRange range, Index steps,
                  S* table) const {
        for (Index i = range.first * steps; i < (range.first + range.count) * steps; ++i)
            Eigen::Map<Column<S>>(table + tokens[static_cast<std::size_t>(i)] * units_, units_) +=
                Eigen::Map<const Column<S>>(rows + i * units_, units_);
    }
    Index vocabulary_, units_;
};

template <class S>
std::unique_ptr<Layer<S>> make_dense(const LayerRequest& request) {
    return std::make_unique<Dense<S>>(request);
}
template <class S>
std::unique_ptr<Layer<S>> make_embedding(const LayerRequest& request) {
    return std::make_unique<Embedding<S>>(request);
}

const LayerRegistration kDense("dense", make_dense<double>, make_dense<float>);
const LayerRegistration kEmbedding("embedding", make_embedding<double>, make_embedding<float>);

} // namespace
} // namespace assay::network
