// What the *_io files of this module share: rows, columns and enumerations in datasets.
#pragma once

#include <assay/core/text.hpp>
#include <assay/hdf5/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// A matrix as a dataset of its rows.
void write_rows(hdf5::Group group, const std::string& name, const RowMatrix& rows,
                const hdf5::ArrayInfo& info);
// Complex numbers, C order.
void write_complex(hdf5::Group group, const std::string& name, const Eigen::MatrixXcd& values,
                   const hdf5::ArrayInfo& info);

// Numbers of an enumeration, with their words beside them.
template <class T>
void write_words(hdf5::Group group, const std::string& name, const std::vector<T>& values,
                 const char* words, const hdf5::ArrayInfo& info) {
    std::vector<std::uint8_t> bytes;
    for (const T value : values) bytes.push_back(static_cast<std::uint8_t>(value));
    group.write(name, bytes, info);
    group.dataset(name).set_attribute("values", words);
}

template <class T>
std::vector<T> read_words(const hdf5::Group& group, const std::string& name, const char* words) {
    const auto dataset = group.dataset(name);
    const auto most = static_cast<std::int64_t>(split(words, ',').size());
    std::vector<T> values;
    for (const auto number : dataset.read<std::int64_t>()) {
        if (number < 0 || number >= most)
            throw Error(concat(dataset.where(), ": found ", number, "; a number below ", most, " (",
                               words, ") is expected"));
        values.push_back(static_cast<T>(number));
    }
    return values;
}

// The word of one value, "heteroclinic".
template <class T>
std::string word_of(T value, const char* words) {
    return split(words, ',').at(static_cast<std::size_t>(value));
}

// One column; throws Error where its length is another.
template <class T>
std::vector<T> read_column(const hdf5::Group& group, const std::string& name, Index rows) {
    const auto dataset = group.dataset(name).expect_rank(1);
    auto values = dataset.read<T>();
    if (static_cast<Index>(values.size()) != rows)
        throw Error(concat(dataset.where(), ": ", values.size(), " rows, expected ", rows));
    return values;
}
// Finite rows; throws Error where there are others than `rows` (-1: any number).
[[nodiscard]] RowMatrix read_rows(const hdf5::Group& group, const std::string& name, Index rows);
[[nodiscard]] Vector vector_of(const std::vector<double>& values);

} // namespace assay::fixedpoints
