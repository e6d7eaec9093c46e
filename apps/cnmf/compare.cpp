// cnmf compare: how alike fits are.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command compare() {
    cli::Command c("compare", "match the components of fits and say how alike they are");
    c.describe("Similarity is the cosine between what two components reconstruct, so a motif that "
               "stands elsewhere in its window is still "
               "the same. K and L may differ. With more than two fits, each is compared with the "
               "first, and all pairs' dissimilarities are "
               "given.");
    c.inputs("fits of one recording: FILE or FILE:/group (default /cnmf/fit)");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/cnmf/compare/similarity", "cosine of component reconstructions"},
              {"/cnmf/compare/match", "partner of each component"},
              {"/cnmf/compare/shift", "bins by which the partner stands later"},
              {"/cnmf/compare/dissimilarity", "0: equal"},
              {"/cnmf/compare/all_pairs", "dissimilarity of every pair of fits"}});
    c.example("Two fits from different seeds", "cnmf compare a.h5 b.h5");
    c.reference("wu2016");
    c.run([](cli::Context& context) {
        if (context.input_count() < 2) throw UsageError("two fits or more are expected");
        std::vector<LoadedModel> models;
        for (std::size_t i = 0; i < context.input_count(); ++i) {
            models.push_back(load_model(context, context.input_address(i)));
            need_activations(models.back());
        }
        const auto& segments = models.front().facts.segment_start;
        for (std::size_t i = 1; i < models.size(); ++i)
            if (models[i].facts.segment_start != segments)
                throw Error(concat(
                    context.input_address(i).name(), ": has ", models[i].facts.segment_start.size(),
                    " segments, other than the ", segments.size(), " of ",
                    context.input_address(0).name(), "; fits of one recording are expected"));
        const auto count = static_cast<Index>(models.size());
        Matrix pairs = Matrix::Zero(count, count);
        for (Index i = 0; i < count; ++i)
            for (Index j = i + 1; j < count; ++j) {
                const auto& a = models[static_cast<std::size_t>(i)];
                const auto& b = models[static_cast<std::size_t>(j)];
                const auto comparison =
                    cnmf::compare(a.model, b.model, segments, context.execution());
                pairs(i, j) = pairs(j, i) = comparison.dissimilarity;
                if (i > 0) continue;
                const std::string name =
                    count == 2 ? "/cnmf/compare" : "/cnmf/compare/" + std::to_string(j);
                if (context.has_output())
                    cnmf::write_comparison(context.output().create_group(name), comparison);
                context.report(count == 2
                                   ? std::string("dissimilarity")
                                   : "dissimilarity to " +
                                         context.input_address(static_cast<std::size_t>(j)).name(),
                               comparison.dissimilarity);
                for (std::size_t k = 0; k < comparison.match.size() && count == 2; ++k)
                    context.report(
                        concat("component ", k),
                        comparison.match[k] < 0 ? std::string("no partner")
                                                : concat("~ ", comparison.match[k]),
                        comparison.match[k] < 0
                            ? ""
                            : concat("similarity ",
                                     significant(comparison.similarity(static_cast<Index>(k),
                                                                       comparison.match[k]),
                                                 4),
                                     ", ", comparison.shift[k], " bins later"));
            }
        if (context.has_output() && count > 2)
            context.output()
                .create_group("/cnmf/compare")
                .write("all_pairs", pairs, {"fit,fit", "", "dissimilarity of every pair"});
    });
    return c;
}

} // namespace cnmf_app
