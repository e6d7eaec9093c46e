#include <assay/fixedpoints/continuation.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <optional>

namespace assay::fixedpoints {
namespace {

constexpr int kCorrectorSteps = 10;
constexpr int kFewSteps = 3; // Newton steps after which the next stride may be longer
constexpr double kGrowth = 1.3, kLongestStride = 5, kShortestStride = 1e-6; // relative to ds
constexpr double kLeastCosine = 0.9;   // between successive tangents
constexpr double kCornerStride = 1e-4; // relative to ds
constexpr double kWidth = 1e-9;        // of the arclength that brackets a bifurcation
constexpr int kBisections = 60;
constexpr double kSingular = 1e-14; // reciprocal condition of a bordered matrix
constexpr double kJump = 1e-3;      // of eigenvalues across a bracket: a kink
constexpr double kSameState = 1e-6;

// A point of the curve, u = (v, s).
struct CurvePoint {
    Vector u, tangent; // reduced size + 1
    int index = 0;     // sign det(I - dR/dv), that of det(I - J)
    int iterations = 0;
};

// G(v, s) = v - R(v, x(s)).
class Curve {
  public:
    Curve(const Dynamics& dynamics, const RowMatrix& from, const RowMatrix& to, double tolerance)
        : dynamics_(dynamics), from_(from), along_(to - from), tolerance_(tolerance) {}

    [[nodiscard]] Index size() const { return dynamics_.reduced_size(); }
    [[nodiscard]] RowMatrix input(double s) const { return from_ + s * along_; }
    [[nodiscard]] Vector residual(const Vector& u) const {
        const RowMatrix v = u.head(size()).transpose();
        return (v - dynamics_.reduced(input(u(size())), v)).transpose();
    }
    // [dG/dv dG/ds], reduced size x (reduced size + 1).
    [[nodiscard]] Matrix slope(const Vector& u) const {
        const RowMatrix x = input(u(size())), v = u.head(size()).transpose();
        Matrix slope(size(), size() + 1);
        slope.leftCols(size()) =
            Matrix::Identity(size(), size()) - dynamics_.reduced_jacobian(x, v);
        // Only the first layer sees the input; those above see states, which stand still here.
        const Cell& first = dynamics_.cells().front();
        slope.col(size()).setZero();
        slope.col(size()).head(first.units()) =
            -first.reduced_input_jacobian(x, v.leftCols(first.units())) * along_.transpose();
        return slope;
    }
    [[nodiscard]] bool solved(const Vector& u, const Vector& g) const {
        return g.cwiseAbs().maxCoeff() <= tolerance_ * (1 + u.head(size()).cwiseAbs().maxCoeff());
    }

    // Newton's method for G = 0 on the plane normal . (u - base) = 0. Empty where it does not
    // converge or the bordered matrix is singular.
    [[nodiscard]] std::optional<CurvePoint> correct(Vector u, const Vector& normal) const {
        const Vector base = u;
        for (int iteration = 0; iteration <= kCorrectorSteps; ++iteration) {
            const Vector g = residual(u);
            if (!g.allFinite() || u.norm() > kDivergedNorm) return std::nullopt;
            const auto lu = bordered(u, normal).partialPivLu();
            if (!(lu.rcond() > kSingular)) return std::nullopt;
            if (solved(u, g)) return finish(std::move(u), lu, iteration);
            Vector right(size() + 1);
            right << g, normal.dot(u - base);
            u -= lu.solve(right);
        }
        return std::nullopt;
    }

    // The unit tangent of a point, along growing s. Empty where dG has not full rank.
    [[nodiscard]] std::optional<Vector> first_tangent(const Vector& u) const {
        const Matrix transposed = slope(u).transpose();
        Eigen::ColPivHouseholderQR<Matrix> qr(transposed);
        qr.setThreshold(kSingular);
        if (qr.rank() < size()) return std::nullopt;
        const Vector last = qr.householderQ() * Vector::Unit(size() + 1, size());
        return last(size()) < 0 ? Vector(-last) : last;
    }

