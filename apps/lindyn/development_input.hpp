// Where the course of learning comes from: a result of `predict`, a recorded run, or closed forms
// for the modes of data.
#pragma once

#include "clock.hpp"
#include "problem_input.hpp"

#include <assay/lindyn/development.hpp>

#include <memory>
#include <optional>
#include <string>

namespace lindyn_app {

struct DevelopmentOptions {
    ProblemOptions problem;
    assay::lindyn::PredictSettings predict;
    std::string checkpoints = "all";
    TimeOptions time;
    ClockOptions clock;
    bool run = false;
};

void declare_development(assay::cli::Command& c, DevelopmentOptions& o);

struct Course {
    std::unique_ptr<assay::lindyn::Development> development;
    std::optional<assay::lindyn::Problem> problem; // modes, where they are known
    std::string unit;                              // of time
};
Course load_course(assay::cli::Context& context, const DevelopmentOptions& o);

} // namespace lindyn_app
