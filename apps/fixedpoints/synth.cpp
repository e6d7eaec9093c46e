// fixedpoints synth: networks whose points, modes and flows are known.
#include "commands.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/synth_io.hpp>
#include <assay/training/task.hpp>

#include <algorithm>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

// What is given overrides the settings' own defaults.
struct Options {
    std::optional<Index> bits, pad, units, points, n, inputs, outputs;
    std::vector<double> gains;
    std::optional<double> decay, tilt, extent, rho, theta, non_normality, gain, alpha;
    std::string eigenvalues, cell, activation;
    Index trials = 32;
    std::uint64_t seed = 0;
};

template <class T>
void override_with(T& setting, const std::optional<T>& given) {
    if (given) setting = *given;
}

[[noreturn]] void refuse_eigenvalue(const std::string& text) {
    throw UsageError("option '--eigs': found '" + printable(text, 40) +
                     "'; numbers such as 0.9 or 0.9+0.2i are expected");
}

// "0.9", "0.9+0.2i", "0.2i".
std::complex<double> parse_eigenvalue(const std::string& text) {
    if (text.empty() || text.back() != 'i') {
        const auto real = parse_double(text);
        if (!real) refuse_eigenvalue(text);
        return {*real, 0};
    }
    const std::string body = text.substr(0, text.size() - 1);
    // The last sign that is none of an exponent parts the two.
    std::size_t cut = body.find_last_of("+-");
    while (cut != std::string::npos && cut > 0 && (body[cut - 1] == 'e' || body[cut - 1] == 'E'))
        cut = body.find_last_of("+-", cut - 1);
    if (cut == std::string::npos) cut = 0;
    const auto real = cut == 0 ? std::optional<double>(0) : parse_double(body.substr(0, cut));
    const bool plus = cut < body.size() && body[cut] == '+';
    const auto imaginary = parse_double(body.substr(plus ? cut + 1 : cut));
    if (!real || !imaginary) refuse_eigenvalue(text);
    return {*real, *imaginary};
}

Synthetic product(const Options& o) {
    ProductSettings s;
    override_with(s.bits, o.bits);
    override_with(s.pad, o.pad);
    s.gains = o.gains;
    s.seed = o.seed;
    return make_product(s);
}

Synthetic relu_line(const Options& o) {
    ReluLineSettings s;
    override_with(s.units, o.units);
    override_with(s.decay, o.decay);
    override_with(s.tilt, o.tilt);
    override_with(s.points, o.points);
    override_with(s.extent, o.extent);
    s.seed = o.seed;
    return make_relu_line(s);
}

Synthetic rotation(const Options& o) {
    RotationSettings s;
    override_with(s.rho, o.rho);
    override_with(s.theta, o.theta);
    return make_rotation(s);
}

Synthetic roll(const Options& o) {
    return make_roll(o.n.value_or(2));
}

Synthetic linear(const Options& o) {
    LinearSettings s;
    if (!o.eigenvalues.empty()) {
        s.eigenvalues.clear();
        for (const auto& text : split(o.eigenvalues, ','))
            s.eigenvalues.push_back(parse_eigenvalue(text));
    }
    override_with(s.henrici, o.non_normality);
    s.seed = o.seed;
    return make_linear(s);
}

Synthetic random_network(const Options& o) {
    RandomNetworkSettings s;
    if (!o.cell.empty()) s.cell = o.cell;
    s.activation = o.activation;
    override_with(s.units, o.n);
    override_with(s.inputs, o.inputs);
    override_with(s.outputs, o.outputs);
    override_with(s.gain, o.gain);
    override_with(s.alpha, o.alpha);
    s.seed = o.seed;
    return make_random_network(s);
}

struct Family {
    const char* name;
    Synthetic (*make)(const Options&);
    std::vector<std::string> options; // of this family only
};

const std::vector<Family>& families() {
    static const std::vector<Family> all{
        {"product", product, {"--bits", "--gains", "--pad"}},
        {"relu-line", relu_line, {"--units", "--decay", "--tilt", "--points", "--extent"}},
        {"rotation", rotation, {"--rho", "--theta"}},
        {"roll", roll, {"--n"}},
        {"linear", linear, {"--eigs", "--non-normality"}},
        {"random",
         random_network,
         {"--cell", "--activation", "--n", "--inputs", "--outputs", "--gain", "--alpha"}}};
    return all;
}

const Family& family_of(const std::string& name) {
    std::vector<std::string> names;
    for (const Family& family : families()) {
        if (family.name == name) return family;
        names.emplace_back(family.name);
    }
    throw UsageError("unknown network '" + printable(name, 40) + "' (known: " + join(names, ", ") +
                     ")");
}

// An option of another family would change nothing.
void refuse_foreign(const Options& o, const Family& family) {
    const std::vector<std::pair<std::string, bool>> given{
        {"--bits", o.bits.has_value()},
        {"--gains", !o.gains.empty()},
        {"--pad", o.pad.has_value()},
        {"--units", o.units.has_value()},
        {"--decay", o.decay.has_value()},
        {"--tilt", o.tilt.has_value()},
        {"--points", o.points.has_value()},
        {"--extent", o.extent.has_value()},
        {"--rho", o.rho.has_value()},
        {"--theta", o.theta.has_value()},
        {"--n", o.n.has_value()},
        {"--eigs", !o.eigenvalues.empty()},
        {"--non-normality", o.non_normality.has_value()},
        {"--cell", !o.cell.empty()},
        {"--activation", !o.activation.empty()},
        {"--inputs", o.inputs.has_value()},
        {"--outputs", o.outputs.has_value()},
        {"--gain", o.gain.has_value()},
        {"--alpha", o.alpha.has_value()}};
    for (const auto& [option, is_given] : given)
        if (is_given &&
            std::find(family.options.begin(), family.options.end(), option) == family.options.end())
            throw UsageError("option '" + option + "' is not one of " + family.name + " (" +
                             join(family.options, ", ") + ")");
}

