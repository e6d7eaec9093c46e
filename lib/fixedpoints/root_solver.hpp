// Root finding for a batch of starts at once: residuals come from matrix products of the whole
// batch, each start has its own step rule. An internal of the searches.
#pragma once

#include <assay/fixedpoints/rest_map.hpp>

#include <vector>

namespace assay::fixedpoints {

// Certified roots that are known already, in the map's arguments. Newton's method started within a
// third of a root's uniqueness radius converges to it (there beta Lip t <= 2/3, so the error
// shrinks: Kantorovich), so a start that gets there has hit it. Farther out, a step with the
// inverse Jacobian of the nearest root, a chord, is taken where it leads closer to it (see
// SearchOptions::chord_share): a product instead of a factorisation.
class KnownRoots {
  public:
    struct Near {
        Index root = -1; // -1: none is known
        double distance = 0;
    };
    [[nodiscard]] Near nearest(const Eigen::Ref<const Eigen::RowVectorXd>& point) const;
    // Whether memory is left for the inverse of the root to come after `ahead` others.
    [[nodiscard]] bool keeps_inverse(Index ahead, Index dimension) const;
    // `capture`: the radius of certain capture; `inverse`: of the Jacobian of the residual there,
    // or empty; `id`: what callers call the root.
    void add(Index id, const RowMatrix& argument, double capture, Matrix inverse);

    [[nodiscard]] Index id(Index root) const { return entry(root).id; }
    [[nodiscard]] const Eigen::RowVectorXd& argument(Index root) const {
        return entry(root).argument;
    }
    [[nodiscard]] double capture(Index root) const { return entry(root).capture; }
    [[nodiscard]] const Matrix& inverse(Index root) const { return entry(root).inverse; }

  private:
    struct Entry {
        Index id;
        Eigen::RowVectorXd argument;
        double capture;
        Matrix inverse;
    };
    [[nodiscard]] const Entry& entry(Index root) const {
        return roots_[static_cast<std::size_t>(root)];
    }
    std::vector<Entry> roots_;
};

struct Root {
    Eigen::RowVectorXd argument;
    StartStatus status = StartStatus::max_iterations;
    std::int32_t iterations = 0;
    double q = 0;           // |g|^2 / 2
    Index captured_by = -1; // the id of a known root
};

// How many starts a batch should hold, by shape only: their normal equations stay in cache.
[[nodiscard]] Index batch_size(Index dimension);

// Runs every row of `starts` to its end.
[[nodiscard]] std::vector<Root> solve_batch(const RestMap& map, const RowMatrix& starts,
                                            const KnownRoots& known, const SearchOptions& options);

// Up to `steps` undamped Newton steps, each kept only if the residual falls (1 x size).
[[nodiscard]] RowMatrix polish(const RestMap& map, RowMatrix point, int steps);

} // namespace assay::fixedpoints
