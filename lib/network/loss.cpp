#include <assay/network/loss.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/activation.hpp>

#include <array>
#include <cmath>

namespace assay::network {
namespace {

struct NamedLoss {
    const char* name;
    LossKind kind;
};
constexpr std::array<NamedLoss, 5> kLosses{
    {{"softmax_cross_entropy", LossKind::softmax_cross_entropy},
     {"sigmoid_cross_entropy", LossKind::sigmoid_cross_entropy},
     {"mse", LossKind::mse},
     {"half_squared_error", LossKind::half_squared_error},
     {"poisson", LossKind::poisson}}};

// Rows of outputs: samples, or their steps.
Index columns_of(const TensorInfo& output) {
    return output.sequence ? output.size() / output.shape[0] : output.size();
}
Index steps_of(const TensorInfo& output) {
    return output.sequence ? output.shape[0] : 1;
}

template <class S>
Eigen::Map<const Rows<S>> as_rows(const Rows<S>& outputs, Index rows) {
    return {outputs.data(), rows, outputs.size() / rows};
}

template <class S>
Rows<S> softmax_of(const Eigen::Map<const Rows<S>>& z, S temperature) {
    Rows<S> p = ((z.colwise() - z.rowwise().maxCoeff()) / temperature).array().exp();
    p.array().colwise() /= p.rowwise().sum().array();
    return p;
}

// Log-sum-exp.
template <class S, class Row>
S log_sum(const Row& z, S temperature) {
    const S largest = z.maxCoeff();
    return std::log(((z.array() - largest) / temperature).exp().sum()) + largest / temperature;
}

// Whether fewer than `count` outputs come before that of `index`; equal ones in their order.
template <class Row>
bool among_largest(const Row& z, Index index, Index count) {
    Index before = 0;
    for (Index c = 0; c < z.cols(); ++c)
        before += z(c) > z(index) || (z(c) == z(index) && c < index) ? 1 : 0;
    return before < count && z(index) == z(index);
}

} // namespace

const std::vector<std::string>& loss_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> list;
        for (const auto& one : kLosses) list.emplace_back(one.name);
        return list;
    }();
    return names;
}

Loss loss_of(const std::string& name) {
    for (const auto& one : kLosses)
        if (name == one.name) return {one.kind, 1e-8, 1};
    throw Error(concat("unknown loss '", printable(name, 40), "'; expected one of ",
                       join(loss_names(), ", ")));
}

std::string usual_loss(const Samples& one, const TensorInfo& output) {
    if (one.classes.empty()) return "mse";
    return columns_of(output) == 1 ? "sigmoid_cross_entropy" : "softmax_cross_entropy";
}

std::string loss_name(LossKind kind) {
    for (const auto& one : kLosses)
        if (one.kind == kind) return one.name;
    return "";
}

void check_inputs_finite(const Samples& samples, Index first, const std::string& place) {
    if (samples.inputs.allFinite()) return;
    for (Index i = 0; i < samples.inputs.size(); ++i)
        if (!std::isfinite(samples.inputs.data()[i]))
            throw Error(concat(place, "/inputs: sample ", first + i / samples.inputs.cols(),
                               ", number ", i % samples.inputs.cols(), " is ",
                               samples.inputs.data()[i]));
}

