#include <assay/network/sample_file_io.hpp>

#include <assay/core/text.hpp>

namespace assay::network {
namespace {

// One row a sample.
hdf5::Dataset rows_of(const hdf5::Group& group, const std::string& name, Index count) {
    const hdf5::Dataset dataset = group.dataset(name, hdf5::ReadOrder::rows).expect_numeric();
    if (dataset.rank() < 1 || dataset.shape()[0] != count)
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                           "; the first axis should be the ", count, " samples"));
    return dataset;
}

void read_rows(const hdf5::RowStore& store, const std::vector<Index>& chosen, RowMatrix& into) {
    into.resize(static_cast<Index>(chosen.size()), store.row_size());
    for (Index i = 0; i < into.rows(); ++i)
        store.read(chosen[static_cast<std::size_t>(i)], into.row(i).data());
}

} // namespace

SampleFile::SampleFile(const hdf5::Group& group, double memory, const std::string& directory) {
    const hdf5::Dataset inputs = group.dataset("inputs", hdf5::ReadOrder::rows).expect_numeric();
    if (inputs.rank() < 2)
        throw Error(inputs.where() + ": expected samples by features (at least 2 axes), found " +
                    hdf5::shape_text(inputs.shape()));
    const Index count = inputs.shape()[0];
    form_.input_shape = Shape(inputs.shape().begin() + 1, inputs.shape().end());
    const auto axes = split(inputs.axes(), ',');
    if (static_cast<Index>(axes.size()) == inputs.rank())
        form_.input_axes.assign(axes.begin() + 1, axes.end());
    std::optional<hdf5::Dataset> targets, mask;
    double bytes = hdf5::RowStore::bytes(inputs);
    if (group.has_dataset("targets")) {
        targets = rows_of(group, "targets", count);
        bytes += hdf5::RowStore::bytes(*targets);
    }
    if (group.has_dataset("mask")) {
        mask = rows_of(group, "mask", count);
        bytes += hdf5::RowStore::bytes(*mask);
    }
    place_ = bytes <= memory ? hdf5::RowPlace::memory : hdf5::RowPlace::disk;
    inputs_.emplace(inputs, place_, directory);
    if (mask) mask_.emplace(*mask, place_, directory);
    if (group.has_dataset("lengths")) {
        const auto lengths = group.dataset("lengths").expect_numeric().read<std::int64_t>();
        lengths_.assign(lengths.begin(), lengths.end());
        if (static_cast<Index>(lengths_.size()) != count)
            throw Error(concat(group.where(), "/lengths: ", lengths_.size(), " numbers for ", count,
                               " samples"));
    }
    if (!targets) return;
    targets_.emplace(*targets, place_, directory);
    // Where axes are not named, (sample, time, feature) is taken to be a sequence.
    const bool sequence =
        form_.input_axes.empty() ? inputs.rank() == 3 : form_.input_axes[0] == "time";
    const bool per_row = targets->rank() == 1 || (targets->rank() == 2 && sequence &&
                                                  targets->shape()[1] == form_.input_shape[0]);
    classes_ = targets->kind() == hdf5::Kind::integer && per_row;
    if (classes_) return;
    form_.target_shape = Shape(targets->shape().begin() + 1, targets->shape().end());
    if (form_.target_shape.empty()) form_.target_shape = {1};
}

void SampleFile::read(const std::vector<Index>& chosen, Samples& into) const {
    into.input_shape = form_.input_shape;
    into.input_axes = form_.input_axes;
    into.target_shape = form_.target_shape;
    read_rows(*inputs_, chosen, into.inputs);
    into.classes.clear();
    if (classes_) {
        const auto per = static_cast<std::size_t>(targets_->row_size());
        into.classes.resize(chosen.size() * per);
        for (std::size_t i = 0; i < chosen.size(); ++i)
            targets_->read(chosen[i], into.classes.data() + i * per);
    }
    if (targets_ && !classes_)
        read_rows(*targets_, chosen, into.values);
    else
        into.values.resize(0, 0);
    if (mask_)
        read_rows(*mask_, chosen, into.mask);
    else
        into.mask.resize(0, 0);
    into.lengths.clear();
    if (!lengths_.empty())
        for (const Index row : chosen)
            into.lengths.push_back(lengths_[static_cast<std::size_t>(row)]);
}

void SampleFile::announce(const std::vector<Index>& chosen) const {
    for (const auto* store : {&inputs_, &targets_, &mask_})
        if (*store)
            for (const Index row : chosen) (*store)->announce(row);
}

} // namespace assay::network
