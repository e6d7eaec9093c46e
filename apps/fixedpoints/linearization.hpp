// A linearisation as it is asked for on the command line, and that of the points of one network.
// Shared by linearize and population.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <functional>
#include <optional>

namespace fixedpoints_app {

enum class Keep { automatic, yes, no };

struct LinearizeRequest {
    std::optional<assay::Index> modes;
    assay::Index top_k = 0; // > 0: only the slow modes
    assay::fixedpoints::EigenvalueOrder order = assay::fixedpoints::EigenvalueOrder::magnitude;
    double marginal = 1e-3;
    Keep jacobians = Keep::automatic;
};
void declare_linearize(assay::cli::Command& c, LinearizeRequest& o);

assay::fixedpoints::LinearisationWriter
linearisation_writer(const LinearizeRequest& o, const assay::fixedpoints::Dynamics& dynamics,
                     const assay::fixedpoints::Points& points, assay::hdf5::Group group);

// Some points, one after another from `first`.
struct LinearizedBlock {
    assay::Index first = 0;
    std::vector<assay::fixedpoints::EigenSystem> systems; // whole, or slow modes:
    std::vector<assay::fixedpoints::SlowModes> slow;
    std::vector<assay::RowMatrix> jacobians, input_jacobians;
    void write(assay::fixedpoints::LinearisationWriter& writer, double marginal) const;
    // Of the slowest mode of any of the points, in steps.
    [[nodiscard]] double longest_time_constant() const;
    [[nodiscard]] assay::Index unfinished() const; // points whose slow modes did not converge
};
// Hands on the points from `first` on in blocks, in their order, so that not all Jacobians are in
// memory. Between two `take` is a safe point: it may stop the work.
void linearize_points(const LinearizeRequest& o, const assay::fixedpoints::Dynamics& dynamics,
                      const assay::fixedpoints::Points& points, const assay::Execution& execution,
                      const std::function<void(LinearizedBlock)>& take, assay::Index first = 0);

} // namespace fixedpoints_app
