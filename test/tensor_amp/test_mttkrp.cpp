#include <assay/core/error.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>
#include <assay/tensor_amp/streamed_tensor_io.hpp>

#include <catch2/catch.hpp>
#include <tensor_amp/tensor_samples.hpp>

#include <cstdio>
#include <string>
#include <unistd.h>

namespace {

using namespace assay;
using namespace assay::tensor_amp;

using namespace assay::tensor_amp::samples;

// By the definition: a loop over all entries.
std::vector<MatrixXd> by_loops(const DenseTensor& tensor, const Factors& factors, Content content) {
    const std::size_t order = tensor.shape.size();
    const Index columns = factors[0].cols();
    std::vector<MatrixXd> result;
    for (const MatrixXd& x : factors) result.emplace_back(MatrixXd::Zero(x.rows(), columns));
    for_each_entry(tensor.shape, [&](Index entry, const std::vector<Index>& index) {
        const bool seen =
            tensor.observed.empty() || tensor.observed[static_cast<std::size_t>(entry)] != 0;
        const double value = !seen ? 0 : content == Content::observed ? 1 : tensor.values(entry);
        for (std::size_t a = 0; seen && a < order; ++a)
            for (Index c = 0; c < columns; ++c) {
                double product = value;
                for (std::size_t b = 0; b < order; ++b)
                    if (b != a) product *= factors[b](index[b], c);
                result[a](index[a], c) += product;
            }
    });
    return result;
}

double relative_distance(const MatrixXd& a, const MatrixXd& b) {
    return (a - b).norm() / (b.norm() + 1e-300);
}

const std::vector<Shape> kShapes{{7, 11},         {1, 5},
                                 {640, 3},        {3, 2600},
                                 {2, 16500},      {13, 17, 19},
                                 {1, 23, 1},      {31, 1, 29},
                                 {2, 3, 1100},    {1100, 2, 3},
                                 {9, 10, 11},     {5, 6, 7, 8},
                                 {1, 9, 1, 11},   {3, 4, 5, 6, 7},
                                 {2, 1, 3, 5, 4}, {3, 2, 2, 3, 2, 2},
                                 {90, 40, 70},    {2, 2, 2, 2, 2, 2, 2, 2}};

struct TemporaryFile {
    std::string path = "/tmp/test-tensor-source-" + std::to_string(getpid()) + ".h5";
    ~TemporaryFile() { std::remove(path.c_str()); }
};

} // namespace

TEST_CASE("MTTKRP of all modes equals the sum over entries", "[tensor_amp]") {
    for (const Shape& shape : kShapes)
        for (const Index columns : {1, 3, 5, 17, 40}) {
            if (columns == 17 && shape.size() > 5) continue; // the loops are slow
            const DenseTensor tensor = random_tensor(shape, 0, 1);
            const Factors factors = random_factors(shape, columns, 2);
            const auto expected = by_loops(tensor, factors, Content::values);
            for (const Storage storage : {Storage::float64, Storage::float32}) {
                const MemoryTensor source(tensor, storage);
                const double tolerance = storage == Storage::float64 ? 1e-12 : 2e-5;
                SweepKernel kernel(source);
                const auto found = kernel.all_modes(factors, with_threads(1));
                CHECK(source.passes() == 1);
                const auto again = kernel.all_modes(factors, with_threads(2));
                for (std::size_t a = 0; a < shape.size(); ++a) {
                    INFO("shape " << hdf5::shape_text({shape.begin(), shape.end()}) << " columns "
                                  << columns << " mode " << a);
                    CHECK(relative_distance(found[a], expected[a]) < tolerance);
                    CHECK(found[a] == again[a]);
                    CHECK(mttkrp(source, static_cast<Index>(a), factors, with_threads(1)) ==
                          found[a]);
                }
            }
        }
}

