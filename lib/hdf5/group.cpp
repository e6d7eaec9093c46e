#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/descriptors.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <utility>

namespace assay::hdf5 {
namespace {

constexpr std::size_t kCompactLimit = 4096; // bytes that lie inside the checksummed object header
constexpr std::size_t kChunkBytes = std::size_t{1} << 19U;
constexpr double kWorthwhileRatio = 0.7; // compressed share of a sample below which deflate is used

Handle group_creation() {
    Handle list(H5Pcreate(H5P_GROUP_CREATE));
    H5Pset_link_creation_order(list.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(list.get(), false);
    return list;
}

// Whole rows where they fit, along C order.
std::vector<hsize_t> chunk_shape(const Shape& shape, std::size_t element_bytes) {
    std::vector<hsize_t> chunk(shape.size(), 1);
    std::size_t bytes = element_bytes;
    for (std::size_t i = shape.size(); i-- > 0;) {
        const std::size_t fits = std::max<std::size_t>(1, kChunkBytes / bytes);
        chunk[i] = std::min<hsize_t>(static_cast<hsize_t>(std::max<Index>(1, shape[i])), fits);
        bytes *= chunk[i];
    }
    return chunk;
}

// Whether byte shuffling and deflate shrink a sample from the middle of the data enough.
bool worth_compressing(const void* data, std::size_t elements, std::size_t element_bytes) {
    const std::size_t sample = std::min(elements, kChunkBytes / element_bytes / 4);
    const auto* bytes =
        static_cast<const unsigned char*>(data) + (elements - sample) / 2 * element_bytes;
    std::vector<unsigned char> shuffled(sample * element_bytes);
    for (std::size_t i = 0; i < sample; ++i)
        for (std::size_t b = 0; b < element_bytes; ++b)
            shuffled[b * sample + i] = bytes[i * element_bytes + b];
    uLongf packed_size = compressBound(shuffled.size());
    std::vector<unsigned char> packed(packed_size);
    if (compress2(packed.data(), &packed_size, shuffled.data(), shuffled.size(), 1) != Z_OK)
        return false;
    return static_cast<double>(packed_size) <
           kWorthwhileRatio * static_cast<double>(shuffled.size());
}

// An access list through which no link leads into another file.
Handle inside_this_file(Id list_class) {
    Handle list(H5Pcreate(list_class));
    const auto refuse = [](const char*, const char*, const char*, const char*, unsigned*, hid_t,
                           void*) -> herr_t { return -1; };
    H5Pset_elink_cb(list.get(), refuse, nullptr);
    return list;
}

// Numbers that lie in other files are not read either.
void refuse_outside_storage(Id dataset, const std::string& place) {
    const Handle list(H5Dget_create_plist(dataset));
    if (H5Pget_external_count(list.get()) > 0 || H5Pget_layout(list.get()) == H5D_VIRTUAL)
        throw Error(place + ": keeps its numbers in another file, which is not followed");
}

constexpr std::size_t kLeastChunkCache = std::size_t{16} << 20U;
constexpr std::size_t kMostChunkCache = std::size_t{256} << 20U;
// Chunks that were read to their end go first. At 1 the library would let no others go, and the
// cache would grow without bound.
constexpr double kPreemption = 0.75;

// Bytes of all chunks that share a position on the last axis; 0 for what is not a chunked matrix.
std::size_t bytes_of_chunk_column(Id dataset) {
    const Handle list(H5Dget_create_plist(dataset)), space(H5Dget_space(dataset)),
        type(H5Dget_type(dataset));
    if (H5Pget_layout(list.get()) != H5D_CHUNKED || H5Sget_simple_extent_ndims(space.get()) != 2)
        return 0;
    std::array<hsize_t, 2> chunk{}, extent{};
    if (H5Pget_chunk(list.get(), 2, chunk.data()) != 2 || chunk[0] == 0) return 0;
    H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr);
    const hsize_t chunks = (extent[0] + chunk[0] - 1) / chunk[0];
    const double bytes = static_cast<double>(chunks) * static_cast<double>(chunk[0]) *
                         static_cast<double>(chunk[1]) *
                         static_cast<double>(H5Tget_size(type.get()));
    return bytes < 1e15 ? static_cast<std::size_t>(bytes) + 4096 : 0;
}

void describe(Dataset& dataset, const ArrayInfo& info) {
    if (!info.axes.empty()) dataset.set_attribute("axes", info.axes);
    if (!info.units.empty()) dataset.set_attribute("units", info.units);
    if (!info.description.empty()) dataset.set_attribute("description", info.description);
}

} // namespace

Handle link_creation() {
    Handle list(H5Pcreate(H5P_LINK_CREATE));
    H5Pset_create_intermediate_group(list.get(), 1);
    H5Pset_char_encoding(list.get(), H5T_CSET_UTF8);
    return list;
}

Handle dataset_creation(const Shape& shape, std::size_t element_bytes, std::size_t bytes,
                        bool deflate, const Shape& wanted_chunk) {
    Handle list(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(list.get(), false);
    H5Pset_fill_time(list.get(), H5D_FILL_TIME_IFSET);
    if (bytes < kCompactLimit) {
        H5Pset_layout(list.get(), H5D_COMPACT);
    } else {
        const auto chunk = wanted_chunk.empty()
                               ? chunk_shape(shape, element_bytes)
                               : std::vector<hsize_t>(wanted_chunk.begin(), wanted_chunk.end());
        H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data());
        if (deflate) {
            H5Pset_shuffle(list.get());
            H5Pset_deflate(list.get(), 1);
        }
        H5Pset_fletcher32(list.get());
    }
    return list;
}

Group::Group(std::shared_ptr<Handle> handle, std::string file, std::string path,
             Compression compression)
    : Object(std::move(handle), std::move(file), std::move(path)), compression_(compression) {}

std::string Group::absolute(const std::string& path) const {
    if (starts_with(path, "/")) return path;
    return (path_ == "/" ? "/" : path_ + "/") + path;
}

std::vector<std::string> Group::names() const {
    silence_library();
    H5G_info_t info{};
    check(H5Gget_info(id(), &info), where_, "its members cannot be listed; the file is damaged");
    // In the library's own order: for any other it makes a table first, and where damage stops it
    // there, it frees what it has not filled.
    struct Member {
        std::string name;
        std::int64_t created;
    };
    struct Members {
        std::vector<Member> list;
        bool ordered = true; // the order of creation is known
    } members;
    const auto collect = [](hid_t, const char* name, const H5L_info_t* link, void* into) -> herr_t {
        auto& found = *static_cast<Members*>(into);
        found.ordered = found.ordered && link->corder_valid;
        found.list.push_back({name, link->corder});
        return 0;
    };
    check(H5Literate(id(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, collect, &members), where_,
          "its members cannot be listed; the file is damaged");
    std::sort(members.list.begin(), members.list.end(), [&](const Member& a, const Member& b) {
        return members.ordered ? a.created < b.created : a.name < b.name;
    });
    std::vector<std::string> names;
    for (auto& member : members.list) names.push_back(std::move(member.name));
    return names;
}

// Every link on the way must exist and lie in this file.
void Group::check_links(const std::string& path) const {
    std::string way = starts_with(path, "/") ? "/" : "";
    for (const auto& part : split(path, '/')) {
        if (part.empty()) continue;
        way += part;
        if (H5Lexists(id(), way.c_str(), H5P_DEFAULT) <= 0)
            throw Error(file_ + ":" + absolute(way) + ": not in the file");
        H5L_info_t info{};
        check(H5Lget_info(id(), way.c_str(), &info, H5P_DEFAULT), file_ + ":" + absolute(way),
              "the link cannot be read; the file is damaged");
        if (info.type == H5L_TYPE_EXTERNAL)
            throw Error(file_ + ":" + absolute(way) +
                        ": is a link into another file, which is not followed");
        way += "/";
    }
}

bool Group::has(const std::string& path) const {
    silence_library();
    try {
        check_links(path);
    } catch (const Error&) {
        return false;
    }
    return path == "/" ||
           H5Oexists_by_name(id(), path.c_str(), inside_this_file(H5P_LINK_ACCESS).get()) > 0;
}

namespace {

H5I_type_t type_at(const Group& group, const std::string& path) {
    if (!group.has(path)) return H5I_BADID;
    const Handle object(H5Oopen(group.id(), path.c_str(), inside_this_file(H5P_LINK_ACCESS).get()));
    return object.get() < 0 ? H5I_BADID : H5Iget_type(object.get());
}

} // namespace

bool Group::has_group(const std::string& path) const {
    return type_at(*this, path) == H5I_GROUP;
}
bool Group::has_dataset(const std::string& path) const {
    return type_at(*this, path) == H5I_DATASET;
}

Group Group::group(const std::string& path) const {
    silence_library();
    check_links(path);
    if (!has_group(path)) throw Error(file_ + ":" + absolute(path) + ": is not a group");
    Handle opened = checked(H5Gopen2(id(), path.c_str(), inside_this_file(H5P_GROUP_ACCESS).get()),
                            file_ + ":" + absolute(path), "cannot be opened");
    return {kept_open(handle_, std::move(opened)), file_, absolute(path), compression_};
}

Dataset Group::dataset(const std::string& path, ReadOrder order) const {
    silence_library();
    check_links(path);
    if (!has_dataset(path)) throw Error(file_ + ":" + absolute(path) + ": is not a dataset");
    const std::string place = file_ + ":" + absolute(path);
    const auto open_with = [&](std::size_t cache_bytes) {
        const Handle access = inside_this_file(H5P_DATASET_ACCESS);
        H5Pset_chunk_cache(access.get(), 10007, cache_bytes, kPreemption);
        return kept_open(handle_, checked(H5Dopen2(id(), path.c_str(), access.get()), place,
                                          "cannot be opened"));
    };
    auto handle = open_with(kLeastChunkCache);
    refuse_outside_storage(handle->get(), place);
    // Reading a few columns touches the chunks of all rows; a cache that cannot hold them reads
    // each again and again.
    const std::size_t column = bytes_of_chunk_column(handle->get());
    if (order == ReadOrder::columns && column > kLeastChunkCache) {
        handle.reset();
        handle = open_with(std::min(column, kMostChunkCache));
    }
    return {handle, file_, absolute(path)};
}

std::vector<std::string> Group::dataset_paths(std::size_t limit) const {
    silence_library();
    struct Walk {
        std::vector<std::string> paths;
        std::string prefix;
        std::size_t limit;
    } walk{{}, path_ == "/" ? "/" : path_ + "/", limit};
    const auto visit = [](hid_t, const char* name, const H5O_info_t* info, void* data) -> herr_t {
        auto& into = *static_cast<Walk*>(data);
        if (info->type == H5O_TYPE_DATASET) into.paths.push_back(into.prefix + name);
        return into.paths.size() >= into.limit ? 1 : 0;
    };
    // As in names().
    check(H5Ovisit2(id(), H5_INDEX_NAME, H5_ITER_NATIVE, visit, &walk, H5O_INFO_BASIC), where_,
          "its members cannot be listed; the file is damaged");
    std::sort(walk.paths.begin(), walk.paths.end());
    return walk.paths;
}

Group Group::create_group(const std::string& path) {
    if (has_group(path)) return group(path);
    // One level at a time, so that each keeps the order of creation.
    std::string way = starts_with(path, "/") ? "/" : "";
    for (const auto& part : split(path, '/')) {
        if (part.empty()) continue;
        way += part;
        if (!has(way))
            checked(H5Gcreate2(id(), way.c_str(), link_creation().get(), group_creation().get(),
                               H5P_DEFAULT),
                    file_ + ":" + absolute(way), "the group cannot be made; is the disk full?");
        way += "/";
    }
    return group(path);
}

bool Group::deflates(const void* sample, Index numbers, std::size_t number_bytes) const {
    if (compression_ == Compression::always) return true;
    return compression_ == Compression::automatic && numbers > 0 &&
           worth_compressing(sample, static_cast<std::size_t>(numbers), number_bytes);
}

template <class T>
Dataset Group::create(const std::string& name, const Shape& shape, const ArrayInfo& info,
                      const Shape& chunk, const T* sample, Index sample_size) {
    const std::string place = file_ + ":" + absolute(name);
    const auto bytes = static_cast<std::size_t>(element_count(shape, place)) * sizeof(T);
    const bool deflate = bytes >= kCompactLimit && deflates(sample, sample_size, sizeof(T));
    const Handle list = dataset_creation(shape, sizeof(T), bytes, deflate, chunk);
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Handle space(extents.empty() ? H5Screate(H5S_SCALAR)
                                       : H5Screate_simple(static_cast<int>(extents.size()),
                                                          extents.data(), nullptr));
    Handle made = checked(H5Dcreate2(id(), name.c_str(), file_type<T>(), space.get(),
                                     link_creation().get(), list.get(), H5P_DEFAULT),
                          place, "cannot be made; is the disk full?");
    Dataset dataset(kept_open(handle_, std::move(made)), file_, absolute(name));
    describe(dataset, info);
    return dataset;
}

template <class T>
void Group::write(const std::string& name, const T* data, const Shape& shape,
                  const ArrayInfo& info) {
    const std::string place = file_ + ":" + absolute(name);
    const Index elements = element_count(shape, place);
    const Dataset dataset = create<T>(name, shape, info, {}, data, elements);
    if (elements > 0)
        check(H5Dwrite(dataset.id(), memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, data), place,
              "cannot be written; is the disk full?");
}

void Group::write(const std::string& name, const Vector& data, const ArrayInfo& info) {
    write(name, data.data(), Shape{data.size()}, info);
}

void Group::write(const std::string& name, const Matrix& data, const ArrayInfo& info) {
    const RowMatrix rows = data;
    write(name, rows.data(), Shape{rows.rows(), rows.cols()}, info);
}

void Group::write_scalar(const std::string& name, double value, const ArrayInfo& info) {
    write(name, &value, Shape{}, info);
}

void Group::write_text(const std::string& name, const std::string& text) {
    if (text.size() <= kTextAttributeLimit) {
        set_attribute(name, text);
        return;
    }
    write(name, reinterpret_cast<const std::uint8_t*>(text.data()),
          Shape{static_cast<Index>(text.size())}, {"byte", "", "UTF-8 text"});
}

std::optional<std::string> Group::read_text(const std::string& name) const {
    if (auto text = text_attribute(name)) return text;
    if (!has_dataset(name)) return std::nullopt;
    const auto bytes = dataset(name).read<std::uint8_t>();
    return std::string(bytes.begin(), bytes.end());
}

namespace {

hsize_t stored_bytes(const Group& source, const std::string& path) {
    if (source.has_dataset(path)) return H5Dget_storage_size(source.dataset(path).id());
    const Group group = source.group(path);
    hsize_t bytes = 0;
    for (const auto& one : group.dataset_paths())
        bytes += H5Dget_storage_size(group.dataset(one).id());
    return bytes;
}

// Takes blocks on the disk for what a file will grow by: the library crashes over a copy that a
// full disk cannot take. Where the file system does not know of that, nothing is done.
void reserve(Id object, hsize_t bytes, const std::string& place) {
    if (bytes < kCompactLimit) return;
    const Handle file(H5Iget_file_id(object));
    void* descriptor = nullptr;
    hsize_t end = 0;
    if (H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &descriptor) < 0 ||
        H5Fget_filesize(file.get(), &end) < 0)
        return;
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    if (end + bytes > limit.rlim_cur)
        errno = EFBIG;
    else if (fallocate(*static_cast<int*>(descriptor), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end),
                       static_cast<off_t>(bytes)) == 0)
        return;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        throw Error(place + ": cannot be copied to the output (" + system_reason() + ")");
}

} // namespace

