// What completion offers after FILE: can be read, and nothing else is offered.
#include <assay/formats/recording_file.hpp>

#include <catch2/catch.hpp>
#include <formats/reading.hpp>

#include <algorithm>
#include <set>

using namespace assay;

namespace {

std::set<std::string> arrays_in(const std::string& file) {
    const auto paths = formats::list_arrays(kFixtures + file);
    const std::set<std::string> distinct(paths.begin(), paths.end());
    CHECK(distinct.size() == paths.size());
    return distinct;
}

using Paths = std::set<std::string>;

} // namespace

TEST_CASE("arrays of a file are listed in every format", "[formats]") {
    CHECK(arrays_in("plain.h5") == Paths{"/data/X", "/data/X_bool", "/data/X_f32be",
                                         "/data/X_int32", "/data/X_t", "/data/X_uint8",
                                         "/data/chunked", "/data/inf", "/data/nan",
                                         "/data/negative", "/data/square", "/other/deep/matrix"});
    const std::string fluorescence = "/processing/ophys/Fluorescence/RoiResponseSeries";
    CHECK(arrays_in("units.nwb") == Paths{"/units", "/acquisition/rate_series",
                                          "/acquisition/one_channel", fluorescence,
                                          fluorescence + "_nearly", fluorescence + "_uneven"});
    CHECK(arrays_in("v73.mat") == Paths{"/S", "/S_logical", "/S_none", "/X", "/X_int16",
                                        "/X_logical", "/X_single", "/names", "/spikes", "/spk/IDs",
                                        "/spk/Times"});
    for (const std::string name : {"v5.mat", "v5_compressed.mat"})
        CHECK(arrays_in(name) == Paths{"/S", "/S_none", "/X", "/X_int16", "/X_logical", "/X_single",
                                       "/spikes", "/spk/SpikeIDs", "/spk/SpikeTimes"});
    CHECK(arrays_in("beside_objects.npz") == Paths{"/X"});
    CHECK(arrays_in("sparse_csr.h5") == Paths{"/data/X"});
}

TEST_CASE("a listed array is one that can be opened", "[formats]") {
    for (const std::string file : {"plain.h5", "units.nwb", "v73.mat", "v5.mat", "stored.npz"})
        for (const auto& path : arrays_in(file)) {
            if (path == "/names" || path.find("uneven") != std::string::npos) continue;
            INFO(file << ":" << path);
            formats::RecordingOptions options;
            options.dataset = path;
            options.dt = 0.01;
            CHECK(refusal(kFixtures + file, options).empty());
        }
}

TEST_CASE("what has no paths or cannot be read lists nothing", "[formats]") {
    for (const std::string file : {"c_order.npy", "spikes.csv", "truncated.h5", "text_named.h5",
                                   "empty.h5", "lying.npz", "absent.h5", ""})
        CHECK(arrays_in(file).empty());
    CHECK(formats::list_arrays("-").empty());
}
