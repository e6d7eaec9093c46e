// Theory in files: what is written is what was computed, and shards make the whole.
#include <assay/core/error.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/discrete_io.hpp>
#include <assay/tensor_amp/theory_io.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace assay;
using namespace assay::tensor_amp;

namespace {

// A folder of its own, removed at the end.
class Folder {
  public:
    Folder() : path_(std::filesystem::temp_directory_path() / concat("theory-io-", ::getpid())) {
        std::filesystem::create_directories(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const {
        return (path_ / name).string();
    }

  private:
    std::filesystem::path path_;
};

PhaseSettings mean_by_aspect() {
    PhaseSettings settings;
    settings.model.dimensions = VectorXd::Ones(3);
    settings.model.priors.assign(3, "gauss");
    settings.axes = {{"mean", VectorXd::LinSpaced(4, 0, 0.45)},
                     {"aspect", (VectorXd(3) << 1, 4, 16).finished()}};
    return settings;
}

hdf5::File written(const std::string& file, const PhaseStudy& study) {
    hdf5::File out = hdf5::File::create(file, file, hdf5::Compression::none);
    write_phase(out.root().create_group("phase"), study);
    return out;
}

std::vector<double> values(const hdf5::File& file, const std::string& name) {
    return file.root().dataset("phase/" + name).read<double>();
}

bool same_or_nan(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) {
               return x == y || (std::isnan(x) && std::isnan(y));
           });
}

} // namespace

TEST_CASE("shards of a phase diagram make the whole", "[tensor_amp]") {
    const Folder folder;
    for (const PhaseQuantity quantity : {PhaseQuantity::thresholds, PhaseQuantity::mse_map}) {
        PhaseSettings settings = mean_by_aspect();
        settings.quantity = quantity;
        if (quantity == PhaseQuantity::mse_map)
            settings.noise_var = VectorXd::LinSpaced(3, 0.1, 0.4);
        const hdf5::File whole =
            written(folder.file("whole.h5"), run_phase_study(settings, {}, {}));
        std::vector<hdf5::File> files;
        std::vector<hdf5::Group> groups;
        for (const Index index : {3, 1, 2}) {
            files.push_back(written(folder.file(concat("part", index, ".h5")),
                                    run_phase_study(settings, {index, 3}, {})));
            groups.push_back(files.back().root().group("phase"));
        }
        hdf5::File merged =
            hdf5::File::create(folder.file("merged.h5"), "merged.h5", hdf5::Compression::none);
        hdf5::Group target = merged.root().create_group("phase");
        merge_phase(target, groups);
        const hdf5::Group expected = whole.root().group("phase");
        CHECK(target.names() == expected.names());
        for (const std::string& path : expected.dataset_paths()) {
            INFO(path);
            const hdf5::Dataset one = merged.root().dataset(path),
                                other = whole.root().dataset(path);
            CHECK(one.shape() == other.shape());
            CHECK(one.axes() == other.axes());
            CHECK(same_or_nan(one.read<double>(), other.read<double>()));
        }
        for (const std::string& name : expected.attribute_names())
            CHECK(target.has_attribute(name));
        CHECK_FALSE(target.has_attribute("shard"));
        hdf5::File bad =
            hdf5::File::create(folder.file("bad.h5"), "bad.h5", hdf5::Compression::none);
        CHECK_THROWS_WITH(merge_phase(bad.root(), {groups[0], groups[2]}),
                          Catch::Contains("shard 1 of 3 is missing"));
        CHECK_THROWS_WITH(merge_phase(bad.root(), {groups[0], groups[1], groups[1], groups[2]}),
                          Catch::Contains("shard 1 is given twice"));
        settings.axes[0].values(1) = 0.2;
        const hdf5::File other =
            written(folder.file("other.h5"), run_phase_study(settings, {2, 3}, {}));
        CHECK_THROWS_WITH(
            merge_phase(bad.root(), {groups[0], groups[1], other.root().group("phase")}),
            Catch::Contains("other values of mean"));
    }
}

