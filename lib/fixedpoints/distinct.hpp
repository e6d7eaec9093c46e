// Which ends of a search become points: one of those that lie together, none far outside the cloud
// of starts or far from all others, and so many at most.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <limits>
#include <vector>

namespace assay::fixedpoints {

struct DistinctOptions {
    double tolerance = 1e-3;   // distance within which two ends are one point
    double outlier_scale = 10; // times the mean distance of starts from their mean
    double neighbour_outlier = std::numeric_limits<double>::infinity(); // from the next point
    bool keep_outliers = false;                                         // by outlier_scale
    Index max_points = std::numeric_limits<Index>::max();
};

// Where starts (B x state size) lie: points far outside are suspect.
class ASSAY_API StartCloud {
  public:
    explicit StartCloud(const RowMatrix& starts);
    // Whether a state is within outlier_scale of the cloud, or outliers are kept. Starts that are
    // all the same say nothing of distances: they hold every state.
    [[nodiscard]] bool holds(const Eigen::RowVectorXd& state, const DistinctOptions& options) const;

  private:
    Eigen::RowVectorXd mean_;
    double radius_ = 0; // mean distance from the mean
};

// Which rows have no other row within `reach`; none where that is infinite.
[[nodiscard]] ASSAY_API std::vector<bool> lonely_rows(const RowMatrix& states, double reach);

} // namespace assay::fixedpoints
