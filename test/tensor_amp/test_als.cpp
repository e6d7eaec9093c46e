#include <assay/core/error.hpp>
#include <assay/tensor_amp/als.hpp>

#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/unit_form.hpp>

#include <Eigen/QR>
#include <catch2/catch.hpp>
#include <tensor_amp/tensor_samples.hpp>

namespace {

using namespace assay;
using namespace assay::tensor_amp;
using namespace assay::tensor_amp::samples;

DenseTensor noisy_tensor(const Shape& shape, const Factors& factors, double noise, double missing,
                         std::uint64_t seed) {
    DenseTensor tensor = random_tensor(shape, missing, seed);
    const VectorXd clean = signal(shape, factors);
    for (Index i = 0; i < clean.size(); ++i)
        tensor.values(i) = clean(i) + noise * tensor.values(i); // NaN stays
    return tensor;
}

bool seen(const DenseTensor& tensor, Index entry) {
    return tensor.observed.empty() || tensor.observed[static_cast<std::size_t>(entry)] != 0;
}

// |Y - W| / |Y| over observed entries, by forming W.
double error_by_loops(const DenseTensor& tensor, const Factors& factors) {
    const VectorXd model = signal(tensor.shape, factors);
    double residual = 0, norm = 0;
    for (Index i = 0; i < model.size(); ++i)
        if (seen(tensor, i)) {
            residual += std::pow(tensor.values(i) - model(i), 2);
            norm += std::pow(tensor.values(i), 2);
        }
    return std::sqrt(residual / norm);
}

// One sweep of dense least squares: each row of each mode by a QR decomposition of its own design
// matrix, over the observed entries of its slice; with a ridge on columns that have all the weight,
// the others being of unit norm.
Factors dense_sweep(const DenseTensor& tensor, Factors factors, double ridge) {
    const Index rank = factors.front().cols();
    for (std::size_t a = 0; a < factors.size(); ++a) {
        for (std::size_t b = 0; b < factors.size(); ++b)
            if (b != a) factors[b].colwise().normalize();
        MatrixXd solution(factors[a].rows(), rank);
        for (Index row = 0; row < solution.rows(); ++row) {
            std::vector<double> design, values;
            for_each_entry(tensor.shape, [&](Index entry, const std::vector<Index>& index) {
                if (index[a] != row || !seen(tensor, entry)) return;
                values.push_back(tensor.values(entry));
                for (Index c = 0; c < rank; ++c) {
                    double product = 1;
                    for (std::size_t b = 0; b < factors.size(); ++b)
                        if (b != a) product *= factors[b](index[b], c);
                    design.push_back(product);
                }
            });
            const auto count = static_cast<Index>(values.size());
            MatrixXd matrix = MatrixXd::Zero(count + rank, rank);
            matrix.topRows(count) =
                Eigen::Map<const MatrixXd>(design.data(), rank, count).transpose();
            matrix.bottomRows(rank) = std::sqrt(ridge) * MatrixXd::Identity(rank, rank);
            VectorXd right = VectorXd::Zero(count + rank);
            right.head(count) = Eigen::Map<const VectorXd>(values.data(), count);
            solution.row(row) = matrix.colPivHouseholderQr().solve(right).transpose();
        }
        factors[a] = solution;
    }
    factors.back() /= signal_scale(tensor.shape);
    return factors;
}

AlsSettings als_settings(Index rank) {
    AlsSettings settings;
    settings.rank = rank;
    return settings;
}

} // namespace

TEST_CASE("ALS recovers tensors without noise", "[tensor_amp]") {
    for (const Shape& shape : {Shape{12, 15, 9}, Shape{7, 6, 8, 5}}) {
        const Factors truth = random_factors(shape, 3, 1);
        const DenseTensor tensor = noisy_tensor(shape, truth, 0, 0, 2);
        AlsSettings settings = als_settings(3);
        settings.max_iterations = 1000;
        settings.tolerance = 1e-12;
        const AlsResult result = run_als(MemoryTensor(tensor), random_starts(shape, settings, 3, 5),
                                         settings, with_threads(1));
        CHECK(result.best_replicate().relative_error < 1e-6);
        CHECK(error_by_loops(tensor, result.best_replicate().factors) < 1e-6);
        CHECK(component_similarity(result.best_replicate().factors, truth) > 1 - 1e-6);
        // Balanced: entries of like size in all modes.
        const Factors& found = result.best_replicate().factors;
        for (Index c = 0; c < 3; ++c)
            for (std::size_t a = 1; a < shape.size(); ++a)
                CHECK(found[a].col(c).squaredNorm() / static_cast<double>(shape[a]) ==
                      Approx(found[0].col(c).squaredNorm() / static_cast<double>(shape[0])));
    }
}

