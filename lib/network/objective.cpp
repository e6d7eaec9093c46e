#include <assay/network/objective.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/ranks.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::network {
namespace {

constexpr Index kSlots = 16;
constexpr double kBlockBytes = 4 << 20;
constexpr double kSlotBytes = 1 << 30; // of accumulators, all slots together

// A power of two, so that blocks of activations fit the caches.
template <class S>
Index block_size(const Network<S>& network, Mode mode, Index samples) {
    if (mode == Mode::training) return samples; // batch statistics are of the whole batch
    const double bytes = static_cast<double>(network.activation_size()) * sizeof(S);
    Index size = 16;
    while (size < 1024 && static_cast<double>(2 * size) * bytes <= kBlockBytes) size *= 2;
    return size;
}

// What counts as one unit of a tensor: a channel of an image, a feature of a sequence.
struct Units {
    Index steps = 1, count = 1, positions = 1; // each unit has `positions` numbers a step
};

Units units_of(const TensorInfo& tensor) {
    if (tensor.sequence) return {tensor.shape[0], tensor.size() / tensor.shape[0], 1};
    if (tensor.shape.size() < 2) return {1, tensor.size(), 1};
    return {1, tensor.shape[0], tensor.size() / tensor.shape[0]};
}

// Raises `highest` (of every unit) to the largest number of its units in `rows`, at valid steps.
template <class S>
void raise(Column<S>& highest, const Units& units, const Rows<S>& rows,
           const std::vector<Index>& lengths) {
    for (Index i = 0; i < rows.rows(); ++i) {
        const Index steps = lengths.empty() || units.steps == 1
                                ? units.steps
                                : std::min(units.steps, lengths[static_cast<std::size_t>(i)]);
        for (Index step = 0; step < steps; ++step) {
            const Eigen::Map<const Rows<S>> values(rows.row(i).data() +
                                                       step * units.count * units.positions,
                                                   units.count, units.positions);
            highest = highest.cwiseMax(values.rowwise().maxCoeff());
        }
    }
}

// The loss of some samples, and the largest number of every unit of some layers.
template <class S>
struct Peaks {
    LossSums loss;
    std::vector<Column<S>> highest;
    Peaks& operator+=(const Peaks& other) {
        loss += other.loss;
        for (std::size_t k = 0; k < highest.size(); ++k)
            highest[k] = highest[k].cwiseMax(other.highest[k]);
        return *this;
    }
};

template <class S>
struct GradientSum {
    Column<S> gradient;
    LossSums loss;
    GradientSum& operator+=(const GradientSum& other) {
        gradient += other.gradient;
        loss += other.loss;
        return *this;
    }
};

// The memory of a sum, which its owner among ranks sends to the others.
void fill(LossSums& sum, int owner, std::vector<ranks::Filled>& filled) {
    filled.push_back({&sum, sizeof(LossSums), owner});
}

template <class Numbers>
void fill(Eigen::PlainObjectBase<Numbers>& sum, int owner, std::vector<ranks::Filled>& filled) {
    const auto bytes = static_cast<std::size_t>(sum.size()) * sizeof(typename Numbers::Scalar);
    filled.push_back({sum.data(), bytes, owner});
}

template <class S>
void fill(Peaks<S>& sum, int owner, std::vector<ranks::Filled>& filled) {
    fill(sum.loss, owner, filled);
    for (Column<S>& highest : sum.highest) fill(highest, owner, filled);
}

template <class S>
void fill(GradientSum<S>& sum, int owner, std::vector<ranks::Filled>& filled) {
    fill(sum.loss, owner, filled);
    fill(sum.gradient, owner, filled);
}

} // namespace

template <class S>
struct Objective<S>::State {
    // One block of samples with its pass.
    struct Block {
        Batch<S> batch;
        Samples samples; // those of the batch as they were read; room for the next ones
        std::unique_ptr<Pass<S>> pass;
        // Whether the pass holds activations, and cotangents of the loss, for the present weights.
        bool forward = false, backward = false;
        void forget() { forward = backward = false; }
    };
    const Network<S>* network;
    std::unique_ptr<SampleSource> view; // of samples in memory
    const SampleSource* samples = nullptr;
    Loss loss;
    ObjectiveOptions options;
    Weights<S> own;
    const Weights<S>* weights = &own;
    double rows = 0; // that count
    Blocks blocks;
    bool keeps = false;
    std::vector<Block> kept;
    std::vector<Block> work_of_slot; // where blocks are not kept
    L2Penalty<S> penalty;

