// Tensors, truths and fits in HDF5: they come back as written, and files that do not hold what they
// say are refused with the place.
#include "tensor_amp/scratch.hpp"

#include <assay/core/error.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/fit_io.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/slab_sums.hpp>
#include <assay/tensor_amp/streamed_tensor_io.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::Contains;
using tensor_amp_test::ScratchFile;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

NamedTensor small() {
    NamedTensor named;
    named.tensor.shape = {2, 3, 2};
    named.tensor.values = VectorXd::LinSpaced(12, 0, 11);
    named.mode_names = {"neuron", "time", "trial"};
    named.units = "Hz";
    return named;
}

MatrixXd numbers(Index rows, Index cols, double first) {
    MatrixXd m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = first + 0.37 * static_cast<double>(i);
    return m;
}

FitResult example_fit(bool by_row) {
    FitResult fit;
    fit.algorithm = "amp";
    fit.shape = {4, 3, 5};
    fit.mode_names = {"neuron", "time", "trial"};
    fit.rank = 2;
    fit.noise_variance = 0.25;
    fit.noise_variance_learned = true;
    fit.slice_noise = VectorXd::LinSpaced(3, 1, 2);
    fit.noise_mode = 1;
    fit.bethe_free_entropy = 1.5;
    fit.explained_variance = 0.75;
    fit.status = "max-iter";
    fit.iterations = 7;
    fit.seed = 9;
    fit.priors = {"gauss:mean=[0,1],var=1", "rademacher", "gauss"};
    fit.priors_learned = true;
    fit.denoiser_exact = false;
    for (const Index n : fit.shape) {
        fit.factors.push_back(numbers(n, 2, -1));
        MatrixXd squares = numbers(by_row ? n : 1, 4, 1);
        squares.col(2) = squares.col(1);
        fit.covariances.push_back(squares);
        fit.fields.precision.push_back(2 * squares);
        fit.fields.field.push_back(numbers(n, 2, 5));
    }
    set_unit_form(fit);
    fit.trace.change = VectorXd::LinSpaced(3, 1, 0);
    fit.trace.free_entropy = VectorXd::LinSpaced(3, 0, 1);
    for (int t = 0; t < 3; ++t) {
        fit.trace.truth_overlap.push_back({numbers(2, 1, t), numbers(2, 1, 2), numbers(2, 1, 3)});
        fit.trace.self_overlap.push_back({numbers(2, 2, t), numbers(2, 2, 2), numbers(2, 2, 3)});
    }
    fit.restarts.objective = VectorXd::LinSpaced(2, 3, 4);
    fit.restarts.similarity = VectorXd::Ones(2);
    fit.restarts.status = {"converged", "collapsed"};
    return fit;
}

} // namespace

TEST_CASE("a tensor comes back as it was written", "[tensor_amp]") {
    const ScratchFile file;
    NamedTensor named = small();
    file.write(
        [&](const hdf5::Group& root) { write_tensor(root, named, TensorPrecision::float64); });
    const NamedTensor read = read_tensor(file.root(), {});
    CHECK(read.tensor.shape == named.tensor.shape);
    CHECK(read.tensor.values == named.tensor.values);
    CHECK(read.tensor.observed.empty());
    CHECK(read.mode_names == named.mode_names);
    CHECK(read.units == "Hz");

    named.tensor.observed.assign(12, 1);
    named.tensor.observed[4] = 0;
    file.write(
        [&](const hdf5::Group& root) { write_tensor(root, named, TensorPrecision::float32); });
    const NamedTensor masked = read_tensor(file.root(), {});
    CHECK(masked.tensor.observed == named.tensor.observed);
    CHECK(masked.tensor.values(4) == 0);
    CHECK(masked.tensor.values(11) == 11);
    CHECK(std::isnan(file.root().dataset("/data/tensor").read<double>()[4]));
}