namespace {

// Targets of cross entropies are probabilities; those of a softmax sum to 1.
void check_probabilities(const RowMatrix& values, Index columns, const Loss& loss,
                         const std::string& place) {
    const bool softmax = loss.kind == LossKind::softmax_cross_entropy;
    if (!softmax && loss.kind != LossKind::sigmoid_cross_entropy) return;
    const Eigen::Map<const RowMatrix> rows(values.data(), values.size() / columns, columns);
    for (Index r = 0; r < rows.rows(); ++r)
        if (rows.row(r).minCoeff() < 0 || rows.row(r).maxCoeff() > 1 ||
            (softmax && std::abs(rows.row(r).sum() - 1) > 1e-3))
            throw Error(concat(place, "/targets: row ", r, " holds no probabilities",
                               softmax ? " that sum to 1" : "", ", which ", loss_name(loss.kind),
                               " expects; classes are integers"));
}

// A block of `total` samples, the first of which is number `first`.
void check_block(const Samples& samples, Index first, Index total, const TensorInfo& input,
                 const TensorInfo& output, const Loss& loss, const std::string& place) {
    // Messages speak of all samples.
    const auto of_all = [&](auto rows_of_block) {
        const auto number = static_cast<Index>(rows_of_block);
        return samples.count() == total ? number : number / samples.count() * total;
    };
    const Index steps = steps_of(output), columns = columns_of(output);
    const Index rows = samples.count() * steps;
    const bool classes = !samples.classes.empty();
    if (samples.inputs.cols() != input.size())
        throw Error(concat(place, "/inputs: ", shape_text(samples.input_shape),
                           " numbers a sample; the network expects ", shape_text(input.shape)));
    check_inputs_finite(samples, first, place);
    if (loss.top_k < 1 ||
        (loss.top_k > 1 && (loss.kind != LossKind::softmax_cross_entropy || loss.top_k > columns)))
        throw Error(concat("a class among the ", loss.top_k, " largest of ", columns,
                           " outputs with ", loss_name(loss.kind),
                           "; softmax_cross_entropy and at most all outputs are expected"));
    // A softmax of one output is 1 whatever the network says.
    if (columns == 1 && loss.kind == LossKind::softmax_cross_entropy)
        throw Error(place + "/targets: softmax_cross_entropy of one output; sigmoid_cross_entropy, "
                            "or an output a class, is expected");
    if (classes) {
        if (loss.kind != LossKind::softmax_cross_entropy &&
            !(loss.kind == LossKind::sigmoid_cross_entropy && columns == 1))
            throw Error(concat(place, "/targets: integer classes, for which ", loss_name(loss.kind),
                               " is not made"));
        if (static_cast<Index>(samples.classes.size()) != rows)
            throw Error(concat(place, "/targets: ", of_all(samples.classes.size()), " classes; ",
                               total * steps, " are expected"));
        const Index most = columns == 1 ? 2 : columns;
        for (std::size_t i = 0; i < samples.classes.size(); ++i)
            if (samples.classes[i] < 0 || samples.classes[i] >= most)
                throw Error(concat(place, "/targets: class ", samples.classes[i], " at ",
                                   static_cast<std::size_t>(first * steps) + i,
                                   "; classes from 0 to ", most - 1, " are expected"));
    } else {
        if (samples.values.rows() != samples.count() || samples.values.cols() != output.size())
            throw Error(concat(place, "/targets: ", of_all(samples.values.rows()), " x ",
                               samples.values.cols(), " numbers; ", total, " x ", output.size(),
                               " are expected"));
        if (!samples.values.allFinite()) throw Error(place + "/targets: not all are finite");
        check_probabilities(samples.values, columns, loss, place);
    }
    const Index input_steps = input.sequence ? input.shape[0] : 1;
    if (!samples.lengths.empty()) {
        if (static_cast<Index>(samples.lengths.size()) != samples.count())
            throw Error(concat(place, "/lengths: ", samples.lengths.size(), " numbers for ",
                               samples.count(), " samples"));
        for (const Index length : samples.lengths)
            if (length < 1 || length > input_steps)
                throw Error(concat(place, "/lengths: ", length, " found; 1 to ", input_steps,
                                   " are expected"));
    }
    if (samples.mask.size() > 0 &&
        (samples.mask.rows() != samples.count() || samples.mask.cols() != steps))
        throw Error(concat(place, "/mask: ", of_all(samples.mask.rows()), " x ",
                           samples.mask.cols(), "; ", total, " x ", steps, " are expected"));
}

} // namespace

void check_samples(const Samples& samples, const TensorInfo& input, const TensorInfo& output,
                   const Loss& loss, const std::string& place) {
    if (samples.count() == 0) throw Error(place + ": no samples");
    check_block(samples, 0, samples.count(), input, output, loss, place);
    if (counted_rows(samples, output) == 0) throw Error(place + ": nothing counts (mask, lengths)");
}

double check_samples(const SampleSource& source, const TensorInfo& input, const TensorInfo& output,
                     const Loss& loss, const std::string& place) {
    if (source.count() == 0) throw Error(place + ": no samples");
    double rows = 0;
    for_blocks(source, [&](Index first, const Samples& block) {
        check_block(block, first, source.count(), input, output, loss, place);
        rows += counted_rows(block, output);
    });
    if (rows == 0) throw Error(place + ": nothing counts (mask, lengths)");
    return rows;
}

namespace {

double row_weight(const Samples& samples, const TensorInfo& output, Index sample, Index step) {
    if (!output.sequence) return samples.mask.size() > 0 ? samples.mask(sample, 0) : 1.0;
    const bool valid =
        samples.lengths.empty() || step < samples.lengths[static_cast<std::size_t>(sample)];
    if (!valid) return 0;
    return samples.mask.size() > 0 ? samples.mask(sample, step) : 1.0;
}

} // namespace