  private:
    [[nodiscard]] Matrix bordered(const Vector& u, const Vector& normal) const {
        Matrix m(size() + 1, size() + 1);
        m << slope(u), normal.transpose();
        return m;
    }

    // Tangent t from M t = e_last; by Cramer's rule sign det(dG/dv) = sign(t_s) sign det(M).
    template <class Lu>
    [[nodiscard]] CurvePoint finish(Vector u, const Lu& lu, int iterations) const {
        CurvePoint point;
        point.tangent = lu.solve(Vector::Unit(size() + 1, size())).normalized();
        const auto sign = [](double value) { return (value > 0) - (value < 0); };
        int determinant = static_cast<int>(lu.permutationP().determinant());
        for (Index i = 0; i <= size(); ++i) determinant *= sign(lu.matrixLU()(i, i));
        point.index = sign(point.tangent(size())) * determinant;
        point.u = std::move(u);
        point.iterations = iterations;
        return point;
    }

    const Dynamics& dynamics_;
    const RowMatrix& from_;
    RowMatrix along_;
    double tolerance_;
};

// What the spectrum of J says about bifurcations, all from the same numbers.
struct Signature {
    bool odd_above = false, odd_below = false; // parity of real eigenvalues > 1, < -1
    Index unstable = 0;
    [[nodiscard]] bool operator==(const Signature& other) const {
        return odd_above == other.odd_above && odd_below == other.odd_below &&
               unstable == other.unstable;
    }
    [[nodiscard]] bool operator!=(const Signature& other) const { return !(*this == other); }
};

Signature signature(const ComplexVector& eigenvalues) {
    Signature result;
    for (const auto& value : eigenvalues) {
        if (std::abs(value) > 1) ++result.unstable;
        if (value.imag() != 0) continue;
        if (value.real() > 1) result.odd_above = !result.odd_above;
        if (value.real() < -1) result.odd_below = !result.odd_below;
    }
    return result;
}

// A point with its spectrum, `at` along the stride from the last one.
struct Probe {
    CurvePoint point;
    ComplexVector eigenvalues;
    double at = 0;
    [[nodiscard]] Signature sign() const { return signature(eigenvalues); }
};

class Tracker {
  public:
    Tracker(const Dynamics& dynamics, const RowMatrix& from, const RowMatrix& to,
            const TrackOptions& options, const Monitor& monitor)
        : dynamics_(dynamics), curve_(dynamics, from, to, options.tolerance), options_(options),
          monitor_(monitor) {}

    Branch track(const RowMatrix& start) {
        Branch branch;
        const Index n = curve_.size();
        Vector u(n + 1);
        u << dynamics_.reduced_part(start).transpose(), 0;
        branch.end = follow(u);
        write(branch);
        return branch;
    }

  private:
    [[nodiscard]] double s_of(const CurvePoint& point) const { return point.u(curve_.size()); }
    [[nodiscard]] RowMatrix state_of(const CurvePoint& point) const {
        return dynamics_.full_state(curve_.input(s_of(point)),
                                    point.u.head(curve_.size()).transpose());
    }
    [[nodiscard]] Probe probe(CurvePoint point, double at) const {
        const Matrix jacobian =
            dynamics_.jacobian_state(curve_.input(s_of(point)), state_of(point));
        return {std::move(point), eigen_system(jacobian, 0).values, at};
    }
    [[nodiscard]] Vector unit_s() const { return Vector::Unit(curve_.size() + 1, curve_.size()); }

    // At s = `s`, from a guess.
    [[nodiscard]] std::optional<CurvePoint> at_s(Vector u, double s) const {
        u(curve_.size()) = s;
        return curve_.correct(std::move(u), unit_s());
    }

    [[nodiscard]] std::optional<CurvePoint> ahead(const Probe& from, double stride) const {
        return curve_.correct(from.point.u + stride * from.point.tangent, from.point.tangent);
    }

