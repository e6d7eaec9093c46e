#include <assay/formats/recording_file.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/adjusted.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/excerpt.hpp>
#include <assay/formats/segmentation.hpp>
#include <assay/formats/spike_recording.hpp>
#include <assay/formats/stored_recording.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

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

bool time_first(const RecordingOptions& o, const std::string& axes, const hdf5::Shape& shape,
                const std::string& where, Monitor& monitor) {
    if (o.time_axis != TimeAxis::automatic) return o.time_axis == TimeAxis::first;
    if (starts_with(axes, "time")) return true;
    if (axes.empty() && shape.size() == 2 && shape[0] == shape[1])
        monitor.warn(where + ": is square and names no axes; the second is taken as time "
                             "(--time-axis 0 takes the first)");
    return false;
}

Major major_of(bool time_first) {
    return time_first ? Major::time : Major::unit;
}

void expect_matrix(const hdf5::Shape& shape, const std::string& where) {
    if (shape.size() != 2)
        throw Error(concat(where, ": has ", shape.size(), " dimensions (", hdf5::shape_text(shape),
                           "); 2 are expected"));
}

bool read_at_once(const Recording& r, const RecordingOptions& o) {
    return 8.0 * static_cast<double>(r.units()) * static_cast<double>(r.bins()) <=
           0.25 * static_cast<double>(o.memory);
}

// What a dataset says of itself. It is closed again before its numbers are read: opened twice, it
// keeps the cache for chunks of the first time.
struct DatasetFacts {
    hdf5::Shape shape;
    std::string axes;
};
DatasetFacts facts_of_matrix(const hdf5::Group& root, const std::string& path) {
    const hdf5::Dataset data = root.dataset(path, hdf5::ReadOrder::rows);
    data.expect_numeric();
    data.expect_rank(2);
    return {data.shape(), data.axes()};
}

// Numbers times `factor` plus `offset`.
std::unique_ptr<Recording> dataset_at(const hdf5::Group& root, const std::string& path, Major major,
                                      const RecordingOptions& o, Monitor& monitor,
                                      double factor = 1, double offset = 0) {
    const auto order = major == Major::time ? hdf5::ReadOrder::rows : hdf5::ReadOrder::columns;
    auto recording =
        std::make_unique<DatasetRecording>(root.dataset(path, order), major, factor, offset);
    if (!read_at_once(*recording, o)) recording->read_stretches(o.memory, monitor);
    return recording;
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

std::vector<double> vector_at(const hdf5::Group& root, const std::string& path) {
    const Vector v = root.dataset(path).expect_numeric().read_vector();
    return {v.data(), v.data() + v.size()};
}

Neighbours neighbours_of(const hdf5::Group& root) {
    return {[&root](const std::string& path) { return root.has_dataset(path); },
            [&root](const std::string& path) { return vector_at(root, path); },
            [&root](const std::string& path) { return root.dataset(path).where(); }};
}

// Facts that stand beside the data in our own files and in plain ones: dt or rate_hz,
// segment_start, segment_time, unit_id.
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
    adopt_segmentation(opened, neighbours_of(root), folder, o);
    if (root.has_dataset(folder + "unit_id")) {
        const auto dataset = root.dataset(folder + "unit_id");
        if (dataset.size() == recording.units() && dataset.numeric())
            recording.unit_ids = whole_numbers(dataset);
    }
}

std::unique_ptr<Recording> oriented(SparseMatrix matrix, const RecordingOptions& o,
                                    const std::string& axes, const std::string& where,
                                    Monitor& monitor) {
    const bool turned = time_first(o, axes, {matrix.rows(), matrix.cols()}, where, monitor);
    return std::make_unique<SparseRecording>(turned ? SparseMatrix(matrix.transpose())
                                                    : std::move(matrix));
}