TEST_CASE("arrays of other kinds, and what is missing in them", "[tensor_amp]") {
    const ScratchFile file;
    const std::vector<std::int32_t> whole{1, 2, 3, 4, 5, 6};
    const std::vector<double> holes{1, kNan, 3, 4, kNan, 6}, endless{1, 2, -INFINITY, 4, 5, 6};
    const std::vector<std::uint8_t> mask{0, 1, 1, 1, 1, 1}, none(6, 0), short_mask(4, 1);
    file.write([&](hdf5::Group root) {
        root.write("whole", whole.data(), {3, 2});
        root.write("holes", holes.data(), {3, 2});
        root.write("endless", endless.data(), {3, 2});
        root.write("line", whole.data(), {6});
        root.write("deep", whole.data(), {1, 1, 1, 1, 1, 1, 1, 2, 3});
        root.write("empty", whole.data(), {3, 0});
        root.write("m", mask.data(), {3, 2});
        root.write("none", none.data(), {3, 2});
        root.write("short", short_mask.data(), {2, 2});
    });
    const hdf5::Group root = file.root();
    const auto read = [&](const std::string& path, const std::string& mask_path = "",
                          bool missing = false) {
        return read_tensor(root, {path, mask_path, {}, missing}).tensor;
    };
    CHECK(read("/whole").values(5) == 6);
    CHECK_THROWS_WITH(read("/holes"),
                      Contains("t.h5:/holes: 2 NaN, first at [0, 1]") && Contains("--missing nan"));
    const DenseTensor with_holes = read("/holes", "/m", true);
    CHECK(with_holes.observed == std::vector<std::uint8_t>{0, 0, 1, 1, 0, 1});
    CHECK(with_holes.values == (VectorXd(6) << 0, 0, 3, 4, 0, 6).finished());
    CHECK_THROWS_WITH(read("/endless", "", true), Contains("infinite value at [1, 0]"));
    CHECK_THROWS_WITH(read("/line"), Contains("1 mode; 2 to 8"));
    CHECK_THROWS_WITH(read("/deep"), Contains("9 modes; 2 to 8"));
    CHECK_THROWS_WITH(read("/empty"), Contains("mode 1 is empty"));
    CHECK_THROWS_WITH(read("/whole", "/none"), Contains("nothing is observed"));
    CHECK_THROWS_WITH(read("/whole", "/short"), Contains("a mask of 2 x 2 for a tensor of 3 x 2"));
    CHECK_THROWS_WITH(read("/absent"), Contains("/absent"));
    CHECK_THROWS_WITH(read_tensor(root, {"/whole", "", {}, false, 47}),
                      Contains("allowed (--memory)"));
    CHECK_NOTHROW(read_tensor(root, {"/whole", "", {}, false, 48}));
}

TEST_CASE("a truth comes back as it was written", "[tensor_amp]") {
    const ScratchFile file;
    Truth truth;
    truth.factors = {numbers(4, 2, 1), numbers(3, 2, 2)};
    truth.noise_variance = 0.5;
    truth.noise_mode = 1;
    truth.slice_noise = VectorXd::LinSpaced(3, 1, 3);
    truth.priors = {"gauss:mean=0,var=1", "bernoulli:rho=0.5"};
    truth.mode_names = {"neuron", "time"};
    file.write([&](hdf5::Group root) { write_truth(root.create_group("/truth"), truth); });
    const hdf5::Group group = file.root().group("/truth");
    const Truth read = read_truth(group);
    CHECK(read.factors == truth.factors);
    CHECK(read.noise_variance == 0.5);
    CHECK(read.slice_noise == truth.slice_noise);
    CHECK(read.noise_mode == 1);
    CHECK(read.priors == truth.priors);
    CHECK(read.mode_names == truth.mode_names);
    CHECK(group.dataset("factors/mode0").axes() == "neuron,component");

    const hdf5::Group factors = group.group("factors");
    CHECK(read_factors(factors, {4, 3}, 2).size() == 2);
    CHECK_THROWS_WITH(read_factors(factors, {4, 3, 5}, 2), Contains("2 factors for a tensor of 3"));
    CHECK_THROWS_WITH(read_factors(factors, {4, 6}, 2), Contains("mode1: 3 x 2; 6 rows"));
    CHECK_THROWS_WITH(read_factors(factors, {4, 3}, 3), Contains("rank 2; rank 3 is expected"));
}

