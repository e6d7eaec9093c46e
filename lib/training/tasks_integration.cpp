// Evidence summed over time: context-integration, probe, decision, integrator.
#include <assay/core/constants.hpp>
#include <assay/training/task_family.hpp>

#include <cmath>

namespace assay::training {
namespace {

// Writes the running sum of column `stream` as the target.
void write_running_sum(Row& row, Index stream) {
    double sum = 0;
    for (Index t = 0; t < row.input.rows(); ++t) row.value(t, 0) = sum += row.input(t, stream);
}

TaskParameter steps_parameter(Index steps) {
    return integer("steps", steps, 1, kMostSteps, "length of a trial");
}

TaskParameter streams_parameter() {
    return integer("streams", 2, 1, 1e4, "channels of evidence, each with a context of its own");
}

// ---- context-integration (Mante et al. 2013; Maheswaranathan et al. 2019b) ---------------------

TaskParts make_context_integration(const Parameters& p) {
    enum : std::uint64_t { context, offset, noise };
    const Index steps = p.integer("steps"), streams = p.integer("streams");
    const double offset_mean = p.number("bias_mean"), offset_sd = p.number("bias");
    const double sd = p.number("noise");
    const bool only_last = p.word("target") == "final";
    TaskParts parts;
    parts.layout = sequence_layout(steps, 2 * streams, 1);
    parts.layout.has_mask = only_last;
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        const Index cued = draws.below(streams, context);
        for (Index k = 0; k < streams; ++k) {
            const double b = offset_mean + offset_sd * draws.normal(offset, k);
            for (Index t = 0; t < steps; ++t)
                row.input(t, k) = b + sd * draws.normal(noise, t * streams + k);
        }
        row.input.col(streams + cued).setOnes();
        write_running_sum(row, cued);
        if (only_last) row.mask[steps - 1] = 1;
    });
    parts.truth = [=] {
        const auto n = static_cast<double>(steps);
        return std::vector<TruthArray>{
            truth_number("final_mean", n * offset_mean, "Mean of the target at the last step"),
            truth_number("final_variance", n * n * offset_sd * offset_sd + n * sd * sd,
                         "Variance of the target at the last step")};
    };
    return parts;
}

TaskEntry context_integration() {
    return {{"context-integration",
             "Noisy evidence on several channels, then a one-hot context, constant in a trial; the "
             "target is the running sum of the channel that the context names",
             {steps_parameter(30), streams_parameter(),
              number("bias", 0.05, 0, kAnyNumber, "sd over trials of a channel's constant offset"),
              number("bias_mean", 0, -kAnyNumber, kAnyNumber, "mean of the offset"),
              number("noise", 0.15, 0, kAnyNumber, "sd of the noise of a step"),
              word("target", {"running", "final"},
                   "running: the sum counts at every step; final: at the last one only")},
             {{"ctd",
               "As in computation-thru-dynamics: 25 steps of 1/25, offset 0.01 * 2 (N(0,1) - 1/2), "
               "noise 0.025 / sqrt(1/25)",
               {{"steps", "25"}, {"bias", "0.02"}, {"bias_mean", "-0.01"}, {"noise", "0.125"}}}}},
            make_context_integration};
}

// ---- probe ------------------------------------------------------------------------------------

TaskParts make_probe(const Parameters& p) {
    const Index steps = p.integer("steps"), streams = p.integer("streams");
    const Index context = p.integer("context") - 1, stream = p.integer("stream") - 1;
    const Index levels = p.integer("levels");
    const double amplitude = p.number("amplitude");
    const bool pulse = p.word("form") == "pulse";
    if (context >= streams) p.refuse("context", concat("a channel from 1 to ", streams));
    if (stream >= streams) p.refuse("stream", concat("a channel from 1 to ", streams));
    const auto level = levels == 1 ? std::vector<double>{amplitude}
                                   : equally_spaced(-amplitude, amplitude, levels);
    TaskParts parts;
    parts.layout = sequence_layout(steps, 2 * streams, 1);
    parts.layout.distinct = static_cast<std::uint64_t>(levels);
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        const double height = level[static_cast<std::size_t>(draws.sample() % level.size())];
        row.input.col(stream).head(pulse ? 1 : steps).setConstant(height);
        row.input.col(streams + context).setOnes();
        write_running_sum(row, context);
    });
    parts.truth = [=] {
        return std::vector<TruthArray>{
            truth_vector("level", level, "level", "Evidence of each sample, in turn")};
    };
    return parts;
}

