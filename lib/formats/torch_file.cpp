// PyTorch files: the zip form (since 1.6) and the stream form before it. Both hold a pickle of the
// saved object, in which tensors refer to storages, and the raw numbers of the storages.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/mapped_file.hpp>
#include <assay/formats/model_parts.hpp>
#include <assay/formats/state_dict.hpp>
#include <assay/formats/torch_tensors.hpp>

#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace assay::formats {
namespace {

using pickle::Kind;
using pickle::Value;

// --- the state dict in it ---

constexpr std::array<const char*, 4> kStateDictKeys{"state_dict", "model_state_dict", "model",
                                                    "net"};
constexpr int kMostLevels = 32;
constexpr std::size_t kMostEntries = 100'000;

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
    for (const char* name : kStateDictKeys) {
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
    pickle::Reader reader(pickled, source.name(), torch_names());
    std::map<std::string, std::string> unpacked;
    const auto storages = [&](const StorageId& id) -> std::string_view {
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
constexpr std::string_view kStreamMagic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12);
constexpr std::int64_t kStreamVersion = 1001;

bool recognises_stream(const ModelSource& source) {
    // Later protocols put a frame of nine bytes in between.
    return starts_with(source.start, "\x80") && source.start.find(kStreamMagic) <= 11;
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
    pickle::Reader reader(mapped.bytes(), file, torch_names());
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
