// safetensors: a length, a JSON header of {name: {dtype, shape, data_offsets}}, then the numbers.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/mapped_file.hpp>
#include <assay/formats/model_parts.hpp>
#include <assay/formats/scalar_types.hpp>
#include <assay/formats/state_dict.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace assay::formats {
namespace {

constexpr std::uint64_t kMostHeader = 100'000'000; // the format's own limit
constexpr std::size_t kLength = 8;                 // bytes of the header's length

constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kTypeNames{
    {{"F64", "float64"},
     {"F32", "float32"},
     {"F16", "float16"},
     {"BF16", "bfloat16"},
     {"I64", "int64"},
     {"I32", "int32"},
     {"I16", "int16"},
     {"I8", "int8"},
     {"U64", "uint64"},
     {"U32", "uint32"},
     {"U16", "uint16"},
     {"U8", "uint8"},
     {"BOOL", "boolean"}}};

struct Entry {
    std::string name;
    const ScalarType* type = nullptr;
    hdf5::Shape shape;
    std::uint64_t begin = 0, end = 0;
};

const ScalarType& type_named(const std::string& name) {
    for (const auto& [theirs, ours] : kTypeNames)
        if (name == theirs) return *scalar_type(ours);
    throw Error("dtype: is '" + printable(name, 20) +
                "'; F64, F32, F16, BF16, an integer type or BOOL is expected");
}

Entry parse_entry(const std::string& name, const nlohmann::json& value) {
    network::Keys keys(value, "");
    Entry entry;
    entry.name = name;
    entry.type = &type_named(keys.text("dtype"));
    entry.shape = keys.integers("shape", -1, 0);
    const auto offsets = keys.integers("data_offsets", 2, 0);
    entry.begin = static_cast<std::uint64_t>(offsets[0]);
    entry.end = static_cast<std::uint64_t>(offsets[1]);
    return entry;
}

void check_range(const Entry& entry, std::uint64_t available) {
    if (entry.begin > entry.end || entry.end > available)
        throw Error(concat("data_offsets: are ", entry.begin, " to ", entry.end, "; the file has ",
                           available, " bytes of numbers"));
    const Index elements = hdf5::element_count(entry.shape, "shape");
    const std::uint64_t held = entry.end - entry.begin;
    if (held % entry.type->bytes != 0 ||
        held / entry.type->bytes != static_cast<std::uint64_t>(elements))
        throw Error(concat("data_offsets: hold ", held, " bytes; ", hdf5::shape_text(entry.shape),
                           " numbers of ", entry.type->bytes, " bytes are expected"));
}

void refuse_overlap(std::vector<Entry> entries, const std::string& file) {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    for (std::size_t i = 1; i < entries.size(); ++i)
        if (entries[i].begin < entries[i - 1].end)
            throw Error(file + ": the numbers of '" + printable(entries[i - 1].name) + "' and '" +
                        printable(entries[i].name) + "' overlap");
}

std::uint64_t header_length(std::string_view bytes, const std::string& file) {
    if (bytes.size() < kLength) throw Error(file + ": is cut short; a header is expected");
    const std::uint64_t length = little_endian(bytes.substr(0, kLength));
    if (length > kMostHeader)
        throw Error(concat(file, ": states a header of ", length, " bytes; at most ", kMostHeader,
                           " are expected"));
    if (length > bytes.size() - kLength)
        throw Error(
            concat(file, ": is cut short; its header of ", length, " bytes goes beyond the end"));
    return length;
}

void read_header_metadata(const nlohmann::json& value, OpenedModel& opened) {
    for (const auto& [key, text] : value.items())
        if (text.is_string()) opened.metadata.emplace_back(key, text.get<std::string>());
}

bool recognises_safetensors(const ModelSource& source) {
    return source.start.size() > kLength && source.start[kLength] == '{' &&
           little_endian(std::string_view(source.start).substr(0, kLength)) <= kMostHeader;
}

void read_safetensors(const ModelSource& source, const ModelOptions& options, OpenedModel& opened) {
    const std::string file = source.name();
    const MappedFile mapped(source.address.file);
    const std::uint64_t length = header_length(mapped.bytes(), file);
    const std::string_view numbers = mapped.bytes().substr(kLength + length);
    const nlohmann::json header =
        network::parse_json(std::string(mapped.bytes().substr(kLength, length)), file);
    if (!header.is_object()) throw Error(file + ": its header is no JSON object; one is expected");
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
        if (name == "__metadata__") {
            read_header_metadata(value, opened);
            continue;
        }
        at_place(file + ": '" + printable(name, 80) + "'", [&, &name = name, &value = value] {
            entries.push_back(parse_entry(name, value));
            check_range(entries.back(), numbers.size());
        });
    }
    refuse_overlap(entries, file);
    // A JSON object has no order that lasts; the numbers have.
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
    NamedArrays arrays;
    for (const auto& entry : entries)
        arrays.push_back({entry.name, dense_array(*entry.type, numbers.data() + entry.begin,
                                                  entry.shape, ByteOrder::little)});
    fill_from_state_dict(std::move(arrays), file, options, opened);
}

} // namespace

const ModelFormat kSafetensors{"safetensors", recognises_safetensors, read_safetensors};

} // namespace assay::formats
