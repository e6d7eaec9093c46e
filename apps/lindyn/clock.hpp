// How training steps and the flow's time go together: by the loss, the learning rate and its
// schedule, momentum, batches and weight decay of a run, as its file says or as options say; and
// the unit in which a command takes and gives times.
#pragma once

#include "model_input.hpp"

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/lindyn/discrete.hpp>
#include <assay/lindyn/statistics.hpp>
#include <assay/lindyn/time_scale.hpp>

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
    double tau = 0;                   // steps; 0: not known
    double epoch = 1;                 // steps of one pass through the samples
    assay::training::ScheduleSettings schedule;
    double base = 1;        // learning rate that the schedule varies
    assay::Index total = 0; // steps of the run, for the schedule

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
// The clock of a network of `outputs` that learns `samples` in theory, sums over samples.
Clock theory_clock(const ClockOptions& o, assay::Index outputs, assay::Index samples);
// Throws Error on losses that are no squared error.
Clock clock_of(const ClockOptions& o, const std::optional<tools::RunWords>& words,
               const assay::lindyn::Statistics& statistics);

} // namespace lindyn_app
