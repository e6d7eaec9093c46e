#include <assay/hdf5/row_store.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/chunks.hpp>
#include <assay/hdf5/descriptors.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <limits>
#include <sys/stat.h>
#include <type_traits>
#include <unistd.h>
#include <vector>

namespace assay::hdf5 {
namespace {

constexpr double kBlockBytes = 8 << 20;     // of one read from the file
constexpr double kLargestBlock = 128 << 20; // where chunks are tall
constexpr Index kBlocksPerRelease = 4;
constexpr double kReadBytes = 1 << 20; // of rows on disk, at once

enum class Stored { float32, float64, int8, uint8, int16, uint16, int32, int64, uint64 };

// The smallest of our types that holds all numbers of a dataset's.
Stored stored_as(const Dataset& dataset) {
    const int bytes = dataset.element_bytes();
    if (dataset.kind() == Kind::floating) return bytes <= 4 ? Stored::float32 : Stored::float64;
    const Handle type(H5Dget_type(dataset.id()));
    const bool is_signed = H5Tget_sign(type.get()) == H5T_SGN_2; // an enumeration's is its base's
    if (bytes == 1) return is_signed ? Stored::int8 : Stored::uint8;
    if (bytes == 2) return is_signed ? Stored::int16 : Stored::uint16;
    if (bytes < 4 || (is_signed && bytes == 4)) return Stored::int32;
    return is_signed || bytes == 4 ? Stored::int64 : Stored::uint64;
}

// Calls body(T{}) with the type that `stored` names.
template <class Body>
auto with_type(Stored stored, Body&& body) {
    switch (stored) {
    case Stored::float32:
        return body(float{});
    case Stored::int8:
        return body(std::int8_t{});
    case Stored::uint8:
        return body(std::uint8_t{});
    case Stored::int16:
        return body(std::int16_t{});
    case Stored::uint16:
        return body(std::uint16_t{});
    case Stored::int32:
        return body(std::int32_t{});
    case Stored::int64:
        return body(std::int64_t{});
    case Stored::uint64:
        return body(std::uint64_t{});
    default:
        return body(double{});
    }
}

std::size_t size_of(Stored stored) {
    return with_type(stored, [](auto number) { return sizeof number; });
}

// Rows of a chunk; 1 where the dataset has none.
Index chunk_rows(const Dataset& dataset) {
    const Shape chunk = chunk_shape(dataset);
    return chunk.empty() ? 1 : chunk.front();
}

// Where the file holds a dataset's numbers as we would: one stretch, our type, our byte order.
std::optional<std::uint64_t> offset_in_file(const Dataset& dataset, Stored stored) {
    const Handle creation(H5Dget_create_plist(dataset.id())), type(H5Dget_type(dataset.id()));
    const Id ours = with_type(stored, [](auto number) { return memory_type<decltype(number)>(); });
    if (H5Pget_layout(creation.get()) != H5D_CONTIGUOUS ||
        H5Pget_external_count(creation.get()) > 0 || H5Tequal(type.get(), ours) <= 0)
        return std::nullopt;
    const haddr_t offset = H5Dget_offset(dataset.id());
    if (offset == HADDR_UNDEF) return std::nullopt;
    return offset;
}

std::string file_of(const Dataset& dataset) {
    std::string name(4096, '\0');
    const ssize_t length = H5Fget_name(dataset.id(), name.data(), name.size());
    name.resize(length > 0 ? std::min(static_cast<std::size_t>(length), name.size()) : 0);
    return name;
}

} // namespace

struct RowStore::State {
    std::string where;
    Stored stored = Stored::float64;
    Index rows = 0, row_size = 1;
    std::size_t row_bytes = 0;
    std::vector<char> memory;
    Descriptor file;
    std::uint64_t offset = 0;
    bool on_disk = false;

