// cnmf fit: motifs and activations of a recording.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/cli/rank_parts.hpp>
#include <assay/cli/state_file.hpp>
#include <assay/core/error.hpp>
#include <assay/core/ranks.hpp>

#include <cmath>
#include <utility>

namespace cnmf_app {
namespace {

using namespace assay;

constexpr double kMostLags = 1e6;

struct Options {
    DataOptions data;
    cnmf::FitOptions fit;
    std::optional<double> lag_seconds;
    std::string init = "random";
    cnmf::Normalization normalization = cnmf::Normalization::h_l2;
    bool sort = true;
};

void read_start(cli::Context& context, Options& o) {
    if (o.init == "random")
        o.fit.start.kind = cnmf::StartKind::random;
    else if (o.init == "data")
        o.fit.start.kind = cnmf::StartKind::data;
    else if (o.init == "spa")
        o.fit.start.kind = cnmf::StartKind::spa;
    else if (o.init == "coarse")
        o.fit.start.kind = cnmf::StartKind::coarse;
    else {
        o.fit.start = cnmf::read_start(model_group(context, hdf5::Address::parse(o.init)));
    }
}

// Ranks that divide the starts keep a state each.
std::string state_name(bool divided, int rank) {
    return divided ? concat("fit-", rank + 1, "-of-", ranks::count()) : "fit";
}

// States of all ranks end with the output; --resume wants those of as many ranks.
void settle_states(cli::Context& context, bool divided) {
    for (int rank = 0; divided && rank < ranks::count(); ++rank)
        static_cast<void>(cli::StateFile(context, state_name(divided, rank)));
    static_cast<void>(ranks::from_first([&] {
        const std::string directory = context.state_directory();
        if (context.resuming())
            cli::check_divided_states(directory, "fit", divided ? ranks::count() : 1);
        for (const auto& left : cli::divided_states(directory, "fit"))
            context.discard_when_done(left.path);
        return std::string();
    }));
}

void run(Options& o, cli::Context& context) {
    read_start(context, o);
    if (o.lag_seconds) {
        const auto opened = open_input(context, context.input_address(), o.data);
        if (!opened.recording->bin_seconds)
            throw Error(opened.name +
                        ": states no dt; -l in bins is expected in place of --lag-seconds");
        const double bins = *o.lag_seconds / *opened.recording->bin_seconds;
        if (!(bins <= kMostLags))
            throw UsageError(concat("option '--lag-seconds': ", *o.lag_seconds, " s are ", bins,
                                    " bins; at most ", kMostLags, " are expected"));
        o.fit.lags = std::max<Index>(1, static_cast<Index>(std::lround(bins)));
    }
    Loaded loaded = load(context, o.data, o.fit.lags);
    const Recording& recording = loaded.recording();
    at_place(loaded.opened.name, [&] {
        cnmf::check_shapes(recording, o.fit.components, o.fit.lags, context.monitor());
    });
    const cnmf::Unseen unseen(
        recording, loaded.excluded,
        cnmf::Mask::held_out(recording.units(), recording.bins(),
                             {o.data.hold_out, o.data.hold_out_block, o.fit.seed, 0}));
    const bool divided = ranks::count() > 1 && o.fit.restarts > 1;
    cli::StateFile state(context, state_name(divided, ranks::rank()));
    settle_states(context, divided);
    cnmf::FitControl control =
        state.keeping<cnmf::FitState>(cnmf::read_state, cnmf::write_state, kSaveEvery);
    if (!divided && control.save && !context.keeps_state())
        control.save = [](const cnmf::FitState&) {};
    const ranks::Together together;
    cnmf::FitResult result =
        cnmf::fit(*loaded.data, unseen, o.fit, context.execution(), std::move(control));
    cnmf::normalize(result.model, o.normalization);
    if (o.sort) {
        const auto order = cnmf::sort_components(result.model, result.loadings);
        result.loadings = Vector(result.loadings(order));
        std::vector<bool> dead;
        for (const Index k : order) dead.push_back(result.dead[static_cast<std::size_t>(k)]);
        result.dead = dead;
    }
    cnmf::FitWriting writing;
    writing.facts = loaded.facts();
    writing.precision = o.data.engine.precision;
    writing.timing = context.keeps_timing() ? cnmf::Timing::keep : cnmf::Timing::omit;
    writing.warnings = context.warnings();
    writing.data_digest = loaded.data->survey().digest;
    cnmf::write_fit(context.output().create_group("/cnmf/fit"), result, o.fit, writing);

    context.report("relative loss", result.evaluation.relative_loss());
    if (result.evaluation.test_norm > 0) context.report("test loss", result.evaluation.test_loss());
    if (o.fit.loss == cnmf::Loss::kl) context.report("divergence", result.divergence);
    context.report("power explained", 1 - std::pow(result.evaluation.relative_loss(), 2));
    std::string shares;
    for (Index k = 0; k < result.loadings.size(); ++k)
        shares += (k > 0 ? " " : "") + significant(result.loadings(k), 3);
    context.report("loadings", shares);
    context.report("iterations", static_cast<std::int64_t>(result.history.loss.size()) - 1,
                   "(stopped by " + result.stop_reason + ")");
    context.report("KKT residual", result.kkt, "of the start's");
    if (o.fit.restarts > 1)
        context.report("best of restarts", static_cast<std::int64_t>(result.best_restart + 1),
                       "of " + std::to_string(o.fit.restarts));
    context.report("engine", cnmf::engine_name(result.engine));
    context.propose("cnmf plot " + context.output_target() + " -o motifs.svg");
}

} // namespace

cli::Command fit() {
    auto o = std::make_shared<Options>();
    cli::Command c("fit", "fit motifs to a recording");
    c.describe("Explains the recording X (units x time, nonnegative) as the sum over K motifs W of "
               "L bins, convolved with activations "
               "H that say when they occur: min 1/2 |X - W * H|^2 plus penalties, W, H >= 0. One "
               "data product a half-step, everything "
               "else in small correlation matrices; no units x time array is ever written. "
               "Segments (trials) are exact: nothing "
               "crosses their borders.\n"
               "The same seed gives the same bits for any number of threads, through a pipe or a "
               "file, and for a run that was "
               "interrupted and resumed.");
    c.input("recording: HDF5, NWB, MATLAB, npy, npz or CSV of spike times");
    c.output(cli::OutputKind::hdf5,
             {{"/cnmf/fit/W", "motifs (component, unit, lag)"},
              {"/cnmf/fit/H", "activations (component, time)"},
              {"/cnmf/fit/loss", "relative loss after each iteration, the start first"},
              {"/cnmf/fit/loadings", "share of power that each component explains"},
              {"/cnmf/fit/unit_order", "units sorted by component and lag"}});
    c.resumable();
    c.together();
    c.group("Model");
    c.option("-k,--components", o->fit.components, "N", "number of motifs").range(1, 4096);
    c.option("-l,--lags", o->fit.lags, "BINS", "length of motifs").range(1, kMostLags);
    c.option("--lag-seconds", o->lag_seconds, "SECONDS", "the same in seconds; needs dt")
        .range(1e-12);
    c.option("--init", o->init, "START",
             "random, data, spa, coarse (parts of the recording first), or FILE[:/group] with W "
             "and/or H");
    c.option("--restarts", o->fit.restarts, "N", "starts; the best is kept").range(1, 1e6);
    c.option("--first-restart", o->fit.first_restart, "N",
             "number of the first start, as in restart_seed: makes one of many starts again")
        .range(0, 1e9);
    c.option("--x-ortho", o->fit.penalties.x_ortho, "X",
             "cross-orthogonality: one event is not explained twice")
        .range(0);
    c.seed(o->fit.seed);
    declare_data(c, o->data);
    declare_hold_out(c, o->data);
    declare_fit(c, o->fit);
    c.group("Result");
    c.choice<cnmf::Normalization>("--normalize", o->normalization,
                                  {{"none", cnmf::Normalization::none},
                                   {"h-l2", cnmf::Normalization::h_l2},
                                   {"w-l2", cnmf::Normalization::w_l2},
                                   {"w-max", cnmf::Normalization::w_max}},
                                  "how scale is shared between W and H");
    c.choice<bool>("--sort", o->sort, {{"loading", true}, {"none", false}}, "order of components");
    c.conflicts("--lags", "--lag-seconds");
    c.memory(
        "the recording (or its spectra; up to a quarter of --memory 8 N T more) + 40 T K (8 T K "
        "more with several starts) + 40 N K L + 8 (K L)^2 + 8 L K^2 (2 L - 1) "
        "bytes + 16 MiB, and a quarter of --memory with --init coarse; a recording above --memory "
        "is "
        "streamed");
    c.example("Fit three motifs of 50 frames and look at them",
              "cnmf fit song.h5 -k 3 -l 50 | cnmf plot -o motifs.svg");
    c.example("A recording of hours: parts of it first, then a few passes over the whole",
              "cnmf fit rec.h5 -k 5 -l 20 --init coarse --memory 2GiB -o fit.h5");
    c.example("Ten starts, a tenth of the entries held out",
              "cnmf fit rec.h5 -k 5 -l 20 --restarts 10 --holdout 0.1 -o fit.h5");
    c.reference("degleris2019");
    c.reference("ang2019");
    c.reference("mackevicius2019");
    c.run([o](cli::Context& context) {
        Options options = *o;
        run(options, context);
    });
    return c;
}

} // namespace cnmf_app