// Pulses of +-1 on every input, as in a flip-flop; what it should hold is known of a product only.
network::Samples pulses(const Options& o, const Synthetic& made, bool targets) {
    if (o.trials == 0) return {};
    const Index inputs = Dynamics(made.model).inputs();
    const auto task =
        training::make_task({"flipflop", "", {{"bits", std::to_string(inputs)}}, o.seed});
    network::Samples trials = task->samples(0, o.trials, training::Stream::test);
    if (!targets) {
        trials.values.resize(0, 0);
        trials.target_shape.clear();
    }
    return trials;
}

void run(const Options& o, cli::Context& context) {
    if (context.input_count() != 1)
        throw UsageError("the name of one network is expected; see --help");
    const Family& family = family_of(context.input_address().file);
    refuse_foreign(o, family);
    const Synthetic made = family.make(o);
    const bool holds_bits = family.make == product;
    write_synthetic(context.output(), made, pulses(o, made, holds_bits));
    const SyntheticTruth& truth = made.truth;
    context.report("network", Dynamics(made.model).description());
    context.report("points", static_cast<std::int64_t>(truth.state.rows()),
                   truth.state.rows() == 0 ? "none is known"
                   : truth.complete        ? "all there are"
                                           : "known ones; there are others");
    if (!truth.edges.empty())
        context.report("edges", static_cast<std::int64_t>(truth.edges.size()));
    context.report("trials of pulses", static_cast<std::int64_t>(o.trials));
}

void declare_closed_forms(cli::Command& c, Options& o) {
    c.group("product");
    c.option("--bits", o.bits, "N", "bistable units").range(1).default_text("3");
    c.option("--gains", o.gains, "W,...", "above 1: one a bit, or one for all")
        .default_text("2,1.6,1.3 in turn");
    c.option("--pad", o.pad, "N", "units that copy one of them").range(0).default_text("0");
    c.group("relu-line");
    c.option("--units", o.units, "N", "of each of two blocks").range(2).default_text("16");
    c.option("--decay", o.decay, "X", "largest other eigenvalue").range(0, 1).default_text("0.8");
    c.option("--tilt", o.tilt, "X", "tangent of the angle between left and right eigenvector")
        .range(0)
        .default_text("0.5");
    c.option("--points", o.points, "N", "listed on each side").range(1).default_text("10");
    c.option("--extent", o.extent, "X", "up to here").range(0).default_text("1");
    c.group("rotation");
    c.option("--rho", o.rho, "X", "growth per step").range(0).default_text("1.2");
    c.option("--theta", o.theta, "RADIANS", "turn per step").default_text("0.3");
}

void declare_others(cli::Command& c, Options& o) {
    c.group("roll, random");
    c.option("--n", o.n, "N", "units: 2, 3 or 4 of roll").range(1).default_text("2; random: 64");
    c.group("linear");
    c.option("--eigs", o.eigenvalues, "L,...",
             "spectrum; 0.9+0.2i stands for its conjugate as well")
        .default_text("0.95,0.9+0.2i,0.5");
    c.option("--non-normality", o.non_normality, "X", "Henrici's departure from normality")
        .range(0, 1)
        .default_text("0");
    c.group("random");
    c.option("--cell", o.cell, "TYPE", "rnn, gru, lstm, ugrnn, janet, ctrnn, linear")
        .default_text("gru");
    c.option("--activation", o.activation, "NAME", "tanh, relu, identity, softplus")
        .default_text("the cell's own");
    c.option("--inputs", o.inputs, "N", "numbers a step").range(1).default_text("3");
    c.option("--outputs", o.outputs, "N", "of the readout").range(1).default_text("3");
    c.option("--gain", o.gain, "X", "recurrent weights have variance gain^2 / units")
        .range(0)
        .default_text("1");
    c.option("--alpha", o.alpha, "X", "ctrnn: dt / tau").range(0).default_text("0.1");
    c.group("Trials");
    c.option("--trials", o.trials, "N", "of 64 steps of pulses, as /data/test; 0: none")
        .range(0, 1e6);
    c.seed(o.seed);
}

} // namespace

cli::Command synth() {
    auto o = std::make_shared<Options>();
    cli::Command c("synth", "make a network whose points and flows are known");
    c.describe(
        "product: tanh units that each hold a bit; 3^bits points whose flows are the faces of a "
        "cube. relu-line: an exact line of points. rotation: an unstable focus inside a limit "
        "cycle. roll: 3, 3, 9 points. linear: a prescribed spectrum, and departure from normality. "
        "random: untrained, for timing. The truth holds at zero input.");
    c.inputs("NAME of the network: product, relu-line, rotation, roll, linear, random");
    c.output(cli::OutputKind::hdf5, {{"/model", "the network"},
                                     {"/truth/state", "its points, as find orders them"},
                                     {"/truth/eigenvalues", "of dF/dh at each"},
                                     {"/truth/edges", "product: from, to"},
                                     {"/data/test/inputs", "trials of pulses"}});
    declare_closed_forms(c, *o);
    declare_others(c, *o);
    c.example("27 points, 54 flows", "fixedpoints synth product --pad 9 -o product.h5");
    c.example("A limit cycle", "fixedpoints synth rotation | fixedpoints find -o cycle.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
