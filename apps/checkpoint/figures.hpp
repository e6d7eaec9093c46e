// The figures of `checkpoint plot`: what a run, an evaluation or a sweep left in its file, arranged
// into panels.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <string>
#include <vector>

namespace checkpoint_app {

// A group to draw, and its file's name for legends.
struct Source {
    std::string name;
    assay::hdf5::Group group;
};

// Loss and accuracy over steps, of runs over one another; `runs` are groups /run.
assay::plot::Figure curves_figure(const std::vector<Source>& runs, bool log_steps);
// Norms of weights, gradient and update of every layer.
assay::plot::Figure norms_figure(const assay::hdf5::Group& run, bool log_steps);
// The ways of the weights of `runs`, roots of files, in the plane of the two principal directions
// of all their checkpoints.
assay::plot::Figure trajectory_figure(const std::vector<Source>& roots);
// What the units of the first weighted layer look for; `model` is /model.
assay::plot::Figure filters_figure(const assay::hdf5::Group& model);
// Rows by true and predicted class, of /checkpoint/evaluate.
assay::plot::Figure confusion_figure(const assay::hdf5::Group& evaluated);

// Of /checkpoint/sweep. One dot a trial: the score against each setting.
assay::plot::Figure sweep_figure(const assay::hdf5::Group& table);
// One line a trial across its settings and its score.
assay::plot::Figure parallel_figure(const assay::hdf5::Group& table);
// The share of trials close to the best, of every sweep.
assay::plot::Figure robustness_figure(const std::vector<Source>& sweeps);
// The scores of the same trials on several networks.
assay::plot::Figure transfer_figure(const assay::hdf5::Group& table);

} // namespace checkpoint_app
