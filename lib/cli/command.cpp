#include <assay/cli/command.hpp>
#include <assay/core/seed.hpp>

namespace assay::cli {

Command::Command(std::string name, std::string summary)
    : declaration_(std::make_shared<Declaration>()) {
    declaration_->name = std::move(name);
    declaration_->summary = std::move(summary);
}

Command& Command::describe(std::string text) {
    declaration_->description = std::move(text);
    return *this;
}

Command& Command::input(std::string meaning) {
    declaration_->input = InputKind::one;
    declaration_->input_meaning = std::move(meaning);
    return *this;
}

Command& Command::inputs(std::string meaning) {
    declaration_->input = InputKind::several;
    declaration_->input_meaning = std::move(meaning);
    return *this;
}

Command& Command::output(OutputKind kind, std::vector<OutputItem> items) {
    declaration_->output = kind;
    declaration_->output_items = std::move(items);
    return *this;
}

Command& Command::resumable() {
    declaration_->resumable = true;
    return *this;
}

Command& Command::sharded(std::function<bool()> divides) {
    declaration_->sharded = true;
    declaration_->divides = std::move(divides);
    return *this;
}

Command& Command::together() {
    declaration_->together = true;
    return *this;
}

Command& Command::carries_nothing() {
    declaration_->carries = false;
    return *this;
}

Command& Command::takes_document(ConfigDocument& target) {
    declaration_->document = &target;
    return *this;
}

Command& Command::group(std::string heading) {
    heading_ = std::move(heading);
    return *this;
}

Command& Command::conflicts(std::string one, std::string other) {
    declaration_->conflicts.emplace_back(std::move(one), std::move(other));
    return *this;
}

Command& Command::example(std::string purpose, std::string command) {
    declaration_->examples.push_back({std::move(purpose), std::move(command)});
    return *this;
}

Command& Command::reference(std::string key) {
    declaration_->references.push_back(std::move(key));
    return *this;
}

Command& Command::memory(std::string formula) {
    declaration_->memory_formula = std::move(formula);
    return *this;
}

Command& Command::run(std::function<void(Context&)> body) {
    declaration_->run = std::move(body);
    return *this;
}

OptionSpec& Command::add(const std::string& names, std::string value_name,
                         std::string description) {
    OptionSpec& spec = declaration_->options.emplace_back();
    spec.names = split(names, ',');
    spec.value_name = std::move(value_name);
    spec.description = std::move(description);
    spec.group = heading_;
    return spec;
}

void Command::flag(const std::string& names, bool& target, std::string description) {
    OptionSpec& spec = add(names, "", std::move(description));
    spec.type = "flag";
    OptionSpec* const self = &spec;
    bool* const value = &target;
    spec.set = [self, value](const std::string& text) {
        if (text != "true" && text != "false") refuse_value(*self, text, "true or false");
        *value = text == "true";
    };
    spec.show = [value] { return *value ? std::string("true") : std::string("false"); };
}

void Command::bytes(const std::string& names, std::int64_t& target, std::string description,
                    std::string default_text) {
    OptionSpec& spec = add(names, "BYTES", std::move(description));
    spec.type = "bytes";
    spec.default_text = std::move(default_text);
    OptionSpec* const self = &spec;
    std::int64_t* const value = &target;
    spec.set = [self, value](const std::string& text) {
        const auto bytes = parse_bytes(text);
        if (!bytes || *bytes <= 0) refuse_value(*self, text, expected_text(*self));
        *value = *bytes;
    };
    spec.show = [value] { return *value > 0 ? std::to_string(*value) : std::string(); };
}

void Command::seed(std::uint64_t& target) {
    OptionSpec& spec = add("--seed", "N", "seed of all random numbers");
    spec.type = "integer";
    spec.minimum = 0;
    OptionSpec* const self = &spec;
    std::uint64_t* const value = &target;
    spec.set = [self, value](const std::string& text) {
        const auto number = parse_seed(text);
        if (!number) refuse_value(*self, text, "an integer from 0 to 2^64 - 1");
        *value = *number;
    };
    spec.show = [value] { return std::to_string(*value); };
}

void Command::memory_limit(std::int64_t& target) {
    bytes("--memory", target, "working memory; what does not fit is streamed",
          "60% of what is granted of the machine's");
    declaration_->options.back().execution_only = true;
}

} // namespace assay::cli
