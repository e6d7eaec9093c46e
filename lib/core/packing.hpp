// Plain structs to bytes and back, bit for bit, for states that the same program reads again. A
// struct names its members once, for both ways:
//     template <class Archive>
//     void members(Archive& archive, Point& point) { archive(point.x, point.y); }
// Every count is checked against the bytes that are left before memory is asked for.
#pragma once

#include <assay/core/error.hpp>

#include <Eigen/Core>

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace assay {

using Bytes = std::vector<std::uint8_t>;

class Packer {
  public:
    static constexpr bool loading = false;
    template <class... Values>
    void operator()(Values&... values) {
        (add(values), ...);
    }
    [[nodiscard]] Bytes take() { return std::move(bytes_); }

  private:
    void add_raw(const void* data, std::size_t bytes) {
        if (bytes == 0) return;
        bytes_.resize(bytes_.size() + bytes);
        std::memcpy(bytes_.data() + bytes_.size() - bytes, data, bytes);
    }
    void add_count(std::size_t count) {
        const std::uint64_t value = count;
        add_raw(&value, sizeof value);
    }
    template <class Value>
    void add(Value& value) {
        if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>)
            add_raw(&value, sizeof value);
        else
            members(*this, value);
    }
    void add(std::string& text) {
        add_count(text.size());
        add_raw(text.data(), text.size());
    }
    template <class Value>
    void add(std::optional<Value>& value) {
        add_count(value ? 1 : 0);
        if (value) add(*value);
    }
    template <class Value>
    void add(std::vector<Value>& values) {
        add_count(values.size());
        for (Value& value : values) add(value);
    }
    template <class Key, class Value>
    void add(std::map<Key, Value>& values) {
        add_count(values.size());
        for (auto& [key, value] : values) {
            Key copy = key;
            add(copy);
            add(value);
        }
    }
    template <class Scalar, int rows, int columns, int options>
    void add(Eigen::Matrix<Scalar, rows, columns, options>& matrix) {
        add_count(static_cast<std::size_t>(matrix.rows()));
        add_count(static_cast<std::size_t>(matrix.cols()));
        add_raw(matrix.data(), sizeof(Scalar) * static_cast<std::size_t>(matrix.size()));
    }

    Bytes bytes_;
};

class Unpacker {
  public:
    static constexpr bool loading = true;
    // `bytes` must outlive this.
    explicit Unpacker(const Bytes& bytes) : bytes_(bytes) {}
    // Throws Error where the bytes end too early.
    template <class... Values>
    void operator()(Values&... values) {
        (take(values), ...);
    }
    // Throws Error where bytes are left.
    void finish() const {
        if (place_ != bytes_.size()) refuse();
    }

  private:
    [[noreturn]] static void refuse() { throw Error("the saved state is damaged"); }
    void take_raw(void* data, std::size_t bytes) {
        if (bytes > bytes_.size() - place_) refuse();
        if (bytes > 0) std::memcpy(data, bytes_.data() + place_, bytes);
        place_ += bytes;
    }
    // A count of what takes at least `each` bytes.
    std::size_t take_count(std::size_t each) {
        std::uint64_t count = 0;
        take_raw(&count, sizeof count);
        if (each > 0 && count > (bytes_.size() - place_) / each) refuse();
        return count;
    }
    template <class Value>
    void take(Value& value) {
        if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>)
            take_raw(&value, sizeof value);
        else
            members(*this, value);
    }
    void take(std::string& text) {
        text.resize(take_count(1));
        take_raw(text.data(), text.size());
    }
    template <class Value>
    void take(std::optional<Value>& value) {
        value.reset();
        if (take_count(0) != 0) take(value.emplace());
    }
    template <class Value>
    void take(std::vector<Value>& values) {
        values.clear();
        for (std::size_t left = take_count(1); left > 0; --left) take(values.emplace_back());
    }
    template <class Key, class Value>
    void take(std::map<Key, Value>& values) {
        values.clear();
        for (std::size_t left = take_count(1); left > 0; --left) {
            Key key{};
            take(key);
            take(values[key]);
        }
    }
    template <class Scalar, int rows, int columns, int options>
    void take(Eigen::Matrix<Scalar, rows, columns, options>& matrix) {
        const std::size_t height = take_count(0), width = take_count(0);
        constexpr std::size_t most = std::size_t{1} << 48U;
        if (height > most || width > most ||
            (width > 0 && height > (bytes_.size() - place_) / sizeof(Scalar) / width))
            refuse();
        matrix.resize(static_cast<Eigen::Index>(height), static_cast<Eigen::Index>(width));
        take_raw(matrix.data(), sizeof(Scalar) * height * width);
    }

    const Bytes& bytes_;
    std::size_t place_ = 0;
};

// Throws Error where the bytes are not those of one `Value`.
template <class Value>
[[nodiscard]] Bytes packed(Value value) {
    Packer packer;
    packer(value);
    return packer.take();
}
template <class Value>
[[nodiscard]] Value unpacked(const Bytes& bytes) {
    Value value{};
    Unpacker unpacker(bytes);
    unpacker(value);
    unpacker.finish();
    return value;
}

} // namespace assay
