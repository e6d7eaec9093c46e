// tensor-amp synth: tensors whose factors are known.
#include "commands.hpp"
#include "model_input.hpp"
#include "prior_options.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/synthetic.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

constexpr const char* kDefaultPrior = "gauss:mean=0,var=1";

struct Options {
    std::string preset = "none";
    std::vector<Index> shape;
    std::optional<Index> rank;
    std::vector<std::string> mode_names, missing_blocks;
    PriorOptions priors{"", {}};
    std::optional<double> noise_variance, snr;
    Index noise_mode = -1;
    double noise_spread = 0.5, missing_fraction = 0;
    bool standardize = false, symmetric = false;
    TensorPrecision precision = TensorPrecision::float64;
    std::int64_t memory_bytes = 0;
    std::uint64_t seed = 0;
};

const Preset* preset_of(const Options& o) {
    const auto& all = presets();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Preset& p) { return p.name == o.preset; });
    return found == all.end() ? nullptr : &*found;
}

MissingBlock parse_block(const std::string& text) {
    MissingBlock block;
    for (const std::string& part : split(text, ',')) {
        const auto equals = part.find('='), colon = part.find(':');
        const bool formed = equals != std::string::npos && colon != std::string::npos;
        const auto mode = parse_integer(part.substr(0, equals));
        const auto begin =
            formed ? parse_integer(part.substr(equals + 1, colon - equals - 1)) : std::nullopt;
        const auto end = formed ? parse_integer(part.substr(colon + 1)) : std::nullopt;
        if (!mode || !begin || !end)
            throw UsageError("option '--missing-block': found '" + printable(text, 60) +
                             "'; MODE=FIRST:END,... is expected, such as 0=10:20,2=0:45");
        block.push_back({*mode, *begin, *end});
    }
    return block;
}

// The priors of a preset where others are not asked for.
std::vector<std::string> usual_priors(const Preset* preset, std::size_t order) {
    if (preset == nullptr) return std::vector<std::string>(order, kDefaultPrior);
    const auto& texts = preset->priors;
    if (texts.size() == order) return texts;
    if (std::any_of(texts.begin(), texts.end(),
                    [&](const std::string& text) { return text != texts.front(); }))
        throw UsageError(concat("option '--shape': ", order, " modes; preset ", preset->name,
                                " has ", texts.size()));
    return std::vector<std::string>(order, texts.front());
}

PriorOptions chosen_priors(const Options& o, const Preset* preset, std::size_t order) {
    PriorOptions chosen{kDefaultPrior, {}};
    // Empty where nothing was said of a mode.
    const auto given = prior_texts(o.priors, static_cast<Index>(order));
    const auto usual = usual_priors(preset, order);
    for (std::size_t a = 0; a < order; ++a)
        chosen.modes.push_back(concat(a, "=", given[a].empty() ? usual[a] : given[a]));
    return chosen;
}

void set_factors(const Options& o, const Preset* preset, SyntheticSettings& s) {
    if (preset == nullptr || !preset->priors.empty()) {
        const std::size_t order = s.shape.size();
        s.priors = parse_priors(chosen_priors(o, preset, order), static_cast<Index>(order), s.rank);
        return;
    }
    const bool own_prior = !o.priors.prior.empty() || !o.priors.modes.empty();
    if (own_prior || o.standardize || o.symmetric || s.rank != preset->rank)
        throw UsageError(concat("preset ", preset->name, " has factors of its own, of rank ",
                                preset->rank,
                                "; rank, priors, --standardize and --symmetric do "
                                "not go with it"));
    s.factors = neural_factors(s.shape, o.seed);
}

SyntheticSettings settings_of(const Options& o) {
    const Preset* const preset = preset_of(o);
    SyntheticSettings s;
    s.shape = o.shape;
    if (s.shape.empty() && preset != nullptr) s.shape = preset->shape;
    if (s.shape.empty())
        throw UsageError("option '--shape' or '--preset' is missing; such as --shape 100,200,300");
    check_order(s.shape);
    s.rank = o.rank.value_or(preset != nullptr ? preset->rank : 1);
    check_rank(s.shape, s.rank);
    set_factors(o, preset, s);
    s.noise_variance = o.noise_variance.value_or(preset != nullptr ? preset->noise_variance : 1);
    s.snr = o.snr;
    if (!s.snr && !o.noise_variance && preset != nullptr) s.snr = preset->snr;
    s.mode_names = o.mode_names;
    if (s.mode_names.empty() && preset != nullptr) s.mode_names = preset->mode_names;
    if (!s.mode_names.empty() && s.mode_names.size() != s.shape.size())
        throw UsageError(concat("option '--modes': ", s.mode_names.size(), " names for ",
                                s.shape.size(), " modes"));
    s.noise_mode = o.noise_mode;
    s.noise_spread = o.noise_mode < 0 ? 0 : o.noise_spread;
    s.standardize = o.standardize;
    s.symmetric = o.symmetric;
    s.missing_fraction = o.missing_fraction;
    for (const std::string& text : o.missing_blocks) s.missing_blocks.push_back(parse_block(text));
    s.seed = o.seed;
    s.memory_bytes = allowed_memory(o.memory_bytes);
    return s;
}

