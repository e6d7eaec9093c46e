#include <assay/core/recording.hpp>

namespace assay {

SparseMatrix Recording::read_sparse(Index first_bin, Index count) const {
    return read(first_bin, count).sparseView(0.0, 0.0).cast<double>();
}

Matrix DenseRecording::read(Index first_bin, Index count) const {
    return data_.middleCols(first_bin, count);
}

Matrix SparseRecording::read(Index first_bin, Index count) const {
    return Matrix(data_.middleCols(first_bin, count));
}

SparseMatrix SparseRecording::read_sparse(Index first_bin, Index count) const {
    return data_.middleCols(first_bin, count);
}

} // namespace assay