double counted_rows(const Samples& samples, const TensorInfo& output) {
    if (samples.lengths.empty() && samples.mask.size() == 0)
        return static_cast<double>(samples.count() * steps_of(output));
    double sum = 0;
    for (Index sample = 0; sample < samples.count(); ++sample)
        for (Index step = 0; step < steps_of(output); ++step)
            sum += row_weight(samples, output, sample, step);
    return sum;
}

template <class S>
void make_batch(const Samples& samples, const TensorInfo& output, Batch<S>& batch) {
    const Index count = samples.count(), steps = steps_of(output);
    batch.inputs = samples.inputs.template cast<S>();
    batch.classes = samples.classes;
    batch.values = samples.values.template cast<S>();
    batch.lengths = samples.lengths;
    batch.weights.setOnes(count * steps);
    const bool weighted = !samples.lengths.empty() || samples.mask.size() > 0;
    for (Index i = 0; weighted && i < count; ++i)
        for (Index step = 0; step < steps; ++step)
            batch.weights(i * steps + step) = static_cast<S>(row_weight(samples, output, i, step));
}

template <class S>
Batch<S> make_batch(const Samples& samples, const std::vector<Index>& chosen,
                    const TensorInfo& output) {
    Samples some;
    SamplesInMemory(&samples).read(chosen, some);
    Batch<S> batch;
    make_batch(some, output, batch);
    return batch;
}

template <class S>
LossSums loss_sums(const Loss& loss, const Rows<S>& outputs, const Batch<S>& batch) {
    const Index rows = batch.weights.size();
    const auto z = as_rows(outputs, rows);
    const auto columns = static_cast<double>(z.cols());
    const auto temperature = static_cast<S>(loss.temperature);
    LossSums sums;
    for (Index r = 0; r < rows; ++r) {
        const double weight = static_cast<double>(batch.weights(r));
        if (weight == 0) continue;
        const S* y = batch.classes.empty() ? batch.values.data() + r * z.cols() : nullptr;
        const std::int64_t label =
            batch.classes.empty() ? -1 : batch.classes[static_cast<std::size_t>(r)];
        const bool softmax = loss.kind == LossKind::softmax_cross_entropy;
        const auto log_of_sum =
            static_cast<double>(softmax ? log_sum(z.row(r), temperature) : S(0));
        double sum = 0, correct = 0;
        for (Index c = 0; c < z.cols(); ++c) {
            const auto value = static_cast<double>(z(r, c));
            const double target =
                y ? static_cast<double>(y[c]) : (z.cols() == 1 ? static_cast<double>(label) : 0.0);
            switch (loss.kind) {
            case LossKind::softmax_cross_entropy:
                if (y) sum += target * (log_of_sum - value / loss.temperature);
                break;
            case LossKind::sigmoid_cross_entropy:
                sum += (std::max(value, 0.0) + std::log1p(std::exp(-std::abs(value))) -
                        target * value) /
                       columns;
                correct += ((value > 0) == (target > 0.5) ? 1.0 : 0.0) / columns;
                break;
            case LossKind::mse:
                sum += (value - target) * (value - target) / columns;
                break;
            case LossKind::half_squared_error:
                sum += 0.5 * (value - target) * (value - target);
                break;
            case LossKind::poisson:
                sum += (value - target * std::log(value + loss.epsilon)) / columns;
                break;
            }
        }
        if (softmax) {
            Index expected = label;
            if (y)
                Eigen::Map<const Column<S>>(y, z.cols()).maxCoeff(&expected);
            else
                sum = log_of_sum - static_cast<double>(z(r, label)) / loss.temperature;
            correct = among_largest(z.row(r), expected, loss.top_k) ? 1 : 0;
        }
        sums.loss += weight * sum;
        sums.rows += weight;
        sums.correct += weight * correct;
    }
    return sums;
}

