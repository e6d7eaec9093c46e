// Internal to lib/formats: Python pickles as plain values. Only the opcodes that saved tensors need
// are known, only callables on a list are accepted, and none is ever called: a call becomes a value
// that holds its name and arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay::formats::pickle {

enum class Kind {
    none,
    boolean,
    integer,
    big_integer,
    number,
    text,
    list,
    tuple,
    dict,
    name,
    call,
    persistent
};

// Owned by the reader; containers may share members and contain themselves.
struct Value {
    Kind kind = Kind::none;
    std::int64_t integer = 0; // also of a boolean
    double number = 0;
    std::string text; // of a call and a name: "torch._utils _rebuild_tensor_v2"; big_integer: bytes
    // Members; keys and values in turn of a dict; arguments of a call; the id of a persistent.
    std::vector<Value*> items;

    // The value under a key of text; the last of several, null for none.
    [[nodiscard]] const Value* member(std::string_view key) const;
    [[nodiscard]] std::string kind_text() const; // "a list"
};

// What a call of an accepted name stands for.
enum class Meaning { nothing, call, dict, first_argument };

struct Accepted {
    std::string_view name; // module and name, separated by a space
    Meaning meaning;       // nothing: may be named, not called
};

// Reads pickles that stand one after another.
class Reader {
  public:
    Reader(std::string_view bytes, std::string where, const std::vector<Accepted>& accepted);
    // The next value; throws Error "where: ..." naming what is not accepted. Lives as long as this.
    const Value& read();
    [[nodiscard]] const std::deque<Value>& values() const { return values_; } // all of them
    [[nodiscard]] std::size_t position() const { return at_; } // behind the last one read

  private:
    using Stack = std::vector<Value*>;
    [[noreturn]] void refuse(const std::string& complaint) const;
    [[nodiscard]] std::string_view take(std::uint64_t count);
    [[nodiscard]] std::uint64_t take_number(std::size_t bytes); // little-endian
    [[nodiscard]] std::string_view take_line();
    Value& make(Kind kind);
    void push_text(std::string_view bytes);
    void push_integer(std::int64_t value);
    void push_long(std::uint64_t bytes);
    void push_number();
    void push_name(const std::string& name);
    void push_tuple(std::size_t count);
    Value* pop();
    Value& top(Kind kind);
    Stack pop_to_mark();
    void extend(Value& container, const Stack& members);
    void reduce();
    void build();
    void remember(std::uint64_t place);
    void recall(std::uint64_t place);
    bool step_constants(unsigned char opcode);
    bool step_containers(unsigned char opcode);
    bool step_memory(unsigned char opcode);
    bool step_objects(unsigned char opcode);

    std::string_view bytes_;
    std::string where_;
    const std::vector<Accepted>& accepted_;
    std::size_t at_ = 0;
    std::deque<Value> values_;
    Stack stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::uint64_t, Value*> memo_;
};

} // namespace assay::formats::pickle
