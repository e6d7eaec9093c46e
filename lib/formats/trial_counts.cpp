#include <assay/formats/trial_counts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/excerpt.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace assay::formats {
namespace {

using CountsByUnit = Eigen::SparseMatrix<double, Eigen::RowMajor, std::int64_t>;

Index bins_of(const TrialWindow& window) {
    const double bins = (window.around.stop - window.around.start) / window.dt;
    if (!(bins > 0.5) || std::abs(bins - std::round(bins)) > 1e-6 ||
        !(bins <= static_cast<double>(kMostBins)))
        throw Error(concat("a window from ", window.around.start, " to ", window.around.stop,
                           " s holds ", shortest(bins), " bins of ", window.dt,
                           " s; a whole number, at most ", kMostBins, ", is expected"));
    return static_cast<Index>(std::lround(bins));
}

std::vector<Interval> windows_about(const hdf5::Dataset& events, const TrialWindow& window) {
    const auto times = events.expect_numeric().expect_rank(1).read<double>();
    if (times.empty()) throw Error(events.where() + ": holds no trial; one or more are expected");
    const double length = static_cast<double>(bins_of(window)) * window.dt;
    std::vector<Interval> windows;
    for (std::size_t i = 0; i < times.size(); ++i) {
        if (!std::isfinite(times[i]))
            throw Error(concat(events.where(), ": trial ", i, " has no time (", times[i], ")"));
        const double start = times[i] + window.around.start;
        windows.push_back({start, start + length});
    }
    return windows;
}

// time x trial: 0 where all units were observed, else NaN.
std::vector<double> unobserved_bins(const std::vector<Interval>& windows, double dt, Index bins,
                                    const std::vector<Interval>& observed) {
    const std::size_t trials = windows.size();
    std::vector<double> marks(static_cast<std::size_t>(bins) * trials, 0);
    if (observed.empty()) return marks;
    const double rounding = 1e-9 * dt;
    for (std::size_t k = 0; k < marks.size(); ++k) {
        const std::size_t bin = k / trials;
        const double start = windows[k % trials].start + static_cast<double>(bin) * dt;
        const bool seen =
            std::any_of(observed.begin(), observed.end(), [&](const Interval& stretch) {
                return stretch.start <= start + rounding && stretch.stop >= start + dt - rounding;
            });
        if (!seen) marks[k] = std::numeric_limits<double>::quiet_NaN();
    }
    return marks;
}

} // namespace

DenseFile trial_counts(const hdf5::Address& address, const TrialWindow& window,
                       const Opener& opener) {
    if (file_kind(address) != FileKind::hdf5)
        throw Error(address.name() + ": is no NWB file; spike times and trials are expected");
    const hdf5::Group root = opener.hdf5(address).root();
    const std::string path = address.path.empty() ? "/units" : address.path;
    const std::string name = address.file + ":" + path;
    if (!root.has_group(path) || !root.has_group("/intervals/trials"))
        throw Error(name + ": spike times of NWB beside /intervals/trials are expected");
    const hdf5::Group units = root.group(path);
    const auto windows =
        windows_about(root.group("/intervals/trials").dataset(window.event), window);
    const Index bins = bins_of(window), trials = static_cast<Index>(windows.size());
    const auto counts = std::make_shared<const CountsByUnit>(at_place(
        name, [&] { return bin_spikes(read_nwb_units(units), window.dt, windows).counts; }));
    const auto marks = std::make_shared<const std::vector<double>>(
        unobserved_bins(windows, window.dt, bins, joined(read_nwb_observation(units))));
    StoredArray array{{counts->rows(), bins, trials}, 0, {}};
    array.bytes = 16.0 * static_cast<double>(counts->nonZeros());
    array.read = [counts, marks, bins, trials](const NumberBlock& take) {
        std::vector<double> block;
        for (Index unit = 0; unit < counts->rows(); ++unit) {
            block = *marks;
            for (CountsByUnit::InnerIterator it(*counts, unit); it; ++it)
                block[static_cast<std::size_t>(it.col() % bins * trials + it.col() / bins)] +=
                    it.value();
            take(unit * bins * trials, block.data(), bins * trials);
        }
    };
    return {name, std::move(array)};
}

} // namespace assay::formats
