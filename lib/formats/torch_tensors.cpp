#include <assay/formats/torch_tensors.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <array>

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

const ScalarType* scalar_of(const std::string& storage_type) {
    if (storage_type == kBoolStorage) return scalar_type("boolean");
    for (const auto& type : kStorageTypes)
        if (storage_type == type.name) return scalar_type(type.scalar);
    return nullptr;
}

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

// --- tensors ---

struct Strided {
    Index offset = 0;
    std::vector<Index> shape, strides;
};

// Strides may repeat numbers (expand): a few do no harm, many are a way to ask for any memory.
constexpr Index kMostRepeated = Index{1} << 20;

// The place of the last number; `count` where that is beyond the storage, whose places are 0 to
// count - 1. Every stride that is used once or more is then below count.
Index last_place(const Strided& tensor, Index count) {
    Index last = tensor.offset;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        const Index steps = tensor.shape[i] - 1;
        if (steps == 0) continue;
        if (last >= count || tensor.strides[i] > (count - 1 - last) / steps) return count;
        last += steps * tensor.strides[i];
    }
    return last;
}

void check_extent(const Strided& tensor, Index count) {
    const Index elements = hdf5::element_count(tensor.shape, "a tensor");
    if (tensor.strides.size() != tensor.shape.size())
        throw Error(concat("a tensor has ", tensor.shape.size(), " dimensions but ",
                           tensor.strides.size(), " strides"));
    if (elements == 0) return;
    if (last_place(tensor, count) >= count)
        throw Error(concat("a tensor of ", hdf5::shape_text(tensor.shape),
                           " goes beyond its storage of ", count, " numbers"));
    if (elements > std::max(count, kMostRepeated))
        throw Error(concat("a tensor of ", hdf5::shape_text(tensor.shape),
                           " repeats its storage of ", count, " numbers; it is damaged"));
}

DenseArray gather(const Strided& tensor, const ScalarType& type, const char* bytes,
                  ByteOrder order) {
    DenseArray array{tensor.shape, {}, std::string(type.name)};
    const auto elements = static_cast<std::size_t>(hdf5::element_count(tensor.shape, ""));
    array.values.reserve(elements);
    std::vector<Index> place(tensor.shape.size(), 0);
    Index at = tensor.offset;
    while (array.values.size() < elements) {
        array.values.push_back(type.read(bytes + static_cast<std::size_t>(at) * type.bytes, order));
        for (std::size_t i = place.size(); i-- > 0;) {
            if (tensor.shape[i] == 1) continue; // its stride may be anything
            at += tensor.strides[i];
            if (++place[i] < tensor.shape[i]) break;
            at -= tensor.strides[i] * tensor.shape[i];
            place[i] = 0;
        }
    }
    return array;
}

// Numbers that tensors may hold for each of a storage's.
constexpr Index kMostShared = 16;

} // namespace

const std::vector<pickle::Accepted>& torch_names() {
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

// _rebuild_tensor_v2(storage, offset, shape, strides, ...).
DenseArray TensorReader::read(const Value& call) {
    const StorageId storage = storage_id(item(call, 0));
    Strided tensor{integer_of(item(call, 1)), integers_of(item(call, 2)),
                   integers_of(item(call, 3))};
    const std::string_view bytes = checkpoint_.storages(storage);
    const auto count = static_cast<Index>(bytes.size() / storage.type->bytes);
    tensor.offset = std::min(count, tensor.offset) + std::min(count, storage.view_offset);
    check_extent(tensor, count);
    if (seen_.insert(storage.key).second) allowed_ += kMostShared * count;
    used_ += hdf5::element_count(tensor.shape, "");
    if (used_ > allowed_ + 4 * kMostRepeated)
        throw Error("its tensors share their storages more often than is plausible");
    return gather(tensor, *storage.type, bytes.data(), checkpoint_.order);
}

} // namespace assay::formats
