// Semantic development (Saxe, McClelland, Ganguli 2019, arXiv 1810.10531): what a network knows,
// confuses and represents while it learns. Items are inputs (one-hot), features are outputs. In a
// network of two layers that starts small and aligned, item i has the hidden representation
//   h_i(t) = R sqrt(A(t)) V^T e_i,  so that  h_i(t) . h_j(t') = sum_a sqrt(a_a(t) a_a(t')) v_ai
//   v_aj
// with a rotation R that stays; a network of D layers has a^{1/D} in place of sqrt(a).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/modes.hpp>

#include <vector>

namespace assay::lindyn {

// The course of learning at T moments, and at its end (moment T): where it leads, if that is known,
// else the last moment.
class ASSAY_API Development {
  public:
    explicit Development(Vector time) : time_(std::move(time)) {}
    virtual ~Development() = default;
    Development(const Development&) = delete;
    Development& operator=(const Development&) = delete;

    [[nodiscard]] const Vector& time() const { return time_; } // T
    [[nodiscard]] Index end() const { return time_.size(); }
    [[nodiscard]] virtual Index items() const = 0;    // n
    [[nodiscard]] virtual Index features() const = 0; // N3
    // Representations of the items in the first hidden layer (n x r), and of the features, their
    // weights from the last one (N3 x r); in one basis at all moments.
    [[nodiscard]] virtual Matrix item_points(Index moment) const = 0;
    [[nodiscard]] virtual Matrix feature_points(Index moment) const = 0;
    // What the network says of each item: N3 x n.
    [[nodiscard]] virtual Matrix outputs(Index moment) const = 0;

  private:
    Vector time_;
};

// Theory: strengths of aligned modes over time (T x K) and at the end (K), with their vectors u
// (N3 x K) and v (n x K). Depth 1 has no hidden layer; its points are those of the outputs.
class ASSAY_API AlignedDevelopment : public Development {
  public:
    AlignedDevelopment(Vector time, Matrix strengths, Vector end, Matrix u, Matrix v, int depth);
    [[nodiscard]] Index items() const override { return v_.rows(); }
    [[nodiscard]] Index features() const override { return u_.rows(); }
    [[nodiscard]] Matrix item_points(Index moment) const override;
    [[nodiscard]] Matrix feature_points(Index moment) const override;
    [[nodiscard]] Matrix outputs(Index moment) const override;

  private:
    [[nodiscard]] Vector strength(Index moment) const;
    Matrix strengths_, u_, v_;
    Vector end_;
    double exponent_;
};

// A network's weights as they were recorded.
class ASSAY_API RecordedDevelopment : public Development {
  public:
    // Throws Error on no moments and on layers that do not chain.
    RecordedDevelopment(Vector time, std::vector<Layers> layers);
    [[nodiscard]] Index items() const override { return layers_.front().front().cols(); }
    [[nodiscard]] Index features() const override { return layers_.front().back().rows(); }
    [[nodiscard]] Matrix item_points(Index moment) const override;
    [[nodiscard]] Matrix feature_points(Index moment) const override;
    [[nodiscard]] Matrix outputs(Index moment) const override;

  private:
    [[nodiscard]] const Layers& at(Index moment) const;
    std::vector<Layers> layers_;
};

// Maps (N3 x n) and Gram matrices of items and features (n x n, N3 x N3), T each. Points are rows
// of the symmetric root, which is the basis in which aligned modes keep their places.
class ASSAY_API GramDevelopment : public Development {
  public:
    GramDevelopment(Vector time, std::vector<Matrix> maps, std::vector<Matrix> item_grams,
                    std::vector<Matrix> feature_grams);
    [[nodiscard]] Index items() const override { return maps_.front().cols(); }
    [[nodiscard]] Index features() const override { return maps_.front().rows(); }
    [[nodiscard]] Matrix item_points(Index moment) const override;
    [[nodiscard]] Matrix feature_points(Index moment) const override;
    [[nodiscard]] Matrix outputs(Index moment) const override;

  private:
    [[nodiscard]] std::size_t at(Index moment) const;
    std::vector<Matrix> maps_, item_grams_, feature_grams_;
};

// u_a^T W(t) v_a at the T moments (T x K), of modes u, v.
[[nodiscard]] ASSAY_API Matrix strengths_over_time(const Development& development, const Matrix& u,
                                                   const Matrix& v);

// Euclidean distances between rows (n x r to n x n).
[[nodiscard]] ASSAY_API Matrix distances(const Matrix& points);

// Inductive projection: what is newly learned of row i, by weights that were 0 and the
// representations as they are, spreads to row j as h_i . h_j / |h_i|^2 (row i of the result; NaN
// where h_i = 0). Of item points: a property of one item; of feature points: the other features of
// a new item that is known to have one.
[[nodiscard]] ASSAY_API Matrix projection(const Matrix& points);

// ---- multidimensional scaling -----------------------------------------------------------------

// Classical scaling, which for Euclidean points is their principal components. Each moment's mean
// is taken away: where all items move together, nothing is told apart.
struct Embedding {
    std::vector<RowMatrix> coordinates; // T of n x k
    Vector variance_kept;               // share of the variance in these: of all moments (1), or T
};
// Places of all moments in the same k directions: trajectories. O(T n r^2).
[[nodiscard]] ASSAY_API Embedding embed_jointly(const Development& development, Index dims);
// Each moment by itself, turned towards the one before (orthogonal Procrustes).
[[nodiscard]] ASSAY_API Embedding embed_each(const Development& development, Index dims);

// ---- illusory correlations --------------------------------------------------------------------

// Where outputs leave the interval between their start and their end.
struct Illusions {
    Matrix excursion; // N3 x n: by how much at most; 0: not at all (1e-9 of the largest output)
    Matrix peak, peak_time;      // the output at that time; NaN: none
    Index feature = 0, item = 0; // of the largest excursion
    Vector curve;                // T: that output
};
[[nodiscard]] ASSAY_API Illusions illusory_correlations(const Development& development);
// What each group of modes adds to output (feature, item) at the T moments: T x groups. `strengths`
// T x K.
[[nodiscard]] ASSAY_API Matrix contributions(const Matrix& strengths, const Matrix& u,
                                             const Matrix& v,
                                             const std::vector<std::int32_t>& group, Index feature,
                                             Index item);
// The same at the peak of every output: groups of N3 x n (NaN without excursion).
[[nodiscard]] ASSAY_API std::vector<Matrix>
peak_contributions(const Illusions& illusions, const Vector& time, const Matrix& strengths,
                   const Matrix& u, const Matrix& v, const std::vector<std::int32_t>& group);

// ---- typicality -------------------------------------------------------------------------------

struct Typicality {
    Matrix value;       // K x n: v_ai = (u_a . Syx e_i) / s_a
    Matrix group_value; // groups x n: length of the item's projection on the group's plane
    std::vector<std::int64_t> order;            // K x n, items from most to least typical
    std::vector<std::int64_t> category_feature; // K: the one with the largest u
    Matrix answer_time; // K x n: when the output on that feature passes the threshold; NaN: never
    // The same of each group, whatever the basis in it: the feature that reaches furthest into its
    // plane (the first of equal ones; of a mode alone, the largest u), items by how far they reach
    // in the direction of that feature, and their answers on it.
    std::vector<std::int64_t> group_order, group_feature;
    Matrix group_answer_time; // groups x n
};
[[nodiscard]] ASSAY_API Typicality typicality(const Development& development, const Matrix& u,
                                              const Matrix& v,
                                              const std::vector<std::int32_t>& group,
                                              double threshold);

} // namespace assay::lindyn
