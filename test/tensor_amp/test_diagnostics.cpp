// Residuals against loops over all entries; the core against the definition with dense unfoldings.
#include "tensor_amp/normal.hpp"
#include "tensor_amp/scratch.hpp"
#include "tensor_amp/tensor_samples.hpp"

#include <assay/core/error.hpp>
#include <assay/tensor_amp/diagnostics.hpp>
#include <assay/tensor_amp/streamed_tensor_io.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <functional>

using namespace assay;
using namespace assay::tensor_amp;
using assay::tensor_amp::samples::indices;
using Catch::Matchers::Contains;

namespace {

VectorXd normal_vector(Index count, std::uint64_t stream) {
    return tensor_amp_test::normal(count, 1, 8, stream);
}

struct Problem {
    DenseTensor tensor;
    Factors factors;
    VectorXd fitted; // dense
};

Problem problem(const Shape& shape, Index rank, double noise, double mean) {
    Problem p;
    p.tensor.shape = shape;
    double count = 1;
    for (std::size_t a = 0; a < shape.size(); ++a) {
        p.factors.emplace_back(normal_vector(shape[a] * rank, a).reshaped(shape[a], rank));
        count *= static_cast<double>(shape[a]);
    }
    const auto order = static_cast<double>(shape.size());
    const double scale = std::pow(count, -(order - 1) / order / 2);
    p.fitted = VectorXd::Zero(static_cast<Index>(count));
    for (Index flat = 0; flat < p.fitted.size(); ++flat) {
        const auto index = indices(flat, shape);
        for (Index rho = 0; rho < rank; ++rho) {
            double product = scale;
            for (std::size_t a = 0; a < shape.size(); ++a) product *= p.factors[a](index[a], rho);
            p.fitted(flat) += product;
        }
    }
    p.tensor.values = p.fitted + noise * normal_vector(p.fitted.size(), 40);
    p.tensor.values.array() += mean;
    return p;
}

// The core by definition: every entry of Y times rows of the pseudo-inverses of balanced factors.
double core_consistency_by_loops(const Problem& p, const VectorXd& values) {
    const auto order = p.tensor.shape.size();
    const Index rank = p.factors[0].cols();
    const double scale =
        std::pow(static_cast<double>(values.size()),
                 -(static_cast<double>(order) - 1) / static_cast<double>(order) / 2);
    Factors columns = p.factors;
    for (Index rho = 0; rho < rank; ++rho) {
        double weight = scale;
        for (const auto& x : p.factors) weight *= x.col(rho).norm();
        for (auto& x : columns)
            x.col(rho) *= std::pow(weight, 1 / static_cast<double>(order)) / x.col(rho).norm();
    }
    std::vector<MatrixXd> inverse;
    for (const auto& x : columns)
        inverse.emplace_back(x.completeOrthogonalDecomposition().pseudoInverse());
    double distance = 0;
    const auto cores = static_cast<Index>(std::llround(std::pow(rank, order)));
    for (Index c = 0; c < cores; ++c) {
        const auto component = indices(c, Shape(order, rank));
        double g = 0;
        bool diagonal = true;
        for (const Index rho : component) diagonal = diagonal && rho == component[0];
        for (Index flat = 0; flat < values.size(); ++flat) {
            const auto index = indices(flat, p.tensor.shape);
            double product = values(flat);
            for (std::size_t a = 0; a < order; ++a) product *= inverse[a](component[a], index[a]);
            g += product;
        }
        distance += std::pow(g - (diagonal ? 1 : 0), 2);
    }
    return 100 * (1 - distance / static_cast<double>(rank));
}

Diagnosis diagnosed(const Problem& p, int threads = 1) {
    Execution run;
    run.threads = threads;
    return diagnose(p.tensor, p.factors, run);
}

} // namespace

TEST_CASE("core consistency by its definition", "[tensor_amp]") {
    const Shape shape =
        GENERATE(Shape{8, 6}, Shape{70, 5, 4}, Shape{5, 4, 3, 6}, Shape{3, 4, 3, 4, 5});
    const Index rank = GENERATE(1, 2, 3);
    const Problem p = problem(shape, rank, 0.3, 0.1);
    const Diagnosis d = diagnosed(p);
    REQUIRE(d.core_consistency);
    const double expected = core_consistency_by_loops(p, p.tensor.values);
    CHECK(*d.core_consistency == Approx(expected).epsilon(1e-9).margin(1e-9));
    CHECK(diagnosed(p, 5).core_consistency == d.core_consistency);
}

