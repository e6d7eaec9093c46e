#include <assay/training/batch_gradient.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/ranks.hpp>
#include <assay/training/batches.hpp>

#include <algorithm>

namespace assay::training {
namespace {

// A step is shared out among threads in pieces of at least this much work and this many samples.
constexpr double kPieceFlops = 1 << 27;
constexpr Index kPieceSamples = 32;
// Every piece has a gradient of its own: worth it only for this much work a parameter.
constexpr double kPieceFlopsPerParameter = 768;
constexpr Index kMostPieces = 4;

// By shape only. Batch statistics need the whole batch.
template <class S>
Index piece_count(const network::Network<S>& network, Index batch) {
    for (Index node = 1; node < network.nodes(); ++node)
        if (network.node_type(node) == "batch_norm") return 1;
    const double flops = 3 * network.flops() * static_cast<double>(batch);
    const double least = std::max(kPieceFlops, kPieceFlopsPerParameter *
                                                   static_cast<double>(network.parameter_count()));
    const auto by_work = static_cast<Index>(std::min(flops / least, 1e6));
    return std::clamp<Index>(std::min(by_work, batch / kPieceSamples), 1, kMostPieces);
}

} // namespace

template <class S>
typename BatchGradient<S>::Sums& BatchGradient<S>::Sums::operator+=(const Sums& other) {
    share_out(gradient.size(), static_cast<double>(gradient.size()), [&](Index first, Index count) {
        gradient.segment(first, count) += other.gradient.segment(first, count);
    });
    loss += other.loss;
    squared_rates += other.squared_rates;
    return *this;
}

template <class S>
BatchGradient<S>::BatchGradient(const network::Network<S>& network, const network::Loss& loss,
                                LearningRule<S>& rule, const GradientOptions& options, Index batch)
    : network_(&network), loss_(loss), rule_(&rule), options_(options),
      pieces_(piece_count(network, batch)) {
    for (Index i = 0; i < pieces_; ++i) workers_.emplace_back(network);
    for (auto& worker : workers_) worker.sums.gradient.setZero(network.parameter_count());
}

template <class S>
void BatchGradient<S>::fill(const network::Weights<S>& weights, const network::Batch<S>& part,
                            Index first, Index samples, double rows, Index step, Worker& worker) {
    network::PassInfo info;
    info.mode = network::Mode::training;
    info.lengths = part.lengths.empty() ? nullptr : &part.lengths;
    info.seed = options_.seed;
    info.step = static_cast<std::uint64_t>(step);
    info.first = first;
    info.truncate = options_.truncate;
    info.rate_penalty = options_.rate_penalty / static_cast<double>(samples);
    const network::Rows<S>& outputs = worker.pass.forward(weights, part.inputs, info);
    worker.sums.loss = network::loss_sums(loss_, outputs, part);
    worker.sums.squared_rates = options_.rate_penalty > 0 ? worker.pass.mean_square_rates() : 0;
    network::loss_cotangent(loss_, outputs, part, 1 / rows, worker.cotangent);
    rule_->write_gradient({&weights, &worker.pass, &worker.cotangent, step},
                          worker.sums.gradient.data());
}

// Pieces that other ranks have summed.
template <class S>
void BatchGradient<S>::share(Index count) {
    if (ranks::team() == 1) return;
    std::vector<ranks::Filled> filled;
    for (Index i = 0; i < count; ++i) {
        Sums& sums = workers_[static_cast<std::size_t>(i)].sums;
        const int owner = ranks::owner(i, count);
        filled.push_back({sums.gradient.data(),
                          sizeof(S) * static_cast<std::size_t>(sums.gradient.size()), owner});
        filled.push_back({&sums.loss, sizeof sums.loss, owner});
        filled.push_back({&sums.squared_rates, sizeof sums.squared_rates, owner});
    }
    ranks::exchange(filled);
}

template <class S>
typename BatchGradient<S>::Sums& BatchGradient<S>::of(const network::Weights<S>& weights,
                                                      const network::Batch<S>& batch, Index step) {
    const double rows = batch.weights.template cast<double>().sum();
    if (rows == 0) throw Error(concat("step ", step, ": nothing in the batch counts"));
    const Blocks blocks{batch.samples(), (batch.samples() + pieces_ - 1) / pieces_};
    const Index count = blocks.count();
    if (count == 1) {
        fill(weights, batch, 0, batch.samples(), rows, step, workers_[0]);
        return workers_[0].sums;
    }
    const auto work_on = [&](Index i) {
        Worker& worker = workers_[static_cast<std::size_t>(i)];
        copy_piece(batch, blocks.begin(i), blocks.extent(i), worker.part);
        fill(weights, worker.part, blocks.begin(i), batch.samples(), rows, step, worker);
    };
    Index mine = 0, end = count; // a rank has pieces in a row
    while (mine < end && !ranks::mine(mine, count)) ++mine;
    while (end > mine && !ranks::mine(end - 1, count)) --end;
    share_out(end - mine, kSharedWork, [&](Index first, Index some) {
        for (Index i = first; i < first + some; ++i) work_on(mine + i);
    });
    share(count);
    for (Index stride = 1; stride < count; stride *= 2)
        for (Index i = 0; i + stride < count; i += 2 * stride)
            workers_[static_cast<std::size_t>(i)].sums +=
                workers_[static_cast<std::size_t>(i + stride)].sums;
    return workers_[0].sums;
}

template <class S>
void BatchGradient<S>::update_statistics(network::Weights<S>& weights) const {
    if (network_->statistics_count() > 0) workers_[0].pass.update_statistics(weights);
}

template class BatchGradient<double>;
template class BatchGradient<float>;

} // namespace assay::training