TEST_CASE("a fit comes back as it was written", "[tensor_amp]") {
    const bool by_row = GENERATE(false, true);
    const ScratchFile file;
    const FitResult fit = example_fit(by_row);
    file.write([&](hdf5::Group root) { write_fit(root.create_group(kFitGroup), fit); });
    const FitResult read = read_fit(file.root().group(kFitGroup));
    CHECK(read.algorithm == fit.algorithm);
    CHECK(read.shape == fit.shape);
    CHECK(read.mode_names == fit.mode_names);
    CHECK(read.rank == fit.rank);
    CHECK(read.noise_variance == fit.noise_variance);
    CHECK(read.noise_variance_learned);
    CHECK(read.slice_noise == fit.slice_noise);
    CHECK(read.noise_mode == 1);
    CHECK(read.bethe_free_entropy == fit.bethe_free_entropy);
    CHECK_FALSE(read.elbo);
    CHECK(read.explained_variance == fit.explained_variance);
    CHECK(read.status == fit.status);
    CHECK(read.iterations == 7);
    CHECK(read.seed == 9);
    CHECK(read.priors == fit.priors);
    CHECK(read.priors_learned);
    CHECK_FALSE(read.denoiser_exact);
    CHECK(read.factors == fit.factors);
    CHECK(read.covariances == fit.covariances);
    CHECK((read.weights - fit.weights).norm() < 1e-14);
    CHECK(read.fields.field == fit.fields.field);
    CHECK(read.fields.precision == fit.fields.precision);
    CHECK(read.trace.change == fit.trace.change);
    CHECK(read.trace.free_entropy == fit.trace.free_entropy);
    CHECK(read.trace.damping.size() == 0);
    CHECK(read.trace.truth_overlap == fit.trace.truth_overlap);
    CHECK(read.trace.self_overlap == fit.trace.self_overlap);
    CHECK(read.restarts.objective == fit.restarts.objective);
    CHECK(read.restarts.status == fit.restarts.status);
}

TEST_CASE("the unit form says the same tensor", "[tensor_amp]") {
    const FitResult fit = example_fit(false);
    const double n = std::cbrt(60.0);
    for (Index rho = 0; rho < 2; ++rho) {
        double model = 1 / n, unit = fit.weights(rho);
        for (std::size_t a = 0; a < 3; ++a) {
            CHECK(fit.unit_factors[a].col(rho).norm() == Approx(1).epsilon(1e-14));
            model *= fit.factors[a](2, rho);
            unit *= fit.unit_factors[a](2, rho);
        }
        CHECK(unit == Approx(model).epsilon(1e-13));
    }
    FitResult dead = fit;
    dead.factors[0].col(1).setZero();
    set_unit_form(dead);
    CHECK(dead.weights(1) == 0);
    CHECK(dead.unit_factors[0].allFinite());
}

