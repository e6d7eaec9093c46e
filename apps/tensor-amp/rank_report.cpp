#include "rank_report.hpp"

#include <assay/core/error.hpp>

#include <string>
#include <vector>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

void report_rank_choice(cli::Context& context, const RankChoice& choice) {
    const bool whole = choice.parts == 1; // a part of the ranks chooses nothing
    if (whole)
        context.report("selected rank", static_cast<std::int64_t>(choice.selected()));
    else
        context.report("ranks",
                       std::vector<std::int64_t>(choice.ranks.begin(), choice.ranks.end()));
    const auto line = [&](const char* label, const VectorXd& values, Index chosen) {
        if (values.size() == 0) return;
        context.report(label, std::vector<double>(values.begin(), values.end()),
                       whole ? concat("chooses ", chosen) : "");
    };
    line("evidence", choice.evidence, choice.by_evidence());
    line("held-out error", choice.cv_error, choice.by_cross_validation());
    line("core consistency", choice.core_consistency, choice.by_core_consistency());
    line("similarity", choice.similarity, choice.by_similarity());
}

} // namespace tensor_amp_app
