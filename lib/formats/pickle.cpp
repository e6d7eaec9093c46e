#include <assay/formats/pickle.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/scalar_types.hpp>

#include <algorithm>
#include <utility>

namespace assay::formats::pickle {
namespace {

// A million of tensors; about 0.5 GB.
constexpr std::size_t kMostValues = 4'000'000;

// Opcodes of the pickle protocols 0 to 5 (Python's pickletools.py), as far as they are known here.
enum Opcode : unsigned char {
    kMark = '(',
    kStop = '.',
    kPop = '0',
    kPopMark = '1',
    kBinFloat = 'G',
    kBinInt = 'J',
    kBinInt1 = 'K',
    kBinInt2 = 'M',
    kNone = 'N',
    kBinPersId = 'Q',
    kReduce = 'R',
    kBinString = 'T',
    kShortBinString = 'U',
    kBinUnicode = 'X',
    kEmptyList = ']',
    kAppend = 'a',
    kBuild = 'b',
    kGlobal = 'c',
    kDict = 'd',
    kEmptyDict = '}',
    kAppends = 'e',
    kBinGet = 'h',
    kLongBinGet = 'j',
    kList = 'l',
    kBinPut = 'q',
    kLongBinPut = 'r',
    kSetItem = 's',
    kTuple = 't',
    kEmptyTuple = ')',
    kSetItems = 'u',
    kProto = 0x80,
    kTuple1 = 0x85,
    kTuple2 = 0x86,
    kTuple3 = 0x87,
    kNewTrue = 0x88,
    kNewFalse = 0x89,
    kLong1 = 0x8a,
    kLong4 = 0x8b,
    kShortBinUnicode = 0x8c,
    kBinUnicode8 = 0x8d,
    kStackGlobal = 0x93,
    kMemoize = 0x94,
    kFrame = 0x95
};

} // namespace

const Value* Value::member(std::string_view key) const {
    if (kind != Kind::dict) return nullptr;
    for (std::size_t i = items.size(); i >= 2; i -= 2)
        if (items[i - 2]->kind == Kind::text && items[i - 2]->text == key) return items[i - 1];
    return nullptr;
}

std::string Value::kind_text() const {
    switch (kind) {
    case Kind::none:
        return "None";
    case Kind::boolean:
        return "a boolean";
    case Kind::integer:
    case Kind::big_integer:
    case Kind::number:
        return "a number";
    case Kind::text:
        return "text";
    case Kind::list:
        return "a list";
    case Kind::tuple:
        return "a tuple";
    case Kind::dict:
        return "a dictionary";
    case Kind::persistent:
        return "a storage";
    default:
        return "'" + printable(text, 60) + "'";
    }
}

Reader::Reader(std::string_view bytes, std::string where, const std::vector<Accepted>& accepted)
    : bytes_(bytes), where_(std::move(where)), accepted_(accepted) {}

void Reader::refuse(const std::string& complaint) const {
    throw Error(where_ + ": " + complaint);
}

std::string_view Reader::take(std::uint64_t count) {
    if (count > bytes_.size() - at_) refuse("is cut short inside its pickle");
    const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
}

std::uint64_t Reader::take_number(std::size_t bytes) {
    return little_endian(take(bytes));
}

std::string_view Reader::take_line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) refuse("is cut short inside its pickle");
    const std::string_view line = take(end - at_);
    ++at_;
    return line;
}

Value& Reader::make(Kind kind) {
    if (values_.size() >= kMostValues)
        refuse(concat("its pickle has more than ", kMostValues, " values"));
    values_.emplace_back();
    values_.back().kind = kind;
    stack_.push_back(&values_.back());
    return values_.back();
}

void Reader::push_text(std::string_view bytes) {
    make(Kind::text).text = bytes;
}

void Reader::push_integer(std::int64_t value) {
    make(Kind::integer).integer = value;
}

