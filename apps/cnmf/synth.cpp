// cnmf synth: recordings with known motifs.
#include "commands.hpp"
#include "recording_input.hpp"

namespace cnmf_app {

using namespace assay;

cli::Command synth() {
    enum class KindOfData { paper, sequences };
    struct Options {
        KindOfData kind = KindOfData::paper;
        cnmf::SynthOptions synth;
        cnmf::Precision precision = cnmf::Precision::float64;
        std::optional<double> dt;
    };
    auto o = std::make_shared<Options>();
    o->synth.components = 3;
    cli::Command c("synth", "make a recording with known motifs");
    c.describe("paper: bumps over lags, units shared out among components by a Dirichlet draw, "
               "exponential activations, Gaussian noise "
               "rectified at zero (Degleris et al. 2019). sequences: chains of units that fire one "
               "after another with jitter, missing "
               "spikes and background. Every number depends on the seed and its place only.");
    c.output(cli::OutputKind::hdf5, {{"/data/X", "recording (unit, time)"},
                                     {"/truth/W", "true motifs"},
                                     {"/truth/H", "true activations"},
                                     {"/truth/event_bin", "sequences: when they start"}});
    c.group("Recording");
    c.choice<KindOfData>("--kind", o->kind,
                         {{"paper", KindOfData::paper}, {"sequences", KindOfData::sequences}},
                         "kind of recording");
    c.option("-n,--units", o->synth.units, "N", "units").range(1, 1e6);
    c.option("-t,--bins", o->synth.bins, "N", "time bins").range(1, 1e9);
    c.option("-k,--components", o->synth.components, "N", "motifs").range(1, 4096);
    c.option("-l,--lags", o->synth.lags, "BINS", "paper: length of motifs").range(1, 1e6);
    c.option("--segments", o->synth.segments, "N", "equal segments").range(1, 1e6);
    c.option("--noise", o->synth.noise, "X", "paper: sd of the noise").range(0);
    c.flag("--noise-free", o->synth.noise_free, "no noise, jitter, background or missing spikes");
    c.flag("--counts", o->synth.counts, "Poisson counts of the rate");
    c.option("--dt", o->dt, "SECONDS", "bin width to state in the file").range(1e-12);
    c.choice<cnmf::Precision>(
        "--precision", o->precision,
        {{"float64", cnmf::Precision::float64}, {"float32", cnmf::Precision::float32}},
        "numbers in the file");
    c.seed(o->synth.seed);
    c.group("Kind paper");
    c.option("--alpha", o->synth.alpha, "X", "Dirichlet concentration of a unit's weights")
        .range(1e-6);
    c.option("--event-rate", o->synth.event_rate, "P", "probability of an activation per bin")
        .range(0, 1);
    c.option("--width", o->synth.width, "X", "sd of a bump; the window runs from -1 to 1")
        .range(1e-6);
    c.group("Kind sequences");
    c.option("--chain", o->synth.chain, "N", "units of a sequence").range(1, 1e6);
    c.option("--shared", o->synth.shared, "N", "units that all sequences share").range(0, 1e6);
    c.option("--gap", o->synth.gap, "BINS", "from one unit to the next").range(1, 1e6);
    c.option("--participation", o->synth.participation, "P",
             "probability that a unit joins an event")
        .range(0, 1);
    c.option("--jitter", o->synth.jitter, "BINS", "sd of spike times").range(0);
    c.option("--background", o->synth.background, "P", "probability of a spike beside sequences")
        .range(0, 1);
    c.option("--tau", o->synth.tau, "BINS", "exponential filter; 0: none").range(0);
    c.option("--warp", o->synth.warp, "X", "events run at speeds 1 - X to 1 + X").range(0, 0.9);
    c.option("--rest", o->synth.rest, "X", "mean pause between events, in lengths of one").range(0);
    c.example("The recording of the paper", "cnmf synth -n 250 -t 10000 -k 5 -l 20 -o paper.h5");
    c.example("Three sequences in trials",
              "cnmf synth --kind sequences -n 60 -t 6000 -k 3 --segments 20 -o sequences.h5");
    c.reference("degleris2019");
    c.reference("mackevicius2019");
    c.run([o](cli::Context& context) {
        const auto made = o->kind == KindOfData::paper ? cnmf::synth_paper(o->synth)
                                                       : cnmf::synth_sequences(o->synth);
        made.recording->bin_seconds = o->dt;
        const bool whole = o->synth.counts;
        const auto values = whole ? cnmf::StoredValues::counts
                            : o->precision == cnmf::Precision::float32
                                ? cnmf::StoredValues::float32
                                : cnmf::StoredValues::float64;
        cnmf::write_recording(context.output().create_group("/data"), *made.recording,
                              facts_of(*made.recording), values, "synthetic recording",
                              context.monitor());
        cnmf::write_truth(context.output().create_group("/truth"), made);
        context.report("units", static_cast<std::int64_t>(made.recording->units()));
        context.report("bins", static_cast<std::int64_t>(made.recording->bins()));
        context.report("motifs", static_cast<std::int64_t>(made.truth.components),
                       concat("of ", made.truth.lags, " bins"));
        if (!made.event_bin.empty())
            context.report("events", static_cast<std::int64_t>(made.event_bin.size()));
    });
    return c;
}

} // namespace cnmf_app