TEST_CASE("fits that do not hold together are refused", "[tensor_amp]") {
    const ScratchFile file;
    FitResult fit = example_fit(false);
    fit.factors[1] = numbers(3, 1, 0);
    CHECK_THROWS_WITH(check_fit(fit), Contains("factors of mode 1 are 3 x 1; 3 x 2"));
    fit = example_fit(true);
    fit.covariances[2] = numbers(4, 4, 0);
    CHECK_THROWS_WITH(check_fit(fit), Contains("covariances of mode 2 are 4 x 4; 5 x 4"));
    const auto damaged = [&](const std::function<void(hdf5::Group)>& more) {
        file.write([&](hdf5::Group root) {
            hdf5::Group group = root.create_group("fit");
            group.set_attribute("algorithm", "amp");
            group.set_attribute("status", "converged");
            for (const char* name : {"noise_var", "explained_variance", "iterations"})
                group.set_attribute(name, 1.0);
            more(group);
        });
        return read_fit(file.root().group("fit"));
    };
    CHECK_THROWS_WITH(damaged([](hdf5::Group g) {
                          write_factors(g.create_group("factors"), {numbers(3, 2, 0)}, {}, "");
                      }),
                      Contains("1 factors (mode0, mode1, ...)"));
    CHECK_THROWS_WITH(
        damaged([](hdf5::Group g) {
            write_factors(g.create_group("factors"), {numbers(3, 2, 0), numbers(3, 3, 0)}, {}, "");
        }),
        Contains("mode1: 3 x 3; 2 columns"));
    CHECK_THROWS_WITH(damaged([](hdf5::Group g) {
                          write_factors(g.create_group("factors"),
                                        {numbers(3, 2, 0), numbers(4, 2, kNan)}, {}, "");
                      }),
                      Contains("mode1: not finite"));
    CHECK_THROWS_WITH(
        damaged([](hdf5::Group g) {
            write_factors(g.create_group("factors"), {numbers(3, 2, 0), numbers(4, 2, 0)}, {}, "");
            g.create_group("posterior").write("cov_mode0", numbers(2, 3, 0));
        }),
        Contains("cov_mode0: 2 x 3; [rows x] 2 x 2"));
}

TEST_CASE("a tensor that is streamed is refused like one that is read", "[tensor_amp]") {
    const auto refusal = [](const VectorXd& values, const std::vector<double>& flags,
                            bool missing_nan) -> std::string {
        const ScratchFile file;
        file.write([&](hdf5::Group root) {
            root.write("data/tensor", values.data(), {4, 3, 2});
            if (!flags.empty()) root.write("data/mask", flags.data(), {4, 3, 2});
        });
        const hdf5::Group root = file.root();
        StreamedTensorSettings settings;
        settings.memory_bytes = 1024;
        settings.missing_nan = missing_nan;
        std::optional<hdf5::Dataset> mask;
        if (!flags.empty()) mask = root.dataset("data/mask");
        std::string streamed = "none", read = "none";
        try {
            StreamedTensor(root.dataset("data/tensor"), mask, settings).survey(silent_monitor());
        } catch (const Error& e) {
            streamed = e.what();
        }
        try {
            TensorReading reading;
            reading.missing_nan = missing_nan;
            static_cast<void>(read_tensor(root, reading));
        } catch (const Error& e) {
            read = e.what();
        }
        CHECK(streamed == read);
        return streamed;
    };
    const VectorXd values = VectorXd::LinSpaced(24, 1, 24);
    std::vector<double> flags(24, 1);
    CHECK(refusal(values, flags, false) == "none");
    flags[9] = 0.5; // [1, 1, 1]
    CHECK_THAT(refusal(values, flags, false), Contains("found 0.5 at [1, 1, 1]; 1 (observed)"));
    flags[9] = 2;
    CHECK_THAT(refusal(values, flags, true), Contains("found 2 at [1, 1, 1]"));
    CHECK_THAT(refusal(values, std::vector<double>(24, 0), false), Contains("nothing is observed"));
    VectorXd holes = values;
    holes(13) = holes(17) = kNan;
    CHECK_THAT(refusal(holes, {}, false), Contains("2 NaN, first at [2, 0, 1]; if they are"));
    CHECK(refusal(holes, {}, true) == "none");
    flags[9] = 1;
    flags[13] = flags[17] = 0;
    CHECK(refusal(holes, flags, false) == "none");
    holes(20) = std::numeric_limits<double>::infinity();
    CHECK_THAT(refusal(holes, {}, true), Contains("infinite value at [3, 1, 0]"));
    CHECK_THAT(refusal(VectorXd::Constant(24, kNan), {}, true), Contains("nothing is observed"));
}

