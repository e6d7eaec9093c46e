// The figures of tensor-amp: results of a file arranged into panels. Each is one entry of
// `figures()`; what it needs is said there, so that `plot` can choose and complain.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <string>
#include <vector>

namespace tensor_amp_app {

struct FigureKind {
    std::string name;
    std::vector<std::string> needs; // one of these groups or datasets
    std::string what;               // for the help
    assay::plot::Figure (*draw)(const assay::hdf5::Group& root);
};

// In the order in which `plot` prefers them.
const std::vector<FigureKind>& figures();

} // namespace tensor_amp_app