TEST_CASE("core consistency of the truth, and of unobserved entries", "[tensor_amp]") {
    Problem p = problem({9, 8, 7}, 3, 0, 0);
    CHECK(*diagnosed(p).core_consistency == Approx(100).epsilon(1e-12));
    CHECK(diagnosed(p).explained_variance == Approx(1).epsilon(1e-13));
    // Unobserved entries count as fitted.
    p = problem({9, 8, 7}, 2, 0.4, 0);
    p.tensor.observed.assign(504, 1);
    VectorXd filled = p.tensor.values;
    for (Index i = 0; i < 504; i += 3) {
        p.tensor.observed[static_cast<std::size_t>(i)] = 0;
        p.tensor.values(i) = std::nan("");
        filled(i) = p.fitted(i);
    }
    CHECK(*diagnosed(p).core_consistency ==
          Approx(core_consistency_by_loops(p, filled)).epsilon(1e-9));
    // Equal components: pseudo-inverses of rank 1 spread the tensor over all of the core.
    p = problem({9, 8, 7}, 2, 0, 0);
    for (MatrixXd& factor : p.factors) factor.col(1) = factor.col(0);
    p.fitted.setZero();
    CHECK(*diagnosed(p).core_consistency ==
          Approx(core_consistency_by_loops(p, p.tensor.values)).epsilon(1e-8));
    // A component of zeros has no core.
    p = problem({9, 8, 7}, 2, 0, 0);
    for (MatrixXd& factor : p.factors) factor.col(1).setZero();
    CHECK(std::isfinite(*diagnosed(p).core_consistency));
    CHECK(diagnosed(problem({12, 11, 10}, 101, 0, 0)).core_consistency == std::nullopt);
}

TEST_CASE("residuals by slices", "[tensor_amp]") {
    const double mean = GENERATE(0.0, 1e5);
    Problem p = problem({70, 6, 9}, 2, 0.5, mean);
    const bool holes = GENERATE(false, true);
    if (holes) {
        p.tensor.observed.assign(static_cast<std::size_t>(p.fitted.size()), 1);
        for (Index i = 0; i < p.fitted.size(); ++i)
            if (i % 7 == 2 || i / 54 == 5) {
                p.tensor.observed[static_cast<std::size_t>(i)] = 0;
                p.tensor.values(i) = std::nan("");
            }
    }
    const Diagnosis d = diagnosed(p);
    double total = 0, count = 0;
    std::vector<VectorXd> residual, data, seen;
    for (const Index n : p.tensor.shape) {
        residual.emplace_back(VectorXd::Zero(n));
        data.emplace_back(VectorXd::Zero(n));
        seen.emplace_back(VectorXd::Zero(n));
    }
    const auto observed = [&](Index i) {
        return !holes || p.tensor.observed[static_cast<std::size_t>(i)] == 1;
    };
    for (Index i = 0; i < p.fitted.size(); ++i)
        if (observed(i)) {
            total += p.tensor.values(i);
            ++count;
        }
    double squares = 0, spread = 0;
    for (Index i = 0; i < p.fitted.size(); ++i) {
        if (!observed(i)) continue;
        const double r = std::pow(p.tensor.values(i) - p.fitted(i), 2),
                     y = std::pow(p.tensor.values(i) - total / count, 2);
        squares += r;
        spread += y;
        const auto index = indices(i, p.tensor.shape);
        for (std::size_t a = 0; a < 3; ++a) {
            residual[a](index[a]) += r;
            data[a](index[a]) += y;
            seen[a](index[a]) += 1;
        }
    }
    CHECK(d.observed == count);
    CHECK(d.residual_variance == Approx(squares / count).epsilon(1e-10));
    CHECK(d.explained_variance == Approx(1 - squares / spread).epsilon(1e-9));
    CHECK_FALSE(d.constant);
    for (std::size_t a = 0; a < 3; ++a)
        for (Index i = 0; i < p.tensor.shape[a]; ++i) {
            REQUIRE(d.slices[a].count(i) == seen[a](i));
            if (seen[a](i) == 0) {
                CHECK(std::isnan(d.slices[a].variance(i)));
                continue;
            }
            REQUIRE(d.slices[a].variance(i) == Approx(residual[a](i) / seen[a](i)).epsilon(1e-9));
            REQUIRE(d.slices[a].data(i) == Approx(data[a](i) / seen[a](i)).epsilon(1e-8));
        }
}

