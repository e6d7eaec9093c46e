// Every fixture of test/reference/formats is read as its maker says, or refused with one line.
#include <assay/core/error.hpp>
#include <assay/formats/recording_file.hpp>

#include <catch2/catch.hpp>
#include <formats/reading.hpp>

#include <cmath>
#include <fstream>
#include <map>
#include <memory>

using namespace assay;

namespace {

// One case of expected.h5: a file, a path in it, and a dataset of the expected array.
struct Case {
    std::string file, path;
};

formats::OpenedRecording open(const std::string& file, const formats::RecordingOptions& options) {
    return open_and_read(kFixtures + file, options);
}

const hdf5::Group& expected() {
    static const hdf5::File file = hdf5::File::open(kFixtures + "expected.h5", "expected.h5");
    static const hdf5::Group root = file.root();
    return root;
}

void collect(const hdf5::Group& group, const std::string& file, std::vector<Case>& cases) {
    if (group.has_attribute("outcome"))
        cases.push_back({file, group.path().substr(file.size() + 1)});
    for (const auto& name : group.names())
        if (group.has_group(name)) collect(group.group(name), file, cases);
}

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const auto& file : expected().names())
        if (expected().has_group(file)) collect(expected().group(file), file, cases);
    return cases;
}

double difference(const Matrix& a, const Matrix& b) {
    if (a.rows() != b.rows() || a.cols() != b.cols()) return 1e300;
    return a.size() == 0 ? 0.0
                         : (a - b).array().isFinite().select((a - b).cwiseAbs(), 0.0).maxCoeff();
}

} // namespace

TEST_CASE("format fixtures are read or refused as their maker says", "[formats]") {
    int read = 0, refused = 0;
    for (const Case& c : all_cases()) {
        INFO(c.file << ":" << c.path);
        const hdf5::Group group = expected().group("/" + c.file + c.path);
        const std::string outcome = group.text_attribute("outcome").value_or("");
        formats::RecordingOptions options;
        options.dataset = c.path;
        if (outcome == "error") {
            options.dt = 0.01;
            try {
                open(c.file, options);
                FAIL_CHECK("was read");
            } catch (const Error& e) {
                ++refused;
                const std::string message = e.what();
                INFO(message);
                CHECK(message.size() <= 400);
                CHECK(message.find('\n') == std::string::npos);
                CHECK(message.find(c.file) != std::string::npos);
                CHECK(message.find(group.text_attribute("says").value_or("")) != std::string::npos);
            }
            continue;
        }
        if (outcome != "ok") continue;
        for (const auto& name : group.names()) {
            if (!group.has_dataset(name) || name.compare(0, 1, "X") != 0) continue;
            INFO(name);
            const auto dataset = group.dataset(name);
            options.dt = dataset.number_attribute("dt");
            options.start = dataset.number_attribute("start");
            options.stop = dataset.number_attribute("stop");
            if (name != "X" && !options.dt) continue;
            if (group.has_dataset("unit_id") && name == "X" && group.has_dataset("X_range"))
                continue; // distinct ids only
            if (c.path == "/spk") {
                const bool level5 = c.file.find("v5") == 0;
                options.dataset.clear();
                options.times = level5 ? "/spk/SpikeTimes" : "/spk/Times";
                options.ids = level5 ? "/spk/SpikeIDs" : "/spk/IDs";
            }
            const auto opened = open(c.file, options);
            ++read;
            CHECK(difference(opened.recording->read(0, opened.recording->bins()),
                             dataset.read_matrix()) < 1e-9);
            CHECK(difference(Matrix(opened.recording->read_sparse(0, opened.recording->bins())),
                             dataset.read_matrix()) < 1e-9);
            if (const auto outside = dataset.number_attribute("outside"))
                CHECK(opened.outside == static_cast<std::int64_t>(*outside));
            if (const auto dt = group.number_attribute("dt"); dt && !options.dt)
                CHECK(opened.recording->bin_seconds.value() == Approx(*dt).epsilon(0.01));
        }
    }
    CHECK(read > 35);
    CHECK(refused > 20);
}

