#include <assay/tensor_amp/spectral_start.hpp>

#include <assay/tensor_amp/als.hpp>
#include <assay/tensor_amp/tucker_core.hpp>

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>
#include <tensor_amp/tensor_samples.hpp>

#include <algorithm>
#include <numeric>

namespace {

using namespace assay;
using namespace assay::tensor_amp;
using namespace assay::tensor_amp::samples;

DenseTensor noisy(const Shape& shape, const Factors& factors, double noise_variance, double missing,
                  std::uint64_t seed) {
    DenseTensor tensor = random_tensor(shape, missing, seed);
    tensor.values = signal(shape, factors) + std::sqrt(noise_variance) * tensor.values;
    return tensor;
}

// The projector on the leading eigenvectors of the off-diagonal Gram matrix of an unfolding, all by
// loops and dense algebra.
MatrixXd dense_projector(const Shape& shape, const VectorXd& values, std::size_t mode,
                         Index count) {
    Index after = 1;
    for (std::size_t b = mode + 1; b < shape.size(); ++b) after *= shape[b];
    const Index length = shape[mode], before = values.size() / (length * after);
    MatrixXd unfolded(length, before * after);
    for (Index o = 0; o < before; ++o)
        for (Index i = 0; i < length; ++i)
            for (Index u = 0; u < after; ++u)
                unfolded(i, o * after + u) = values((o * length + i) * after + u);
    MatrixXd gram = unfolded * unfolded.transpose();
    gram.diagonal().setZero();
    const MatrixXd vectors =
        Eigen::SelfAdjointEigenSolver<MatrixXd>(gram).eigenvectors().rightCols(count);
    return vectors * vectors.transpose();
}

// Y x_m basis^T by loops, for the last of the modes that are not yet compressed.
VectorXd compress(Shape& shape, const VectorXd& values, std::size_t mode, const MatrixXd& basis) {
    Shape smaller = shape;
    smaller[mode] = basis.cols();
    VectorXd result = VectorXd::Zero(static_cast<Index>(entry_count(smaller)));
    for_each_entry(shape, [&](Index entry, const std::vector<Index>& index) {
        for (Index c = 0; c < basis.cols(); ++c) {
            Index at = 0;
            for (std::size_t b = 0; b < shape.size(); ++b)
                at = at * smaller[b] + (b == mode ? c : index[b]);
            result(at) += values(entry) * basis(index[mode], c);
        }
    });
    shape = smaller;
    return result;
}

} // namespace

TEST_CASE("The Tucker bases are eigenvectors of the unfoldings", "[tensor_amp]") {
    for (const Shape& shape :
         {Shape{14, 11, 17}, Shape{6, 7, 5, 8}, Shape{5, 9, 230}, Shape{310, 8, 9},
          Shape{6, 8, 1010}, Shape{1010, 6, 7}, Shape{20, 30}, Shape{1, 12, 2}})
        for (const Storage storage : {Storage::float64, Storage::float32}) {
            // The dense truth of long modes is dear.
            if (entry_count(shape) > 42000 && storage == Storage::float32) continue;
            const DenseTensor tensor = noisy(shape, random_factors(shape, 2, 1), 1e-3, 0, 2);
            const MemoryTensor source(tensor, storage);
            const double tolerance = storage == Storage::float64 ? 1e-5 : 1e-3;
            const TuckerCore found = tucker_core(source, 2, 3, with_threads(2));
            const TuckerCore again = tucker_core(source, 2, 3, with_threads(1));
            CHECK(found.bases == again.bases);
            CHECK(found.core.values == again.core.values);

            Shape left = shape;
            VectorXd values = tensor.values;
            const auto split = static_cast<std::size_t>(source.unfolded().left_modes);
            for (std::size_t a = split; a < shape.size(); ++a) {
                const MatrixXd projector = found.bases[a] * found.bases[a].transpose();
                CHECK((projector - dense_projector(shape, tensor.values, a, found.bases[a].cols()))
                          .norm() < tolerance);
            }
            for (std::size_t a = split; a < shape.size(); ++a)
                values = compress(left, values, a, found.bases[a]);
            for (std::size_t a = split; a-- > 0;) {
                INFO("mode " << a << " of " << shape.size() << ", length " << shape[a]);
                const MatrixXd projector = found.bases[a] * found.bases[a].transpose();
                CHECK((projector - dense_projector(left, values, a, found.bases[a].cols())).norm() <
                      tolerance);
                values = compress(left, values, a, found.bases[a]);
            }
            CHECK(left == found.core.shape);
            CHECK((values - found.core.values).norm() < tolerance * values.norm());
        }
}

TEST_CASE("The leading eigenvector has the overlap that theory gives", "[tensor_amp]") {
    // overlap^2 = 1 - (Delta / Delta_unf)^2 with Delta_unf = N^{1 - p/2} for factors of unit
    // variance, here standardised; fluctuations at N = 100 are about .03 for the mean of four.
    const Shape shape{100, 100, 100};
    double sum = 0;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        Factors truth = random_factors(shape, 1, 10 + seed);
        for (MatrixXd& x : truth) x *= 10 / x.norm();
        const MemoryTensor source(noisy(shape, truth, 0.05, 0, 20 + seed));
        const TuckerCore found = tucker_core(source, 1, seed, with_threads(2));
        sum += std::pow(found.bases[2].col(0).dot(truth[2].col(0)) / 10, 2) / 4;
    }
    CHECK(sum == Approx(0.75).margin(0.08));
}

