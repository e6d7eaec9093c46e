#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#include <algorithm>
#include <tuple>

namespace assay::formats {
namespace {

void check_shape(Index rows, Index columns, const std::string& where) {
    if (rows < 0 || columns < 0 || rows > kMostBins || columns > kMostBins)
        throw Error(concat(where, ": states the implausible shape ", rows, " x ", columns,
                           "; 0 to 10^9 rows and columns are expected"));
}

void check_pointers(const std::vector<std::int64_t>& indptr, Index outer, std::size_t stored,
                    const std::string& where) {
    if (static_cast<Index>(indptr.size()) != outer + 1)
        throw Error(concat(where, ": its indptr has ", indptr.size(), " entries; ", outer + 1,
                           " are expected"));
    if (indptr.front() != 0 || indptr.back() != static_cast<std::int64_t>(stored))
        throw Error(concat(where, ": its indptr runs from ", indptr.front(), " to ", indptr.back(),
                           "; 0 to the number of values, ", stored, ", is expected"));
    for (std::size_t o = 1; o < indptr.size(); ++o)
        if (indptr[o] < indptr[o - 1])
            throw Error(concat(where, ": its indptr descends at entry ", o));
}

} // namespace

bool is_by_row(const std::string& format, const std::string& where) {
    if (format != "csr" && format != "csc")
        throw Error(where + ": has the sparse format \"" + printable(format, 20) +
                    "\"; csr or csc is expected");
    return format == "csr";
}

SparseMatrix summed_entries(std::vector<SparseEntry> entries, Index rows, Index columns) {
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::make_tuple(a.col(), a.row()) < std::make_tuple(b.col(), b.row());
    });
    SparseMatrix matrix(rows, columns);
    matrix.reserve(static_cast<Index>(entries.size()));
    auto entry = entries.cbegin();
    for (Index column = 0; column < columns; ++column) {
        matrix.startVec(column);
        while (entry != entries.cend() && entry->col() == column) {
            const auto row = entry->row();
            double& sum = matrix.insertBackByOuterInner(column, row);
            for (; entry != entries.cend() && entry->col() == column && entry->row() == row;
                 ++entry)
                sum += entry->value();
        }
    }
    matrix.finalize();
    return matrix;
}

SparseMatrix compressed_matrix(const std::vector<double>& data,
                               const std::vector<std::int64_t>& indices,
                               const std::vector<std::int64_t>& indptr, Index rows, Index columns,
                               bool by_row, const std::string& where) {
    check_shape(rows, columns, where);
    if (data.size() != indices.size())
        throw Error(concat(where, ": has ", data.size(), " values and ", indices.size(),
                           " indices; as many of both are expected"));
    const Index outer = by_row ? rows : columns, inner = by_row ? columns : rows;
    check_pointers(indptr, outer, data.size(), where);
    std::vector<SparseEntry> entries;
    entries.reserve(data.size());
    Index o = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
        while (indptr[static_cast<std::size_t>(o) + 1] <= static_cast<std::int64_t>(i)) ++o;
        if (indices[i] < 0 || indices[i] >= inner)
            throw Error(concat(where, ": index ", indices[i], " at entry ", i, " lies outside 0..",
                               inner - 1));
        if (by_row)
            entries.emplace_back(o, indices[i], data[i]);
        else
            entries.emplace_back(indices[i], o, data[i]);
    }
    return summed_entries(std::move(entries), rows, columns);
}

} // namespace assay::formats