// Two's complement of any length.
void Reader::push_long(std::uint64_t count) {
    const std::string_view bytes = take(count);
    if (bytes.size() > 8) {
        make(Kind::big_integer).text = bytes;
        return;
    }
    std::uint64_t value = little_endian(bytes);
    const auto bits = 8 * bytes.size();
    if (bits > 0 && bits < 64 && ((value >> (bits - 1)) & 1U) != 0)
        value |= ~std::uint64_t{0} << bits;
    push_integer(static_cast<std::int64_t>(value));
}

void Reader::push_number() {
    make(Kind::number).number = scalar_type("float64")->read(take(8).data(), ByteOrder::big);
}

void Reader::push_name(const std::string& name) {
    const bool known = std::any_of(accepted_.begin(), accepted_.end(),
                                   [&](const Accepted& a) { return a.name == name; });
    if (!known)
        refuse("its pickle names " + printable(name, 100) +
               ", which is not run; plain tensors are expected (save the state_dict alone)");
    make(Kind::name).text = name;
}

Value* Reader::pop() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back()))
        refuse("its pickle takes more from its stack than there is; it is damaged");
    Value* const value = stack_.back();
    stack_.pop_back();
    return value;
}

Value& Reader::top(Kind kind) {
    Value* const value = pop();
    stack_.push_back(value);
    if (value->kind != kind)
        refuse("its pickle puts members into " + value->kind_text() + "; it is damaged");
    return *value;
}

Reader::Stack Reader::pop_to_mark() {
    if (marks_.empty()) refuse("its pickle lacks a mark; it is damaged");
    const auto start = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Stack members(start, stack_.end());
    stack_.erase(start, stack_.end());
    marks_.pop_back();
    return members;
}

void Reader::extend(Value& container, const Stack& members) {
    if (container.kind == Kind::dict && members.size() % 2 != 0)
        refuse("its pickle has a key without a value; it is damaged");
    container.items.insert(container.items.end(), members.begin(), members.end());
}

void Reader::push_tuple(std::size_t count) {
    Stack members(count);
    for (std::size_t i = count; i-- > 0;) members[i] = pop();
    extend(make(Kind::tuple), members);
}

void Reader::reduce() {
    const Value* const arguments = pop();
    const Value* const callable = pop();
    if (callable->kind != Kind::name || arguments->kind != Kind::tuple)
        refuse("its pickle calls " + callable->kind_text() + "; it is damaged");
    const auto accepted = std::find_if(accepted_.begin(), accepted_.end(),
                                       [&](const Accepted& a) { return a.name == callable->text; });
    if (accepted->meaning == Meaning::nothing)
        refuse("its pickle calls " + callable->kind_text() + ", which is not run");
    if (accepted->meaning == Meaning::first_argument) {
        if (arguments->items.empty()) refuse("its pickle lacks an argument; it is damaged");
        stack_.push_back(arguments->items.front());
        return;
    }
    if (accepted->meaning == Meaning::dict && !arguments->items.empty())
        refuse("its pickle fills a dictionary by a call; members one by one are expected");
    Value& result = make(accepted->meaning == Meaning::dict ? Kind::dict : Kind::call);
    result.text = callable->text;
    result.items = arguments->items;
}

// The state of an OrderedDict is what PyTorch notes beside it (_metadata).
void Reader::build() {
    pop();
    static_cast<void>(top(Kind::dict));
}

void Reader::remember(std::uint64_t place) {
    Value* const value = pop();
    stack_.push_back(value);
    memo_[place] = value;
}

void Reader::recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) refuse("its pickle recalls what it never stored; it is damaged");
    stack_.push_back(found->second);
}

