#include <assay/network/penalty.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/core/error.hpp>

#include <algorithm>

namespace assay::network {

template <class S>
L2Penalty<S>::L2Penalty(const Network<S>& network, const std::vector<Penalty>& penalties) {
    for (const auto& one : penalties) {
        const auto& entries = network.parameters();
        const auto entry = std::find_if(entries.begin(), entries.end(), [&](const auto& candidate) {
            return candidate.info.trained &&
                   candidate.layer + "/" + candidate.info.name == one.parameter;
        });
        if (entry == entries.end())
            throw Error("l2: there is no parameter '" + one.parameter + "'");
        groups_.push_back({entry->offset, entry->info.size(), one.strength});
    }
}

template <class S>
double L2Penalty<S>::value(const Column<S>& theta) const {
    double sum = 0;
    for (const Group& group : groups_)
        sum += group.strength / 2 *
               theta.segment(group.offset, group.size).template cast<double>().squaredNorm();
    return sum;
}

template <class S>
void L2Penalty<S>::add_gradient(const Column<S>& theta, Column<S>& gradient) const {
    for (const Group& group : groups_)
        share_out(group.size, static_cast<double>(group.size), [&](Index first, Index count) {
            gradient.segment(group.offset + first, count) +=
                static_cast<S>(group.strength) * theta.segment(group.offset + first, count);
        });
}

template <class S>
void L2Penalty<S>::add_products(const Columns<S>& directions, Columns<S>& products) const {
    for (const Group& group : groups_)
        products.middleRows(group.offset, group.size) +=
            static_cast<S>(group.strength) * directions.middleRows(group.offset, group.size);
}

template class L2Penalty<double>;
template class L2Penalty<float>;

} // namespace assay::network
