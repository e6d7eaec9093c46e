#include <assay/fixedpoints/points.hpp>

namespace assay::fixedpoints {
namespace {

template <class T>
std::vector<T> chosen_of(const std::vector<T>& all, const std::vector<Index>& rows) {
    std::vector<T> some;
    if (all.empty()) return some;
    some.reserve(rows.size());
    for (const Index row : rows) some.push_back(all[static_cast<std::size_t>(row)]);
    return some;
}

template <class M>
M chosen_rows(const M& all, const std::vector<Index>& rows) {
    if (all.rows() == 0) return all;
    M some(static_cast<Index>(rows.size()), all.cols());
    for (std::size_t i = 0; i < rows.size(); ++i)
        some.row(static_cast<Index>(i)) = all.row(rows[i]);
    return some;
}

} // namespace

Points Points::chosen(const std::vector<Index>& rows) const {
    Points p;
    p.state = chosen_rows(state, rows);
    p.input = chosen_rows(input, rows);
    p.input_id = chosen_of(input_id, rows);
    p.kind = chosen_of(kind, rows);
    p.q = chosen_rows(q, rows);
    p.residual_inf = chosen_rows(residual_inf, rows);
    p.reduced_residual_inf = chosen_rows(reduced_residual_inf, rows);
    p.hits = chosen_of(hits, rows);
    p.found_in_round = chosen_of(found_in_round, rows);
    p.poincare_index = chosen_of(poincare_index, rows);
    p.n_unstable = chosen_of(n_unstable, rows);
    p.certificates = chosen_of(certificates, rows);
    p.drift = chosen_rows(drift, rows);
    p.slow_dimension = chosen_of(slow_dimension, rows);
    return p;
}

std::vector<Index> Points::nodes() const {
    std::vector<Index> exact, slow;
    for (std::size_t p = 0; p < kind.size(); ++p)
        (kind[p] == PointKind::slow ? slow : exact).push_back(static_cast<Index>(p));
    return exact.empty() ? slow : exact;
}

} // namespace assay::fixedpoints
