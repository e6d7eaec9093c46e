#include <assay/formats/recording_file.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/adjusted.hpp>
#include <assay/formats/arrays.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace assay::formats {
namespace {

constexpr std::size_t kTextLimit = std::size_t{1} << 32U;

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw Error(path + ": cannot be opened");
    in.seekg(0, std::ios::end);
    const auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, in.tellg()));
    if (size > kTextLimit) throw Error(path + ": is larger than a text file can be (4 GiB)");
    std::string text(size, '\0');
    in.seekg(0);
    in.read(text.data(), static_cast<std::streamsize>(size));
    return text;
}

// A dataset of rank 2 read block by block.
class DatasetRecording : public Recording {
  public:
    DatasetRecording(hdf5::Dataset dataset, bool time_first, double factor, double offset)
        : dataset_(std::move(dataset)), time_first_(time_first), factor_(factor), offset_(offset) {}
    [[nodiscard]] Index units() const override {
        return rank_one() ? 1 : dataset_.shape()[time_first_ ? 1 : 0];
    }
    [[nodiscard]] Index bins() const override {
        return dataset_.shape()[rank_one() || time_first_ ? 0 : 1];
    }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        Matrix block(units(), count);
        if (rank_one())
            dataset_.read_box<double>({first_bin}, {count}, block.data());
        else if (time_first_)
            dataset_.read_box<double>({first_bin, 0}, {count, units()}, block.data());
        else {
            RowMatrix rows(units(), count);
            dataset_.read_box<double>({0, first_bin}, {units(), count}, rows.data());
            block = rows;
        }
        if (factor_ != 1 || offset_ != 0) block = (block.array() * factor_ + offset_).matrix();
        return block;
    }

  private:
    [[nodiscard]] bool rank_one() const { return dataset_.rank() == 1; }
    hdf5::Dataset dataset_;
    bool time_first_;
    double factor_, offset_;
};

bool time_first(const RecordingOptions& o, const std::string& axes, const hdf5::Shape& shape,
                const std::string& where, Monitor& monitor) {
    if (o.time_axis != TimeAxis::automatic) return o.time_axis == TimeAxis::first;
    if (starts_with(axes, "time")) return true;
    if (axes.empty() && shape.size() == 2 && shape[0] == shape[1])
        monitor.warn(where + ": is square and names no axes; the second is taken as time "
                             "(--time-axis 0 takes the first)");
    return false;
}

std::string choose_path(const hdf5::Group& root, const hdf5::Address& address,
                        const RecordingOptions& o) {
    if (!o.dataset.empty()) return series_of(root, o.dataset);
    if (!address.path.empty()) return series_of(root, address.path);
    if (root.has("/data/X")) return "/data/X";
    // Whoever states a bin width means the spikes.
    if (o.dt && root.has_dataset("/units/spike_times")) return "/units";
    const auto found = candidates(root);
    if (found.size() == 1) return found.front();
    throw Error(address.name() + ":/data/X: not in the file; " +
                (found.empty() ? std::string("it holds no two-dimensional array of numbers")
                               : "--dataset names one of " + printable(join(found, ", "), 150)));
}

void adopt_segments(Recording& recording, const std::vector<std::int64_t>& starts,
                    const std::string& where) {
    if (starts.empty() || starts.front() != 0)
        throw Error(concat(where, ": its first entry is ",
                           starts.empty() ? std::string("missing") : std::to_string(starts.front()),
                           "; 0 is expected"));
    for (std::size_t i = 0; i < starts.size(); ++i) {
        if (i > 0 && starts[i] <= starts[i - 1])
            throw Error(concat(where, ": entry ", i, " is ", starts[i], " after ", starts[i - 1],
                               "; ascending first bins are expected"));
        if (starts[i] >= recording.bins())
            throw Error(concat(where, ": entry ", i, " is ", starts[i],
                               ", outside the recording's ", recording.bins(), " bins"));
    }
    recording.segment_start.assign(starts.begin(), starts.end());
}

// Facts that stand beside the data in our own files and in plain ones: dt or rate_hz,
// segment_start, unit_id.
void adopt_neighbours(OpenedRecording& opened, const hdf5::Group& root, const std::string& path,
                      const RecordingOptions& o) {
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    const auto object_number = [&](const char* name) -> std::optional<double> {
        if (root.has_dataset(path)) return positive_attribute(root.dataset(path), name);
        if (root.has_group(path)) return positive_attribute(root.group(path), name);
        return std::nullopt;
    };
    Recording& recording = *opened.recording;
    const auto dt = object_number("dt"), rate = object_number("rate_hz");
    if (!recording.bin_seconds) recording.bin_seconds = dt;
    if (!recording.bin_seconds && rate) recording.bin_seconds = 1 / *rate;
    const std::string segments = !o.segments.empty() ? o.segments : folder + "segment_start";
    if (!o.segments.empty() || root.has_dataset(segments)) {
        const auto dataset = root.dataset(segments);
        adopt_segments(recording, whole_numbers(dataset), dataset.where());
    }
    if (root.has_dataset(folder + "unit_id")) {
        const auto dataset = root.dataset(folder + "unit_id");
        if (dataset.size() == recording.units() && dataset.numeric())
            recording.unit_ids = whole_numbers(dataset);
    }
}

