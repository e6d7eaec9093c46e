#include <assay/fixedpoints/distinct.hpp>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {

StartCloud::StartCloud(const RowMatrix& starts) : mean_(starts.colwise().mean()) {
    for (Index b = 0; b < starts.rows(); ++b) radius_ += (starts.row(b) - mean_).norm();
    radius_ /= static_cast<double>(std::max<Index>(1, starts.rows()));
}

bool StartCloud::holds(const Eigen::RowVectorXd& state, const DistinctOptions& options) const {
    if (options.keep_outliers || radius_ == 0) return true;
    return (state - mean_).norm() <= options.outlier_scale * radius_;
}

std::vector<bool> lonely_rows(const RowMatrix& states, double reach) {
    std::vector<bool> lonely(static_cast<std::size_t>(states.rows()), false);
    if (!std::isfinite(reach)) return lonely;
    for (Index p = 0; p < states.rows(); ++p) {
        double nearest = std::numeric_limits<double>::infinity();
        for (Index o = 0; o < states.rows(); ++o)
            if (o != p) nearest = std::min(nearest, (states.row(p) - states.row(o)).norm());
        lonely[static_cast<std::size_t>(p)] = nearest > reach;
    }
    return lonely;
}

} // namespace assay::fixedpoints
