// cnmf extent: how long a motif really is.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command extent() {
    struct Options {
        DataOptions data;
        std::string model;
        cnmf::ExtentOptions extent;
    };
    auto o = std::make_shared<Options>();
    cli::Command c("extent", "find how long motifs really are and who takes part");
    c.describe(
        "L only bounds a motif. Each unit is correlated with each activation at lags from "
        "-L to 2L; the null shifts the activation "
        "in time, maximum over units and lags. Units with p at most alpha take part: alpha is the "
        "chance that any takes part by mistake.");
    c.input("recording that the fit saw");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/cnmf/extent/p", "of each component and unit"},
              {"/cnmf/extent/first_lag", "first participating lag"},
              {"/cnmf/extent/last_lag", "last participating lag"},
              {"/cnmf/extent/correlation", "at every lag"}});
    c.resumable();
    c.group("Test");
    c.option("--model", o->model, "FILE[:/group]", "group with W and H").default_text(kNewestModel);
    c.option("--nulls", o->extent.nulls, "N", "shifts of each activation").range(1, 1e6);
    c.option("--alpha", o->extent.alpha, "P", "level for taking part").range(1e-6, 0.5);
    c.seed(o->extent.seed);
    declare_data(c, o->data);
    c.memory("the recording twice (once where it is streamed) + 24 T K + 24 N K (3 L + 1) bytes; a "
             "recording above --memory is streamed");
    c.example("Is the window long enough?", "cnmf extent rec.h5 --model fit.h5");
    c.run([o](cli::Context& context) {
        const LoadedModel fitted = load_model(context, o->model);
        need_activations(fitted);
        const Loaded loaded = load(context, scaled_as(o->data, fitted), fitted.model.lags);
        const Recording& recording = loaded.recording();
        check_belongs(fitted, recording, context.monitor());
        if (fitted.model.activations.cols() != recording.bins())
            throw Error(concat(loaded.opened.name, ": has ", recording.bins(),
                               " bins and the model ", fitted.model.activations.cols(),
                               "; as many are expected"));
        cli::StateFile state(context, "extent");
        const auto result = at_place(loaded.opened.name, [&] {
            return cnmf::extent(recording, fitted.model, o->extent, o->data.engine,
                                context.execution(), keeping_in<cnmf::Nulls>(state));
        });
        if (context.has_output()) {
            const hdf5::Group group = context.output().create_group("/cnmf/extent");
            cnmf::write_extent(group, result, loaded.facts());
            cnmf::write_warnings(group, context.warnings());
        }
        for (Index k = 0; k < fitted.model.components; ++k) {
            const auto at = static_cast<std::size_t>(k);
            context.report(
                concat("component ", k),
                static_cast<std::int64_t>(result.participates.row(k).sum()),
                result.last[at] < result.first[at]
                    ? std::string("units")
                    : concat("units, lags ", result.first[at], " to ", result.last[at], " bins"));
        }
    });
    return c;
}

} // namespace cnmf_app