    [[nodiscard]] std::optional<Vector> polished(Vector u) const {
        if (const auto point = at_s(u, 0)) return point->u;
        // At a fold of the start itself dG/dv is singular, but the start may solve as it stands.
        if (curve_.solved(u, curve_.residual(u))) return u;
        return std::nullopt;
    }

    BranchEnd follow(Vector u) {
        const auto start = polished(std::move(u));
        if (!start) return BranchEnd::no_start;
        const auto tangent = curve_.first_tangent(*start);
        if (!tangent) return BranchEnd::degenerate;
        auto first = curve_.correct(*start, *tangent);
        if (!first) return BranchEnd::degenerate;
        points_.push_back(probe(std::move(*first), 0));
        double stride = options_.ds;
        while (static_cast<Index>(points_.size()) < options_.max_points) {
            monitor_.stop_if_interrupted();
            const Probe& last = points_.back();
            const auto next = ahead(last, stride);
            // A turn that no shorter stride makes smaller is a corner, where a unit of relu
            // switches.
            const bool good = next && (next->tangent.dot(last.point.tangent) >= kLeastCosine ||
                                       stride < kCornerStride * options_.ds);
            if (!good) {
                stride /= 2;
                if (last.point.u.norm() > 0.5 * kDivergedNorm) return BranchEnd::diverged;
                if (stride < kShortestStride * options_.ds) return BranchEnd::step_too_small;
                continue;
            }
            if (const auto end = arrived(*next, stride)) return *end;
            add(probe(*next, stride));
            if (next->iterations <= kFewSteps)
                stride = std::min(kGrowth * stride, kLongestStride * options_.ds);
        }
        return BranchEnd::max_points;
    }

    // The end of the path, met exactly, where a step has gone beyond it.
    std::optional<BranchEnd> arrived(const CurvePoint& next, double stride) {
        const double s = s_of(next);
        if (s > 0 && s < 1) return std::nullopt;
        const double border = s >= 1 ? 1 : 0;
        const CurvePoint& last = points_.back().point;
        // Between the two points by s; Newton's method at fixed s does the rest.
        const double before = s_of(last);
        const double share = s == before ? 1 : (border - before) / (s - before);
        auto end = at_s(last.u + share * (next.u - last.u), border);
        if (end) {
            // The tangent of a plane at fixed s points to growing s.
            if (end->tangent.dot(last.tangent) < 0) end->tangent = -end->tangent;
            if ((end->u - last.u).norm() > 2 * stride) end.reset();
        }
        if (end)
            add(probe(*end, (end->u - last.u).dot(last.tangent)));
        else
            add(probe(next, stride));
        return border > 0.5 ? BranchEnd::to_end : BranchEnd::to_start;
    }

    void add(Probe next) {
        find_bifurcations(points_.back(), next);
        points_.push_back(std::move(next));
    }

    // Between two points: the first change of the signature is located, then the rest searched.
    void find_bifurcations(const Probe& last, const Probe& next) {
        Probe left = last;
        left.at = 0;
        for (Index found = 0; left.sign() != next.sign() && found <= curve_.size(); ++found) {
            Probe right = next;
            for (int i = 0; i < kBisections && right.at - left.at > kWidth; ++i) {
                monitor_.stop_if_interrupted();
                const double at = (left.at + right.at) / 2;
                auto middle = ahead(last, at);
                if (!middle) break;
                Probe here = probe(std::move(*middle), at);
                (here.sign() == left.sign() ? left : right) = std::move(here);
            }
            bifurcations_.push_back(describe(left, right));
            left = std::move(right);
        }
    }

