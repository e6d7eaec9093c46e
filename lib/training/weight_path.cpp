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

WeightPaths weight_paths(const std::vector<std::vector<network::Model>>& runs) {
    std::vector<const network::Model*> checkpoints;
    for (const auto& run : runs)
        for (const auto& model : run) checkpoints.push_back(&model);
    const auto count = static_cast<Index>(checkpoints.size());
    if (count < 2) throw Error("a trajectory needs at least two checkpoints");
    RowMatrix rows(count, parameter_count(*checkpoints[0]));
    for (Index i = 0; i < count; ++i) {
        const network::Model& model = *checkpoints[static_cast<std::size_t>(i)];
        if (!same_arrays(model, *checkpoints[0]))
            throw Error("trajectories of networks of different shape have no common plane");
        rows.row(i) = flat(model);
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
        paths.runs.push_back(scores.middleRows(at, length));
        at += length;
    }
    return paths;
}

} // namespace assay::training
