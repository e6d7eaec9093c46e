// How training steps and the flow's time go together: by the loss, the learning rate and its
// schedule, momentum, batches and weight decay of a run, as its file says or as options say; and
// the unit in which a command takes and gives times.
#pragma once

#include "model_input.hpp"

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/lindyn/predict.hpp>
#include <assay/lindyn/statistics.hpp>
#include <assay/lindyn/time_scale.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lindyn_app {

// None: the run's.
struct ClockOptions {
    std::string loss;
    std::optional<double> learning_rate, momentum, weight_decay, tau;
    std::optional<assay::Index> batch;
};
// --learning-rate and --momentum; `of` says what they are of.
void declare_rates(assay::cli::Command& c, std::optional<double>& learning_rate,
                   std::optional<double>& momentum, const std::string& of);
// These, --loss, --batch-size and --tau.
void declare_clock(assay::cli::Command& c, ClockOptions& o);
void declare_weight_decay(assay::cli::Command& c, ClockOptions& o);

enum class TimeUnit { tau, steps, epochs };
struct TimeOptions {
    std::string grid = "auto";
    TimeUnit unit = TimeUnit::tau;
};
// --time and --time-unit, or the unit alone.
void declare_times(assay::cli::Command& c, TimeOptions& o);
void declare_time_unit(assay::cli::Command& c, TimeOptions& o);

struct Clock {
    assay::lindyn::StepSettings step; // in the flow's units; rate 0: not known
    assay::lindyn::StepVariant variant;
    double tau = 0;   // steps at the base learning rate; 0: not known
    double epoch = 1; // steps of one pass through the samples
    // Where a schedule varies the learning rate; else null.
    std::shared_ptr<const assay::lindyn::StepClock> steps;

    std::string why_unknown; // what of the run gives no tau

    // The flow's time at rising steps. Precondition: tau is known.
    [[nodiscard]] assay::Vector at(const std::vector<assay::Index>& steps) const;
    // Throws Error or UsageError that names the options which would say it.
    void need_tau() const;
};
// The unit of times. Throws as need_tau does where it is not tau, and tau is not known.
assay::lindyn::TimeScale time_scale(const TimeOptions& o, const Clock& clock);
// What --time gives, in tau; empty for auto.
assay::Vector times_in_tau(assay::cli::Context& context, const TimeOptions& o,
                           const assay::lindyn::TimeScale& scale);
// What --time gives, in the scale's unit and in tau. auto: `usual`, in tau; of a run whose learning
// rate varies as many equal parts up to the last of them, or to the run's end where it comes first.
struct TimeGrid {
    assay::Vector told, tau;
};
TimeGrid time_grid(assay::cli::Context& context, const TimeOptions& o,
                   const assay::lindyn::TimeScale& scale,
                   const std::function<assay::Vector()>& usual);
void set_steps(const Clock& clock, assay::lindyn::PredictSettings& settings);
// The clock of a network of `outputs` that learns `samples` in theory, sums over samples.
Clock theory_clock(const ClockOptions& o, assay::Index outputs, assay::Index samples);
// What the run of an input says of its training, before its data are looked at. Throws Error on a
// loss that is no squared error.
std::optional<tools::RunWords> squared_error_run(assay::cli::Context& context,
                                                 const assay::hdf5::Address& address,
                                                 const ClockOptions& o);
// Warns of what the run did that the clock does not know.
Clock clock_of_run(assay::cli::Context& context, const ClockOptions& o,
                   const std::optional<tools::RunWords>& words,
                   const assay::lindyn::Statistics& statistics);

} // namespace lindyn_app
