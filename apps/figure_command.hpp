// The subcommand `plot` of every tool whose figures are a list: results of a file arranged into
// panels. What a figure needs is said in its entry, so that `plot` can choose and complain.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <functional>
#include <string>
#include <vector>

namespace tools {

struct FigureKind {
    std::string name;
    std::vector<std::string> needs; // one of these groups or datasets
    std::string what;               // for the help
    std::function<assay::plot::Figure(const assay::hdf5::Group& root)> draw;
    // Whether there is something to draw, where the existence of `needs` does not say.
    bool (*can_draw)(const assay::hdf5::Group& root) = nullptr;
};

struct FigureCommand {
    std::string summary;
    std::string results;             // where a file has what can be drawn: "/lindyn/..."
    std::vector<FigureKind> figures; // in the order in which `auto` prefers them
    std::vector<assay::cli::Example> examples;
    // Options of single figures, which their `draw` knows.
    std::function<void(assay::cli::Command&)> declare = nullptr;
    // Throws UsageError where such options were given and another figure is drawn alone.
    std::function<void(const std::string& figure)> check = nullptr;
};

// --figure auto, all or one by its name; --table.
[[nodiscard]] assay::cli::Command figure_command(FigureCommand declaration);

} // namespace tools
