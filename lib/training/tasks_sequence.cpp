// Memory and rhythm: flipflop, sine, delayed-match, copy, adding.
#include <assay/training/task_family.hpp>

#include <cmath>

namespace assay::training {
namespace {

// ---- flipflop (Sussillo, Barak 2013) ----------------------------------------------------------

constexpr Index kMostBits = 4096;
constexpr Index kMostCornerBits = 12; // beyond, 2^bits corners are too many to list

TruthArray corners(Index bits) {
    RowMatrix outputs(Index{1} << bits, bits);
    for (Index i = 0; i < outputs.rows(); ++i)
        for (Index k = 0; k < bits; ++k) outputs(i, k) = (i >> (bits - 1 - k)) % 2 == 0 ? -1 : 1;
    return truth_matrix("stable_outputs", outputs, {"state", "bit"},
                        "What the outputs can hold: one attractor each");
}

TaskParts make_flipflop(const Parameters& p) {
    enum : std::uint64_t { pulse, sign };
    const Index bits = p.integer("bits"), steps = p.integer("steps");
    const double probability = p.number("probability");
    TaskParts parts;
    parts.layout = sequence_layout(steps, bits, bits);
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        for (Index t = 0; t < steps; ++t)
            for (Index k = 0; k < bits; ++k) {
                const Index at = t * bits + k;
                if (t == 0 || draws.uniform(pulse, at) < probability)
                    row.input(t, k) = draws.sign(sign, at);
                row.value(t, k) = row.input(t, k) != 0 ? row.input(t, k) : row.value(t - 1, k);
            }
    });
    parts.truth = [bits] {
        return bits <= kMostCornerBits ? std::vector<TruthArray>{corners(bits)}
                                       : std::vector<TruthArray>{};
    };
    return parts;
}

TaskEntry flipflop() {
    return {
        {"flipflop",
         "Pulses of +-1 on each bit, every bit pulsed at the first step; the target is the sign "
         "of each bit's last pulse",
         {integer("bits", 3, 1, kMostBits, "inputs and outputs"),
          integer("steps", 64, 1, kMostSteps, "length of a sequence"),
          number("probability", 0.2, 0, 1, "of a pulse, per bit and step")},
         {}},
        make_flipflop};
}

// ---- sine (Sussillo, Barak 2013) --------------------------------------------------------------

TaskParts make_sine(const Parameters& p) {
    const Index count = p.integer("frequencies"), steps = p.integer("steps");
    const double dt = p.number("dt");
    const auto frequencies = equally_spaced(p.number("low"), p.number("high"), count);
    std::vector<double> inputs;
    for (Index j = 0; j < count; ++j)
        inputs.push_back(static_cast<double>(j) / static_cast<double>(count) + 0.25);
    TaskParts parts;
    parts.layout = sequence_layout(steps, 1, 1);
    parts.layout.distinct = static_cast<std::uint64_t>(count);
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        const auto j = static_cast<std::size_t>(draws.sample() % inputs.size());
        for (Index t = 0; t < steps; ++t) {
            row.input(t, 0) = inputs[j];
            row.value(t, 0) = std::sin(frequencies[j] * dt * static_cast<double>(t + 1));
        }
    });
    parts.truth = [=] {
        return std::vector<TruthArray>{
            in_units(truth_vector("frequency", frequencies, "frequency", "Of the target"), "rad/s"),
            truth_vector("input", inputs, "frequency", "Static input that asks for the frequency")};
    };
    return parts;
}

TaskEntry sine() {
    return {{"sine",
             "A static input j/K + 0.25 asks for the j-th of K frequencies: the target is "
             "sin(w t), t = dt, 2dt, ...; sample i is frequency i modulo K",
             {integer("frequencies", 51, 1, 1e6, "K, equally spaced"),
              number("low", 0.1, 0, kAnyNumber, "lowest frequency, rad/s"),
              number("high", 0.6, 0, kAnyNumber, "highest frequency, rad/s"),
              number("dt", 1, 1e-9, 1e9, "duration of a step, s"),
              integer("steps", 50, 1, kMostSteps, "length of a sequence")},
             {{"reference",
               "21 frequencies from 1 to 6 rad/s in steps of 0.05 s",
               {{"frequencies", "21"},
                {"low", "1"},
                {"high", "6"},
                {"dt", "0.05"},
                {"steps", "120"}}}}},
            make_sine};
}

// ---- delayed match to sample ------------------------------------------------------------------