TEST_CASE("A sequential sweep sees the newest factors in two passes", "[tensor_amp]") {
    for (const Shape& shape : kShapes) {
        const DenseTensor tensor = random_tensor(shape, 0, 3);
        const MemoryTensor source(tensor);
        Factors factors = random_factors(shape, 4, 4);
        const Factors newer = random_factors(shape, 4, 5);
        SweepKernel kernel(source);
        for (std::size_t a = 0; a < shape.size(); ++a) {
            const auto expected = by_loops(tensor, factors, Content::values);
            const MatrixXd found = kernel.in_sweep(static_cast<Index>(a), factors, with_threads(2));
            CHECK(relative_distance(found, expected[a]) < 1e-12);
            factors[a] = newer[a];
        }
        CHECK(source.passes() == 2);
    }
}

TEST_CASE("Contractions follow factors that change out of order", "[tensor_amp]") {
    const Shape shape{6, 7, 8, 3};
    const DenseTensor tensor = random_tensor(shape, 0, 6);
    const MemoryTensor source(tensor);
    Factors factors = random_factors(shape, 2, 7);
    SweepKernel kernel(source);
    REQUIRE(kernel.split() == 2);
    kernel.right_partial(factors, with_threads(1));
    CHECK(relative_distance(kernel.contract(0, factors, with_threads(1)),
                            by_loops(tensor, factors, Content::values)[0]) < 1e-12);
    factors[1] *= 2.5;
    CHECK(relative_distance(kernel.contract(0, factors, with_threads(1)),
                            by_loops(tensor, factors, Content::values)[0]) < 1e-12);
}

TEST_CASE("Unobserved entries count for nothing, and can be counted", "[tensor_amp]") {
    for (const Shape& shape : {Shape{9, 14, 5}, Shape{40, 30}, Shape{3, 5, 4, 6}}) {
        const DenseTensor tensor = random_tensor(shape, 0.4, 8);
        const Factors factors = random_factors(shape, 6, 9);
        for (const Storage storage : {Storage::float64, Storage::float32}) {
            const MemoryTensor source(tensor, storage);
            const double tolerance = storage == Storage::float64 ? 1e-12 : 2e-5;
            for (const Content content : {Content::values, Content::observed}) {
                const auto expected = by_loops(tensor, factors, content);
                const auto found = SweepKernel(source, content).all_modes(factors, with_threads(2));
                for (std::size_t a = 0; a < shape.size(); ++a)
                    CHECK(relative_distance(found[a], expected[a]) < tolerance);
            }
        }
        const MemoryTensor source(tensor);
        double total = 0;
        for (const auto flag : tensor.observed) total += flag;
        for (const VectorXd& counts : observed_counts(source, with_threads(1)))
            CHECK(counts.sum() == total);
    }
    const MemoryTensor whole(random_tensor({4, 5, 6}, 0, 1));
    CHECK(observed_counts(whole, with_threads(1))[1] == VectorXd::Constant(5, 24));
    CHECK(whole.passes() == 0);
}

TEST_CASE("A streamed tensor gives the bits of the one in memory", "[tensor_amp]") {
    for (const Shape& shape : {Shape{700, 9, 6}, Shape{90, 11, 20, 2}, Shape{300, 40}})
        for (const double missing : {0.0, 0.3})
            for (const Storage storage : {Storage::float64, Storage::float32})
                for (const bool nan : {false, true}) {
                    const DenseTensor tensor = random_tensor(shape, missing, 10);
                    const TemporaryFile file;
                    {
                        const auto out =
                            hdf5::File::create(file.path, "test.h5", hdf5::Compression::none);
                        hdf5::Group root = out.root();
                        const hdf5::Shape dims(shape.begin(), shape.end());
                        root.write("tensor", tensor.values.data(), dims);
                        if (missing > 0) root.write("mask", tensor.observed.data(), dims);
                    }
                    const auto in = hdf5::File::open(file.path, "test.h5");
                    StreamedTensorSettings settings;
                    settings.storage = storage;
                    settings.missing_nan = nan && missing > 0;
                    const Index row = unfolding(shape).columns, slab = unfolding(shape).slab_rows;
                    settings.memory_bytes = 2 * slab * row * 9 + 100; // one slab a block
                    std::optional<hdf5::Dataset> mask;
                    if (missing > 0 && !nan) mask = in.root().dataset("mask");
                    const StreamedTensor streamed(in.root().dataset("tensor"), mask, settings);
                    const MemoryTensor held(tensor, storage);
                    const Factors factors = random_factors(shape, 5, 11);
                    for (const Content content : {Content::values, Content::observed}) {
                        const auto a =
                            SweepKernel(held, content).all_modes(factors, with_threads(1));
                        const auto b =
                            SweepKernel(streamed, content).all_modes(factors, with_threads(2));
                        CHECK(a == b);
                    }
                    CHECK(squared_norm(held, with_threads(1)) ==
                          squared_norm(streamed, with_threads(2)));
                }
}

