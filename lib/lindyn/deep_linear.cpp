#include <assay/lindyn/deep_linear.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/products.hpp>

#include <algorithm>

namespace assay::lindyn {
namespace {

enum class As { is, transposed };

// The product's columns of a or a^T as rows.
linalg::Strided<double> turned(const Matrix& a, As as) {
    return as == As::is ? linalg::plain(a.data(), a.rows())
                        : linalg::transposed(a.data(), a.rows());
}

// to = a b, or to += a b, of matrices as they are or transposed: in register tiles of the rows of
// to^T = b^T a^T.
void multiply(const Matrix& a, As a_as, const Matrix& b, As b_as, linalg::Target target,
              Matrix& to) {
    linalg::multiply<double>(to.cols(), to.rows(), a_as == As::is ? a.cols() : a.rows(),
                             turned(b, b_as), turned(a, a_as), target, to.data(), to.rows());
}

} // namespace

void check_layers(const Layers& layers, Index inputs, Index outputs) {
    if (layers.empty()) throw Error("no weight matrix; one or more are expected");
    Index width = inputs;
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const Matrix& w = layers[l];
        if (w.rows() == 0 || w.cols() != width)
            throw Error(concat("layer ", l + 1, ": ", w.rows(), " x ", w.cols(), " weights",
                               l > 0 ? concat(" after the ", layers[l - 1].rows(), " x ",
                                              layers[l - 1].cols(), " of layer ", l)
                                     : "",
                               "; N x ", width, " is expected"));
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

// Syx - W Sx.
void Descent::find_error(const Layers& layers) {
    const std::size_t last = layers.size() - 1;
    for (std::size_t l = 1; l < last; ++l)
        multiply(layers[l], As::is, input(layers, l), As::is, linalg::Target::set, below_[l]);
    Matrix& error = errors_[last];
    Matrix& map = statistics_.has_scalar_inputs() ? error : below_[last];
    if (last == 0)
        map = layers[0];
    else
        multiply(layers[last], As::is, input(layers, last), As::is, linalg::Target::set, map);
    if (statistics_.has_scalar_inputs()) {
        error = statistics_.syx - statistics_.input_scale * error;
        return;
    }
    multiply(map, As::is, statistics_.sxx, As::is, linalg::Target::set, error);
    error = statistics_.syx - error;
}

void Descent::direction(const Layers& layers, double decay, Layers& direction) {
    find_error(layers);
    for (std::size_t l = layers.size(); l-- > 0;) {
        if (l == 0)
            direction[l] = errors_[l];
        else
            multiply(errors_[l], As::is, input(layers, l), As::transposed, linalg::Target::set,
                     direction[l]);
        if (decay != 0) direction[l] -= decay * layers[l];
        if (l > 0)
            multiply(layers[l], As::transposed, errors_[l], As::is, linalg::Target::set,
                     errors_[l - 1]);
    }
}

void Descent::step(double rate, double decay, Layers& layers) {
    find_error(layers);
    errors_.back() *= rate;
    // From above, so that what a layer sees is still that of before.
    for (std::size_t l = layers.size(); l-- > 0;) {
        if (l > 0)
            multiply(layers[l], As::transposed, errors_[l], As::is, linalg::Target::set,
                     errors_[l - 1]);
        if (decay != 0) layers[l] *= 1 - rate * decay;
        if (l == 0)
            layers[l] += errors_[l];
        else
            multiply(errors_[l], As::is, input(layers, l), As::transposed, linalg::Target::add,
                     layers[l]);
    }
}

} // namespace assay::lindyn
