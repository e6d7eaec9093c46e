// Several tensors into one: add, subtract, average, multiply, concatenate.
#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>

#include <algorithm>

namespace assay::network {
namespace {

// sum_i c_i x_i.
template <class S>
class Sum : public Layer<S> {
  public:
    Sum(const LayerRequest& request, std::vector<S> coefficients)
        : coefficients_(std::move(coefficients)) {
        expect_equal_shapes(request);
        this->output_ = request.inputs[0];
    }
    [[nodiscard]] bool affine() const override { return true; }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override { add_up(p.x, y); }
    void tangent(const Primal<S>&, const Tangents<S>& t, Rows<S>& dy) const override {
        add_up(t.dx, dy);
    }
    void backward(const Primal<S>&, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        send_back(cotangent, dx);
    }
    void backward_tangent(const Primal<S>&, const Tangents<S>&, const Rows<S>&,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        send_back(cotangent_tangent, dx);
    }

  private:
    void add_up(const std::vector<const Rows<S>*>& x, Rows<S>& y) const {
        const auto given = std::find_if(x.begin(), x.end(), [](auto* one) { return one; });
        if (given == x.end()) return;
        y.resize((*given)->rows(), (*given)->cols());
        share_out(y.rows(), static_cast<double>(y.size()), [&](Index first, Index count) {
            for (Index row = first; row < first + count; ++row) add_up(x, row, y);
        });
    }
    void add_up(const std::vector<const Rows<S>*>& x, Index row, Rows<S>& y) const {
        bool fresh = true;
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (!x[i]) continue;
            if (fresh)
                y.row(row) = coefficients_[i] * x[i]->row(row);
            else
                y.row(row) += coefficients_[i] * x[i]->row(row);
            fresh = false;
        }
    }
    void send_back(const Rows<S>& cotangent, std::vector<Sink<S>>& dx) const {
        for (std::size_t i = 0; i < dx.size(); ++i)
            if (dx[i].wanted()) dx[i].add(coefficients_[i] * cotangent);
    }
    std::vector<S> coefficients_;
};

template <class S>
class Product : public Layer<S> {
  public:
    explicit Product(const LayerRequest& request) {
        expect_equal_shapes(request);
        this->output_ = request.inputs[0];
    }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override { y = without(p, {}); }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        const Index samples = p.pass->samples;
        dy.setZero(samples * t.directions, this->output_.size());
        for (std::size_t i = 0; i < p.x.size(); ++i) {
            if (!t.dx[i]) continue;
            const Rows<S> others = without(p, {i});
            for (Index k = 0; k < t.directions; ++k)
                dy.middleRows(k * samples, samples) +=
                    others.cwiseProduct(t.dx[i]->middleRows(k * samples, samples));
        }
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        for (std::size_t i = 0; i < dx.size(); ++i)
            if (dx[i].wanted()) dx[i].add(cotangent.cwiseProduct(without(p, {i})));
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        const Index samples = p.pass->samples;
        for (std::size_t i = 0; i < dx.size(); ++i) {
            if (!dx[i].wanted()) continue;
            Rows<S>& to = dx[i].zeroed(cotangent_tangent.rows(), this->output_.size());
            const Rows<S> others = without(p, {i});
            for (Index k = 0; k < t.directions; ++k) {
                auto block = to.middleRows(k * samples, samples);
                block += cotangent_tangent.middleRows(k * samples, samples).cwiseProduct(others);
                for (std::size_t j = 0; j < p.x.size(); ++j)
                    if (j != i && t.dx[j])
                        block += cotangent.cwiseProduct(without(p, {i, j}))
                                     .cwiseProduct(t.dx[j]->middleRows(k * samples, samples));
            }
        }
    }

  private:
    // The product of all inputs but the left-out ones.
    Rows<S> without(const Primal<S>& p, const std::vector<std::size_t>& left_out) const {
        Rows<S> product = Rows<S>::Ones(p.pass->samples, this->output_.size());
        for (std::size_t i = 0; i < p.x.size(); ++i)
            if (std::find(left_out.begin(), left_out.end(), i) == left_out.end())
                product = product.cwiseProduct(*p.x[i]);
        return product;
    }
};

