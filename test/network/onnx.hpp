// The part of the ONNX wire format (protocol buffers) that its published test cases need: graphs,
// attributes and tensors of numbers. For tests alone.
#pragma once

#include <assay/core/error.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace onnx_test {

using Shape = std::vector<std::int64_t>;

struct Tensor {
    std::string name;
    Shape shape;
    std::vector<double> values; // C order
    int type = 0;               // 1: float, 7: int64, 11: double
};

struct Attribute {
    double number = 0;
    std::int64_t integer = 0;
    std::string text;
    std::vector<double> numbers;
    Shape integers;
    std::vector<std::string> texts;
    Tensor tensor;
};

struct Node {
    std::string type, domain;
    std::vector<std::string> inputs, outputs;
    std::map<std::string, Attribute> attributes;

    [[nodiscard]] bool has(const std::string& key) const { return attributes.count(key) > 0; }
    [[nodiscard]] std::int64_t integer(const std::string& key, std::int64_t otherwise) const {
        return has(key) ? attributes.at(key).integer : otherwise;
    }
    [[nodiscard]] double number(const std::string& key, double otherwise) const {
        return has(key) ? attributes.at(key).number : otherwise;
    }
    [[nodiscard]] Shape integers(const std::string& key) const {
        return has(key) ? attributes.at(key).integers : Shape{};
    }
    [[nodiscard]] std::string text(const std::string& key) const {
        return has(key) ? attributes.at(key).text : "";
    }
    [[nodiscard]] bool has_input(std::size_t i) const {
        return i < inputs.size() && !inputs[i].empty();
    }
};

struct Graph {
    std::vector<Node> nodes;
    std::vector<Tensor> constants;
    std::vector<std::string> inputs, outputs;
    std::int64_t version = 0; // of the operators
};

// One message: a walk over its fields.
class Message {
  public:
    explicit Message(std::string bytes) : bytes_(std::move(bytes)) {}

    // Calls body(field, number, content): number of fields of fixed or variable length, content of
    // those with a length.
    template <class Body>
    void each(Body&& body) const {
        for (std::size_t at = 0; at < bytes_.size();) {
            const std::uint64_t key = varint(at);
            const auto field = static_cast<int>(key >> 3U);
            switch (key & 7U) {
            case 0:
                body(field, varint(at), std::string());
                break;
            case 1:
                body(field, std::uint64_t{0}, take(at, 8));
                break;
            case 2: {
                const std::uint64_t length = varint(at);
                body(field, std::uint64_t{0}, take(at, length));
                break;
            }
            case 5:
                body(field, std::uint64_t{0}, take(at, 4));
                break;
            default:
                throw assay::Error("onnx: unknown wire type");
            }
        }
    }
    // All of a packed field.
    [[nodiscard]] std::vector<std::int64_t> varints() const {
        std::vector<std::int64_t> list;
        for (std::size_t at = 0; at < bytes_.size();)
            list.push_back(static_cast<std::int64_t>(varint(at)));
        return list;
    }

  private:
    std::uint64_t varint(std::size_t& at) const {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(at, 1)[0]);
            value |= std::uint64_t{byte & 127U} << shift;
            if (byte < 128) return value;
        }
        throw assay::Error("onnx: a number without end");
    }
    std::string take(std::size_t& at, std::uint64_t length) const {
        if (length > bytes_.size() - at) throw assay::Error("onnx: the file ends too early");
        at += length;
        return bytes_.substr(at - length, length);
    }
    std::string bytes_;
};

// Numbers of type T that stand in bytes as they are.
template <class T>
std::vector<double> numbers_of(const std::string& bytes) {
    std::vector<T> raw(bytes.size() / sizeof(T));
    std::memcpy(raw.data(), bytes.data(), raw.size() * sizeof(T));
    return {raw.begin(), raw.end()};
}

inline void append(Shape& list, std::uint64_t number, const std::string& packed) {
    if (packed.empty())
        list.push_back(static_cast<std::int64_t>(number));
    else
        for (const auto one : Message(packed).varints()) list.push_back(one);
}

