#include <assay/network/layer.hpp>

#include <assay/core/error.hpp>

namespace assay::network {
std::string shape_text(const Shape& shape) {
    std::string text;
    for (const Index extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
    return text.empty() ? "a single number" : text;
}

std::vector<LayerType>& layer_types() {
    static std::vector<LayerType> types;
    return types;
}

Index checked_size(const Shape& shape, const std::string& path) {
    double size = 1;
    for (const Index extent : shape) {
        if (extent < 1) throw Error(concat(path, ": an axis of ", extent, " cells"));
        size *= static_cast<double>(extent);
    }
    if (size > 1e12)
        throw Error(concat(path, ": a tensor of ", size, " numbers a sample is too large"));
    return size_of(shape);
}

void expect_equal_shapes(const LayerRequest& request) {
    for (const auto& input : request.inputs)
        if (input.shape != request.inputs[0].shape)
            throw Error(concat(request.keys->path(), ": inputs of equal shape are expected, found ",
                               shape_text(request.inputs[0].shape), " and ",
                               shape_text(input.shape)));
}

void expect_rank(const LayerRequest& request, Index least, Index most) {
    const auto rank = static_cast<Index>(request.inputs[0].shape.size());
    if (rank >= least && rank <= most) return;
    throw Error(concat(request.keys->path(), ": '", request.type, "' expects ", least,
                       least == most ? "" : concat(" to ", most), " axes (channel first), found ",
                       shape_text(request.inputs[0].shape)));
}

} // namespace assay::network
