#include <assay/fixedpoints/dataset_io.hpp>

#include <assay/core/error.hpp>

namespace assay::fixedpoints {

void write_rows(hdf5::Group group, const std::string& name, const RowMatrix& rows,
                const hdf5::ArrayInfo& info) {
    group.write(name, rows.data(), hdf5::Shape{rows.rows(), rows.cols()}, info);
}

void write_complex(hdf5::Group group, const std::string& name, const Eigen::MatrixXcd& values,
                   const hdf5::ArrayInfo& info) {
    using ComplexRows =
        Eigen::Matrix<std::complex<double>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const ComplexRows rows = values;
    group.write(name, rows.data(), hdf5::Shape{rows.rows(), rows.cols()}, info);
}

RowMatrix read_rows(const hdf5::Group& group, const std::string& name, Index rows) {
    const auto dataset = group.dataset(name);
    RowMatrix matrix = dataset.read_matrix();
    if (rows >= 0 && matrix.rows() != rows)
        throw Error(concat(dataset.where(), ": ", matrix.rows(), " rows, expected ", rows));
    if (!matrix.allFinite()) throw Error(dataset.where() + ": non-finite value");
    return matrix;
}

Vector vector_of(const std::vector<double>& values) {
    return Eigen::Map<const Vector>(values.data(), static_cast<Index>(values.size()));
}

} // namespace assay::fixedpoints
