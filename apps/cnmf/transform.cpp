// cnmf transform: the same motifs in another recording.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {
namespace {

using namespace assay;

struct Options {
    DataOptions data;
    std::string model;
    std::vector<double> warps{1.0};
    std::vector<std::int64_t> components;
    cnmf::ActivationStop stop;
    cnmf::Penalties penalties;
};

// All warps as one model, lags padded to the longest, so that warps compete for the data.
cnmf::Model joint_model(const cnmf::Model& model, const std::vector<double>& warps) {
    std::vector<cnmf::Model> stretched;
    cnmf::Model joint;
    for (const double warp : warps) {
        stretched.push_back(warp == 1.0 ? model : cnmf::warped(model, warp));
        joint.lags = std::max(joint.lags, stretched.back().lags);
    }
    joint.components = model.components * static_cast<Index>(warps.size());
    joint.motifs = Matrix::Zero(model.units(), joint.components * joint.lags);
    for (std::size_t w = 0; w < stretched.size(); ++w)
        for (Index k = 0; k < model.components; ++k) {
            Matrix image = Matrix::Zero(model.units(), joint.lags);
            image.leftCols(stretched[w].lags) = cnmf::motif_image(stretched[w], k);
            cnmf::set_motif_image(joint, static_cast<Index>(w) * model.components + k, image);
        }
    if (warps.size() == 1 && warps.front() == 1.0) joint.activations = model.activations;
    return joint;
}

void run(const Options& o, cli::Context& context) {
    // First of the inputs: a truth that is carried forward is this recording's.
    if (context.is_hdf5(context.input_address())) static_cast<void>(context.input());
    const LoadedModel fitted = load_model(context, o.model);
    cnmf::Model model = fitted.model;
    if (!o.components.empty())
        model = cnmf::chosen_components(model, chosen_components(o.components, model.components));
    model = joint_model(model, o.warps);
    const Loaded loaded = load(context, scaled_as(o.data, fitted), model.lags);
    check_belongs(fitted, loaded.recording(), context.monitor());
    if (model.lags > loaded.recording().bins())
        throw Error(concat(loaded.opened.name, ": motifs of ", model.lags,
                           " bins are longer than the recording's ", loaded.recording().bins()));
    const cnmf::Unseen unseen(loaded.recording(), loaded.excluded, {});
    cli::StateFile state(context, "transform");
    auto result = cnmf::transform(*loaded.data, unseen, model, o.stop, o.penalties,
                                  context.execution(), keeping_in<cnmf::ActivationFit>(state));
    if (result.kkt > o.stop.kkt_tolerance)
        context.monitor().warn(concat("the KKT residual is ", significant(result.kkt, 3), " after ",
                                      result.sweeps, " sweeps; --max-sweeps allows more"));
    model.activations = std::move(result.activations);
    const hdf5::Group group = context.output().create_group("/cnmf/transform");
    cnmf::write_transform(group, model, result, o.warps, loaded.facts());
    cnmf::write_warnings(group, context.warnings());
    context.report("relative loss", result.evaluation.relative_loss());
    const Index components = model.components / static_cast<Index>(o.warps.size());
    for (std::size_t w = 0; w < o.warps.size(); ++w)
        context.report(
            "power at warp " + significant(o.warps[w], 4),
            result.loadings.segment(static_cast<Index>(w) * components, components).sum());
    context.report("KKT residual", result.kkt);
}

} // namespace

cli::Command transform() {
    auto o = std::make_shared<Options>();
    cli::Command c("transform", "find the motifs of a fit in another recording");
    c.describe(
        "Keeps W and fits H, a convex problem solved to a stated KKT residual. With --warp, "
        "compressed or stretched motifs compete "
        "with the original ones, each with activations of its own: a hunt for replay. The result "
        "is a model of this recording, which later steps take: its components are those of "
        "the first warp, then of the next.");
    c.input("recording");
    c.output(cli::OutputKind::hdf5,
             {{"/cnmf/transform/W", "motifs as warped, in the same shape as fit's"},
              {"/cnmf/transform/H", "activations (component, time), or (warp, component, time)"},
              {"/cnmf/transform/loadings", "share of power by warp and component"}});
    c.resumable();
    c.group("Model");
    c.option("--model", o->model, "FILE[:/group]", "group with W").default_text(kNewestModel);
    c.option("--components", o->components, "LIST", "only these, counted from 0").range(0);
    c.option("--warp", o->warps, "LIST", "factors by which motifs are stretched in time")
        .range(0.01, 100);
    c.option("--kkt-tol", o->stop.kkt_tolerance, "X", "KKT residual to reach, relative to H = 0")
        .range(0);
    c.option("--max-sweeps", o->stop.most_sweeps, "N", "sweeps at most").range(1, 1e9);
    c.option("--l1-h", o->penalties.l1_activations, "X", "penalty on the sum of H").range(0);
    c.option("--l2-h", o->penalties.l2_activations, "X", "penalty on half the squared norm of H")
        .range(0);
    declare_data(c, o->data);
    c.memory(
        "the recording (or its spectra; up to a quarter of --memory 8 N T more) + 40 T K + 8 N K L "
        "bytes, K motifs of every warp; a recording above --memory is streamed");
    c.example("The same motifs at half, single and double duration",
              "cnmf transform sleep.h5 --model fit.h5 --warp 0.5,1,2 -o replay.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace cnmf_app
