// A subcommand as one declaration: what it reads and writes, its options, and what it runs. Help,
// man page, completion, JSON description and parsing are derived from it (lib/cli/documents,
// lib/cli/main).
#pragma once

#include <assay/cli/option.hpp>
#include <assay/core/export.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace assay::cli {

class Context;

// hdf5: a result file, refused on a terminal. hdf5_if_wanted: the same, left out on a terminal
// without -o. document: text or a picture, the command's own affair.
enum class OutputKind { none, hdf5, hdf5_if_wanted, document };
enum class InputKind { none, one, several };

struct Example {
    std::string purpose;
    std::string command;
};
struct OutputItem {
    std::string path;
    std::string meaning;
};

// A --config file that is no file of options: a document of the command's own, such as what it is
// to do.
struct ConfigDocument {
    std::string file, text; // empty: none was given
};

struct Declaration {
    std::string name;
    std::string summary;
    std::string description;
    InputKind input = InputKind::none;
    std::string input_meaning;
    OutputKind output = OutputKind::none;
    std::vector<OutputItem> output_items;
    bool resumable = false;
    bool sharded = false;
    std::function<bool()> divides; // whether the options given leave something to divide; else yes
    bool together = false;         // ranks share the work of one result (core/ranks.hpp)
    std::deque<OptionSpec> options;
    std::vector<std::pair<std::string, std::string>> conflicts;
    std::vector<Example> examples;
    std::vector<std::string> references; // keys of share/references.json
    std::string memory_formula;
    std::function<void(Context&)> run;
    ConfigDocument* document = nullptr; // where one goes, of a command that takes it
    bool carries = true;                // earlier results of the inputs into the output
};

class ASSAY_API Command {
  public:
    Command(std::string name, std::string summary);

    Command& describe(std::string text);
    Command& input(std::string meaning);
    Command& inputs(std::string meaning);
    Command& output(OutputKind kind, std::vector<OutputItem> items);
    Command& resumable();
    // `divides`: for the given options, where that depends on them.
    Command& sharded(std::function<bool()> divides = {});
    // Under mpirun every rank runs the body and takes part in its sums; rank 0 alone writes.
    Command& together();
    // The output is about many inputs and stands for itself: nothing of them is carried forward.
    Command& carries_nothing();
    // A --config file with a key `format`, or with objects that are no subcommand's section, goes
    // to `target` as it is.
    Command& takes_document(ConfigDocument& target);
    // Options that follow stand under this heading.
    Command& group(std::string heading);
    Command& conflicts(std::string one, std::string other);
    Command& example(std::string purpose, std::string command);
    Command& reference(std::string key);
    // Peak memory beyond the recording, for the help.
    Command& memory(std::string formula);
    Command& run(std::function<void(Context&)> body);

    template <class T>
    OptionBuilder<T> option(const std::string& names, T& target, std::string value_name,
                            std::string description) {
        OptionSpec& spec = add(names, std::move(value_name), std::move(description));
        bind(spec, target);
        return OptionBuilder<T>(spec);
    }
    // A word that stands for a value of an enumeration.
    template <class T>
    void choice(const std::string& names, T& target, std::vector<std::pair<std::string, T>> choices,
                std::string description) {
        OptionSpec& spec = add(names, "WORD", std::move(description));
        spec.type = "choice";
        for (const auto& [word, value] : choices) spec.choices.push_back(word);
        spec.aliases = shared_aliases(spec.choices);
        OptionSpec* const self = &spec;
        T* const value = &target;
        spec.set = [self, value, choices](const std::string& text) {
            const std::string wanted = resolve_alias(*self, text);
            for (const auto& [word, meaning] : choices)
                if (word == wanted) {
                    *value = meaning;
                    return;
                }
            refuse_value(*self, text, expected_text(*self));
        };
        spec.show = [value, choices] {
            for (const auto& [word, meaning] : choices)
                if (meaning == *value) return word;
            return std::string();
        };
    }
    void flag(const std::string& names, bool& target, std::string description);
    void bytes(const std::string& names, std::int64_t& target, std::string description,
               std::string default_text);
    // The shared options of the same meaning everywhere.
    void seed(std::uint64_t& target);
    void memory_limit(std::int64_t& target);

    [[nodiscard]] const Declaration& declaration() const { return *declaration_; }
    [[nodiscard]] Declaration& declaration() { return *declaration_; }

  private:
    OptionSpec& add(const std::string& names, std::string value_name, std::string description);
    std::shared_ptr<Declaration> declaration_;
    std::string heading_ = "Options";
};

struct Tool {
    std::string name;
    std::string summary;
    std::string description;
    std::vector<Command> commands;
    // Replaces the walk over an HDF5 file when completion asks for dataset paths (foreign formats).
    std::function<std::vector<std::string>(const std::string& file)> list_paths;
};

// Runs a tool's command line and returns its exit status: 0 done, 1 failed, 2 wrong usage, 75
// interrupted.
ASSAY_API int main(int argc, char** argv, const Tool& tool);

} // namespace assay::cli
