// The families whose points are written down or found once: product, relu-line, rotation, roll.
#include <assay/fixedpoints/synth.hpp>

#include <assay/fixedpoints/synth_parts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::fixedpoints {
namespace {

// ---- product ----------------------------------------------------------------------------------

// The positive root of a = tanh(w a), w > 1. Newton from above, where a - tanh(w a) is convex.
double bistable_level(double w) {
    double a = 1;
    for (int i = 0; i < 100; ++i) {
        const double y = std::tanh(w * a);
        const double next = a - (a - y) / (1 - w * (1 - y * y));
        if (!(next < a)) break;
        a = next;
    }
    return a;
}

std::vector<double> product_gains(const ProductSettings& settings) {
    const std::vector<double> given =
        settings.gains.empty() ? std::vector<double>{2.0, 1.6, 1.3} : settings.gains;
    const auto bits = static_cast<std::size_t>(settings.bits);
    if (!settings.gains.empty() && given.size() != 1 && given.size() != bits)
        throw Error(concat("synth: ", given.size(), " gains for ", bits,
                           " bits: one, or one a bit is expected"));
    std::vector<double> gains;
    for (std::size_t i = 0; i < bits; ++i) {
        gains.push_back(given[i % given.size()]);
        check_setting(gains.back() > 1 && std::isfinite(gains.back()), "gain", gains.back(),
                      "above 1 and finite");
    }
    return gains;
}

struct Product {
    std::vector<double> gains, levels;
    std::vector<std::size_t> source; // bit that a pad copies
    std::vector<double> weight;      // with which
    std::vector<std::int64_t> place; // of unit k (bits, then pads) in the state
    [[nodiscard]] std::size_t bits() const { return gains.size(); }
    [[nodiscard]] Index units() const { return static_cast<Index>(place.size()); }
};

Product describe_product(const ProductSettings& settings) {
    const Random random(settings.seed, "fixedpoints/synth/product");
    Product product;
    product.gains = product_gains(settings);
    for (const double gain : product.gains) product.levels.push_back(bistable_level(gain));
    for (Index j = 0; j < settings.pad; ++j) {
        const auto index = static_cast<std::uint64_t>(j);
        product.source.push_back(static_cast<std::size_t>(j % settings.bits));
        product.weight.push_back((random.uniform(index, {0, 0, 0}) < 0.5 ? -1 : 1) *
                                 (0.5 + random.uniform(index, {1, 0, 0})));
    }
    product.place = random.permutation(settings.bits + settings.pad, {2, 0, 0});
    return product;
}

CellParts product_parts(const Product& product) {
    const auto bits = static_cast<Index>(product.bits());
    const Index units = product.units();
    CellParts parts{rnn_cell("tanh"), RowMatrix::Zero(units, bits), RowMatrix::Zero(units, units),
                    Vector::Zero(units), RowMatrix::Zero(bits, units)};
    for (std::size_t k = 0; k < product.place.size(); ++k) {
        const Index at = product.place[k];
        if (k < product.bits()) {
            const auto bit = static_cast<Index>(k);
            parts.recurrent(at, at) = product.gains[k];
            // A pulse outweighs the unit's own w_i a_i.
            parts.kernel(at, bit) = 2 * product.gains[k];
            parts.readout(bit, at) = 1 / product.levels[k];
        } else {
            const std::size_t pad = k - product.bits();
            parts.recurrent(at, product.place[product.source[pad]]) = product.weight[pad];
        }
    }
    return parts;
}

TruePoint product_point(const Product& product, const std::vector<int>& signs) {
    TruePoint point{Vector(product.units()), {}, Vector(static_cast<Index>(signs.size()))};
    for (std::size_t k = 0; k < product.place.size(); ++k) {
        double& h = point.state[product.place[k]];
        if (k < product.bits()) {
            h = signs[k] * product.levels[k];
            point.eigenvalues.emplace_back(product.gains[k] * (1 - h * h));
            point.coordinates[static_cast<Index>(k)] = signs[k];
        } else {
            const std::size_t pad = k - product.bits(), bit = product.source[pad];
            h = std::tanh(product.weight[pad] * signs[bit] * product.levels[bit]);
            point.eigenvalues.emplace_back(0);
        }
    }
    point.eigenvalues = ordered(std::move(point.eigenvalues));
    return point;
}

// Which point has these signs: digits of base 3, -1 first.
Index product_code(const RowMatrix& coordinates, Index row) {
    Index code = 0;
    for (Index k = 0; k < coordinates.cols(); ++k)
        code = 3 * code + static_cast<Index>(coordinates(row, k)) + 1;
    return code;
}

// The face lattice of a cube: from every point to those with one 0 fewer.
std::vector<TrueEdge> face_lattice(const SyntheticTruth& truth) {
    const Index count = truth.state.rows(), bits = truth.coordinates.cols();
    std::vector<Index> row_of(static_cast<std::size_t>(count));
    for (Index p = 0; p < count; ++p)
        row_of[static_cast<std::size_t>(product_code(truth.coordinates, p))] = p;
    std::vector<TrueEdge> edges;
    for (Index p = 0; p < count; ++p) {
        const Index code = product_code(truth.coordinates, p);
        const auto kind = truth.n_unstable[static_cast<std::size_t>(p)] == 1
                              ? TrueEdge::Kind::to_attractor
                              : TrueEdge::Kind::heteroclinic;
        Index power = 1;
        for (Index k = bits - 1; k >= 0; --k, power *= 3)
            for (const Index side : {-power, power})
                if (truth.coordinates(p, k) == 0)
                    edges.push_back({p, row_of[static_cast<std::size_t>(code + side)], kind});
    }
    return edges;
}

// Points, eigenvalues (of the list and of the arrays) and 2 bits 3^(bits - 1) edges.
double product_bytes(const ProductSettings& settings) {
    const auto bits = static_cast<double>(settings.bits);
    const double units = bits + static_cast<double>(settings.pad);
    const double points = std::pow(3.0, bits);
    return points * (2 * 24 * units + 16 * bits + 128 + 16 * bits) + 8 * units * units;
}

} // namespace

