// A penalty 1/2 sum_g strength_g |theta_g|^2 on some arrays of a network: its value, its gradient
// and its Hessian, which is diagonal.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/network.hpp>

#include <string>
#include <vector>

namespace assay::network {

// + 1/2 strength |theta_g|^2 for parameters whose "layer/parameter" is named.
struct Penalty {
    std::string parameter;
    double strength = 0;
};

template <class S>
class ASSAY_API L2Penalty {
  public:
    L2Penalty() = default; // none
    // Strengths of an array that is named more than once add up. Throws Error where no trained
    // array has the name.
    L2Penalty(const Network<S>& network, const std::vector<Penalty>& penalties);

    [[nodiscard]] bool empty() const { return groups_.empty(); }
    [[nodiscard]] double value(const Column<S>& theta) const;
    void add_gradient(const Column<S>& theta, Column<S>& gradient) const;
    // Adds the Hessian's products with the columns of `directions` (P x K).
    void add_products(const Columns<S>& directions, Columns<S>& products) const;

  private:
    struct Group {
        Index offset = 0, size = 0;
        double strength = 0;
    };
    std::vector<Group> groups_;
};

} // namespace assay::network
