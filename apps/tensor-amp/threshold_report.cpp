#include "threshold_report.hpp"

namespace tensor_amp_app {

using namespace assay;

namespace {

// One number for one fold of the curve, a list for several.
void report_folds(cli::Context& context, const char* label, const std::vector<double>& values,
                  const char* meaning) {
    if (values.size() == 1)
        context.report(label, values.front(), meaning);
    else if (!values.empty())
        context.report(label, values, meaning);
}

} // namespace

void report_thresholds(cli::Context& context, const tensor_amp::Thresholds& t) {
    if (t.dynamic.empty() && !t.bbp) context.report("thresholds", "none", "no jump at any noise");
    report_folds(context, "delta alg", t.algorithmic, "easy below");
    report_folds(context, "delta it", t.information, "possible below");
    report_folds(context, "delta dyn", t.dynamic, "solutions below");
    if (t.bbp) context.report("delta bbp", *t.bbp, "continuous onset");
}

} // namespace tensor_amp_app
