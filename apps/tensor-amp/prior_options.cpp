#include "prior_options.hpp"

#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/tensor_amp/discrete_io.hpp>

#include <algorithm>
#include <optional>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

struct ModePrior {
    Index mode;
    std::string text;
};
ModePrior mode_prior(const std::string& given, Index order, const std::vector<std::string>& names) {
    const auto equals = given.find('=');
    const auto name = std::find(names.begin(), names.end(), given.substr(0, equals));
    const auto mode = name != names.end() ? std::optional<std::int64_t>(name - names.begin())
                                          : parse_integer(given.substr(0, equals));
    if (equals == std::string::npos || !mode)
        throw UsageError("option '--prior-mode': found '" + printable(given, 60) +
                         "'; K=PRIOR is expected, modes from 0 or by name");
    if (*mode < 0 || *mode >= order)
        throw UsageError(
            concat("option '--prior-mode': mode ", *mode, "; 0 to ", order - 1, " are there"));
    return {*mode, given.substr(equals + 1)};
}

} // namespace

void declare_priors(cli::Command& c, PriorOptions& o) {
    c.option("--prior", o.prior, "NAME:KEY=VALUE,..",
             "of the rows of every factor: gauss (mean, var or cov), rademacher (p), bernoulli, "
             "sparse-rademacher, gauss-bernoulli (rho, mean, var), one-hot (probabilities), "
             "discrete (file), nonneg-gauss (mean, var), exponential (rate); vectors and matrices "
             "as JSON lists");
    tools::add_repeated(c, "--prior-mode", o.modes, "K=PRIOR", "of one mode, from 0 or by name");
}

std::vector<std::string> prior_texts(const PriorOptions& o, Index order,
                                     const std::vector<std::string>& mode_names) {
    std::vector<std::string> texts(static_cast<std::size_t>(order), o.prior);
    std::vector<bool> seen(texts.size(), false);
    for (const std::string& given : o.modes) {
        const ModePrior one = mode_prior(given, order, mode_names);
        const auto at = static_cast<std::size_t>(one.mode);
        if (seen[at])
            throw UsageError(concat("option '--prior-mode': mode ", one.mode, " is given twice"));
        seen[at] = true;
        texts[at] = one.text;
    }
    return texts;
}

std::vector<bool> parameters_given(const PriorOptions& o, Index order,
                                   const std::vector<std::string>& mode_names) {
    std::vector<bool> given;
    for (const std::string& text : prior_texts(o, order, mode_names))
        given.push_back(text.find(':') != std::string::npos);
    return given;
}

std::vector<PriorPointer> parse_priors(const PriorOptions& o, Index order, Index rank,
                                       const std::vector<std::string>& mode_names) {
    std::vector<PriorPointer> priors;
    for (const std::string& text : prior_texts(o, order, mode_names))
        priors.push_back(at_place(text == o.prior ? "option '--prior'" : "option '--prior-mode'",
                                  [&] { return parse_prior(text, rank, read_discrete_values); }));
    return priors;
}

ModelDescription describe_model(const PriorOptions& o, const std::vector<Index>& shape,
                                Index rank) {
    const auto order = static_cast<Index>(shape.size());
    ModelDescription model;
    model.dimensions =
        Eigen::Map<const Eigen::Matrix<Index, Eigen::Dynamic, 1>>(shape.data(), order)
            .cast<double>();
    model.rank = rank;
    model.priors = prior_texts(o, order);
    model.read_values = read_discrete_values;
    static_cast<void>(parse_priors(o, order, rank));
    return model;
}

void note_prior_files(cli::Context& context, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
        const auto equals = text.find('=');
        if (starts_with(trim(text), "discrete") && equals != std::string::npos)
            context.note_foreign(hdf5::Address::parse(trim(text.substr(equals + 1))).file);
    }
}

void check_order(const std::vector<Index>& shape) {
    if (shape.size() < 2 || shape.size() > 8)
        throw UsageError(
            concat("option '--shape': ", shape.size(), " dimensions; 2 to 8 are expected"));
}

} // namespace tensor_amp_app
