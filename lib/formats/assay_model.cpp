// assay's own files: /model with its architecture, and the checkpoints of a run.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/model_parts.hpp>
#include <assay/network/network_io.hpp>

#include <algorithm>
#include <string>

namespace assay::formats {
namespace {

std::string model_path(const ModelSource& source) {
    return source.address.path.empty() ? "/model" : source.address.path;
}

// The step that `--checkpoint` names, among those of the file.
std::int64_t chosen_step(const hdf5::Group& root, const std::string& text) {
    const hdf5::Dataset dataset = root.dataset("/run/steps");
    const auto steps = whole_numbers(dataset);
    if (steps.empty()) throw Error(dataset.where() + ": is empty; steps are expected");
    if (text == "last") return *std::max_element(steps.begin(), steps.end());
    const auto step = parse_integer(text);
    if (!step)
        throw UsageError("--checkpoint: '" + printable(text, 40) +
                         "' is no step; an integer or last is expected");
    if (std::find(steps.begin(), steps.end(), *step) == steps.end())
        throw Error(concat(dataset.where(), ": has no step ", *step, "; it has ", steps.size(),
                           " from ", *std::min_element(steps.begin(), steps.end()), " to ",
                           *std::max_element(steps.begin(), steps.end())));
    return *step;
}

std::string checkpoint_path(std::int64_t step) {
    constexpr std::size_t kDigits = 9;
    const std::string digits = std::to_string(step);
    return "/run/checkpoints/" + std::string(kDigits - std::min(kDigits, digits.size()), '0') +
           digits;
}

// `group` holds the model's arrays.
void note_types(const hdf5::Group& group, OpenedModel& opened) {
    const hdf5::Group weights = group.group("weights");
    for (const auto& array : opened.model.parameters)
        opened.types[array.layer + "/" + array.name] =
            weights.group(array.layer).dataset(array.name).type_text();
}

bool recognises_assay_model(const ModelSource& source) {
    if (source.root == nullptr) return false;
    const std::string path = model_path(source);
    if (source.root->has_group(path)) {
        const hdf5::Group group = source.root->group(path);
        if (group.has("architecture") || group.has_attribute("architecture")) return true;
    }
    // Else read_assay_model() says what is missing; a group that is named may be anybody's.
    return source.address.path.empty() &&
           starts_with(source.root->text_attribute("format").value_or(""), "assay/");
}

void read_assay_model(const ModelSource& source, const ModelOptions& options, OpenedModel& opened) {
    const hdf5::Group& root = *source.root;
    const std::string path = model_path(source);
    if (!root.has_group(path))
        throw Error(source.name() + ":" + path + ": not in the file; it holds " +
                    printable(join(root.names(), ", "), 150));
    opened.model = network::read_model(root.group(path));
    std::string arrays = path;
    if (!options.checkpoint.empty()) {
        const std::int64_t step = chosen_step(root, options.checkpoint);
        arrays = checkpoint_path(step);
        network::Model kept = network::read_model(root.group(arrays));
        kept.architecture = opened.model.architecture;
        opened.model = std::move(kept);
        opened.metadata.emplace_back("step", std::to_string(step));
    }
    note_types(root.group(arrays), opened);
    if (opened.model.architecture.empty()) opened.model.architecture = options.architecture;
    if (opened.model.parameters.empty())
        throw Error(source.name() + ":" + path + ": holds no weights");
}

} // namespace

const ModelFormat kAssayModel{"assay", recognises_assay_model, read_assay_model};

} // namespace assay::formats
