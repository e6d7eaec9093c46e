#include <assay/network/sample_file_io.hpp>

#include <assay/core/memory.hpp>
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

// Calls body(place in `rows`, first row, count) for every stretch of consecutive rows.
template <class Body>
void for_runs(const std::vector<Index>& rows, Body&& body) {
    for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
        for (end = begin + 1; end < rows.size() && rows[end] == rows[end - 1] + 1;) ++end;
        body(static_cast<Index>(begin), rows[begin], static_cast<Index>(end - begin));
    }
}

// `out` has room for the chosen rows, one behind the other.
template <class T>
void read_rows(const hdf5::RowStore& store, const std::vector<Index>& chosen, T* out) {
    for_runs(chosen, [&](Index place, Index first, Index count) {
        store.read(first, count, out + place * store.row_size());
    });
}

void read_rows(const std::optional<hdf5::RowStore>& store, const std::vector<Index>& chosen,
               RowMatrix& into) {
    if (!store) {
        into.resize(0, 0);
        return;
    }
    into.resize(static_cast<Index>(chosen.size()), store->row_size());
    read_rows(*store, chosen, into.data());
}

// Adds what so many numbers take once they are read; throws Error where that is too much.
void add_memory(double& bytes, double numbers, const std::string& where) {
    bytes += numbers * sizeof(double);
    check_memory(bytes, where + ": as float64");
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
    double bytes = 0, whole = 0;
    const auto add = [&](const hdf5::Dataset& dataset) {
        bytes += hdf5::RowStore::bytes(dataset);
        if (memory == kWhole)
            add_memory(whole, static_cast<double>(dataset.size()), dataset.where());
    };
    add(inputs);
    if (group.has_dataset("targets")) {
        targets = rows_of(group, "targets", count);
        add(*targets);
    }
    if (group.has_dataset("mask")) {
        mask = rows_of(group, "mask", count);
        add(*mask);
    }
    place_ = bytes <= memory ? hdf5::RowPlace::memory : hdf5::RowPlace::disk;
    if (!on_disk()) bytes_ = bytes;
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
    double bytes = 0;
    for (const auto* store : {&inputs_, &targets_, &mask_})
        if (*store)
            add_memory(bytes,
                       static_cast<double>(chosen.size()) *
                           static_cast<double>((*store)->row_size()),
                       (*store)->where());
    into.input_shape = form_.input_shape;
    into.input_axes = form_.input_axes;
    into.target_shape = form_.target_shape;
    read_rows(inputs_, chosen, into.inputs);
    read_rows(mask_, chosen, into.mask);
    into.classes.clear();
    if (classes_) {
        into.values.resize(0, 0);
        into.classes.resize(chosen.size() * static_cast<std::size_t>(targets_->row_size()));
        read_rows(*targets_, chosen, into.classes.data());
    } else {
        read_rows(targets_, chosen, into.values);
    }
    into.lengths.clear();
    if (!lengths_.empty())
        for (const Index row : chosen)
            into.lengths.push_back(lengths_[static_cast<std::size_t>(row)]);
}

void SampleFile::announce(const std::vector<Index>& chosen) const {
    for (const auto* store : {&inputs_, &targets_, &mask_})
        if (*store)
            for_runs(chosen,
                     [&](Index, Index first, Index count) { (*store)->announce(first, count); });
}

} // namespace assay::network
