// lindyn coherence: whether a category is coherent enough to be learned as one.
#include "commands.hpp"
#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/development_io.hpp>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr std::int64_t kMostPoints = 10000000;

struct Options {
    ProblemOptions problem;
    std::string item_labels, feature_labels;
    bool grid = false;
    double items = 1000, features = 1600, background = 0.2;
    std::string probability = "0.2:1:81", block_items = "60:60:1", block_features = "80:80:1";
};

std::vector<std::int64_t> categories_of(cli::Context& context, const std::string& given,
                                        const std::string& option, const std::string& path) {
    if (!given.empty()) {
        const hdf5::Address address = hdf5::Address::parse(given);
        return context.open(address)
            .root()
            .dataset(address.path)
            .expect_numeric()
            .read<std::int64_t>();
    }
    const hdf5::Group root = context.input().root();
    if (!root.has_dataset(path))
        throw Error(context.input_address().name() + ": no " + path + "; the category of each (" +
                    option + ") is expected");
    return root.dataset(path).expect_numeric().read<std::int64_t>();
}

void judge(const Options& o, cli::Context& context) {
    const auto item =
                   categories_of(context, o.item_labels, "--item-labels", "/truth/item_category"),
               feature = categories_of(context, o.feature_labels, "--feature-labels",
                                       "/truth/feature_category");
    const Problem problem = data_problem(context, o.problem);
    const auto white = white_scale(problem.statistics);
    if (!white)
        throw Error(context.input_address().name() +
                    ": the inputs are not one-hot items; a table of items x features is expected "
                    "(--one-hot)");
    const CoherenceReport report = judge_categories(problem.statistics.syx / *white, feature, item);
    write_coherence(context.output().create_group("/lindyn/coherence"), report);
    context.report("background", report.background);
    for (std::size_t c = 0; c < std::min<std::size_t>(report.categories.size(), 2); ++c) {
        const std::string name = concat("category ", c, " ");
        const Coherence &seen = report.observed[c], &theory = report.predicted[c];
        context.report(name + "snr", theory.snr);
        const auto beside = [&](const std::string& what, double found, double expected) {
            context.report(name + what, found, "predicted " + significant(expected, 4));
        };
        beside("singular value", seen.singular_value, theory.singular_value);
        beside("feature overlap", seen.overlap_feature, theory.overlap_feature);
        beside("item overlap", seen.overlap_item, theory.overlap_item);
    }
    context.propose("lindyn plot " + context.output_target() +
                    " --figure coherence -o coherence.svg");
}

void predict_grid(const Options& o, cli::Context& context) {
    const Vector p = parse_grid(context, "--probability", o.probability),
                 items = parse_grid(context, "--block-items", o.block_items),
                 features = parse_grid(context, "--block-features", o.block_features);
    if (p.size() * items.size() * features.size() > kMostPoints)
        throw UsageError(concat("the grid has ", p.size() * items.size() * features.size(),
                                " points; at most ", kMostPoints, " are expected"));
    if (p.minCoeff() < 0 || p.maxCoeff() > 1)
        throw UsageError("option '--probability': numbers from 0 to 1 are expected");
    if (items.minCoeff() < 1 || items.maxCoeff() > o.items || features.minCoeff() < 1 ||
        features.maxCoeff() > o.features)
        throw UsageError("options '--block-items', '--block-features': from 1 to --items and "
                         "--features are expected");
    std::vector<Category> categories;
    std::vector<Coherence> predicted;
    Index learned = 0;
    for (const double ko : items)
        for (const double kf : features)
            for (const double probability : p) {
                categories.push_back({ko, kf, probability});
                predicted.push_back(
                    predict_coherence(categories.back(), o.background, o.items, o.features));
                learned += predicted.back().snr > 1 ? 1 : 0;
            }
    write_coherence_grid(context.output().create_group("/lindyn/coherence/grid"), categories,
                         predicted, o.background, o.items, o.features);
    context.report("points", static_cast<std::int64_t>(categories.size()));
    context.report("with a mode", static_cast<std::int64_t>(learned), "SNR above 1");
    if (predicted.size() == 1) {
        context.report("snr", predicted[0].snr);
        context.report("singular value", predicted[0].singular_value);
        context.report("feature overlap", predicted[0].overlap_feature);
        context.report("item overlap", predicted[0].overlap_item);
    }
    context.propose("lindyn plot " + context.output_target() + " -o coherence.svg");
}

void run(const Options& o, cli::Context& context) {
    if (o.grid && context.input_count() > 0)
        throw UsageError("--grid takes no input; its options say what is predicted");
    if (o.grid) {
        predict_grid(o, context);
        return;
    }
    context.need_input();
    if (context.input_count() != 1) throw UsageError("one input is expected");
    judge(o, context);
}

} // namespace

cli::Command coherence() {
    auto o = std::make_shared<Options>();
    cli::Command c("coherence", "is a category coherent enough to be learned as one?");
    c.describe("A category is a set of items that share a set of features more often than others "
               "do. Its signal-to-noise ratio says whether it gets a mode of its own, hence "
               "whether a network learns it as a category, and how well the mode singles out its "
               "items and features. For data with labels the prediction stands beside the modes of "
               "the data; with --grid it is made for many categories.");
    c.inputs("items x features, one-hot, with /truth/item_category and feature_category or labels");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/coherence/snr", "of each category"},
              {"/lindyn/coherence/singular_value, overlap_item, overlap_feature", "predicted"},
              {"/lindyn/coherence/singular_value_observed, ...", "of the data's nearest mode"},
              {"/lindyn/coherence/grid", "with --grid"}});
    declare_problem(c, o->problem, Whitening::none);
    c.group("Categories");
    c.option("--item-labels", o->item_labels, "FILE:/path", "category of each item; -1: none")
        .default_text("/truth/item_category");
    c.option("--feature-labels", o->feature_labels, "FILE:/path", "category of each feature")
        .default_text("/truth/feature_category");
    c.group("Grid");
    c.flag("--grid", o->grid, "predict for many categories");
    c.option("--items", o->items, "N", "in all").range(1);
    c.option("--features", o->features, "N", "in all").range(1);
    c.option("--background", o->background, "Q", "probability outside").range(1e-9, 1 - 1e-9);
    c.option("--probability", o->probability, "a:b:n", "of a category");
    c.option("--block-items", o->block_items, "a:b:n", "of a category");
    c.option("--block-features", o->block_features, "a:b:n", "of a category");
    c.example("A hidden category",
              "lindyn synth coherence --categories 60,80,0.8 | lindyn coherence -o coherence.h5");
    c.example(
        "From none to sure",
        "lindyn coherence --grid --probability 0.2:0.9:71 -o - | lindyn plot -o coherence.svg");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