Synthetic make_product(const ProductSettings& settings, double memory) {
    check_setting(settings.bits >= 1, "bits", static_cast<double>(settings.bits), ">= 1");
    check_setting(settings.pad >= 0, "pad", static_cast<double>(settings.pad), ">= 0");
    check_memory(product_bytes(settings), memory, concat("the 3^", settings.bits, " points"));
    const Product product = describe_product(settings);
    std::vector<TruePoint> points;
    std::vector<int> signs(product.bits(), -1);
    for (bool more = true; more;) {
        points.push_back(product_point(product, signs));
        // The next number of base 3.
        auto digit = signs.begin();
        for (; digit != signs.end() && *digit == 1; ++digit) *digit = -1;
        more = digit != signs.end();
        if (more) ++*digit;
    }
    Synthetic made;
    made.model = model_of(product_parts(product));
    complete_points(std::move(points), made.truth);
    made.truth.edges = face_lattice(made.truth);
    return made;
}

// ---- relu-line --------------------------------------------------------------------------------

namespace {

struct LineBlock {
    Vector right, left; // r > 0 of norm 1, l with l^T r = 1
    Matrix stable;      // P B P
};

LineBlock line_block(const ReluLineSettings& settings, const std::vector<double>& decays,
                     std::uint64_t number) {
    const Index n = settings.units;
    const Random random(settings.seed, "fixedpoints/synth/relu-line");
    LineBlock block{Vector(n), Vector(n), {}};
    for (Index i = 0; i < n; ++i) {
        const auto index = static_cast<std::uint64_t>(i);
        block.right[i] = 0.5 + random.uniform(index, {number, 0, 0});
        block.left[i] = random.normal(index, {number, 1, 0});
    }
    block.right.normalize();
    // A direction at right angles to r; l^T r = 1 for any length of it.
    const Vector across = block.left - block.right.dot(block.left) * block.right;
    block.left = block.right + settings.tilt * across.normalized();
    // On V = [r, U] with U^T l = 0 the block is diag(1, decays); the rows of V^-1 are l and U^T P.
    const Matrix basis =
        Eigen::HouseholderQR<Matrix>(block.left).householderQ() * Matrix::Identity(n, n);
    const Matrix others = basis.rightCols(n - 1);
    const Matrix projected =
        others.transpose() - (others.transpose() * block.right) * block.left.transpose();
    block.stable = others * Eigen::Map<const Vector>(decays.data(), n - 1).asDiagonal() * projected;
    return block;
}

std::vector<double> equally_falling(double largest, Index count) {
    std::vector<double> values;
    for (Index k = 0; k < count; ++k)
        values.push_back(largest * static_cast<double>(count - k) / static_cast<double>(count));
    return values;
}

void check_line(const ReluLineSettings& s, double memory) {
    check_setting(s.units >= 2, "units", static_cast<double>(s.units), ">= 2");
    check_setting(s.decay >= 0 && s.decay < 1, "decay", s.decay, "in [0, 1)");
    check_setting(s.tilt >= 0 && std::isfinite(s.tilt), "tilt", s.tilt, ">= 0");
    check_setting(s.points >= 1, "points", static_cast<double>(s.points), ">= 1");
    check_setting(s.extent > 0 && std::isfinite(s.extent), "extent", s.extent, "above 0");
    const auto units = static_cast<double>(s.units), points = static_cast<double>(s.points);
    check_memory(8 * (12 * units * units + 16 * units * points), memory,
                 concat("two blocks of ", s.units, " units, ", s.points, " points a side,"));
}

} // namespace

