// Edges of a graph from a file, as a task takes them.
#pragma once

#include <assay/cli/context.hpp>

#include <string>

namespace lindyn_app {

struct Edges {
    std::string ends, weights; // "0,1,1,2", "1,0.5"
};

// From text, a line "i j" or "i j weight" an edge (comments after #), or an array FILE:/path of two
// or three columns. Items are numbered from 0.
Edges read_edges(assay::cli::Context& context, const std::string& address);

// All numbers of an array FILE:/path, row by row, joined by commas.
std::string read_numbers(assay::cli::Context& context, const std::string& address);

} // namespace lindyn_app