namespace {

// Stops after so many reports of progress.
class Impatient : public Monitor {
  public:
    explicit Impatient(std::size_t most) : most_(most) {}
    void progress(const Progress& progress) override { reports.push_back(progress); }
    [[nodiscard]] bool interrupted() const override { return reports.size() >= most_; }
    std::vector<Progress> reports;

  private:
    std::size_t most_;
};

} // namespace

TEST_CASE("a survey tells how far it is, and can be stopped", "[tensor_amp]") {
    const ScratchFile file;
    file.write([&](hdf5::Group root) {
        const VectorXd values = VectorXd::LinSpaced(4000 * 6, 1, 2);
        root.write("tensor", values.data(), {4000, 3, 2});
    });
    StreamedTensorSettings settings;
    settings.memory_bytes = 2 * unfolding({4000, 3, 2}).slab_rows * 6 * 8;
    StreamedTensor tensor(file.root().dataset("tensor"), std::nullopt, settings);
    Impatient patient(1000), stopped(3);
    tensor.survey(patient);
    REQUIRE(patient.reports.size() > 3);
    CHECK(patient.reports.back().done == 4000);
    CHECK(patient.reports.back().total == 4000);
    CHECK(patient.reports[1].done == 2 * patient.reports[0].done);
    CHECK_THROWS_AS(tensor.survey(stopped), Interrupted);
    CHECK(stopped.reports.size() == 3);
}

TEST_CASE("numbers are read as float without being held as double", "[tensor_amp]") {
    const ScratchFile file;
    NamedTensor named = small();
    named.tensor.values /= 3;
    named.tensor.observed.assign(12, 1);
    named.tensor.observed[5] = 0;
    file.write([&](hdf5::Group root) { write_tensor(root, named, TensorPrecision::float64); });
    const auto read = read_tensor<float>(file.root(), {});
    const FloatTensor handed = read_tensor<float>(
        [&](const NumberBlock& take) {
            take(0, named.tensor.values.data(), 7);
            take(7, named.tensor.values.data() + 7, 5);
        },
        named.tensor.shape, named.tensor.observed, false, "x");
    CHECK(read.mode_names == named.mode_names);
    named.tensor.values(5) = 0;
    for (const FloatTensor& tensor : {read.tensor, handed}) {
        CHECK(tensor.shape == named.tensor.shape);
        CHECK(tensor.observed == named.tensor.observed);
        CHECK(tensor.values == named.tensor.values.cast<float>());
    }
    // In every pass it is what a tensor of doubles is that was rounded.
    const MemoryTensor narrow(handed), rounded(named.tensor, Storage::float32);
    CHECK(narrow.storage() == Storage::float32);
    CHECK(squared_norm(narrow, {}) == squared_norm(rounded, {}));
    TensorReading little;
    little.memory_bytes = 50; // 12 floats
    CHECK_NOTHROW(read_tensor<float>(file.root(), little));
    CHECK_THROWS_WITH(read_tensor(file.root(), little), Contains("allowed (--memory)"));
}

TEST_CASE("a fit keeps what it says of signs and symmetry", "[tensor_amp]") {
    FitResult fit = example_fit(false);
    fit.signed_modes = {0, 2};
    const ScratchFile file;
    file.write([&](hdf5::Group root) { write_fit(root.create_group("fit"), fit); });
    const FitResult back = read_fit(file.root().group("fit"));
    CHECK(back.signed_modes == fit.signed_modes);
    CHECK_FALSE(back.symmetric);
    fit.symmetric = true; // of modes of different length
    CHECK_THROWS_WITH(check_fit(fit), Contains("different lengths"));
    fit.symmetric = false;
    fit.signed_modes = {3};
    CHECK_THROWS_WITH(check_fit(fit), Contains("signed mode 3 of 3"));
}
