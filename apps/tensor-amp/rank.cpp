// tensor-amp rank: how many components a tensor has.
#include "commands.hpp"
#include "prior_options.hpp"
#include "rank_report.hpp"
#include "resumable.hpp"
#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/study_io.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    TensorOptions tensor;
    PriorOptions priors{"", {}};
    std::string ranks = "1:10", noise = "auto", holdout = "speckled";
    std::vector<std::string> criteria{"evidence"};
    RankChoiceSettings choice;
    double save_every = 30;
};

std::vector<Index> parse_ranks(const std::string& text) {
    std::vector<Index> ranks;
    for (const double value : cli::parse_grid("--ranks", text)) {
        if (!(value >= 1) || value != std::floor(value) || value > 1e6)
            throw UsageError("option '--ranks': found '" + printable(text, 40) +
                             "'; whole numbers from 1 are expected");
        ranks.push_back(static_cast<Index>(value));
    }
    if (!std::is_sorted(ranks.begin(), ranks.end(), std::less_equal<>()))
        throw UsageError("option '--ranks': rising numbers are expected");
    return ranks;
}

void read_criteria(Options& o) {
    RankChoiceSettings& s = o.choice;
    s.evidence = false;
    for (const std::string& word : o.criteria) {
        const bool all = word == "all";
        if (!all && word != "evidence" && word != "cv" && word != "corcondia" &&
            word != "similarity")
            throw UsageError("option '--criterion': found '" + printable(word, 40) +
                             "'; evidence, cv, corcondia, similarity or all is expected");
        s.evidence = s.evidence || all || word == "evidence";
        s.cross_validation = s.cross_validation || all || word == "cv";
        s.core_consistency = s.core_consistency || all || word == "corcondia";
        s.similarity = s.similarity || all || word == "similarity";
    }
    s.chosen_by = o.criteria.front() == "all" ? "evidence" : o.criteria.front();
}

void settle(Options& o, const LoadedTensor& tensor) {
    RankChoiceSettings& s = o.choice;
    s.ranks = parse_ranks(o.ranks);
    const auto order = static_cast<Index>(tensor.shape().size());
    const bool prior_given = !o.priors.prior.empty() || !o.priors.modes.empty();
    s.fit.priors_given = parameters_given(o.priors, order, tensor.mode_names);
    if (o.priors.prior.empty()) o.priors.prior = PriorOptions().prior;
    s.priors = prior_texts(o.priors, order, tensor.mode_names);
    s.fit.amp.learn_priors = !prior_given || o.noise == "auto";
    s.fit.amp.tie_components = true;
    s.fit.amp.learn_noise = o.noise == "auto";
    if (o.noise != "auto") {
        const auto value = parse_double(o.noise);
        if (!value || !(*value > 0))
            throw UsageError("option '--noise-var': found '" + printable(o.noise, 40) +
                             "'; auto or a number above 0 is expected");
        s.fit.noise_variance = *value;
    }
    if (o.holdout == "speckled") return;
    s.hold_out = HoldOut::block;
    if (!starts_with(o.holdout, "block:mode "))
        throw UsageError("option '--holdout-kind': found '" + printable(o.holdout, 40) +
                         "'; speckled or 'block:mode K' is expected");
    s.block_mode = mode_of("--holdout-kind", o.holdout.substr(11), order, tensor.mode_names);
}

void run(Options& o, cli::Context& context) {
    read_criteria(o);
    o.tensor.copies = o.choice.cross_validation ? 2 : 1; // whole, and without a fold
    LoadedTensor tensor = load_tensor(context, o.tensor);
    settle(o, tensor);
    note_prior_files(context, o.choice.priors);
    o.choice.part = context.shard().index - 1;
    o.choice.parts = context.shard().count;
    cli::StateFile state = state_file(context, "rank");
    const Keeping<RankProgress> keeping = keeping_in<RankProgress>(state, o.save_every);
    survey(tensor, keeping, context.monitor());
    RankChoice choice = at_place(context.input_address().name(), [&] {
        return choose_rank(*tensor.source, o.choice, context.execution(), keeping);
    });
    choice.data = state.digest();
    write_rank_choice(context.output().create_group(kRankGroup), choice);
    report_rank_choice(context, choice);
    if (choice.parts == 1)
        context.propose("tensor-amp plot " + context.output_target() + " -o rank.svg");
}

} // namespace

cli::Command rank() {
    auto o = std::make_shared<Options>();
    cli::Command c("rank", "how many components a tensor has");
    c.describe("Fits every rank and judges it by the evidence of Bayesian fits whose components "
               "share their prior's variance, by prediction of entries held out, by core "
               "consistency, or by the agreement of restarts. The evidence peaks at the number of "
               "components of about one size; a component far weaker than the others needs the "
               "held-out error.");
    c.input(
        "array of 2 to 8 dimensions: HDF5 (/data/tensor unless named), npy, npz, MATLAB; or spikes "
        "and trials of NWB");
    c.output(
        cli::OutputKind::hdf5,
        {{"/tensor_amp/rank/ranks, evidence, cv_error, core_consistency, similarity", "by rank"}});
    c.resumable();
    c.sharded();
    c.group("Choice");
    c.option("--ranks", o->ranks, "LIST", "a:b or a,b,c");
    c.option("--criterion", o->criteria, "LIST",
             "evidence, cv, corcondia, similarity, all; the first chooses");
    c.option("--folds", o->choice.folds, "N", "of entries held out, for cv").range(1, 10000);
    c.option("--holdout", o->choice.held_out, "X", "share of entries held out a fold")
        .range(1e-6, 0.9);
    c.option("--holdout-kind", o->holdout, "WORD",
             "speckled: single entries; 'block:mode K': runs along a mode, such as time");
    c.option("--restarts", o->choice.restarts, "K", "starts a rank").range(1, 1000);
    c.group("Model");
    declare_priors(c, o->priors);
    c.option(
        "--noise-var", o->noise, "X",
        "noise variance; auto: learned for every rank; priors are learned unless both are given, "
        "from the parameters that are");
    c.option("--max-iterations", o->choice.fit.amp.max_iterations, "N", "sweeps of each fit")
        .range(1, 1e7);
    c.option("--tolerance", o->choice.fit.amp.tolerance, "X",
             "relative change of factors that has converged")
        .range(0);
    c.seed(o->choice.fit.seed);
    cli::declare_save_every(c, o->save_every);
    declare_tensor(c, o->tensor);
    c.example("By evidence, and by prediction",
              "tensor-amp rank trials.h5 --ranks 1:8 --criterion evidence,cv -o rank.h5");
    c.example("Part 2 of an array job", "tensor-amp rank trials.h5 --shard 2/4 -o part2.h5");
    c.reference("kadmon2018");
    c.reference("bro2003");
    c.reference("williams2018");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
