// cnmf align, reconstruct: a fit arranged, and what it says the data are.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command align() {
    auto normalization = std::make_shared<cnmf::Normalization>(cnmf::Normalization::h_l2);
    cli::Command c("align", "centre, scale and sort a fit");
    c.describe("Moves every motif to the middle of its window (and its activations against it), "
               "shares scale, sorts components by how much "
               "they explain, and lines up the units: by component of largest weight, then lag of "
               "its peak.");
    c.input("fit: FILE or FILE:/group");
    c.output(cli::OutputKind::hdf5, {{"/cnmf/align/W", "motifs"},
                                     {"/cnmf/align/H", "activations"},
                                     {"/cnmf/align/unit_order", "units in order"},
                                     {"/cnmf/align/shift", "bins by which each motif moved"}});
    c.group("Arrangement");
    c.choice<cnmf::Normalization>("--normalize", *normalization,
                                  {{"none", cnmf::Normalization::none},
                                   {"h-l2", cnmf::Normalization::h_l2},
                                   {"w-l2", cnmf::Normalization::w_l2},
                                   {"w-max", cnmf::Normalization::w_max}},
                                  "how scale is shared between W and H");
    c.example("Line up a fit for figures", "cnmf align fit.h5 -o aligned.h5");
    c.run([normalization](cli::Context& context) {
        LoadedModel fitted = load_model(context, context.input_address());
        need_activations(fitted);
        cnmf::Model& model = fitted.model;
        const cnmf::TimeAxis axis(model.activations.cols(), fitted.facts.segment_start, model.lags);
        const auto shifts = cnmf::centre_motifs(model, axis);
        cnmf::normalize(model, *normalization);
        // Loadings as the fit has them; a bare model is ordered by what its components reconstruct.
        const Vector key = fitted.loadings.size() == model.components
                               ? fitted.loadings
                               : cnmf::component_powers(model, axis, context.execution());
        const auto order = cnmf::sort_components(model, key);
        hdf5::Group group = context.output().create_group("/cnmf/align");
        cnmf::write_model(group, model, fitted.facts);
        cnmf::write_unit_order(group, cnmf::order_units(model));
        std::vector<std::int64_t> moved, origin;
        for (const Index k : order) {
            moved.push_back(shifts[static_cast<std::size_t>(k)]);
            origin.push_back(k);
        }
        group.write("shift", moved,
                    {"component", "bin", "bins by which the motif moved in its window"});
        group.write("component_origin", origin,
                    {"component", "", "number of the component in the input"});
        for (std::size_t k = 0; k < moved.size(); ++k)
            context.report(concat("component ", k),
                           concat("was ", origin[k], ", moved by ", moved[k], " bins"));
    });
    return c;
}

cli::Command reconstruct() {
    auto components = std::make_shared<std::vector<std::int64_t>>();
    cli::Command c("reconstruct", "write what a fit says the data are");
    c.input("fit: FILE or FILE:/group");
    c.output(cli::OutputKind::hdf5,
             {{"/data/Xhat", "reconstruction (unit, time), written block by block"}});
    c.group("Model");
    c.option("--components", *components, "LIST", "only these, counted from 0").range(0);
    c.example("What the first component explains",
              "cnmf reconstruct fit.h5 --components 0 -o part.h5");
    c.run([components](cli::Context& context) {
        LoadedModel fitted = load_model(context, context.input_address());
        need_activations(fitted);
        if (!components->empty())
            fitted.model = cnmf::chosen_components(
                fitted.model, chosen_components(*components, fitted.model.components));
        cnmf::write_reconstruction(context.output().create_group("/data"), fitted.model,
                                   fitted.facts, context.monitor());
        context.report("units", static_cast<std::int64_t>(fitted.model.units()));
        context.report("bins", static_cast<std::int64_t>(fitted.model.activations.cols()));
    });
    return c;
}

} // namespace cnmf_app
