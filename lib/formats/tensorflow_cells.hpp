// Internal to lib/formats: recurrent cells under the names that TensorFlow 1 gives their variables
// (tf.nn.rnn_cell: GRUCell, LSTMCell and BasicLSTMCell, BasicRNNCell, UGRNNCell).
#pragma once

#include <assay/formats/stored_layers.hpp>

#include <string>
#include <vector>

namespace assay::formats {

// Takes cells out of `arrays`, and where there are any also the dense layers beside them: kernels
// of TensorFlow are (inputs and units, gates units) and (inputs, outputs). The constant that is
// added to the forget gate of an LSTM, and to the gate of a UGRNN, but not kept in files
// (options.forget_bias) is folded into the bias, and a note says so. Throws Error for cells with
// peepholes or a projection, and for arrays that do not fit.
[[nodiscard]] std::vector<StoredLayer> take_tensorflow_cells(NamedArrays& arrays,
                                                             const std::string& where,
                                                             const ModelOptions& options,
                                                             OpenedModel& opened);

} // namespace assay::formats
