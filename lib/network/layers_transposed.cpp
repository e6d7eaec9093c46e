// Transposed convolutions over one to three spatial axes: the adjoint of a convolution that takes
// the layer's output to its input (Dumoulin & Visin 2016, arXiv 1603.07285, section 4), plus a
// bias. So `padding` is what is cut off the output, "same" as TensorFlow's gives stride times as
// many cells as come in, and the weight (channels, filters / groups, kernel) is that convolution's.
#include <assay/network/convolution_layer.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace assay::network {
namespace {

constexpr Index kMostSpan = Index{1} << 30; // of the keys that are multiplied below

// The cells of the output: as many as the convolution back needs to have the input's positions.
Shape output_space(Keys& keys, const Shape& input) {
    const auto axes = static_cast<Index>(input.size());
    const Shape ones(input.size(), 1), zeros(input.size(), 0);
    const Shape kernel = keys.integers("kernel", axes, 1),
                stride = keys.integers("stride", axes, 1, ones),
                dilation = keys.integers("dilation", axes, 1, ones),
                more = keys.integers("output_padding", axes, 0, zeros);
    const bool in_pairs = keys.has("padding") && !keys.value("padding").is_string();
    const bool same = !in_pairs && keys.word("padding", {"valid", "same"}, "valid") == "same";
    const auto cut = in_pairs ? read_pairs(keys, "padding", axes)
                              : std::vector<Shape>(input.size(), Shape{0, 0});
    Shape output;
    for (std::size_t axis = 0; axis < input.size(); ++axis) {
        for (const auto& [key, value] : {std::pair{"kernel", kernel[axis]},
                                         {"stride", stride[axis]},
                                         {"dilation", dilation[axis]}})
            if (value > kMostSpan / input[axis])
                keys.refuse(key, concat(value, " is more than this program handles"));
        if (more[axis] >= stride[axis] || (same && more[axis] > 0))
            keys.refuse("output_padding", same ? std::string("\"same\" padding leaves none")
                                               : concat("expected less than the stride, ",
                                                        stride[axis], "; found ", more[axis]));
        const Index reach = (kernel[axis] - 1) * dilation[axis] + 1;
        const Index cells = same ? input[axis] * stride[axis]
                                 : (input[axis] - 1) * stride[axis] + reach + more[axis] -
                                       cut[axis][0] - cut[axis][1];
        if (cells < 1) keys.refuse("padding", concat("nothing is left of axis ", axis));
        output.push_back(cells);
    }
    static_cast<void>(checked_size(output, keys.path()));
    return output;
}

template <class S>
class TransposedConvolution : public ConvolutionLayer<S> {
    using typename Bilinear<S>::ConstRows;
    using typename Bilinear<S>::MutableRows;

  public:
    explicit TransposedConvolution(const LayerRequest& request) {
        Keys& keys = *request.keys;
        const Shape& input = request.inputs[0].shape;
        const Shape space = output_space(keys, space_of(input));
        Windows back(keys, space, false);
        const GroupSizes sizes = this->read_groups(keys, input[0]);
        // A cell of the output meets one element of the kernel in a stride along every axis.
        Index met = sizes.in * back.elements();
        for (const auto& axis : back.axes()) met /= axis.stride;
        const Index fan_in = std::max<Index>(1, met), fan_out = sizes.out * back.elements();
        this->set_up(keys, space, {input[0], sizes.out}, std::move(back), {sizes.out, sizes.in},
                     fan_in, fan_out);
    }

  protected:
    void product(const ConstRows& x, const S* w, MutableRows y, bool add) const override {
        this->maps().adjoint(x, w, y, add);
    }
    void adjoint(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const override {
        this->maps().product(cotangent, w, dx, add);
    }
    void weight_gradient(const ConstRows& cotangent, const ConstRows& x, S* dw) const override {
        this->maps().weight_gradient(x, cotangent, dw);
    }
};

template <class S, Index kAxes>
std::unique_ptr<Layer<S>> make_transposed(const LayerRequest& request) {
    expect_rank(request, kAxes + 1, kAxes + 1);
    return std::make_unique<TransposedConvolution<S>>(request);
}

const LayerRegistration kTransposed1("conv1d_transpose", make_transposed<double, 1>,
                                     make_transposed<float, 1>);
const LayerRegistration kTransposed2("conv2d_transpose", make_transposed<double, 2>,
                                     make_transposed<float, 2>);
const LayerRegistration kTransposed3("conv3d_transpose", make_transposed<double, 3>,
                                     make_transposed<float, 3>);

} // namespace
} // namespace assay::network
