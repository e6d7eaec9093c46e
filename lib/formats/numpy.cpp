// .npy and .npz: headers are parsed, never evaluated; sizes are checked against the bytes that are
// there.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/npy.hpp>
#include <assay/formats/number_blocks.hpp>
#include <assay/formats/scalar_types.hpp>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace assay::formats {
namespace {

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

const std::map<std::string, std::string_view>& kinds() {
    static const std::map<std::string, std::string_view> kKinds{
        {"f8", "float64"}, {"f4", "float32"}, {"f2", "float16"}, {"i8", "int64"},
        {"i4", "int32"},   {"i2", "int16"},   {"i1", "int8"},    {"u8", "uint64"},
        {"u4", "uint32"},  {"u2", "uint16"},  {"u1", "uint8"},   {"b1", "boolean"}};
    return kKinds;
}

const ScalarType& type_of(const std::string& kind, const std::string& where,
                          const std::string& descr) {
    const auto found = kinds().find(kind);
    if (found == kinds().end())
        throw Error(
            where + ": holds values of the kind '" + printable(descr, 20) +
            "'; numbers are expected" +
            (descr.find('O') != std::string::npos ? " (pickled objects are never read)" : ""));
    return *scalar_type(found->second);
}

struct Npy {
    Header header;
    std::size_t start = 0; // of the numbers
};

Npy parse_start(std::string_view bytes, const std::string& where) {
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
    Npy npy{parse_header(std::string(bytes.substr(prefix, length)), where), prefix + length};
    if (npy.header.descr.size() < 2) throw Error(where + ": has an unreadable kind of values");
    return npy;
}

std::string kind_of(const Header& header) {
    return header.descr.substr(1); // without the order of bytes
}

} // namespace

DenseArray permuted(const DenseArray& array, const std::vector<std::size_t>& axes) {
    const std::size_t rank = array.shape.size();
    DenseArray result{{}, {}, array.type};
    for (const std::size_t axis : axes) result.shape.push_back(array.shape[axis]);
    if (array.values.empty()) return result; // the other extents may be anything
    std::vector<Index> strides(rank, 1);
    for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * array.shape[i];
    std::vector<Index> steps;
    for (const std::size_t axis : axes) steps.push_back(strides[axis]);
    result.values.reserve(array.values.size());
    // Counts through the new shape while `at` follows in the old one.
    std::vector<Index> place(rank, 0);
    Index at = 0;
    while (result.values.size() < array.values.size()) {
        result.values.push_back(array.values[static_cast<std::size_t>(at)]);
        for (std::size_t i = rank; i-- > 0;) {
            at += steps[i];
            if (++place[i] < result.shape[i]) break;
            at -= steps[i] * result.shape[i];
            place[i] = 0;
        }
    }
    return result;
}

DenseArray collected(const StoredArray& array) {
    DenseArray result{array.shape, {}};
    result.values.reserve(static_cast<std::size_t>(hdf5::element_count(array.shape, "")));
    array.read([&](Index, const double* numbers, Index count) {
        result.values.insert(result.values.end(), numbers, numbers + count);
    });
    return result;
}

NpyNumbers npy_numbers(std::string_view bytes, const std::string& where) {
    const auto [header, start] = parse_start(bytes, where);
    const ScalarType& type = type_of(kind_of(header), where, header.descr);
    const std::size_t left = (bytes.size() - start) / type.bytes;
    if (static_cast<std::size_t>(hdf5::element_count(header.shape, where)) > left)
        throw Error(concat(where, ": states ", hdf5::shape_text(header.shape),
                           " numbers but holds ", left));
    return {header.shape, header.fortran ? Fastest::first_index : Fastest::last_index, &type,
            header.descr[0] == '>' ? ByteOrder::big : ByteOrder::little, bytes.data() + start};
}

StoredArray npy_array(std::string_view bytes, const std::string& where) {
    const NpyNumbers numbers = npy_numbers(bytes, where);
    StoredArray array;
    array.shape = numbers.shape;
    array.read = [numbers](const NumberBlock& take) {
        hand_over(numbers.shape, numbers.fastest, numbers, take);
    };
    return array;
}

DenseArray parse_npy(std::string_view bytes, const std::string& where) {
    DenseArray array = collected(npy_array(bytes, where));
    const Header header = parse_start(bytes, where).header;
    array.type = type_of(kind_of(header), where, header.descr).name;
    return array;
}

// --- npz ---

namespace {

constexpr std::uint64_t kHeaderBytes = 70000; // more than a header of version 1 can take

std::string entry_of(const std::string& member) {
    return member + ".npy";
}

Header header_of(const ZipArchive& archive, const std::string& member) {
    const std::string where = archive.where(member);
    return parse_start(archive.read_start(entry_of(member), where, kHeaderBytes), where).header;
}

} // namespace

NpzArchive::NpzArchive(const std::string& path) : archive_(path) {
    for (const auto& name : archive_.names())
        if (ends_with(name, ".npy")) members_.push_back(name.substr(0, name.size() - 4));
}

std::string NpzArchive::where(const std::string& member) const {
    return archive_.where(member);
}

void NpzArchive::expect(const std::string& member) const {
    if (!has(member))
        throw Error(where(member) + ": not in the file; it holds " +
                    printable(join(members_, ", "), 150));
}

std::string NpzArchive::bytes_of(const std::string& member) const {
    expect(member);
    return archive_.read(entry_of(member), where(member));
}

DenseArray NpzArchive::numbers(const std::string& member) const {
    return parse_npy(bytes_of(member), where(member));
}

StoredArray NpzArchive::array(const std::string& member) const {
    expect(member);
    const Header header = header_of(archive_, member);
    const ScalarType& type = type_of(kind_of(header), where(member), header.descr);
    StoredArray array;
    array.shape = header.shape;
    array.bytes = static_cast<double>(type.bytes) *
                  static_cast<double>(hdf5::element_count(header.shape, where(member)));
    array.read = [this, member](const NumberBlock& take) {
        const std::string bytes = bytes_of(member);
        npy_array(bytes, where(member)).read(take);
    };
    return array;
}

std::string NpzArchive::text(const std::string& member) const {
    const std::string bytes = bytes_of(member);
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

std::optional<hdf5::Shape> NpzArchive::shape_of(const std::string& member) const {
    Header header = header_of(archive_, member);
    if (kinds().count(kind_of(header)) == 0) return std::nullopt;
    return std::move(header.shape);
}

void NpzArchive::expect_intact(const std::string& member) const {
    static_cast<void>(bytes_of(member));
}

std::vector<std::string> NpzArchive::matrices() const {
    std::vector<std::string> found;
    for (const auto& member : members_)
        if (const auto shape = shape_of(member); shape && shape->size() == 2)
            found.push_back(member);
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace assay::formats