TEST_CASE("One sweep of ALS solves the dense least squares", "[tensor_amp]") {
    for (const Shape& shape : {Shape{8, 5, 6}, Shape{4, 5, 3, 6}, Shape{9, 7}})
        for (const double missing : {0.0, 0.3})
            for (const double ridge : {0.0, 0.7}) {
                const DenseTensor tensor =
                    noisy_tensor(shape, random_factors(shape, 2, 4), 0.5, missing, 5);
                const Factors start = random_factors(shape, 2, 6);
                AlsSettings settings = als_settings(2);
                settings.max_iterations = 1;
                settings.ridge = ridge;
                const AlsReplicate found =
                    run_als(MemoryTensor(tensor), {start}, settings, with_threads(2))
                        .best_replicate();
                const Factors expected = dense_sweep(tensor, start, ridge);
                const VectorXd model = signal(shape, expected);
                CHECK((signal(shape, found.factors) - model).norm() < 1e-10 * model.norm());
                CHECK(found.relative_error ==
                      Approx(error_by_loops(tensor, found.factors)).epsilon(1e-10));
                CHECK(found.iterations() == 1);
                CHECK(found.status == AlsStatus::max_iterations);
            }
}

TEST_CASE("The objective of ALS never rises", "[tensor_amp]") {
    const Shape shape{14, 11, 9};
    const DenseTensor whole = noisy_tensor(shape, random_factors(shape, 3, 7), 1, 0, 8);
    const DenseTensor part = noisy_tensor(shape, random_factors(shape, 3, 7), 1, 0.4, 8);
    for (const DenseTensor& tensor : {whole, part})
        for (const bool nonnegative : {false, true})
            for (const bool line_search : {false, true}) {
                AlsSettings settings = als_settings(4);
                settings.max_iterations = 60;
                settings.tolerance = 0;
                settings.line_search = line_search;
                if (nonnegative) settings.nonnegative_modes = {0, 2};
                const auto all = run_als(MemoryTensor(tensor), random_starts(shape, settings, 9, 8),
                                         settings, with_threads(1));
                for (const AlsReplicate& found : all.replicates) {
                    CHECK(found.iterations() == 60);
                    for (std::size_t t = 1; t < found.relative_trace.size(); ++t)
                        CHECK(found.relative_trace[t] <= found.relative_trace[t - 1] + 1e-12);
                    CHECK(found.relative_error ==
                          Approx(error_by_loops(tensor, found.factors)).epsilon(1e-9));
                }
            }
}

TEST_CASE("Line search takes back what leads too far", "[tensor_amp]") {
    // Of noise alone: without the rejection three of these replicates rise, by up to 3e-7.
    for (const bool nonnegative : {false, true}) {
        const Shape shape = nonnegative ? Shape{6, 5, 4} : Shape{8, 8, 8};
        AlsSettings settings = als_settings(3);
        settings.tolerance = 0;
        settings.max_iterations = 300;
        if (nonnegative) settings.nonnegative_modes = {0, 1, 2};
        const auto all = run_als(MemoryTensor(random_tensor(shape, 0, 5)),
                                 random_starts(shape, settings, 1, 20), settings, with_threads(1));
        double most = 0;
        for (const AlsReplicate& found : all.replicates)
            for (std::size_t t = 1; t < found.relative_trace.size(); ++t)
                most = std::max(most, found.relative_trace[t] - found.relative_trace[t - 1]);
        CHECK(most < 1e-9);
    }
}

TEST_CASE("Line search saves sweeps on a swamp", "[tensor_amp]") {
    // Two nearly parallel components: ALS alone creeps.
    const Shape shape{20, 20, 20};
    Factors truth = random_factors(shape, 2, 10);
    for (MatrixXd& x : truth) x.col(1) = 0.97 * x.col(0) + 0.24 * x.col(1);
    const DenseTensor tensor = noisy_tensor(shape, truth, 0, 0, 11);
    const auto sweeps = [&](bool line_search) {
        AlsSettings settings = als_settings(2);
        settings.max_iterations = 5000;
        settings.tolerance = 1e-10;
        settings.line_search = line_search;
        const AlsResult result = run_als(
            MemoryTensor(tensor), random_starts(shape, settings, 12, 1), settings, with_threads(1));
        CHECK(result.best_replicate().relative_error < 1e-4);
        // Steps grow with the number of sweeps: those that lead too far must be taken back.
        const auto& trace = result.best_replicate().relative_trace;
        for (std::size_t t = 1; t < trace.size(); ++t) CHECK(trace[t] <= trace[t - 1] + 1e-8);
        return result.best_replicate().iterations();
    };
    CHECK(sweeps(true) < 0.8 * sweeps(false));
}

