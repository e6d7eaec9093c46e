#include <assay/training/weight_path.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/pca.hpp>

#include <algorithm>

namespace assay::training {
namespace {

Index parameter_count(const network::Model& model) {
    Index count = 0;
    for (const auto& array : model.parameters) count += static_cast<Index>(array.values.size());
    return count;
}

Vector flat(const network::Model& model) {
    Vector values(parameter_count(model));
    Index at = 0;
    for (const auto& array : model.parameters) {
        const auto size = static_cast<Index>(array.values.size());
        values.segment(at, size) = Eigen::Map<const Vector>(array.values.data(), size);
        at += size;
    }
    return values;
}

bool same_arrays(const network::Model& a, const network::Model& b) {
    return std::equal(a.parameters.begin(), a.parameters.end(), b.parameters.begin(),
                      b.parameters.end(), [](const auto& x, const auto& y) {
                          return x.layer == y.layer && x.name == y.name && x.shape == y.shape;
                      });
}

} // namespace

WeightPaths weight_paths(const std::vector<std::vector<network::Model>>& runs,
                         const std::vector<std::string>& names) {
    Index count = 0;
    for (const auto& run : runs) count += static_cast<Index>(run.size());
    if (count < 2)
        throw Error(
            concat(names.front(), ": has ", count, " checkpoint; a trajectory needs at least two"));
    RowMatrix rows(count, parameter_count(runs.front().front()));
    Index row = 0;
    for (std::size_t r = 0; r < runs.size(); ++r)
        for (const network::Model& model : runs[r]) {
            if (!same_arrays(model, runs.front().front()))
                throw Error(names[r] + ": its network is of another shape than that of " +
                            names.front() + "; one shape is expected");
            rows.row(row) = flat(model);
            if (!rows.row(row++).allFinite())
                throw Error(names[r] + ": weights of a checkpoint are not finite");
        }
    const linalg::Pca pca = linalg::principal_components(rows, 2);
    WeightPaths paths;
    paths.variance_ratio = Vector::Zero(2);
    paths.variance_ratio.head(pca.variance_ratio.size()) = pca.variance_ratio;
    RowMatrix scores = RowMatrix::Zero(count, 2);
    scores.leftCols(pca.components.cols()) = pca.project(rows);
    Index at = 0;
    for (const auto& run : runs) {
        const auto length = static_cast<Index>(run.size());
        paths.runs.emplace_back(scores.middleRows(at, length));
        at += length;
    }
    return paths;
}

} // namespace assay::training
