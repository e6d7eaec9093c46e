// cnmf significance: which motifs are more than chance.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command significance() {
    struct Options {
        DataOptions data;
        std::string model;
        cnmf::SignificanceOptions test;
    };
    auto o = std::make_shared<Options>();
    cli::Command c("significance", "test motifs against chance on held-out data");
    c.describe("The overlap of a motif with data that did not shape it is skewed where the motif "
               "occurs. The null shifts each unit's row of "
               "the motif by an independent random amount. p = (1 + nulls that reach the skewness) "
               "/ (1 + nulls); Bonferroni over testable "
               "components. Give it another recording, or another part of it, than the fit saw.");
    c.input("held-out recording");
    c.output(
        cli::OutputKind::hdf5_if_wanted,
        {{"/cnmf/significance/p", "p-value of each component"},
         {"/cnmf/significance/significant", "1 where p is at most alpha / testable components"}});
    c.resumable();
    c.group("Test");
    c.option("--model", o->model, "FILE[:/group]", "group with W").default_text(kNewestModel);
    c.option("--alpha", o->test.alpha, "P", "level of the test").range(1e-6, 0.5);
    c.option("--nulls", o->test.nulls, "N", "null motifs per component; 0: 2 K / alpha")
        .range(0, 1e7);
    c.seed(o->test.seed);
    declare_data(c, o->data);
    c.memory(
        "the recording (or its spectra; up to a quarter of --memory 8 N T more) + 24 T bytes for "
        "each of up to 64 null motifs, at most 1 GiB or one motif; a recording above --memory is "
        "streamed");
    c.example("Test the motifs of one session on the next",
              "cnmf significance day2.h5 --model fit.h5 -o significance.h5");
    c.reference("mackevicius2019");
    c.run([o](cli::Context& context) {
        const LoadedModel fitted = load_model(context, o->model);
        const Loaded loaded = load(context, scaled_as(o->data, fitted), fitted.model.lags);
        check_belongs(fitted, loaded.recording(), context.monitor());
        if (fitted.data_digest == loaded.data->survey().digest)
            context.monitor().warn(
                "the model was fitted to these very data, which makes its motifs "
                "look significant; held-out ones are expected");
        cli::StateFile state(context, "significance");
        const auto result = cnmf::significance(*loaded.data, fitted.model, o->test,
                                               context.execution(), keeping_in<cnmf::Nulls>(state));
        if (context.has_output()) {
            const hdf5::Group group = context.output().create_group("/cnmf/significance");
            cnmf::write_significance(group, result, o->test.alpha);
            cnmf::write_warnings(group, context.warnings());
        }
        for (Index k = 0; k < result.p.size(); ++k) {
            const auto at = static_cast<std::size_t>(k);
            context.report(concat("component ", k), concat("p = ", significant(result.p(k), 3)),
                           concat("skewness ", significant(result.skewness(k), 3),
                                  result.degenerate[at]    ? ", not testable"
                                  : result.significant[at] ? ", significant"
                                                           : ""));
        }
    });
    return c;
}

} // namespace cnmf_app