TEST_CASE("A mask of ones changes nothing, and half of the entries suffice", "[tensor_amp]") {
    const Shape shape{16, 13, 18};
    const Factors truth = random_factors(shape, 2, 13);
    DenseTensor tensor = noisy_tensor(shape, truth, 0.1, 0, 14);
    AlsSettings settings = als_settings(2);
    settings.max_iterations = 7;
    const auto starts = random_starts(shape, settings, 15, 1);
    const auto whole = run_als(MemoryTensor(tensor), starts, settings, with_threads(1));
    tensor.observed.assign(static_cast<std::size_t>(tensor.values.size()), 1);
    const auto masked = run_als(MemoryTensor(tensor), starts, settings, with_threads(1));
    for (std::size_t a = 0; a < shape.size(); ++a)
        CHECK((whole.best_replicate().factors[a] - masked.best_replicate().factors[a]).norm() <
              1e-9 * whole.best_replicate().factors[a].norm());

    const DenseTensor half = noisy_tensor(shape, truth, 0, 0.5, 16);
    settings.max_iterations = 1000;
    settings.tolerance = 1e-12;
    const auto found = run_als(MemoryTensor(half), random_starts(shape, settings, 17, 3), settings,
                               with_threads(2));
    CHECK(found.best_replicate().relative_error < 1e-6);
    const VectorXd model = signal(shape, truth);
    CHECK((signal(shape, found.best_replicate().factors) - model).norm() < 1e-5 * model.norm());
}

TEST_CASE("Nonnegative modes stay so and are the constrained optimum", "[tensor_amp]") {
    const Shape shape{10, 12, 11};
    Factors truth = random_factors(shape, 3, 18);
    for (MatrixXd& x : truth) x = x.cwiseAbs();
    const DenseTensor tensor = noisy_tensor(shape, truth, 0, 0, 19);
    AlsSettings settings = als_settings(3);
    settings.nonnegative_modes = {0, 1, 2};
    settings.max_iterations = 3000;
    settings.tolerance = 1e-11;
    const auto exact = run_als(MemoryTensor(tensor), random_starts(shape, settings, 20, 3),
                               settings, with_threads(1));
    CHECK(exact.best_replicate().relative_error < 1e-3);
    CHECK(component_similarity(exact.best_replicate().factors, truth) > 0.999);

    // Of any data: no feasible direction lowers the error (Karush, Kuhn, Tucker).
    const DenseTensor rough = noisy_tensor(shape, random_factors(shape, 2, 21), 1, 0, 22);
    settings = als_settings(2);
    settings.nonnegative_modes = {1};
    settings.max_iterations = 5000;
    settings.tolerance = 1e-14;
    const MemoryTensor source(rough);
    const auto found =
        run_als(source, random_starts(shape, settings, 23, 1), settings, with_threads(1));
    const Factors& x = found.best_replicate().factors;
    CHECK(x[1].minCoeff() >= 0);
    CHECK((x[1].array() == 0).count() > 0);
    const MatrixXd products = mttkrp(source, 1, x, with_threads(1)) * signal_scale(shape);
    const MatrixXd gradient =
        x[1] * hadamard_except(gram_matrices(x), {1}) * std::pow(signal_scale(shape), 2) - products;
    const double scale = products.cwiseAbs().maxCoeff();
    for (Index i = 0; i < gradient.size(); ++i) {
        CHECK(gradient.data()[i] > -1e-4 * scale);
        if (x[1].data()[i] > 0) CHECK(std::abs(gradient.data()[i]) < 1e-4 * scale);
    }
}

TEST_CASE("Replicates together are what each is alone, for any threads", "[tensor_amp]") {
    const Shape shape{15, 9, 12};
    for (const double missing : {0.0, 0.2}) {
        const DenseTensor tensor =
            noisy_tensor(shape, random_factors(shape, 3, 24), 1, missing, 25);
        const MemoryTensor source(tensor);
        AlsSettings settings = als_settings(3);
        settings.tolerance = 1e-5; // so that they end at different times
        const auto starts = random_starts(shape, settings, 26, 6);
        const auto together = run_als(source, starts, settings, with_threads(2));
        REQUIRE(together.replicates.size() == 6);
        std::size_t best = 0;
        for (std::size_t k = 0; k < 6; ++k) {
            const auto alone = run_als(source, {starts[k]}, settings, with_threads(1));
            CHECK(alone.best_replicate().factors == together.replicates[k].factors);
            CHECK(alone.best_replicate().relative_trace == together.replicates[k].relative_trace);
            CHECK(together.replicates[k].status == AlsStatus::converged);
            if (together.replicates[k].objective < together.replicates[best].objective) best = k;
        }
        CHECK(together.best == best);
        CHECK(together.best_replicate().similarity == Approx(1));
        CHECK(together.replicates[0].iterations() != together.replicates[1].iterations());
    }
}