// Along one axis; tensors as (outer, extent * inner) slabs.
template <class S>
class Concatenation : public Layer<S> {
  public:
    explicit Concatenation(const LayerRequest& request) {
        Keys& keys = *request.keys;
        const Shape& first = request.inputs[0].shape;
        const auto axis = static_cast<std::size_t>(
            keys.count("axis", 0, static_cast<Index>(first.size()) - 1, 0));
        this->output_ = request.inputs[0];
        if (axis == 0) this->output_.sequence = false;
        this->output_.shape[axis] = 0;
        for (const auto& input : request.inputs) {
            Shape expected = first;
            if (input.shape.size() == first.size()) expected[axis] = input.shape[axis];
            if (input.shape != expected)
                throw Error(keys.path() + ": shapes of the inputs differ beside the axis");
            this->output_.shape[axis] += input.shape[axis];
        }
        checked_size(this->output_.shape, keys.path());
        for (std::size_t i = 0; i < axis; ++i) outer_ *= first[i];
        for (const auto& input : request.inputs) slabs_.push_back(input.size() / outer_);
    }
    // Flattened, one after the other; step by step where all are sequences of one length.
    struct Flattened {};
    Concatenation(const LayerRequest& request, Flattened) {
        const TensorInfo& first = request.inputs[0];
        const bool sequences =
            std::all_of(request.inputs.begin(), request.inputs.end(), [&](const TensorInfo& input) {
                return input.sequence && input.shape[0] == first.shape[0];
            });
        outer_ = sequences ? first.shape[0] : 1;
        Index width = 0;
        for (const auto& input : request.inputs) {
            slabs_.push_back(input.size() / outer_);
            width += slabs_.back();
        }
        this->output_.shape = sequences ? Shape{outer_, width} : Shape{width};
        this->output_.sequence = sequences;
        checked_size(this->output_.shape, request.keys->path());
    }
    [[nodiscard]] bool affine() const override { return true; }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override { join(p.x, p.pass->samples, y); }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        join(t.dx, p.pass->samples * t.directions, dy);
    }
    void backward(const Primal<S>&, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        cut(cotangent, dx);
    }
    void backward_tangent(const Primal<S>&, const Tangents<S>&, const Rows<S>&,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        cut(cotangent_tangent, dx);
    }

  private:
    void join(const std::vector<const Rows<S>*>& x, Index rows, Rows<S>& y) const {
        y.setZero(rows, this->output_.size());
        Eigen::Map<Rows<S>> to(y.data(), rows * outer_, this->output_.size() / outer_);
        Index column = 0;
        for (std::size_t i = 0; i < x.size(); column += slabs_[i++])
            if (x[i])
                to.middleCols(column, slabs_[i]) =
                    Eigen::Map<const Rows<S>>(x[i]->data(), rows * outer_, slabs_[i]);
    }
    void cut(const Rows<S>& cotangent, std::vector<Sink<S>>& dx) const {
        const Eigen::Map<const Rows<S>> from(cotangent.data(), cotangent.rows() * outer_,
                                             this->output_.size() / outer_);
        Index column = 0;
        for (std::size_t i = 0; i < dx.size(); column += slabs_[i++]) {
            if (!dx[i].wanted()) continue;
            Rows<S>& to = dx[i].zeroed(cotangent.rows(), outer_ * slabs_[i]);
            Eigen::Map<Rows<S>>(to.data(), from.rows(), slabs_[i]) +=
                from.middleCols(column, slabs_[i]);
        }
    }
    Index outer_ = 1;
    std::vector<Index> slabs_;
};

template <class S>
std::unique_ptr<Layer<S>> make_sum(const LayerRequest& request) {
    const std::size_t count = request.inputs.size();
    std::vector<S> coefficients(count,
                                request.type == "average" ? S(1) / static_cast<S>(count) : S(1));
    if (request.type == "subtract") coefficients[1] = S(-1);
    return std::make_unique<Sum<S>>(request, std::move(coefficients));
}
template <class S>
std::unique_ptr<Layer<S>> make_product(const LayerRequest& request) {
    return std::make_unique<Product<S>>(request);
}
template <class S>
std::unique_ptr<Layer<S>> make_concatenation(const LayerRequest& request) {
    return std::make_unique<Concatenation<S>>(request);
}

template <class S>
std::unique_ptr<Layer<S>> make_join(const LayerRequest& request) {
    return std::make_unique<Concatenation<S>>(request, typename Concatenation<S>::Flattened{});
}

const LayerRegistration kAdd("add", make_sum<double>, make_sum<float>, 1, 64);
const LayerRegistration kSubtract("subtract", make_sum<double>, make_sum<float>, 2, 2);
const LayerRegistration kAverage("average", make_sum<double>, make_sum<float>, 1, 64);
const LayerRegistration kMultiply("multiply", make_product<double>, make_product<float>, 1, 64);
const LayerRegistration kConcatenate("concatenate", make_concatenation<double>,
                                     make_concatenation<float>, 1, 64);
const LayerRegistration kJoin("join", make_join<double>, make_join<float>, 1, 1024);

} // namespace
} // namespace assay::network
