// Reads the arrays that test/reference/make_cnmf_oracle.py computed with explicit unfolding and
// literal algorithms.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/hdf5/object.hpp>

#include <string>
#include <vector>

namespace assay::cnmf::test {

inline const hdf5::File& oracle_file() {
    static const hdf5::File file =
        hdf5::File::open(std::string(ASSAY_TEST_REFERENCE) + "/cnmf_oracle.h5", "cnmf_oracle.h5");
    return file;
}

inline hdf5::Group oracle(const std::string& path) {
    return oracle_file().root().group(path);
}

inline Matrix matrix(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).read_matrix();
}

inline std::vector<Index> segments(const hdf5::Group& group) {
    const auto starts = group.dataset("segment_start").read<std::int64_t>();
    return {starts.begin(), starts.end()};
}

// W (K x N x L) and H (K x T) under the names given.
inline Model model(const hdf5::Group& group, const std::string& w, const std::string& h) {
    const auto tensor = group.dataset(w);
    Model m;
    m.components = tensor.shape()[0];
    m.lags = tensor.shape()[2];
    m.motifs = motif_matrix(tensor.read<double>(), m.components, tensor.shape()[1], m.lags);
    m.activations = matrix(group, h);
    return m;
}

// A matrix whose columns the oracle numbers l K + k, in the library's lag-descending order.
inline Matrix descending(const Matrix& ascending, Index components) {
    const Index lags = ascending.cols() / components;
    Matrix result(ascending.rows(), ascending.cols());
    for (Index l = 0; l < lags; ++l)
        for (Index k = 0; k < components; ++k)
            result.col(motif_column(k, l, components, lags)) = ascending.col(l * components + k);
    return result;
}

inline DenseRecording recording(const hdf5::Group& group, const std::string& name = "X") {
    DenseRecording r(matrix(group, name));
    r.segment_start = segments(group);
    return r;
}

inline double largest_difference(const Matrix& a, const Matrix& b) {
    return (a - b).cwiseAbs().maxCoeff();
}

} // namespace assay::cnmf::test
