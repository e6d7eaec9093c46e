// cnmf events: when motifs occur.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command events() {
    struct Options {
        cnmf::EventRule rule;
        std::optional<std::int64_t> refractory;
    };
    auto o = std::make_shared<Options>();
    cli::Command c("events", "list when each motif occurs");
    c.describe("Peaks of the activations above a threshold. Where the file carries a ground truth "
               "(/truth), components are matched with "
               "it and precision, recall and jitter are given.");
    c.input("fit: FILE or FILE:/group");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/cnmf/events/component", "which motif"},
              {"/cnmf/events/bin", "bin in which it starts"},
              {"/cnmf/events/time", "the same in seconds, where dt is known"},
              {"/cnmf/events/amplitude", "height of the activation"}});
    c.group("Rule");
    c.option("--threshold", o->rule.threshold, "X", "height of a peak")
        .default_text("mean + 3 sd of each component");
    c.option("--deviations", o->rule.deviations, "X",
             "standard deviations above the mean, without --threshold")
        .range(0);
    c.option("--refractory", o->refractory, "BINS", "least distance of two events of a motif")
        .range(1)
        .default_text("L / 2");
    c.example("Event times as a table",
              "cnmf events fit.h5 -o events.h5 && h5dump -d /cnmf/events/time events.h5");
    c.run([o](cli::Context& context) {
        const LoadedModel fitted = load_model(context, context.input_address());
        need_activations(fitted);
        cnmf::EventRule rule = o->rule;
        rule.refractory = o->refractory.value_or(std::max<Index>(1, fitted.model.lags / 2));
        const auto found =
            cnmf::find_events(fitted.model.activations, fitted.facts.segment_start, rule);
        std::optional<cnmf::EventScore> score;
        const hdf5::Group root = context.input().root();
        if (root.has_group("/truth") && root.has("/truth/W") && root.has("/truth/H")) {
            const cnmf::Model truth = cnmf::read_model(root.group("/truth"));
            if (truth.activations.cols() == fitted.model.activations.cols() &&
                truth.units() == fitted.model.units()) {
                const auto match = cnmf::compare(fitted.model, truth, fitted.facts.segment_start,
                                                 context.execution())
                                       .match;
                score = cnmf::score_events(found, cnmf::read_truth_events(root.group("/truth")),
                                           match, std::max<Index>(1, fitted.model.lags / 2));
            }
        }
        if (context.has_output())
            cnmf::write_events(context.output().create_group("/cnmf/events"), found, fitted.facts,
                               score);
        for (Index k = 0; k < fitted.model.components; ++k)
            context.report(concat("component ", k),
                           static_cast<std::int64_t>(
                               std::count(found.component.begin(), found.component.end(), k)),
                           "events");
        if (score) {
            context.report("precision", score->precision);
            context.report("recall", score->recall);
            context.report("jitter", score->jitter, "bins");
        }
    });
    return c;
}

} // namespace cnmf_app