TEST_CASE("NWB trials become segments", "[formats]") {
    formats::RecordingOptions options;
    options.dataset = "/units";
    options.trials = true;
    options.dt = 0.01;
    const auto opened = open("units.nwb", options);
    const auto dataset = expected().group("/units.nwb/units").dataset("trials");
    const auto tensor = dataset.read<double>(); // neuron x time x trial
    const Index units = dataset.shape()[0], bins = dataset.shape()[1], trials = dataset.shape()[2];
    REQUIRE(opened.recording->bins() == bins * trials);
    REQUIRE(static_cast<Index>(opened.recording->segment_start.size()) == trials);
    const Matrix x = opened.recording->read(0, bins * trials);
    double worst = 0;
    for (Index n = 0; n < units; ++n)
        for (Index t = 0; t < bins; ++t)
            for (Index r = 0; r < trials; ++r)
                worst = std::max(
                    worst, std::abs(x(n, r * bins + t) -
                                    tensor[static_cast<std::size_t>((n * bins + t) * trials + r)]));
    CHECK(worst == 0);
}

TEST_CASE("negative values, scales and percentiles", "[formats]") {
    formats::RecordingOptions options;
    options.dataset = "/data/negative";
    options.negatives = formats::Negatives::clip;
    const Matrix clipped = open("plain.h5", options).recording->read(0, 12);
    CHECK(clipped.minCoeff() == 0);
    options.negatives = formats::Negatives::offset;
    const Matrix shifted = open("plain.h5", options).recording->read(0, 12);
    CHECK(shifted.minCoeff() == 0);
    options = {};
    options.dataset = "/data/X";
    const Matrix x = open("plain.h5", options).recording->read(0, 12);
    options.scale = formats::Scale::l2;
    const Matrix scaled = open("plain.h5", options).recording->read(0, 12);
    for (Index n = 0; n < x.rows(); ++n)
        if (x.row(n).norm() > 0) CHECK(scaled.row(n).norm() == Approx(1).epsilon(1e-12));
    options.scale = formats::Scale::max_p95;
    std::vector<double> all(x.data(), x.data() + x.size());
    std::sort(all.begin(), all.end());
    const double p95 =
        all[static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(all.size()))) - 1];
    const Matrix soft = open("plain.h5", options).recording->read(0, 12);
    for (Index n = 0; n < x.rows(); ++n)
        CHECK((soft.row(n) * (x.row(n).maxCoeff() + p95) - x.row(n)).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("real songbird recordings, where they are present", "[formats][real]") {
    const std::string folder = std::string(ASSAY_SOURCE_DIR) + "/../shared/data/cnmf/";
    if (!std::ifstream(folder + "hvc2019.h5")) return;
    const formats::Opener opener{
        [&](const hdf5::Address& a) -> hdf5::InputFile& {
            static std::vector<std::unique_ptr<hdf5::InputFile>> files;
            files.push_back(std::make_unique<hdf5::InputFile>(a, hdf5::StreamSettings{}));
            return *files.back();
        },
        [](const std::string&) {}};
    const auto read = [&](const std::string& file, const std::string& dataset,
                          std::optional<double> dt = {}, const std::string& times = "",
                          const std::string& ids = "") {
        formats::RecordingOptions o;
        o.dataset = dataset;
        o.dt = dt;
        o.times = times;
        o.ids = ids;
        const auto opened =
            formats::open_recording({folder + file, ""}, o, opener, silent_monitor());
        return opened.recording->read(0, opened.recording->bins());
    };
    // The same matrix in three files: ours, MATLAB 7.3 dense and sparse, MATLAB 5, NWB.
    const Matrix neural = read("hvc2019.h5", "/data/neural");
    CHECK(neural.rows() == 75);
    CHECK((read("songbird_spikes_mat73.mat", "/NEURAL") - neural).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((read("songbird_spikes_mat73.mat", "/NEURALsparse") - neural).cwiseAbs().maxCoeff() <
          1e-12);
    CHECK((read("MackeviciusData.mat", "NEURAL") - neural).cwiseAbs().maxCoeff() < 1e-12);
    // The same spikes as CSV, NWB and MATLAB.
    const Matrix csv = read("songbird_spikes.csv", "", 0.1),
                 nwb = read("songbird_spikes_nwb.h5", "/units", 0.1);
    CHECK(csv.sum() == 3336);
    CHECK(nwb.sum() == 3336);
    CHECK((read("songbird_spikes_mat73.mat", "/spikes", 0.1) - nwb).cwiseAbs().maxCoeff() == 0);
    CHECK(read("songbird_spikes_mat73.mat", "", 0.1, "/sessInfo/Spikes/SpikeTimes",
               "/sessInfo/Spikes/SpikeIDs")
              .sum() == 3336);
}
