// What convolutions and transposed convolutions share: filters in groups, and a bias a filter.
#pragma once

#include <assay/network/bilinear.hpp>
#include <assay/network/convolution_maps.hpp>

#include <assay/core/error.hpp>

#include <optional>
#include <utility>

namespace assay::network {

template <class S>
class ConvolutionLayer : public Bilinear<S> {
  public:
    [[nodiscard]] double flops() const override { return maps_->flops(); }

  protected:
    using typename Bilinear<S>::ConstRows;
    using typename Bilinear<S>::MutableRows;

    // Of one group: what comes in, and filters.
    GroupSizes read_groups(Keys& keys, Index channels) {
        filters_ = keys.count("filters", 1, Index{1} << 24);
        groups_ = keys.count("groups", 1, Index{1} << 24, 1);
        if (channels % groups_ != 0 || filters_ % groups_ != 0)
            keys.refuse("groups", concat("expected a divisor of ", channels, " channels and ",
                                         filters_, " filters, found ", groups_));
        return {channels / groups_, filters_ / groups_};
    }
    // `weight`: (rows, columns) before the kernel's axes. `sizes`: of the convolution of `windows`.
    void set_up(Keys& keys, const Shape& space, Shape weight, Windows windows, GroupSizes sizes,
                Index fan_in, Index fan_out) {
        this->output_.shape = space;
        this->output_.shape.insert(this->output_.shape.begin(), filters_);
        weight.insert(weight.end(), windows.kernel().begin(), windows.kernel().end());
        this->parameters_.push_back({"weight", weight, Role::weight, fan_in, fan_out});
        if (keys.flag("bias", true))
            this->parameters_.push_back({"bias", {filters_}, Role::bias, fan_in, fan_out});
        maps_.emplace(std::move(windows), sizes, groups_);
    }
    [[nodiscard]] const ConvolutionMaps<S>& maps() const { return *maps_; }

    void add_bias(const S* bias, MutableRows y) const override {
        share_out(y.rows(), static_cast<double>(y.size()), [&](Index first, Index count) {
            for (Index sample = first; sample < first + count; ++sample)
                Eigen::Map<Rows<S>>(y.row(sample).data(), filters_, positions()).colwise() +=
                    Eigen::Map<const Column<S>>(bias, filters_);
        });
    }
    void bias_gradient(const ConstRows& cotangent, S* db) const override {
        share_out(filters_, static_cast<double>(cotangent.size()), [&](Index first, Index count) {
            for (Index filter = first; filter < first + count; ++filter) {
                S sum = db[filter];
                for (Index sample = 0; sample < cotangent.rows(); ++sample)
                    sum += Eigen::Map<const Column<S>>(
                               cotangent.row(sample).data() + filter * positions(), positions())
                               .sum();
                db[filter] = sum;
            }
        });
    }

  private:
    [[nodiscard]] Index positions() const { return this->output_.size() / filters_; }
    Index filters_ = 0, groups_ = 1;
    std::optional<ConvolutionMaps<S>> maps_;
};

} // namespace assay::network