std::unique_ptr<Recording> from_array(AnyArray array, const RecordingOptions& o,
                                      const std::string& where, Monitor& monitor) {
    if (std::holds_alternative<SpikeTrains>(array))
        throw Error(where + ": holds spike times; an array is expected");
    if (auto* sparse = std::get_if<SparseMatrix>(&array))
        return oriented(std::move(*sparse), o, "", where, monitor);
    const auto& dense = std::get<DenseArray>(array);
    expect_matrix(dense.shape, where);
    if (static_cast<Index>(dense.values.size()) != hdf5::element_count(dense.shape, where))
        throw Error(concat(where, ": holds ", dense.values.size(), " numbers; ",
                           hdf5::shape_text(dense.shape), " are expected"));
    const Eigen::Map<const RowMatrix> rows(dense.values.data(), dense.shape[0], dense.shape[1]);
    return std::make_unique<DenseRecording>(
        time_first(o, "", dense.shape, where, monitor) ? Matrix(rows.transpose()) : Matrix(rows));
}

std::unique_ptr<Recording> sparse_group(const hdf5::Group& group, const RecordingOptions& o,
                                        Monitor& monitor) {
    const bool by_row = is_by_row(group.text_attribute("format").value_or(""), group.where());
    const auto shape = whole_numbers(group.dataset("shape"));
    if (shape.size() != 2) throw Error(group.where() + "/shape: two numbers are expected");
    return oriented(compressed_matrix(group.dataset("data").expect_numeric().read<double>(),
                                      whole_numbers(group.dataset("indices")),
                                      whole_numbers(group.dataset("indptr")), shape[0], shape[1],
                                      by_row, group.where()),
                    o, group.text_attribute("axes").value_or(""), group.where(), monitor);
}

// When NWB units were observed; empty where the file does not tell. Between --start and --stop
// observations that touch are one.
std::vector<Interval> observed_intervals(const hdf5::Group& units, const RecordingOptions& o) {
    const std::vector<Interval> observed = read_nwb_observation(units);
    return o.start || o.stop ? joined(observed) : observed;
}

void take_array(OpenedRecording& opened, AnyArray array, const std::vector<Interval>& intervals,
                const RecordingOptions& o, Monitor& monitor) {
    if (auto* trains = std::get_if<SpikeTrains>(&array))
        take_spikes(opened, std::move(*trains), intervals, o);
    else
        opened.recording = from_array(std::move(array), o, opened.name, monitor);
}

void take_nwb_series(OpenedRecording& opened, const hdf5::Group& group, const RecordingOptions& o,
                     Monitor& monitor) {
    const auto [factor, offset] = [&] {
        const hdf5::Dataset data = group.dataset("data", hdf5::ReadOrder::rows);
        data.expect_numeric();
        if (data.rank() != 1) data.expect_rank(2);
        return std::make_pair(data.number_attribute("conversion").value_or(1),
                              data.number_attribute("offset").value_or(0));
    }();
    auto recording = dataset_at(group, "data", major_of(o.time_axis != TimeAxis::second), o,
                                monitor, factor, offset);
    const Sampling sampling = nwb_sampling(group, recording->bins());
    recording->bin_seconds = sampling.step;
    opened.segment_seconds = {sampling.start};
    opened.recording = std::move(recording);
}

std::unique_ptr<Recording> dense_dataset(const hdf5::Group& root, const std::string& path,
                                         const RecordingOptions& o, const std::string& where,
                                         Monitor& monitor) {
    const DatasetFacts data = facts_of_matrix(root, path);
    if (data.shape[0] == 0 || data.shape[1] == 0)
        throw Error(where + ": is empty (" + hdf5::shape_text(data.shape) + ")");
    const bool turned = time_first(o, data.axes, data.shape, where, monitor);
    return dataset_at(root, path, major_of(turned), o, monitor);
}

