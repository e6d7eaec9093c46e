// How training steps and the flow's time go together: by the loss, the learning rate and its
// schedule, momentum and weight decay of a run, as its file says or as options say.
#pragma once

#include "model_input.hpp"

#include <assay/cli/command.hpp>
#include <assay/lindyn/discrete.hpp>
#include <assay/lindyn/statistics.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lindyn_app {

struct ClockOptions {
    std::string loss;
    // Negative: the run's, else none.
    double learning_rate = -1, momentum = -1, weight_decay = -1, tau = -1;
};
void declare_clock(assay::cli::Command& c, ClockOptions& o);

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
// Throws Error on losses that are no squared error.
Clock clock_of(const ClockOptions& o, const std::optional<tools::RunWords>& words,
               const assay::lindyn::Statistics& statistics);

} // namespace lindyn_app