    void read(Index block, Block& at) const {
        samples->read(consecutive(blocks.begin(block), blocks.extent(block)), at.samples);
        make_batch(at.samples, network->output(), at.batch);
        if (keeps) at.samples = {};
    }
    [[nodiscard]] PassInfo info(const Batch<S>& batch) const {
        PassInfo info;
        info.samples = batch.samples();
        info.mode = options.mode;
        info.lengths = batch.lengths.empty() ? nullptr : &batch.lengths;
        return info;
    }
    // A slot's work space where blocks are not kept.
    Block& prepared(Index block, Block& work) {
        Block& at = keeps ? kept[static_cast<std::size_t>(block)] : work;
        if (!at.pass) at.pass = std::make_unique<Pass<S>>(*network);
        if (!keeps || at.batch.samples() == 0) {
            read(block, at);
            at.forget();
        }
        return at;
    }
    const Rows<S>& forward(Block& at) {
        if (at.forward) return at.pass->activation(network->output_node());
        at.forward = keeps;
        return at.pass->forward(*weights, at.batch.inputs, info(at.batch));
    }
    // Forward and backward of the mean loss.
    void both_ways(Block& at) {
        if (at.backward) return;
        const Rows<S>& outputs = forward(at);
        Rows<S> cotangent;
        loss_cotangent(loss, outputs, at.batch, 1 / rows, cotangent);
        at.pass->backward(cotangent, false);
        at.backward = keeps;
    }

    // Calls body(slot sum, block) for all blocks and adds the slots up.
    template <class Sum, class Body>
    Sum sum_over_blocks(const Sum& zero, double bytes, const Execution& run, Body&& body) {
        Index slots = std::min(kSlots, blocks.count());
        while (slots > 1 && bytes * static_cast<double>(slots) > kSlotBytes) slots /= 2;
        const Blocks runs{blocks.count(), (blocks.count() + slots - 1) / slots};
        std::vector<Sum> sums(static_cast<std::size_t>(runs.count()), zero);
        if (!keeps) work_of_slot.resize(static_cast<std::size_t>(kSlots));
        // Slots are dealt to ranks that work together; what follows is the same tree everywhere.
        parallel_blocks(runs.count(), run.threads, [&](Index slot) {
            if (!ranks::mine(slot, runs.count())) return;
            Block none;
            Block& work = keeps ? none : work_of_slot[static_cast<std::size_t>(slot)];
            for (Index block = runs.begin(slot); block < runs.begin(slot) + runs.extent(slot);
                 ++block)
                body(sums[static_cast<std::size_t>(slot)], prepared(block, work));
        });
        std::vector<ranks::Filled> filled;
        for (Index slot = 0; slot < runs.count(); ++slot)
            fill(sums[static_cast<std::size_t>(slot)], ranks::owner(slot, runs.count()), filled);
        ranks::exchange(filled);
        return tree_sum(std::move(sums));
    }
    [[nodiscard]] Value mean_value(const LossSums& sums) const {
        const bool classifies = loss.kind == LossKind::softmax_cross_entropy ||
                                loss.kind == LossKind::sigmoid_cross_entropy;
        return {sums.loss / rows + penalty.value(weights->trained),
                classifies ? sums.correct / rows : std::numeric_limits<double>::quiet_NaN()};
    }
    template <class Body>
    void each_sample(Index most, const Execution& run,
                     const std::function<void(Index, const Columns<S>&)>& body, Body&& back) {
        Block work;
        for (Index block = 0; block < blocks.count(); ++block) {
            run.monitor->stop_if_interrupted();
            Block& at = prepared(block, work);
            back(at);
            for (Index first = 0; first < at.batch.samples(); first += most) {
                const Index count = std::min(most, at.batch.samples() - first);
                Columns<S> gradients = Columns<S>::Zero(network->parameter_count(), count);
                parallel_blocks(count, run.threads, [&](Index i) {
                    at.pass->add_gradient(gradients.col(i).data(), {first + i, 1});
                });
                body(blocks.begin(block) + first, gradients);
            }
        }
    }
};

