// cnmf score: how good a model is, on data and against a ground truth.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

#include <cmath>

namespace cnmf_app {
namespace {

using namespace assay;

struct Options {
    DataOptions data;
    std::string model;
};

bool has_recording(cli::Context& context, const Options& o) {
    const auto address = context.input_address();
    if (!o.data.recording.dataset.empty() || !address.path.empty() ||
        !o.data.recording.times.empty())
        return true;
    if (!address.is_stream() && !context.is_hdf5(address)) return true;
    return context.open(address).root().has("/data/X") ||
           !context.open(address).root().has("/cnmf");
}

void score_data(const Options& o, const LoadedModel& fitted, cli::Context& context,
                std::optional<hdf5::Group>& group) {
    const Loaded loaded = load(context, scaled_as(o.data, fitted), fitted.model.lags);
    check_belongs(fitted, loaded.recording(), context.monitor());
    if (fitted.model.activations.cols() != loaded.recording().bins())
        throw Error(concat(loaded.opened.name, ": has ", loaded.recording().bins(),
                           " bins and the model ", fitted.model.activations.cols(),
                           "; as many are expected (see cnmf transform)"));
    const cnmf::Unseen unseen(loaded.recording(), loaded.excluded, {});
    const auto evaluation =
        cnmf::evaluate(fitted.model, loaded.recording(), unseen, context.execution());
    const auto products =
        loaded.data->products(fitted.model.components, fitted.model.lags, context.execution());
    const Vector shares = cnmf::loadings(
        fitted.model, *products, loaded.data->survey().squared_norm, unseen, context.execution());
    const double x_ortho =
        cnmf::cross_orthogonality(fitted.model, *products, unseen, context.execution());
    context.report("relative loss", evaluation.relative_loss());
    context.report("power explained", 1 - std::pow(evaluation.relative_loss(), 2));
    context.report("cross-orthogonality", x_ortho);
    if (!group) return;
    group->write_scalar("relative_loss", evaluation.relative_loss(), {"", "", "|X - Xhat| / |X|"});
    group->write_scalar("power", 1 - std::pow(evaluation.relative_loss(), 2),
                        {"", "", "power explained"});
    group->write_scalar("x_ortho", x_ortho, {"", "", "cross-orthogonality, unweighted"});
    group->write("loadings", shares, {"component", "", "share of the data's power explained"});
    cnmf::write_unit_r2(*group, evaluation);
}

void score_truth(const LoadedModel& fitted, const hdf5::Group& truth_group, cli::Context& context,
                 std::optional<hdf5::Group>& group) {
    const cnmf::Model truth = cnmf::read_model(truth_group);
    if (truth.activations.cols() != fitted.model.activations.cols() ||
        truth.units() != fitted.model.units())
        return;
    const auto comparison =
        cnmf::compare(truth, fitted.model, fitted.facts.segment_start, context.execution());
    double sum = 0;
    for (std::size_t k = 0; k < comparison.match.size(); ++k)
        if (comparison.match[k] >= 0)
            sum += comparison.similarity(static_cast<Index>(k), comparison.match[k]);
    context.report("similarity to truth", sum / static_cast<double>(comparison.match.size()),
                   "(mean cosine of matched reconstructions)");
    for (std::size_t k = 0; k < comparison.match.size() && k < 6; ++k)
        if (comparison.match[k] >= 0)
            context.report(concat("true component ", k),
                           comparison.similarity(static_cast<Index>(k), comparison.match[k]),
                           concat("(component ", comparison.match[k], ")"));
    if (!group) return;
    hdf5::Group truth_score = group->create_group("truth");
    cnmf::write_comparison(truth_score, comparison);
}

// What the fit recorded, where the data are not at hand. Throws Error where it recorded nothing and
// there is no truth either.
void score_records(const LoadedModel& fitted, const hdf5::Group& fit, bool has_truth,
                   cli::Context& context, std::optional<hdf5::Group>& group) {
    const auto loss = fit.number_attribute("relative_loss");
    if (!loss && !has_truth)
        throw Error(fit.where() + ": neither data nor a ground truth to score against are in the "
                                  "file (see --carry data)");
    if (!loss) return;
    const double power = 1 - *loss * *loss;
    context.report("relative loss", *loss, concat("(as ", fit.path(), " recorded it)"));
    context.report("power explained", power);
    if (!group) return;
    group->write_scalar("relative_loss", *loss,
                        {"", "", "as the fit recorded it; the data are not in the file"});
    group->write_scalar("power", power, {"", "", "power explained, as the fit recorded it"});
    if (fitted.loadings.size() > 0)
        group->write("loadings", fitted.loadings,
                     {"component", "", "share of the data's power explained, as recorded"});
    if (fit.has_dataset("unit_r2"))
        cnmf::write_unit_r2(*group, cnmf::read_unit_r2(fit, fitted.model));
}

void run(const Options& o, cli::Context& context) {
    const LoadedModel fitted = load_model(context, o.model);
    need_activations(fitted);
    std::optional<hdf5::Group> group;
    if (context.has_output()) group = context.output().create_group("/cnmf/score");
    const bool recording = has_recording(context, o);
    if (recording) score_data(o, fitted, context, group);
    const hdf5::Address address = model_address(context, o.model);
    const hdf5::Group root = context.open(address).root();
    if (!recording) {
        hdf5::Group fit = model_group(context, address);
        if (address.path.empty() && !fit.number_attribute("relative_loss") && root.has("/cnmf/fit"))
            fit = root.group("/cnmf/fit"); // what was aligned says no loss of its own
        score_records(fitted, fit, root.has("/truth/W"), context, group);
    }
    for (const hdf5::Group& file :
         {root, context.is_hdf5(context.input_address()) ? context.input().root() : root})
        if (file.has("/truth/W") && file.has("/truth/H")) {
            score_truth(fitted, file.group("/truth"), context, group);
            break;
        }
    if (group) cnmf::write_warnings(*group, context.warnings());
}

} // namespace

cli::Command score() {
    auto o = std::make_shared<Options>();
    cli::Command c("score", "say how good a model is");
    c.describe("On a recording: relative loss, power, loadings, fit of every unit, "
               "cross-orthogonality. Where a ground truth is carried "
               "along (/truth), the similarity of each true component to its best match. A file "
               "that holds a fit but no data is scored by what "
               "the fit recorded and by the truth.");
    c.input("recording, or a fit that carries its data or truth");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/cnmf/score/relative_loss", "|X - Xhat| / |X|"},
              {"/cnmf/score/loadings", "share of power by component"},
              {"/cnmf/score/unit_r2", "power of each unit explained"},
              {"/cnmf/score/truth/similarity", "true against fitted components"}});
    c.group("Model");
    c.option("--model", o->model, "FILE[:/group]", "group with W and H").default_text(kNewestModel);
    declare_data(c, o->data);
    c.memory(
        "the recording (or its spectra; up to a quarter of --memory 8 N T more) + 32 T K bytes; a "
        "recording above --memory is streamed");
    c.example("From nothing to a verdict",
              "cnmf synth --seed 1 | cnmf fit -k 3 -l 20 | cnmf score");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace cnmf_app