// MATLAB's second index is the first of the dataset.
std::unique_ptr<Recording> matlab_matrix(const hdf5::Group& root, const std::string& path,
                                         const hdf5::Shape& shape, const RecordingOptions& o,
                                         const std::string& where, Monitor& monitor) {
    expect_matrix(shape, where);
    return dataset_at(root, path, major_of(!time_first(o, "", shape, where, monitor)), o, monitor);
}

// The recording at opened.name, before its neighbours are looked at. `trials`: as asked for.
void take_member(OpenedRecording& opened, const hdf5::Group& root, const std::string& path,
                 const std::vector<Interval>& trials, const RecordingOptions& o, Monitor& monitor) {
    if (is_matlab(root, path)) {
        if (const auto shape = matlab73_shape(root, path))
            opened.recording = matlab_matrix(root, path, *shape, o, opened.name, monitor);
        else
            take_array(opened, read_matlab73(root, path), trials, o, monitor);
        return;
    }
    if (!root.has_group(path)) {
        opened.recording = dense_dataset(root, path, o, opened.name, monitor);
        return;
    }
    const hdf5::Group group = root.group(path);
    if (group.has_dataset("spike_times"))
        take_spikes(opened, read_nwb_units(group), o.trials ? trials : observed_intervals(group, o),
                    o);
    else if (is_time_series(root, path))
        take_nwb_series(opened, group, o, monitor);
    else if (group.has_dataset("indptr"))
        opened.recording = sparse_group(group, o, monitor);
    else
        throw Error(opened.name + ": is a group without data in a known layout; it holds " +
                    printable(join(group.names(), ", "), 150));
}

// An array of 0 and 1 as its file lays it out; without axes of its own, units first.
std::unique_ptr<Recording> mask_at(const hdf5::Group& root, const RecordingOptions& o,
                                   const std::string& where, Monitor& monitor) {
    if (is_matlab(root, o.mask)) {
        if (const auto shape = matlab73_shape(root, o.mask))
            return matlab_matrix(root, o.mask, *shape, o, where, monitor);
        return from_array(read_matlab73(root, o.mask), o, where, monitor);
    }
    const bool turned = time_first(o, facts_of_matrix(root, o.mask).axes, {1, 2}, where, monitor);
    return dataset_at(root, o.mask, major_of(turned), o, monitor);
}

void check_mask(const OpenedRecording& opened, const std::string& where) {
    const Recording &mask = *opened.mask, &recording = *opened.recording;
    if (mask.units() != recording.units() || mask.bins() != recording.bins())
        throw Error(concat(where, ": the mask has ", mask.units(), " units x ", mask.bins(),
                           " bins; the recording's ", recording.units(), " x ", recording.bins(),
                           " are expected"));
}

void open_hdf5(OpenedRecording& opened, const hdf5::Group& root, const hdf5::Address& address,
               const std::vector<Interval>& trials, const RecordingOptions& o, Monitor& monitor) {
    const std::string file = address.name();
    if (!o.times.empty()) {
        opened.name = file + ":" + o.times;
        take_spikes(opened,
                    group_spikes(vector_at(root, o.times),
                                 whole_numbers(vector_at(root, o.ids), file + ":" + o.ids)),
                    trials, o);
        if (!o.segments.empty()) adopt_segments_at(opened, neighbours_of(root), o.segments);
    } else {
        const std::string path = choose_path(root, address, o);
        opened.name = file + ":" + path;
        if (!root.has(path))
            throw Error(opened.name + ": not in the file; it holds " +
                        printable(join(candidates(root), ", "), 150));
        take_member(opened, root, path, trials, o, monitor);
        adopt_neighbours(opened, root, path, o);
    }
    if (o.mask.empty()) return;
    const std::string where = file + ":" + o.mask;
    opened.mask = mask_at(root, o, where, monitor);
    check_mask(opened, where);
}