template <class S>
Objective<S>::Objective(const Network<S>& network, const Samples& samples, Loss loss,
                        ObjectiveOptions options, const std::string& place)
    : Objective(network, loss, std::move(options)) {
    check_samples(samples, network.input(), network.output(), loss, place);
    state_->view = std::make_unique<SamplesInMemory>(&samples);
    begin(*state_->view, counted_rows(samples, network.output()));
}

template <class S>
Objective<S>::Objective(const Network<S>& network, const SampleSource& samples, Loss loss,
                        ObjectiveOptions options, const std::string& place)
    : Objective(network, loss, std::move(options)) {
    begin(samples, check_samples(samples, network.input(), network.output(), loss, place));
}

template <class S>
Objective<S>::Objective(const Network<S>& network, Loss loss, ObjectiveOptions options)
    : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.network = &network;
    s.loss = loss;
    s.options = std::move(options);
    s.penalty = L2Penalty<S>(network, s.options.l2);
}

template <class S>
void Objective<S>::begin(const SampleSource& samples, double rows) {
    State& s = *state_;
    s.samples = &samples;
    s.rows = rows;
    s.blocks = {samples.count(), block_size(*s.network, s.options.mode, samples.count())};
    // Activations and their cotangents, and room for layers that remember more.
    const double kept = 4.0 * static_cast<double>(s.network->activation_size()) * sizeof(S) *
                        static_cast<double>(samples.count());
    s.keeps = kept <= s.options.memory;
    if (s.keeps) s.kept.resize(static_cast<std::size_t>(s.blocks.count()));
}

template <class S>
Objective<S>::~Objective() = default;

template <class S>
Index Objective<S>::samples() const {
    return state_->samples->count();
}

template <class S>
void Objective<S>::set_weights(Weights<S> weights) {
    state_->own = std::move(weights);
    refer_to(state_->own);
}

template <class S>
void Objective<S>::refer_to(const Weights<S>& weights) {
    state_->weights = &weights;
    for (auto& block : state_->kept) block.forget();
}

template <class S>
typename Objective<S>::Value Objective<S>::value(const Execution& run) {
    State& s = *state_;
    const LossSums sums = s.sum_over_blocks(LossSums{}, 0, run, [&](LossSums& sum, auto& at) {
        sum += loss_sums(s.loss, s.forward(at), at.batch);
    });
    return s.mean_value(sums);
}

template <class S>
typename Objective<S>::ValueAndSilence Objective<S>::value_and_silence(const Execution& run) {
    State& s = *state_;
    std::vector<Index> nodes;
    Peaks<S> none;
    for (Index node = 0; node < s.network->nodes(); ++node) {
        if (!s.network->rectifies(node)) continue;
        nodes.push_back(node);
        none.highest.push_back(Column<S>::Zero(units_of(s.network->node_tensor(node)).count));
    }
    const Peaks<S> sum = s.sum_over_blocks(none, 0, run, [&](Peaks<S>& peaks, auto& at) {
        peaks.loss += loss_sums(s.loss, s.forward(at), at.batch);
        for (std::size_t k = 0; k < nodes.size(); ++k)
            raise(peaks.highest[k], units_of(s.network->node_tensor(nodes[k])),
                  at.pass->activation(nodes[k]), at.batch.lengths);
    });
    ValueAndSilence result;
    result.value = s.mean_value(sum.loss);
    for (const Column<S>& highest : sum.highest)
        result.silent.push_back((highest.array() <= S(0)).template cast<double>().mean());
    return result;
}

template <class S>
Column<S> Objective<S>::gradient(const Execution& run, Value* value) {
    State& s = *state_;
    const Index count = s.network->parameter_count();
    GradientSum<S> total = s.sum_over_blocks(
        GradientSum<S>{Column<S>::Zero(count), {}}, static_cast<double>(count) * sizeof(S), run,
        [&](GradientSum<S>& sum, auto& at) {
            s.both_ways(at);
            at.pass->add_gradient(sum.gradient.data());
            sum.loss += loss_sums(s.loss, at.pass->activation(s.network->output_node()), at.batch);
        });
    if (value) *value = s.mean_value(total.loss);
    s.penalty.add_gradient(s.weights->trained, total.gradient);
    return std::move(total.gradient);
}