std::unique_ptr<Recording> from_spikes(const SpikeTrains& trains, std::vector<Interval> intervals,
                                       const RecordingOptions& o, const std::string& where,
                                       std::int64_t& outside) {
    if (!o.dt) throw Error(where + ": holds spike times; --dt SECONDS is expected to bin them");
    return at_place(where, [&] {
        if (intervals.empty()) {
            Interval whole = extent_of(trains, *o.dt);
            if (o.start) whole.start = *o.start;
            if (o.stop)
                whole.stop = *o.stop;
            else if (o.start)
                whole.stop =
                    whole.start + std::ceil((whole.stop - whole.start) / *o.dt - 1e-9) * *o.dt;
            intervals = {whole};
        }
        BinnedSpikes binned = bin_spikes(trains, *o.dt, intervals);
        outside = binned.outside;
        auto recording = std::make_unique<SparseRecording>(std::move(binned.counts));
        recording->segment_start = binned.segment_start;
        recording->bin_seconds = o.dt;
        recording->unit_ids = trains.ids;
        return std::unique_ptr<Recording>(std::move(recording));
    });
}

std::unique_ptr<Recording> from_array(AnyArray array, const RecordingOptions& o,
                                      const std::string& where, Monitor& monitor,
                                      std::int64_t& outside, bool& counts) {
    if (auto* trains = std::get_if<SpikeTrains>(&array)) {
        counts = true;
        return from_spikes(*trains, {}, o, where, outside);
    }
    if (auto* sparse = std::get_if<SparseMatrix>(&array)) {
        const bool turned = time_first(o, "", {sparse->rows(), sparse->cols()}, where, monitor);
        return std::make_unique<SparseRecording>(turned ? SparseMatrix(sparse->transpose())
                                                        : std::move(*sparse));
    }
    const auto& dense = std::get<DenseArray>(array);
    if (dense.shape.size() != 2)
        throw Error(concat(where, ": has ", dense.shape.size(), " dimensions (",
                           hdf5::shape_text(dense.shape), "); 2 are expected"));
    if (static_cast<Index>(dense.values.size()) != hdf5::element_count(dense.shape, where))
        throw Error(concat(where, ": holds ", dense.values.size(), " numbers; ",
                           hdf5::shape_text(dense.shape), " are expected"));
    const Eigen::Map<const RowMatrix> rows(dense.values.data(), dense.shape[0], dense.shape[1]);
    return std::make_unique<DenseRecording>(
        time_first(o, "", dense.shape, where, monitor) ? Matrix(rows.transpose()) : Matrix(rows));
}

std::vector<double> vector_at(const hdf5::Group& root, const std::string& path) {
    const Vector v = root.dataset(path).expect_numeric().read_vector();
    return {v.data(), v.data() + v.size()};
}

std::unique_ptr<Recording> sparse_group(const hdf5::Group& group) {
    const bool by_row = is_by_row(group.text_attribute("format").value_or(""), group.where());
    const auto shape = whole_numbers(group.dataset("shape"));
    if (shape.size() != 2) throw Error(group.where() + "/shape: two numbers are expected");
    return std::make_unique<SparseRecording>(compressed_matrix(
        group.dataset("data").expect_numeric().read<double>(),
        whole_numbers(group.dataset("indices")), whole_numbers(group.dataset("indptr")), shape[0],
        shape[1], by_row, group.where()));
}

// Where spikes of NWB units are counted; empty for all of the time.
std::vector<Interval> counted_intervals(const hdf5::Group& root, const hdf5::Group& units,
                                        const RecordingOptions& o) {
    if (o.trials) return read_nwb_trials(root);
    if (o.start || o.stop) return {};
    return read_nwb_observation(units);
}