std::unique_ptr<Recording> npy_matrix(const std::string& file, const RecordingOptions& o,
                                      const std::string& where, Monitor& monitor) {
    auto mapped = std::make_shared<const MappedFile>(file);
    NpyNumbers numbers = npy_numbers(mapped->bytes(), file);
    expect_matrix(numbers.shape, where);
    const Major major = major_of(time_first(o, "", numbers.shape, where, monitor));
    return std::make_unique<NpyRecording>(std::move(mapped), std::move(numbers), major);
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

std::string without_slash(std::string path) {
    while (starts_with(path, "/")) path.erase(0, 1);
    return path;
}

// What stands beside the data in an archive: dt, segment_start, segment_time, unit_id.
void adopt_members(OpenedRecording& opened, const NpzArchive& archive, const RecordingOptions& o) {
    const auto place = [&](const std::string& member) { return archive.path() + ":/" + member; };
    const auto wholes = [&](const std::string& member) {
        return whole_numbers(archive.numbers(member).values, place(member));
    };
    Recording& recording = *opened.recording;
    if (!recording.bin_seconds) recording.bin_seconds = npz_dt(archive);
    const Neighbours file{
        [&](const std::string& member) { return archive.has(without_slash(member)); },
        [&](const std::string& member) { return archive.numbers(without_slash(member)).values; },
        [&](const std::string& member) { return place(without_slash(member)); }};
    adopt_segmentation(opened, file, "", o);
    if (archive.has("unit_id"))
        if (const auto ids = wholes("unit_id"); static_cast<Index>(ids.size()) == recording.units())
            recording.unit_ids = ids;
}

void open_npz(OpenedRecording& opened, const NpzArchive& archive, const std::string& name,
              const RecordingOptions& o, Monitor& monitor) {
    take_array(opened, npz_array(archive, name), {}, o, monitor);
    adopt_members(opened, archive, o);
    if (o.mask.empty()) return;
    const std::string member = without_slash(o.mask), where = archive.path() + ":/" + member;
    opened.mask = from_array(archive.numbers(member), o, where, monitor);
    check_mask(opened, where);
}

void open_matlab5(OpenedRecording& opened, const std::string& file, const std::string& name,
                  const RecordingOptions& o, Monitor& monitor) {
    take_array(opened, read_matlab5(file, name), {}, o, monitor);
    const auto member = [&](const std::string& path) {
        return read_matlab5(file, without_slash(path));
    };
    if (!o.segments.empty()) {
        const std::string where = file + ":/" + without_slash(o.segments);
        const AnyArray starts = member(o.segments);
        const auto* dense = std::get_if<DenseArray>(&starts);
        if (dense == nullptr) throw Error(where + ": a vector of first bins is expected");
        adopt_segments(opened, whole_numbers(dense->values, where), where);
    }
    if (o.mask.empty()) return;
    const std::string where = file + ":/" + without_slash(o.mask);
    opened.mask = from_array(member(o.mask), o, where, monitor);
    check_mask(opened, where);
}

std::string only_matlab5_name(const std::string& file) {
    const auto names = matlab5_names(file);
    if (names.empty()) throw Error(file + ": holds no arrays; it may be cut short");
    if (names.size() == 1) return names.front();
    throw Error(file + ": --dataset names one of " + printable(join(names, ", "), 150));
}

void open_foreign(OpenedRecording& opened, FileKind kind, const hdf5::Address& address,
                  const RecordingOptions& o, Monitor& monitor) {
    const std::string& file = address.file;
    std::string name = without_slash(o.dataset.empty() ? address.path : o.dataset);
    if (o.trials)
        throw Error(file + ": --trials reads /intervals/trials of an NWB file, and this is none");
    if (kind == FileKind::matlab5 && o.times.empty() && name.empty())
        name = only_matlab5_name(file);
    opened.name = file + (name.empty() ? "" : ":/" + name);
    if (kind == FileKind::npz) {
        open_npz(opened, NpzArchive(file), name, o, monitor);
        return;
    }
    if (kind == FileKind::matlab5 && o.times.empty()) {
        open_matlab5(opened, file, name, o, monitor);
        return;
    }
    if (!o.mask.empty() || !o.segments.empty())
        throw Error(file + ": --mask and --segments name arrays of the file, and this one holds " +
                    (kind == FileKind::matlab5 ? "spike times" : "a single one"));
    if (kind == FileKind::npy)
        opened.recording = npy_matrix(file, o, opened.name, monitor);
    else
        take_spikes(opened, open_spikes(address, o, {}), {}, o);
}

// --dt, --start, --stop and --trials on an array, whose bins are made already.
void take_time(OpenedRecording& opened, const std::vector<Interval>& trials,
               const RecordingOptions& o, Monitor& monitor) {
    std::optional<double>& dt = opened.recording->bin_seconds;
    if (o.dt && dt && !(std::abs(*o.dt - *dt) <= 1e-6 * *dt))
        monitor.warn(concat(opened.name, ": its bins last ", *dt, " s; --dt ", *o.dt,
                            " does not change that"));
    if (!dt) dt = o.dt;
    if (trials.empty() && !o.start && !o.stop) return;
    if (!dt)
        throw Error(opened.name +
                    ": states no dt; --dt SECONDS is expected with --start, --stop and --trials");
    at_place(opened.name, [&] {
        constexpr double kEver = std::numeric_limits<double>::infinity();
        const std::vector<Interval> always{{-kEver, kEver}};
        const RecordingFacts facts = opened.facts();
        const auto stretches =
            stretches_within(facts, opened.recording->bins(),
                             intervals_between(trials.empty() ? always : trials, o.start, o.stop));
        opened.segment_seconds.clear();
        for (const Stretch& stretch : stretches)
            opened.segment_seconds.push_back(facts.seconds_of(stretch.first));
        opened.recording = excerpt(std::move(opened.recording), stretches);
        if (opened.mask) opened.mask = excerpt(std::move(opened.mask), stretches);
    });
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

RecordingFacts OpenedRecording::facts() const {
    RecordingFacts facts = facts_of(*recording);
    facts.segment_seconds = segment_seconds;
    return facts;
}

SpikeTrains open_spikes(const hdf5::Address& address, const RecordingOptions& o,
                        const Opener& opener) {
    const FileKind kind = file_kind(address);
    if (kind == FileKind::text) return read_spike_csv(read_text(address.file), address.file);
    const auto trains_of = [&](AnyArray array, const std::string& where) {
        if (auto* trains = std::get_if<SpikeTrains>(&array)) return std::move(*trains);
        throw Error(where + ": holds an array; spike times are expected");
    };
    const std::string path = o.dataset.empty() ? address.path : o.dataset;
    if (kind == FileKind::matlab5) {
        if (o.times.empty())
            return trains_of(read_matlab5(address.file, without_slash(path)), address.file);
        const auto vector = [&](const std::string& name) {
            AnyArray array = read_matlab5(address.file, without_slash(name));
            if (auto* dense = std::get_if<DenseArray>(&array)) return dense->values;
            throw Error(address.file + ":/" + without_slash(name) +
                        ": a vector of numbers is expected");
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
    std::vector<Interval> trials;
    const FileKind kind = file_kind(address);
    if (kind == FileKind::hdf5) {
        const hdf5::Group root = open_input(address, opener).root();
        if (options.trials) trials = read_nwb_trials(root);
        open_hdf5(opened, root, address, trials, options, monitor);
    } else {
        opener.foreign(address.file);
        open_foreign(opened, kind, address, options, monitor);
    }
    if (opened.outside > 0)
        monitor.warn(concat(opened.name, ": ", opened.outside,
                            " spikes lie outside the binned time and are not counted"));
    if (opened.recording->units() == 0 || opened.recording->bins() == 0)
        throw Error(opened.name + ": is empty");
    if (!opened.counts) take_time(opened, trials, options, monitor);
    // Small enough: read once.
    const Recording& r = *opened.recording;
    if (!r.in_memory() && read_at_once(r, options)) {
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
