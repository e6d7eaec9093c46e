// Losses of a batch with their first and second derivatives in the outputs. A "row" is a sample, or
// for outputs that are sequences a step of a sample; the loss is the mean over counted rows.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/layer.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/network/samples.hpp>

#include <string>
#include <vector>

namespace assay::network {

enum class LossKind {
    softmax_cross_entropy,
    sigmoid_cross_entropy,
    mse,
    half_squared_error,
    poisson
};

struct Loss {
    LossKind kind = LossKind::mse;
    double epsilon = 1e-8;  // poisson: inside of the logarithm
    double temperature = 1; // softmax: logits are divided by it
    Index top_k = 1;        // softmax: a row is right where its class is among so many largest
};

// Throws Error for an unknown name.
[[nodiscard]] ASSAY_API Loss loss_of(const std::string& name);
[[nodiscard]] ASSAY_API std::string loss_name(LossKind kind);
[[nodiscard]] ASSAY_API const std::vector<std::string>& loss_names();
// The loss for targets like those of `one` (a sample or more) where none is named: mse of values;
// of integer classes softmax_cross_entropy, or sigmoid_cross_entropy where a row of `output` is one
// number.
[[nodiscard]] ASSAY_API std::string usual_loss(const Samples& one, const TensorInfo& output);

// Some samples in a network's number type.
template <class S>
struct Batch {
    Rows<S> inputs;
    std::vector<std::int64_t> classes; // one a row, or
    Rows<S> values;                    // samples x outputs
    Column<S> weights;                 // one a row: 1 where it counts, else 0
    std::vector<Index> lengths;        // valid steps of each sample; empty: all
    [[nodiscard]] Index samples() const { return inputs.rows(); }
};

// Throws Error that tells the first input that is not finite; sample `first` of `place` is the
// first of these.
ASSAY_API void check_inputs_finite(const Samples& samples, Index first, const std::string& place);

// Checks samples against a network's input and output and the loss. Throws Error naming what is
// wrong: shapes, classes out of range, lengths, non-finite inputs (with the index of the first).
ASSAY_API void check_samples(const Samples& samples, const TensorInfo& input,
                             const TensorInfo& output, const Loss& loss, const std::string& place);
// The same of a source, read once in blocks. Returns the rows that count.
ASSAY_API double check_samples(const SampleSource& source, const TensorInfo& input,
                               const TensorInfo& output, const Loss& loss,
                               const std::string& place);
// Samples in another number type, into arrays that are reused. `output` tells whether steps are
// rows.
template <class S>
ASSAY_API void make_batch(const Samples& samples, const TensorInfo& output, Batch<S>& batch);
// Some of them, by number.
template <class S>
[[nodiscard]] ASSAY_API Batch<S>
make_batch(const Samples& samples, const std::vector<Index>& chosen, const TensorInfo& output);
// Rows that count in all of `samples`.
[[nodiscard]] ASSAY_API double counted_rows(const Samples& samples, const TensorInfo& output);

// What a batch adds to sums over the data.
struct LossSums {
    double loss = 0;    // sum of row losses
    double rows = 0;    // that count
    double correct = 0; // rows whose class is right (classification), else 0
    LossSums& operator+=(const LossSums& other) {
        loss += other.loss;
        rows += other.rows;
        correct += other.correct;
        return *this;
    }
};

template <class S>
[[nodiscard]] ASSAY_API LossSums loss_sums(const Loss& loss, const Rows<S>& outputs,
                                           const Batch<S>& batch);
// scale * d(sum of row losses)/d(outputs).
template <class S>
ASSAY_API void loss_cotangent(const Loss& loss, const Rows<S>& outputs, const Batch<S>& batch,
                              double scale, Rows<S>& cotangent);
// The same Hessian times stacked tangents of the outputs (K samples x outputs).
template <class S>
ASSAY_API void loss_curvature(const Loss& loss, const Rows<S>& outputs, const Batch<S>& batch,
                              double scale, const Rows<S>& tangents, Rows<S>& products);

} // namespace assay::network
