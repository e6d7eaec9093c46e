// Networks that are drawn: linear systems of prescribed modes, and random ones of any cell.
#include <assay/fixedpoints/synth.hpp>

#include <assay/fixedpoints/synth_parts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network.hpp>

#include <nlohmann/json.hpp>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::fixedpoints {
namespace {

constexpr double kSmallestGap = 1e-9;     // of an eigenvalue from 1
constexpr double kLargestShear = 1 << 20; // s of V = Q (I + s U)

// ---- linear -----------------------------------------------------------------------------------

// A real eigenvalue, or a pair, as a diagonal block of the real form.
struct ModeBlock {
    Complex value; // imaginary part >= 0
    Index first = 0;
    [[nodiscard]] Index width() const { return value.imag() > 0 ? 2 : 1; }
};

std::vector<ModeBlock> mode_blocks(const std::vector<Complex>& eigenvalues) {
    if (eigenvalues.empty()) throw Error("synth: no eigenvalues: at least one is expected");
    std::vector<ModeBlock> blocks;
    Index size = 0;
    for (const Complex& value : eigenvalues) {
        const std::string text = concat("synth: eigenvalue ", shortest(value.real()),
                                        value.imag() < 0 ? "" : "+", shortest(value.imag()), "i: ");
        if (!std::isfinite(value.real()) || !std::isfinite(value.imag()))
            throw Error(text + "finite numbers are expected");
        if (value.imag() < 0)
            throw Error(text + "imaginary part >= 0 is expected, which stands for the pair");
        if (std::abs(1.0 - value) < kSmallestGap)
            throw Error(text + "with an eigenvalue 1 there is no single point");
        blocks.push_back({value, size});
        size += blocks.back().width();
    }
    return blocks;
}

Index size_of(const std::vector<ModeBlock>& blocks) {
    return blocks.back().first + blocks.back().width();
}

// Columns v1, v2 of a pair's basis make the eigenvector v1 + i v2 of a + i b.
Matrix real_form(const std::vector<ModeBlock>& blocks) {
    const Index size = size_of(blocks);
    Matrix form = Matrix::Zero(size, size);
    for (const ModeBlock& block : blocks) {
        const Index k = block.first;
        form(k, k) = block.value.real();
        if (block.width() == 1) continue;
        form(k + 1, k + 1) = block.value.real();
        form(k, k + 1) = block.value.imag();
        form(k + 1, k) = -block.value.imag();
    }
    return form;
}

// Entries above the diagonal blocks.
Matrix strictly_upper(Matrix matrix, const std::vector<ModeBlock>& blocks) {
    for (const ModeBlock& block : blocks)
        matrix.block(block.first, 0, block.width(), block.first + block.width()).setZero();
    return matrix;
}

// X Lambda X^-1 of the unit upper triangular X = I + s U.
Matrix sheared(const Matrix& form, const Matrix& upper, double shear) {
    Matrix x = shear * upper;
    x.diagonal().setOnes();
    Matrix product = x * form;
    x.triangularView<Eigen::UnitUpper>().solveInPlace<Eigen::OnTheRight>(product);
    return product;
}

// Henrici's departure from normality: the diagonal blocks are normal, so that it is the share of
// what stands above them.
double departure(const Matrix& form, const Matrix& matrix, const std::vector<ModeBlock>& blocks) {
    const double above = strictly_upper(matrix, blocks).norm();
    return above == 0 ? 0 : above / std::hypot(above, form.norm());
}

// The shear at which the departure is the one asked for; it begins at 0 and is continuous.
double shear_for(double henrici, const Matrix& form, const Matrix& upper,
                 const std::vector<ModeBlock>& blocks) {
    if (henrici == 0) return 0;
    const auto departure_at = [&](double shear) {
        return departure(form, sheared(form, upper, shear), blocks);
    };
    double low = 0, high = 1;
    while (!(departure_at(high) >= henrici)) {
        low = high;
        high *= 2;
        if (high > kLargestShear)
            throw Error("synth: henrici " + shortest(henrici) +
                        ": these eigenvalues do not reach it (equal ones are always normal)");
    }
    for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        if (middle <= low || middle >= high) break;
        (departure_at(middle) >= henrici ? high : low) = middle;
    }
    return high;
}

struct Mode {
    Complex value;
    ComplexVector right, left;
};

// Norm 1, largest entry real and positive.
Mode normalised(Mode mode) {
    Index largest = 0;
    mode.right.cwiseAbs().maxCoeff(&largest);
    const Complex entry = mode.right[largest];
    const Complex factor = std::conj(entry) / std::abs(entry) / mode.right.norm();
    mode.right *= factor;
    mode.left /= factor;
    return mode;
}

