#include "recording_input.hpp"

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>

namespace cnmf_app {

using namespace assay;

namespace {

constexpr double kSameWidth = 1e-6; // relative difference of bin widths that are meant to be equal

} // namespace

void declare_source(cli::Command& c, formats::RecordingOptions& r) {
    c.group("Recording");
    c.option("--dataset", r.dataset, "PATH", "array, group or variable in the file")
        .default_text("/data/X, or the only candidate");
    c.option("--dt", r.dt, "SECONDS", "bin width, for spike times and where the file states none")
        .range(1e-12);
    c.option("--start", r.start, "SECONDS", "leave out what comes before, in the session's time")
        .default_text("the recording's start; 0 for spike times");
    c.option("--stop", r.stop, "SECONDS", "leave out this and what comes later")
        .default_text("the recording's end");
    c.option("--times", r.times, "PATH", "vector of spike times, with --ids");
    c.option("--ids", r.ids, "PATH", "vector of unit numbers, one a spike");
    c.flag("--trials", r.trials, "NWB: one segment for each of /intervals/trials");
    c.choice<formats::SilentUnits>(
        "--silent", r.silent_units,
        {{"keep", formats::SilentUnits::keep}, {"drop", formats::SilentUnits::drop}},
        "units of spike times without a spike, gaps in --ids among them");
}

void declare_recording(cli::Command& c, DataOptions& o) {
    formats::RecordingOptions& r = o.recording;
    declare_source(c, r);
    c.choice<formats::TimeAxis>(
        "--time-axis", r.time_axis,
        {{"auto", formats::TimeAxis::automatic},
         {"0", formats::TimeAxis::first},
         {"1", formats::TimeAxis::second}},
        "axis that is time; auto: the attribute axes, NWB and MATLAB rules, else 1");
    c.option("--segments", r.segments, "PATH", "first bins of trials or files")
        .default_text("segment_start beside the data");
    c.choice<formats::Negatives>("--negatives", r.negatives,
                                 {{"error", formats::Negatives::error},
                                  {"clip", formats::Negatives::clip},
                                  {"offset", formats::Negatives::offset}},
                                 "what to do with negative values");
    c.choice<formats::Scale>("--scale", r.scale,
                             {{"none", formats::Scale::none},
                              {"l2", formats::Scale::l2},
                              {"l1", formats::Scale::l1},
                              {"max", formats::Scale::max},
                              {"max-p95", formats::Scale::max_p95}},
                             "scale each unit");
    c.memory_limit(o.engine.memory);
}

void declare_data(cli::Command& c, DataOptions& o) {
    declare_recording(c, o);
    c.option("--mask", o.recording.mask, "PATH", "array of 0 and 1; entries with 0 are not used");
    c.choice<formats::Missing>("--missing", o.recording.missing,
                               {{"error", formats::Missing::error}, {"nan", formats::Missing::nan}},
                               "whether NaN marks missing values");
    c.choice<cnmf::Engine>("--engine", o.engine.engine,
                           {{"auto", cnmf::Engine::automatic},
                            {"gemm", cnmf::Engine::gemm},
                            {"fft", cnmf::Engine::fft},
                            {"sparse", cnmf::Engine::sparse}},
                           "how products with the data are made");
    c.choice<cnmf::Precision>(
        "--precision", o.engine.precision,
        {{"float64", cnmf::Precision::float64}, {"float32", cnmf::Precision::float32}},
        "numbers in products with the data");
}

void declare_hold_out(cli::Command& c, DataOptions& o) {
    c.option("--holdout", o.hold_out, "P", "share of entries to hold out for a test loss")
        .range(0, 0.99);
    c.option("--holdout-block", o.hold_out_block, "BINS", "bins of a unit held out together")
        .range(1);
}

void declare_fit(cli::Command& c, cnmf::FitOptions& o) {
    using namespace assay::cnmf;
    c.group("Algorithm");
    c.choice<Algorithm>(
        "--algorithm", o.algorithm,
        {{"hals", Algorithm::hals}, {"mult", Algorithm::mult}, {"anls", Algorithm::anls}},
        "how W and H are updated");
    c.choice<Loss>("--loss", o.loss, {{"l2", Loss::l2}, {"kl", Loss::kl}},
                   "squared error, or Kullback-Leibler for counts (mult)");
    c.option("--inner", o.inner, "N",
             "sweeps per half-step; auto: as many as pay, up to 5 (10 when streaming)")
        .range(0, 1000)
        .word("auto", 0);
    c.choice<bool>(
        "--extrapolate", o.extrapolate, {{"auto", true}, {"off", false}},
        "auto: factors go on along their last change while the loss falls (hals of several sweeps, "
        "anls; without penalties); off: plain alternation, as published");
    c.choice<Order>(
        "--order", o.order,
        {{"chunk", Order::chunk}, {"component", Order::component}, {"time", Order::time}},
        "order of coordinates in H");
    c.choice<AnlsActivations>(
        "--anls-h", o.anls_activations,
        {{"column", AnlsActivations::column}, {"full", AnlsActivations::full}},
        "H in ANLS: one pass of exact columns, or to convergence");
    c.flag("--unlock", o.unlock, "mult: keep weights above zero, so that they may return");
    c.option("--max-iterations,--max-iter", o.max_iterations, "N", "outer iterations")
        .range(1, 1e9);
    c.option("--max-time", o.max_seconds, "SECONDS",
             "stop after so long; results then depend on the machine")
        .range(0)
        .default_text("none");
    c.option("--tolerance,--tol", o.tolerance, "X",
             "stop when the loss falls by less than this share; 0: never")
        .range(0);
    c.option("--patience", o.patience, "N", "so many iterations in a row").range(1, 1e6);
    c.option("--kkt-tol", o.kkt_tolerance, "X",
             "stop when the KKT residual falls below this share of the start's")
        .range(0);
    c.option("--shift", o.shift, "N",
             "centre motifs every N iterations in the first half; 0: never")
        .range(0)
        .default_text("0; 10 with --x-ortho");
    c.flag("--reseed-dead", o.reseed_dead,
           "restart a vanished component where the residual is largest");
    c.group("Penalties");
    c.option("--l1-w", o.penalties.l1_motifs, "X", "on the sum of W").range(0);
    c.option("--l2-w", o.penalties.l2_motifs, "X", "on half the squared norm of W").range(0);
    c.option("--l1-h", o.penalties.l1_activations, "X", "on the sum of H").range(0);
    c.option("--l2-h", o.penalties.l2_activations, "X", "on half the squared norm of H").range(0);
    c.option("--events", o.penalties.events, "X", "on overlapping activations").range(0);
    c.option("--parts", o.penalties.parts, "X", "on units that components share").range(0);
    c.option("--penalty-ramp", o.penalty_ramp, "N", "iterations over which x-ortho rises")
        .range(0, 1e6);
    static const std::vector<std::pair<std::string, bool>> kOnOff{{"on", true}, {"off", false}};
    c.choice<bool>("--x-ortho-w", o.penalties.x_ortho_in_motifs, kOnOff,
                   "whether x-ortho acts on W too");
}

cnmf::ModelFacts Loaded::facts() const {
    return {opened.facts(), opened.unit_scale};
}

formats::OpenedRecording open_input(cli::Context& context, const hdf5::Address& address,
                                    const DataOptions& o) {
    formats::RecordingOptions options = o.recording;
    options.memory = o.engine.memory > 0 ? o.engine.memory : cnmf::default_memory();
    const formats::Opener opener{
        [&](const hdf5::Address& a) -> hdf5::InputFile& { return context.open(a); },
        [&](const std::string& name) { context.note_foreign(name); }};
    return formats::open_recording(address, options, opener, context.monitor());
}

Loaded load(cli::Context& context, const DataOptions& o, Index lags) {
    Loaded loaded;
    loaded.opened = open_input(context, context.input_address(), o);
    const Recording& raw = *loaded.opened.recording;
    at_place(loaded.opened.name, [&] {
        if (loaded.opened.mask) {
            const Recording& mask = *loaded.opened.mask;
            loaded.excluded = cnmf::Mask(raw.units(), raw.bins(),
                                         cnmf::by_value(mask, [](double v) { return v != 0; }));
        }
        if (o.recording.missing == formats::Missing::nan)
            loaded.excluded = loaded.excluded.united(cnmf::Mask(
                raw.units(), raw.bins(), cnmf::by_value(raw, [](double v) { return v == v; })));
        loaded.excluded.check(raw.units(), raw.bins(), lags, context.monitor());
        if (!loaded.excluded.empty())
            loaded.masked = std::make_unique<cnmf::MaskedRecording>(raw, loaded.excluded);
        loaded.data =
            std::make_unique<cnmf::Data>(loaded.recording(), o.engine, context.execution());
    });
    return loaded;
}

DataOptions scaled_as(const DataOptions& options, const LoadedModel& fitted) {
    DataOptions scaled = options;
    if (fitted.facts.unit_scale.size() == 0) return scaled;
    if (options.recording.scale != formats::Scale::none)
        throw UsageError("option '--scale': the model was fitted to scaled units (unit_scale), "
                         "which is applied; leave the option out");
    scaled.recording.unit_scale = fitted.facts.unit_scale;
    return scaled;
}

std::string inputs_digest(const cli::Context& context) {
    std::string all;
    for (const auto& [name, digest] : context.input_digests()) all += digest;
    return digest_of(all);
}

hdf5::Address model_address(const cli::Context& context, const std::string& address) {
    if (!address.empty()) return hdf5::Address::parse(address);
    return {context.input_address().file, ""};
}

hdf5::Group model_group(cli::Context& context, const hdf5::Address& address) {
    const hdf5::Group root = context.open(address).root();
    return root.group(address.path.empty() ? cnmf::newest_model(root) : address.path);
}

LoadedModel load_model(cli::Context& context, const hdf5::Address& address) {
    const hdf5::Group group = model_group(context, address);
    LoadedModel loaded;
    loaded.model = cnmf::read_model(group);
    loaded.facts = cnmf::read_facts(group, loaded.model);
    loaded.data_digest = group.text_attribute("data_digest").value_or("");
    if (!group.has_dataset("loadings")) return loaded;
    const hdf5::Dataset loadings = group.dataset("loadings");
    const auto values = loadings.expect_numeric().read<double>();
    if (static_cast<Index>(values.size()) != loaded.model.components)
        throw Error(concat(loadings.where(), ": has ", values.size(), " entries; one a component, ",
                           loaded.model.components, ", is expected"));
    loaded.loadings = Eigen::Map<const Vector>(values.data(), loaded.model.components);
    return loaded;
}

LoadedModel load_model(cli::Context& context, const std::string& address) {
    return load_model(context, model_address(context, address));
}

std::vector<Index> chosen_components(const std::vector<std::int64_t>& named, Index components) {
    for (const auto k : named)
        if (k >= components)
            throw UsageError(concat("option '--components': component ", k,
                                    " does not exist; the model has ", components));
    return {named.begin(), named.end()};
}

void need_activations(const LoadedModel& loaded) {
    if (loaded.model.activations.size() == 0)
        throw Error("the model has no activations H; a fit with W and H is expected");
}

void check_belongs(const LoadedModel& fitted, const Recording& recording, Monitor& monitor) {
    if (fitted.model.units() != recording.units())
        throw Error(concat("the model has ", fitted.model.units(), " units and the recording ",
                           recording.units(), "; as many are expected"));
    const std::optional<double>&mine = fitted.facts.bin_seconds, &theirs = recording.bin_seconds;
    if (mine && theirs && !(std::abs(*mine - *theirs) <= kSameWidth * *mine))
        monitor.warn(concat("the model's bins last ", *mine, " s and the recording's ", *theirs,
                            " s; the same are expected"));
    const std::vector<std::int64_t>&of_model = fitted.facts.unit_ids,
          &of_recording = recording.unit_ids;
    if (of_model.empty() || of_recording.empty() || of_model == of_recording) return;
    const auto at = static_cast<std::size_t>(
        std::mismatch(of_model.begin(), of_model.end(), of_recording.begin()).first -
        of_model.begin());
    monitor.warn(concat("unit ", at, " has the id ", of_model[at], " in the model and ",
                        of_recording[at], " in the recording; the same units are expected"));
}

} // namespace cnmf_app