TEST_CASE("Fixed modes stay, the others are their least squares", "[tensor_amp]") {
    const Shape shape{9, 8, 7};
    const Factors truth = random_factors(shape, 2, 27);
    const DenseTensor tensor = noisy_tensor(shape, truth, 0, 0, 28);
    for (const std::vector<Index>& fixed :
         {std::vector<Index>{0}, std::vector<Index>{2}, std::vector<Index>{0, 1}}) {
        AlsSettings settings = als_settings(2);
        settings.fixed_modes = fixed;
        settings.tolerance = 1e-12;
        Factors start = random_factors(shape, 2, 29);
        for (const Index mode : fixed)
            start[static_cast<std::size_t>(mode)] = 3 * truth[static_cast<std::size_t>(mode)];
        const auto found = run_als(MemoryTensor(tensor), {start}, settings, with_threads(1));
        CHECK(found.best_replicate().relative_error < 1e-6);
        for (const Index mode : fixed)
            CHECK(found.best_replicate().factors[static_cast<std::size_t>(mode)] ==
                  start[static_cast<std::size_t>(mode)]);
        CHECK(error_by_loops(tensor, found.best_replicate().factors) < 1e-6);
    }
    AlsSettings settings = als_settings(2);
    settings.fixed_modes = {0, 1, 2};
    CHECK_THROWS_AS(run_als(MemoryTensor(tensor), {truth}, settings, with_threads(1)), Error);
}

TEST_CASE("Least squares of degenerate data", "[tensor_amp]") {
    const Shape shape{4, 5, 6};
    AlsSettings settings = als_settings(3);
    SECTION("nothing but zeros") {
        const DenseTensor zeros{shape, VectorXd::Zero(120), {}};
        const auto found = run_als(MemoryTensor(zeros), random_starts(shape, settings, 30, 2),
                                   settings, with_threads(1));
        CHECK(found.best_replicate().relative_error == 0);
        CHECK(found.best_replicate().factors[2].norm() == 0);
    }
    SECTION("more components than there are") {
        const DenseTensor one{shape, VectorXd::Ones(120), {}};
        const auto found = run_als(MemoryTensor(one), random_starts(shape, settings, 31, 2),
                                   settings, with_threads(1));
        CHECK(found.best_replicate().relative_error < 1e-6);
        for (const MatrixXd& x : found.best_replicate().factors) CHECK(x.allFinite());
    }
    SECTION("a slice that was not observed") {
        DenseTensor tensor = random_tensor(shape, 0.1, 32);
        for_each_entry(shape, [&](Index entry, const std::vector<Index>& index) {
            if (index[1] == 3) tensor.observed[static_cast<std::size_t>(entry)] = 0;
        });
        CHECK_THROWS_WITH(run_als(MemoryTensor(tensor), random_starts(shape, settings, 33, 1),
                                  settings, with_threads(1)),
                          Catch::Contains("slice 3 of mode 1 has no observed entry"));
    }
    SECTION("a start of another shape") {
        CHECK_THROWS_AS(run_als(MemoryTensor(random_tensor(shape, 0, 34)),
                                {random_factors({4, 5, 7}, 3, 1)}, settings, with_threads(1)),
                        Error);
    }
}

TEST_CASE("Similarity matches components whatever their order, sign and scale", "[tensor_amp]") {
    const Factors a = random_factors({7, 8, 9}, 3, 35);
    Factors b = a;
    b[0].col(0).swap(b[0].col(2));
    b[1].col(0).swap(b[1].col(2));
    b[2].col(0).swap(b[2].col(2));
    b[1] *= -3;
    CHECK(component_similarity(a, b) == Approx(1));
    for (MatrixXd& x : b) x.conservativeResize(Eigen::NoChange, 2);
    CHECK(component_similarity(a, b) == Approx(2.0 / 3));
    b[0].col(1).setZero();
    CHECK(component_similarity(a, b) == Approx(1.0 / 3));
}