void report(cli::Context& context, const Synthetic& made, Index rank) {
    const double entries = entry_count(made.tensor.shape);
    context.report("shape", shape_text(made.tensor.shape));
    context.report("rank", static_cast<std::int64_t>(rank));
    context.report("noise var", made.truth.noise_variance);
    if (!made.tensor.observed.empty()) {
        const auto seen = std::count(made.tensor.observed.begin(), made.tensor.observed.end(), 1);
        context.report("observed", static_cast<double>(seen) / entries, "of all entries");
    }
}

void run(const Options& o, cli::Context& context) {
    const SyntheticSettings settings = settings_of(o);
    Synthetic made = make_synthetic(settings, context.execution());
    hdf5::Group root = context.output();
    write_truth(root.create_group(kTruthGroup), made.truth);
    report(context, made, settings.rank);
    write_tensor(root, {std::move(made.tensor), settings.mode_names, ""}, o.precision);
    context.propose(concat("tensor-amp fit ", context.output_target(), " --rank ", settings.rank,
                           " -o fit.h5"));
}

void declare(cli::Command& c, Options& o) {
    c.group("Tensor");
    std::vector<std::pair<std::string, std::string>> names{{"none", "none"}};
    for (const Preset& preset : presets()) names.emplace_back(preset.name, preset.name);
    c.choice<std::string>("--preset", o.preset, names, "a known setting; other options change it");
    c.option("--shape", o.shape, "N1,N2,...", "dimensions of 2 to 8 modes").range(1, 1e9);
    c.option("-r,--rank", o.rank, "R", "components").default_text("1, or the preset's");
    c.option("--modes", o.mode_names, "NAMES", "what the modes are, such as neuron,time,trial");
    declare_priors(c, o.priors);
    c.flag("--standardize", o.standardize,
           "make mean and covariance of every factor exactly the prior's (Gaussian priors)");
    c.flag("--symmetric", o.symmetric,
           "one factor for all modes; entries with equal indices are 0");
    c.group("Noise");
    c.option("--noise-var", o.noise_variance, "X", "noise variance Delta")
        .range(0)
        .default_text("1, or the preset's");
    c.option("--snr", o.snr, "X",
             "variance of the noiseless entries over the noise variance, which it sets")
        .range(0);
    c.conflicts("--noise-var", "--snr");
    c.option("--noise-mode", o.noise_mode, "K", "mode whose slices differ in noise, from 0")
        .word("none", -1)
        .range(-1, 7);
    c.option("--noise-spread", o.noise_spread, "X",
             "of the logarithm of their noise variance, standard deviation")
        .range(0, 10);
    c.group("Missing entries");
    c.option("--missing-fraction", o.missing_fraction, "X", "of all entries, at random")
        .range(0, 1);
    tools::add_repeated(c, "--missing-block", o.missing_blocks, "K=I:J,...",
                        "indices I to before J of mode K, where all such ranges hold");
    c.group("Output");
    c.choice<TensorPrecision>(
        "--precision", o.precision,
        {{"float64", TensorPrecision::float64}, {"float32", TensorPrecision::float32}},
        "numbers in the file");
    c.memory_limit(o.memory_bytes);
    c.seed(o.seed);
}

} // namespace

cli::Command synth() {
    auto o = std::make_shared<Options>();
    cli::Command c("synth", "make a tensor whose factors are known");
    std::vector<std::string> lines;
    for (const Preset& preset : presets()) lines.push_back(preset.name + ": " + preset.what);
    c.describe("Y = N^(-(p-1)/2) sum over components of products of factors, plus noise; N is the "
               "geometric mean of the dimensions. Presets: " +
               join(lines, "; ") +
               ". Without --prior the preset's priors stand, else gauss:mean=0,var=1. Factors, "
               "noise and missing entries come from streams of their own: the same "
               "seed gives the same factors under any noise.");
    c.output(cli::OutputKind::hdf5, {{"/data/tensor", "the tensor, NaN where unobserved"},
                                     {"/data/mask", "1 = observed, where entries are missing"},
                                     {"/truth/factors/modeK", "true factors, model units"},
                                     {"/truth", "noise_var, priors, slice_noise"}});
    declare(c, *o);
    c.example("Two components of unequal dimensions",
              "tensor-amp synth --shape 100,200,300 --rank 2 --prior gauss:mean=0.5,var=1 "
              "--noise-var 0.2 -o tensor.h5");
    c.example("A recording whose neurons 20 to 39 miss the first 40 trials",
              "tensor-amp synth --preset neural --snr 0.5 --missing-block 0=20:40,2=0:40 -o "
              "neural.h5");
    c.reference("kadmon2018");
    c.reference("williams2018");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
