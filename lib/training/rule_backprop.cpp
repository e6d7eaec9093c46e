// Backpropagation: the error goes down through the transposed weights.
#include <assay/network/keys.hpp>
#include <assay/training/rule.hpp>

#include <nlohmann/json.hpp>

namespace assay::training {
namespace {

template <class S>
class Backprop : public LearningRule<S> {
  public:
    void write_gradient(const RuleStep<S>& step, S* gradient) override {
        step.pass->backward(*step.cotangent, false);
        step.pass->write_gradient(gradient);
    }
};

template <class S>
std::unique_ptr<LearningRule<S>> make_backprop(const RuleRequest<S>& request) {
    const auto settings = network::parse_json(request.settings, "rule");
    network::Keys(settings, "rule").refuse_others();
    return std::make_unique<Backprop<S>>();
}

const RuleRegistration kBackprop("bp", make_backprop<double>, make_backprop<float>);

} // namespace
} // namespace assay::training
