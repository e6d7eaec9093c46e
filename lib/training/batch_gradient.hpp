// The (pseudo-)gradient of a batch's mean loss by a learning rule, shared out among the threads
// allowed (core/allowed_threads.hpp) and ranks in pieces that are cut by shape only and summed in a
// fixed tree: the same bits for every number of either. After the first batch of a shape nothing is
// allocated.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/loss.hpp>
#include <assay/training/rule.hpp>

#include <deque>
#include <vector>

namespace assay::training {

using Eigen::Index;

struct GradientOptions {
    std::uint64_t seed = 0;  // of dropout and noise
    Index truncate = 0;      // see network::PassInfo
    double rate_penalty = 0; // likewise; of the mean over the batch's samples
};

template <class S>
class ASSAY_API BatchGradient {
  public:
    // `network` and `rule` must outlive it; `batch`: samples of the largest batch.
    BatchGradient(const network::Network<S>& network, const network::Loss& loss,
                  LearningRule<S>& rule, const GradientOptions& options, Index batch);

    // Sums over a batch.
    struct Sums {
        network::Column<S> gradient; // P
        network::LossSums loss;
        double squared_rates = 0; // see network::Pass::mean_square_rates
        Sums& operator+=(const Sums& other);
    };
    // The mean loss's gradient, and sums of the loss, of a batch in training mode at `step`, which
    // addresses random numbers. What it returns may be changed, and is written over by the next
    // call. Throws Error where no row of the batch counts.
    Sums& of(const network::Weights<S>& weights, const network::Batch<S>& batch, Index step);
    // Running statistics, after a batch.
    void update_statistics(network::Weights<S>& weights) const;
    [[nodiscard]] Index pieces() const { return pieces_; }

  private:
    // What works on one piece.
    struct Worker {
        explicit Worker(const network::Network<S>& network) : pass(network) {}
        network::Pass<S> pass;
        network::Batch<S> part; // where a batch is cut
        network::Rows<S> cotangent;
        Sums sums;
    };
    // Sums over a part, from sample `first` on, of a batch of `samples` samples, `rows` of whose
    // rows count.
    void fill(const network::Weights<S>& weights, const network::Batch<S>& part, Index first,
              Index samples, double rows, Index step, Worker& worker);
    void share(Index count);
    const network::Network<S>* network_;
    network::Loss loss_;
    LearningRule<S>* rule_;
    GradientOptions options_;
    Index pieces_;
    std::deque<Worker> workers_; // one a piece
};

} // namespace assay::training