TaskParts make_delayed_match(const Parameters& p) {
    enum : std::uint64_t { sample, test, match, noise };
    const Index stimuli = p.integer("stimuli"), duration = p.integer("duration");
    const Index delay = p.integer("delay"), response = p.integer("response");
    const double sd = p.number("noise");
    const Index second = duration + delay, answer = second + duration, steps = answer + response;
    TaskParts parts;
    parts.layout = sequence_layout(steps, stimuli, 1);
    parts.layout.has_mask = true;
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        const Index first = draws.below(stimuli, sample);
        const bool same = draws.below(2, match) == 1;
        const Index shift = same ? 0 : 1 + draws.below(stimuli - 1, test);
        row.input.col(first).segment(0, duration).setOnes();
        row.input.col((first + shift) % stimuli).segment(second, duration).setOnes();
        for (Index at = 0; sd > 0 && at < steps * stimuli; ++at)
            row.input(at / stimuli, at % stimuli) += sd * draws.normal(noise, at);
        for (Index t = answer; t < steps; ++t) {
            row.value(t, 0) = same ? 1 : -1;
            row.mask[t] = 1;
        }
    });
    parts.truth = [=] {
        return std::vector<TruthArray>{
            whole(truth_vector("onset", {0.0, static_cast<double>(second)}, "stimulus",
                               "First step of each stimulus")),
            whole(truth_number("answer", static_cast<double>(answer),
                               "First step at which the target counts")),
            truth_number("mse_without_memory", 1, "Mean squared error of always answering 0")};
    };
    return parts;
}

TaskEntry delayed_match() {
    return {
        {"delayed-match",
         "Delayed match to sample: one of several stimuli (one-hot), a delay, a second stimulus; "
         "the target is +1 where they are the same (half of the samples), -1 elsewhere, and "
         "counts in the response period after both",
         {integer("stimuli", 2, 2, 1e5, "how many, one input each"),
          integer("duration", 5, 1, kMostSteps, "of each stimulus, steps"),
          integer("delay", 20, 0, kMostSteps, "between the stimuli, steps"),
          integer("response", 5, 1, kMostSteps, "steps in which the target counts"),
          number("noise", 0, 0, kAnyNumber, "sd of white noise on every input and step")},
         {}},
        make_delayed_match};
}

// ---- copy (Hochreiter, Schmidhuber 1997; as in Arjovsky, Shah, Bengio 2016) --------------------

TaskParts make_copy(const Parameters& p) {
    enum : std::uint64_t { symbol };
    const Index symbols = p.integer("symbols"), length = p.integer("length");
    const Index delay = p.integer("delay"), steps = delay + 2 * length;
    TaskParts parts;
    parts.layout = sequence_layout(steps, symbols + 2, 0);
    parts.layout.target_shape.clear();
    parts.layout.target_axes = {"time"};
    parts.layout.classes = symbols + 1;
    parts.layout.class_steps = steps;
    parts.loss = "softmax_cross_entropy";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        const Index go = length + delay - 1;
        for (Index t = 0; t < steps; ++t) {
            const Index blank_or_go = t == go ? symbols + 1 : 0;
            row.input(t, t < length ? 1 + draws.below(symbols, symbol, t) : blank_or_go) = 1;
        }
        for (Index t = 0; t < length; ++t)
            row.classes[delay + length + t] = 1 + draws.below(symbols, symbol, t);
    });
    parts.truth = [=] {
        return std::vector<TruthArray>{in_units(
            truth_number("loss_without_memory",
                         static_cast<double>(length) * std::log(static_cast<double>(symbols)) /
                             static_cast<double>(steps),
                         "Mean cross entropy of the best answer that remembers nothing"),
            "nat")};
    };
    return parts;
}

TaskEntry copy() {
    return {
        {"copy",
         "Symbols (inputs 1 to K, one-hot), blanks (input 0), a go sign (input K+1) at the last "
         "step of the delay, blanks; the target class is 0 until then and after it the symbols "
         "in order",
         {integer("symbols", 8, 1, 1e5, "K"),
          integer("length", 10, 1, kMostSteps, "symbols to remember"),
          integer("delay", 20, 1, kMostSteps, "steps between symbols and answer")},
         {}},
        make_copy};
}

// ---- adding (Hochreiter, Schmidhuber 1997) ----------------------------------------------------

TaskParts make_adding(const Parameters& p) {
    enum : std::uint64_t { number, first, second };
    const Index steps = p.integer("steps"), half = steps / 2;
    TaskParts parts;
    parts.layout = sequence_layout(steps, 2, 1);
    parts.layout.has_mask = true;
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        for (Index t = 0; t < steps; ++t) row.input(t, 0) = draws.uniform(number, t);
        const Index a = draws.below(half, first), b = half + draws.below(steps - half, second);
        row.input(a, 1) = row.input(b, 1) = 1;
        row.value(steps - 1, 0) = row.input(a, 0) + row.input(b, 0);
        row.mask[steps - 1] = 1;
    });
    parts.truth = [] {
        return std::vector<TruthArray>{truth_number("mse_without_memory", 1.0 / 6.0,
                                                    "Mean squared error of always answering 1")};
    };
    return parts;
}

TaskEntry adding() {
    return {{"adding",
             "Uniform numbers on [0, 1) beside a marker that is 1 at one step of each half; the "
             "target, at the last step, is the sum of the two marked numbers",
             {integer("steps", 50, 2, kMostSteps, "length of a sequence")},
             {}},
            make_adding};
}

} // namespace

std::vector<TaskEntry> sequence_tasks() {
    return {flipflop(), sine(), delayed_match(), copy(), adding()};
}

} // namespace assay::training
