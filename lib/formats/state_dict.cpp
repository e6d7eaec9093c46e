#include <assay/formats/state_dict.hpp>

#include <assay/core/error.hpp>
#include <assay/formats/architecture_match.hpp>
#include <assay/formats/recurrent_stack.hpp>
#include <assay/formats/stored_layers.hpp>
#include <assay/formats/tensorflow_cells.hpp>

#include <utility>

namespace assay::formats {

void fill_from_state_dict(NamedArrays arrays, const std::string& where, const ModelOptions& options,
                          OpenedModel& opened) {
    std::vector<StoredLayer> layers = take_tensorflow_cells(arrays, where, options, opened);
    const bool tensorflow = !layers.empty();
    for (auto& layer : stored_layers(std::move(arrays), where)) layers.push_back(std::move(layer));
    if (tensorflow) check_layer_names(layers, where);
    if (layers.empty()) throw Error(where + ": holds no arrays of numbers; weights are expected");
    if (!options.architecture.empty())
        match_to_architecture(std::move(layers), options.architecture, where, opened);
    else if (!build_recurrent(layers, where, options, opened))
        keep_without_architecture(layers, opened);
}

} // namespace assay::formats
