// Internal to lib/formats: arrays named as PyTorch names them ("encoder.rnn.weight_ih_l0"), made
// into a model. Where an architecture is given, layers are matched by name, else in order with
// shapes checked; recurrent networks tell their architecture themselves.
#pragma once

#include <assay/formats/model_parts.hpp>

namespace assay::formats {

// Sets opened.model and adds to its notes; messages call the file `where`.
void fill_from_state_dict(NamedArrays arrays, const std::string& where, const ModelOptions& options,
                          OpenedModel& opened);

} // namespace assay::formats