void Group::copy_from(const Group& source, const std::string& path) {
    reserve(id(), stored_bytes(source, path), file_ + ":" + absolute(path));
    const Handle list(H5Pcreate(H5P_OBJECT_COPY));
    check(H5Ocopy(source.id(), path.c_str(), id(), path.c_str(), list.get(), link_creation().get()),
          source.file_ + ":" + source.absolute(path), "cannot be copied to the output");
}

#define ASSAY_INSTANTIATE(T)                                                                       \
    template ASSAY_API Dataset Group::create<T>(const std::string&, const Shape&,                  \
                                                const ArrayInfo&, const Shape&, const T*, Index);  \
    template ASSAY_API void Group::write<T>(const std::string&, const T*, const Shape&,            \
                                            const ArrayInfo&);
ASSAY_INSTANTIATE(double)
ASSAY_INSTANTIATE(float)
ASSAY_INSTANTIATE(std::int64_t)
ASSAY_INSTANTIATE(std::int32_t)
ASSAY_INSTANTIATE(std::uint64_t)
ASSAY_INSTANTIATE(std::uint16_t)
ASSAY_INSTANTIATE(std::uint8_t)
ASSAY_INSTANTIATE(std::int16_t)
ASSAY_INSTANTIATE(std::int8_t)
ASSAY_INSTANTIATE(std::complex<double>)
#undef ASSAY_INSTANTIATE

