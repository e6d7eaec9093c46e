// npz archives of weights: members named as a state dict or as <layer>/<parameter>.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/model_parts.hpp>
#include <assay/formats/state_dict.hpp>

#include <algorithm>

namespace assay::formats {
namespace {

bool recognises_npz_model(const ModelSource& source) {
    return source.zip != nullptr && !source.zip->names().empty() &&
           std::all_of(source.zip->names().begin(), source.zip->names().end(),
                       [](const std::string& name) { return ends_with(name, ".npy"); });
}

void read_npz_model(const ModelSource& source, const ModelOptions& options, OpenedModel& opened) {
    const NpzArchive archive(source.address.file);
    NamedArrays arrays;
    for (const auto& member : archive.members()) {
        if (archive.shape_of(member)) {
            arrays.push_back({member, archive.numbers(member)});
            continue;
        }
        archive.expect_intact(member); // else a damaged header passes for text
        opened.notes.push_back("'" + printable(member) + "' holds no numbers: ignored");
    }
    fill_from_state_dict(std::move(arrays), source.name(), options, opened);
}

} // namespace

const ModelFormat kNpzModel{"npz", recognises_npz_model, read_npz_model};

} // namespace assay::formats
