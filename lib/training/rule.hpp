// Where a learning rule plugs in: how the parameters' (pseudo-)gradient of a batch comes about.
// Backpropagation is one rule; those that replace the transposed weights are others. A rule is
// registered by one line in its own file.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/loss.hpp>
#include <assay/network/network.hpp>

#include <memory>
#include <string>
#include <vector>

namespace assay::training {

// A batch after its forward pass.
template <class S>
struct RuleStep {
    const network::Weights<S>* weights;
    network::Pass<S>* pass;
    const network::Rows<S>* cotangent; // dL/d(outputs)
    Index step;
};

template <class S>
class LearningRule {
  public:
    virtual ~LearningRule() = default;
    // Writes the (pseudo-)gradient: P numbers that need not be there before.
    virtual void write_gradient(const RuleStep<S>& step, S* gradient) = 0;
};

// What a rule is made from.
template <class S>
struct RuleRequest {
    const network::Network<S>* network;
    std::string settings; // the rule's keys of the configuration, JSON
    std::uint64_t seed;
};

template <class S>
using RuleFactory = std::unique_ptr<LearningRule<S>> (*)(const RuleRequest<S>&);

struct RuleType {
    std::string name;
    RuleFactory<double> make_double;
    RuleFactory<float> make_float;
};

std::vector<RuleType>& rule_types();

struct RuleRegistration {
    RuleRegistration(const std::string& name, RuleFactory<double> make_double,
                     RuleFactory<float> make_float) {
        rule_types().push_back({name, make_double, make_float});
    }
};

// Throws Error for an unknown rule.
void check_rule(const std::string& name);
template <class S>
[[nodiscard]] ASSAY_API std::unique_ptr<LearningRule<S>> make_rule(const std::string& name,
                                                                   const RuleRequest<S>& request);

} // namespace assay::training
