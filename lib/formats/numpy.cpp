// .npy and .npz: headers are parsed, never evaluated; sizes are checked against the bytes that are
// there.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace assay::formats {
namespace {

constexpr std::uint64_t kMostEntryBytes = std::uint64_t{1} << 40U;

struct Header {
    std::string descr;
    bool fortran = false;
    hdf5::Shape shape;
};

// The value after 'key': in a header dict, as raw text up to the comma outside brackets that ends
// it.
std::string field(const std::string& dict, const std::string& key, const std::string& where) {
    for (const char quote : {'\'', '"'}) {
        const auto at = dict.find(quote + key + quote);
        if (at == std::string::npos) continue;
        const auto colon = dict.find(':', at);
        if (colon == std::string::npos) break;
        int depth = 0;
        for (std::size_t i = colon + 1; i < dict.size(); ++i) {
            const char c = dict[i];
            if (c == '(' || c == '[') ++depth;
            if (c == ')' || c == ']') --depth;
            if (depth < 0) break;
            if ((c == ',' && depth == 0) || c == '}')
                return trim(dict.substr(colon + 1, i - colon - 1));
        }
        break;
    }
    throw Error(where + ": its header has no readable '" + key + "'");
}

Header parse_header(const std::string& dict, const std::string& where) {
    const std::string text = trim(dict);
    if (text.empty() || text.front() != '{' || text.back() != '}')
        throw Error(where + ": its header is \"" + printable(text, 40) +
                    "\"; a dictionary literal is expected");
    Header header;
    header.descr = field(text, "descr", where);
    if (header.descr.size() < 2 || (header.descr.front() != '\'' && header.descr.front() != '"'))
        throw Error(where + ": holds records; a plain array is expected");
    header.descr = header.descr.substr(1, header.descr.size() - 2);
    const std::string order = field(text, "fortran_order", where);
    if (order != "True" && order != "False")
        throw Error(where + ": its header has an unreadable 'fortran_order'");
    header.fortran = order == "True";
    std::string shape = field(text, "shape", where);
    if (shape.size() < 2 || shape.front() != '(' || shape.back() != ')')
        throw Error(where + ": its header has an unreadable 'shape'");
    for (const auto& part : split(shape.substr(1, shape.size() - 2), ',')) {
        if (trim(part).empty()) continue;
        std::string digits = trim(part);
        if (!digits.empty() && digits.back() == 'L') digits.pop_back();
        const auto extent = parse_integer(digits);
        if (!extent || *extent < 0) throw Error(where + ": its header has an unreadable 'shape'");
        header.shape.push_back(*extent);
    }
    return header;
}

template <class T>
double number_at(const char* bytes, bool swapped) {
    char raw[sizeof(T)];
    std::memcpy(raw, bytes, sizeof(T));
    if (swapped) std::reverse(raw, raw + sizeof(T));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return static_cast<double>(value);
}

using Reader = double (*)(const char*, bool);

const std::map<std::string, Reader>& readers() {
    static const std::map<std::string, Reader> kReaders{
        {"f8", number_at<double>},        {"f4", number_at<float>},
        {"i8", number_at<std::int64_t>},  {"i4", number_at<std::int32_t>},
        {"i2", number_at<std::int16_t>},  {"i1", number_at<std::int8_t>},
        {"u8", number_at<std::uint64_t>}, {"u4", number_at<std::uint32_t>},
        {"u2", number_at<std::uint16_t>}, {"u1", number_at<std::uint8_t>},
        {"b1", number_at<std::uint8_t>}};
    return kReaders;
}

Reader reader_of(const std::string& kind, const std::string& where, const std::string& descr) {
    const auto found = readers().find(kind);
    if (found == readers().end())
        throw Error(
            where + ": holds values of the kind '" + printable(descr, 20) +
            "'; numbers are expected" +
            (descr.find('O') != std::string::npos ? " (pickled objects are never read)" : ""));
    return found->second;
}

struct Npy {
    Header header;
    std::size_t start = 0; // of the numbers
};

Npy parse_start(const std::string& bytes, const std::string& where) {
    constexpr std::size_t kMagic = 6;
    if (bytes.size() < 10 || bytes.compare(0, kMagic, "\x93NUMPY") != 0)
        throw Error(where + ": is not a .npy array");
    const auto major = static_cast<unsigned char>(bytes[6]);
    if (major < 1 || major > 3)
        throw Error(concat(where, ": has format version ", int{major}, "; 1 to 3 are known"));
    const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
    };
    const std::size_t prefix = major == 1 ? 10 : 12;
    if (bytes.size() < prefix) throw Error(where + ": is cut off");
    const std::size_t length =
        byte(8) + (byte(9) << 8U) + (major == 1 ? 0 : (byte(10) << 16U) + (byte(11) << 24U));
    if (length > bytes.size() - prefix) throw Error(where + ": is cut off inside its header");
    Npy npy{parse_header(bytes.substr(prefix, length), where), prefix + length};
    if (npy.header.descr.size() < 2) throw Error(where + ": has an unreadable kind of values");
    return npy;
}

std::string kind_of(const Header& header) {
    return header.descr.substr(1); // without the order of bytes
}

