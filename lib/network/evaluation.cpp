#include <assay/network/evaluation.hpp>

#include <assay/network/objective.hpp>

#include <limits>

namespace assay::network {
namespace {

// Adds counts of (true, predicted) classes over rows that count.
template <class S>
void add_confusion(const Batch<S>& batch, const Rows<S>& outputs, RowMatrix& confusion) {
    const Index rows = batch.weights.size(), classes = outputs.size() / rows;
    const Eigen::Map<const Rows<S>> z(outputs.data(), rows, classes);
    if (confusion.size() == 0) confusion.setZero(classes, classes);
    for (Index r = 0; r < rows; ++r) {
        if (batch.weights(r) == S(0)) continue;
        Index predicted = 0;
        z.row(r).maxCoeff(&predicted);
        confusion(batch.classes[static_cast<std::size_t>(r)], predicted) += 1;
    }
}

// Targets of zero where there are none.
class FilledTargets : public SampleSource {
  public:
    FilledTargets(const SampleSource& base, Index size) : base_(base), size_(size) {}
    [[nodiscard]] Index count() const override { return base_.count(); }
    void read(const std::vector<Index>& chosen, Samples& into) const override {
        base_.read(chosen, into);
        into.values.setZero(into.count(), size_);
    }

  private:
    const SampleSource& base_;
    Index size_;
};

} // namespace

template <class S>
EvaluationResult evaluate(const Model& model, const SampleSource& samples, const Loss& loss,
                          const OutputSink& outputs, const Execution& run) {
    const Network<S> network(model.architecture);
    const Samples one = read_first(samples);
    if (samples.count() > 0 && one.classes.empty() && one.values.size() == 0) {
        // Outputs alone: the loss of made-up targets means nothing.
        EvaluationResult result =
            evaluate<S>(model, FilledTargets(samples, network.output().size()),
                        {LossKind::mse, 1e-8, 1}, outputs, run);
        result.loss = std::numeric_limits<double>::quiet_NaN();
        return result;
    }
    Objective<S> objective(network, samples, loss, {Mode::inference, 0, {}});
    objective.set_weights(network.load(model));
    const auto value = objective.value(run);
    EvaluationResult result{value.loss, value.accuracy, {}, {}, network.output().shape};
    const bool classifies = loss.kind == LossKind::softmax_cross_entropy && !one.classes.empty();
    if (!classifies && !outputs) return result;
    objective.each_output(run, [&](Index first, const Batch<S>& batch, const Rows<S>& z) {
        if (classifies) add_confusion(batch, z, result.confusion);
        if (outputs) outputs(first, z.template cast<double>(), result.output_shape);
    });
    return result;
}

template <class S>
EvaluationResult evaluate(const Model& model, const Samples& samples, const Loss& loss,
                          const Execution& run) {
    RowMatrix all;
    EvaluationResult result = evaluate<S>(
        model, SamplesInMemory(&samples), loss,
        [&](Index first, const RowMatrix& outputs, const Shape&) {
            if (all.size() == 0) all.resize(samples.count(), outputs.cols());
            all.middleRows(first, outputs.rows()) = outputs;
        },
        run);
    result.outputs = std::move(all);
    return result;
}

#define ASSAY_INSTANTIATE(S)                                                                       \
    template ASSAY_API EvaluationResult evaluate<S>(const Model&, const Samples&, const Loss&,     \
                                                    const Execution&);                             \
    template ASSAY_API EvaluationResult evaluate<S>(                                               \
        const Model&, const SampleSource&, const Loss&, const OutputSink&, const Execution&);
ASSAY_INSTANTIATE(double)
ASSAY_INSTANTIATE(float)
#undef ASSAY_INSTANTIATE

} // namespace assay::network
