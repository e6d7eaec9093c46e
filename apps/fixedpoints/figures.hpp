// The figures of fixedpoints: results of a file arranged into panels. Each is one entry of
// `figures()`; what it needs is said there, so that `plot` can choose and complain.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <string>
#include <vector>

namespace fixedpoints_app {

struct FigureKind {
    std::string name;
    std::string needs; // a dataset or group, absolute; for messages only where `can_draw` decides
    std::string what;  // for the help
    assay::plot::Figure (*draw)(const assay::hdf5::Group& root);
    // Whether there is something to draw, where the existence of `needs` does not say.
    bool (*can_draw)(const assay::hdf5::Group& root) = nullptr;
};

// In the order in which `plot` prefers them.
const std::vector<FigureKind>& figures();

} // namespace fixedpoints_app