TEST_CASE("The spectral start finds the components", "[tensor_amp]") {
    struct Case {
        Shape shape;
        Index rank;
        double noise_variance, missing;
        Storage storage;
    };
    for (const Case& c : {Case{{30, 40, 35}, 3, 0.01, 0, Storage::float64},
                          Case{{30, 40, 35}, 3, 0.01, 0.4, Storage::float64},
                          Case{{30, 40, 35}, 3, 0.01, 0, Storage::float32},
                          Case{{12, 14, 10, 16}, 2, 0.005, 0, Storage::float64},
                          Case{{2, 40, 50}, 2, 0.01, 0, Storage::float64}})
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
            const Factors truth = random_factors(c.shape, c.rank, 30 + seed);
            const DenseTensor tensor =
                noisy(c.shape, truth, c.noise_variance, c.missing, 40 + seed);
            const MemoryTensor source(tensor, c.storage);
            SpectralSettings settings;
            settings.rank = c.rank;
            settings.seed = seed;
            const SpectralStart start = spectral_start(source, settings, {}, with_threads(1));
            // Two random directions in a plane may be close to parallel: no fit tells them apart.
            if (c.shape[0] > 2) CHECK(component_similarity(start.factors, truth) > 0.8);
            // The residual is the noise: what the fit takes of it are the degrees of freedom.
            double seen = static_cast<double>(source.size()), freedom = 0;
            if (c.missing > 0) seen *= 1 - c.missing;
            for (const Index length : c.shape)
                freedom += static_cast<double>(c.rank * (length - 1));
            const double residual = std::pow(*start.relative_error, 2) * start.squared_norm;
            CHECK(residual / c.noise_variance == Approx(seen - freedom).epsilon(0.05));
        }
}

TEST_CASE("The start works where a slice was not observed", "[tensor_amp]") {
    const Shape shape{20, 15, 18};
    const Factors truth = random_factors(shape, 2, 50);
    DenseTensor tensor = noisy(shape, truth, 0.01, 0.2, 51);
    for_each_entry(shape, [&](Index entry, const std::vector<Index>& index) {
        if (index[1] == 4) tensor.observed[static_cast<std::size_t>(entry)] = 0;
    });
    SpectralSettings settings;
    settings.rank = 2;
    const SpectralStart start = spectral_start(MemoryTensor(tensor), settings, {}, with_threads(1));
    CHECK(start.factors[1].row(4).norm() == 0);
    CHECK(component_similarity(start.factors, truth) > 0.8);
}

TEST_CASE("Without polishing the start is rougher", "[tensor_amp]") {
    const Shape shape{25, 25, 25};
    const Factors truth = random_factors(shape, 2, 52);
    const MemoryTensor source(noisy(shape, truth, 0.02, 0, 53));
    SpectralSettings settings;
    settings.rank = 2;
    const auto passes = source.passes();
    const double polished =
        component_similarity(spectral_start(source, settings, {}, with_threads(1)).factors, truth);
    CHECK(source.passes() - passes <= 2 + 1 + 2 * settings.polish_sweeps);
    settings.polish_sweeps = 0;
    const SpectralStart rough = spectral_start(source, settings, {}, with_threads(1));
    CHECK_FALSE(rough.relative_error.has_value());
    CHECK(component_similarity(rough.factors, truth) > 0.5);
    CHECK(component_similarity(rough.factors, truth) < polished);
}

TEST_CASE("Means decide order and signs of components", "[tensor_amp]") {
    const Shape shape{6, 7, 8};
    const auto seed = GENERATE(range(54, 74));
    const Factors start = random_factors(shape, 3, static_cast<std::uint64_t>(seed));
    std::vector<VectorXd> means(3, VectorXd(3));
    means[0] << 0.8, 0.2, -0.3;
    means[1] << 0.6, -0.3, 0.1;
    means[2] << 0.7, 0.4, 0;
    const auto score = [&](const Factors& x) {
        double sum = 0;
        for (std::size_t a = 0; a < 3; ++a) sum += x[a].colwise().sum().dot(means[a].transpose());
        return sum;
    };
    // All orders and all flips in pairs.
    double best = -1e300;
    std::vector<Index> order{0, 1, 2};
    do {
        for (int flips = 0; flips < 64; ++flips) {
            Factors x = start;
            for (Index c = 0; c < 3; ++c) {
                const int two = flips >> (2 * c);
                const double signs[3] = {(two & 1) != 0 ? -1.0 : 1.0, (two & 2) != 0 ? -1.0 : 1.0,
                                         (two & 1) != (two >> 1 & 1) ? -1.0 : 1.0};
                for (std::size_t a = 0; a < 3; ++a)
                    x[a].col(c) = signs[a] * start[a].col(order[static_cast<std::size_t>(c)]);
            }
            best = std::max(best, score(x));
        }
    } while (std::next_permutation(order.begin(), order.end()));
    Factors matched = start;
    match_means(matched, means);
    CHECK(score(matched) == Approx(best).epsilon(1e-12));
    const VectorXd model = signal(shape, start);
    CHECK((signal(shape, matched) - model).norm() < 1e-12 * model.norm());
    for (VectorXd& mean : means) mean.setZero();
    Factors untouched = start;
    match_means(untouched, means);
    CHECK(untouched == start);
}
