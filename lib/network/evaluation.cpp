#include <assay/network/evaluation.hpp>

#include <assay/network/objective.hpp>

#include <limits>
#include <numeric>

namespace assay::network {
namespace {

// Counts of (true, predicted) classes over rows that count.
template <class S>
RowMatrix confusion_of(const Batch<S>& all, const Rows<S>& outputs) {
    const Index rows = all.weights.size(), classes = outputs.size() / rows;
    const Eigen::Map<const Rows<S>> z(outputs.data(), rows, classes);
    RowMatrix confusion = RowMatrix::Zero(classes, classes);
    for (Index r = 0; r < rows; ++r) {
        if (all.weights(r) == S(0)) continue;
        Index predicted = 0;
        z.row(r).maxCoeff(&predicted);
        confusion(all.classes[static_cast<std::size_t>(r)], predicted) += 1;
    }
    return confusion;
}

} // namespace

template <class S>
EvaluationResult evaluate(const Model& model, const Samples& samples, const Loss& loss,
                          const Execution& run) {
    const Network<S> network(model.architecture);
    if (samples.classes.empty() && samples.values.size() == 0) {
        // Outputs alone: the loss of made-up targets means nothing.
        Samples filled = samples;
        filled.values.setZero(samples.count(), network.output().size());
        EvaluationResult result = evaluate<S>(model, filled, {LossKind::mse, 1e-8, 1}, run);
        result.loss = std::numeric_limits<double>::quiet_NaN();
        return result;
    }
    Objective<S> objective(network, samples, loss, {Mode::inference, 0, {}});
    objective.set_weights(network.load(model));
    const auto value = objective.value(run);
    const Rows<S> outputs = objective.outputs(run);
    EvaluationResult result{
        value.loss, value.accuracy, {}, outputs.template cast<double>(), network.output().shape};
    if (loss.kind == LossKind::softmax_cross_entropy && !samples.classes.empty()) {
        std::vector<Index> chosen(static_cast<std::size_t>(samples.count()));
        std::iota(chosen.begin(), chosen.end(), Index{0});
        result.confusion = confusion_of(make_batch<S>(samples, chosen, network.output()), outputs);
    }
    return result;
}

template ASSAY_API EvaluationResult evaluate<double>(const Model&, const Samples&, const Loss&,
                                                     const Execution&);
template ASSAY_API EvaluationResult evaluate<float>(const Model&, const Samples&, const Loss&,
                                                    const Execution&);

} // namespace assay::network