TEST_CASE("shares of the components", "[tensor_amp]") {
    const Problem both = problem({6, 7, 8}, 2, 0, 0);
    Factors first = both.factors, second = both.factors;
    VectorXd alone = VectorXd::Zero(both.fitted.size());
    for (Index i = 0; i < alone.size(); ++i) {
        const auto index = indices(i, both.tensor.shape);
        alone(i) = std::pow(336.0, -1.0 / 3);
        for (std::size_t a = 0; a < 3; ++a) alone(i) *= both.factors[a](index[a], 1);
    }
    const Diagnosis d = diagnosed(both);
    CHECK(d.share.sum() == Approx(1).epsilon(1e-13));
    CHECK(d.share(1) == Approx(alone.dot(both.fitted) / both.fitted.squaredNorm()).epsilon(1e-11));
}

TEST_CASE("a constant tensor explains nothing", "[tensor_amp]") {
    Problem p = problem({5, 4, 3}, 1, 0, 0);
    p.tensor.values.setConstant(0.1);
    CHECK(diagnosed(p).constant);
    CHECK(diagnosed(p).explained_variance == 0);
    p.tensor.values.setZero();
    CHECK(diagnosed(p).constant);
    p.tensor.values(3) = 1e-3;
    CHECK_FALSE(diagnosed(p).constant);
    p.factors[1].conservativeResize(3, 1);
    CHECK_THROWS_WITH(diagnosed(p), Contains("do not fit the shape"));
}

TEST_CASE("means that were taken off before", "[tensor_amp]") {
    const Problem p = problem({5, 4, 3}, 1, 0.1, 0);
    const Diagnosis plain = diagnosed(p);
    const auto with = [&](const std::function<double(const std::vector<Index>&)>& mean,
                          const Center& center) {
        DenseTensor tensor = p.tensor;
        for (Index i = 0; i < 60; ++i) tensor.values(i) += mean(indices(i, p.tensor.shape));
        return diagnose(tensor, p.factors, {}, center);
    };
    for (const Index mode : {0, 1, 2}) {
        const Index n = p.tensor.shape[static_cast<std::size_t>(mode)];
        const Diagnosis d = with(
            [&](const auto& i) {
                return 1.0 + static_cast<double>(i[static_cast<std::size_t>(mode)]);
            },
            {VectorXd::LinSpaced(n, 1, static_cast<double>(n)), mode});
        CHECK(d.explained_variance == Approx(plain.explained_variance).epsilon(1e-11));
        CHECK(*d.core_consistency == Approx(*plain.core_consistency).epsilon(1e-10));
    }
    CHECK(with([](const auto&) { return 3.0; }, {VectorXd::Constant(1, 3), -1}).residual_variance ==
          Approx(plain.residual_variance).epsilon(1e-11));
    for (const Index mode : {-1, 2, 3})
        CHECK_THROWS_WITH(diagnose(p.tensor, p.factors, {}, {VectorXd::Ones(4), mode}),
                          Contains("do not fit their shape"));
}