Synthetic make_relu_line(const ReluLineSettings& settings, double memory) {
    check_line(settings, memory);
    const Index n = settings.units, size = 2 * n;
    const std::vector<double> decays = equally_falling(settings.decay, n - 1);
    const std::array<LineBlock, 2> blocks{line_block(settings, decays, 0),
                                          line_block(settings, decays, 1)};
    Vector right(size), left(size);
    right << blocks[0].right, -blocks[1].right;
    left << blocks[0].left, -blocks[1].left;
    CellParts parts{rnn_cell("relu"), right, right * left.transpose(), Vector::Zero(size),
                    left.transpose()};
    parts.recurrent.topLeftCorner(n, n) += blocks[0].stable;
    parts.recurrent.bottomRightCorner(n, n) += blocks[1].stable;

    std::vector<Complex> eigenvalues{1.0};
    eigenvalues.insert(eigenvalues.end(), decays.begin(), decays.end());
    eigenvalues.resize(static_cast<std::size_t>(size), 0.0);
    std::vector<TruePoint> points;
    for (Index k = -settings.points; k <= settings.points; ++k) {
        if (k == 0) continue; // a kink
        const double c =
            settings.extent * static_cast<double>(k) / static_cast<double>(settings.points);
        TruePoint point{Vector::Zero(size), eigenvalues, Vector::Constant(1, c)};
        if (c > 0)
            point.state.head(n) = c * blocks[0].right;
        else
            point.state.tail(n) = -c * blocks[1].right;
        points.push_back(std::move(point));
    }
    order_points(points);
    Synthetic made;
    made.model = model_of(parts);
    write_true_points(points, made.truth);
    made.truth.line_left = left;
    made.truth.line_direction.setZero(made.truth.state.rows(), size);
    for (Index p = 0; p < made.truth.state.rows(); ++p) {
        const Index first = made.truth.coordinates(p, 0) > 0 ? 0 : n;
        made.truth.line_direction.row(p).segment(first, n) = right.segment(first, n).transpose();
    }
    return made;
}

// ---- rotation ---------------------------------------------------------------------------------

namespace {

// Other points than the origin: with g(h) = artanh(h) / h they obey (g(h1) - rho cos)(g(h2) - rho
// cos) = -(rho sin)^2, so one coordinate a has g(a) < rho cos. By symmetry it is the first and
// positive; then the other is a (rho cos - g(a)) / (rho sin), and what is left of the second
// equation changes its sign at a point.
bool rests_off_origin(double rho, double theta) {
    constexpr int kSamples = 100000;
    const double along = rho * std::cos(theta), across = rho * std::abs(std::sin(theta));
    for (int k = 1; k < kSamples; ++k) {
        const double a = static_cast<double>(k) / kSamples;
        const double other = (along * a - std::atanh(a)) / across;
        if (other <= 0) break;
        if (other >= 1 || std::atanh(other) >= across * a + along * other) return true;
    }
    return false;
}

} // namespace

