// A loss over a whole data set and its exact derivatives: gradient, per-sample gradients, Hessian
// and Gauss-Newton products with many directions at once (Pearlmutter 1994; Schraudolph 2002). The
// data are cut into blocks whose size depends on shapes only; each of a fixed number of slots takes
// a contiguous run of blocks, and slots are added in a fixed tree: the same bits for any number of
// threads, and of ranks that work together, which share the slots.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/network/loss.hpp>
#include <assay/network/network.hpp>
#include <assay/network/penalty.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace assay::network {

struct ObjectiveOptions {
    Mode mode = Mode::inference;
    double memory = 1e9; // bytes that kept activations may take
    std::vector<Penalty> l2;
};

enum class Curvature { hessian, gauss_newton, residual };

template <class S>
class ASSAY_API Objective {
  public:
    // Throws Error (see check_samples). `network` and `samples` must outlive it.
    Objective(const Network<S>& network, const Samples& samples, Loss loss,
              ObjectiveOptions options = {}, const std::string& place = "data");
    // The same of samples that are read block by block, whenever they are needed.
    Objective(const Network<S>& network, const SampleSource& samples, Loss loss,
              ObjectiveOptions options = {}, const std::string& place = "data");
    ~Objective();

    [[nodiscard]] Index samples() const;
    // Mean loss (penalty included) and share of right classes (NaN where there are no classes).
    struct Value {
        double loss = 0, accuracy = 0;
    };
    void set_weights(Weights<S> weights); // forgets kept activations
    // The same without a copy: they stay where and as they are as long as the objective is asked.
    void refer_to(const Weights<S>& weights);
    [[nodiscard]] Value value(const Execution& run);
    // The same in one pass with, of each rectifying layer in the network's order, the share of its
    // units (channels of images, features of sequences) that no sample raises above 0 at any valid
    // step.
    struct ValueAndSilence {
        Value value;
        std::vector<double> silent;
    };
    [[nodiscard]] ValueAndSilence value_and_silence(const Execution& run);
    [[nodiscard]] Column<S> gradient(const Execution& run, Value* value = nullptr);
    // Products with the columns of `directions` (P x K): H v, G v = J^T H_l J v, or (H - G) v. The
    // penalty is part of H and G.
    [[nodiscard]] Columns<S> curvature_products(Curvature curvature, const Columns<S>& directions,
                                                const Execution& run);
    // Outputs of all samples (samples x size).
    [[nodiscard]] Rows<S> outputs(const Execution& run);
    // The same block by block, in ascending order: body(first sample, batch, outputs).
    using OutputBody = std::function<void(Index, const Batch<S>&, const Rows<S>&)>;
    void each_output(const Execution& run, const OutputBody& body);
    // Gradients of single samples, in blocks of at most `block` columns: body(first sample, P x
    // block). Sample n's is that of N l_n, so their mean is the gradient (without penalty).
    void sample_gradients(Index block, const Execution& run,
                          const std::function<void(Index, const Columns<S>&)>& body);
    // The same for output `unit`: dz_unit(x_n) / dtheta.
    void output_gradients(Index unit, Index block, const Execution& run,
                          const std::function<void(Index, const Columns<S>&)>& body);

  private:
    struct State;
    Objective(const Network<S>& network, Loss loss, ObjectiveOptions options);
    // Once samples have been checked; `rows` of them count.
    void begin(const SampleSource& samples, double rows);
    std::unique_ptr<State> state_;
};

} // namespace assay::network
