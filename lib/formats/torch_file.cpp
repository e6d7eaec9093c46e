// PyTorch files: the zip form (since 1.6) and the stream form before it. Both hold a pickle of the
// saved object, in which tensors refer to storages, and the raw numbers of the storages.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/mapped_file.hpp>
#include <assay/formats/model_parts.hpp>
#include <assay/formats/pickle.hpp>
#include <assay/formats/scalar_types.hpp>
#include <assay/formats/state_dict.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace assay::formats {
namespace {

using pickle::Kind;
using pickle::Meaning;
using pickle::Value;

struct StorageType {
    std::string_view name, scalar;
};
constexpr std::array<StorageType, 9> kStorageTypes{{{"torch DoubleStorage", "float64"},
                                                    {"torch FloatStorage", "float32"},
                                                    {"torch HalfStorage", "float16"},
                                                    {"torch BFloat16Storage", "bfloat16"},
                                                    {"torch LongStorage", "int64"},
                                                    {"torch IntStorage", "int32"},
                                                    {"torch ShortStorage", "int16"},
                                                    {"torch CharStorage", "int8"},
                                                    {"torch ByteStorage", "uint8"}}};
constexpr std::string_view kBoolStorage = "torch BoolStorage";

// What pickles of tensors may name; nothing of it is ever run.
const std::vector<pickle::Accepted>& accepted_names() {
    static const std::vector<pickle::Accepted> kNames = [] {
        std::vector<pickle::Accepted> names{
            {"collections OrderedDict", Meaning::dict},
            {"torch Size", Meaning::first_argument},
            {"torch._utils _rebuild_tensor", Meaning::call},
            {"torch._utils _rebuild_tensor_v2", Meaning::call},
            {"torch._utils _rebuild_parameter", Meaning::first_argument},
            {kBoolStorage, Meaning::nothing}};
        for (const auto& type : kStorageTypes) names.push_back({type.name, Meaning::nothing});
        return names;
    }();
    return kNames;
}

const ScalarType* scalar_of(const std::string& storage_type) {
    if (storage_type == kBoolStorage) return scalar_type("boolean");
    for (const auto& type : kStorageTypes)
        if (storage_type == type.name) return scalar_type(type.scalar);
    return nullptr;
}

// --- what tensors refer to ---

struct StorageId {
    std::string key;
    const ScalarType* type = nullptr;
    Index count = 0; // numbers
    // A storage that is a part of another one (before PyTorch 0.4).
    Index view_offset = 0;
};

const Value& item(const Value& value, std::size_t i) {
    if (i >= value.items.size())
        throw Error("its pickle describes a tensor that PyTorch never writes; it is damaged");
    return *value.items[i];
}

Index integer_of(const Value& value) {
    if (value.kind != Kind::integer || value.integer < 0)
        throw Error("a tensor's size or place is " + value.kind_text() +
                    "; a non-negative integer is expected");
    return value.integer;
}

std::vector<Index> integers_of(const Value& value) {
    if (value.kind != Kind::tuple && value.kind != Kind::list)
        throw Error("a tensor's shape is " + value.kind_text() + "; integers are expected");
    std::vector<Index> result;
    for (const Value* one : value.items) result.push_back(integer_of(*one));
    return result;
}

// ('storage', type, key, device, count[, (view key, offset, count)]).
StorageId storage_id(const Value& persistent) {
    if (persistent.kind != Kind::persistent || item(persistent, 0).kind != Kind::tuple ||
        item(item(persistent, 0), 0).text != "storage")
        throw Error("a tensor refers to " + persistent.kind_text() + "; a storage is expected");
    const Value& id = item(persistent, 0);
    StorageId storage;
    storage.type = scalar_of(item(id, 1).text);
    if (storage.type == nullptr)
        throw Error("a storage is of the type " + item(id, 1).kind_text() +
                    "; real numbers are expected");
    const Value& key = item(id, 2);
    storage.key = key.kind == Kind::integer ? std::to_string(key.integer) : key.text;
    storage.count = integer_of(item(id, 4));
    if (id.items.size() > 5 && item(id, 5).kind == Kind::tuple)
        storage.view_offset = integer_of(item(item(id, 5), 1));
    return storage;
}

// The raw numbers of storages by key.
using Storages = std::function<std::string_view(const StorageId&)>;

struct Checkpoint {
    const Value* root = nullptr;
    Storages storages;
    ByteOrder order = ByteOrder::little;
};

// --- tensors ---

struct Strided {
    Index offset = 0;
    std::vector<Index> shape, strides;
};

// Strides may repeat numbers (expand): a few do no harm, many are a way to ask for any memory.
constexpr Index kMostRepeated = Index{1} << 20;

void check_extent(const Strided& tensor, Index count) {
    const Index elements = hdf5::element_count(tensor.shape, "a tensor");
    if (tensor.strides.size() != tensor.shape.size())
        throw Error(concat("a tensor has ", tensor.shape.size(), " dimensions but ",
                           tensor.strides.size(), " strides"));
    if (elements == 0) return;
    Index last = tensor.offset;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        const Index steps = tensor.shape[i] - 1;
        if (steps > 0 && tensor.strides[i] > (count - 1) / steps) last = count;
        last = std::min(count, last + std::min(count, steps * std::min(count, tensor.strides[i])));
    }
    if (last >= count)
        throw Error(concat("a tensor of ", hdf5::shape_text(tensor.shape),
                           " goes beyond its storage of ", count, " numbers"));
    if (elements > std::max(count, kMostRepeated))
        throw Error(concat("a tensor of ", hdf5::shape_text(tensor.shape),
                           " repeats its storage of ", count, " numbers; it is damaged"));
}