    [[nodiscard]] Bifurcation describe(const Probe& left, const Probe& right) const {
        const Signature a = left.sign(), b = right.sign();
        Bifurcation result;
        result.after = static_cast<Index>(points_.size()) - 1;
        result.width = right.at - left.at;
        result.s = (s_of(left.point) + s_of(right.point)) / 2;
        result.state = (state_of(left.point) + state_of(right.point)).transpose() / 2;
        Index nearest = 0;
        const bool below = a.odd_below != b.odd_below, above = a.odd_above != b.odd_above;
        Vector gap = (right.eigenvalues.array().abs() - 1).abs();
        if (above) gap = (right.eigenvalues.array() - 1.0).abs();
        if (below && !above) gap = (right.eigenvalues.array() + 1.0).abs();
        const double distance = gap.minCoeff(&nearest);
        result.eigenvalue = right.eigenvalues(nearest);
        const Index s = curve_.size();
        const bool turns = left.point.tangent(s) * right.point.tangent(s) < 0;
        result.kind = above   ? turns ? BifurcationKind::fold : BifurcationKind::branch_point
                      : below ? BifurcationKind::period_doubling
                              : BifurcationKind::neimark_sacker;
        if (distance > kJump) result.kind = BifurcationKind::kink;
        return result;
    }

    void write(Branch& branch) const {
        const auto count = static_cast<Index>(points_.size());
        const Index size = dynamics_.state_size();
        branch.s.resize(count);
        branch.residual_inf.resize(count);
        branch.state.resize(count, size);
        branch.eigenvalues.resize(count, size);
        for (Index i = 0; i < count; ++i) {
            const Probe& at = points_[static_cast<std::size_t>(i)];
            const RowMatrix state = state_of(at.point);
            branch.s(i) = s_of(at.point);
            branch.state.row(i) = state;
            branch.residual_inf(i) =
                (dynamics_.step(curve_.input(branch.s(i)), state) - state).cwiseAbs().maxCoeff();
            branch.eigenvalues.row(i) = at.eigenvalues.transpose();
            branch.n_unstable.push_back(static_cast<std::int32_t>(count_unstable(at.eigenvalues)));
            branch.poincare_index.push_back(at.point.index);
            branch.stability.push_back(classify(at.eigenvalues, options_.marginal));
        }
        branch.bifurcations = bifurcations_;
    }

    const Dynamics& dynamics_;
    Curve curve_;
    const TrackOptions& options_;
    const Monitor& monitor_;
    std::vector<Probe> points_;
    std::vector<Bifurcation> bifurcations_;
};

void check_path(const Dynamics& dynamics, const RowMatrix& starts, const RowMatrix& from,
                const RowMatrix& to, const TrackOptions& options) {
    if (starts.cols() != dynamics.state_size())
        throw Error(concat("starts have ", starts.cols(), " columns, the state needs ",
                           dynamics.state_size()));
    for (const RowMatrix* x : {&from, &to})
        if (x->rows() != 1 || x->cols() != dynamics.inputs())
            throw Error(concat("an end of the path of inputs is ", x->rows(), " x ", x->cols(),
                               ", 1 x ", dynamics.inputs(), " is expected"));
    if (from == to) throw Error("the path of inputs has no length: both ends are equal");
    if (!(options.ds > 0) || !std::isfinite(options.ds))
        throw Error(concat("ds ", options.ds, ": must be > 0"));
    if (options.max_points < 1)
        throw Error(concat("max-points ", options.max_points, ": must be >= 1"));
}

} // namespace

std::vector<Branch> track_points(const Dynamics& dynamics, const RowMatrix& starts,
                                 const RowMatrix& from, const RowMatrix& to,
                                 const TrackOptions& options, const Execution& run) {
    check_path(dynamics, starts, from, to, options);
    std::vector<Branch> branches(static_cast<std::size_t>(starts.rows()));
    parallel_blocks(starts.rows(), run.threads, [&](Index i) {
        branches[static_cast<std::size_t>(i)] =
            Tracker(dynamics, from, to, options, *run.monitor).track(starts.row(i));
    });
    for (Branch& branch : branches) {
        if (branch.end != BranchEnd::to_start) continue;
        for (Index i = 0; i < starts.rows() && branch.meets < 0; ++i)
            if ((branch.state.bottomRows(1) - starts.row(i)).norm() <=
                kSameState * (1 + starts.row(i).norm()))
                branch.meets = i;
    }
    return branches;
}

} // namespace assay::fixedpoints
