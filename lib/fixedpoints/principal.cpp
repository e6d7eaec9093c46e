#include <assay/fixedpoints/principal.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <Eigen/Eigenvalues>

namespace assay::fixedpoints {
namespace {

constexpr Index kRowBlock = 8192;

// Sums part(block of rows) over fixed blocks.
template <class Sum, class Part>
Sum sum_over(const RowMatrix& rows, const Execution& run, Part&& part) {
    const Blocks blocks{rows.rows(), kRowBlock};
    std::vector<Sum> terms(static_cast<std::size_t>(blocks.count()));
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        terms[static_cast<std::size_t>(block)] =
            part(rows.middleRows(blocks.begin(block), blocks.extent(block)));
    });
    return tree_sum(std::move(terms));
}

} // namespace

PrincipalComponents principal_components(const RowMatrix& rows, const Execution& run) {
    if (rows.rows() == 0 || rows.cols() == 0)
        throw Error(
            concat("no principal components of ", rows.rows(), " x ", rows.cols(), " numbers"));
    using Part = Eigen::Ref<const RowMatrix>;
    const auto count = static_cast<double>(rows.rows());
    PrincipalComponents found;
    found.mean =
        sum_over<Vector>(
            rows, run, [](const Part& part) { return Vector(part.colwise().sum().transpose()); }) /
        count;
    const Matrix covariance = sum_over<Matrix>(rows, run,
                                               [&](const Part& part) {
                                                   const RowMatrix centred =
                                                       part.rowwise() - found.mean.transpose();
                                                   return Matrix(centred.transpose() * centred);
                                               }) /
                              count;
    if (!covariance.allFinite())
        throw Error("principal components of numbers that are not finite or too large to square");
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance);
    if (solver.info() != Eigen::Success) throw Error("principal components did not converge");
    found.variances = solver.eigenvalues().reverse().cwiseMax(0.0);
    found.axes = solver.eigenvectors().rowwise().reverse();
    for (Index a = 0; a < found.axes.cols(); ++a) {
        Index largest = 0;
        found.axes.col(a).cwiseAbs().maxCoeff(&largest);
        if (found.axes(largest, a) < 0) found.axes.col(a) *= -1;
    }
    return found;
}

} // namespace assay::fixedpoints
