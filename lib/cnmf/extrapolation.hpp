// Extrapolation between the half-steps of alternating descent (Ang and Gillis 2019, arXiv
// 1805.06604): before the other factor answers to it, a factor goes on along its last change, by a
// weight that grows while the objective falls and shrinks when it rises.
#pragma once

#include <algorithm>

namespace assay::cnmf {

// As theirs but for the rates, one pair for all algorithms, and that an iteration in which the
// objective rises is made again without extrapolation: it falls in every one.
struct ExtrapolationWeight {
    double value = 0.5; // of the last change, from 0 to `most`
    double most = 1;
    double worked = 0.5; // the last that did

    void grow() {
        worked = value;
        value = std::min(most, 1.05 * value);
        most = std::min(1.0, 1.01 * most);
    }
    void shrink() {
        most = worked;
        value /= 1.5;
    }
};

// `factor` goes on by `weight` times its change since `before`, no further than to 0, and `before`
// takes what it was. An empty `before` knows of no change.
template <class Factor>
void extrapolate(Factor& factor, Factor& before, double weight) {
    if (before.size() == 0) {
        before = factor;
        return;
    }
    before = (factor + weight * (factor - before)).cwiseMax(0.0);
    factor.swap(before);
}

} // namespace assay::cnmf
