#include "message_options.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

void refuse(const std::string& option, const std::string& found, const std::string& expected) {
    throw UsageError("option '" + option + "': found '" + printable(found, 40) + "'; " + expected +
                     " is expected");
}

void declare_messages(cli::Command& c, MessageOptions& o, FitSettings& fit) {
    c.option("--polish", fit.polish, "N", "sweeps of least squares after the spectral start")
        .range(0, 100000);
    c.choice<Schedule>("--schedule", fit.amp.schedule,
                       {{"sequential", Schedule::sequential}, {"parallel", Schedule::parallel}},
                       "modes in turn, or all at once (one pass over the data)");
    c.option(
        "--damping", o.damping, "X",
        "of the local fields and the means their reaction remembers; auto: as convergence asks, "
        "from 1, in parallel from the smaller of 0.5 and 1.5 / order");
    c.choice<std::string>("--gauge", o.gauge, {{"auto", "auto"}, {"none", "none"}},
                          "equilibrate scales between modes (Gaussian priors)");
}

void read_messages(const MessageOptions& o, FitSettings& fit) {
    fit.amp.gauge = o.gauge == "auto";
    if (o.damping == "auto") return;
    const auto value = parse_double(o.damping);
    if (!value || !(*value > 0 && *value <= 1))
        refuse("--damping", o.damping, "auto or a number above 0, at most 1");
    fit.amp.damping = *value;
}

} // namespace tensor_amp_app