    void read_rows(const Dataset& dataset, Index first, Index count, char* out) const {
        Shape start(dataset.shape().size(), 0), extent = dataset.shape();
        start[0] = first;
        extent[0] = count;
        with_type(stored, [&](auto number) {
            using T = decltype(number);
            dataset.read_box(start, extent, reinterpret_cast<T*>(out));
        });
    }

    // Whole chunks at a time: each is unpacked once.
    [[nodiscard]] Index rows_of_block(const Dataset& dataset) const {
        const double bytes = std::max<double>(1, static_cast<double>(row_bytes));
        const Index chunk = chunk_rows(dataset);
        Index count = std::max<Index>(1, static_cast<Index>(kBlockBytes / bytes));
        if (static_cast<double>(chunk) * bytes <= kLargestBlock)
            count = (count + chunk - 1) / chunk * chunk;
        return std::min(count, std::max<Index>(1, rows));
    }

    // A folder that fills up stops more than this program.
    void expect_room(const std::string& directory) const {
        const double bytes = static_cast<double>(rows) * static_cast<double>(row_bytes);
        const auto room = free_bytes(directory);
        if (room && bytes > static_cast<double>(*room))
            throw Error(concat(where, ": unpacked it takes ", human_bytes(bytes), "; ", directory,
                               " has ", human_bytes(static_cast<double>(*room)),
                               " free (TMPDIR names another folder)"));
    }

    // While one block is written the next is read.
    void unpack(const Dataset& dataset, const std::string& directory) {
        expect_room(directory);
        auto [descriptor, path] = temporary_in(directory);
        unlink(path.c_str());
        file = std::move(descriptor);
        const Index block = rows_of_block(dataset);
        std::vector<char> ahead(static_cast<std::size_t>(block) * row_bytes), now(ahead.size());
        const auto fetch = [&](Index first) {
            read_rows(dataset, first, std::min(block, rows - first), ahead.data());
        };
        std::future<void> fetching = std::async(std::launch::async, fetch, Index{0});
        for (Index first = 0, blocks = 1; first < rows; first += block, ++blocks) {
            fetching.get();
            std::swap(now, ahead);
            if (first + block < rows)
                fetching = std::async(std::launch::async, fetch, first + block);
            const auto bytes = static_cast<std::size_t>(std::min(block, rows - first)) * row_bytes;
            stop_if_interrupted();
            if (!write_all(file.get(), now.data(), bytes))
                throw Error(where + ": cannot be unpacked into " + directory + " (" +
                            system_reason() + "); TMPDIR names another folder");
            if (blocks % kBlocksPerRelease == 0) release_free_memory();
        }
    }