void open_hdf5(OpenedRecording& opened, const hdf5::Group& root, const hdf5::Address& address,
               const RecordingOptions& o, Monitor& monitor) {
    const std::string file = address.name();
    if (!o.times.empty()) {
        opened.name = file + ":" + o.times;
        opened.counts = true;
        opened.recording =
            from_spikes(group_spikes(vector_at(root, o.times),
                                     whole_numbers(vector_at(root, o.ids), file + ":" + o.ids)),
                        {}, o, opened.name, opened.outside);
        return;
    }
    const std::string path = choose_path(root, address, o);
    opened.name = file + ":" + path;
    if (!root.has(path))
        throw Error(opened.name + ": not in the file; it holds " +
                    printable(join(candidates(root), ", "), 150));
    if (is_matlab(root, path)) {
        opened.recording = from_array(read_matlab73(root, path), o, opened.name, monitor,
                                      opened.outside, opened.counts);
    } else if (root.has_group(path)) {
        const hdf5::Group group = root.group(path);
        if (group.has_dataset("spike_times")) {
            opened.counts = true;
            opened.recording = from_spikes(read_nwb_units(group), counted_intervals(root, group, o),
                                           o, opened.name, opened.outside);
        } else if (is_time_series(root, path)) {
            const hdf5::Dataset data = group.dataset("data");
            data.expect_numeric();
            if (data.rank() != 1) data.expect_rank(2);
            RecordingOptions nwb = o;
            if (o.time_axis == TimeAxis::automatic) nwb.time_axis = TimeAxis::first;
            opened.recording =
                std::make_unique<DatasetRecording>(data, nwb.time_axis == TimeAxis::first,
                                                   data.number_attribute("conversion").value_or(1),
                                                   data.number_attribute("offset").value_or(0));
            opened.recording->bin_seconds = nwb_sample_interval(group, opened.recording->bins());
        } else if (group.has_dataset("indptr")) {
            opened.recording = sparse_group(group);
        } else {
            throw Error(opened.name + ": is a group without data in a known layout; it holds " +
                        printable(join(group.names(), ", "), 150));
        }
    } else {
        const hdf5::Dataset data = root.dataset(path);
        data.expect_numeric();
        data.expect_rank(2);
        if (data.size() == 0)
            throw Error(opened.name + ": is empty (" + hdf5::shape_text(data.shape()) + ")");
        opened.recording = std::make_unique<DatasetRecording>(
            data, time_first(o, data.axes(), data.shape(), opened.name, monitor), 1.0, 0.0);
    }
    adopt_neighbours(opened, root, path, o);
    if (!o.mask.empty()) {
        const hdf5::Dataset mask = root.dataset(o.mask);
        mask.expect_numeric();
        mask.expect_rank(2);
        opened.mask = std::make_unique<DatasetRecording>(
            mask, time_first(o, mask.axes(), {1, 2}, mask.where(), monitor), 1.0, 0.0);
        if (opened.mask->units() != opened.recording->units() ||
            opened.mask->bins() != opened.recording->bins())
            throw Error(concat(mask.where(), ": the mask has ", opened.mask->units(), " units x ",
                               opened.mask->bins(), " bins; the recording's ",
                               opened.recording->units(), " x ", opened.recording->bins(),
                               " are expected"));
    }
}

SparseMatrix npz_sparse(const NpzArchive& archive) {
    const auto integers = [&](const std::string& member) {
        return whole_numbers(archive.numbers(member).values, archive.path() + ":/" + member);
    };
    const bool by_row = is_by_row(archive.text("format"), archive.path());
    const auto shape = integers("shape");
    if (shape.size() != 2) throw Error(archive.path() + ":/shape: two numbers are expected");
    return compressed_matrix(archive.numbers("data").values, integers("indices"),
                             integers("indptr"), shape[0], shape[1], by_row, archive.path());
}

std::optional<double> npz_dt(const NpzArchive& archive) {
    if (!archive.has("dt")) return std::nullopt;
    const std::string where = archive.path() + ":/dt";
    const auto values = archive.numbers("dt").values;
    if (values.size() != 1)
        throw Error(concat(where, ": holds ", values.size(), " numbers; one is expected"));
    return positive_number(values.front(), where);
}

AnyArray npz_array(const NpzArchive& archive, const std::string& name) {
    const bool sparse = archive.has("shape") && (archive.has("format") || archive.has("indptr"));
    if (name.empty() && sparse) return npz_sparse(archive);
    return archive.numbers(name.empty() ? "X" : name);
}

void open_foreign(OpenedRecording& opened, FileKind kind, const hdf5::Address& address,
                  const RecordingOptions& o, Monitor& monitor) {
    std::string name = o.dataset.empty() ? address.path : o.dataset;
    while (starts_with(name, "/")) name.erase(0, 1);
    opened.name = address.file + (name.empty() ? "" : ":/" + name);
    AnyArray array;
    std::optional<double> dt;
    if (kind == FileKind::npy)
        array = parse_npy(read_text(address.file), address.file);
    else if (kind == FileKind::npz) {
        const NpzArchive archive(address.file);
        dt = npz_dt(archive);
        array = npz_array(archive, name);
    } else if (kind == FileKind::text)
        array = read_spike_csv(read_text(address.file), address.file);
    else if (!o.times.empty())
        array = open_spikes(address, o, {});
    else {
        const auto names = matlab5_names(address.file);
        if (names.empty()) throw Error(address.file + ": holds no arrays; it may be cut short");
        if (name.empty() && names.size() == 1) name = names.front();
        if (name.empty())
            throw Error(address.file + ": --dataset names one of " +
                        printable(join(names, ", "), 150));
        array = read_matlab5(address.file, name);
    }
    opened.recording =
        from_array(std::move(array), o, opened.name, monitor, opened.outside, opened.counts);
    if (!opened.recording->bin_seconds) opened.recording->bin_seconds = dt;
    if (!o.mask.empty() || !o.segments.empty())
        throw Error(address.file +
                    ": --mask and --segments name arrays of an HDF5 file, and this is none");
}

