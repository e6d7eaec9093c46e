#include <assay/lindyn/deep_linear.hpp>

#include <assay/core/error.hpp>

#include <algorithm>

namespace assay::lindyn {

void check_layers(const Layers& layers, Index inputs, Index outputs) {
    if (layers.empty()) throw Error("no weight matrix; one or more are expected");
    Index width = inputs;
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const Matrix& w = layers[l];
        if (w.rows() == 0 || w.cols() != width)
            throw Error(concat("layer ", l + 1, ": ", w.rows(), " x ", w.cols(), " weights; N x ",
                               width, " is expected"));
        if (!w.allFinite()) throw Error(concat("layer ", l + 1, ": weights are not finite"));
        width = w.rows();
    }
    if (width != outputs)
        throw Error(
            concat("layer ", layers.size(), ": ", width, " outputs; the data have ", outputs));
}

Matrix whole_map(const Layers& layers) {
    Matrix map = layers.front();
    for (std::size_t l = 1; l < layers.size(); ++l) map = layers[l] * map;
    return map;
}

double loss_of_map(const Statistics& s, const Matrix& map) {
    const double quadratic = s.has_scalar_inputs() ? s.input_scale * map.squaredNorm()
                                                   : (map * s.sxx).cwiseProduct(map).sum();
    return (s.output_power - 2 * map.cwiseProduct(s.syx).sum() + quadratic) / 2;
}

double conservation_gap(const Layers& layers, const Layers& reference) {
    double gap = 0;
    const auto difference = [](const Layers& of, std::size_t l) {
        return Matrix(of[l + 1].transpose() * of[l + 1] - of[l] * of[l].transpose());
    };
    for (std::size_t l = 0; l + 1 < layers.size(); ++l)
        gap =
            std::max(gap, (difference(layers, l) - difference(reference, l)).cwiseAbs().maxCoeff());
    return gap;
}

double relative_imbalance(const Layers& layers) {
    double largest = 0;
    for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
        const Matrix in = layers[l] * layers[l].transpose();
        const double size = in.norm();
        if (size > 0)
            largest =
                std::max(largest, (layers[l + 1].transpose() * layers[l + 1] - in).norm() / size);
    }
    return largest;
}

Descent::Descent(const Statistics& statistics, const Layers& shapes)
    : statistics_(statistics), below_(shapes.size()), errors_(shapes.size()) {
    check_layers(shapes, statistics.inputs(), statistics.outputs());
    for (std::size_t l = 0; l < shapes.size(); ++l) {
        if (l > 0) below_[l].resize(shapes[l].rows(), statistics.inputs());
        errors_[l].resize(shapes[l].rows(), statistics.inputs());
    }
}

// Syx - W Sx; for white inputs the last product goes straight into it.
void Descent::find_error(const Layers& layers) {
    const std::size_t last = layers.size() - 1;
    for (std::size_t l = 1; l < last; ++l) below_[l].noalias() = layers[l] * input(layers, l);
    Matrix& error = errors_[last];
    error = statistics_.syx;
    const bool white = statistics_.has_scalar_inputs();
    if (last == 0) {
        if (white)
            error -= statistics_.input_scale * layers[0];
        else
            error.noalias() -= layers[0] * statistics_.sxx;
    } else if (white) {
        error.noalias() -= statistics_.input_scale * layers[last] * input(layers, last);
    } else {
        below_[last].noalias() = layers[last] * input(layers, last);
        error.noalias() -= below_[last] * statistics_.sxx;
    }
}

void Descent::direction(const Layers& layers, double decay, Layers& direction) {
    find_error(layers);
    for (std::size_t l = layers.size(); l-- > 0;) {
        if (l == 0)
            direction[l] = errors_[l];
        else
            direction[l].noalias() = errors_[l] * input(layers, l).transpose();
        if (decay != 0) direction[l] -= decay * layers[l];
        if (l > 0) errors_[l - 1].noalias() = layers[l].transpose() * errors_[l];
    }
}

void Descent::step(double rate, double decay, Layers& layers) {
    find_error(layers);
    // From above, so that what a layer sees is still that of before.
    for (std::size_t l = layers.size(); l-- > 0;) {
        if (l > 0) errors_[l - 1].noalias() = layers[l].transpose() * errors_[l];
        if (decay != 0) layers[l] *= 1 - rate * decay;
        if (l == 0)
            layers[l] += rate * errors_[l];
        else
            layers[l].noalias() += rate * errors_[l] * input(layers, l).transpose();
    }
}

} // namespace assay::lindyn