    [[nodiscard]] bool stands_in_file(const Dataset& dataset) {
        const auto found = offset_in_file(dataset, stored);
        const std::string name = found ? file_of(dataset) : "";
        if (name.empty()) return false;
        Descriptor opened(open(name.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        if (opened.get() < 0 || fstat(opened.get(), &status) != 0) return false;
        if (static_cast<double>(status.st_size) <
            static_cast<double>(*found) +
                static_cast<double>(row_bytes) * static_cast<double>(rows))
            throw Error(where + ": its numbers cannot be read; the file is damaged or incomplete");
        file = std::move(opened);
        offset = *found;
        return true;
    }

    // Bytes of consecutive rows; of those on disk, until this thread asks for others.
    [[nodiscard]] const char* bytes_of(Index first, Index count) const {
        const auto start = static_cast<std::uint64_t>(first) * row_bytes;
        if (!on_disk) return memory.data() + start;
        thread_local std::vector<char> buffer;
        buffer.resize(static_cast<std::size_t>(count) * row_bytes);
        for (std::size_t got = 0; got < buffer.size();) {
            const ssize_t more = pread(file.get(), buffer.data() + got, buffer.size() - got,
                                       static_cast<off_t>(offset + start + got));
            if (more < 0 && errno == EINTR) continue;
            if (more <= 0)
                throw Error(concat(where, ": row ", first + static_cast<Index>(got / row_bytes),
                                   " cannot be read (",
                                   more < 0 ? system_reason() : "the file has shrunk", ")"));
            got += static_cast<std::size_t>(more);
        }
        return buffer.data();
    }

    // Rows of one reading.
    [[nodiscard]] Index most_rows(Index count) const {
        if (!on_disk) return count;
        return std::max<Index>(1, static_cast<Index>(kReadBytes / static_cast<double>(row_bytes)));
    }

    // Numbers that int64 cannot hold.
    void check_range(const std::uint64_t* numbers, Index count, Index first) const {
        constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
        const auto* const found = std::find_if(numbers, numbers + count,
                                               [](std::uint64_t number) { return number > kMost; });
        if (found != numbers + count)
            throw Error(concat(where, ": row ", first + (found - numbers) / row_size, " holds ",
                               *found, "; integers up to ", kMost, " are expected"));
    }

    template <class From, class To>
    void convert(const char* bytes, Index first, Index count, To* out) const {
        const auto* const numbers = reinterpret_cast<const From*>(bytes);
        if constexpr (std::is_same_v<From, std::uint64_t> && std::is_same_v<To, std::int64_t>)
            check_range(numbers, count * row_size, first);
        std::transform(numbers, numbers + count * row_size, out,
                       [](From number) { return static_cast<To>(number); });
    }
};

RowStore::~RowStore() = default;
RowStore::RowStore(RowStore&&) noexcept = default;
RowStore& RowStore::operator=(RowStore&&) noexcept = default;

RowStore::RowStore(const Dataset& dataset, RowPlace place, const std::string& directory)
    : state_(std::make_unique<State>()) {
    dataset.expect_numeric();
    ASSAY_ASSERT(dataset.rank() >= 1, "a dataset without rows");
    State& s = *state_;
    s.where = dataset.where();
    s.stored = stored_as(dataset);
    s.rows = dataset.shape()[0];
    s.row_size = s.rows > 0 ? dataset.size() / s.rows : 0;
    s.row_bytes = static_cast<std::size_t>(s.row_size) * size_of(s.stored);
    s.on_disk = place == RowPlace::disk && dataset.size() > 0;
    if (s.on_disk) {
        check_memory(static_cast<double>(s.row_bytes), dataset.where() + ": one row");
        if (!s.stands_in_file(dataset)) s.unpack(dataset, directory);
        return;
    }
    check_memory(bytes(dataset), dataset.where());
    s.memory.resize(static_cast<std::size_t>(s.rows) * s.row_bytes);
    if (dataset.size() > 0) s.read_rows(dataset, 0, s.rows, s.memory.data());
}

double RowStore::bytes(const Dataset& dataset) {
    return static_cast<double>(dataset.size()) * static_cast<double>(size_of(stored_as(dataset)));
}

Index RowStore::rows() const {
    return state_->rows;
}

Index RowStore::row_size() const {
    return state_->row_size;
}

const std::string& RowStore::where() const {
    return state_->where;
}

template <class T>
void RowStore::read(Index first, Index count, T* out) const {
    const State& s = *state_;
    const Index most = s.most_rows(count);
    for (Index done = 0; done < count; done += most) {
        const Index now = std::min(most, count - done);
        const char* const bytes = s.bytes_of(first + done, now);
        with_type(s.stored, [&](auto number) {
            s.convert<decltype(number)>(bytes, first + done, now, out + done * s.row_size);
        });
    }
}

void RowStore::announce(Index first, Index count) const {
    const State& s = *state_;
    if (!s.on_disk) return;
    posix_fadvise(s.file.get(),
                  static_cast<off_t>(s.offset + static_cast<std::uint64_t>(first) * s.row_bytes),
                  static_cast<off_t>(static_cast<std::uint64_t>(count) * s.row_bytes),
                  POSIX_FADV_WILLNEED);
}

template ASSAY_API void RowStore::read(Index, Index, double*) const;
template ASSAY_API void RowStore::read(Index, Index, std::int64_t*) const;

} // namespace assay::hdf5