// Of V Lambda V^-1, ordered.
std::vector<Mode> modes_of(const std::vector<ModeBlock>& blocks, const Matrix& basis,
                           const Matrix& inverse) {
    const Complex i(0, 1);
    std::vector<Mode> modes;
    for (const ModeBlock& block : blocks) {
        const Index k = block.first;
        if (block.width() == 1) {
            modes.push_back(normalised(
                {block.value, basis.col(k).cast<Complex>(), inverse.row(k).cast<Complex>()}));
            continue;
        }
        const Mode mode = normalised({block.value, basis.col(k) + i * basis.col(k + 1),
                                      0.5 * (inverse.row(k) - i * inverse.row(k + 1)).transpose()});
        modes.push_back(mode);
        modes.push_back({std::conj(mode.value), mode.right.conjugate(), mode.left.conjugate()});
    }
    std::stable_sort(modes.begin(), modes.end(),
                     [](const Mode& a, const Mode& b) { return comes_before(a.value, b.value); });
    return modes;
}

void write_true_modes(const std::vector<Mode>& modes, const Vector& point, SyntheticTruth& truth) {
    const Index size = point.size();
    truth.right.resize(size, size);
    truth.left.resize(size, size);
    TruePoint only{point, {}, Vector(0)};
    for (Index a = 0; a < size; ++a) {
        const Mode& mode = modes[static_cast<std::size_t>(a)];
        truth.right.col(a) = mode.right;
        truth.left.row(a) = mode.left.transpose();
        only.eigenvalues.push_back(mode.value);
    }
    complete_points({only}, truth);
}

Matrix orthogonal_matrix(const Random& random, Index size, std::uint64_t stream) {
    const Matrix normal = normal_matrix(random, size, size, stream);
    return Eigen::HouseholderQR<Matrix>(normal).householderQ() * Matrix::Identity(size, size);
}

} // namespace

Synthetic make_linear(const LinearSettings& settings, double memory) {
    check_setting(settings.henrici >= 0 && settings.henrici < 1, "henrici", settings.henrici,
                  "in [0, 1)");
    const std::vector<ModeBlock> blocks = mode_blocks(settings.eigenvalues);
    const Index size = size_of(blocks);
    check_memory(8.0 * 24 * static_cast<double>(size) * static_cast<double>(size), memory,
                 concat("the modes of ", size, " units"));
    const Random random(settings.seed, "fixedpoints/synth/linear");
    const Matrix form = real_form(blocks);
    const Matrix upper =
        strictly_upper(normal_matrix(random, size, size, 0), blocks) / std::sqrt(size);
    const Matrix q = orthogonal_matrix(random, size, 1);
    const double shear = shear_for(settings.henrici, form, upper, blocks);
    Matrix x = shear * upper;
    x.diagonal().setOnes();
    const Matrix triangular = sheared(form, upper, shear);
    const Matrix weights = q * triangular * q.transpose();
    const Vector point = normal_matrix(random, size, 1, 2);
    const RowMatrix kernel = normal_matrix(random, size, 1, 3);

    Synthetic made;
    made.model =
        model_of({Json{{"type", "linear"}}.dump(), kernel / kernel.norm(), weights,
                  point - weights * point, RowMatrix::Identity(std::min<Index>(2, size), size)});
    const Matrix inverse = x.triangularView<Eigen::UnitUpper>().solve(Matrix(q.transpose()));
    write_true_modes(modes_of(blocks, q * x, inverse), point, made.truth);
    made.truth.henrici = departure(form, triangular, blocks);
    return made;
}

// ---- random -----------------------------------------------------------------------------------

namespace {

void check_random(const RandomNetworkSettings& s, double memory) {
    for (const auto& [name, value] :
         {std::pair{"units", s.units}, {"inputs", s.inputs}, {"outputs", s.outputs}})
        check_setting(value >= 1, name, static_cast<double>(value), ">= 1");
    check_setting(s.gain >= 0 && std::isfinite(s.gain), "gain", s.gain, ">= 0");
    const auto units = static_cast<double>(s.units), inputs = static_cast<double>(s.inputs);
    check_memory(3 * 8 * units * (4 * (units + inputs) + static_cast<double>(s.outputs)), memory,
                 concat("the weights of ", s.units, " units"));
}

} // namespace

Synthetic make_random_network(const RandomNetworkSettings& settings, double memory) {
    check_random(settings, memory);
    Json cell{{"type", settings.cell}};
    if (!settings.activation.empty()) cell["activation"] = settings.activation;
    if (settings.cell == "ctrnn") cell["alpha"] = settings.alpha;
    const network::Network<double> network(
        cell_architecture(cell.dump(), settings.units, settings.inputs, settings.outputs));
    network::Weights<double> weights{Vector::Zero(network.parameter_count()), Vector(0)};
    const Random random(settings.seed, "fixedpoints/synth/random");
    for (const network::ParameterEntry& entry : network.parameters()) {
        const bool recurrent = entry.info.role == network::Role::recurrent;
        if (!recurrent && entry.info.role != network::Role::weight) continue;
        const double sd =
            (recurrent ? settings.gain : 1.0) / std::sqrt(static_cast<double>(entry.info.fan_in));
        const StreamWords stream{purpose_key(entry.layer + "/" + entry.info.name), 0, 0};
        for (Index i = 0; i < entry.info.size(); ++i)
            weights.trained[entry.offset + i] =
                sd * random.normal(static_cast<std::uint64_t>(i), stream);
    }
    Synthetic made;
    made.model = network.store(weights);
    return made;
}

} // namespace assay::fixedpoints