bool Reader::step_constants(unsigned char opcode) {
    switch (opcode) {
    case kNone:
        make(Kind::none);
        return true;
    case kNewTrue:
    case kNewFalse:
        make(Kind::boolean).integer = opcode == kNewTrue ? 1 : 0;
        return true;
    case kBinInt:
        push_integer(static_cast<std::int32_t>(take_number(4)));
        return true;
    case kBinInt1:
        push_integer(static_cast<std::int64_t>(take_number(1)));
        return true;
    case kBinInt2:
        push_integer(static_cast<std::int64_t>(take_number(2)));
        return true;
    case kLong1:
        push_long(take_number(1));
        return true;
    case kLong4:
        push_long(take_number(4));
        return true;
    case kBinFloat:
        push_number();
        return true;
    case kShortBinString:
    case kShortBinUnicode:
        push_text(take(take_number(1)));
        return true;
    case kBinString:
    case kBinUnicode:
        push_text(take(take_number(4)));
        return true;
    case kBinUnicode8:
        push_text(take(take_number(8)));
        return true;
    default:
        return false;
    }
}

bool Reader::step_containers(unsigned char opcode) {
    switch (opcode) {
    case kEmptyTuple:
    case kTuple1:
    case kTuple2:
    case kTuple3:
        push_tuple(opcode == kEmptyTuple ? 0 : opcode - kTuple1 + 1U);
        return true;
    case kTuple:
    case kList:
    case kDict: {
        const Stack members = pop_to_mark();
        extend(make(opcode == kTuple  ? Kind::tuple
                    : opcode == kList ? Kind::list
                                      : Kind::dict),
               members);
        return true;
    }
    case kEmptyList:
    case kEmptyDict:
        make(opcode == kEmptyList ? Kind::list : Kind::dict);
        return true;
    case kAppend: {
        Value* const member = pop();
        extend(top(Kind::list), {member});
        return true;
    }
    case kSetItem: {
        Value* const value = pop();
        Value* const key = pop();
        extend(top(Kind::dict), {key, value});
        return true;
    }
    case kAppends:
    case kSetItems: {
        const Stack members = pop_to_mark();
        extend(top(opcode == kAppends ? Kind::list : Kind::dict), members);
        return true;
    }
    default:
        return false;
    }
}

bool Reader::step_memory(unsigned char opcode) {
    switch (opcode) {
    case kMark:
        marks_.push_back(stack_.size());
        return true;
    case kPop:
        pop();
        return true;
    case kPopMark:
        pop_to_mark();
        return true;
    case kBinPut:
        remember(take_number(1));
        return true;
    case kLongBinPut:
        remember(take_number(4));
        return true;
    case kMemoize:
        remember(memo_.size());
        return true;
    case kBinGet:
        recall(take_number(1));
        return true;
    case kLongBinGet:
        recall(take_number(4));
        return true;
    case kProto:
        if (take_number(1) > 5) refuse("its pickle is of a protocol later than 5");
        return true;
    case kFrame:
        static_cast<void>(take_number(8));
        return true;
    default:
        return false;
    }
}

bool Reader::step_objects(unsigned char opcode) {
    switch (opcode) {
    case kGlobal: {
        const std::string module(take_line());
        push_name(module + " " + std::string(take_line()));
        return true;
    }
    case kStackGlobal: {
        const Value* const name = pop();
        const Value* const module = pop();
        push_name(module->text + " " + name->text);
        return true;
    }
    case kReduce:
        reduce();
        return true;
    case kBuild:
        build();
        return true;
    case kBinPersId: {
        Value* const id = pop();
        make(Kind::persistent).items = {id};
        return true;
    }
    default:
        return false;
    }
}

const Value& Reader::read() {
    stack_.clear();
    marks_.clear();
    memo_.clear();
    for (;;) {
        const auto opcode = static_cast<unsigned char>(take(1).front());
        if (opcode == kStop) return *pop();
        if (!step_constants(opcode) && !step_containers(opcode) && !step_memory(opcode) &&
            !step_objects(opcode))
            refuse(concat("its pickle has the opcode ", static_cast<int>(opcode), " at byte ",
                          at_ - 1, ", which tensors do not need"));
    }
}

} // namespace assay::formats::pickle