inline std::vector<double> raw_numbers(int type, const std::string& raw) {
    switch (type) {
    case 1:
        return numbers_of<float>(raw);
    case 2:
    case 9:
        return numbers_of<std::uint8_t>(raw);
    case 3:
        return numbers_of<std::int8_t>(raw);
    case 6:
        return numbers_of<std::int32_t>(raw);
    case 7:
        return numbers_of<std::int64_t>(raw);
    case 11:
        return numbers_of<double>(raw);
    default:
        throw assay::Error(assay::concat("tensors of type ", type));
    }
}

inline Tensor read_tensor(const std::string& bytes) {
    Tensor tensor;
    std::string raw, floats, doubles;
    Shape integers;
    Message(bytes).each([&](int field, std::uint64_t number, const std::string& content) {
        if (field == 1) append(tensor.shape, number, content);
        if (field == 2) tensor.type = static_cast<int>(number);
        if (field == 4) floats += content;
        if (field == 5 || field == 7) append(integers, number, content);
        if (field == 8) tensor.name = content;
        if (field == 9) raw = content;
        if (field == 10) doubles += content;
    });
    tensor.values = !raw.empty()       ? raw_numbers(tensor.type, raw)
                    : !floats.empty()  ? numbers_of<float>(floats)
                    : !doubles.empty() ? numbers_of<double>(doubles)
                                       : std::vector<double>(integers.begin(), integers.end());
    return tensor;
}

inline std::pair<std::string, Attribute> read_attribute(const std::string& bytes) {
    std::string name;
    Attribute attribute;
    Message(bytes).each([&](int field, std::uint64_t number, const std::string& content) {
        if (field == 1) name = content;
        if (field == 2) attribute.number = numbers_of<float>(content).at(0);
        if (field == 3) attribute.integer = static_cast<std::int64_t>(number);
        if (field == 4) attribute.text = content;
        if (field == 5) attribute.tensor = read_tensor(content);
        if (field == 7)
            for (const double one : numbers_of<float>(content)) attribute.numbers.push_back(one);
        if (field == 8) append(attribute.integers, number, content);
        if (field == 9) attribute.texts.push_back(content);
    });
    return {name, attribute};
}

inline Node read_node(const std::string& bytes) {
    Node node;
    Message(bytes).each([&](int field, std::uint64_t, const std::string& content) {
        if (field == 1) node.inputs.push_back(content);
        if (field == 2) node.outputs.push_back(content);
        if (field == 4) node.type = content;
        if (field == 5) node.attributes.insert(read_attribute(content));
        if (field == 7) node.domain = content;
    });
    return node;
}

inline std::string name_of(const std::string& value_info) {
    std::string name;
    Message(value_info).each([&](int field, std::uint64_t, const std::string& content) {
        if (field == 1) name = content;
    });
    return name;
}

inline Graph read_graph(const std::string& bytes) {
    Graph graph;
    Message(bytes).each([&](int field, std::uint64_t, const std::string& content) {
        if (field == 1) graph.nodes.push_back(read_node(content));
        if (field == 5) graph.constants.push_back(read_tensor(content));
        if (field == 11) graph.inputs.push_back(name_of(content));
        if (field == 12) graph.outputs.push_back(name_of(content));
    });
    return graph;
}

inline std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw assay::Error(path + ": cannot be opened");
    return {std::istreambuf_iterator<char>(in), {}};
}

inline Graph read_model(const std::string& path) {
    Graph graph;
    std::int64_t version = 0;
    Message(read_file(path)).each([&](int field, std::uint64_t, const std::string& content) {
        if (field == 7) graph = read_graph(content);
        if (field != 8) return;
        std::string domain;
        std::int64_t number = 0;
        Message(content).each([&](int part, std::uint64_t value, const std::string& text) {
            if (part == 1) domain = text;
            if (part == 2) number = static_cast<std::int64_t>(value);
        });
        if (domain.empty()) version = number;
    });
    graph.version = version;
    return graph;
}

} // namespace onnx_test