template <class S>
void loss_cotangent(const Loss& loss, const Rows<S>& outputs, const Batch<S>& batch, double scale,
                    Rows<S>& cotangent) {
    const Index rows = batch.weights.size();
    const auto z = as_rows(outputs, rows);
    cotangent.resize(outputs.rows(), outputs.cols());
    Eigen::Map<Rows<S>> d(cotangent.data(), rows, z.cols());
    const auto each = static_cast<S>(1.0 / static_cast<double>(z.cols()));
    const bool classes = !batch.classes.empty();
    const Eigen::Map<const Rows<S>> y(batch.values.data(), classes ? 0 : rows, z.cols());
    switch (loss.kind) {
    case LossKind::softmax_cross_entropy: {
        const auto temperature = static_cast<S>(loss.temperature);
        for (Index r = 0; r < rows; ++r) {
            auto out = d.row(r);
            out = ((z.row(r).array() - z.row(r).maxCoeff()) / temperature).exp().matrix();
            out *= (classes ? S(1) : y.row(r).sum()) / out.sum();
            if (classes)
                out(batch.classes[static_cast<std::size_t>(r)]) -= S(1);
            else
                out -= y.row(r);
        }
        d /= temperature;
        break;
    }
    case LossKind::sigmoid_cross_entropy:
        d = (S(1) + (-z.array()).exp()).inverse().matrix();
        if (classes) // of one output
            for (Index r = 0; r < rows; ++r)
                d(r, 0) -= static_cast<S>(batch.classes[static_cast<std::size_t>(r)]);
        else
            d -= y;
        d *= each;
        break;
    case LossKind::mse:
        d = 2 * each * (z - y);
        break;
    case LossKind::half_squared_error:
        d = z - y;
        break;
    case LossKind::poisson:
        d = (each * (S(1) - y.array() / (z.array() + static_cast<S>(loss.epsilon)))).matrix();
        break;
    }
    d = (static_cast<S>(scale) * batch.weights).asDiagonal() * d;
}

template <class S>
void loss_curvature(const Loss& loss, const Rows<S>& outputs, const Batch<S>& batch, double scale,
                    const Rows<S>& tangents, Rows<S>& products) {
    const Index rows = batch.weights.size();
    const auto z = as_rows(outputs, rows);
    const Index directions = tangents.rows() / outputs.rows();
    products.resize(tangents.rows(), tangents.cols());
    const auto each = static_cast<S>(1.0 / static_cast<double>(z.cols()));
    const Column<S> weight = static_cast<S>(scale) * batch.weights;
    Rows<S> diagonal, probabilities;
    Column<S> mass = weight;
    switch (loss.kind) {
    case LossKind::softmax_cross_entropy:
        probabilities = softmax_of(z, static_cast<S>(loss.temperature));
        mass /= static_cast<S>(loss.temperature * loss.temperature);
        if (batch.classes.empty())
            mass = mass.cwiseProduct(as_rows(batch.values, rows).rowwise().sum());
        break;
    case LossKind::sigmoid_cross_entropy: {
        const Rows<S> p = (S(1) + (-z.array()).exp()).inverse();
        diagonal = each * p.array() * (S(1) - p.array());
        break;
    }
    case LossKind::mse:
        diagonal.setConstant(rows, z.cols(), 2 * each);
        break;
    case LossKind::half_squared_error:
        diagonal.setOnes(rows, z.cols());
        break;
    case LossKind::poisson:
        diagonal = each * as_rows(batch.values, rows).array() /
                   (z.array() + static_cast<S>(loss.epsilon)).square();
        break;
    }
    for (Index k = 0; k < directions; ++k) {
        const Eigen::Map<const Rows<S>> dz(tangents.data() + k * outputs.size(), rows, z.cols());
        Eigen::Map<Rows<S>> out(products.data() + k * outputs.size(), rows, z.cols());
        if (probabilities.size() > 0) {
            const Column<S> mean = probabilities.cwiseProduct(dz).rowwise().sum();
            out = mass.asDiagonal() * Rows<S>(probabilities.cwiseProduct(dz.colwise() - mean));
        } else {
            out = weight.asDiagonal() * Rows<S>(diagonal.cwiseProduct(dz));
        }
    }
}

#define ASSAY_INSTANTIATE(S)                                                                       \
    template ASSAY_API void make_batch(const Samples&, const TensorInfo&, Batch<S>&);              \
    template ASSAY_API Batch<S> make_batch(const Samples&, const std::vector<Index>&,              \
                                           const TensorInfo&);                                     \
    template ASSAY_API LossSums loss_sums(const Loss&, const Rows<S>&, const Batch<S>&);           \
    template ASSAY_API void loss_cotangent(const Loss&, const Rows<S>&, const Batch<S>&, double,   \
                                           Rows<S>&);                                              \
    template ASSAY_API void loss_curvature(const Loss&, const Rows<S>&, const Batch<S>&, double,   \
                                           const Rows<S>&, Rows<S>&);
ASSAY_INSTANTIATE(double)
ASSAY_INSTANTIATE(float)
#undef ASSAY_INSTANTIATE

} // namespace assay::network
