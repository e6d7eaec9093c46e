#include <assay/training/rule.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

namespace assay::training {

std::vector<RuleType>& rule_types() {
    static std::vector<RuleType> types;
    return types;
}

namespace {

const RuleType& find_rule(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& type : rule_types()) {
        if (type.name == name) return type;
        known.push_back(type.name);
    }
    throw Error("rule: unknown learning rule '" + printable(name, 40) + "'; expected one of " +
                join(known, ", "));
}

} // namespace

void check_rule(const std::string& name) {
    static_cast<void>(find_rule(name));
}

template <class S>
std::unique_ptr<LearningRule<S>> make_rule(const std::string& name, const RuleRequest<S>& request) {
    const RuleType& type = find_rule(name);
    if constexpr (std::is_same_v<S, double>)
        return type.make_double(request);
    else
        return type.make_float(request);
}

template ASSAY_API std::unique_ptr<LearningRule<double>> make_rule(const std::string&,
                                                                   const RuleRequest<double>&);
template ASSAY_API std::unique_ptr<LearningRule<float>> make_rule(const std::string&,
                                                                  const RuleRequest<float>&);

} // namespace assay::training