DenseArray gather(const Strided& tensor, const ScalarType& type, const char* bytes,
                  ByteOrder order) {
    DenseArray array{tensor.shape, {}};
    const auto elements = static_cast<std::size_t>(hdf5::element_count(tensor.shape, ""));
    array.values.reserve(elements);
    std::vector<Index> place(tensor.shape.size(), 0);
    Index at = tensor.offset;
    while (array.values.size() < elements) {
        array.values.push_back(type.read(bytes + static_cast<std::size_t>(at) * type.bytes, order));
        for (std::size_t i = place.size(); i-- > 0;) {
            at += tensor.strides[i];
            if (++place[i] < tensor.shape[i]) break;
            at -= tensor.strides[i] * tensor.shape[i];
            place[i] = 0;
        }
    }
    return array;
}

bool is_tensor(const Value& value) {
    return value.kind == Kind::call;
}

// Reads tensors, and no more numbers than their storages can account for: shared and repeated ones
// would let a small file ask for any memory.
class TensorReader {
  public:
    explicit TensorReader(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

    // _rebuild_tensor_v2(storage, offset, shape, strides, ...).
    DenseArray read(const Value& call) {
        const StorageId storage = storage_id(item(call, 0));
        Strided tensor{integer_of(item(call, 1)), integers_of(item(call, 2)),
                       integers_of(item(call, 3))};
        const std::string_view bytes = checkpoint_.storages(storage);
        const auto count = static_cast<Index>(bytes.size() / storage.type->bytes);
        tensor.offset = std::min(count, tensor.offset) + std::min(count, storage.view_offset);
        check_extent(tensor, count);
        if (seen_.insert(storage.key).second) left_ += kMostShared * count;
        left_ -= hdf5::element_count(tensor.shape, "");
        if (left_ < 0) throw Error("its tensors share their storages more often than is plausible");
        return gather(tensor, *storage.type, bytes.data(), checkpoint_.order);
    }

  private:
    static constexpr Index kMostShared = 16;
    const Checkpoint& checkpoint_;
    std::set<std::string> seen_;
    Index left_ = 4 * kMostRepeated;
};

// --- the state dict in it ---

constexpr std::array<const char*, 4> kWrappers{"state_dict", "model_state_dict", "model", "net"};
constexpr int kMostLevels = 32;
constexpr std::size_t kMostEntries = 1'000'000;

std::string keys_text(const Value& dict) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i + 1 < dict.items.size() && keys.size() < 20; i += 2)
        keys.push_back(dict.items[i]->kind == Kind::text ? dict.items[i]->text
                                                         : dict.items[i]->kind_text());
    return printable(join(keys, ", "), 150);
}

// "ema.model": the entry of that name, or one inside another.
const Value* entry(const Value& dict, const std::string& key) {
    if (const Value* found = dict.member(key)) return found;
    for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
        const Value* inner = dict.member(key.substr(0, dot));
        const Value* found = inner == nullptr ? nullptr : entry(*inner, key.substr(dot + 1));
        if (found != nullptr) return found;
    }
    return nullptr;
}

bool has_tensors(const Value& dict) {
    for (std::size_t i = 1; i < dict.items.size(); i += 2)
        if (is_tensor(*dict.items[i])) return true;
    return false;
}

const Value* wrapped(const Value& dict, std::string& wrapper) {
    for (const char* name : kWrappers) {
        const Value* inner = dict.member(name);
        if (inner == nullptr || inner->kind != Kind::dict) continue;
        // A module of that name among others is no wrapper.
        if (has_tensors(dict) && !ends_with(name, "state_dict")) continue;
        wrapper = name;
        return inner;
    }
    return nullptr;
}

