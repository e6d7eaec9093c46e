// What the HDF5 forms of studies share: records that are numbered within a whole of which a file
// may hold a part (shards.hpp), as arrays with one row a record.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/shards.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace assay::lindyn {

// Counts as they are stored.
[[nodiscard]] inline std::vector<std::int64_t> whole_numbers(const std::vector<Index>& counts) {
    return {counts.begin(), counts.end()};
}

// Rows of numbers as an array whose first axis is `axis`; without one, a single row alone.
struct Rows {
    std::string axis; // "", or the name of the first axis
    Index count = 1;

    ASSAY_API void write(hdf5::Group& group, const std::string& name, const RowMatrix& rows,
                         const hdf5::ArrayInfo& info) const;
    ASSAY_API void write_scalars(hdf5::Group& group, const std::string& name, const Vector& values,
                                 const hdf5::ArrayInfo& info) const;
};

// One part of all records as rows (all of one length), or as numbers.
template <class Record>
RowMatrix gathered(const std::map<Index, Record>& records,
                   const std::function<Vector(const Record&)>& part) {
    RowMatrix rows;
    Index i = 0;
    for (const auto& [number, record] : records) {
        const Vector values = part(record);
        if (i == 0) rows.resize(static_cast<Index>(records.size()), values.size());
        rows.row(i++) = values.transpose();
    }
    return rows;
}

template <class Record>
Vector gathered_scalars(const std::map<Index, Record>& records,
                        const std::function<double(const Record&)>& part) {
    Vector values(static_cast<Index>(records.size()));
    Index i = 0;
    for (const auto& [number, record] : records) values(i++) = part(record);
    return values;
}

// The numbers of records as the dataset `name`.
template <class Record>
void write_numbers(hdf5::Group& group, const std::string& name,
                   const std::map<Index, Record>& records) {
    std::vector<std::int64_t> numbers;
    for (const auto& [number, record] : records) numbers.push_back(number);
    group.write(name, numbers, {name, "", "which of the whole study"});
}
[[nodiscard]] ASSAY_API std::vector<std::int64_t> read_numbers(const hdf5::Group& group,
                                                               const std::string& name);

// These throw Error where sizes are others; `cols` < 0: any.
[[nodiscard]] ASSAY_API RowMatrix read_rows(const hdf5::Group& group, const std::string& name,
                                            Index rows, Index cols);
[[nodiscard]] ASSAY_API Vector read_column(const hdf5::Group& group, const std::string& name,
                                           Index count);

// An attribute that is a number; a whole one of `least` or more. Throw Error where it is none.
[[nodiscard]] ASSAY_API double number_attribute(const hdf5::Group& group, const char* name);
[[nodiscard]] ASSAY_API Index whole_attribute(const hdf5::Group& group, const char* name,
                                              double least);
// Seeds stand as text: a number has no room for all of them. Reading throws Error where there is
// none.
ASSAY_API void write_seed(hdf5::Group& group, std::uint64_t seed);
[[nodiscard]] ASSAY_API std::uint64_t read_seed(const hdf5::Group& group);
// Which part of a study a file holds: attributes that a whole one does not have.
ASSAY_API void write_part(hdf5::Group& group, const StudyPart& part);
[[nodiscard]] ASSAY_API StudyPart read_part(const hdf5::Group& group);

// Throws Error naming the first setting of `part` that differs from those of `first`: an attribute,
// the values of a sweep, or one of these datasets.
ASSAY_API void check_same_study(const hdf5::Group& part, const hdf5::Group& first,
                                const std::vector<std::string>& datasets = {});

} // namespace assay::lindyn