TEST_CASE("entries with repeated indices are no part of a symmetric tensor", "[tensor_amp]") {
    for (const Index order : {2, 3, 4}) {
        Problem p = problem(Shape(static_cast<std::size_t>(order), 5), 2, 0.4, 3);
        DiagnosisSettings settings;
        settings.symmetric = true;
        const Diagnosis symmetric = diagnose(p.tensor, p.factors, {}, {}, settings);
        double entries = 1;
        for (Index k = 0; k < order; ++k) entries *= static_cast<double>(5 - k);
        CHECK(symmetric.observed == entries);
        // The same entries under a mask.
        p.tensor.observed.assign(static_cast<std::size_t>(p.tensor.values.size()), 1);
        for (Index i = 0; i < p.tensor.values.size(); ++i) {
            std::vector<Index> index = indices(i, p.tensor.shape);
            std::sort(index.begin(), index.end());
            if (std::adjacent_find(index.begin(), index.end()) != index.end())
                p.tensor.observed[static_cast<std::size_t>(i)] = 0;
        }
        const Diagnosis masked = diagnosed(p);
        CHECK(symmetric.explained_variance == Approx(masked.explained_variance).epsilon(1e-12));
        CHECK(symmetric.residual_variance == masked.residual_variance);
        CHECK(symmetric.core_consistency == masked.core_consistency);
    }
}

TEST_CASE("the core is formed where it is asked for", "[tensor_amp]") {
    const Problem p = problem({5, 4, 3}, 2, 0.1, 0);
    const Diagnosis plain = diagnose(p.tensor, p.factors, {}, {}, {false, false});
    CHECK_FALSE(plain.core_consistency);
    CHECK(plain.explained_variance == diagnosed(p).explained_variance);
}

TEST_CASE("a tensor that is streamed has the same diagnosis", "[tensor_amp]") {
    Problem p = problem({700, 6, 9}, 2, 0.5, 10);
    p.tensor.observed.assign(static_cast<std::size_t>(p.fitted.size()), 1);
    for (std::size_t i = 0; i < 700; i += 3) p.tensor.observed[i] = 0;
    const tensor_amp_test::ScratchFile file;
    file.write([&](const hdf5::Group& root) {
        write_tensor(root, {p.tensor, {}, ""}, TensorPrecision::float64);
    });
    const hdf5::Group root = file.root();
    const Diagnosis whole = diagnosed(p);
    for (const std::int64_t memory : {63000, 130000, 10000000}) {
        StreamedTensorSettings settings;
        settings.memory_bytes = memory;
        const StreamedTensor source(root.dataset("/data/tensor"), root.dataset("/data/mask"),
                                    settings);
        const Diagnosis d = diagnose(source, p.factors, {});
        CHECK(source.passes() == 1);
        CHECK(d.core_consistency == whole.core_consistency);
        CHECK(d.explained_variance == whole.explained_variance);
        for (std::size_t a = 0; a < 3; ++a) CHECK(d.slices[a].variance == whole.slices[a].variance);
    }
    const MemoryTensor narrow(p.tensor, Storage::float32);
    CHECK(diagnose(narrow, p.factors, {}).explained_variance ==
          Approx(whole.explained_variance).epsilon(1e-4));
}

TEST_CASE("Explained variance alone is that of the diagnosis", "[tensor_amp]") {
    for (const double mean : {0.0, 1e4}) {
        Problem p = problem({40, 9, 13}, 3, 0.2, mean);
        const auto both = [&](const DenseTensor& tensor, bool symmetric) {
            const MemoryTensor source(tensor);
            const double whole =
                diagnose(source, p.factors, {}, {}, {false, symmetric}).explained_variance;
            CHECK(explained_variance(source, p.factors, {}, symmetric) ==
                  Approx(whole).epsilon(1e-11).margin(1e-11));
            return whole;
        };
        if (mean == 0)
            CHECK(both(p.tensor, false) > 0.1);
        else
            CHECK(both(p.tensor, false) < -1e4);
        p.tensor.observed.assign(static_cast<std::size_t>(p.tensor.values.size()), 1);
        for (std::size_t e = 0; e < 100; ++e) p.tensor.observed[e] = 0;
        both(p.tensor, false);
        p.tensor.values.setConstant(mean + 1);
        CHECK(both(p.tensor, false) == 0);
        CHECK(explained_variance(MemoryTensor(p.tensor), p.factors, {}) == 0);
    }
    Problem cube = problem({8, 8, 8}, 2, 0.1, 5);
    const MemoryTensor source(cube.tensor);
    CHECK(explained_variance(source, cube.factors, {}, true) ==
          Approx(diagnose(source, cube.factors, {}, {}, {false, true}).explained_variance)
              .epsilon(1e-11));
}