const Value& find_state_dict(const Value& root, const ModelOptions& options,
                             const std::string& file, OpenedModel& opened) {
    const Value* dict = &root;
    if (!options.key.empty()) {
        dict = entry(root, options.key);
        if (dict == nullptr)
            throw Error(file + ": has no entry '" + printable(options.key, 60) +
                        "' (--key); it holds " + keys_text(root));
    } else {
        std::string name;
        for (int level = 0; level < kMostLevels; ++level) {
            const Value* inner = wrapped(*dict, name);
            if (inner == nullptr) break;
            opened.notes.push_back("the state dict was found under '" + name + "'");
            dict = inner;
        }
    }
    if (dict->kind != Kind::dict)
        throw Error(file + ": holds " + dict->kind_text() + "; a state dict is expected");
    return *dict;
}

// Collects tensors of nested dictionaries, names joined by dots.
class Collector {
  public:
    Collector(const Checkpoint& checkpoint, std::string file, OpenedModel& opened)
        : tensors_(checkpoint), file_(std::move(file)), opened_(opened) {}

    void collect(const Value& dict, const std::string& prefix, int level) {
        if (level > kMostLevels)
            throw Error(concat(file_, ": nests dictionaries deeper than ", kMostLevels, " levels"));
        for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
            if (++entries_ > kMostEntries)
                throw Error(concat(file_, ": has more than ", kMostEntries, " entries"));
            const Value& key = *dict.items[i];
            const std::string name =
                prefix + (key.kind == Kind::integer ? std::to_string(key.integer) : key.text);
            take(*dict.items[i + 1], name, level);
        }
    }
    [[nodiscard]] NamedArrays arrays() { return std::move(arrays_); }

  private:
    void take(const Value& value, const std::string& name, int level) {
        if (is_tensor(value)) {
            at_place(file_ + ": '" + printable(name, 80) + "'", [&] {
                arrays_.push_back({name, tensors_.read(value)});
            });
        } else if (value.kind == Kind::dict) {
            collect(value, name + ".", level + 1);
        } else {
            opened_.notes.push_back("'" + printable(name, 80) + "' is " + value.kind_text() +
                                    ": ignored");
        }
    }

    TensorReader tensors_;
    std::string file_;
    OpenedModel& opened_;
    NamedArrays arrays_;
    std::size_t entries_ = 0;
};

void fill(const Checkpoint& checkpoint, const ModelSource& source, const ModelOptions& options,
          OpenedModel& opened) {
    const std::string file = source.name();
    const Value& dict = find_state_dict(*checkpoint.root, options, file, opened);
    Collector collector(checkpoint, file, opened);
    collector.collect(dict, "", 0);
    NamedArrays arrays = collector.arrays();
    if (arrays.empty())
        throw Error(file + ": its state dict has no tensors; it holds " + keys_text(dict));
    fill_from_state_dict(std::move(arrays), file, options, opened);
}

// --- the zip form ---

// "archive/" of "archive/data.pkl"; empty text for a file without a folder.
std::optional<std::string> prefix_of(const ZipArchive& zip) {
    for (const auto& name : zip.names())
        if (name == "data.pkl" || ends_with(name, "/data.pkl"))
            return name.substr(0, name.size() - 8);
    return std::nullopt;
}

bool recognises_zip(const ModelSource& source) {
    return source.zip != nullptr && prefix_of(*source.zip).has_value();
}

ByteOrder byte_order(const ZipArchive& zip, const std::string& prefix) {
    const std::string name = prefix + "byteorder";
    if (!zip.has(name)) return ByteOrder::little;
    const std::string order = trim(zip.read(name));
    if (order != "little" && order != "big")
        throw Error(zip.where(name) + ": is '" + printable(order, 20) +
                    "'; little or big is expected");
    return order == "big" ? ByteOrder::big : ByteOrder::little;
}

void read_zip(const ModelSource& source, const ModelOptions& options, OpenedModel& opened) {
    const ZipArchive& zip = *source.zip;
    const std::string prefix = *prefix_of(zip);
    const std::string pickled = zip.read(prefix + "data.pkl");
    pickle::Reader reader(pickled, source.name(), accepted_names());
    std::map<std::string, std::string> unpacked;
    const Storages storages = [&](const StorageId& id) -> std::string_view {
        const auto known = unpacked.find(id.key);
        const std::string& bytes =
            known != unpacked.end()
                ? known->second
                : unpacked.emplace(id.key, zip.read(prefix + "data/" + id.key)).first->second;
        if (bytes.size() / id.type->bytes != static_cast<std::size_t>(id.count))
            throw Error(concat("its storage '", printable(id.key, 40), "' holds ", bytes.size(),
                               " bytes; ", id.count, " numbers of ", id.type->bytes,
                               " bytes are expected"));
        return bytes;
    };
    fill({&reader.read(), storages, byte_order(zip, prefix)}, source, options, opened);
}

// --- the stream form ---