TaskEntry probe() {
    return {
        {"probe",
         "Noise-free trials for a network of context-integration: constant evidence (or a pulse "
         "at the first step) on one channel in one context; sample i is level i modulo their "
         "number",
         {steps_parameter(30), streams_parameter(),
          integer("context", 1, 1, 1e4, "the channel that the context names, from 1"),
          integer("stream", 1, 1, 1e4, "the channel that carries the evidence, from 1"),
          integer("levels", 11, 1, 1e6, "equally spaced from -amplitude to amplitude"),
          number("amplitude", 0.1, -kAnyNumber, kAnyNumber,
                 "largest evidence; where there is one level, that one"),
          word("form", {"constant", "pulse"}, "evidence at every step, or at the first only")},
         {{"pulse",
           "One unit pulse at the first step",
           {{"form", "pulse"}, {"levels", "1"}, {"amplitude", "1"}}}}},
        make_probe};
}

// ---- decision ---------------------------------------------------------------------------------

TaskParts make_decision(const Parameters& p) {
    enum : std::uint64_t { noise };
    const Index steps = p.integer("steps");
    const double sd = p.number("noise");
    TaskParts parts;
    parts.layout = sequence_layout(steps, 1, 1);
    parts.layout.has_mask = true;
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        double sum = 0;
        for (Index t = 0; t < steps; ++t) sum += row.input(t, 0) = sd * draws.normal(noise, t);
        row.value(steps - 1, 0) = sum > 0 ? 1 : -1;
        row.mask[steps - 1] = 1;
    });
    parts.truth = [=] {
        // Sums up to t and to T are normal with correlation sqrt(t / T), and have the same sign
        // with probability 1/2 + asin(sqrt(t / T)) / pi.
        const auto n = static_cast<double>(steps);
        std::vector<double> accuracy;
        for (Index t = 1; t <= steps; ++t)
            accuracy.push_back(0.5 + std::asin(std::sqrt(static_cast<double>(t) / n)) / kPi);
        return std::vector<TruthArray>{
            truth_number("sum_sd", sd * std::sqrt(n),
                         "Standard deviation of the sum whose sign is the target"),
            truth_vector("accuracy", accuracy, "time", "Of the sign of the sum up to each step")};
    };
    return parts;
}

TaskEntry decision() {
    return {{"decision",
             "White noise; the target is the sign of its sum and counts at the last step only",
             {steps_parameter(30), number("noise", 1, 1e-9, 1e9, "sd of a step")},
             {}},
            make_decision};
}

// ---- integrator -------------------------------------------------------------------------------

TaskParts make_integrator(const Parameters& p) {
    enum : std::uint64_t { noise };
    const Index steps = p.integer("steps"), channels = p.integer("channels");
    const double sd = p.number("noise"), keep = 1 - p.number("leak");
    TaskParts parts;
    parts.layout = sequence_layout(steps, channels, channels);
    parts.loss = "mse";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        for (Index t = 0; t < steps; ++t)
            for (Index k = 0; k < channels; ++k) {
                row.input(t, k) = sd * draws.normal(noise, t * channels + k);
                row.value(t, k) = row.input(t, k) + (t > 0 ? keep * row.value(t - 1, k) : 0.0);
            }
    });
    parts.truth = [=] {
        std::vector<double> variance;
        for (double v = 0; static_cast<Index>(variance.size()) < steps;)
            variance.push_back(v = keep * keep * v + sd * sd);
        return std::vector<TruthArray>{
            truth_vector("variance", variance, "time", "Of the target, over samples")};
    };
    return parts;
}

TaskEntry integrator() {
    return {{"integrator",
             "White noise on each channel; the target is its leaky sum, y_t = (1 - leak) y_{t-1} + "
             "x_t",
             {steps_parameter(50), integer("channels", 1, 1, 1e5, "inputs and outputs"),
              number("noise", 0.1, 0, kAnyNumber, "sd of a step"),
              number("leak", 0, 0, 1, "what is lost in a step")},
             {}},
            make_integrator};
}

} // namespace

std::vector<TaskEntry> integration_tasks() {
    return {context_integration(), probe(), decision(), integrator()};
}

} // namespace assay::training
