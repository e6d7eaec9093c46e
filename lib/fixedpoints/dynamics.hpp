// A trained recurrent network as a discrete dynamical system: h' = F(h, x), y = readout(h). What
// stands before the recurrent layers (an embedding, dense layers) drives them, what stands after
// them reads them out; stacked layers make one state. Shapes: rows are samples; h (B x state size),
// x (B x inputs, or one row for all), where x is what the first recurrent layer sees (after the
// layers before it; see `drive`). The state of an lstm is [h; c]; of a stack, the states of its
// layers one after another.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>
#include <assay/network/recurrent_cell.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::fixedpoints {

using Cell = network::RecurrentCell<double>;

// A state (or what a search puts in its place) whose norm is beyond this counts as diverged.
inline constexpr double kDivergedNorm = 1e6;

class ASSAY_API Dynamics {
  public:
    // The recurrent layers of a model; `layer` names one of several that do not form a chain. Where
    // others join behind the named one, its visible state is the readout. Throws Error: no
    // recurrent layer, two recurrent branches, layers that see more than one step.
    explicit Dynamics(const network::Model& model, const std::string& layer = "");
    // A cell by itself, whose readout is its visible state.
    explicit Dynamics(Cell cell);
    ~Dynamics();
    Dynamics(Dynamics&&) noexcept;
    Dynamics(const Dynamics&) = delete;

    [[nodiscard]] Index state_size() const { return state_size_; }
    [[nodiscard]] Index inputs() const { return cells_.front().inputs(); }
    [[nodiscard]] Index outputs() const { return outputs_; }
    [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
    // Where the layer's part of a state begins.
    [[nodiscard]] Index offset(std::size_t cell) const { return offsets_[cell]; }
    [[nodiscard]] double dt() const { return dt_; }                // time of one step
    [[nodiscard]] Index vocabulary() const { return vocabulary_; } // of token ids; 0: none
    [[nodiscard]] Index raw_inputs() const {
        return raw_inputs_;
    } // width of a step as data have it
    // "gru", or "gru,gru" of a stack.
    [[nodiscard]] std::string description() const;
    // Whether the model has other recurrent layers than those of the state.
    [[nodiscard]] bool is_part() const { return is_part_; }
    // Whether the readout is the network's output; else that depends on other layers too.
    [[nodiscard]] bool reads_output() const { return reads_output_; }

    // Raw inputs of single steps (n x raw_inputs; token ids n x 1) as the first cell sees them.
    [[nodiscard]] RowMatrix drive(const RowMatrix& raw) const;
    // The states that a sequence starts from (1 x state size).
    [[nodiscard]] RowMatrix initial_state() const;

    [[nodiscard]] RowMatrix step(const RowMatrix& x, const RowMatrix& h) const;
    // dF/dh (B state x state) and dF/dx (B state x inputs), blocks of rows.
    [[nodiscard]] RowMatrix jacobian_state(const RowMatrix& x, const RowMatrix& h) const;
    [[nodiscard]] RowMatrix jacobian_input(const RowMatrix& x, const RowMatrix& h) const;

    // (dF/dh)^T w, row by row (B x state size).
    [[nodiscard]] RowMatrix pull_back(const RowMatrix& x, const RowMatrix& h,
                                      const RowMatrix& w) const;

    // The reduced map R of all layers (specs: solve the candidate, not the gate), whose points
    // R(v) = v are those of F. Layer l sees the visible state of layer l-1. v (B x reduced size) is
    // each layer's h, without c. Cells without a gate stand for themselves. Its Jacobian is stacked
    // as those of F are.
    [[nodiscard]] Index reduced_size() const { return reduced_size_; }
    [[nodiscard]] RowMatrix reduced(const RowMatrix& x, const RowMatrix& v) const;
    [[nodiscard]] RowMatrix reduced_jacobian(const RowMatrix& x, const RowMatrix& v) const;
    // Between full states and those of the reduced map; `full_state` solves for c.
    [[nodiscard]] RowMatrix reduced_part(const RowMatrix& h) const;
    [[nodiscard]] RowMatrix full_state(const RowMatrix& x, const RowMatrix& v) const;

    // What the last layer shows (B x units), and the network's outputs (B x outputs).
    [[nodiscard]] RowMatrix visible(const RowMatrix& h) const;
    [[nodiscard]] RowMatrix readout(const RowMatrix& h) const;
    // d readout / dh (outputs x state size) at one state.
    [[nodiscard]] RowMatrix readout_jacobian(const RowMatrix& h) const;

    // Whether F sends a compact convex set into itself for every input, so that the indices of all
    // its points sum to 1 (Lefschetz number of a ball): bounded activations, alpha in (0, 1].
    [[nodiscard]] bool maps_ball_into_itself() const;

  private:
    struct Part; // layers before or after the cells
    [[nodiscard]] RowMatrix seen_by(std::size_t cell, const RowMatrix& x, const RowMatrix& h) const;
    void measure();
    std::vector<Cell> cells_;
    std::vector<Index> offsets_, reduced_offsets_;
    Index state_size_ = 0, reduced_size_ = 0, outputs_ = 0, vocabulary_ = 0, raw_inputs_ = 0;
    double dt_ = 1;
    bool is_part_ = false, reads_output_ = true;
    std::unique_ptr<Part> head_, tail_;
};

// States along sequences of inputs. Row trial * steps + t holds the state after step t.
struct Trajectories {
    Index trials = 0, steps = 0;
    std::vector<Index> lengths; // valid steps of each trial
    RowMatrix inputs;           // trials steps x inputs, as the first cell sees them
    RowMatrix states;           // trials steps x state size; zero beyond a trial's length
    [[nodiscard]] Index row(Index trial, Index step) const { return trial * steps + step; }
};

// Runs the network on trials of inputs (trials steps x raw inputs, row trial * steps + t).
// `lengths` may be empty: all steps are valid. `noise` is the standard deviation of normal noise
// added to every state (seeded, addressed by trial and step). O(steps) batched products.
[[nodiscard]] ASSAY_API Trajectories run_trials(const Dynamics& dynamics, const RowMatrix& raw,
                                                Index trials, std::vector<Index> lengths,
                                                const Execution& run, double noise = 0,
                                                std::uint64_t seed = 0);

// Advances a batch under one constant input each (x: B rows or one) for `steps` steps.
[[nodiscard]] ASSAY_API RowMatrix advance(const Dynamics& dynamics, const RowMatrix& x,
                                          RowMatrix states, Index steps);

} // namespace assay::fixedpoints
