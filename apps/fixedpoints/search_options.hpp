// A search for points as it is asked for on the command line: options, what follows from them, and
// the search of one network. Shared by find and population.
#pragma once

#include "inputs.hpp"

#include <assay/fixedpoints/find.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fixedpoints_app {

enum class InitMode { trajectory, uniform, grid, file };
enum class NormChoice { automatic, half, mean };
enum class Preset { none, established, sentiment };
enum class Arithmetic { automatic, float64, float32 };

struct SearchRequest {
    assay::fixedpoints::FindOptions find;
    Preset preset = Preset::none;
    // What a preset may choose: empty where it was not asked for by name.
    std::optional<assay::fixedpoints::FindMode> mode;
    std::optional<assay::fixedpoints::Method> method;
    std::optional<assay::fixedpoints::Residual> residual;
    std::optional<assay::fixedpoints::Expansion> expansion;
    std::string states;
    std::optional<std::string> inputs; // this and `starts`, `noise` hold a value after resolve
    InitMode init = InitMode::trajectory;
    std::vector<double> range{-1, 1};
    std::optional<assay::Index> starts;
    assay::Index grid = 3, trials = -1;
    std::optional<double> noise, noise_relative;
    // What one kind of solver has and the other not.
    std::optional<double> tolerance_residual, lambda, chord_share;
    std::optional<double> learning_rate, rate_factor, tolerance_q, tolerance_change;
    std::optional<assay::Index> patience;
    assay::Index skip_time = 0;
    std::optional<assay::Index> max_iterations, max_points;
    std::optional<double> slow_tolerance;
    NormChoice norm = NormChoice::automatic;
    Arithmetic precision = Arithmetic::automatic;
    bool no_certify = false;
    std::uint64_t seed = 0;
};

// Headings of the help, in this order.
void declare_search(assay::cli::Command& c, SearchRequest& o);
void declare_starts(assay::cli::Command& c, SearchRequest& o);
void declare_slow(assay::cli::Command& c, SearchRequest& o);
void declare_points(assay::cli::Command& c, SearchRequest& o);
void declare_adam(assay::cli::Command& c, SearchRequest& o);

// Fills in what follows from the preset and from other options; what was asked for by name stays.
// Throws UsageError for a range that is none and for options that the solver does not have.
assay::fixedpoints::FindOptions resolve(SearchRequest& o);

// How many trials are enough to draw starts from; 0: all.
assay::Index trials_to_draw(const SearchRequest& o);

// Where a search of one network begins: everything that is read from files.
struct SearchPlan {
    assay::RowMatrix inputs, starts;
};
SearchPlan plan_search(const SearchRequest& o, assay::cli::Context& context,
                       const assay::fixedpoints::Dynamics& dynamics,
                       const std::optional<Trials>& trials);

struct Search {
    assay::fixedpoints::FindResult result;
    assay::fixedpoints::FindFacts facts;
};
// `find`: what resolve gave. Distances to data are left to the caller.
Search search_points(const SearchRequest& o, const LoadedNetwork& network,
                     const std::optional<Trials>& trials, SearchPlan plan,
                     const assay::fixedpoints::FindOptions& find,
                     const assay::Execution& execution);

} // namespace fixedpoints_app