template <class S>
Columns<S> Objective<S>::curvature_products(Curvature curvature, const Columns<S>& directions,
                                            const Execution& run) {
    State& s = *state_;
    if (directions.rows() != s.network->parameter_count())
        throw Error(concat("directions of ", directions.rows(), " numbers; the network has ",
                           s.network->parameter_count(), " parameters"));
    const Index count = directions.cols();
    const bool gauss_newton = curvature == Curvature::gauss_newton;
    Columns<S> products = s.sum_over_blocks(
        Columns<S>(Columns<S>::Zero(directions.rows(), count)),
        static_cast<double>(directions.size()) * sizeof(S), run, [&](Columns<S>& sum, auto& at) {
            if (!gauss_newton) s.both_ways(at);
            const Rows<S>& outputs = s.forward(at);
            Pass<S>& pass = *at.pass;
            const Rows<S>& tangents = pass.tangent(directions, count);
            Rows<S> moved;
            if (curvature == Curvature::residual)
                moved.setZero(tangents.rows(), tangents.cols());
            else
                loss_curvature(s.loss, outputs, at.batch, 1 / s.rows, tangents, moved);
            if (gauss_newton) {
                at.backward = false;
                pass.add_adjoint(moved, sum);
            } else {
                pass.backward_tangent(moved);
                pass.add_gradient_tangent(sum);
            }
        });
    if (curvature != Curvature::residual) s.penalty.add_products(directions, products);
    return products;
}

template <class S>
Rows<S> Objective<S>::outputs(const Execution& run) {
    Rows<S> all(samples(), state_->network->output().size());
    each_output(run, [&](Index first, const Batch<S>&, const Rows<S>& outputs) {
        all.middleRows(first, outputs.rows()) = outputs;
    });
    return all;
}

template <class S>
void Objective<S>::each_output(const Execution& run, const OutputBody& body) {
    State& s = *state_;
    const Blocks groups{s.blocks.count(), std::max(1, run.threads)};
    std::vector<typename State::Block> work(static_cast<std::size_t>(groups.length));
    for (Index group = 0; group < groups.count(); ++group) {
        run.monitor->stop_if_interrupted();
        const Index first = groups.begin(group);
        std::vector<typename State::Block*> done(static_cast<std::size_t>(groups.extent(group)));
        parallel_blocks(groups.extent(group), run.threads, [&](Index i) {
            const auto at = static_cast<std::size_t>(i);
            done[at] = &s.prepared(first + i, work[at]);
            s.forward(*done[at]);
        });
        for (std::size_t i = 0; i < done.size(); ++i)
            body(s.blocks.begin(first + static_cast<Index>(i)), done[i]->batch,
                 done[i]->pass->activation(s.network->output_node()));
    }
}

template <class S>
void Objective<S>::sample_gradients(Index block, const Execution& run,
                                    const std::function<void(Index, const Columns<S>&)>& body) {
    State& s = *state_;
    s.each_sample(block, run, body, [&](auto& at) {
        const Rows<S>& outputs = s.forward(at);
        Rows<S> cotangent;
        loss_cotangent(s.loss, outputs, at.batch, static_cast<double>(samples()) / s.rows,
                       cotangent);
        at.backward = false;
        at.pass->backward(cotangent, false);
    });
}

template <class S>
void Objective<S>::output_gradients(Index unit, Index block, const Execution& run,
                                    const std::function<void(Index, const Columns<S>&)>& body) {
    State& s = *state_;
    if (unit < 0 || unit >= s.network->output().size())
        throw Error(
            concat("output ", unit, " asked for; the network has ", s.network->output().size()));
    s.each_sample(block, run, body, [&](auto& at) {
        const Rows<S>& outputs = s.forward(at);
        Rows<S> cotangent = Rows<S>::Zero(outputs.rows(), outputs.cols());
        cotangent.col(unit).setOnes();
        at.backward = false;
        at.pass->backward(cotangent, false);
    });
}

template class Objective<double>;
template class Objective<float>;

} // namespace assay::network
