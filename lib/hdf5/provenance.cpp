#include <assay/hdf5/provenance.hpp>

#include <assay/core/text.hpp>

#include <algorithm>
#include <set>

namespace assay::hdf5 {
namespace {

// Two inputs of one pipeline share their early steps; these tell them apart from steps of their
// own.
std::string identity(const Group& step) {
    return step.text_attribute("command").value_or("") + "\n" +
           step.text_attribute("started").value_or("") + "\n" +
           step.text_attribute("input_digests").value_or("");
}

} // namespace

void write_provenance(Group output, const std::vector<Group>& inputs,
                      const ProvenanceEntry& entry) {
    Group chain = output.create_group("/provenance");
    std::set<std::string> seen;
    int count = 0;
    for (const Group& input : inputs) {
        if (!input.has_group("/provenance")) continue;
        const Group steps = input.group("/provenance");
        for (const auto& name : steps.names()) {
            if (!steps.has_group(name)) continue;
            const Group step = steps.group(name);
            if (!seen.insert(identity(step)).second) continue;
            Group copy = chain.create_group(std::to_string(count++));
            for (const auto& attribute : step.attribute_names()) {
                if (const auto text = step.text_attribute(attribute))
                    copy.set_attribute(attribute, *text);
                else if (const auto number = step.number_attribute(attribute))
                    copy.set_attribute(attribute, *number);
            }
        }
    }
    Group step = chain.create_group(std::to_string(count));
    step.set_attribute("command", printable(entry.command, 50000));
    step.set_attribute("tool", entry.tool);
    step.set_attribute("version", entry.version);
    step.write_text("config", entry.config);
    step.set_attribute("input_digests", join(entry.input_digests, ","));
    if (entry.has_seed) step.set_attribute("seed", entry.seed);
    step.set_attribute("threads", entry.threads);
    step.set_attribute("started", entry.started);
    step.set_attribute("elapsed_s", entry.elapsed_s);
    step.set_attribute("cpu_s", entry.cpu_s);
}

void carry_forward(Group output, const Group& input, const std::vector<std::string>& also) {
    if (!starts_with(input.text_attribute("format").value_or(""), "assay/")) return;
    const auto wanted = [&](const std::string& name) {
        if (name == "provenance") return false;
        if (name != "data" && name != "run") return true;
        return std::find(also.begin(), also.end(), name) != also.end();
    };
    for (const auto& name : input.names()) {
        if (!wanted(name)) continue;
        if (!output.has(name)) {
            output.copy_from(input, name);
            continue;
        }
        if (!input.has_group(name) || !output.has_group(name)) continue;
        for (const auto& member : input.group(name).names()) {
            const std::string path = name + "/" + member;
            if (!output.has(path)) output.copy_from(input, path);
        }
    }
}

std::string shell_quoted(const std::string& word) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
        return std::isalnum(c) ||
               std::string_view("@%+=:,./_-").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (plain) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

} // namespace assay::hdf5