TEST_CASE("Sums over many slabs are added up in groups, streamed or not", "[tensor_amp]") {
    const Shape shape{66000, 17};
    const Unfolding matrix = unfolding(shape);
    REQUIRE(matrix.group_slabs == 2);
    REQUIRE(matrix.groups() == 33);
    const DenseTensor tensor = random_tensor(shape, 0, 13);
    const Factors factors = random_factors(shape, 3, 14);
    const TemporaryFile file;
    {
        const auto out = hdf5::File::create(file.path, "test.h5", hdf5::Compression::none);
        out.root().write("tensor", tensor.values.data(), hdf5::Shape(shape.begin(), shape.end()));
    }
    const auto in = hdf5::File::open(file.path, "test.h5");
    StreamedTensorSettings settings;
    settings.memory_bytes = 2 * 3 * matrix.slab_rows * matrix.columns * 8; // groups cross blocks
    const StreamedTensor streamed(in.root().dataset("tensor"), std::nullopt, settings);
    const MemoryTensor held(tensor);
    const auto found = SweepKernel(held).all_modes(factors, with_threads(1));
    CHECK(SweepKernel(held).all_modes(factors, with_threads(2)) == found);
    CHECK(SweepKernel(streamed).all_modes(factors, with_threads(2)) == found);
    CHECK(squared_norm(streamed, with_threads(2)) == squared_norm(held, with_threads(1)));
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const RowMajor> y(tensor.values.data(), shape[0], shape[1]);
    CHECK(relative_distance(found[0], y * factors[1]) < 1e-13);
    CHECK(relative_distance(found[1], y.transpose() * factors[0]) < 1e-13);
}

TEST_CASE("The squared norm is that of the observed entries", "[tensor_amp]") {
    const DenseTensor tensor = random_tensor({17, 9, 13}, 0.2, 12);
    double expected = 0;
    for (Index i = 0; i < tensor.values.size(); ++i)
        if (tensor.observed[static_cast<std::size_t>(i)] != 0)
            expected += tensor.values(i) * tensor.values(i);
    CHECK(squared_norm(MemoryTensor(tensor), with_threads(1)) == Approx(expected).epsilon(1e-13));
    CHECK(squared_norm(MemoryTensor(tensor, Storage::float32), with_threads(1)) ==
          Approx(expected).epsilon(1e-6));
}

TEST_CASE("Tensors that are none are refused", "[tensor_amp]") {
    const auto message = [](DenseTensor tensor) -> std::string {
        try {
            const MemoryTensor source(std::move(tensor));
        } catch (const Error& e) {
            return e.what();
        }
        return "";
    };
    using Catch::Matchers::Contains;
    CHECK_THAT(message({{5}, VectorXd::Zero(5), {}}), Contains("1 modes"));
    CHECK_THAT(message({Shape(9, 1), VectorXd::Zero(1), {}}), Contains("9 modes"));
    CHECK_THAT(message({{5, 0}, VectorXd::Zero(0), {}}), Contains("length 0"));
    CHECK_THAT(message({{5, 2}, VectorXd::Zero(9), {}}), Contains("9 values"));
    CHECK_THAT(message({{1, 2}, VectorXd::Zero(2), {1}}), Contains("mask has 1"));
    CHECK_THAT(message({{1, 2}, VectorXd::Zero(2), {0, 0}}), Contains("no entry"));
    VectorXd infinite(2);
    infinite << 1, 1 / 0.0;
    CHECK_THAT(message({{1, 2}, infinite, {}}), Contains("entry 1 (in C order) is infinite"));
    CHECK_THAT(message({{Index{1} << 40, Index{1} << 40}, VectorXd::Zero(2), {}}),
               Contains("tensor"));
    CHECK(message({{1, 2}, infinite, {1, 0}}).empty());
}
