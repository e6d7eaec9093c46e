// Internal to lib/formats: tensors as PyTorch pickles them, views into storages of raw numbers.
#pragma once

#include <assay/formats/pickle.hpp>
#include <assay/formats/scalar_types.hpp>

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace assay::formats {

// What pickles of tensors may name; nothing of it is ever run.
[[nodiscard]] const std::vector<pickle::Accepted>& torch_names();

struct StorageId {
    std::string key;
    const ScalarType* type = nullptr;
    Index count = 0;       // numbers
    Index view_offset = 0; // of a storage that is a part of another one (before PyTorch 0.4)
};

// Throws Error where a persistent id is no storage of real numbers.
[[nodiscard]] StorageId storage_id(const pickle::Value& persistent);

struct Checkpoint {
    const pickle::Value* root = nullptr;
    std::function<std::string_view(const StorageId&)> storages; // their raw numbers
    ByteOrder order = ByteOrder::little;
};

[[nodiscard]] inline bool is_tensor(const pickle::Value& value) {
    return value.kind == pickle::Kind::call;
}

// Reads tensors, and no more numbers than their storages can account for: shared and repeated ones
// would let a small file ask for any memory.
class TensorReader {
  public:
    explicit TensorReader(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
    // Throws Error where the tensor does not lie in its storage.
    [[nodiscard]] DenseArray read(const pickle::Value& tensor);

  private:
    const Checkpoint& checkpoint_;
    std::set<std::string> seen_;
    Index used_ = 0, allowed_ = 0;
};

} // namespace assay::formats
