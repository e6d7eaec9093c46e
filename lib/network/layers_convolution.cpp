// Convolutions over one to three spatial axes, with groups (convolution_maps.hpp).
#include <assay/network/convolution_layer.hpp>

namespace assay::network {
namespace {

template <class S>
class Convolution : public ConvolutionLayer<S> {
    using typename Bilinear<S>::ConstRows;
    using typename Bilinear<S>::MutableRows;

  public:
    explicit Convolution(const LayerRequest& request) {
        Keys& keys = *request.keys;
        const Shape& input = request.inputs[0].shape;
        Windows windows(keys, space_of(input), false);
        const GroupSizes sizes = this->read_groups(keys, input[0]);
        const Index filters = input[0] / sizes.in * sizes.out;
        const Index fan_in = sizes.in * windows.elements(),
                    fan_out = sizes.out * windows.elements();
        const Shape space = windows.output_space();
        this->set_up(keys, space, {filters, sizes.in}, std::move(windows), sizes, fan_in, fan_out);
    }

  protected:
    void product(const ConstRows& x, const S* w, MutableRows y, bool add) const override {
        this->maps().product(x, w, y, add);
    }
    void adjoint(const ConstRows& cotangent, const S* w, MutableRows dx, bool add) const override {
        this->maps().adjoint(cotangent, w, dx, add);
    }
    void weight_gradient(const ConstRows& cotangent, const ConstRows& x, S* dw) const override {
        this->maps().weight_gradient(cotangent, x, dw);
    }
};

template <class S, Index kAxes>
std::unique_ptr<Layer<S>> make_convolution(const LayerRequest& request) {
    expect_rank(request, kAxes + 1, kAxes + 1);
    return std::make_unique<Convolution<S>>(request);
}

const LayerRegistration kConv1("conv1d", make_convolution<double, 1>, make_convolution<float, 1>);
const LayerRegistration kConv2("conv2d", make_convolution<double, 2>, make_convolution<float, 2>);
const LayerRegistration kConv3("conv3d", make_convolution<double, 3>, make_convolution<float, 3>);

} // namespace
} // namespace assay::network