// The pickle of 0x1950a86a20f9469cfc6c begins so, after its protocol.
constexpr std::string_view kMagic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12);
constexpr std::int64_t kStreamVersion = 1001;

bool recognises_stream(const ModelSource& source) {
    // Later protocols put a frame of nine bytes in between.
    return starts_with(source.start, "\x80") && source.start.find(kMagic) <= 11;
}

// Behind the pickles: for each storage a count of numbers and the numbers. PyTorch writes them
// little-endian on any machine.
class StreamStorages {
  public:
    StreamStorages(std::string_view bytes, std::size_t start, const Value& keys,
                   const std::string& file)
        : bytes_(bytes), at_(start), file_(file) {
        if (keys.kind != Kind::list)
            throw Error(file + ": " + keys.kind_text() + " where a list of storages is expected");
        for (const Value* key : keys.items) keys_.push_back(key->text);
    }

    // The types of the storages, which the object's pickle tells, give their sizes.
    void locate(const std::map<std::string, StorageId>& ids) {
        for (const auto& key : keys_) {
            const auto id = ids.find(key);
            if (id == ids.end())
                throw Error(file_ + ": no tensor tells the type of storage '" + printable(key, 40) +
                            "'; the file is damaged");
            expect(8, key);
            const std::uint64_t count = little_endian(bytes_.substr(at_, 8));
            at_ += 8;
            if (count != static_cast<std::uint64_t>(id->second.count))
                throw Error(concat(file_, ": storage '", printable(key, 40), "' states ", count,
                                   " numbers; ", id->second.count, " are expected"));
            const std::size_t size = id->second.type->bytes;
            if (count > bytes_.size() / size) cut(key);
            expect(count * size, key);
            found_[key] = bytes_.substr(at_, count * size);
            at_ += count * size;
        }
    }

    [[nodiscard]] std::string_view at(const StorageId& id) const {
        const auto found = found_.find(id.key);
        if (found == found_.end())
            throw Error("its storage '" + printable(id.key, 40) + "' is not in the file");
        if (found->second.size() / id.type->bytes != static_cast<std::size_t>(id.count))
            throw Error("its storage '" + printable(id.key, 40) + "' is of two types");
        return found->second;
    }

  private:
    [[noreturn]] void cut(const std::string& key) const {
        throw Error(file_ + ": is cut short in storage '" + printable(key, 40) + "'");
    }
    void expect(std::uint64_t count, const std::string& key) const {
        if (count > bytes_.size() - at_) cut(key);
    }

    std::string_view bytes_;
    std::size_t at_;
    std::string file_;
    std::vector<std::string> keys_;
    std::map<std::string, std::string_view> found_;
};

// Every storage that the object's pickle names.
std::map<std::string, StorageId> storage_ids(const std::deque<Value>& values) {
    std::map<std::string, StorageId> ids;
    for (const Value& value : values) {
        if (value.kind != Kind::persistent) continue;
        const StorageId id = storage_id(value);
        ids.emplace(id.key, id);
    }
    return ids;
}

void expect_header(pickle::Reader& reader, const std::string& file) {
    static_cast<void>(reader.read()); // the magic number
    const Value& version = reader.read();
    if (version.kind != Kind::integer || version.integer != kStreamVersion)
        throw Error(concat(file, ": has the protocol version ", version.integer, "; ",
                           kStreamVersion, " is expected"));
    static_cast<void>(reader.read()); // about the machine; the numbers do not depend on it
}

void read_stream(const ModelSource& source, const ModelOptions& options, OpenedModel& opened) {
    const std::string file = source.name();
    const MappedFile mapped(source.address.file);
    pickle::Reader reader(mapped.bytes(), file, accepted_names());
    expect_header(reader, file);
    const Value& root = reader.read();
    const auto ids = at_place(file, [&] { return storage_ids(reader.values()); });
    const Value& keys = reader.read();
    StreamStorages storages(mapped.bytes(), reader.position(), keys, file);
    storages.locate(ids);
    fill({&root, [&](const StorageId& id) { return storages.at(id); }, ByteOrder::little}, source,
         options, opened);
}

// --- tar files, before 0.1.10 ---

bool recognises_tar(const ModelSource& source) {
    return source.start.size() >= 262 && source.start.compare(257, 5, "ustar") == 0;
}

void refuse_tar(const ModelSource& source, const ModelOptions&, OpenedModel&) {
    throw Error(source.name() + ": is a tar archive, as PyTorch wrote before 0.1.10; load it there "
                                "and save it again: torch.save(torch.load(FILE), NEW)");
}

} // namespace

const ModelFormat kTorchZip{"torch-zip", recognises_zip, read_zip};
const ModelFormat kTorchStream{"torch-stream", recognises_stream, read_stream};
const ModelFormat kTorchTar{"torch-tar", recognises_tar, refuse_tar};

} // namespace assay::formats