std::vector<double> row_major(std::vector<double> values, const Header& header,
                              const std::string& where) {
    if (!header.fortran || header.shape.size() < 2) return values;
    if (header.shape.size() > 2)
        throw Error(concat(where, ": is in Fortran order with ", header.shape.size(),
                           " dimensions; C order is expected"));
    const RowMatrix rows =
        Eigen::Map<const Matrix>(values.data(), header.shape[0], header.shape[1]);
    return {rows.data(), rows.data() + rows.size()};
}

} // namespace

DenseArray parse_npy(const std::string& bytes, const std::string& where) {
    const auto [header, start] = parse_start(bytes, where);
    const std::string kind = kind_of(header);
    const Reader read = reader_of(kind, where, header.descr);
    const auto size = static_cast<std::size_t>(kind[1] - '0');
    const std::size_t left = (bytes.size() - start) / size;
    if (static_cast<std::size_t>(hdf5::element_count(header.shape, where)) > left)
        throw Error(concat(where, ": states ", hdf5::shape_text(header.shape),
                           " numbers but holds ", left));
    std::vector<double> values(static_cast<std::size_t>(hdf5::element_count(header.shape, where)));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = read(bytes.data() + start + i * size, header.descr[0] == '>');
    return {header.shape, row_major(std::move(values), header, where)};
}

// --- npz ---

namespace {

using ZipEntry = std::unique_ptr<zip_file_t, int (*)(zip_file_t*)>;

constexpr std::uint64_t kWhole = ~std::uint64_t{0};
constexpr std::uint64_t kHeaderBytes = 70000; // more than a header of version 1 can take

std::size_t read_into(std::string& bytes, zip_file_t* entry) {
    std::size_t got = 0;
    while (got < bytes.size()) {
        const zip_int64_t more = zip_fread(entry, bytes.data() + got, bytes.size() - got);
        if (more <= 0) break;
        got += static_cast<std::size_t>(more);
    }
    return got;
}

// libzip compares length and checksum only when a read meets the end.
bool ends_intact(ZipEntry entry) {
    char beyond = 0;
    const bool at_end = zip_fread(entry.get(), &beyond, 1) == 0;
    return zip_fclose(entry.release()) == 0 && at_end;
}

} // namespace

NpzArchive::NpzArchive(std::string path) : path_(std::move(path)), archive_(nullptr, zip_discard) {
    int error = 0;
    archive_.reset(zip_open(path_.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &error));
    if (!archive_) throw Error(path_ + ": is not a readable zip archive; it is damaged or cut off");
    const zip_int64_t entries = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
        const char* name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
        const std::string member = name == nullptr ? "" : name;
        if (ends_with(member, ".npy"))
            members_[member.substr(0, member.size() - 4)] = static_cast<std::uint64_t>(i);
    }
}

std::string NpzArchive::where(const std::string& member) const {
    return path_ + ":/" + printable(member);
}

std::string NpzArchive::bytes_of(const std::string& member, std::uint64_t limit) const {
    const auto found = members_.find(member);
    if (found == members_.end()) {
        std::vector<std::string> names;
        for (const auto& [name, place] : members_) names.push_back(name);
        throw Error(where(member) + ": not in the file; it holds " +
                    printable(join(names, ", "), 150));
    }
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat_index(archive_.get(), found->second, 0, &status) != 0)
        throw Error(where(member) + ": cannot be read");
    if (status.size > kMostEntryBytes || status.size > 2000 * (status.comp_size + 1024))
        throw Error(where(member) + ": states an impossible size");
    ZipEntry entry(zip_fopen_index(archive_.get(), found->second, 0), zip_fclose);
    if (!entry) throw Error(where(member) + ": cannot be read");
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(status.size, limit)), '\0');
    const bool filled = read_into(bytes, entry.get()) == bytes.size();
    if (!filled || (limit == kWhole && !ends_intact(std::move(entry))))
        throw Error(where(member) + ": is damaged; its length and checksum do not agree with what "
                                    "the archive states");
    return bytes;
}

DenseArray NpzArchive::numbers(const std::string& member) const {
    return parse_npy(bytes_of(member, kWhole), where(member));
}

std::string NpzArchive::text(const std::string& member) const {
    const std::string bytes = bytes_of(member, kWhole);
    const auto [header, start] = parse_start(bytes, where(member));
    const std::string kind = kind_of(header);
    if (kind[0] != 'U' && kind[0] != 'S')
        throw Error(where(member) + ": holds values of the kind '" + printable(header.descr, 20) +
                    "'; text is expected");
    std::string text = bytes.substr(start, 64);
    // The zeros are padding, and the upper bytes of plain letters in UTF-32.
    text.erase(std::remove(text.begin(), text.end(), '\0'), text.end());
    return text;
}

std::vector<std::string> NpzArchive::matrices() const {
    std::vector<std::string> found;
    for (const auto& [name, place] : members_) {
        const Header header = parse_start(bytes_of(name, kHeaderBytes), where(name)).header;
        if (header.shape.size() == 2 && readers().count(kind_of(header)) != 0)
            found.push_back(name);
    }
    return found;
}

} // namespace assay::formats
