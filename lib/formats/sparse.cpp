#include <assay/core/error.hpp>
#include <assay/formats/arrays.hpp>

namespace assay::formats {

SparseMatrix compressed_matrix(const std::vector<double>& data,
                               const std::vector<std::int64_t>& indices,
                               const std::vector<std::int64_t>& indptr, Index rows, Index columns,
                               bool by_row, const std::string& where) {
    const Index outer = by_row ? rows : columns, inner = by_row ? columns : rows;
    if (rows < 0 || columns < 0 || static_cast<Index>(indptr.size()) != outer + 1)
        throw Error(concat(where, ": its indptr has ", indptr.size(), " entries; ", outer + 1,
                           " are expected"));
    if (data.size() != indices.size())
        throw Error(concat(where, ": has ", data.size(), " values and ", indices.size(),
                           " indices; as many of both are expected"));
    if (indptr.front() != 0 || indptr.back() != static_cast<std::int64_t>(data.size()))
        throw Error(where + ": its indptr does not run from 0 to the number of values");
    std::vector<Eigen::Triplet<double, std::int64_t>> entries;
    entries.reserve(data.size());
    for (Index o = 0; o < outer; ++o) {
        const auto begin = indptr[static_cast<std::size_t>(o)],
                   end = indptr[static_cast<std::size_t>(o) + 1];
        if (end < begin) throw Error(concat(where, ": its indptr descends at entry ", o + 1));
        if (end > static_cast<std::int64_t>(data.size()))
            throw Error(concat(where, ": its indptr is too large at entry ", o + 1));
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
            if (indices[i] < 0 || indices[i] >= inner)
                throw Error(concat(where, ": index ", indices[i], " at entry ", i,
                                   " lies outside 0..", inner - 1));
            if (by_row)
                entries.emplace_back(o, indices[i], data[i]);
            else
                entries.emplace_back(indices[i], o, data[i]);
        }
    }
    SparseMatrix matrix(rows, columns);
    matrix.setFromTriplets(entries.begin(), entries.end());
    return matrix;
}

} // namespace assay::formats