File::File(Handle handle, std::string name, Compression compression)
    : handle_(std::make_shared<Handle>(std::move(handle))), name_(std::move(name)),
      compression_(compression) {}

File File::open(const std::string& path, const std::string& name) {
    silence_library();
    const Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
    H5Pset_file_locking(access.get(), false, true);
    return {checked(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), name,
                    "cannot be opened as HDF5; the file is damaged or incomplete"),
            name, Compression::none};
}

File File::create(const std::string& path, const std::string& name, Compression compression) {
    silence_library();
    const Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
    H5Pset_file_locking(access.get(), false, true);
    const Handle creation(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_link_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(creation.get(), false);
    File file(checked(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), name,
                      "cannot be made there"),
              name, compression);
    file.root().set_attribute("format", kFormat);
    return file;
}

Group File::root() const {
    Handle opened = checked(H5Gopen2(handle_->get(), "/", H5P_DEFAULT), name_,
                            "has no root group; the file is damaged");
    return {kept_open(handle_, std::move(opened)), name_, "/", compression_};
}

void File::close() {
    const Id id = handle_->get();
    if (id < 0) return;
    constexpr const char* kNotWritten = "cannot be written; is the disk full?";
    check(H5Fflush(id, H5F_SCOPE_GLOBAL), name_, kNotWritten);
    check(H5Fclose(handle_->release()), name_, kNotWritten);
}

} // namespace assay::hdf5