Synthetic make_rotation(const RotationSettings& settings) {
    const double rho = settings.rho, theta = settings.theta;
    check_setting(rho > 0 && std::isfinite(rho), "rho", rho, "above 0");
    check_setting(std::isfinite(theta) && std::abs(std::sin(theta)) > 1e-12, "theta", theta,
                  "no multiple of pi");
    if (rests_off_origin(rho, theta))
        throw Error("synth: rho " + shortest(rho) + " with theta " + shortest(theta) +
                    ": the network has points besides the origin; a larger angle is expected");
    const double along = rho * std::cos(theta), across = rho * std::sin(theta);
    CellParts parts{rnn_cell("tanh"), RowMatrix(2, 1), RowMatrix(2, 2), Vector::Zero(2),
                    RowMatrix(1, 2)};
    parts.kernel << 1, 0;
    parts.recurrent << along, -across, across, along;
    parts.readout << 1, 0;
    Synthetic made;
    made.model = model_of(parts);
    complete_points({{Vector::Zero(2), ordered({{along, across}, {along, -across}}), Vector(0)}},
                    made.truth);
    return made;
}

// ---- roll -------------------------------------------------------------------------------------

namespace {

// The points of h = tanh(W h) that Newton's method reaches from a grid of 9 values a unit.
std::vector<Vector> roots_from_grid(const Matrix& weights) {
    constexpr Index kGrid = 9;
    const Index n = weights.rows();
    std::vector<Vector> roots;
    const auto starts = static_cast<Index>(std::llround(std::pow(kGrid, n)));
    for (Index start = 0; start < starts; ++start) {
        Vector h(n);
        Index digits = start;
        for (Index i = 0; i < n; ++i, digits /= kGrid)
            h[i] = 2 * static_cast<double>(digits % kGrid) / (kGrid - 1) - 1;
        double change = 1;
        for (int i = 0; i < 50 && change > 1e-16 && std::isfinite(change); ++i) {
            const Vector next = (weights * h).array().tanh();
            const Matrix slope = Matrix::Identity(n, n) -
                                 (1 - next.array().square()).matrix().asDiagonal() * weights;
            const Vector step = slope.partialPivLu().solve(next - h);
            h += step;
            change = step.cwiseAbs().maxCoeff();
        }
        const Vector image = (weights * h).array().tanh();
        const bool rests = (image - h).cwiseAbs().maxCoeff() < 1e-15;
        if (rests && std::none_of(roots.begin(), roots.end(),
                                  [&](const Vector& root) { return (root - h).norm() < 1e-6; }))
            roots.push_back(h);
    }
    return roots;
}

// J = D W with D = 1 - h^2 > 0 has the eigenvalues of the symmetric D^1/2 W D^1/2.
std::vector<Complex> symmetric_eigenvalues(const Matrix& weights, const Vector& h) {
    const Vector root = (1 - h.array().square()).sqrt();
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(
        Matrix(root.asDiagonal() * weights * root.asDiagonal()), Eigen::EigenvaluesOnly);
    const Vector values = solver.eigenvalues();
    return ordered({values.data(), values.data() + values.size()});
}

} // namespace

Synthetic make_roll(Index n) {
    check_setting(n >= 2 && n <= 4, "n", static_cast<double>(n), "2, 3 or 4");
    RowMatrix weights(n, n);
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j)
            weights(i, j) = 1 - 2 * static_cast<double>((i + j) % n) / static_cast<double>(n - 1);
    std::vector<TruePoint> points;
    for (const Vector& h : roots_from_grid(weights))
        points.push_back({h, symmetric_eigenvalues(weights, h), Vector(0)});
    Synthetic made;
    made.model = model_of({rnn_cell("tanh"), RowMatrix::Identity(n, n), weights, Vector::Zero(n),
                           RowMatrix::Identity(n, n)});
    complete_points(std::move(points), made.truth);
    return made;
}

} // namespace assay::fixedpoints
