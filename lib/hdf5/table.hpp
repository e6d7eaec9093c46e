// Tables: one dataset of compound records, the form in which h5py, pandas and MATLAB show rows with
// named columns. Text has a fixed length, so that the sealed form holds.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay::hdf5 {

struct TableColumn {
    using Values = std::variant<std::vector<std::string>, std::vector<std::int32_t>,
                                std::vector<std::int64_t>, std::vector<double>>;
    std::string name;
    Values values;
    [[nodiscard]] ASSAY_API Index rows() const;
};

struct Table {
    std::vector<TableColumn> columns; // all of the same length
    [[nodiscard]] Index rows() const { return columns.empty() ? 0 : columns.front().rows(); }
    void add(std::string name, TableColumn::Values values) {
        columns.push_back({std::move(name), std::move(values)});
    }
    // Throws Error where there is no such column, or it is of another kind.
    template <class T>
    [[nodiscard]] const std::vector<T>& column(const std::string& name) const;
};

// Throws Error for no columns, columns of different lengths, of the same name or without one.
ASSAY_API void write_table(const Group& group, const std::string& name, const Table& table,
                           const ArrayInfo& info);
// A compound dataset of rank 1. Integers of up to 32 bits become int32, longer ones int64, floating
// numbers double. Throws Error that names a column of another kind, and where there are more rows
// than the file can hold.
[[nodiscard]] ASSAY_API Table read_table(const Dataset& dataset);

} // namespace assay::hdf5
