// .npy and .npz: headers are parsed, never evaluated; sizes are checked against the bytes that are
// there.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <memory>

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

Reader reader_of(const std::string& kind, const std::string& where, const std::string& descr) {
    static const std::map<std::string, Reader> kReaders{
        {"f8", number_at<double>},        {"f4", number_at<float>},
        {"i8", number_at<std::int64_t>},  {"i4", number_at<std::int32_t>},
        {"i2", number_at<std::int16_t>},  {"i1", number_at<std::int8_t>},
        {"u8", number_at<std::uint64_t>}, {"u4", number_at<std::uint32_t>},
        {"u2", number_at<std::uint16_t>}, {"u1", number_at<std::uint8_t>},
        {"b1", number_at<std::uint8_t>}};
    const auto found = kReaders.find(kind);
    if (found == kReaders.end())
        throw Error(
            where + ": holds values of the kind '" + printable(descr, 20) +
            "'; numbers are expected" +
            (descr.find('O') != std::string::npos ? " (pickled objects are never read)" : ""));
    return found->second;
}

} // namespace

NumpyArray parse_npy(const std::string& bytes, const std::string& where) {
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
    const Header header = parse_header(bytes.substr(prefix, length), where);
    const Index count = hdf5::element_count(header.shape, where);
    if (header.descr.size() < 3) throw Error(where + ": has an unreadable kind of values");
    const std::string kind = header.descr.substr(1);
    const std::size_t start = prefix + length, left = bytes.size() - start;
    NumpyArray result;
    result.array.shape = header.shape;
    if (kind[0] == 'U' || kind[0] == 'S') { // short texts, as scipy stores a sparse format
        for (std::size_t i = start; i < bytes.size() && i < start + 64; ++i)
            if (bytes[i] != '\0') result.text += bytes[i];
        return result;
    }
    const Reader read = reader_of(kind, where, header.descr);
    const auto size = static_cast<std::size_t>(kind[1] - '0');
    if (static_cast<std::size_t>(count) > left / size)
        throw Error(concat(where, ": states ", hdf5::shape_text(header.shape),
                           " numbers but holds ", left / size));
    const bool swapped = header.descr[0] == '>';
    std::vector<double> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = read(bytes.data() + start + i * size, swapped);
    if (header.fortran && header.shape.size() == 2) {
        const Eigen::Map<const Matrix> columns(values.data(), header.shape[0], header.shape[1]);
        const RowMatrix rows = columns;
        result.array.values.assign(rows.data(), rows.data() + rows.size());
    } else if (header.fortran && header.shape.size() > 2) {
        throw Error(where + ": is in Fortran order with " + std::to_string(header.shape.size()) +
                    " dimensions; C order is expected");
    } else {
        result.array.values = std::move(values);
    }
    return result;
}

std::map<std::string, NumpyArray> read_npz(const std::string& path) {
    int error = 0;
    const std::unique_ptr<zip_t, int (*)(zip_t*)> archive(
        zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &error), zip_close);
    if (!archive) throw Error(path + ": is not a readable zip archive");
    std::map<std::string, NumpyArray> arrays;
    const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
        zip_stat_t status;
        if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &status) != 0) continue;
        std::string name = status.name == nullptr ? "" : status.name;
        if (!ends_with(name, ".npy")) continue;
        const std::string where = path + ":/" + printable(name.substr(0, name.size() - 4));
        if (status.size > kMostEntryBytes || status.size > 2000 * (status.comp_size + 1024))
            throw Error(where + ": states an impossible size");
        const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> entry(
            zip_fopen_index(archive.get(), static_cast<zip_uint64_t>(i), 0), zip_fclose);
        if (!entry) throw Error(where + ": cannot be read");
        std::string bytes(static_cast<std::size_t>(status.size), '\0');
        const zip_int64_t got = zip_fread(entry.get(), bytes.data(), bytes.size());
        if (got < 0 || static_cast<std::size_t>(got) != bytes.size())
            throw Error(where + ": is cut off or damaged");
        arrays[name.substr(0, name.size() - 4)] = parse_npy(bytes, where);
    }
    return arrays;
}

} // namespace assay::formats
