// A model on data: loss, accuracy, confusion and outputs.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/network/loss.hpp>
#include <assay/network/model.hpp>
#include <assay/network/sample_source.hpp>

#include <functional>

namespace assay::network {

struct EvaluationResult {
    double loss = 0;     // mean over counted rows
    double accuracy = 0; // NaN where there are no classes
    RowMatrix confusion; // true x predicted class, counts of rows; empty without classes
    RowMatrix outputs;   // samples x size; empty where they went elsewhere
    Shape output_shape;  // of one sample
};

// In arithmetic of type S. Samples without targets give outputs, and NaN for the loss. Throws Error
// where model, data and loss do not go together.
template <class S>
[[nodiscard]] ASSAY_API EvaluationResult evaluate(const Model& model, const Samples& samples,
                                                  const Loss& loss, const Execution& run);

// The same of samples that are read block by block; `outputs` (may be empty) gets the rows of
// outputs from `first` on, in ascending order, with the shape of one.
using OutputSink =
    std::function<void(Index first, const RowMatrix& outputs, const Shape& output_shape)>;
template <class S>
[[nodiscard]] ASSAY_API EvaluationResult evaluate(const Model& model, const SampleSource& samples,
                                                  const Loss& loss, const OutputSink& outputs,
                                                  const Execution& run);

} // namespace assay::network
