// Recorded runs as the theory is compared with them, from models and stored maps, and the result in
// HDF5 (/lindyn/compare).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/comparison.hpp>
#include <assay/network/model.hpp>
#include <assay/network/samples.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace assay::lindyn {

// Samples that are in memory, as the source of statistics. Throws Error where targets are classes,
// or inputs are sequences with lengths or masks.
class ASSAY_API HeldSamples : public SampleSource {
  public:
    // `samples` must outlive this.
    explicit HeldSamples(const network::Samples& samples);
    [[nodiscard]] Index samples() const override { return samples_.count(); }
    [[nodiscard]] Index inputs() const override { return samples_.inputs.cols(); }
    [[nodiscard]] Index outputs() const override { return samples_.values.cols(); }
    [[nodiscard]] RowMatrix read_inputs(Index first, Index count) const override {
        return samples_.inputs.middleRows(first, count);
    }
    [[nodiscard]] RowMatrix read_targets(Index first, Index count) const override {
        return samples_.values.middleRows(first, count);
    }

  private:
    const network::Samples& samples_;
};

// Checkpoints that are models: chains of dense layers without biases by their weights, any other
// network by the least-squares map of its outputs on `samples`.
class ASSAY_API ModelRun : public RunSource {
  public:
    // `open` gives the model of a checkpoint by number; `samples` is called once, when the first
    // model is not linear; `held` are held-out samples, where there are some.
    ModelRun(std::vector<Index> steps, std::function<network::Model(Index)> open,
             const std::function<network::Samples()>& samples, std::optional<network::Samples> held,
             const Execution& execution);
    [[nodiscard]] std::vector<Index> steps() const override { return steps_; }
    [[nodiscard]] RunState state(Index checkpoint) const override;
    // Why the first model is not a linear network; empty where it is.
    [[nodiscard]] const std::string& why_fitted() const { return why_fitted_; }
    // Layers with weights of the first model.
    [[nodiscard]] int depth() const { return depth_; }

  private:
    [[nodiscard]] RunState fitted(const network::Model& model) const;
    std::vector<Index> steps_;
    std::function<network::Model(Index)> open_;
    std::optional<network::Samples> samples_, held_;
    Execution execution_;
    std::string why_fitted_;
    int depth_ = 0;
};

// Maps that someone stored: `map` (T x N3 x N1) and `step` (T, ascending).
class ASSAY_API StoredMaps : public RunSource {
  public:
    explicit StoredMaps(const hdf5::Group& trajectory);
    [[nodiscard]] std::vector<Index> steps() const override { return steps_; }
    [[nodiscard]] RunState state(Index checkpoint) const override;

  private:
    hdf5::Dataset maps_;
    std::vector<Index> steps_;
};

// /truth/W of a data file, with the tasks of /truth/output_task, or the part of it that the data at
// `path` are of (their attribute output_task). Nothing where there is none, or it is of other
// inputs and outputs than the problem.
[[nodiscard]] ASSAY_API std::optional<KnownMap>
read_known_map(const hdf5::Group& root, const std::string& path, const Problem& problem);

ASSAY_API void write_comparison(hdf5::Group group, const RunComparison& comparison);

} // namespace assay::lindyn