// A pipe is read as HDF5; all else needs a file in which one can go back.
const hdf5::InputFile& open_input(const hdf5::Address& address, const Opener& opener) {
    std::error_code ignored;
    if (address.is_stream() || !std::filesystem::is_fifo(address.file, ignored))
        return opener.hdf5(address);
    try {
        return opener.hdf5(address);
    } catch (const Interrupted&) {
        throw;
    } catch (const Error& e) {
        throw Error(e.what() + std::string("; text, npy, npz and MATLAB level 5 are expected as "
                                           "regular files"));
    }
}

} // namespace

SpikeTrains open_spikes(const hdf5::Address& address, const RecordingOptions& o,
                        const Opener& opener) {
    const FileKind kind = file_kind(address);
    if (kind == FileKind::text) return read_spike_csv(read_text(address.file), address.file);
    const auto plain = [](std::string path) {
        while (starts_with(path, "/")) path.erase(0, 1);
        return path;
    };
    const auto trains_of = [&](AnyArray array, const std::string& where) {
        if (auto* trains = std::get_if<SpikeTrains>(&array)) return std::move(*trains);
        throw Error(where + ": holds an array; spike times are expected");
    };
    const std::string path = o.dataset.empty() ? address.path : o.dataset;
    if (kind == FileKind::matlab5) {
        if (o.times.empty())
            return trains_of(read_matlab5(address.file, plain(path)), address.file);
        const auto vector = [&](const std::string& name) {
            AnyArray array = read_matlab5(address.file, plain(name));
            if (auto* dense = std::get_if<DenseArray>(&array)) return dense->values;
            throw Error(address.file + ":/" + plain(name) + ": a vector of numbers is expected");
        };
        return group_spikes(vector(o.times),
                            whole_numbers(vector(o.ids), address.file + ":" + o.ids));
    }
    if (kind != FileKind::hdf5)
        throw Error(address.file + ": spike times of NWB, MATLAB, HDF5 or CSV are expected");
    const hdf5::Group root = open_input(address, opener).root();
    if (!o.times.empty())
        return group_spikes(vector_at(root, o.times),
                            whole_numbers(vector_at(root, o.ids), address.name() + ":" + o.ids));
    const std::string where = path.empty() ? "/units" : path;
    if (is_matlab(root, where))
        return trains_of(read_matlab73(root, where), address.name() + ":" + where);
    return read_nwb_units(root.group(where));
}

OpenedRecording open_recording(const hdf5::Address& address, const RecordingOptions& options,
                               const Opener& opener, Monitor& monitor) {
    if (options.times.empty() != options.ids.empty())
        throw UsageError("--times and --ids go together");
    OpenedRecording opened;
    const FileKind kind = file_kind(address);
    if (kind == FileKind::hdf5) {
        open_hdf5(opened, open_input(address, opener).root(), address, options, monitor);
    } else {
        opener.foreign(address.file);
        open_foreign(opened, kind, address, options, monitor);
    }
    if (opened.outside > 0)
        monitor.warn(concat(opened.name, ": ", opened.outside,
                            " spikes lie outside the binned time and are not counted"));
    if (opened.recording->units() == 0 || opened.recording->bins() == 0)
        throw Error(opened.name + ": is empty");
    // Small enough: read once.
    const Recording& r = *opened.recording;
    if (!r.in_memory() && 8.0 * static_cast<double>(r.units()) * static_cast<double>(r.bins()) <=
                              0.25 * static_cast<double>(options.memory)) {
        auto dense = std::make_unique<DenseRecording>(r.read(0, r.bins()));
        dense->segment_start = r.segment_start;
        dense->bin_seconds = r.bin_seconds;
        dense->unit_ids = r.unit_ids;
        opened.recording = std::move(dense);
    }
    if (options.negatives != Negatives::error || options.scale != Scale::none ||
        options.unit_scale.size() > 0)
        opened.recording = at_place(opened.name, [&] {
            return adjusted(std::move(opened.recording), options, opened.unit_scale);
        });
    return opened;
}

} // namespace assay::formats