TEST_CASE("grids end in NaN, single points in nothing", "[tensor_amp]") {
    const Folder folder;
    PhaseSettings settings = mean_by_aspect();
    const hdf5::File grid = written(folder.file("grid.h5"), run_phase_study(settings, {}, {}));
    CHECK(grid.root().dataset("phase/delta_alg").shape() == hdf5::Shape{4, 3, 1});
    const auto algorithmic = values(grid, "delta_alg"), dynamic = values(grid, "delta_dyn");
    CHECK(std::isnan(algorithmic[0])); // zero means: never easy
    CHECK(std::abs(dynamic[0] - 0.25) < 1e-9);
    CHECK(std::isnan(dynamic[9])); // mean .45: no jump
    settings.axes.clear();
    const hdf5::File point = written(folder.file("point.h5"), run_phase_study(settings, {}, {}));
    CHECK(point.root().dataset("phase/delta_alg").shape() == hdf5::Shape{0});
    CHECK(point.root().dataset("phase/delta_dyn").shape() == hdf5::Shape{1});
}

TEST_CASE("state evolution in a file", "[tensor_amp]") {
    const Folder folder;
    EvolutionSettings settings;
    settings.model.dimensions = VectorXd::Ones(3);
    settings.model.priors.assign(3, "gauss:mean=0.6");
    settings.noise_var = VectorXd::LinSpaced(4, 0.2, 0.8);
    settings.starts.resize(2);
    settings.starts[1].kind = EvolutionStart::Kind::informed;
    settings.starts[1].name = "informed";
    const EvolutionStudy study = run_evolution_study(settings, {});
    hdf5::File file = hdf5::File::create(folder.file("se.h5"), "se.h5", hdf5::Compression::none);
    write_evolution(file.root().create_group("phase"), study);
    const hdf5::Dataset q = file.root().dataset("phase/Q");
    REQUIRE(q.rank() == 6);
    CHECK(q.axes() == "noise_var,start,sweep,mode,component,component");
    const Index sweeps = q.shape()[2];
    const auto all = values(file, "Q");
    for (Index i = 0; i < 4; ++i)
        for (Index s = 0; s < 2; ++s) {
            const StateEvolution& run = study.runs[static_cast<std::size_t>(i * 2 + s)];
            for (Index t = 0; t < sweeps; ++t)
                for (Index a = 0; a < 3; ++a) {
                    const auto sweep = static_cast<std::size_t>(std::min(t, run.sweeps()));
                    CHECK(all[static_cast<std::size_t>(((i * 2 + s) * sweeps + t) * 3 + a)] ==
                          run.q[sweep][static_cast<std::size_t>(a)](0, 0));
                }
        }
    settings.noise_var = VectorXd::Constant(1, 0.6);
    settings.starts.resize(1);
    hdf5::File one = hdf5::File::create(folder.file("one.h5"), "one.h5", hdf5::Compression::none);
    write_evolution(one.root().create_group("phase"), run_evolution_study(settings, {}));
    CHECK(one.root().dataset("phase/Q").rank() == 4);
    CHECK(one.root().dataset("phase/mse").shape() == hdf5::Shape{3});
    CHECK(one.root().dataset("phase/signal_error").rank() == 0);
}

TEST_CASE("states of a discrete prior from files", "[tensor_amp]") {
    const Folder folder;
    std::ofstream(folder.file("states.txt")) << "# x y weight\n1 0 0.25\n0, 1, 0.25\n1\t1\t0.5\n\n";
    const MatrixXd table = read_discrete_values(folder.file("states.txt"));
    const MatrixXd expected = (MatrixXd(3, 3) << 1, 0, 0.25, 0, 1, 0.25, 1, 1, 0.5).finished();
    CHECK(table == expected);
    {
        hdf5::File file =
            hdf5::File::create(folder.file("states.h5"), "states.h5", hdf5::Compression::none);
        hdf5::Group group = file.root().create_group("prior");
        group.write("values", Matrix(expected.leftCols(2)));
        group.write("weights", Vector(expected.col(2)));
    }
    CHECK(read_discrete_values(folder.file("states.h5") + ":/prior") == expected);
    const PriorPointer prior =
        parse_prior("discrete:file=" + folder.file("states.txt"), 2, read_discrete_values);
    CHECK(std::abs(prior->mean()(0) - 0.75) < 1e-12);
    std::ofstream(folder.file("bad.txt")) << "1 2\n3\n";
    CHECK_THROWS_WITH(read_discrete_values(folder.file("bad.txt")),
                      Catch::Contains("row 1 has 1 numbers; 2 are expected"));
    std::ofstream(folder.file("words.txt")) << "1 two\n";
    CHECK_THROWS_WITH(read_discrete_values(folder.file("words.txt")), Catch::Contains("'two'"));
    CHECK_THROWS_WITH(read_discrete_values(folder.file("none.txt")),
                      Catch::Contains("cannot be opened"));
}
